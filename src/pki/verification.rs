//! Test only: what is issued, in the eyes of verifiers that know nothing of Comity: rustls-webpki,
//! which stands for every Rust service, and x509-parser for what the bytes say.

use jiff::{SignedDuration, Timestamp};
use pki_types::{CertificateDer, UnixTime};
use proptest::prelude::*;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::testing::at_once;
use super::{Anchor, Authority, Issued, Lifetime, PkiError, SpiffeId, issue, only_certificate, testing};

/// Asks rustls-webpki, for both ends of a connection.
fn verify(issued: &Issued, anchor: &Anchor, at: Timestamp) -> Result<(), webpki::Error> {
    let anchor = CertificateDer::from(anchor.der().to_vec());
    let anchors = [anchor_from_trusted_cert(&anchor)?];
    let leaf = CertificateDer::from(only_certificate(issued.certificate.as_bytes()).unwrap());
    let leaf = EndEntityCert::try_from(&leaf)?;
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_millis(
        u64::try_from(at.as_millisecond()).unwrap(),
    ));
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[], at, usage, None, None)?;
    }
    let names: Vec<&str> = leaf.valid_uri_names().collect();
    assert_eq!(names, [issued.leaf.id().as_str()]);
    assert_eq!(leaf.valid_dns_names().count(), 0);
    Ok(())
}

#[test]
fn its_own_authority_is_believed_and_no_other() {
    let (own, other) = (testing::authority(), testing::authority());
    let issued = testing::leaf(&own);
    assert_eq!(verify(&issued, own.anchor(), testing::now()), Ok(()));
    assert!(issued.leaf.signed_by(own.anchor()));
    // Same name, same trust domain, another key: of another stage, or of another contract.
    assert!(verify(&issued, other.anchor(), testing::now()).is_err());
    assert!(!issued.leaf.signed_by(other.anchor()));
}

#[test]
fn it_ends_by_itself() {
    let authority = testing::authority();
    let issued = testing::leaf(&authority);
    let end = issued.leaf.lifetime().not_after();
    assert_eq!(verify(&issued, authority.anchor(), end), Ok(()));
    let after = end + SignedDuration::from_secs(1);
    assert!(verify(&issued, authority.anchor(), after).is_err());
}

#[test]
fn an_authority_is_no_workload_and_a_workload_no_authority() {
    let authority = testing::authority();
    let issued = testing::leaf(&authority);
    let as_leaf = super::Leaf::parse(authority.anchor().pem().as_bytes());
    assert!(as_leaf.is_err());
    assert!(Anchor::parse(issued.certificate.as_bytes()).is_err());
}

#[test]
fn no_other_trust_domain_is_certified() {
    let id = SpiffeId::workload("spiffe://northpay.example/scorer").unwrap();
    let error = at_once(issue(&testing::authority(), &id, testing::now(), testing::ttl(), testing::end()))
        .unwrap_err();
    assert!(matches!(error, PkiError::OtherTrustDomain { .. }), "{error}");
}

#[test]
fn nothing_is_issued_at_or_after_the_end() {
    let authority = testing::authority();
    for late in [0, 1, 3_600] {
        let now = testing::end() + SignedDuration::from_secs(late);
        let issued = at_once(issue(&authority, &testing::id(), now, testing::ttl(), testing::end()));
        let error = issued.unwrap_err();
        assert!(matches!(error, PkiError::NothingLeft { .. }), "{error}");
    }
}

#[test]
fn the_profile_of_a_workload_is_the_standards() {
    let authority = testing::authority();
    let issued = testing::leaf(&authority);
    let der = only_certificate(issued.certificate.as_bytes()).unwrap();
    let (_rest, certificate) = X509Certificate::from_der(&der).unwrap();
    assert!(certificate.subject().iter().next().is_none(), "the subject is empty");
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical, "the only name is critical");
    assert!(matches!(names.value.general_names.as_slice(), [GeneralName::URI(_)]));
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.flags == 1, "digitalSignature, critical, and nothing else");
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && !constraints.value.ca);
    assert_eq!(certificate.raw_serial().len(), 20);
    let oids: Vec<String> =
        certificate.extensions().iter().map(|extension| extension.oid.to_id_string()).collect();
    // Authority key, names, key usage, purposes, own key, constraints: and nothing beyond.
    let expected = ["2.5.29.35", "2.5.29.17", "2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.19"];
    assert_eq!(oids, expected);
}

#[test]
fn the_profile_of_an_authority_is_the_standards() {
    let der = testing::authority().anchor().der().to_vec();
    let (_rest, certificate) = X509Certificate::from_der(&der).unwrap();
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.flags == 0b110_0000, "keyCertSign and cRLSign only");
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    assert!(certificate.name_constraints().unwrap().is_none());
    assert!(certificate.extended_key_usage().unwrap().is_none());
}

#[test]
fn serials_and_keys_are_never_used_twice() {
    let authority = testing::authority();
    let leaves: Vec<Issued> = (0..20).map(|_| testing::leaf(&authority)).collect();
    let serials: std::collections::BTreeSet<&str> = leaves.iter().map(|one| one.leaf.serial()).collect();
    let keys: std::collections::BTreeSet<&[u8]> = leaves.iter().map(|one| one.leaf.public_key()).collect();
    assert_eq!((serials.len(), keys.len()), (20, 20));
}

#[test]
fn a_certificate_with_one_bit_flipped_is_believed_by_nobody() {
    let authority = testing::authority();
    let issued = testing::leaf(&authority);
    let der = only_certificate(issued.certificate.as_bytes()).unwrap();
    let (_rest, own) = X509Certificate::from_der(authority.anchor().der()).unwrap();
    let (_rest, genuine) = X509Certificate::from_der(&der).unwrap();
    // All that is signed, which stands after the four bytes that say how long the whole is.
    for position in 4..4 + genuine.tbs_certificate.as_ref().len() {
        let mut forged = der.clone();
        forged[position] ^= 1;
        let Ok((_rest, certificate)) = X509Certificate::from_der(&forged) else { continue };
        assert!(certificate.verify_signature(Some(own.public_key())).is_err(), "byte {position}");
    }
}

/// Everything that reads what others may have written.
fn read_all(text: &[u8]) {
    drop((super::Leaf::parse(text), Anchor::parse(text), Authority::parse(text, text)));
    drop((super::PrivateKey::parse(text), super::bundle::end(&String::from_utf8_lossy(text))));
}

proptest! {
    #[test]
    fn nothing_that_is_stored_makes_it_stumble(
        noise in prop::collection::vec(any::<u8>(), 0..300), (at, byte) in (0_usize..4000, any::<u8>()),
        cut in 0_usize..4000,
    ) {
        read_all(&noise);
        let authority = testing::authority();
        let leaf = testing::leaf(&authority);
        let key = authority.stored();
        for pem in [authority.anchor().pem(), leaf.certificate.as_str(), key.reveal()] {
            let mut bytes = pem.as_bytes().to_vec();
            let length = bytes.len();
            bytes[at % length] = byte;
            read_all(&bytes);
            bytes.truncate(cut % length);
            read_all(&bytes);
            read_all(&[pem.as_bytes(), &noise].concat());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_issued_says_what_was_computed_and_verifies(
        start in 1_600_000_000_000_i64..4_000_000_000_000, ttl in 1_i64..2_000_000, left in 2_i64..4_000_000,
    ) {
        let now = Timestamp::from_millisecond(start).unwrap();
        let (ttl, end) = (SignedDuration::from_secs(ttl), now + SignedDuration::from_secs(left));
        let id = SpiffeId::of_trust_domain("comity.local").unwrap();
        let life = Lifetime::of_authority(now, ttl, end);
        let authority = at_once(Authority::create(&id, "property", life)).unwrap();
        match at_once(issue(&authority, &testing::id(), now, ttl, end)) {
            Ok(issued) => {
                let expected = Lifetime::of_leaf(now, ttl, end, authority.anchor().lifetime()).unwrap();
                prop_assert_eq!(issued.leaf.lifetime(), expected);
                prop_assert!(issued.leaf.lifetime().not_after() <= end);
                prop_assert_eq!(verify(&issued, authority.anchor(), now), Ok(()));
            }
            Err(error) => prop_assert!(ttl <= SignedDuration::from_secs(1), "{error}"),
        }
    }
}
