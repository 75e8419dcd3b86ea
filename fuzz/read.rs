//! What reads what strangers wrote. Each takes any bytes, ends soon, and never panics; what it makes of them is
//! for other tests to say. Shared by the fuzz targets, and by a test for those who have no fuzzer at hand.

use comity::pki::policy;
use comity::pki::requested::RequestedKey;
use comity::pki::{Anchor, Authority, Leaf, PrivateKey, bundle, foreign};
use comity::signer::pod::request::Asked as _;
use jiff::Timestamp;
use k8s_openapi::api::certificates::{v1, v1beta1};

/// Certificates, anchors, keys and bundles in PEM, and chains as they come over a connection.
pub fn pem(bytes: &[u8]) {
    drop((Leaf::parse(bytes), Anchor::parse(bytes), PrivateKey::parse(bytes)));
    drop(Authority::parse(bytes, bytes));
    let text = String::from_utf8_lossy(bytes);
    drop(bundle::end(&text));
    drop(foreign::vouched(&text, "northpay.example", &[bytes.to_vec()], Timestamp::UNIX_EPOCH));
}

/// Requests for certificates: of nodes, and of workloads on the partner's side.
pub fn pkcs10(bytes: &[u8]) {
    drop((RequestedKey::of_request(bytes), RequestedKey::of_public_key(bytes)));
    drop(RequestedKey::of_signed_request(bytes));
}

/// What nodes ask, annotations and all, in either version.
pub fn annotations(bytes: &[u8]) {
    if let Ok(asked) = serde_json::from_slice::<v1beta1::PodCertificateRequest>(bytes) {
        drop(policy::glance(&asked.wish(), None, Timestamp::UNIX_EPOCH));
    }
    if let Ok(asked) = serde_json::from_slice::<v1::PodCertificateRequest>(bytes) {
        drop(policy::glance(&asked.wish(), None, Timestamp::UNIX_EPOCH));
    }
}
