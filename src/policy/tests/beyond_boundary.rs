//! Each way in which a contract can be beyond the boundary is refused, with both sides.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::testing::{World, another, labels};
use crate::api::Stage;
use crate::api::boundary::{Dns, NamespaceScope, PodSecurity};
use crate::api::condition::Reason;
use crate::api::value::Cidr;

#[test]
fn a_namespace_without_a_boundary_shares_nothing() {
    let mut world = World::story();
    world.namespace_labels.clear();
    world.refused(Reason::NoBoundary, &["namespace risk-data", "no SharingBoundary selects it"]);
    let mut world = World::story();
    world.boundary().spec.namespaces = NamespaceScope::default();
    world.refused(Reason::NoBoundary, &["spec.namespaces"]);
}

#[test]
fn a_stage_that_the_boundary_does_not_name_is_refused() {
    let mut world = World::story();
    world.boundary().spec.ceilings.stages.retain(|ceiling| ceiling.stage != Stage::Production);
    world.refused(
        Reason::BeyondBoundary,
        &[
            "stages[Production]",
            "the contract fraud-scoring offers Production",
            "partners-default has no ceiling",
        ],
    );
}

#[test]
fn a_stage_longer_than_the_boundary_allows_is_refused() {
    let mut world = World::story();
    world.contract.spec.stages[2].max_duration = "2161h".into();
    world.refused(
        Reason::BeyondBoundary,
        &["stages[Production].maxDuration", "fraud-scoring gives 2161h", "partners-default at most 2160h"],
    );
}

#[test]
fn a_quota_above_the_boundary_is_refused() {
    let mut world = World::story();
    let quota = world.contract.spec.stages[0].quota.as_mut().expect("a quota");
    quota.hard.insert("requests.memory".to_owned(), Quantity("17Gi".to_owned()));
    world.refused(
        Reason::BeyondBoundary,
        &["stages[Sandbox].quota.hard[requests.memory]", "gives 17Gi", "partners-default at most 16Gi"],
    );
}

#[test]
fn a_quota_that_no_resource_quota_could_hold_is_refused() {
    for (resource, amount, fault) in [
        ("gpus", "1", "a quota knows no such resource"),
        ("count/../secrets", "1", "a quota knows no such resource"),
        ("-x.example/gpu", "1", "a quota knows no such resource"),
        ("pods", "1500m", "there is no fraction of that"),
        ("requests.example.com/gpu", "0.5", "there is no fraction of that"),
    ] {
        let mut world = World::story();
        let quota = world.contract.spec.stages[0].quota.as_mut().expect("a quota");
        quota.hard.insert(resource.to_owned(), Quantity(amount.to_owned()));
        let given = format!("the contract fraud-scoring gives {amount} of {resource}");
        world.refused(Reason::Invalid, &["stages[Sandbox].quota.hard", &given, fault]);
    }
    for (resource, amount) in [
        ("requests.cpu", "1500m"),
        ("requests.example.com/gpu", "2"),
        ("count/deployments.apps", "8"),
        ("hugepages-2Mi", "1Gi"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "10Gi"),
    ] {
        let mut world = World::story();
        let quota = world.contract.spec.stages[0].quota.as_mut().expect("a quota");
        quota.hard.insert(resource.to_owned(), Quantity(amount.to_owned()));
        world.agreed();
    }
}

#[test]
fn a_quota_that_cannot_be_read_is_refused() {
    let mut world = World::story();
    let quota = world.contract.spec.stages[0].quota.as_mut().expect("a quota");
    quota.hard.insert("ephemeral-storage".to_owned(), Quantity("some".to_owned()));
    let parts = ["quota.hard[ephemeral-storage]", "gives some", "no such limit"];
    world.refused(Reason::BeyondBoundary, &parts);
}

#[test]
fn of_what_a_boundary_does_not_name_the_default_is_the_most() {
    let asks = |resource: &str, amount: &str| {
        let mut world = World::story();
        let quota = world.contract.spec.stages[0].quota.as_mut().expect("a quota");
        quota.hard.insert(resource.to_owned(), Quantity(amount.to_owned()));
        world
    };
    for (resource, amount, default) in
        [("services", "9", "8"), ("count/services", "9", "8"), ("limits.cpu", "9", "8"), ("cpu", "9", "8")]
    {
        let gives = format!("gives {amount}, but the boundary partners-default at most {default}");
        asks(resource, amount).refused(Reason::BeyondBoundary, &[&format!("quota.hard[{resource}]"), &gives]);
        asks(resource, default).agreed();
    }
    let mut world = asks("services", "9");
    world.refused(Reason::BeyondBoundary, &["at most 8, the default of what it doesn't name"]);
    let mut other = world.boundaries[0].clone();
    other.metadata.name = Some("wider".to_owned());
    let hard = &mut other.spec.ceilings.stages[0].quota.hard;
    hard.insert("services".to_owned(), Quantity("9".to_owned()));
    world.boundaries.push(other);
    world.refused(Reason::BeyondBoundary, &["the boundary partners-default at most 8"]);
    world.boundaries.remove(0);
    assert_eq!(world.agreed().stages[&Stage::Sandbox].policy.quota.hard["services"].0, "9");
}

#[test]
fn no_contract_and_no_boundary_gives_a_port_on_a_node() {
    let mut world = World::story();
    let nodeports = |world: &World| {
        world.agreed().stages[&Stage::Sandbox].policy.quota.hard["services.nodeports"].clone()
    };
    assert_eq!(nodeports(&world).0, "0");
    let hard = &mut world.boundary().spec.ceilings.stages[0].quota.hard;
    hard.insert("services.nodeports".to_owned(), Quantity("5".to_owned()));
    assert_eq!(nodeports(&world).0, "0");
    let quota = world.contract.spec.stages[0].quota.as_mut().expect("a quota");
    quota.hard.insert("services.nodeports".to_owned(), Quantity("1".to_owned()));
    world.refused(Reason::BeyondBoundary, &["services.nodeports", "gives 1", "at most 0"]);
}

#[test]
fn a_boundary_that_cannot_be_read_allows_nothing() {
    let mut world = World::story();
    world.boundary().spec.ceilings.stages[2]
        .quota
        .hard
        .insert("pods".to_owned(), Quantity("many".to_owned()));
    let problems = world.resolve().expect_err("nothing is within it");
    assert!(problems.iter().any(|problem| problem.message.contains("can't be read")), "{problems:#?}");
}

#[test]
fn credentials_that_live_longer_than_the_boundary_allows_are_refused() {
    let mut world = World::story();
    world.contract.spec.security.credential_ttl = Some("241m".into());
    world.refused(
        Reason::BeyondBoundary,
        &["security.credentialTTL", "fraud-scoring asks for 241m", "partners-default allows at most 4h"],
    );
}

#[test]
fn weaker_pod_security_than_the_boundary_asks_for_is_refused() {
    let mut world = World::story();
    world.contract.spec.security.pod_security = PodSecurity::Baseline;
    world.refused(
        Reason::BeyondBoundary,
        &["security.podSecurity", "asks for Baseline", "for at least Restricted", "set it to Restricted"],
    );
}

#[test]
fn egress_to_where_the_boundary_does_not_reach_is_refused() {
    for outside in ["192.0.0.0/16", "198.51.100.0/28", "2001:db8::/64", "192.0.2.1/28", "nowhere"] {
        let mut world = World::story();
        world.contract.spec.destination.egress[0].cidr = Cidr(outside.to_owned());
        world.refused(
            Reason::BeyondBoundary,
            &[&format!("destination.egress[{outside}]"), outside, "partners-default", "192.0.2.0/24"],
        );
    }
}

#[test]
fn dns_is_refused_where_the_boundary_allows_none() {
    let mut world = World::story();
    world.boundary().spec.ceilings.egress.dns = Dns::None;
    world.refused(
        Reason::BeyondBoundary,
        &["destination.dns", "asks for Cluster", "partners-default allows None"],
    );
}

#[test]
fn images_from_beside_the_allowed_registry_are_refused() {
    let mut world = World::story();
    world.contract.spec.destination.compute.registries = vec!["registry.retail.example/partners-evil".into()];
    world.refused(
        Reason::BeyondBoundary,
        &[
            "destination.compute.registries[registry.retail.example/partners-evil]",
            "partners-default allows only what is inside of: registry.retail.example/partners",
        ],
    );
}

#[test]
fn a_runtime_class_that_the_boundary_does_not_name_is_refused() {
    let mut world = World::story();
    world.contract.spec.destination.compute.runtime_class_name = Some("runc".into());
    world.refused(
        Reason::BeyondBoundary,
        &["destination.compute.runtimeClassName", "asks for runc", "partners-default allows only: kata-cc"],
    );
}

#[test]
fn fewer_approvals_than_the_boundary_asks_for_are_refused() {
    let mut world = World::story();
    world.contract.spec.approvals[0].required = 1;
    world.refused(
        Reason::BeyondBoundary,
        &["approvals[Production].required", "fraud-scoring asks for 1", "partners-default for at least 2"],
    );
    let mut world = World::story();
    world.contract.spec.approvals[0].groups.retain(|group| group.name.as_str() != "security");
    world.refused(
        Reason::BeyondBoundary,
        &["approvals[Production].groups[security].atLeast", "asks for 0", "for at least 1"],
    );
    let mut world = World::story();
    world.contract.spec.approvals.clear();
    let problems = world.resolve().expect_err("no approvals at all");
    assert_eq!(problems.len(), 2, "people and group: {problems:#?}");
}

#[test]
fn approvals_of_a_stage_that_the_contract_does_not_offer_are_not_asked_for() {
    let mut world = World::story();
    world.grant.spec.stage = Stage::Sandbox;
    world.grant.spec.stages.retain(|request| request.stage != Stage::Production);
    world.contract.spec.stages.retain(|rule| rule.stage != Stage::Production);
    world.contract.spec.approvals.clear();
    world.agreed();
}

#[test]
fn fewer_reviews_than_the_boundary_asks_for_are_refused() {
    let mut world = World::story();
    world.contract.spec.reviews.as_mut().expect("reviews").every = "2161h".into();
    world.refused(
        Reason::BeyondBoundary,
        &[
            "reviews.every",
            "fraud-scoring asks for one every 2161h",
            "partners-default for one at least every 2160h",
        ],
    );
    world.contract.spec.reviews = None;
    world.refused(Reason::BeyondBoundary, &["reviews.every", "asks for none"]);
}

#[test]
fn every_boundary_that_selects_the_namespace_counts() {
    let mut world = World::story();
    let mut other = world.boundaries[0].clone();
    other.metadata.name = Some("stricter".to_owned());
    other.spec.ceilings.stages[0].max_duration = "300h".into();
    world.boundaries.push(other);
    world.refused(
        Reason::BeyondBoundary,
        &["stages[Sandbox].maxDuration", "the boundary stricter at most 300h"],
    );
    world.boundaries[1].spec.namespaces.selector.as_mut().expect("a selector").match_labels =
        labels(&[("elsewhere", "true")]);
    world.agreed();
}

#[test]
fn no_more_grants_are_live_than_the_boundary_allows_and_the_elder_stay() {
    let mut world = World::story();
    let mut elder = another("aaa", "2026-11-01T00:00:00Z");
    elder.purpose = "model-quality".to_owned();
    world.others = vec![elder.clone()];
    world.boundary().spec.ceilings.live_grants.as_mut().expect("limits").per_namespace = Some(1);
    world.refused(
        Reason::TooManyGrants,
        &["liveGrants.perNamespace", "1 elder grants in this namespace", "partners-default allows at most 1"],
    );
    world.others[0].namespace = "elsewhere".to_owned();
    world.agreed();
    world.boundary().spec.ceilings.live_grants.as_mut().expect("limits").per_partner = Some(1);
    world.refused(Reason::TooManyGrants, &["liveGrants.perPartner", "1 elder grants for this partner"]);
    world.others[0].requested =
        world.now.checked_add(jiff::SignedDuration::from_secs(1)).expect("a second later");
    world.agreed();
}
