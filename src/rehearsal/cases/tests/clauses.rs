//! Of every clause of a contract there is a case that has to succeed and one that has to be refused, each of which
//! something can execute; or it is said here why there can't be.

use std::collections::BTreeMap;

use super::*;
use crate::api::name;
use crate::grant::build::Installation;
use crate::rehearsal::case::Observed;
use crate::rehearsal::cases::certificates::{self, Published};
use crate::rehearsal::cases::checks::{self, Checked};
use crate::rehearsal::cases::network::{Passage, Rehearsed, expected};
use crate::testing::schema::{covers, of_contracts};

/// What there is no case of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lacks {
    /// What has to succeed.
    Success,
    /// What has to be refused.
    Refusal,
    /// Neither.
    Both,
}
use Lacks::{Both, Refusal, Success};

const GATE: &str =
    "it is about each request, and needs the gate in front of the dataset, which isn't built yet";
const PAPER: &str = "it is written down for people: nothing in a cluster can succeed or be refused by it";
const LATER: &str =
    "it says what becomes of a stage as time goes on: what decides that is tried by the tests of grants";
const DRASTIC: &str = "to try it would be to do it, and access would be closed";

/// The clauses that no case tries, and why none can.
const LACKING: [(&str, Lacks, &str); 34] = [
    ("framework", Both, PAPER),
    ("legal", Both, PAPER),
    ("prohibitions", Both, PAPER),
    (
        "partners",
        Both,
        "who isn't named has no grant that is accepted, and so nothing that could be rehearsed",
    ),
    ("dataScope.datasets.version", Both, GATE),
    ("dataScope.datasets.fields", Both, GATE),
    ("dataScope.datasets.rows", Both, GATE),
    ("dataScope.datasets.artifacts", Both, GATE),
    ("dataScope.prohibited", Both, GATE),
    ("operations.name", Both, GATE),
    ("operations.actors", Both, GATE),
    ("operations.limits", Both, GATE),
    ("models", Both, GATE),
    ("time.windows", Both, GATE),
    ("security.logging", Both, GATE),
    ("anomaly", Both, GATE),
    ("time.notBefore", Both, "nothing is open before, and what isn't open isn't rehearsed"),
    (
        "time.notAfter",
        Both,
        "no stage is open after; that certificates end with their stage is tried as security.credentialTTL",
    ),
    ("time.retention", Both, "what is deleted at the partner's side can't be seen from here"),
    (
        "destination.regions",
        Both,
        "nothing holds it but node labels, which are tried as destination.compute.nodeSelector",
    ),
    ("destination.egress", Success, "nothing outside is reached before production"),
    (
        "security.requiredControls",
        Refusal,
        "a control that has run out closes access, and what is closed isn't rehearsed",
    ),
    ("security.authentication", Both, "needs the access proxy, which isn't built yet"),
    ("security.encryptionKeys", Both, "it can't be seen from here"),
    ("stages.soak", Both, LATER),
    ("stages.afterPromotion", Both, LATER),
    ("stages.overlap", Both, LATER),
    (
        "approvals",
        Both,
        "nobody may act as those who approve; that the partner's people can't is tried as grant.people",
    ),
    ("rehearsal.require", Both, "it says what is done with what comes out"),
    ("rehearsal.cases", Both, GATE),
    ("rehearsal.probe", Both, "it says who dials; each dial is a case of the clause that it tries"),
    ("reviews", Both, LATER),
    ("quarantine", Both, DRASTIC),
    ("narrowing", Both, DRASTIC),
];

/// Clauses of which what has to succeed is a case of another one: what keeps all of them at once.
const TOGETHER: [(&str, &str); 6] = [
    ("destination.compute.runtimeClassName", "pod-conforms-as-scorer"),
    ("destination.compute.nodeSelector", "pod-conforms-as-scorer"),
    ("destination.compute.imageReference", "pod-conforms-as-scorer"),
    ("security.podSecurity", "pod-conforms-as-scorer"),
    ("stages.quota", "pod-conforms-as-scorer"),
    ("stages.maxDuration", "object-job"),
];

/// What tries something, of all cases of the story: clause, name, and whether it has to succeed.
fn tried() -> Vec<(&'static str, String, bool)> {
    let world = World::story();
    let cases = on(&world, Vec::new(), |ground| {
        let key = name::trust_key("scorer");
        let anything = || "what it is worth isn't asked here".to_owned();
        let published = Published {
            here: [(key, anything()), ("ca.crt".to_owned(), anything())].into(),
            elsewhere: BTreeMap::new(),
            trust_domain: "comity.local",
            digest: "v1:sha256:00",
            grant_uid: "uid",
            end: world.now,
            now: world.now,
        };
        let checked =
            Checked { partner: &world.partner, behind: BTreeMap::new(), login: None, now: world.now };
        let mut cases = ground.cases();
        cases.extend(certificates::cases(ground, &published));
        cases.extend(checks::cases(ground, &checked));
        cases.extend(connections(ground));
        cases
    });
    let executed = cases.into_iter().filter(|case| !matches!(case.attempt, Attempt::Nothing(_)));
    executed.map(|case| (case.clause, case.name, case.expected == Expected::Allowed)).collect()
}

/// The connections that are judged.
fn connections(ground: &Ground<'_>) -> Vec<Case> {
    let world = World::story();
    let (agreed, ingress) = (world.agreed(), ["transactions".to_owned()].into());
    let others: Vec<(Stage, &EffectivePolicy)> =
        agreed.stages.iter().map(|(stage, terms)| (*stage, &terms.policy)).collect();
    let installation = Installation { dns_namespace: "kube-system".to_owned(), ..Installation::default() };
    let rehearsed = Rehearsed {
        stage: Stage::Rehearsal,
        namespace: ground.namespace,
        policy: ground.policy,
        others: &others,
        grant_namespace: ground.grant_namespace,
        ingress: &ingress,
        installation: &installation,
    };
    let case = |one: network::Expected| Case {
        name: one.name,
        clause: one.clause,
        tried: String::new(),
        attempt: Attempt::Seen(Observed::Allowed),
        expected: if one.expect == Passage::Open { Expected::Allowed } else { Expected::Refused("") },
    };
    expected(&rehearsed).into_iter().map(case).collect()
}

#[test]
fn every_clause_of_a_contract_is_tried_both_ways_or_it_is_said_why_not() {
    let (tried, leaves) = (tried(), of_contracts());
    let is_tried = |leaf: &str, succeeds: bool| {
        let by_itself = tried.iter().any(|(clause, _, side)| *side == succeeds && covers(clause, leaf));
        by_itself || succeeds && TOGETHER.iter().any(|(clause, _)| covers(clause, leaf))
    };
    let is_lacking = |leaf: &str, side: Lacks| {
        LACKING.iter().any(|(clause, lacks, _)| covers(clause, leaf) && (*lacks == side || *lacks == Both))
    };
    for leaf in &leaves {
        for (succeeds, side) in [(true, Success), (false, Refusal)] {
            let (tried, lacking) = (is_tried(leaf, succeeds), is_lacking(leaf, side));
            assert!(tried || lacking, "no case of {leaf}, and no reason why: {side:?}");
            assert!(!(tried && lacking), "{leaf} is tried, and is said not to be: {side:?}");
        }
    }
    for clause in LACKING.iter().map(|(clause, ..)| clause).chain(TOGETHER.iter().map(|(clause, _)| clause)) {
        assert!(leaves.iter().any(|leaf| covers(clause, leaf)), "no contract says {clause}");
    }
}

#[test]
fn what_succeeds_together_is_a_case_that_has_to() {
    let tried = tried();
    for (clause, name) in TOGETHER {
        let there = tried.iter().any(|(_, case, succeeds)| case == name && *succeeds);
        assert!(there, "{clause}: no case {name}");
        let alone = tried.iter().any(|(tried, _, succeeds)| *succeeds && *tried == clause);
        assert!(!alone, "{clause} has a case of its own");
    }
}
