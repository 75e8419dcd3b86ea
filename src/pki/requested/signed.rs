//! Requests that come straight from who made the key: nobody has looked at their signature before.

use aws_lc_rs::signature::{ECDSA_P521_SHA512_ASN1, UnparsedPublicKey};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{
    OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA512,
};
use x509_parser::prelude::FromDer as _;

use super::{KeyKind, KeyRefusal, LONGEST, RequestedKey};

impl RequestedKey {
    /// The key of a PKCS #10 request in PEM that says nothing beside it, and is signed with that very key.
    ///
    /// What kind of key it is comes first: nothing is computed with one that isn't certified.
    pub fn of_signed_request(pem: &[u8]) -> Result<Self, KeyRefusal> {
        if pem.len() > LONGEST {
            return Err(KeyRefusal::TooLong);
        }
        let der = only_request(pem).ok_or(KeyRefusal::Unreadable("one PKCS #10 request in PEM"))?;
        signed(&der)
    }
}

fn signed(der: &[u8]) -> Result<RequestedKey, KeyRefusal> {
    let key = RequestedKey::of_request(der)?;
    match X509CertificationRequest::from_der(der) {
        Ok(([], request)) if is_its_own(&request, key.kind) => Ok(key),
        _ => Err(KeyRefusal::NotItsOwn),
    }
}

fn only_request(pem: &[u8]) -> Option<Vec<u8>> {
    if !pem.starts_with(b"-----BEGIN ") {
        return None;
    }
    let (rest, block) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    (block.label == "CERTIFICATE REQUEST" && rest.trim_ascii().is_empty()).then_some(block.contents)
}

fn is_its_own(request: &X509CertificationRequest<'_>, kind: KeyKind) -> bool {
    let algorithm = &request.signature_algorithm.algorithm;
    match kind {
        KeyKind::Rsa3072 | KeyKind::Rsa4096 => {
            let modern = [OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA];
            modern.contains(algorithm) && request.verify_signature().is_ok()
        }
        // The library that parses knows no P-521.
        KeyKind::EcdsaP521 => {
            let info = &request.certification_request_info;
            let key =
                UnparsedPublicKey::new(&ECDSA_P521_SHA512_ASN1, &info.subject_pki.subject_public_key.data);
            *algorithm == OID_SIG_ECDSA_WITH_SHA512
                && key.verify(info.raw, &request.signature_value.data).is_ok()
        }
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::Ed25519 => request.verify_signature().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;
    use crate::pki::requested::tests::pairs;

    fn request(pair: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        change(&mut params);
        params.serialize_request(pair).unwrap().pem().unwrap()
    }

    fn refusal(pem: &[u8]) -> KeyRefusal {
        RequestedKey::of_signed_request(pem).expect_err("it isn't certified")
    }

    #[test]
    fn every_kind_that_is_certified_is_taken_with_its_own_signature() {
        for (kind, pair) in pairs() {
            let pem = request(&pair, |_| ());
            assert_eq!(RequestedKey::of_signed_request(pem.as_bytes()).map(|key| key.kind()), Ok(kind));
        }
    }

    #[test]
    fn a_signature_by_another_key_or_none_is_refused() {
        for (kind, pair) in pairs() {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            let mut forged = params.serialize_request(&pair).unwrap().der().to_vec();
            assert_eq!(signed(&forged).map(|key| key.kind()), Ok(kind));
            *forged.last_mut().unwrap() ^= 1;
            assert!(RequestedKey::of_request(&forged).is_ok(), "but for its signature it is one");
            assert_eq!(signed(&forged), Err(KeyRefusal::NotItsOwn), "{kind:?}");
        }
    }

    #[test]
    fn what_says_more_or_something_else_is_refused() {
        let pair = KeyPair::generate().unwrap();
        let says_more = [
            request(&pair, |params| params.distinguished_name.push(DnType::CommonName, "admin")),
            request(&pair, |params| {
                params.subject_alt_names = vec![SanType::URI("spiffe://comity.local/a".try_into().unwrap())];
            }),
        ];
        for pem in says_more {
            assert!(matches!(refusal(pem.as_bytes()), KeyRefusal::SaysMore(_)));
        }
        let good = request(&pair, |_| ());
        for bad in [
            String::new(),
            format!("{good}{good}"),
            format!("words\n{good}"),
            good.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        ] {
            assert!(matches!(refusal(bad.as_bytes()), KeyRefusal::Unreadable(_)), "{bad}");
        }
        assert_eq!(refusal(&vec![b'-'; 1 << 20]), KeyRefusal::TooLong);
    }
}
