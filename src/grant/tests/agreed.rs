//! What is asked for, and agreed to, in a [`World`](super::world::World).

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::world::at;
use crate::api::Stage;
use crate::api::boundary::Quota;
use crate::api::contract::{AfterPromotion, Compute, Destination, KeyDelivery, Security, TimeTerms};
use crate::api::effective::{EffectiveDataset, EffectiveEndpoint, EffectivePolicy, TargetPort};
use crate::api::grant::{PartnerGrantSpec, Person, Reference, Role, Workload};
use crate::api::record::{RevisedKind, Revision};
use crate::api::stamp::Writers;
use crate::policy::authorship::Authorship;
use crate::policy::consent::ConsentRule;
use crate::policy::quota::ceilings;
use crate::policy::{Agreement, StageTerms};

pub fn spec(ceiling: Stage) -> PartnerGrantSpec {
    PartnerGrantSpec {
        partner_ref: Reference { name: "northpay".into() },
        contract_ref: Reference { name: "fraud-scoring".into() },
        stage: ceiling,
        purpose: "fraud-detection".into(),
        operations: Vec::new(),
        stages: Vec::new(),
        people: people(),
        workloads: workloads(),
        suspend: false,
        justification: None,
        ticket: None,
    }
}

fn people() -> Vec<Person> {
    vec![Person { name: "ana@northpay.example".to_owned(), role: Role::ModelEngineer }]
}

fn workloads() -> Vec<Workload> {
    vec![Workload { name: "scorer".into(), operations: Vec::new() }]
}

/// An agreement of three stages of 100 seconds each; Rehearsal soaks for 10.
pub fn agreement(digest: &str) -> Agreement {
    let stages = Stage::ALL.map(|stage| (stage, terms(stage)));
    Agreement {
        digest: digest.to_owned(),
        stages: stages.into(),
        not_before: None,
        not_after: at(100_000),
        review_at: None,
        rehearsal: crate::api::contract::RehearsalRequirement::Executable,
        authorship: vec![
            written(RevisedKind::PartnerGrant, "1 ada"),
            written(RevisedKind::SharingContract, "1 ben"),
        ],
    }
}

/// Something that the grant depends on, at the latest generation that somebody of `writers` wrote.
pub fn written(kind: RevisedKind, writers: &str) -> Authorship {
    let writers = Writers::parse(writers);
    let generation = writers.iter().flat_map(Writers::iter).map(|writer| writer.generation).max();
    let (name, uid) = ("it".to_owned(), format!("uid-of-{}", kind.as_str()));
    Authorship {
        revision: Revision { kind, name, uid, generation: generation.unwrap_or(1), version: None },
        writers,
    }
}

fn terms(stage: Stage) -> StageTerms {
    let soak = if stage == Stage::Rehearsal { 10 } else { 0 };
    StageTerms {
        duration: SignedDuration::from_secs(100),
        ceiling: SignedDuration::from_secs(200),
        consent: ConsentRule::default(),
        soak: SignedDuration::from_secs(soak),
        overlap: SignedDuration::ZERO,
        after_promotion: AfterPromotion::Close,
        credential_ttl: SignedDuration::from_secs(30),
        policy: policy(),
    }
}

/// What every stage allows.
pub fn policy() -> EffectivePolicy {
    let named = serde_json::from_value(json!({"pods": "10", "requests.cpu": "4"})).expect("a quota");
    let destination = serde_json::from_value::<Destination>(json!({
        "dns": "Cluster",
        "egress": [{"cidr": "192.0.2.0/28", "ports": [{"port": 443, "protocol": "TCP"}]}],
        "compute": {"registries": ["registry.retail.example/partners"]},
    }))
    .expect("a destination");
    EffectivePolicy {
        partner: "northpay".into(),
        contract: "fraud-scoring".into(),
        contract_uid: "c0ffee".into(),
        purpose: "fraud-detection".into(),
        datasets: vec![EffectiveDataset {
            name: "transactions".into(),
            version: "2026-10".into(),
            endpoint: Some(EffectiveEndpoint {
                namespace: "risk-data".into(),
                service: "tx".into(),
                selector: BTreeMap::from([("app".to_owned(), "tx".to_owned())]),
                target: TargetPort { number: Some(8443), ..TargetPort::default() },
            }),
            ..EffectiveDataset::default()
        }],
        destination: Destination { compute: Compute { ..destination.compute.clone() }, ..destination },
        security: Security {
            credential_ttl: Some("30s".into()),
            key_delivery: vec![KeyDelivery::Secret],
            ..Security::default()
        },
        quota: Quota { hard: ceilings(&named) },
        time: TimeTerms { not_after: Time(at(100_000)), ..TimeTerms::default() },
        people: people(),
        workloads: workloads(),
        ..EffectivePolicy::default()
    }
}
