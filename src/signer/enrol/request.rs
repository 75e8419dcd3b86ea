//! The `CertificateSigningRequest` that is filed, approved and answered for who has shown who they are: so that
//! it stands in the API for an hour what was asked, who it was for, and what was given. Pure.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
    CertificateSigningRequestStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::SIGNER;
use crate::api::name;
use crate::signer::opening::Opening;

/// How much of a refusal is said.
const SAID: usize = 1000;

/// The request, as it is filed: `pem` is the PKCS #10 that was sent.
pub fn filed(opening: &Opening, workload: &str, pem: &[u8]) -> CertificateSigningRequest {
    let stem: String = opening.grant.chars().take(30).collect();
    // No label that is Comity's alone: Kubernetes deletes these requests after an hour, and has to be let.
    let labels = [(name::LABEL_MANAGED_BY.to_owned(), name::MANAGED_BY.to_owned())];
    let Opening { namespace, grant, stage, .. } = opening;
    let whose = format!("{namespace}/{grant}/{}/{workload}", stage.lower());
    let annotations = [(name::ANNOTATION_ENROLS.to_owned(), whose)];
    CertificateSigningRequest {
        metadata: ObjectMeta {
            generate_name: Some(format!("comity-{}-{}-", stem.trim_end_matches('-'), opening.stage.lower())),
            labels: Some(labels.into()),
            annotations: Some(annotations.into()),
            ..ObjectMeta::default()
        },
        spec: CertificateSigningRequestSpec {
            request: ByteString(pem.to_vec()),
            signer_name: SIGNER.to_owned(),
            usages: Some(["digital signature", "client auth", "server auth"].map(str::to_owned).into()),
            ..CertificateSigningRequestSpec::default()
        },
        status: None,
    }
}

/// The same, approved now.
pub fn approved(request: &CertificateSigningRequest, why: &str, now: Timestamp) -> CertificateSigningRequest {
    with_condition(request, "Approved", "Enrolled", why, now)
}

/// The same, which gets nothing after all, and why. What is approved can't be denied.
pub fn failed(
    request: &CertificateSigningRequest,
    word: &str,
    why: &str,
    now: Timestamp,
) -> CertificateSigningRequest {
    with_condition(request, "Failed", word, why, now)
}

/// The same with its certificate.
pub fn answered(request: &CertificateSigningRequest, certificate: &str) -> CertificateSigningRequest {
    let mut answered = request.clone();
    let status = answered.status.get_or_insert_with(CertificateSigningRequestStatus::default);
    status.certificate = Some(ByteString(certificate.as_bytes().to_vec()));
    answered
}

fn with_condition(
    request: &CertificateSigningRequest,
    type_: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> CertificateSigningRequest {
    let mut said = request.clone();
    let status = said.status.get_or_insert_with(CertificateSigningRequestStatus::default);
    let condition = CertificateSigningRequestCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.chars().take(SAID).collect()),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    };
    status.conditions.get_or_insert_default().push(condition);
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::testing;

    #[test]
    fn what_is_filed_says_whose_it_is_and_asks_one_signer() {
        let opening = testing::opening();
        let request = filed(&opening, "scorer", b"PEM");
        assert_eq!(request.metadata.generate_name.as_deref(), Some("comity-northpay-fraud-sandbox-"));
        let whose = &request.metadata.annotations.as_ref().unwrap()[name::ANNOTATION_ENROLS];
        assert_eq!(whose, "risk-data/northpay-fraud/sandbox/scorer");
        let labels: Vec<_> = request.metadata.labels.as_ref().unwrap().keys().collect();
        assert_eq!(labels, [name::LABEL_MANAGED_BY], "else Kubernetes couldn't delete it");
        assert_eq!(request.spec.signer_name, "comity.dev/external-workload");
        let done = answered(&approved(&request, "by a token", testing::now()), "CERTIFICATE");
        let status = done.status.unwrap();
        assert_eq!(status.conditions.unwrap()[0].type_, "Approved");
        assert_eq!(status.certificate.unwrap().0, b"CERTIFICATE");
    }
}
