//! What each stage allows, once nothing stands against it: the meet of everything that has a say.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::authorship::authorship;
use super::boundary::{Limits, StageLimit, meet, meet_quotas};
use super::checks::partner::first_control_to_end;
use super::checks::positive;
use super::consent::ConsentRule;
use super::{Agreement, Operands, StageTerms, digest};
use crate::api::boundary::Quota;
use crate::api::contract::{Approval, Destination, Operation, ScopedDataset, Security, StageRule, TimeTerms};
use crate::api::effective::{EffectiveDataset, EffectiveEndpoint, EffectivePolicy};
use crate::api::value::{Duration, Name};
use crate::api::{Dataset, SharingBoundary, SharingContract, Stage};

/// What is agreed. `None` where something is missing or can't be read, which `resolve` has said
/// before.
pub fn agreement(operands: &Operands<'_>, boundaries: &[&SharingBoundary]) -> Option<Agreement> {
    let contract = operands.contract?;
    let limits = meet(boundaries)?;
    let digest = digest::digest(operands, boundaries)?;
    let rules = contract.spec.stages.iter();
    let approvals = approvals(contract, boundaries)?;
    let stages = rules
        .filter_map(|rule| Some((rule, limits.stages.get(&rule.stage)?)))
        .map(|(rule, limit)| {
            let builder = Builder {
                operands,
                contract,
                boundaries,
                limits: &limits,
                approvals: &approvals,
                rule,
                limit,
            };
            Some((rule.stage, builder.stage_terms()?))
        })
        .collect::<Option<_>>()?;
    let time = &contract.spec.time;
    Some(Agreement {
        digest,
        stages,
        not_before: time.not_before.as_ref().map(instant),
        not_after: instant(&time.not_after),
        review_at: first_control_to_end(operands.partner?, contract),
        rehearsal: contract.spec.rehearsal.as_ref().map_or_else(Default::default, |rule| rule.require),
        authorship: authorship(operands, boundaries),
    })
}

/// Who has to agree before a stage opens, for each that the contract offers.
fn approvals(
    contract: &SharingContract,
    boundaries: &[&SharingBoundary],
) -> Option<BTreeMap<Stage, ConsentRule>> {
    let stages = contract.spec.stages.iter().map(|rule| rule.stage);
    stages.map(|stage| Some((stage, ConsentRule::of(stage, contract, boundaries)?))).collect()
}

/// The instant that an API time says.
fn instant(time: &Time) -> Timestamp {
    time.0
}

/// Everything that has a say in one stage.
struct Builder<'a> {
    operands: &'a Operands<'a>,
    contract: &'a SharingContract,
    boundaries: &'a [&'a SharingBoundary],
    limits: &'a Limits,
    approvals: &'a BTreeMap<Stage, ConsentRule>,
    rule: &'a StageRule,
    limit: &'a StageLimit,
}

impl Builder<'_> {
    /// What the stage allows.
    fn stage_terms(&self) -> Option<StageTerms> {
        let asked = self.operands.grant.spec.stages.iter();
        let asked = asked.filter(|request| request.stage == self.rule.stage);
        let lengths = asked.map(|request| &request.duration).chain([&self.rule.max_duration]);
        let shortest = lengths.map(positive).collect::<Option<Vec<_>>>()?.into_iter().min()?;
        let length =
            |given: &Option<Duration>| given.as_ref().map_or(Some(SignedDuration::ZERO), Duration::length);
        let (ttl, credential_ttl) = self.credential_ttl()?;
        Some(StageTerms {
            duration: shortest.min(self.limit.duration),
            ceiling: positive(&self.rule.max_duration)?.min(self.limit.duration),
            consent: self.approvals.get(&self.rule.stage)?.clone(),
            soak: length(&self.rule.soak)?,
            overlap: length(&self.rule.overlap)?,
            after_promotion: self.rule.after_promotion,
            credential_ttl,
            policy: self.policy(ttl)?,
        })
    }

    /// The shortest of the lifetimes that contract and boundaries give certificates.
    fn credential_ttl(&self) -> Option<(Duration, SignedDuration)> {
        let ceilings = self.boundaries.iter().map(|boundary| &boundary.spec.ceilings.credential_ttl);
        shortest(ceilings.chain(&self.contract.spec.security.credential_ttl))
    }

    /// Everything that the stage allows.
    fn policy(&self, credential_ttl: Duration) -> Option<EffectivePolicy> {
        let (grant, contract) = (&self.operands.grant.spec, &self.contract.spec);
        let pod_security = contract.security.pod_security.max(self.limits.pod_security);
        let security =
            Security { credential_ttl: Some(credential_ttl), pod_security, ..contract.security.clone() };
        let scoped = contract.data_scope.datasets.iter();
        Some(EffectivePolicy {
            partner: grant.partner_ref.name.clone(),
            contract: grant.contract_ref.name.clone(),
            contract_uid: Name(self.contract.uid()?),
            purpose: grant.purpose.clone(),
            operations: self.operations(),
            prohibitions: contract.prohibitions.clone(),
            models: contract.models.clone(),
            datasets: scoped.map(|scoped| self.dataset(scoped)).collect::<Option<_>>()?,
            prohibited: contract.data_scope.prohibited.clone(),
            time: self.time()?,
            destination: self.destination(),
            security,
            quota: self.quota(),
            people: grant.people.clone(),
            workloads: grant.workloads.clone(),
            approvals: self.asked_approvals(),
            reviews: contract.reviews.clone(),
            quarantine: contract.quarantine.clone(),
            narrowing: contract.narrowing.clone(),
            further: None,
        })
    }

    /// Who has to agree, for each stage for which anybody has to.
    fn asked_approvals(&self) -> Vec<Approval> {
        let asked = self.approvals.iter().filter(|(_, rule)| !rule.is_empty());
        asked.map(|(stage, rule)| rule.to_approval(*stage)).collect()
    }

    /// The contract's operations, as far as the grant asks for them.
    fn operations(&self) -> Vec<Operation> {
        let asked = &self.operands.grant.spec.operations;
        self.contract.spec.operations.iter().filter(|offer| asked.contains(&offer.name)).cloned().collect()
    }

    /// The contract's time; what may be kept for how long, where it doesn't say, is the datasets'.
    fn time(&self) -> Option<TimeTerms> {
        let mut time = self.contract.spec.time.clone();
        let scoped = self.contract.spec.data_scope.datasets.iter();
        let datasets = scoped.filter_map(|scoped| self.operands.datasets.get(scoped.name.as_str()));
        let (longest, _) = shortest(datasets.map(|dataset| &dataset.spec.retention.max))?;
        time.retention.inputs.get_or_insert_with(|| longest.clone());
        time.retention.artifacts.get_or_insert(longest);
        Some(time)
    }

    /// The contract's destination. Only production sends to outside the cluster.
    fn destination(&self) -> Destination {
        let mut destination = self.contract.spec.destination.clone();
        if self.rule.stage != Stage::Production {
            destination.egress.clear();
        }
        destination
    }

    /// Of each resource, the lesser of what contract and boundary give, or the default.
    fn quota(&self) -> Quota {
        let own = self.rule.quota.as_ref().map(|quota| quota.hard.clone()).unwrap_or_default();
        Quota { hard: meet_quotas(&self.limit.quota, &own) }
    }

    /// What the stage allows of one dataset.
    fn dataset(&self, scoped: &ScopedDataset) -> Option<EffectiveDataset> {
        let dataset = self.operands.datasets.get(scoped.name.as_str())?;
        let version = dataset.spec.versions.iter().find(|version| version.name == scoped.version)?;
        Some(EffectiveDataset {
            name: scoped.name.clone(),
            version: scoped.version.clone(),
            digest: version.digest.clone(),
            fields: scoped.fields.clone(),
            rows: scoped.rows.clone(),
            artifacts: scoped.artifacts.clone(),
            endpoint: self.endpoint(dataset),
        })
    }

    /// What serves a dataset at this stage, if anything does.
    fn endpoint(&self, dataset: &Dataset) -> Option<EffectiveEndpoint> {
        let endpoint = dataset.spec.endpoints.iter().find(|endpoint| endpoint.stage == self.rule.stage)?;
        let service = self.operands.services.get(endpoint.service.name.as_str())?;
        Some(EffectiveEndpoint {
            namespace: Name(dataset.namespace()?),
            service: endpoint.service.name.clone(),
            selector: service.selector.clone(),
            target: service.targets.get(&endpoint.service.port)?.clone(),
        })
    }
}

/// The shortest of some durations, as it was written and how long it is. `None` where there is
/// none, or one that can't be read.
fn shortest<'a>(durations: impl IntoIterator<Item = &'a Duration>) -> Option<(Duration, SignedDuration)> {
    let read = durations.into_iter().map(|duration| Some((duration, positive(duration)?)));
    let (written, length) =
        read.collect::<Option<Vec<_>>>()?.into_iter().min_by_key(|(_, length)| *length)?;
    Some((written.clone(), length))
}
