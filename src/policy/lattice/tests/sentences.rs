//! What people are told of a change.

use serde_json::{Value, json};

use super::super::{Change, Comparison, diff_boundaries, diff_contracts, diff_datasets, diff_partners, meet};
use crate::api::Stage;
use crate::policy::testing::World;

fn told(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The story's contract with some values changed, by pointer; null takes one out.
fn changed<T: serde::Serialize + serde::de::DeserializeOwned>(spec: &T, edits: &[(&str, Value)]) -> T {
    let mut value = serde_json::to_value(spec).expect("JSON");
    for (pointer, new) in edits {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let parent = value.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {pointer}"));
        match (parent, new) {
            (Value::Object(fields), Value::Null) => drop(fields.remove(&name.replace("~1", "/"))),
            (Value::Object(fields), new) => drop(fields.insert(name.replace("~1", "/"), new.clone())),
            (Value::Array(items), new) => items[name.parse::<usize>().expect("an index")] = new.clone(),
            _ => panic!("nothing at {pointer}"),
        }
    }
    serde_json::from_value(value).expect("a spec")
}

#[test]
fn changes_of_a_contract_are_sentences() {
    let old = World::story().contract.spec;
    let new = changed(
        &old,
        &[
            ("/framework/title", json!("Data Processing Agreement 2027-001")),
            ("/partners", json!(["northpay", "southpay"])),
            ("/dataScope/datasets/0/fields", json!(["amount_band", "merchant_category"])),
            ("/dataScope/datasets/0/rows/segments", Value::Null),
            ("/dataScope/prohibited/artifacts", json!([])),
            ("/operations/0/limits/requestsPerMinute", json!(900)),
            ("/operations/0/limits/minimumGroupSize", json!(50)),
            ("/operations/0/limits/concurrency", Value::Null),
            ("/prohibitions", json!(["ThirdPartySharing", "ReIdentification", "DerivedTraining", "Linkage"])),
            ("/models/0/evaluations/0/atMost", json!("0.5")),
            ("/time/notAfter", json!("2030-10-31T00:00:00Z")),
            ("/time/windows/0/from", json!("05:00")),
            ("/time/retention/inputs", json!("1440m")),
            ("/destination/egress/0/cidr", json!("192.0.2.0/27")),
            ("/destination/egress/0/reason", Value::Null),
            ("/destination/compute/runtimeClassName", json!("gvisor")),
            ("/destination/compute/registries", json!(["registry.retail.example/partners/northpay"])),
            ("/security/requiredControls", json!(["iso27001"])),
            ("/security/credentialTTL", Value::Null),
            ("/security/authentication/contexts", json!(["mfa", "hwk"])),
            ("/stages/1/soak", json!("12h")),
            ("/stages/2/quota/hard/pods", json!("30")),
            ("/approvals/0/required", json!(1)),
            ("/approvals/0/pendingFor", json!("24h")),
            ("/approvals/0/groups", json!([{"name": "data-owners", "atLeast": 1}])),
            ("/reviews", Value::Null),
            ("/quarantine/pods", json!("Delete")),
            ("/narrowing/pods", json!("Delete")),
        ],
    );
    let changes = diff_contracts(&old, &new);
    insta::assert_snapshot!(told(&changes));
    assert_eq!(Comparison::of_all(&changes), Comparison::Both);
}

#[test]
fn changes_of_a_boundary_are_sentences() {
    let world = World::story();
    let boundary = changed(
        &world.boundaries[0].spec,
        &[
            ("/namespaces", json!({"from": "All"})),
            ("/ceilings/stages/2/quota/hard", json!({"pods": "50"})),
            ("/ceilings/egress/cidrs", json!(["192.0.2.0/25", "2001:db8::/64"])),
            ("/ceilings/podSecurity", json!("Baseline")),
            ("/ceilings/liveGrants/perPartner", Value::Null),
            ("/floors/approvals/0/groups", json!([{"name": "security", "atLeast": 2}])),
        ],
    );
    insta::assert_snapshot!(told(&diff_boundaries(&world.boundaries[0].spec, &boundary)));
}

#[test]
fn changes_of_datasets_and_partners_are_sentences() {
    let world = World::story();
    let dataset = changed(
        &world.datasets[0].spec,
        &[
            ("/owner/contact", Value::Null),
            ("/permitted/operations", json!(["Infer"])),
            ("/fields/3/sharing", json!("Permitted")),
            ("/retention/max", json!("24h")),
            ("/endpoints/1/service/name", json!("tx-other")),
        ],
    );
    let partner = changed(
        &world.partner.spec,
        &[
            ("/organisation/legalName", json!("Northpay Holding AB")),
            ("/identity/oidc/audiences", json!(["comity", "other"])),
            (
                "/identity/trustBundle",
                json!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            ),
            ("/contacts/security", json!("cert@northpay.example")),
            ("/controls/0/validUntil", json!("2027-01-31T00:00:00Z")),
            ("/allowedNamespaces", json!({"from": "All"})),
        ],
    );
    let all = [
        told(&diff_datasets(&world.datasets[0].spec, &dataset)),
        told(&diff_partners(&world.partner.spec, &partner)),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn many_networks_are_named_in_part() {
    let world = World::story();
    let (old, new) = (["0.0.0.0/0"], ["203.0.113.7/32"]);
    let of =
        |cidrs: [&str; 1]| changed(&world.boundaries[0].spec, &[("/ceilings/egress/cidrs", json!(cidrs))]);
    let changes = diff_boundaries(&of(old), &of(new));
    assert_eq!(changes.len(), 9);
    assert_eq!(changes[8].to_string(), "egress to 24 more networks: removed");
    assert_eq!(Comparison::of_all(&changes), Comparison::Narrower);
}

/// The story of DESIGN: a contract is narrowed here and widened there under a live grant, which
/// gets what both versions allow.
#[test]
fn a_live_grant_gets_the_meet() {
    let mut world = World::story();
    let approved = world.agreed().stages[&Stage::Production].policy.clone();
    world.contract.spec = changed(
        &world.contract.spec,
        &[
            ("/dataScope/datasets/0/fields", json!(["amount_band"])),
            ("/operations/0/limits/requestsPerMinute", json!(900)),
            ("/security/credentialTTL", json!("1h")),
            ("/time/windows/0/timeZone", json!("Europe/London")),
        ],
    );
    let standing = world.agreed().stages[&Stage::Production].policy.clone();
    let live = meet(Some(&approved), Some(&standing)).expect("something is left");
    assert_eq!(live.datasets[0].fields, ["amount_band".into()]);
    let limits = live.operations[0].limits.as_ref().expect("limits");
    assert_eq!(limits.requests_per_minute, Some(600), "what is wider waits");
    assert_eq!(live.security.credential_ttl, Some("1h".into()));
    let further = live.further.expect("two zones have no single form");
    assert_eq!((live.time.windows.len(), further.schedules.len()), (1, 1));
}
