//! What is told of CAs.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;

use super::count::count;
use super::view::View;
use super::{Asked, tell};
use crate::api::stage::Stage;
use crate::cli::moment::Watch;
use crate::pki::testing::at_once;
use crate::pki::{Authority, Lifetime, SpiffeId, issue};
use crate::signer::ca::{Action, Chest, Ledger, Need, Owner, Phase, Slot};

fn now() -> Timestamp {
    "2026-12-01T12:00:00Z".parse().expect("a moment")
}

struct Kept {
    chest: Chest,
    ledger: Ledger,
    authority: Authority,
}

fn kept() -> Kept {
    let owner = Owner {
        namespace: "risk-data".to_owned(),
        contract: "fraud-scoring".to_owned(),
        stage: Stage::Sandbox,
    };
    let need = Need { ttl: SignedDuration::from_hours(1), until: now() + SignedDuration::from_hours(10_000) };
    let lifetime = Lifetime::of_authority(now(), need.ttl, now() + SignedDuration::from_hours(24 * 90));
    let id = SpiffeId::of_trust_domain("comity.local").expect("a trust domain");
    let authority = at_once(Authority::create(&id, &owner.common_name(1), lifetime)).expect("an authority");
    let ledger = Ledger::first(owner, need, authority.anchor().clone(), Slot::First, now());
    Kept { chest: Chest::of("uid", Stage::Sandbox), ledger, authority }
}

fn text(view: &View) -> String {
    let watch = Watch { now: now(), zone: TimeZone::UTC };
    tell::page(std::slice::from_ref(view), None, &watch).text(false)
}

#[test]
fn it_says_which_one_signs_until_when_and_what_comes_next() {
    let Kept { chest, ledger, .. } = kept();
    let told = text(&View::of(&chest, &ledger, None, now()));
    for words in [
        "Sandbox of fraud-scoring in risk-data",
        "CA 1       signs, valid until 2027-03-01",
        "nothing that it signed lives after 2026-12-01 13:30:00 UTC",
        "next       2027-01-15 12:29:30 UTC (in 45 days): the next CA is made and published",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn what_lives_is_counted_for_each_and_a_refusal_is_told() {
    let Kept { chest, ledger, authority } = kept();
    let id = "spiffe://comity.local/partner/p/grant/n/g/sandbox/0a0b0c0d/scorer";
    let id = SpiffeId::workload(id).expect("an identity");
    let leaf =
        |ttl| at_once(issue(&authority, &id, now(), ttl, now() + ttl)).expect("a certificate").certificate;
    let (long, short) = (leaf(SignedDuration::from_hours(1)), leaf(SignedDuration::from_mins(1)));
    let published = |data: Vec<(&str, String)>| ConfigMap {
        data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>()),
        ..ConfigMap::default()
    };
    let stages = [
        published(vec![
            ("ca.crt", authority.anchor().pem().to_owned()),
            ("scorer.crt", long),
            ("trainer.crt", short),
        ]),
        published(vec![
            ("refused", format!("Secret comity-ca-{chest} is gone")),
            ("junk.crt", "junk".to_owned()),
        ]),
    ];
    let later = now() + SignedDuration::from_mins(2);
    let all = [(chest.clone(), ledger.clone())];
    let counts = count(&stages, &all, later);
    assert_eq!(counts.of(&chest, 1), 1);
    assert_eq!(counts.of(&chest, 2), 0);
    let view = View::of(&chest, &ledger, Some(&counts), later);
    let told = text(&view);
    assert!(told.contains("1 certificate in a Secret lives that it signed"), "{told}");
    assert!(told.contains("refused: Secret comity-ca-"), "{told}");
    let json = serde_json::to_value(&view).expect("JSON");
    assert_eq!((&json["signs"], &json["stage"]), (&1.into(), &"Sandbox".into()));
    assert_eq!(json["authorities"][0]["liveInSecrets"], 1);
    assert_eq!(json["authorities"][0]["isPublished"], true);
}

#[test]
fn while_one_takes_over_both_are_told_and_when_nothing_signs_that_is_said_first() {
    let Kept { chest, ledger, .. } = kept();
    let mut both = ledger.clone();
    let mut next = ledger.authorities[0].clone();
    (next.number, next.phase, next.issued_until) = (2, Phase::Prepared, None);
    both.authorities.push(next);
    let told = text(&View::of(&chest, &both, None, now()));
    assert!(told.contains("is published, and signs nothing yet") && told.contains("CA 2 signs"), "{told}");
    both.authorities[0].phase = Phase::Tainted;
    let told = text(&View::of(&chest, &both, None, now()));
    assert!(told.contains("nothing signs") && told.contains("was given up"), "{told}");
    assert!(told.contains("CA 1 is taken out of what is published"), "{told}");
}

#[test]
fn before_an_order_it_is_said_what_breaks() {
    let Kept { chest, ledger, .. } = kept();
    for (action, words) in [
        (Action::Retire { number: 1, now: true }, "is refused until it has another"),
        (Action::Activate { now: true }, "refuses until then"),
        (Action::Taint { number: None }, "nothing is signed until then"),
    ] {
        let (system, contract) = ("comity-system".to_owned(), "fraud-scoring".to_owned());
        let asked = Asked { system, contract, stage: Stage::Sandbox, action };
        let told = super::conduct::preview(&chest, &ledger, &asked, now()).text(false);
        assert!(told.contains(words), "{told}");
    }
}
