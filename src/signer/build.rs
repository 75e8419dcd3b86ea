//! What the signer writes: Secrets and `ConfigMaps`, whole, from what was decided.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::opening::Opening;
use super::testimony;
use crate::api::name;
use crate::pki::{Anchor, Authority, Issued, SecretPem};

/// The type of a Secret that holds a certificate and its key.
pub const TLS: &str = "kubernetes.io/tls";
/// In Secrets and `ConfigMaps`: the trust anchor.
pub const ANCHOR_KEY: &str = "ca.crt";
/// In Secrets: the certificate.
pub const CERTIFICATE_KEY: &str = "tls.crt";
/// In Secrets: the private key.
pub const PRIVATE_KEY: &str = "tls.key";

/// The Secret of one workload: its certificate, its key, and whom it may believe.
pub fn workload_secret(opening: &Opening, workload: &str, issued: &Issued) -> Secret {
    let mut metadata = metadata(opening, &opening.place(), name::workload_secret(workload));
    let label = (name::LABEL_WORKLOAD.to_owned(), workload.to_owned());
    metadata.labels.get_or_insert_default().extend([label]);
    tls(metadata, &issued.certificate, &issued.key, &issued.authority)
}

/// What is published of a stage: its anchor, and each workload's certificate.
pub fn trust(opening: &Opening, anchor: &Anchor, chains: &BTreeMap<String, String>) -> ConfigMap {
    let mut data: BTreeMap<String, String> =
        chains.iter().map(|(workload, chain)| (name::trust_key(workload), chain.clone())).collect();
    data.insert(ANCHOR_KEY.to_owned(), anchor.pem().to_owned());
    let mut metadata = metadata(opening, &opening.place(), name::TRUST_CONFIG_MAP.to_owned());
    let compared = opening.compared.as_ref().and_then(testimony::noted);
    metadata.annotations = compared.map(|compared| [(name::ANNOTATION_COMPARED.to_owned(), compared)].into());
    config_map(metadata, data)
}

/// What is published of a stage for which nothing is signed: why.
pub fn refusal(opening: &Opening, why: &str) -> ConfigMap {
    let data = BTreeMap::from([(name::TRUST_REFUSED.to_owned(), why.to_owned())]);
    config_map(metadata(opening, &opening.place(), name::TRUST_CONFIG_MAP.to_owned()), data)
}

/// The authority of a contract and stage, key and all, in Comity's own namespace.
pub fn authority_secret(system: &str, opening: &Opening, authority: &Authority) -> Secret {
    let anchor = authority.anchor();
    let name = name::ca_secret(&opening.contract_uid, opening.stage);
    let metadata = authority_metadata(system, opening, name, anchor);
    tls(metadata, anchor.pem(), &authority.key_pem(), anchor.pem())
}

/// The public mark that this authority exists.
pub fn authority_marker(system: &str, opening: &Opening, anchor: &Anchor) -> ConfigMap {
    let name = name::ca_config_map(&opening.contract_uid, opening.stage);
    let data = BTreeMap::from([(ANCHOR_KEY.to_owned(), anchor.pem().to_owned())]);
    config_map(authority_metadata(system, opening, name, anchor), data)
}

/// What people call the authority of an opening.
pub fn common_name(opening: &Opening) -> String {
    format!("Comity {} {}", opening.stage.lower(), opening.contract)
}

fn metadata(opening: &Opening, namespace: &str, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(namespace.to_owned()),
        labels: Some(opening.labels()),
        ..ObjectMeta::default()
    }
}

fn authority_metadata(system: &str, opening: &Opening, name: String, anchor: &Anchor) -> ObjectMeta {
    let labels = [(name::LABEL_MANAGED_BY, name::MANAGED_BY), (name::LABEL_STAGE, opening.stage.lower())];
    let contract = format!("{}/{}", opening.namespace, opening.contract);
    let annotations = [
        (name::ANNOTATION_CONTRACT.to_owned(), contract),
        (name::ANNOTATION_FINGERPRINT.to_owned(), anchor.fingerprint()),
    ];
    ObjectMeta {
        name: Some(name),
        namespace: Some(system.to_owned()),
        labels: Some(labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into()),
        annotations: Some(annotations.into()),
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
