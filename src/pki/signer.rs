//! Whoever signs with the key of an authority, wherever that key is: in memory, in a machine that never gives it
//! away, with somebody who is asked over the network. Nothing else signs certificates, or knows a key.
//!
//! A certificate is written twice: once to take down what is to be signed, and once more, with the same serial
//! number and the same times, around the signature that came back. So who signs is free to take its time, and is
//! handed nothing but bytes.

use std::sync::OnceLock;

use futures::future::BoxFuture;
use rcgen::{Certificate, PublicKeyData, SigningKey, SubjectPublicKeyInfo};

use super::error::PkiError;
use super::key::SecretPem;

/// How an authority's signatures are made. Both are understood by every verifier in wide use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// ECDSA on the curve P-256 with SHA-256.
    EcdsaP256,
    /// ECDSA on the curve P-384 with SHA-384.
    EcdsaP384,
}

/// A signature that is on its way: as X.509 writes it, which for ECDSA is the DER of `Ecdsa-Sig-Value`
/// (RFC 3279, section 2.2.3).
pub type Signing<'a> = BoxFuture<'a, Result<Vec<u8>, PkiError>>;

/// Whoever has the key of one authority, and signs with it.
pub trait Signer: std::fmt::Debug + Send + Sync {
    /// How it signs.
    fn algorithm(&self) -> Algorithm;

    /// The public half of its key, as `SubjectPublicKeyInfo` in DER.
    fn public_key(&self) -> Vec<u8>;

    /// Signs a message, which it digests itself. Where it can't just now: [`PkiError::Keeper`].
    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a>;

    /// What is stored in the authority's Secret to find this key again: the key itself in PEM, or, where somebody
    /// else keeps it, what they know it by.
    fn stored(&self) -> SecretPem;
}

/// Stands in for a key while a certificate is written.
pub(super) struct Pen {
    public: SubjectPublicKeyInfo,
    taken_down: OnceLock<Vec<u8>>,
    signature: Option<Vec<u8>>,
}

impl PublicKeyData for Pen {
    fn der_bytes(&self) -> &[u8] {
        self.public.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.public.algorithm()
    }
}

impl SigningKey for Pen {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let taken_down = self.taken_down.get_or_init(|| message.to_vec());
        // What was signed is what is written, or nothing is.
        if taken_down.as_slice() != message {
            return Err(rcgen::Error::RemoteKeyError);
        }
        Ok(self.signature.clone().unwrap_or_default())
    }
}

/// A certificate that is signed by `signer`. `write` writes it with whatever key it is given, and the same each time.
pub(super) async fn written(
    signer: &dyn Signer,
    write: impl Fn(&Pen) -> Result<Certificate, rcgen::Error>,
) -> Result<Certificate, PkiError> {
    let refused = |_discarded| PkiError::Library("write a certificate");
    let public = public(signer)?;
    let blank = Pen { public: public.clone(), taken_down: OnceLock::new(), signature: None };
    write(&blank).map_err(refused)?;
    let message = blank.taken_down.into_inner().unwrap_or_default();
    let signature = signer.sign(&message).await?;
    let filled = Pen { public, taken_down: OnceLock::from(message), signature: Some(signature) };
    write(&filled).map_err(refused)
}

/// The key of a signer, as it stands in certificates, if it is one for how it says that it signs.
fn public(signer: &dyn Signer) -> Result<SubjectPublicKeyInfo, PkiError> {
    let public =
        SubjectPublicKeyInfo::from_der(&signer.public_key()).map_err(|_discarded| PkiError::NotAKey)?;
    let named = match signer.algorithm() {
        Algorithm::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::EcdsaP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
    };
    (public.algorithm() == named).then_some(public).ok_or(PkiError::NotAKey)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rcgen::KeyPair;

    use super::*;
    use crate::pki::testing::{self, at_once};
    use crate::pki::{Authority, PrivateKey, SpiffeId, certify, issue};

    /// Signs, and can do so wrongly.
    #[derive(Debug)]
    struct Odd {
        key: KeyPair,
        algorithm: Algorithm,
        spoils: bool,
        signed: AtomicUsize,
    }

    impl Odd {
        fn new(kind: &'static rcgen::SignatureAlgorithm, algorithm: Algorithm) -> Self {
            let key = KeyPair::generate_for(kind).unwrap();
            Self { key, algorithm, spoils: false, signed: AtomicUsize::new(0) }
        }
    }

    impl Signer for Odd {
        fn algorithm(&self) -> Algorithm {
            self.algorithm
        }

        fn public_key(&self) -> Vec<u8> {
            self.key.subject_public_key_info()
        }

        fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
            let is_first = self.signed.fetch_add(1, Ordering::Relaxed) == 0;
            let message = if self.spoils && !is_first { b"something else" } else { message };
            let signature = SigningKey::sign(&self.key, message);
            Box::pin(std::future::ready(signature.map_err(|_discarded| PkiError::NotAKey)))
        }

        fn stored(&self) -> SecretPem {
            SecretPem::new("nowhere".to_owned())
        }
    }

    fn made(signer: Odd) -> Result<Authority, PkiError> {
        let id = SpiffeId::of_trust_domain("comity.local").unwrap();
        at_once(Authority::make(Arc::new(signer), &id, "Comity odd", testing::authority_lifetime()))
    }

    #[test]
    fn whoever_signs_signs_once_for_each_certificate_and_is_believed() {
        for (kind, algorithm) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::EcdsaP256),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Algorithm::EcdsaP384),
        ] {
            let authority = made(Odd::new(kind, algorithm)).unwrap();
            let issued = testing::leaf(&authority);
            assert!(issued.leaf.signed_by(authority.anchor()), "{algorithm:?}");
            assert_eq!(authority.stored().reveal(), "nowhere");
        }
    }

    #[test]
    fn a_key_that_is_not_for_how_it_signs_is_refused() {
        let wrong = Odd::new(&rcgen::PKCS_ECDSA_P384_SHA384, Algorithm::EcdsaP256);
        assert_eq!(made(wrong).unwrap_err(), PkiError::NotAKey);
        let other = Odd::new(&rcgen::PKCS_ED25519, Algorithm::EcdsaP256);
        assert_eq!(made(other).unwrap_err(), PkiError::NotAKey);
    }

    #[test]
    fn what_is_not_signed_rightly_never_leaves() {
        let authority =
            made(Odd { spoils: true, ..Odd::new(&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::EcdsaP256) })
                .unwrap();
        let (id, now) = (testing::id(), testing::now());
        let issued = at_once(issue(&authority, &id, now, testing::ttl(), testing::end()));
        assert_eq!(issued.unwrap_err(), PkiError::Missigned);
        let [request, _] = testing::requested();
        let key = crate::pki::RequestedKey::of_request(&request).unwrap();
        let life = testing::leaf(&testing::authority()).leaf.lifetime();
        assert_eq!(at_once(certify(&authority, &id, &key, life)).unwrap_err(), PkiError::Missigned);
    }

    #[test]
    fn a_generated_key_is_a_signer_like_any_other() {
        let key = PrivateKey::generate().unwrap();
        let signer: &dyn Signer = &key;
        assert_eq!(signer.algorithm(), Algorithm::EcdsaP256);
        assert_eq!(signer.stored().reveal(), key.pem().reveal());
        assert!(at_once(signer.sign(b"message")).is_ok());
    }
}
