//! The laws of the lattice, for every three policies; and that it means what the requests say.

use proptest::prelude::*;

use super::super::{Comparison, compare, contradictions, diff, meet};
use super::any::{policy, rewritten, two};
use super::request::allows;
use super::sample::requests;
use crate::api::effective::EffectivePolicy;

fn both(one: &EffectivePolicy, other: &EffectivePolicy) -> Option<EffectivePolicy> {
    meet(Some(one), Some(other))
}

fn is_within(one: Option<&EffectivePolicy>, other: Option<&EffectivePolicy>) -> bool {
    !compare(other, one).gains()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_meet_is_a_lower_bound_and_in_whichever_order([one, other] in two()) {
        let met = both(&one, &other);
        prop_assert!(is_within(met.as_ref(), Some(&one)), "{:#?}", diff(Some(&one), met.as_ref()));
        prop_assert!(is_within(met.as_ref(), Some(&other)), "{:#?}", diff(Some(&other), met.as_ref()));
        prop_assert_eq!(met, both(&other, &one), "the very same, in the other order");
    }

    #[test]
    fn a_meet_with_itself_is_itself(one in policy()) {
        let met = both(&one, &one);
        prop_assert_eq!(compare(Some(&one), met.as_ref()), Comparison::Equal);
        let changes = diff(Some(&one), met.as_ref());
        prop_assert!(changes.iter().all(|change| change.effect == Comparison::Equal), "{changes:#?}");
        let normal = met.expect("nothing contradicts itself");
        prop_assert_eq!(both(&normal, &normal), Some(normal), "and written alike from then on");
    }

    #[test]
    fn meets_of_three_come_to_the_same([one, other] in two(), third in policy(), like in any::<bool>()) {
        let third = if like { EffectivePolicy { datasets: one.datasets.clone(), time: other.time.clone(), security: one.security.clone(), ..third } } else { third };
        let left = both(&one, &other).and_then(|met| both(&met, &third));
        let right = both(&other, &third).and_then(|met| both(&one, &met));
        prop_assert_eq!(
            compare(left.as_ref(), right.as_ref()), Comparison::Equal, "{:#?}", diff(left.as_ref(), right.as_ref())
        );
    }

    #[test]
    fn narrower_is_meeting_in_oneself([one, other] in two()) {
        let met = both(&one, &other);
        let stays = compare(met.as_ref(), Some(&one)) == Comparison::Equal;
        prop_assert_eq!(is_within(Some(&one), Some(&other)), stays);
        if let Some(met) = met {
            // And so for one that is narrower for certain.
            prop_assert!(is_within(Some(&met), Some(&one)));
            let again = both(&met, &one);
            prop_assert_eq!(compare(again.as_ref(), Some(&met)), Comparison::Equal);
        }
    }

    #[test]
    fn a_meet_allows_exactly_what_neither_refuses([one, other] in two()) {
        let met = both(&one, &other);
        let clash = !contradictions(&one, &other).is_empty();
        prop_assert_eq!(met.is_none(), clash);
        for request in requests(&[&one, &other]) {
            let neither_refuses = allows(&one, &request) && allows(&other, &request);
            let allowed = met.as_ref().is_some_and(|met| allows(met, &request));
            prop_assert!(!allowed || neither_refuses, "{request:?}");
            prop_assert!(clash || allowed == neither_refuses, "less than it could: {request:?}");
        }
    }

    #[test]
    fn it_compares_as_what_is_allowed_compares([one, other] in two()) {
        let found = compare(Some(&one), Some(&other));
        let (mut lost, mut gained) = (None, None);
        for request in requests(&[&one, &other]) {
            match (allows(&one, &request), allows(&other, &request)) {
                (true, false) => lost = Some(request),
                (false, true) => gained = Some(request),
                _ => {}
            }
        }
        let changes = diff(Some(&one), Some(&other));
        // Every loss and gain is seen.
        prop_assert!(found.loses() || lost.is_none(), "{lost:?}");
        prop_assert!(found.gains() || gained.is_none(), "{gained:?}");
        // And nothing is called one without a request that shows it, windows aside, whose instants
        // are too many to be sampled here: `zones` looks at those.
        let windows = changes.iter().any(|change| change.clause == "time.windows");
        prop_assert!(windows || found == Comparison::of(lost.is_some(), gained.is_some()), "{changes:#?}");
        prop_assert_eq!(compare(Some(&other), Some(&one)), found.reversed());
    }

    #[test]
    fn the_same_in_other_words_is_equal(one in policy()) {
        let other = rewritten(&one);
        let changes = diff(Some(&one), Some(&other));
        prop_assert_eq!(compare(Some(&one), Some(&other)), Comparison::Equal, "{:#?}", changes);
        let met = both(&one, &other);
        prop_assert_eq!(compare(met.as_ref(), Some(&one)), Comparison::Equal);
    }
}

#[test]
fn a_missing_policy_is_the_empty_set() {
    let policy = EffectivePolicy::default();
    assert_eq!(meet(Some(&policy), None), None);
    assert_eq!(meet(None, None), None);
    assert_eq!(compare(Some(&policy), None), Comparison::Narrower);
    assert_eq!(compare(None, Some(&policy)), Comparison::Wider);
    assert_eq!(compare(None, None), Comparison::Equal);
}
