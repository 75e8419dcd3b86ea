//! The policy, check by check, and what holds whatever is asked and whatever stands.

use proptest::prelude::*;
use rcgen::{KeyPair, PublicKeyData as _};

use super::*;
use crate::pki::spiffe::SpiffeId;
use crate::pki::{Authority, certify, testing};

fn now() -> Timestamp {
    testing::now()
}

fn wish() -> Wish {
    let key = KeyPair::generate().unwrap().subject_public_key_info();
    Wish {
        key: RequestedKey::of_public_key(&key),
        annotations: Vec::new(),
        pod: Named { name: "scorer".to_owned(), uid: "pod".to_owned() },
        account: Named { name: "workload-scorer".to_owned(), uid: "account".to_owned() },
        node: "node".to_owned(),
        longest: SignedDuration::from_hours(24),
    }
}

fn standing() -> Standing {
    Standing {
        stage: Some(Stage {
            phase: Phase::Open,
            doubt: None,
            delivers: true,
            enrols: false,
            accounts: vec!["workload-scorer".to_owned()],
            ttl: SignedDuration::from_hours(6),
            end: now() + SignedDuration::from_hours(48),
        }),
        pod: Some(Pod {
            uid: "pod".to_owned(),
            account: "workload-scorer".to_owned(),
            node: "node".to_owned(),
            has_started: false,
            is_over: false,
        }),
        account: Some("account".to_owned()),
    }
}

fn started(mut standing: Standing) -> Standing {
    standing.pod.as_mut().unwrap().has_started = true;
    standing
}

fn word(decision: &Decision) -> String {
    match decision {
        Decision::Issue { why, .. } => why.word().to_owned(),
        Decision::Deny(denial) => denial.word().to_owned(),
        Decision::Wait(delay, _) => format!("waits: {delay}"),
    }
}

#[test]
fn a_workload_of_an_open_stage_gets_one() {
    assert_eq!(word(&decide(&wish(), &standing(), now())), "First");
    assert_eq!(word(&decide(&wish(), &started(standing()), now())), "Refresh");
    assert_eq!(glance(&wish(), standing().stage.as_ref(), now()), None, "it takes a live read");
}

#[test]
fn a_new_pod_is_refused_in_words_and_one_that_runs_keeps_what_it_has() {
    type Change = fn(&mut Standing);
    let changes: [(&str, Change); 12] = [
        ("StageOver", |standing| standing.stage.as_mut().unwrap().phase = Phase::Over),
        ("StageOver", |standing| standing.stage.as_mut().unwrap().end = now()),
        ("KeyDeliveryNotAllowed", |standing| standing.stage.as_mut().unwrap().delivers = false),
        ("NotAWorkload", |standing| standing.stage.as_mut().unwrap().accounts.clear()),
        ("NotThisNode", |standing| standing.pod.as_mut().unwrap().node = "another".to_owned()),
        ("NotThisNode", |standing| standing.pod.as_mut().unwrap().node.clear()),
        ("PodOver", |standing| standing.pod.as_mut().unwrap().is_over = true),
        ("NotThisServiceAccount", |standing| {
            standing.pod.as_mut().unwrap().account = "another".to_owned();
        }),
        ("NotThisServiceAccount", |standing| standing.account = Some("made again".to_owned())),
        ("NotThisServiceAccount", |standing| standing.account = None),
        ("CredentialTTLTooShort", |standing| {
            standing.stage.as_mut().unwrap().ttl = SignedDuration::from_mins(119);
        }),
        ("TooCloseToTheEnd", |standing| {
            standing.stage.as_mut().unwrap().end = now() + SignedDuration::from_mins(59);
        }),
    ];
    for (expected, change) in changes {
        let mut other = standing();
        change(&mut other);
        let denied = decide(&wish(), &other, now());
        assert_eq!(word(&denied), expected);
        let Decision::Deny(denial) = denied else { panic!() };
        assert!(denial.to_string().split(' ').count() > 4, "a sentence: {denial}");
        let kept = decide(&wish(), &started(other), now());
        assert_eq!(kept, Decision::Wait(Delay::Keeps(denial), later(now())), "{expected}");
    }
}

#[test]
fn a_node_that_doesnt_say_which_it_is_gets_nothing_although_the_pod_has_none_either() {
    let mut unbound = standing();
    unbound.pod.as_mut().unwrap().node.clear();
    let nameless = Wish { node: String::new(), ..wish() };
    assert_eq!(word(&decide(&nameless, &unbound, now())), "NotThisNode");
}

#[test]
fn what_is_nobodys_stage_and_nobodys_pod_is_refused() {
    let nowhere = Standing { stage: None, ..standing() };
    assert_eq!(word(&decide(&wish(), &nowhere, now())), "NotInAStage");
    let runs = Standing { stage: None, ..started(standing()) };
    let left = decide(&wish(), &runs, now());
    assert!(matches!(left, Decision::Wait(Delay::Keeps(Denial::NoStage), _)), "its chain works: {left:?}");
    let mut other = started(standing());
    other.pod.as_mut().unwrap().uid = "made again".to_owned();
    for standing in [other, Standing { pod: None, ..standing() }] {
        assert_eq!(word(&decide(&wish(), &standing, now())), "NotThisPod");
    }
}

#[test]
fn what_the_wish_says_is_refused_whatever_stands() {
    let unknown = vec!["evil.example/spiffe-id".to_owned()];
    let annotated = Wish { annotations: unknown, ..wish() };
    let keyless = Wish { key: Err(KeyRefusal::Missing), ..wish() };
    for standing in [standing(), started(standing()), Standing { stage: None, ..standing() }] {
        assert_eq!(word(&decide(&annotated, &standing, now())), "InvalidUnverifiedUserAnnotations");
        assert_eq!(word(&decide(&keyless, &standing, now())), "UnsupportedKeyType");
    }
    let endless = Wish { annotations: vec!["x\n".repeat(500)], ..wish() };
    let Decision::Deny(denial) = decide(&endless, &standing(), now()) else { panic!() };
    assert!(denial.to_string().len() < 300 && !denial.to_string().contains('\n'), "{denial}");
}

#[test]
fn while_access_is_held_or_the_journal_doubted_nobody_is_refused_for_what_stands() {
    for has_started in [false, true] {
        let mut held = standing();
        held.pod.as_mut().unwrap().has_started = has_started;
        let mut doubted = held.clone();
        held.stage.as_mut().unwrap().phase = Phase::Held;
        doubted.stage.as_mut().unwrap().doubt = Some("record 3 says what nobody decided".to_owned());
        assert!(word(&decide(&wish(), &held, now())).starts_with("waits: access is held"));
        assert!(word(&decide(&wish(), &doubted, now())).starts_with("waits: record 3"));
    }
}

#[test]
fn with_little_time_left_it_lasts_until_the_end_and_ordinarily_an_hour_less_than_it_may() {
    let lasts = |left: SignedDuration, longest: i64| {
        let mut standing = standing();
        standing.stage.as_mut().unwrap().end = now() + left;
        let wish = Wish { longest: SignedDuration::from_secs(longest), ..wish() };
        match decide(&wish, &standing, now()) {
            Decision::Issue { lifetime, .. } => lifetime.not_after().duration_since(now()).as_secs(),
            other => panic!("{other:?}"),
        }
    };
    let hour = SignedDuration::from_hours(1);
    // What is said is in whole seconds, and `now` isn't.
    assert_eq!(lasts(hour * 48, 86_400), 5 * 3_600 - 1);
    assert_eq!(lasts(hour * 6, 86_400), 5 * 3_600 - 1);
    assert_eq!(lasts(hour * 6 - SignedDuration::from_secs(1), 86_400), 6 * 3_600 - 2);
    assert_eq!(lasts(hour, 86_400), 3_600 - 1);
    assert_eq!(lasts(hour * 48, 3_600), 3_600 - 61, "as short as the pod asks for");
}

/// Any instant, any length of time.
fn moment() -> impl Strategy<Value = Timestamp> {
    (1_600_000_000_000_i64..4_000_000_000_000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
}

fn standings() -> impl Strategy<Value = (Standing, Timestamp)> {
    let phases = prop_oneof![8 => Just(Phase::Open), 1 => Just(Phase::Held), 1 => Just(Phase::Over)];
    let times = (moment(), 0_i64..400_000, prop_oneof![-9_000_i64..90_000, 0_i64..9_000_000]);
    let facts = (prop::bool::weighted(0.9), prop::bool::weighted(0.9), any::<bool>());
    (phases, times, facts).prop_map(|(phase, (now, ttl, left), (delivers, is_same, has_started))| {
        let mut standing = standing();
        let stage = standing.stage.as_mut().unwrap();
        (stage.phase, stage.delivers) = (phase, delivers);
        (stage.ttl, stage.end) = (SignedDuration::from_secs(ttl), now + SignedDuration::from_secs(left));
        standing.pod.as_mut().unwrap().has_started = has_started;
        standing.account = is_same.then(|| "account".to_owned());
        (standing, now)
    })
}

proptest! {
    #[test]
    fn whatever_stands_no_certificate_breaks_a_rule(
        (standing, now) in standings(), longest in 3_600_i64..7_862_400,
        name in "[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?",
    ) {
        let wish = Wish { longest: SignedDuration::from_secs(longest), ..wish() };
        let stage = standing.stage.clone().unwrap();
        let has_started = standing.pod.as_ref().unwrap().has_started;
        match decide(&wish, &standing, now) {
            Decision::Issue { key, lifetime, .. } => {
                prop_assert!(stage.phase == Phase::Open && stage.delivers);
                prop_assert!(lifetime.not_after() <= stage.end);
                prop_assert!(lifetime.not_after() <= now + stage.ttl, "never longer than a credential lives");
                prop_assert!(lifetime.length() >= SignedDuration::from_hours(1));
                prop_assert!(lifetime.length() <= wish.longest);
                prop_assert!(now.duration_since(lifetime.not_before()) <= SignedDuration::from_secs(61));
                let left = stage.end.duration_since(lifetime.not_after());
                let is_cut = lifetime.length() > wish.longest - SignedDuration::from_secs(1);
                let renewable = left < SignedDuration::from_secs(1) || left >= SignedDuration::from_hours(1);
                prop_assert!(renewable || is_cut, "the next one can be had before this one ends");
                says_what_it_must(&key, lifetime, &stage, &name)?;
            }
            Decision::Deny(denial) => prop_assert!(!has_started, "{denial}"),
            Decision::Wait(_, until) => prop_assert!(until > now),
        }
    }

    #[test]
    fn no_annotation_makes_it_stumble(name in ".{0,200}") {
        let wish = Wish { annotations: vec![name], ..wish() };
        let denied = matches!(decide(&wish, &standing(), now()), Decision::Deny(Denial::Annotation(_)));
        prop_assert!(denied);
    }
}

/// The certificate that is made of it keeps the rules of the API server and of SPIFFE.
fn says_what_it_must(
    key: &RequestedKey,
    lifetime: Lifetime,
    stage: &Stage,
    name: &str,
) -> Result<(), TestCaseError> {
    let authority = {
        let id = SpiffeId::of_trust_domain("comity.local").unwrap();
        let own = Lifetime::of_authority(
            lifetime.not_before() + SignedDuration::from_secs(60),
            stage.ttl,
            stage.end,
        );
        testing::at_once(Authority::create(&id, "property", own)).unwrap()
    };
    let id =
        SpiffeId::workload(&format!("spiffe://comity.local/partner/p/grant/n/g/sandbox/0/{name}")).unwrap();
    let leaf = testing::at_once(certify(&authority, &id, key, lifetime)).unwrap().leaf;
    prop_assert_eq!(leaf.lifetime(), lifetime);
    prop_assert_eq!(SpiffeId::workload(leaf.id().as_str()), Ok(id));
    let refresh = lifetime.refresh(leaf.id().as_str(), leaf.serial(), stage.end);
    let margin = SignedDuration::from_mins(10);
    prop_assert!(lifetime.not_before() + margin <= refresh && refresh <= lifetime.not_after() - margin);
    Ok(())
}
