//! Every name, label, annotation and finalizer that Comity derives or reserves.
//!
//! A name that can be computed is never stored, so two processes can't disagree about it.

mod trust;

use sha2::{Digest as _, Sha256};

pub use trust::{
    BROUGHT, PUBLISHER_CLUSTER_ROLE, brought_config_map, dataset_trust, is_dataset_trust, trust_bundle,
};

use super::stage::Stage;

/// What every stage's namespace is called, to begin with. Admission holds Comity to it.
pub const NAMESPACE_PREFIX: &str = "comity-";

/// Label: the UID of the grant that an object belongs to. Only Comity sets it.
pub const LABEL_GRANT_UID: &str = "comity.dev/grant-uid";
/// Label: the name of the grant that an object belongs to.
pub const LABEL_GRANT: &str = "comity.dev/grant";
/// Label: the namespace of the grant that an object belongs to.
pub const LABEL_GRANT_NAMESPACE: &str = "comity.dev/grant-namespace";
/// Label: the stage, in lower case, that a namespace is for. Only Comity sets it.
pub const LABEL_STAGE: &str = "comity.dev/stage";
/// Label on a stage's namespace: whether pods are admitted ([`PODS_OPEN`], [`PODS_CLOSED`]).
pub const LABEL_PODS: &str = "comity.dev/pods";
/// Label on a stage's namespace: set to [`CLOSING`] once it is being closed for good, never removed.
pub const LABEL_CLOSING: &str = "comity.dev/closing";
/// Label on a namespace, set by the platform: contracts and grants may be written there.
pub const LABEL_SHARES: &str = "comity.dev/shares";
/// Label on a dataset's namespace, set by the platform: Comity may add ingress policies there.
pub const LABEL_DATASET_INGRESS: &str = "comity.dev/dataset-ingress";
/// Label on a pod: the purpose of the grant that it works for.
pub const LABEL_PURPOSE: &str = "comity.dev/purpose";
/// Label on a pod: the workload of the grant that it is.
pub const LABEL_WORKLOAD: &str = "comity.dev/workload";
/// Label on a ConfigMap in Comity's own namespace: what it says about CAs ([`LEDGER`], [`ORDER`]).
pub const LABEL_AUTHORITY: &str = "comity.dev/authority";
/// Marks what `comity sign` keeps of enrolments: of which sort it is.
pub const LABEL_ENROLMENT: &str = "comity.dev/enrolment";
/// Label on everything that Comity applies, for the tools that read it.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Label by which the API server names each namespace, so that selectors can (KEP-2161).
pub const LABEL_NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Value of [`LABEL_PODS`]: admission admits pods that conform.
pub const PODS_OPEN: &str = "Open";
/// Value of [`LABEL_PODS`]: admission refuses every pod.
pub const PODS_CLOSED: &str = "Closed";
/// Value of [`LABEL_AUTHORITY`]: which there are, and how far each is.
pub const LEDGER: &str = "ledger";
/// Value of [`LABEL_AUTHORITY`]: what somebody wants done with them.
pub const ORDER: &str = "order";
/// The value of [`LABEL_ENROLMENT`] of what says that a token was used.
pub const USED: &str = "used";
/// The public ConfigMap in Comity's own namespace that says where the enrolment endpoint is, and which anchor its
/// certificate is verified against.
pub const ENROLMENT_CONFIG_MAP: &str = "comity-trust-enrolment";
/// The Secret in Comity's own namespace with the key of that anchor.
pub const ENROLMENT_SECRET: &str = "comity-ca-enrolment";
/// Value of [`LABEL_CLOSING`].
pub const CLOSING: &str = "true";
/// Value of [`LABEL_SHARES`] and [`LABEL_DATASET_INGRESS`] where the platform says yes.
pub const YES: &str = "true";
/// Value of [`LABEL_MANAGED_BY`].
pub const MANAGED_BY: &str = "comity";

/// What Comity's own labels and annotations begin with.
pub const OWN: &str = "comity.dev/";

/// Annotation: SHA-256 of the object as Comity wanted it, to tell drift from rest.
pub const ANNOTATION_WANTED: &str = "comity.dev/wanted";

/// Annotation on an authority's Secret and marker: the contract that it is for, for people.
pub const ANNOTATION_CONTRACT: &str = "comity.dev/contract";
/// Annotation on an authority's Secret and marker: SHA-256 of its certificate, for people.
pub const ANNOTATION_FINGERPRINT: &str = "comity.dev/fingerprint";
/// Annotation on what is published of a stage: up to which record, and which digest of it, `comity sign` believed
/// the journal when it first signed there.
pub const ANNOTATION_COMPARED: &str = "comity.dev/compared";

/// Annotation on an authority's Secret: its number, for people.
pub const ANNOTATION_NUMBER: &str = "comity.dev/number";

/// On a `CertificateSigningRequest`: for which workload it was filed. Nothing goes by it.
pub const ANNOTATION_ENROLS: &str = "comity.dev/enrols";
/// Annotation on a decision: who decided, as the API server knows them. Stamped by admission.
pub const ANNOTATION_DECIDED_BY: &str = "comity.dev/decided-by";
/// Annotation on a grant: who asked for it, as [`super::stamp::Writers`]. Kept by admission.
pub const ANNOTATION_REQUESTED_BY: &str = "comity.dev/requested-by";
/// Annotation on a contract, dataset, partner or boundary: who wrote it, as
/// [`super::stamp::Writers`]. Kept by admission.
pub const ANNOTATION_AUTHORED_BY: &str = "comity.dev/authored-by";

/// Finalizer on a grant from its first acceptance until it has ended.
pub const FINALIZER: &str = "comity.dev/grant";

/// Field manager, and part of the ServiceAccount's name, of `comity run`.
pub const RUN: &str = "comity-run";
/// Field manager, and part of the ServiceAccount's name, of `comity sign`.
pub const SIGN: &str = "comity-sign";

/// Field manager, and part of the ServiceAccount's name, of `comity rehearse`.
pub const REHEARSE: &str = "comity-rehearse";

/// Where Comity is installed unless it is said otherwise.
pub const DEFAULT_SYSTEM_NAMESPACE: &str = "comity-system";

/// The ClusterRole that `comity sign` is given in each stage's namespace.
pub const SIGNER_CLUSTER_ROLE: &str = "comity:signer";

/// The ClusterRole that `comity rehearse` is given in the namespace of a stage while it is rehearsed.
pub const REHEARSER_CLUSTER_ROLE: &str = "comity:rehearser";

/// The StagePolicy of a stage's namespace: there is one, so it has one name.
pub const STAGE_POLICY: &str = "comity";
/// The ResourceQuota of a stage's namespace.
pub const QUOTA: &str = "comity";
/// The LimitRange of a stage's namespace.
pub const LIMIT_RANGE: &str = "comity";
/// The RoleBinding that lets `comity sign` act in a stage's namespace.
pub const SIGNER_BINDING: &str = "comity-sign";
/// The RoleBinding that lets `comity rehearse` act in a stage's namespace, while it is rehearsed.
pub const REHEARSER_BINDING: &str = "comity-rehearse";
/// The NetworkPolicy that denies all that no other one allows.
pub const DEFAULT_DENY: &str = "comity-default-deny";
/// The NetworkPolicy that allows DNS to the cluster's own DNS.
pub const ALLOW_DNS: &str = "comity-allow-dns";
/// The NetworkPolicy that allows traffic between the pods of a stage's namespace.
pub const ALLOW_WITHIN: &str = "comity-allow-within";
/// The NetworkPolicy that allows egress to the contract's destinations.
pub const ALLOW_DESTINATIONS: &str = "comity-allow-destinations";
/// The ConfigMap in a stage's namespace in which `comity sign` publishes the trust anchor,
/// each workload's certificate chain, or why it refuses.
pub const TRUST_CONFIG_MAP: &str = "comity-trust-stage";

/// In [`TRUST_CONFIG_MAP`]: why `comity sign` refuses, in place of anything else.
pub const TRUST_REFUSED: &str = "refused";

/// In [`TRUST_CONFIG_MAP`]: a workload's certificate chain, `<workload>.crt`.
///
/// A workload that is called `ca` gives way to the trust anchor, which is always `ca.crt`.
pub fn trust_key(workload: &str) -> String {
    if workload == "ca" { "ca.workload.crt".to_owned() } else { format!("{workload}.crt") }
}

/// The NetworkPolicy that allows egress to one dataset's Service.
///
/// `dataset` is the dataset's name (at most 63 characters).
pub fn allow_dataset_policy(dataset: &str) -> String {
    shorten("comity-allow-dataset-", dataset, 63)
}

/// What the network policies in a dataset's namespace begin with that let a stage's in.
const DATASET_INGRESS_PREFIX: &str = "comity-from-";

/// The NetworkPolicy in a dataset's namespace that lets one stage's namespace in.
pub fn dataset_ingress_policy(stage_namespace: &str, dataset: &str) -> String {
    let hash = short_hash(&[stage_namespace, dataset]);
    format!("{DATASET_INGRESS_PREFIX}{hash}")
}

/// The namespace of an opening: `comity-<grant, at most 35>-<stage>-<8 hex>`.
///
/// `grant_uid` and `digest` make it unique; the grant's name is there for people.
pub fn stage_namespace(grant: &str, grant_uid: &str, stage: Stage, digest: &str) -> String {
    let hash = short_hash(&[grant_uid, digest]);
    format!("{}{hash}", stage_namespace_stem(grant, stage.lower()))
}

/// Whether a namespace is called as Comity would call one of this grant's, whatever its digest.
///
/// `stage` is in lower case.
pub fn is_stage_namespace(namespace: &str, grant: &str, stage: &str) -> bool {
    namespace.strip_prefix(&stage_namespace_stem(grant, stage)).is_some_and(is_short_hash)
}

/// Whether a network policy is called as those that let a stage's namespace in to a dataset.
pub fn is_dataset_ingress_policy(name: &str) -> bool {
    name.strip_prefix(DATASET_INGRESS_PREFIX).is_some_and(is_short_hash)
}

/// What the namespaces of a grant's stage begin with.
fn stage_namespace_stem(grant: &str, stage: &str) -> String {
    let readable: String = grant.chars().take(35).collect();
    let readable = readable.replace('.', "-");
    format!("{NAMESPACE_PREFIX}{}-{stage}-", readable.trim_end_matches('-'))
}

/// Whether `text` is eight hexadecimal digits, as [`short_hash`] gives them.
fn is_short_hash(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// The eight hexadecimal digits at the end of a stage's namespace.
pub fn opening_hash(grant_uid: &str, digest: &str) -> String {
    short_hash(&[grant_uid, digest])
}

/// The record of a grant's journal with this sequence number (from 1).
///
/// Zero-padded, so that names sort as numbers do.
pub fn record(grant_uid: &str, sequence: i64) -> String {
    format!("{grant_uid}-{sequence:06}")
}

/// The report of the rehearsal that this record of a grant's journal asked for.
pub fn report(grant_uid: &str, cause: i64) -> String {
    record(grant_uid, cause)
}

/// The ServiceAccount of a workload in a stage's namespace.
pub fn workload_service_account(workload: &str) -> String {
    shorten("workload-", workload, 63)
}

/// The Secret with a workload's certificate, key and trust anchor.
pub fn workload_secret(workload: &str) -> String {
    shorten("comity-tls-", workload, 63)
}

/// The RoleBinding that gives a partner's role its rights in a stage's namespace.
///
/// `role` is in kebab case (`model-engineer`).
pub fn role_binding(role: &str) -> String {
    format!("comity-role-{role}")
}

/// The ServiceAccount that stands for a role of people. It is never created (see DESIGN,
/// "People's roles"): it can be impersonated, but not run as or be given a token.
pub fn role_service_account(role: &str) -> String {
    format!("role-{role}")
}

/// The ClusterRole that says what a role of people may do at a stage.
pub fn role_cluster_role(role: &str, stage: Stage) -> String {
    format!("comity:{role}:{}", stage.lower())
}

/// What all names end with of what is kept of the CAs of a contract's stage.
pub fn ca(contract_uid: &str, stage: Stage) -> String {
    format!("{}-{}", short_hash(&[contract_uid]), stage.lower())
}

/// One of the two Secrets in Comity's own namespace with the CA keys of a contract's stage ([`ca`]): two,
/// because the next one is made while one signs.
pub fn ca_secret(ca: &str, second: bool) -> String {
    format!("comity-ca-{ca}{}", if second { "-b" } else { "" })
}

/// The public ConfigMap in Comity's own namespace that says which CAs of a contract's stage ([`ca`]) there
/// are, and how far each is.
pub fn ca_config_map(ca: &str) -> String {
    format!("{TRUST_PREFIX}{ca}")
}

/// The ConfigMap in Comity's own namespace by which people say what is to be done with them.
pub fn ca_order(ca: &str) -> String {
    format!("{CA_ORDER}{ca}")
}

/// Of which CAs ([`ca`]) a ConfigMap of this name is.
pub fn of_ca_config_map(name: &str) -> Option<&str> {
    name.strip_prefix(TRUST_PREFIX).filter(|rest| is_ca(rest))
}

/// About which CAs ([`ca`]) an order of this name is.
pub fn of_ca_order(name: &str) -> Option<&str> {
    name.strip_prefix(CA_ORDER).filter(|rest| is_ca(rest))
}

/// Whether this is what [`ca`] gives.
fn is_ca(text: &str) -> bool {
    let parts = text.split_once('-');
    parts
        .is_some_and(|(hash, stage)| is_short_hash(hash) && Stage::ALL.iter().any(|one| one.lower() == stage))
}

/// What the `ConfigMaps` begin with in which `comity sign` says whom to believe. Admission holds it to that.
pub const TRUST_PREFIX: &str = "comity-trust-";
/// What the `ConfigMaps` begin with by which people say what is to be done with CAs.
pub const CA_ORDER: &str = "comity-order-";

/// The ConfigMap in Comity's own namespace by which `comity sign` remembers up to where it compared a
/// grant's journal with what people decided.
pub fn consent_config_map(grant_uid: &str) -> String {
    format!("comity-trust-consent-{grant_uid}")
}

/// The ConfigMap in Comity's own namespace by which `comity sign` remembers that a token was used.
pub fn enrolled_config_map(decision_uid: &str) -> String {
    format!("comity-trust-enrolled-{decision_uid}")
}

/// The SPIFFE ID of a workload (SPIFFE-ID, sections 2.1 to 2.4).
pub fn spiffe_id(trust_domain: &str, identity: &WorkloadIdentity<'_>) -> String {
    let WorkloadIdentity { partner, namespace, grant, stage, opening_hash, workload } = identity;
    let stage = stage.lower();
    format!(
        "spiffe://{trust_domain}/partner/{partner}/grant/{namespace}/{grant}/{stage}/{opening_hash}/{workload}"
    )
}

/// What makes a workload's SPIFFE ID.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadIdentity<'a> {
    /// Name of the `Partner`.
    pub partner: &'a str,
    /// Namespace of the grant.
    pub namespace: &'a str,
    /// Name of the grant.
    pub grant: &'a str,
    /// The stage that the workload runs at.
    pub stage: Stage,
    /// [`opening_hash`] of the opening.
    pub opening_hash: &'a str,
    /// Name of the workload in the grant.
    pub workload: &'a str,
}

/// `prefix` and `name`, cut to `limit` characters with a hash where they don't fit, so that
/// two long names that begin alike stay two names.
fn shorten(prefix: &str, name: &str, limit: usize) -> String {
    let whole = format!("{prefix}{name}");
    if whole.len() <= limit {
        return whole;
    }
    let kept: String = whole.chars().take(limit - 9).collect();
    format!("{}-{}", kept.trim_end_matches(['-', '.']), short_hash(&[name]))
}

/// Eight hexadecimal digits of the SHA-256 of the parts, each with its length before it, so
/// that (`a-b`, `c`) and (`a`, `b-c`) differ.
fn short_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let first = hash.finalize().iter().take(4).fold(0_u32, |first, byte| first << 8 | u32::from(*byte));
    format!("{first:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_of_look_alike_grants_differ() {
        let one = stage_namespace("a-b", "uid-1", Stage::Sandbox, "v1:x");
        let other = stage_namespace("a", "uid-2", Stage::Sandbox, "v1:x");
        assert_ne!(one, other);
        assert!(one.starts_with("comity-a-b-sandbox-"));
    }

    #[test]
    fn a_derived_name_is_known_again_and_one_that_only_looks_like_it_is_not() {
        let long = "x".repeat(63);
        for grant in ["a-b", "a", long.as_str()] {
            let name = stage_namespace(grant, "uid", Stage::Sandbox, "v1:x");
            assert!(is_stage_namespace(&name, grant, "sandbox"), "{name}");
            assert!(!is_stage_namespace(&name, grant, "production"), "{name}");
            assert!(!is_stage_namespace(&name, "other", "sandbox"), "{name}");
            assert!(!is_stage_namespace(&format!("{name}0"), grant, "sandbox"));
        }
        assert!(!is_stage_namespace("comity-a-sandbox-DEADBEEF", "a", "sandbox"));
        assert!(is_dataset_ingress_policy(&dataset_ingress_policy("comity-a-sandbox-00000000", "tx")));
        assert!(!is_dataset_ingress_policy("comity-from-somewhere"));
    }

    #[test]
    fn what_is_kept_of_cas_is_known_by_its_name() {
        let ca = ca("uid", Stage::Sandbox);
        assert_eq!(of_ca_config_map(&ca_config_map(&ca)), Some(ca.as_str()));
        assert_eq!(of_ca_order(&ca_order(&ca)), Some(ca.as_str()));
        assert_ne!(ca_secret(&ca, false), ca_secret(&ca, true));
        for other in [TRUST_CONFIG_MAP, &consent_config_map("uid"), "comity-trust-0123abcd-elsewhere"] {
            assert_eq!(of_ca_config_map(other), None, "{other}");
        }
    }

    #[test]
    fn the_longest_namespace_is_a_label() {
        let name = stage_namespace(&"x".repeat(63), "uid", Stage::Production, "v1:x");
        assert!(name.len() <= 63, "{} characters", name.len());
    }

    #[test]
    fn a_long_name_is_cut_but_stays_itself() {
        let (one, other) = (format!("{}a", "x".repeat(62)), format!("{}b", "x".repeat(62)));
        assert_ne!(workload_secret(&one), workload_secret(&other));
        assert!(workload_secret(&one).len() <= 63);
    }
}
