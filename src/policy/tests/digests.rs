//! The digest changes with everything that means something, and with nothing else.

use serde_json::{Value, json};

use super::super::digest::{digest, record_digest, report_digest};
use super::super::testing::{World, labels};
use super::leaves::{Variant, permuted, schema, variants};
use crate::api::effective::TargetPort;
use crate::api::record::{
    GrantIdentity, GrantRecordSpec, RecordEvent, RevisedKind, Revision, TakenDecision, TakenReport,
};
use crate::api::report::{Counts, RehearsalReportSpec};
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract, Stage};

fn digest_of(world: &World) -> Option<String> {
    let boundaries: Vec<&SharingBoundary> = world.boundaries.iter().collect();
    digest(&world.operands(), &boundaries)
}

/// The digest of the story after `change`.
fn after(change: impl FnOnce(&mut World)) -> Option<String> {
    let mut world = World::story();
    change(&mut world);
    digest_of(&world)
}

fn spec(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("a spec is JSON")
}

fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_else(|error| panic!("{error} in {value}"))
}

/// Every variant of one kind's spec, and the digest that the story then has.
fn digests<K: kube::CustomResourceExt>(
    spec: &Value,
    put: impl Fn(&mut World, Value),
) -> Vec<(String, Option<String>)> {
    let digest = |variant: Variant| (variant.path, after(|world| put(world, variant.spec)));
    variants(&schema::<K>(), spec).into_iter().map(digest).collect()
}

#[test]
fn it_has_its_published_form() {
    let digest = digest_of(&World::story()).expect("nothing is missing");
    let hexadecimal = digest.strip_prefix("v1:sha256:").expect("version and algorithm");
    assert_eq!(hexadecimal.len(), 64);
    assert!(hexadecimal.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')));
    assert_eq!(World::story().agreed().digest, digest, "an agreement carries it");
}

#[test]
fn every_value_of_a_grant_counts_but_how_far_it_is_to_go_now_and_whether_to_pause() {
    let base = digest_of(&World::story());
    let mut grant = spec(&World::story().grant.spec);
    grant["suspend"] = json!(false);
    let all = digests::<PartnerGrant>(&grant, |world, spec| world.grant.spec = typed(&spec));
    assert!(all.len() > 15, "the story says much: {}", all.len());
    for (path, digest) in all {
        let counts = !matches!(path.as_str(), "/stage" | "/suspend");
        assert_eq!(digest != base, counts, "{path}");
    }
}

#[test]
fn every_value_of_a_contract_counts() {
    let base = digest_of(&World::story());
    let contract = spec(&World::story().contract.spec);
    let all = digests::<SharingContract>(&contract, |world, spec| world.contract.spec = typed(&spec));
    assert!(all.len() > 80, "the story says much: {}", all.len());
    for (path, digest) in all {
        assert_ne!(digest, base, "{path}");
    }
}

#[test]
fn of_a_partner_only_the_identity_counts() {
    let base = digest_of(&World::story());
    let partner = spec(&World::story().partner.spec);
    let all = digests::<Partner>(&partner, |world, spec| world.partner.spec = typed(&spec));
    for (path, digest) in all {
        assert_eq!(digest != base, path.starts_with("/identity/"), "{path}");
    }
    assert_ne!(after(|world| world.partner.spec.identity = None), base);
}

#[test]
fn every_value_of_a_dataset_counts_but_versions_that_the_contract_does_not_name() {
    let base = digest_of(&World::story());
    let dataset = spec(&World::story().datasets[0].spec);
    let all = digests::<Dataset>(&dataset, |world, spec| world.dataset().spec = typed(&spec));
    for (path, digest) in all {
        assert_ne!(digest, base, "{path}");
    }
    let with_another = after(|world| {
        let mut version = world.datasets[0].spec.versions[0].clone();
        version.name = "2026-11".into();
        world.dataset().spec.versions.insert(0, version);
    });
    assert_eq!(with_another, base);
}

#[test]
fn every_value_of_a_boundary_counts_and_every_boundary() {
    let base = digest_of(&World::story());
    let boundary = spec(&World::story().boundaries[0].spec);
    let all = digests::<SharingBoundary>(&boundary, |world, spec| world.boundary().spec = typed(&spec));
    assert!(all.len() > 25, "the story says much: {}", all.len());
    for (path, digest) in all {
        assert_ne!(digest, base, "{path}");
    }
    let mut two = World::story();
    two.boundaries.push(two.boundaries[0].clone());
    two.boundary().spec.ceilings.credential_ttl = "3h".into();
    assert_ne!(digest_of(&two), base);
    let one_way = digest_of(&two);
    two.boundaries.reverse();
    assert_eq!(digest_of(&two), one_way, "in whichever order");
}

#[test]
fn selectors_and_target_ports_of_the_datasets_services_count_and_nothing_else_of_them() {
    let base = digest_of(&World::story());
    let service = |world: &mut World| world.services.get_mut("tx-masked").expect("known").clone();
    let put = |world: &mut World, service| world.services.insert("tx-masked".to_owned(), service);
    let repointed = after(|world| {
        let mut facts = service(world);
        facts.selector.insert("tier".to_owned(), "gold".to_owned());
        put(world, facts);
    });
    assert_ne!(repointed, base, "selector");
    let moved = after(|world| {
        let mut facts = service(world);
        facts.targets.insert(8443, TargetPort { number: Some(9443), ..TargetPort::default() });
        put(world, facts);
    });
    assert_ne!(moved, base, "target port");
    assert_ne!(after(|world| drop(world.services.remove("tx-masked"))), base, "existence");
    let more = after(|world| {
        let mut facts = service(world);
        facts.targets.insert(9090, TargetPort { number: Some(9090), ..TargetPort::default() });
        put(world, facts);
        let unrelated = service(world);
        world.services.insert("unrelated".to_owned(), unrelated);
    });
    assert_eq!(more, base, "ports and Services that no dataset names");
}

#[test]
fn nothing_but_specs_and_services_counts() {
    let changed = after(|world| {
        world.grant.metadata.uid = Some("another".to_owned());
        world.grant.metadata.labels = Some(labels(&[("a", "b")]));
        world.contract.metadata.uid = Some("another".to_owned());
        world.boundary().metadata.name = Some("renamed".to_owned());
        world.namespace_labels.insert("team".to_owned(), "risk".to_owned());
        world.now = jiff::Timestamp::UNIX_EPOCH;
    });
    assert_eq!(changed, digest_of(&World::story()));
}

#[test]
fn the_order_of_sets_and_keyed_lists_does_not_count() {
    let base = digest_of(&World::story());
    for turns in 0..6 {
        let turned = after(|world| {
            let turn = |schema: &Value, value: &Value| permuted(schema, value, turns);
            world.grant.spec = typed(&turn(&schema::<PartnerGrant>(), &spec(&world.grant.spec)));
            world.contract.spec = typed(&turn(&schema::<SharingContract>(), &spec(&world.contract.spec)));
            world.partner.spec = typed(&turn(&schema::<Partner>(), &spec(&world.partner.spec)));
            let dataset = typed(&turn(&schema::<Dataset>(), &spec(&world.datasets[0].spec)));
            world.dataset().spec = dataset;
            let boundary = typed(&turn(&schema::<SharingBoundary>(), &spec(&world.boundaries[0].spec)));
            world.boundary().spec = boundary;
        });
        assert_eq!(turned, base, "{turns} turns");
    }
}

#[test]
fn the_order_of_a_list_that_has_one_counts() {
    let windows = |reversed: bool| {
        after(|world| {
            let windows = &mut world.contract.spec.time.windows;
            let mut second = windows[0].clone();
            second.from = "05:00".into();
            windows.push(second);
            if reversed {
                windows.reverse();
            }
        })
    };
    assert_ne!(windows(false), windows(true));
}

#[test]
fn where_an_operand_is_missing_there_is_no_digest() {
    let world = World::story();
    let boundaries: Vec<&SharingBoundary> = world.boundaries.iter().collect();
    let mut operands = world.operands();
    operands.partner = None;
    assert_eq!(digest(&operands, &boundaries), None);
    let mut operands = world.operands();
    operands.contract = None;
    assert_eq!(digest(&operands, &boundaries), None);
    let mut operands = world.operands();
    operands.datasets.clear();
    assert_eq!(digest(&operands, &boundaries), None);
}

fn revision() -> Revision {
    Revision {
        kind: RevisedKind::Partner,
        name: "northpay".to_owned(),
        uid: "6f0c".to_owned(),
        generation: 3,
        version: Some("2026-10".into()),
    }
}

fn decision() -> TakenDecision {
    TakenDecision {
        name: "approve-x".to_owned(),
        uid: "6f0c".to_owned(),
        by: "olga".to_owned(),
        on_behalf_of: Some("security".into()),
        made: World::story().contract.spec.time.not_after,
        until: Some(World::story().contract.spec.time.not_after),
    }
}

fn taken_report() -> TakenReport {
    TakenReport {
        name: "6f0c-000001".to_owned(),
        uid: "6f0c".to_owned(),
        digest: "sha256:0".into(),
        cause: 1,
        counts: Counts { passed: 1, failed: 2, not_executable: 3 },
        failed: vec!["pod-host-network".into()],
        not_executable: vec!["request-limits".into()],
    }
}

#[test]
fn each_value_of_a_record_counts_in_its_digest() {
    let policy = World::story().agreed().stages.remove(&Stage::Production).expect("agreed").policy;
    let moment = World::story().contract.spec.time.not_after;
    let record = GrantRecordSpec {
        grant: GrantIdentity { name: "northpay-fraud".into(), uid: "6f0c".into() },
        sequence: 1,
        previous: Some("sha256:0".to_owned()),
        at: moment.clone(),
        event: RecordEvent::Opened,
        generation: Some(1),
        stage: Some(Stage::Production),
        digest: Some("v1:sha256:0".to_owned()),
        expires_at: Some(moment),
        reason: None,
        message: Some("opened".to_owned()),
        stands: None,
        policy: Some(policy),
        revisions: vec![revision()],
        decision: Some(decision()),
        report: Some(taken_report()),
    };
    let base = record_digest(&record);
    assert!(base.starts_with("sha256:") && base.len() == 71, "{base}");
    let stored: GrantRecordSpec = typed(&spec(&record));
    assert_eq!(record_digest(&stored), base, "reading it back changes nothing");
    for variant in variants(&schema::<crate::api::GrantRecord>(), &spec(&record)) {
        let changed: GrantRecordSpec = typed(&variant.spec);
        assert_ne!(record_digest(&changed), base, "{}", variant.path);
    }
}

fn report() -> RehearsalReportSpec {
    typed(&json!({
        "grant": {"name": "northpay-fraud", "uid": "6f0c"},
        "digest": "v1:sha256:0",
        "cause": 3,
        "namespace": "comity-northpay-fraud-rehearsal-0123abcd",
        "startedAt": "2026-12-01T00:00:00Z",
        "finishedAt": "2026-12-01T00:00:05Z",
        "counts": {"passed": 1, "failed": 0, "notExecutable": 0},
        "statement": {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "northpay-fraud", "digest": {"sha256": "0"}}],
            "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
            "predicate": {
                "result": "PASSED",
                "configuration": [{"name": "comity", "digest": {"sha256": "1"}}],
                "passedTests": ["pod-host-network"],
                "warnedTests": [],
                "failedTests": [],
                "cases": [{
                    "name": "pod-host-network",
                    "clause": "security.podSecurity",
                    "tried": "a pod that uses the network of its node",
                    "expected": "refused",
                    "observed": "refused",
                    "outcome": "Passed",
                    "milliseconds": 12,
                }],
            },
        },
    }))
}

#[test]
fn each_value_of_a_report_counts_in_its_digest() {
    let report = report();
    let base = report_digest(&report);
    assert!(base.starts_with("sha256:") && base.len() == 71, "{base}");
    let stored: RehearsalReportSpec = typed(&spec(&report));
    assert_eq!(report_digest(&stored), base, "reading it back changes nothing");
    let variants = variants(&schema::<crate::api::RehearsalReport>(), &spec(&report));
    assert!(variants.len() > 20, "{variants:?}");
    for variant in variants {
        let changed: RehearsalReportSpec = typed(&variant.spec);
        assert_ne!(report_digest(&changed), base, "{}", variant.path);
    }
}
