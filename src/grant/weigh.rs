//! Whether a pod that runs would still be let in: what the guard asks of pods by the policy of their
//! stage, asked again of those that it let in when more was allowed. Pure.
//!
//! Admission looks at what is made, never at what runs. Each condition that the guard
//! (`generate/admission/guard.rs`) has of a pod and a StagePolicy has its line in [`LAWS`]. That none is
//! missing, and that both say the same of every pod that `e2e/tests/cage/` tries, is tested.

mod restricted;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodSpec, Volume, VolumeProjection};

use restricted::is_restricted;

use crate::api::boundary::PodSecurity;
use crate::api::contract::KeyDelivery;
use crate::api::name;
use crate::api::stage_policy::StagePolicySpec;

/// When pods are looked at again, after the first look: the API server may have let one in by the
/// policy of before, for as long as it hadn't seen the new one.
const LOOKS: [SignedDuration; 2] = [SignedDuration::from_secs(5), SignedDuration::from_secs(30)];

/// The longest until pods that stay although they aren't allowed are looked at again.
const SELDOM: SignedDuration = SignedDuration::from_mins(10);

/// How many pods are named.
const NAMED: usize = 3;

/// What Kubernetes itself asks of a pod by the label of the namespace, which says what the policy does.
pub const POD_SECURITY: &str = "the pod must be one that Pod Security restricted lets in";

/// What a pod has to be by the policy of its stage.
#[derive(Debug)]
pub struct Law {
    /// The clause that says so, of the contract or of the grant.
    pub clause: &'static str,
    /// How the guard words it.
    pub words: &'static str,
    holds: fn(&Pod, &PodSpec, &StagePolicySpec) -> bool,
}

/// What a pod has to be by the policy of its stage, in the guard's order.
pub static LAWS: [Law; 11] = [
    Law {
        clause: "purposes",
        words: "the pod must be labelled comity.dev/purpose with the purpose of the grant",
        holds: has_purpose,
    },
    Law {
        clause: "destination.compute.registries",
        words: "an image isn't from a registry that the contract names",
        holds: |_, spec, policy| images(spec).all(|image| is_from(image, policy)),
    },
    Law {
        clause: "destination.compute.imageReference",
        words: "an image must be named by its digest (…@sha256:…), which the contract asks for",
        holds: |_, spec, _| images(spec).all(is_by_digest),
    },
    Law {
        clause: "destination.compute.registries",
        words: "an image's reference is malformed",
        holds: |_, spec, _| images(spec).all(is_well_formed),
    },
    Law {
        clause: "destination.compute.runtimeClassName",
        words: "the pod's runtimeClassName must be the contract's",
        holds: |_, spec, policy| {
            let asked = policy.runtime_class_name.as_ref().map_or("", |class| class.as_str());
            spec.runtime_class_name.as_deref().unwrap_or_default() == asked
        },
    },
    Law {
        clause: "destination.compute.nodeSelector",
        words: "the pod's nodeSelector must hold the contract's",
        holds: selects_nodes,
    },
    Law {
        clause: "workloads",
        words: "the pod's serviceAccountName must be that of a workload of the grant",
        holds: |_, spec, policy| secrets(spec, policy).next().is_some(),
    },
    Law {
        clause: "security.keyDelivery",
        words: "the contract doesn't let nodes make keys: a pod may not project a podCertificate",
        holds: |_, spec, policy| {
            let is_delivered = policy.key_delivery.contains(&KeyDelivery::PodCertificate);
            is_delivered || sources(spec).all(|source| source.pod_certificate.is_none())
        },
    },
    Law {
        clause: "workloads",
        words: "a pod may only mount the certificate of its own workload",
        holds: |_, spec, policy| mounted(spec).all(|secret| secrets(spec, policy).any(|own| own == secret)),
    },
    Law {
        clause: "workloads",
        words: "a pod may only project the certificate of its own workload",
        holds: |_, spec, policy| projected(spec).all(|secret| secrets(spec, policy).any(|own| own == secret)),
    },
    Law {
        clause: "security.podSecurity",
        words: POD_SECURITY,
        holds: |_, spec, policy| policy.pod_security == PodSecurity::Baseline || is_restricted(spec),
    },
];

/// What is said of a pod that can't be read: nobody can say that it is allowed.
pub static UNREADABLE: Law = Law {
    clause: "workloads",
    words: "the pod can't be read, so nobody can say whether it is allowed",
    holds: |_, _, _| false,
};

/// What a pod breaks first of what is asked of it; `None`: it would be let in.
pub fn broken_by(pod: &Pod, policy: &StagePolicySpec) -> Option<&'static Law> {
    let nothing = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&nothing);
    LAWS.iter().find(|law| !(law.holds)(pod, spec, policy))
}

/// Whether a pod runs, or may yet: not whether it has come to its end.
pub fn runs(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

fn has_purpose(pod: &Pod, _: &PodSpec, policy: &StagePolicySpec) -> bool {
    let labels = pod.metadata.labels.as_ref();
    let purpose = labels.and_then(|labels| labels.get(name::LABEL_PURPOSE));
    purpose.is_some_and(|purpose| *purpose == policy.purpose.0)
}

/// Every image that a pod is made of, ephemeral containers' and volumes' too.
fn images(spec: &PodSpec) -> impl Iterator<Item = &str> {
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    let volumes = volumes(spec).filter_map(|volume| volume.image.as_ref());
    containers
        .map(|one| one.image.as_deref())
        .chain(ephemeral.map(|one| one.image.as_deref()))
        .chain(volumes.map(|one| one.reference.as_deref()))
        .map(Option::unwrap_or_default)
}

fn volumes(spec: &PodSpec) -> impl Iterator<Item = &Volume> {
    spec.volumes.iter().flatten()
}

/// Whether an image lies below a registry that is named, and not merely begins alike.
fn is_from(image: &str, policy: &StagePolicySpec) -> bool {
    policy.registries.iter().any(|registry| {
        let place = registry.0.strip_suffix('/').unwrap_or(&registry.0);
        image.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
    })
}

/// Whether an image is named by what it is.
fn is_by_digest(image: &str) -> bool {
    let Some((name, digest)) = image.split_once('@') else { return false };
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    !name.is_empty() && digits.len() == 64 && digits.bytes().all(is_digit)
}

/// Whether no reader could take an image's name for another one.
fn is_well_formed(image: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte);
    image.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && image.bytes().all(plain)
        && !image.contains("..")
        && !image.contains("//")
}

fn selects_nodes(_: &Pod, spec: &PodSpec, policy: &StagePolicySpec) -> bool {
    let chosen = |label: &String| spec.node_selector.as_ref()?.get(label).map(String::as_str);
    policy.node_selector.iter().all(|(label, value)| chosen(label).unwrap_or_default() == value)
}

/// The Secrets that a pod may use: of the workloads whose account it runs as.
fn secrets<'a>(spec: &'a PodSpec, policy: &'a StagePolicySpec) -> impl Iterator<Item = &'a str> {
    let account = spec.service_account_name.as_deref().unwrap_or("default");
    let own = policy.workloads.iter().filter(move |one| one.service_account_name.as_str() == account);
    own.map(|workload| workload.secret_name.as_str())
}

/// The Secrets that a pod mounts.
fn mounted(spec: &PodSpec) -> impl Iterator<Item = &str> {
    let secrets = volumes(spec).filter_map(|volume| volume.secret.as_ref());
    secrets.map(|secret| secret.secret_name.as_deref().unwrap_or_default())
}

/// The Secrets that a pod mounts as a part of a volume.
fn projected(spec: &PodSpec) -> impl Iterator<Item = &str> {
    sources(spec).filter_map(|source| Some(source.secret.as_ref()?.name.as_str()))
}

/// The parts of a pod's volumes that have several.
fn sources(spec: &PodSpec) -> impl Iterator<Item = &VolumeProjection> {
    volumes(spec).filter_map(|volume| volume.projected.as_ref()?.sources.as_ref()).flatten()
}

/// What was found of the pods of a place when they were last looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// What they were held to.
    pub against: StagePolicySpec,
    /// When they were first held to that.
    pub since: Timestamp,
    /// When they were last looked at.
    pub last: Timestamp,
    /// How many aren't allowed.
    pub unlawful: usize,
    /// The first of them: the pod, and the clause that it goes against.
    pub named: Vec<(String, &'static str)>,
    /// Every clause that one goes against.
    pub clauses: BTreeSet<&'static str>,
}

impl Weighed {
    /// What is found at `now`, where this is what was known before.
    pub fn now(
        before: Option<&Self>,
        against: StagePolicySpec,
        now: Timestamp,
        unlawful: &[(String, &'static str)],
    ) -> Self {
        let before = before.filter(|before| before.against == against);
        Self {
            since: before.map_or(now, |before| before.since),
            last: now,
            unlawful: unlawful.len(),
            named: unlawful.iter().take(NAMED).cloned().collect(),
            clauses: unlawful.iter().map(|(_, clause)| *clause).collect(),
            against,
        }
    }

    /// When they are looked at again: twice for what the API server let in meanwhile, and then, while
    /// any is left, ever more seldom. `None`: what is let in is held to the same by admission.
    pub fn again(&self) -> Option<Timestamp> {
        let looks = LOOKS.iter().filter_map(|after| self.since.checked_add(*after).ok());
        let known = self.last.duration_since(self.since);
        let left = || self.last.checked_add(known.clamp(LOOKS[1], SELDOM)).ok();
        looks.into_iter().find(|look| *look > self.last).or_else(|| left().filter(|_| self.unlawful > 0))
    }
}

#[cfg(test)]
mod tests;
