//! The roles of people who ask, decide and watch, for the platform to hand out. None of them is
//! Comity's own, none aggregates into a built-in role, and no two sides of a decision are in one.

use serde_json::Value;

use super::{Grant, READ, cluster_role, may};
use crate::generate::admission::cel::{AUTHORITIES_RESOURCE, CONSENT_GROUP, ROTATE_VERB};

/// All kinds, to read.
const EVERYTHING: Grant = may(
    READ,
    "comity.dev",
    &[
        "sharingboundaries",
        "partners",
        "datasets",
        "sharingcontracts",
        "partnergrants",
        "grantdecisions",
        "grantrecords",
        "rehearsalreports",
        "stagepolicies",
    ],
);
/// What a digest is made of beside Comity's kinds: whoever approves one can work it out.
const SERVED: Grant = may(READ, "", &["services"]);
const HOME: Grant = may(&["get"], "", &["namespaces"]);
/// What is told while something goes on, as how far a rehearsal is. Who may only look is bound in every namespace, so it
/// isn't theirs.
const EVENTS: Grant = may(READ, "", &["events"]);
/// Writing decisions down. What is decided takes the verb of the action beside it.
const DECIDE: Grant = may(&["create"], "comity.dev", &["grantdecisions"]);

/// Verbs of decisions about grants.
const fn consent(verbs: &'static [&'static str]) -> Grant {
    may(verbs, CONSENT_GROUP, &["partnergrants"])
}

/// Each role: its name, and its rules. The verb of `Countersign` is in none: it is the partner's side.
pub const ROLES: &[(&str, &[Grant])] = &[
    ("comity:viewer", &[EVERYTHING, SERVED, HOME]),
    (
        "comity:requester",
        &[
            EVERYTHING,
            SERVED,
            HOME,
            EVENTS,
            may(&["create", "update", "patch", "delete"], "comity.dev", &["partnergrants"]),
            DECIDE,
            consent(&["sponsor", "rehearse", "enrol"]),
        ],
    ),
    (
        "comity:approver",
        &[EVERYTHING, SERVED, HOME, EVENTS, DECIDE, consent(&["approve", "deny", "extend", "rehearse"])],
    ),
    (
        "comity:reviewer",
        &[EVERYTHING, SERVED, HOME, EVENTS, DECIDE, consent(&["attest", "shorten", "expire", "rehearse"])],
    ),
    (
        "comity:responder",
        &[EVERYTHING, SERVED, HOME, DECIDE, consent(&["quarantine", "release", "shorten", "expire"])],
    ),
];

/// The role of those who look after CAs, for a RoleBinding in the namespace that Comity runs in.
pub const CUSTODIAN: &str = "comity:custodian";

/// They say what is to be done with a CA, and see what came of it. Keys they can't read.
const OF_A_CUSTODIAN: &[Grant] = &[
    may(&["get", "list", "watch", "create"], "", &["configmaps"]),
    may(&[ROTATE_VERB], CONSENT_GROUP, &[AUTHORITIES_RESOURCE]),
];

/// Every ClusterRole.
pub fn objects() -> Vec<Value> {
    let roles = ROLES.iter().map(|(name, rules)| cluster_role(name, rules));
    roles.chain([cluster_role(CUSTODIAN, OF_A_CUSTODIAN)]).collect()
}
