//! What holds for all policies: the oracle's answers, and that more rules never shut anything, nor fewer open it.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::any::policies;
use super::oracle::{Dial, dials, ends, passing};
use super::{End, Model, NAMESPACES, Reading, Transport, policy};

/// The dials that pass.
fn open(policies: &[NetworkPolicy], reading: Reading) -> BTreeSet<Dial> {
    let (mut model, ends) = (Model::with(&[]), ends());
    model.policies = policies.to_vec();
    let passes = |(from, to, word, port): &Dial| {
        let protocol = Transport::ALL.into_iter().find(|known| known.as_str() == *word).expect("it is one");
        model.verdict(&ends[*from], &ends[*to], protocol, *port, reading).is_open()
    };
    dials().iter().copied().filter(passes).collect()
}

/// Both readings: the widest first.
fn both(policies: &[NetworkPolicy]) -> [BTreeSet<Dial>; 2] {
    [Reading::Widest, Reading::Narrowest].map(|reading| open(policies, reading))
}

/// Changes one policy, chosen by chance.
fn changed(
    policies: &[NetworkPolicy],
    at: Index,
    change: impl Fn(&mut NetworkPolicySpec),
) -> Vec<NetworkPolicy> {
    let mut changed = policies.to_vec();
    if !changed.is_empty() {
        let one = at.get_mut(&mut changed);
        change(one.spec.as_mut().expect("there is one"));
    }
    changed
}

/// Has a policy say for which directions it is, as the API server does when it stores one.
fn stored(spec: &mut NetworkPolicySpec) {
    if spec.policy_types.as_ref().is_none_or(Vec::is_empty) {
        let egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
        let types = if egress { vec!["Ingress", "Egress"] } else { vec!["Ingress"] };
        spec.policy_types = Some(types.into_iter().map(str::to_owned).collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_oracle_agrees(policies in policies()) {
        let [widest, narrowest] = both(&policies);
        prop_assert_eq!(widest, passing(&policies, true));
        prop_assert_eq!(narrowest, passing(&policies, false));
    }

    #[test]
    fn what_is_certainly_open_may_be_open(policies in policies()) {
        let [widest, narrowest] = both(&policies);
        prop_assert!(narrowest.is_subset(&widest));
    }

    #[test]
    fn how_the_api_server_stores_a_policy_changes_nothing(policies in policies(), at in any::<Index>()) {
        prop_assert_eq!(both(&changed(&policies, at, stored)), both(&policies));
    }

    #[test]
    fn one_more_rule_never_shuts_and_one_less_never_opens(
        policies in policies(),
        others in policies(),
        at in any::<Index>(),
        from in any::<Index>(),
    ) {
        let before = changed(&policies, at, stored);
        let more = others.iter().filter_map(|policy| policy.spec.clone()).collect::<Vec<_>>();
        prop_assume!(!more.is_empty() && !before.is_empty());
        let given = from.get(&more);
        let after = changed(&before, at, |spec| {
            spec.ingress.get_or_insert_default().extend(given.ingress.iter().flatten().cloned());
            spec.egress.get_or_insert_default().extend(given.egress.iter().flatten().cloned());
        });
        for (less, more) in both(&before).iter().zip(&both(&after)) {
            prop_assert!(less.is_subset(more));
        }
    }

    #[test]
    fn one_more_policy_without_rules_never_opens(policies in policies(), at in any::<Index>()) {
        let deny = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
        let more = [policies.clone(), vec![policy(NAMESPACES[at.index(3)], "deny", &deny)]].concat();
        for (with, without) in both(&more).iter().zip(&both(&policies)) {
            prop_assert!(with.is_subset(without));
        }
    }

    #[test]
    fn the_order_of_policies_says_nothing(policies in policies()) {
        let reversed: Vec<_> = policies.iter().rev().cloned().collect();
        prop_assert_eq!(both(&policies), both(&reversed));
    }

    #[test]
    fn a_policy_says_nothing_of_those_who_arent_of_its_namespace(policies in policies(), at in any::<Index>()) {
        let space = NAMESPACES[at.index(3)];
        let of_others: Vec<NetworkPolicy> =
            policies.iter().filter(|policy| policy.metadata.namespace.as_deref() != Some(space)).cloned().collect();
        let is_there = |number: usize| matches!(&ends()[number], End::Pod(pod) if pod.namespace == space);
        let elsewhere = |mut open: BTreeSet<Dial>| {
            open.retain(|(from, to, _, _)| !is_there(*from) && !is_there(*to));
            open
        };
        prop_assert_eq!(both(&policies).map(elsewhere), both(&of_others).map(elsewhere));
    }
}
