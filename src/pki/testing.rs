//! Test only: one authority, one workload, one point in time.

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData as _};

use super::{Authority, Issued, Lifetime, SpiffeId, issue};

/// What comes of signing with a key that is here: nobody has to be waited for.
pub fn at_once<T>(signing: impl Future<Output = T>) -> T {
    futures::FutureExt::now_or_never(signing).unwrap()
}

/// The time of every test that needs one.
pub fn now() -> Timestamp {
    "2026-12-01T12:00:00.123Z".parse().unwrap()
}

/// The recorded end of the stage.
pub fn end() -> Timestamp {
    now() + SignedDuration::from_hours(48)
}

/// The credential lifetime.
pub fn ttl() -> SignedDuration {
    SignedDuration::from_hours(2)
}

/// The workload.
pub fn id() -> SpiffeId {
    let path = "partner/northpay/grant/risk-data/northpay-fraud/sandbox/1a2b3c4d/scorer";
    SpiffeId::workload(&format!("spiffe://comity.local/{path}")).unwrap()
}

/// From when until when the authority lives.
pub fn authority_lifetime() -> Lifetime {
    Lifetime::of_authority(now(), ttl(), end())
}

/// An authority with a new key.
pub fn authority() -> Authority {
    let id = SpiffeId::of_trust_domain("comity.local").unwrap();
    at_once(Authority::create(&id, "Comity fraud-scoring sandbox", authority_lifetime())).unwrap()
}

/// A certificate of the workload, issued now.
pub fn leaf(authority: &Authority) -> Issued {
    at_once(issue(authority, &id(), now(), ttl(), end())).unwrap()
}

/// A new key as nodes ask for it: as PKCS #10 that says nothing else, and as a public key.
pub fn requested() -> [Vec<u8>; 2] {
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    [params.serialize_request(&pair).unwrap().der().to_vec(), pair.subject_public_key_info()]
}

/// The one certificate in this PEM, as it comes over a connection.
pub fn der(pem: &str) -> Vec<u8> {
    super::only_certificate(pem.as_bytes()).unwrap()
}
