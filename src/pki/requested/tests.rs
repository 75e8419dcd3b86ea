//! Keys of every kind that Kubernetes lets a pod ask for, as OpenSSL makes them, and what isn't one.

use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData as _, SanType};

use super::*;
use crate::pki::{Lifetime, certify, testing};

/// Every kind, as rcgen calls it.
pub(crate) fn pairs() -> Vec<(KeyKind, KeyPair)> {
    let made = |kind, algorithm| (kind, KeyPair::generate_for(algorithm).unwrap());
    let rsa = |kind, size| (kind, KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap());
    vec![
        made(KeyKind::EcdsaP256, &rcgen::PKCS_ECDSA_P256_SHA256),
        made(KeyKind::EcdsaP384, &rcgen::PKCS_ECDSA_P384_SHA384),
        made(KeyKind::EcdsaP521, &rcgen::PKCS_ECDSA_P521_SHA512),
        made(KeyKind::Ed25519, &rcgen::PKCS_ED25519),
        rsa(KeyKind::Rsa3072, rcgen::RsaKeySize::_3072),
        rsa(KeyKind::Rsa4096, rcgen::RsaKeySize::_4096),
    ]
}

/// A request with nothing but the key, as a node makes it.
fn stub(pair: &KeyPair) -> Vec<u8> {
    request(pair, |params| params.distinguished_name = rcgen::DistinguishedName::new())
}

fn request(pair: &KeyPair, change: impl Fn(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    change(&mut params);
    params.serialize_request(pair).unwrap().der().to_vec()
}

#[test]
fn every_kind_of_key_is_certified_both_ways_and_the_certificate_is_about_it() {
    let authority = testing::authority();
    for (kind, pair) in pairs() {
        let info = pair.subject_public_key_info();
        for key in [RequestedKey::of_request(&stub(&pair)), RequestedKey::of_public_key(&info)] {
            let key = key.unwrap();
            assert_eq!(key.kind(), kind);
            let lifetime =
                Lifetime::of_pod(testing::now(), testing::ttl(), testing::end(), testing::ttl()).unwrap();
            let certified = testing::at_once(certify(&authority, &testing::id(), &key, lifetime)).unwrap();
            assert_eq!(certified.leaf.public_key(), info);
            assert_eq!(certified.leaf.lifetime(), lifetime);
            assert!(certified.leaf.signed_by(authority.anchor()), "{kind:?}");
        }
    }
}

#[test]
fn who_says_more_than_its_key_is_refused() {
    type Change = fn(&mut CertificateParams);
    let pair = KeyPair::generate().unwrap();
    let changes: [(&str, Change); 4] = [
        ("a subject", |params| params.distinguished_name.push(DnType::CommonName, "admin")),
        ("names or extensions", |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.subject_alt_names = vec![SanType::URI("spiffe://comity.local/a".try_into().unwrap())];
        }),
        ("names or extensions", |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        }),
        ("names or extensions", |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::Any];
        }),
    ];
    for (what, change) in changes {
        assert_eq!(RequestedKey::of_request(&request(&pair, change)), Err(KeyRefusal::SaysMore(what)));
    }
}

#[test]
fn keys_of_other_sizes_and_kinds_are_refused_in_words() {
    let small = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let refusal = RequestedKey::of_request(&stub(&small)).unwrap_err();
    assert_eq!(refusal, KeyRefusal::RsaSize { bits: 2048 });
    assert_eq!(refusal.to_string(), "an RSA key of 2048 bits: only 3072 and 4096 are certified");
    let curve = |info: Vec<u8>| RequestedKey::of_public_key(&info);
    let p256 = KeyPair::generate().unwrap().subject_public_key_info();
    // secp256k1 instead of P-256, and a point that is cut short.
    let other = replaced(
        &p256,
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x06],
    );
    assert_eq!(curve(other), Err(KeyRefusal::Curve));
    let compressed = replaced(&p256, &[0x03, 0x42, 0x00, 0x04], &[0x03, 0x42, 0x00, 0x02]);
    assert_eq!(curve(compressed), Err(KeyRefusal::Point));
    for (der, refusal) in [
        (vec![], KeyRefusal::Unreadable("PKCS #10")),
        (p256.clone(), KeyRefusal::Unreadable("PKCS #10")),
        ([stub(&small), vec![0]].concat(), KeyRefusal::Unreadable("PKCS #10")),
        (vec![0; 1_000_000], KeyRefusal::TooLong),
    ] {
        assert_eq!(RequestedKey::of_request(&der), Err(refusal));
    }
    assert_eq!(RequestedKey::of_public_key(&vec![0x30; 1_000_000]), Err(KeyRefusal::TooLong));
}

/// `text` with the only occurrence of `from` replaced.
fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = text.windows(from.len()).position(|window| window == from).unwrap();
    [&text[..at], to, &text[at + from.len()..]].concat()
}

#[test]
fn a_number_is_as_long_as_it_is_without_leading_zeros() {
    assert_eq!((bits(&[]), bits(&[0, 0]), bits(&[0, 0x80, 0]), bits(&[1])), (0, 0, 16, 1));
}

proptest! {
    #[test]
    fn nothing_that_is_sent_makes_it_stumble(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        (at, byte) in (0_usize..1000, any::<u8>()), cut in 0_usize..1000,
    ) {
        drop((RequestedKey::of_request(&bytes), RequestedKey::of_public_key(&bytes)));
        let pair = KeyPair::generate().unwrap();
        for mut der in [stub(&pair), pair.subject_public_key_info()] {
            let length = der.len();
            der[at % length] = byte;
            drop((RequestedKey::of_request(&der), RequestedKey::of_public_key(&der)));
            der.truncate(cut % length);
            let cut = RequestedKey::of_request(&der);
            prop_assert!(cut.is_err());
        }
    }
}
