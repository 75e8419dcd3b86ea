//! Every way of breaking a promise that the checker knows, and what only looks like one.

use comity::api::{Stage, name};
use jiff::SignedDuration;
use serde_json::json;

use super::super::super::cast::Person::{Ada, Ben, Flux, Kim, Olga, Per};
use super::super::super::ground::{Contract, Ground};
use super::super::super::history::{Deed, Kind};
use super::super::super::step::Process;
use super::telling::{DIGEST, GRANT, STORY, Telling, place};

/// The promise, words of what is found, and how it comes about.
type Broken = (&'static str, &'static str, fn(&mut Telling));

/// Longer than Comity may take.
const LONG: SignedDuration = SignedDuration::from_secs(15);

/// Opens everything up to production, to which these have agreed.
fn agreed_by(told: &mut Telling, agree: impl FnOnce(&mut Telling)) {
    told.sandbox();
    told.open(Stage::Rehearsal, 600);
    agree(told);
    told.open(Stage::Production, 600);
}

pub const BROKEN: [Broken; 50] = [
    ("P1", "no record says until when", |told| told.gate(&place(Stage::Sandbox), "Closed", json!({}))),
    ("P1", "its time is over", |told| {
        told.open(Stage::Sandbox, 20);
        told.pass(SignedDuration::from_secs(35));
    }),
    ("P1", "and it was", |told| {
        told.sandbox();
        told.shut(&place(Stage::Sandbox), false);
        told.line("Suspended", json!({"stage": "Sandbox", "digest": DIGEST}));
        let mut again = told.opened(Stage::Sandbox, 600);
        again["expiresAt"] = json!(told.end(660));
        told.line("Opened", again);
    }),
    ("P1", "may end at", |told| drop(told.open(Stage::Sandbox, 700))),
    ("P1", "the status says", |told| {
        told.sandbox();
        let shown = json!([{"namespace": place(Stage::Sandbox), "expiresAt": told.end(900)}]);
        told.stands(
            Kind::PartnerGrant,
            json!({"metadata": {"name": "g", "namespace": STORY, "uid": GRANT},
            "spec": told.wish.grant(STORY, "g", "fraud-detection")["spec"], "status": {"openings": shown}}),
        );
    }),
    ("P1", "of which nothing is recorded", |told| told.certify("comity-g-sandbox-00000000", 60)),
    ("P2", "when it was issued", |told| {
        let place = told.sandbox();
        told.certify(&place, 700);
    }),
    ("P3", "only [(\"olga", |told| agreed_by(told, |told| told.approve(Olga, "security"))),
    ("P3", "without {\"ada", |told| {
        agreed_by(told, |told| {
            told.approve(Ada, "security");
            told.approve(Per, "data-owners");
        });
    }),
    ("P3", "without {\"ada@retail.example\", \"ben", |told| {
        agreed_by(told, |told| {
            told.approve(Olga, "security");
            told.approve(Ben, "data-owners");
        });
    }),
    ("P3", "opens with Rule", |told| {
        agreed_by(told, |told| {
            told.approve(Kim, "security");
            told.approve(Kim, "data-owners");
        });
    }),
    ("P3", "opens with Rule", |told| {
        agreed_by(told, |told| {
            told.approve(Olga, "security");
            told.approve(Kim, "security");
        });
    }),
    ("P3", "opens with Rule", |told| {
        agreed_by(told, |told| {
            // Olga isn't one of the owners.
            told.approve(Olga, "data-owners");
            told.approve(Per, "security");
        });
    }),
    ("P3", "opens with Rule", |told| {
        agreed_by(told, |told| {
            told.approve(Olga, "security");
            let old = json!({"stage": "Production", "digest": "v1:sha256:old", "onBehalfOf": "data-owners"});
            told.decide_and_take(Per, "Approve", old, "Approved");
        });
    }),
    ("P3", "opens with Rule", |told| {
        agreed_by(told, |told| {
            told.approve(Olga, "security");
            told.approve(Flux, "security");
        });
    }),
    ("P3", "opens with Rule", |told| {
        told.wish.seconds = [9000; 3];
        told.apply(1);
        agreed_by(told, |told| {
            told.approve(Olga, "security");
            told.approve(Per, "data-owners");
            // An approval of this contract counts for an hour.
            told.pass(SignedDuration::from_secs(3700));
        });
    }),
    ("P3", "nobody decided it", |told| {
        told.line("Approved", json!({"stage": "Production", "digest": DIGEST}));
    }),
    ("P3", "nobody saw", |told| {
        let decision = json!({"name": "x", "uid": "x", "by": "olga@retail.example"});
        told.line("Approved", json!({"stage": "Production", "digest": DIGEST, "decision": decision}));
    }),
    ("P3", "says that per", |told| {
        let uid = told.decide(
            Olga,
            "Approve",
            json!({"stage": "Production", "digest": DIGEST, "onBehalfOf": "security"}),
        );
        let decision = json!({"name": uid, "uid": uid, "by": "per@retail.example"});
        told.line("Approved", json!({"stage": "Production", "digest": DIGEST, "decision": decision}));
    }),
    ("P3", "isn't what was decided", |told| {
        let uid = told.decide(Olga, "Deny", json!({"stage": "Production", "digest": DIGEST}));
        let decision = json!({"name": uid, "uid": uid, "by": "olga@retail.example"});
        told.line("Approved", json!({"stage": "Production", "digest": DIGEST, "decision": decision}));
    }),
    ("P3", "somebody refused just that", |told| {
        told.decide_and_take(Olga, "Deny", json!({"stage": "Sandbox", "digest": DIGEST}), "Denied");
        told.sandbox();
    }),
    ("P3", "somebody ended the grant", |told| {
        told.sandbox();
        told.decide_and_take(Olga, "Expire", json!({}), "Shortened");
        told.open(Stage::Rehearsal, 600);
    }),
    ("P3", "nobody sponsors it", |told| {
        told.did(Deed::Wrote { uid: GRANT.to_owned(), generation: 1, who: Flux.name(STORY) });
        told.production();
    }),
    ("P3", "releases", |told| {
        told.decide_and_take(Olga, "Quarantine", json!({}), "Quarantined");
        told.decide_and_take(Olga, "Release", json!({}), "Released");
    }),
    ("P3", "never was", |told| drop(told.open(Stage::Rehearsal, 600))),
    ("P3", "olga@retail.example has quarantined it", |told| {
        told.sandbox();
        told.decide(Olga, "Quarantine", json!({}));
        told.pass(LONG);
    }),
    ("P3", "decided that it is over", |told| {
        told.sandbox();
        told.pass(LONG);
        told.decide(Olga, "Expire", json!({"stage": "Sandbox"}));
        told.pass(LONG);
    }),
    ("P1 no end moves later", "only [(\"olga", |told| {
        told.production();
        told.extend(Olga, "security", 700);
        let end = told.end(700);
        told.line("Extended", json!({"stage": "Production", "digest": DIGEST, "expiresAt": end}));
    }),
    ("P1 no end moves later", "only []", |told| {
        told.production();
        told.extend(Olga, "security", 700);
        told.extend(Per, "data-owners", 700);
        let end = json!({"stage": "Production", "expiresAt": told.end(300)});
        told.decide_and_take(Olga, "Shorten", end, "Shortened");
        // What they said was about the end that stood then.
        let end = told.end(700);
        told.line("Extended", json!({"stage": "Production", "digest": DIGEST, "expiresAt": end}));
    }),
    ("P1 no end moves later", "only []", |told| {
        told.production();
        let wish = json!({"stage": "Production", "digest": DIGEST, "onBehalfOf": "security", "expiresAt": told.end(700)});
        let uid = told.decide(Olga, "Extend", wish.clone());
        let sooner = json!({"stage": "Production", "expiresAt": told.end(300)});
        told.decide_and_take(Per, "Shorten", sooner, "Shortened");
        // It was decided before, and is written down after.
        let mut late = wish;
        late["decision"] = json!({"name": uid, "uid": uid, "by": Olga.name(STORY)});
        told.line("Approved", late);
        let end = told.end(700);
        told.line("Extended", json!({"stage": "Production", "digest": DIGEST, "expiresAt": end}));
    }),
    ("P3", "kim@retail.example has quarantined it", |told| {
        told.sandbox();
        told.decide(Olga, "Quarantine", json!({}));
        told.decide(Per, "Release", json!({}));
        told.decide(Kim, "Quarantine", json!({}));
        told.pass(LONG);
    }),
    ("P4 nothing wider than what was agreed", "192.0.2.17", |told| {
        let place = told.production();
        let to = json!([{"ipBlock": {"cidr": "192.0.2.0/27"}}]);
        told.path(
            &place,
            name::ALLOW_DESTINATIONS,
            json!([{"to": to, "ports": [{"port": 443, "protocol": "TCP"}]}]),
        );
    }),
    ("P4 nothing wider than what was agreed", "role auditor", |told| {
        let place = told.sandbox();
        told.bind(&place, "auditor");
    }),
    ("P4 nothing wider than what stands", "192.0.2.17", |told| {
        let mut opened = told.opened(Stage::Sandbox, 600);
        told.line("Opened", opened.clone());
        told.open(Stage::Rehearsal, 600);
        opened = told.opened(Stage::Production, 600);
        opened["policy"]["destination"]["egress"][0]["cidr"] = json!("192.0.2.0/27");
        told.line("Opened", opened);
    }),
    ("P4 narrowing", "isn't allowed any more: [\"DNS\"]", |told| {
        told.sandbox();
        told.rewrite(Ground::Contract(Contract::WithoutDns), Ben);
        told.pass(LONG);
    }),
    ("P4 narrowing", "pods instead of 5", |told| {
        told.sandbox();
        told.rewrite(Ground::Contract(Contract::FewerPods), Ben);
        told.pass(LONG);
    }),
    ("P4 narrowing", "there is no contract", |told| {
        told.sandbox();
        told.gone(Kind::SharingContract, STORY, "fraud-scoring", "uid-SharingContract");
        told.pass(LONG);
    }),
    ("P4 narrowing", "it is suspended", |told| {
        told.sandbox();
        told.wish.suspend = true;
        told.apply(2);
        told.pass(LONG);
    }),
    ("P5", "comes too early", |told| {
        let opened = told.opened(Stage::Sandbox, 600);
        told.line("Opened", opened);
        told.gate(&place(Stage::Sandbox), "Closed", json!({}));
        told.bind(&place(Stage::Sandbox), "model-engineer");
    }),
    ("P5", "opens too early", |told| {
        let opened = told.opened(Stage::Sandbox, 600);
        told.line("Opened", opened);
        told.gate(&place(Stage::Sandbox), "Closed", json!({}));
        told.confine(&place(Stage::Sandbox), Stage::Sandbox);
        told.gate(&place(Stage::Sandbox), "Open", json!({}));
    }),
    ("P5", "while people are bound", |told| {
        let place = told.sandbox();
        told.gate(&place, "Closed", json!({}));
    }),
    ("P5", "goes before its namespace", |told| {
        let place = told.sandbox();
        told.gone(Kind::NetworkPolicy, &place, name::DEFAULT_DENY, "");
    }),
    ("P6", "comes after the end", |told| {
        told.line("Ended", json!({"reason": "NothingLeft"}));
        told.sandbox();
    }),
    ("P6", "closed for good", |told| {
        told.sandbox();
        told.close(Stage::Sandbox, "Expired");
        told.sandbox();
    }),
    ("P6", "nobody deleted it", |told| told.gone(Kind::PartnerGrant, STORY, "g", GRANT)),
    ("P9", "is gone", |told| told.gone(Kind::GrantRecord, STORY, &format!("{GRANT}-000001"), "x")),
    ("P9", "has changed", |told| {
        let metadata = json!({"name": format!("{GRANT}-000001"), "namespace": STORY});
        told.stands(Kind::GrantRecord, json!({"metadata": metadata, "spec": {"event": "Approved"}}));
    }),
    ("P9", "doesn't hold the digest", |told| {
        told.forget_the_last_line();
        told.sandbox();
    }),
    ("P9", "comes after line 1", |told| {
        told.leave_out_a_line();
        told.sandbox();
    }),
    ("P9", "is older", |told| {
        told.sandbox();
        told.pass(SignedDuration::from_secs(-5));
        told.line("Resumed", json!({"stage": "Sandbox", "digest": DIGEST}));
    }),
];

/// Why it isn't broken, and how it comes about.
type Excused = (&'static str, fn(&mut Telling));

/// What only looks like a promise that is broken.
pub const EXCUSED: [Excused; 4] = [
    ("nobody works, so nobody can close it", |told| {
        told.did(Deed::Works(Process::Run, false));
        told.open(Stage::Sandbox, 20);
        told.pass(SignedDuration::from_secs(300));
    }),
    ("what has just come back has time to look", |told| {
        told.open(Stage::Sandbox, 20);
        told.did(Deed::Works(Process::Run, false));
        told.pass(SignedDuration::from_secs(300));
        told.did(Deed::Works(Process::Run, true));
        told.pass(SignedDuration::from_secs(4));
    }),
    ("it is narrowed just now", |told| {
        told.sandbox();
        told.rewrite(Ground::Contract(Contract::WithoutDns), Ben);
        told.pass(SignedDuration::from_secs(4));
    }),
    ("somebody else deleted it", |told| {
        let place = told.sandbox();
        told.did(Deed::Meddled { namespace: place.clone() });
        told.gone(Kind::NetworkPolicy, &place, name::DEFAULT_DENY, "");
    }),
];
