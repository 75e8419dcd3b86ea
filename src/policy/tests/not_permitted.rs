//! What the partner, the datasets and their Services stand against.

use super::super::resolve::resolve;
use super::super::testing::{World, instant, labels};
use crate::api::boundary::{LabelMatch, NamespaceChoice, NamespaceScope};
use crate::api::condition::Reason;
use crate::api::contract::{Artifact, OperationName};
use crate::api::dataset::DataKind;

#[test]
fn what_does_not_exist_is_named() {
    let world = World::story();
    let mut operands = world.operands();
    operands.contract = None;
    operands.partner = None;
    let problems = resolve(&operands, world.now).expect_err("both are missing");
    let reasons: Vec<Reason> = problems.iter().map(|problem| problem.reason).collect();
    assert_eq!(reasons, [Reason::UnknownContract, Reason::UnknownPartner]);
    assert!(problems[0].message.contains("there is no contract fraud-scoring in this namespace"));
    assert!(problems[1].message.contains("there is no partner northpay"));
}

#[test]
fn a_partner_that_the_contract_does_not_name_is_refused() {
    let mut world = World::story();
    world.contract.spec.partners = vec!["southpay".into()];
    world.refused(
        Reason::PartnerNotAllowed,
        &["partners", "the grant is for northpay", "the contract fraud-scoring is only for: southpay"],
    );
    world.contract.spec.partners.clear();
    world.refused(Reason::PartnerNotAllowed, &["only for: none"]);
}

#[test]
fn a_partner_that_does_not_let_the_namespace_in_is_refused() {
    let selector = |pairs| NamespaceScope {
        from: NamespaceChoice::Selector,
        names: Vec::new(),
        selector: Some(LabelMatch { match_labels: labels(pairs) }),
    };
    let names = |name: &str| NamespaceScope { names: vec![name.into()], ..NamespaceScope::default() };
    for (scope, lets_in) in [
        (None, "lets in only no namespace"),
        (Some(names("other")), "lets in only the namespaces other"),
        (Some(selector(&[("team", "risk")])), "lets in only namespaces labelled team=risk"),
    ] {
        let mut world = World::story();
        world.partner.spec.allowed_namespaces = scope;
        world.refused(
            Reason::PartnerNotAllowed,
            &["this is the namespace risk-data", "the partner northpay", lets_in],
        );
    }
    for scope in [selector(&[("comity.dev/shares", "true")]), names("risk-data")] {
        let mut world = World::story();
        world.partner.spec.allowed_namespaces = Some(scope);
        world.agreed();
    }
}

#[test]
fn a_control_that_was_not_shown_or_is_out_of_date_is_refused() {
    let mut world = World::story();
    world.partner.spec.controls.retain(|control| control.name.as_str() != "iso27001");
    world.refused(
        Reason::ControlMissing,
        &[
            "security.requiredControls[iso27001]",
            "fraud-scoring requires iso27001",
            "northpay hasn't shown it",
        ],
    );
    let mut world = World::story();
    world.partner.spec.controls[1].valid_until.0 = world.now;
    world.refused(
        Reason::ControlMissing,
        &[
            "requires encryption-at-rest",
            "northpay has shown counted until 2026-12-01T00:00:00Z",
            "current evidence",
        ],
    );
}

#[test]
fn the_first_required_control_to_end_says_when_to_look_again() {
    let mut world = World::story();
    world.partner.spec.controls[1].valid_until.0 = instant("2027-01-31T00:00:00Z");
    let mut extra = world.partner.spec.controls[0].clone();
    extra.name = "not-required".into();
    extra.valid_until.0 = instant("2026-12-02T00:00:00Z");
    world.partner.spec.controls.push(extra);
    assert_eq!(world.agreed().review_at, Some(instant("2027-01-31T00:00:00Z")));
    world.contract.spec.security.required_controls.clear();
    assert_eq!(world.agreed().review_at, None);
}

#[test]
fn an_unknown_dataset_or_version_is_refused() {
    let mut world = World::story();
    world.contract.spec.data_scope.datasets[0].version = "2026-11".into();
    world.refused(
        Reason::UnknownDataset,
        &[
            "dataScope.datasets[transactions].version",
            "shares version 2026-11",
            "transactions has only: 2026-10",
        ],
    );
    world.datasets.clear();
    world.refused(
        Reason::UnknownDataset,
        &["dataScope.datasets[transactions]", "fraud-scoring shares transactions", "no dataset transactions"],
    );
}

#[test]
fn an_unknown_field_is_refused() {
    let mut world = World::story();
    world.contract.spec.data_scope.datasets[0].fields.push("iban".into());
    world.refused(
        Reason::NotPermitted,
        &["dataScope.datasets[transactions].fields", "shares iban", "the dataset transactions doesn't have"],
    );
}

#[test]
fn a_field_that_no_contract_can_open_is_refused() {
    let mut world = World::story();
    world.contract.spec.data_scope.prohibited = None;
    world.contract.spec.data_scope.datasets[0].fields.push("pan".into());
    world.refused(
        Reason::NotPermitted,
        &["dataScope.datasets[transactions].fields", "shares pan", "transactions prohibits sharing of"],
    );
}

#[test]
fn ten_thousand_unknown_fields_make_a_short_message() {
    let mut world = World::story();
    let fields = &mut world.contract.spec.data_scope.datasets[0].fields;
    fields.extend((0..10_000).map(|number| format!("field-{number}").as_str().into()));
    world.refused(Reason::NotPermitted, &["field-0, field-1", "and 9992 more"]);
    let message = world.resolve().expect_err("refused").remove(0).message;
    assert!(message.len() < 1024, "{} bytes", message.len());
}

#[test]
fn an_artifact_that_the_contract_itself_prohibits_is_refused() {
    let mut world = World::story();
    world.contract.spec.data_scope.datasets[0].artifacts.push(Artifact::RawRows);
    world.refused(
        Reason::NotPermitted,
        &["dataScope.datasets[transactions].artifacts", "allows RawRows", "prohibits it too"],
    );
}

#[test]
fn a_purpose_or_operation_that_the_owner_does_not_permit_is_refused() {
    let mut world = World::story();
    world.contract.spec.purposes.push("marketing".into());
    world.refused(
        Reason::NotPermitted,
        &["purposes", "fraud-scoring is for marketing", "permits only: fraud-detection, model-quality"],
    );
    let mut world = World::story();
    world.contract.spec.operations[0].name = OperationName::Train;
    world.grant.spec.operations = vec![OperationName::Train];
    world.grant.spec.workloads[0].operations = vec![OperationName::Train];
    world.refused(
        Reason::NotPermitted,
        &[
            "operations",
            "fraud-scoring is for Train",
            "transactions permits only: Infer, ExtractFeatures, Embed",
        ],
    );
}

#[test]
fn keeping_data_for_longer_than_its_owner_permits_is_refused() {
    let mut world = World::story();
    world.contract.spec.time.retention.inputs = Some("721h".into());
    world.refused(
        Reason::NotPermitted,
        &["time.retention.inputs", "keeps them for 721h", "transactions may be kept for at most 720h"],
    );
    let mut world = World::story();
    world.contract.spec.time.retention.artifacts = Some("721h".into());
    world.refused(Reason::NotPermitted, &["time.retention.artifacts"]);
}

#[test]
fn a_service_that_cannot_be_named_is_refused() {
    let mut world = World::story();
    world.services.remove("tx-masked");
    world.refused(
        Reason::EndpointUnusable,
        &[
            "datasets[transactions].endpoints[Rehearsal].service",
            "port 8443 of the Service tx-masked",
            "doesn't exist",
        ],
    );
    let mut world = World::story();
    world.services.get_mut("tx-masked").expect("known").selector.clear();
    world.refused(Reason::EndpointUnusable, &["tx-masked", "has no selector"]);
    let mut world = World::story();
    let many = (0..40).map(|number| (format!("label-{number}"), String::new()));
    world.services.get_mut("tx-masked").expect("known").selector.extend(many);
    world.refused(Reason::EndpointUnusable, &["tx-masked", "selects by more than 32 labels"]);
    let mut world = World::story();
    world.services.get_mut("tx-masked").expect("known").targets.clear();
    world.refused(Reason::EndpointUnusable, &["tx-masked", "doesn't have that port"]);
}

#[test]
fn a_sandbox_whose_pods_may_be_productions_is_refused() {
    let production = World::story().services["tx-features"].selector.clone();
    let mut broader = production.clone();
    broader.remove("app.kubernetes.io/name");
    let mut narrower = production.clone();
    narrower.insert("tier".to_owned(), "gold".to_owned());
    for selector in [production, broader.clone(), narrower, labels(&[("unrelated", "yes")])] {
        let mut world = World::story();
        world.services.get_mut("tx-synthetic").expect("known").selector = selector.clone();
        let problems = world.resolve().expect_err("the sandbox may reach real data");
        let told = problems.iter().any(|problem| {
            problem.reason == Reason::EndpointUnusable
                && problem.message.contains("tx-synthetic of transactions at Sandbox")
                && problem
                    .message
                    .contains("tx-features of transactions at Production may select the same pods")
        });
        assert!(told, "{selector:?}: {problems:#?}");
    }
}

#[test]
fn masked_data_may_be_served_by_the_same_pods_at_rehearsal_and_production() {
    let mut world = World::story();
    let masked = world.services["tx-masked"].clone();
    world.services.insert("tx-features".to_owned(), masked);
    let problems = world.resolve().expect_err("real data at rehearsal");
    assert!(problems[0].message.contains("tx-masked of transactions at Rehearsal"), "{problems:#?}");
    world.dataset().spec.endpoints[2].data = DataKind::Masked;
    world.agreed();
}

#[test]
fn a_stage_that_nothing_serves_has_no_path_and_is_no_problem() {
    let mut world = World::story();
    world.dataset().spec.endpoints.clear();
    let agreed = world.agreed();
    assert!(agreed.stages.values().all(|terms| terms.policy.datasets[0].endpoint.is_none()));
}
