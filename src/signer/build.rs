//! What the signer writes: Secrets and `ConfigMaps`, whole, from what was decided.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::ca::{Chest, Ledger, Owner, ledger};
use super::opening::Opening;
use super::testimony;
use crate::api::name;
use crate::pki::{Authority, Issued, SecretPem, Trust};

/// The type of a Secret that holds a certificate and its key.
pub const TLS: &str = "kubernetes.io/tls";
/// In Secrets and `ConfigMaps`: the trust anchor.
pub const ANCHOR_KEY: &str = "ca.crt";
/// In Secrets: the certificate.
pub const CERTIFICATE_KEY: &str = "tls.crt";
/// In Secrets: the private key.
pub const PRIVATE_KEY: &str = "tls.key";

/// The Secret of one workload: its certificate, its key, and whom it may believe.
pub fn workload_secret(opening: &Opening, workload: &str, issued: &Issued, trust: &Trust) -> Secret {
    let mut metadata = metadata(opening, &opening.place(), name::workload_secret(workload));
    let label = (name::LABEL_WORKLOAD.to_owned(), workload.to_owned());
    metadata.labels.get_or_insert_default().extend([label]);
    tls(metadata, &issued.certificate, &issued.key, trust.pem())
}

/// The same Secret with these anchors beside its certificate.
pub fn with_anchors(secret: &Secret, trust: &Trust) -> Secret {
    let mut secret = secret.clone();
    let anchors = (ANCHOR_KEY.to_owned(), ByteString(trust.pem().as_bytes().to_vec()));
    secret.data.get_or_insert_default().extend([anchors]);
    secret
}

/// What is published of a stage: whom to believe, each workload's certificate, and, where one can't be had,
/// why.
pub fn trust(
    opening: &Opening,
    trust: &Trust,
    chains: &BTreeMap<String, String>,
    refused: Option<&str>,
) -> ConfigMap {
    let mut data: BTreeMap<String, String> =
        chains.iter().map(|(workload, chain)| (name::trust_key(workload), chain.clone())).collect();
    data.insert(ANCHOR_KEY.to_owned(), trust.pem().to_owned());
    data.extend(refused.map(|why| (name::TRUST_REFUSED.to_owned(), why.to_owned())));
    let mut metadata = metadata(opening, &opening.place(), name::TRUST_CONFIG_MAP.to_owned());
    let compared = opening.compared.as_ref().and_then(testimony::noted);
    metadata.annotations = compared.map(|compared| [(name::ANNOTATION_COMPARED.to_owned(), compared)].into());
    config_map(metadata, data)
}

/// What is published of a stage for which nobody can say whom to believe: why. The anchors that were `published`
/// stay: what was signed goes on until it ends.
pub fn refusal(opening: &Opening, why: &str, published: Option<&ConfigMap>) -> ConfigMap {
    let mut data = BTreeMap::from([(name::TRUST_REFUSED.to_owned(), why.to_owned())]);
    let anchors = published.and_then(|published| published.data.as_ref()?.get(ANCHOR_KEY));
    data.extend(anchors.map(|anchors| (ANCHOR_KEY.to_owned(), anchors.clone())));
    config_map(metadata(opening, &opening.place(), name::TRUST_CONFIG_MAP.to_owned()), data)
}

/// An authority, key and all, in the Secret `name` in Comity's own namespace.
pub fn authority_secret(
    system: &str,
    owner: &Owner,
    name: &str,
    number: u32,
    authority: &Authority,
) -> Secret {
    let anchor = authority.anchor();
    let mut metadata = ledger::metadata(owner, system, name.to_owned());
    metadata.annotations.get_or_insert_default().extend([
        (name::ANNOTATION_FINGERPRINT.to_owned(), anchor.fingerprint()),
        (name::ANNOTATION_NUMBER.to_owned(), number.to_string()),
    ]);
    tls(metadata, anchor.pem(), &authority.stored(), anchor.pem())
}

/// Tells in the log what became of authorities.
pub fn tell(chest: &Chest, before: &Ledger, after: &Ledger) {
    let Owner { namespace, contract, stage } = &after.owner;
    let was = |number| before.authorities.iter().find(|entry| entry.number == number);
    for entry in &after.authorities {
        if was(entry.number).is_some_and(|was| was.phase == entry.phase) {
            continue;
        }
        tracing::info!(
            target: "comity::authority",
            %chest, namespace, contract, stage = stage.lower(), authority = entry.number, phase = ?entry.phase,
            sha256 = entry.certificate.fingerprint(), not_after = %entry.certificate.lifetime().not_after(),
            "an authority came into another phase"
        );
    }
    for gone in
        before.authorities.iter().filter(|old| after.authorities.iter().all(|new| new.number != old.number))
    {
        tracing::info!(
            target: "comity::authority",
            %chest, namespace, contract, stage = stage.lower(), authority = gone.number,
            sha256 = gone.certificate.fingerprint(), "an authority isn't believed any more"
        );
    }
    if let Some(answer) = after.answer.as_ref().filter(|answer| Some(*answer) != before.answer.as_ref()) {
        tracing::info!(
            target: "comity::authority",
            %chest, namespace, contract, stage = stage.lower(), action = answer.action, by = answer.by,
            reason = answer.reason, outcome = ?answer.outcome, "an order was answered: {}", answer.message
        );
    }
}

/// What everything is labelled with that is written for an opening.
pub fn metadata(opening: &Opening, namespace: &str, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(namespace.to_owned()),
        labels: Some(opening.labels()),
        ..ObjectMeta::default()
    }
}

fn tls(metadata: ObjectMeta, certificate: &str, key: &SecretPem, anchor: &str) -> Secret {
    let data = [(CERTIFICATE_KEY, certificate), (PRIVATE_KEY, key.reveal()), (ANCHOR_KEY, anchor)]
        .map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())));
    Secret { metadata, type_: Some(TLS.to_owned()), data: Some(data.into()), ..Secret::default() }
}

fn config_map(metadata: ObjectMeta, data: BTreeMap<String, String>) -> ConfigMap {
    ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }
}
