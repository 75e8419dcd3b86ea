//! An authority: the anchor together with the key that signs.

use rcgen::Issuer;

use super::anchor::Anchor;
use super::error::PkiError;
use super::key::{PrivateKey, SecretPem};
use super::lifetime::Lifetime;
use super::profile;
use super::spiffe::SpiffeId;

/// The authority of one contract and stage. Its key never shows, and is overwritten when dropped.
#[derive(Debug)]
pub struct Authority {
    anchor: Anchor,
    key: PrivateKey,
}

impl Authority {
    /// A new authority with a new key. `id` is the trust domain, `common_name` what people call it.
    pub fn create(id: &SpiffeId, common_name: &str, lifetime: Lifetime) -> Result<Self, PkiError> {
        let key = PrivateKey::generate()?;
        let params = profile::authority(id, common_name, lifetime)?;
        let certificate = params
            .self_signed(key.pair())
            .map_err(|_discarded| PkiError::Library("make the authority's certificate"))?;
        let anchor = Anchor::parse(certificate.pem().as_bytes())?;
        Ok(Self { anchor, key })
    }

    /// An authority as it is stored: a certificate and a key that belong together.
    pub fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, PkiError> {
        let anchor = Anchor::parse(certificate)?;
        let key = PrivateKey::parse(key)?;
        if anchor.public_key() != key.public_key() {
            return Err(PkiError::KeyOfAnother);
        }
        Ok(Self { anchor, key })
    }

    /// What verifiers are given.
    pub const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The key, to be stored where only `comity sign` may read.
    pub fn key_pem(&self) -> SecretPem {
        self.key.pem()
    }

    /// What signs, within this module only.
    pub(super) fn issuer(&self) -> Result<Issuer<'static, &rcgen::KeyPair>, PkiError> {
        Issuer::from_ca_cert_der(&self.anchor.der().into(), self.key.pair())
            .map_err(|_discarded| PkiError::Library("sign with this authority"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing;

    #[test]
    fn an_authority_survives_being_stored() {
        let authority = testing::authority();
        let key = authority.key_pem();
        let again = Authority::parse(authority.anchor().pem().as_bytes(), key.reveal().as_bytes()).unwrap();
        assert_eq!(again.anchor(), authority.anchor());
        assert_eq!(again.anchor().common_name(), "Comity fraud-scoring sandbox");
        assert_eq!(again.anchor().id().as_str(), "spiffe://comity.local");
        assert_eq!(again.anchor().lifetime(), testing::authority_lifetime());
    }

    #[test]
    fn a_key_of_another_authority_is_refused() {
        let (one, other) = (testing::authority(), testing::authority());
        let error = Authority::parse(one.anchor().pem().as_bytes(), other.key_pem().reveal().as_bytes());
        assert_eq!(error.unwrap_err(), PkiError::KeyOfAnother);
        assert!(!one.anchor().same_authority(other.anchor()));
    }

    #[test]
    fn what_is_stored_wrongly_is_refused_without_a_word_of_the_key() {
        let authority = testing::authority();
        let certificate = authority.anchor().pem().to_owned();
        let key = authority.key_pem();
        let leaf = testing::leaf(&authority).certificate;
        for (certificate, key) in [
            ("", key.reveal()),
            (certificate.as_str(), ""),
            (key.reveal(), certificate.as_str()),
            (leaf.as_str(), key.reveal()),
            (certificate.get(..200).unwrap(), key.reveal()),
            (certificate.as_str(), key.reveal().get(..100).unwrap()),
        ] {
            let error = Authority::parse(certificate.as_bytes(), key.as_bytes()).unwrap_err();
            let line = key.lines().nth(1).unwrap_or("nothing").to_owned();
            assert!(!format!("{error} {error:?}").contains(&line), "{error}");
        }
    }
}
