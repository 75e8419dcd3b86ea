//! Private keys: made, parsed and written as PEM, and overwritten in memory when they are done with.
//!
//! What is overwritten: the key in DER and in PEM, here and in Secrets that were read or are written; and by AWS-LC,
//! which overwrites whatever it frees, the key that it signs with. What isn't: copies that libraries make on the way,
//! which read and write base64 and JSON, and the buffers of the connection to the API server.

use pki_types::PrivatePkcs8KeyDer;
use pki_types::pem::PemObject as _;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::LONGEST_PEM;
use super::error::PkiError;
use super::signer::{Algorithm, Signer, Signing};

/// A P-256 private key. Says nothing of itself when printed; overwritten when dropped.
pub struct PrivateKey(KeyPair);

impl PrivateKey {
    /// A new key.
    pub fn generate() -> Result<Self, PkiError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|_discarded| PkiError::Library("make a key"))
    }

    /// The key in this PKCS #8 PEM. What the PEM holds never shows in the error.
    pub fn parse(pem: &[u8]) -> Result<Self, PkiError> {
        if pem.len() > LONGEST_PEM {
            return Err(PkiError::NotAKey);
        }
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_discarded| PkiError::NotAKey)?;
        let key = Zeroizing::new(key);
        KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|_discarded| PkiError::NotAKey)
    }

    /// The key as PKCS #8 PEM.
    pub fn pem(&self) -> SecretPem {
        SecretPem::new(self.0.serialize_pem())
    }

    /// The public half, as the `SubjectPublicKeyInfo` in DER that a certificate about it carries.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }
}

impl Signer for PrivateKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EcdsaP256
    }

    fn public_key(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
        let signature = self.0.sign(message).map_err(|_discarded| PkiError::Library("sign"));
        Box::pin(std::future::ready(signature))
    }

    fn stored(&self) -> SecretPem {
        self.pem()
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("PrivateKey(hidden)")
    }
}

/// A private key in PEM, or what somebody knows it by who keeps it, on its way into a Secret. Hidden when printed;
/// overwritten when dropped.
pub struct SecretPem(Zeroizing<String>);

impl SecretPem {
    /// This text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. Whoever asks for it answers for where it goes.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretPem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SecretPem(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_pem() {
        let key = PrivateKey::generate().unwrap();
        let again = PrivateKey::parse(key.pem().reveal().as_bytes()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
    }

    #[test]
    fn a_key_shows_nowhere() {
        let key = PrivateKey::generate().unwrap();
        let pem = key.pem();
        let secret: String = pem.reveal().lines().nth(1).unwrap().chars().take(20).collect();
        let broken = pem.reveal().replace("PRIVATE KEY-----\n", "PRIVATE KEY-----\n!");
        let error = PrivateKey::parse(broken.as_bytes()).unwrap_err();
        for shown in [format!("{key:?}"), format!("{pem:?}"), format!("{error:?}"), error.to_string()] {
            assert!(!shown.contains(&secret), "{shown}");
        }
    }

    #[test]
    fn other_keys_are_refused() {
        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let endless = "A".repeat(LONGEST_PEM + 1);
        for bad in [other.serialize_pem().as_bytes(), b"", b"\xff\xfe", endless.as_bytes()] {
            assert_eq!(PrivateKey::parse(bad).unwrap_err(), PkiError::NotAKey);
        }
    }
}
