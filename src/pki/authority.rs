//! An authority: the anchor together with the key that signs.

use std::sync::Arc;

use rcgen::{Certificate, CertificateParams, Issuer, PublicKeyData};

use super::anchor::Anchor;
use super::error::PkiError;
use super::key::{PrivateKey, SecretPem};
use super::lifetime::Lifetime;
use super::profile;
use super::signer::{Signer, written};
use super::spiffe::SpiffeId;

/// The authority of one contract and stage. Whoever signs for it has its key; where that is here, it never shows,
/// and is overwritten when dropped.
#[derive(Debug)]
pub struct Authority {
    anchor: Anchor,
    signer: Arc<dyn Signer>,
}

impl Authority {
    /// A new authority with a new key. `id` is the trust domain, `common_name` what people call it.
    pub async fn create(id: &SpiffeId, common_name: &str, lifetime: Lifetime) -> Result<Self, PkiError> {
        Self::make(Arc::new(PrivateKey::generate()?), id, common_name, lifetime).await
    }

    /// A new authority with this key. `id` is the trust domain, `common_name` what people call it.
    pub async fn make(
        signer: Arc<dyn Signer>,
        id: &SpiffeId,
        common_name: &str,
        lifetime: Lifetime,
    ) -> Result<Self, PkiError> {
        let params = profile::authority(id, common_name, lifetime)?;
        let certificate = written(signer.as_ref(), |pen| params.self_signed(pen)).await?;
        // Read back, which verifies that it is signed by itself.
        Self::of(Anchor::parse(certificate.pem().as_bytes())?, signer)
    }

    /// An authority as it is stored: a certificate and a key that belong together.
    pub fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, PkiError> {
        let anchor = Anchor::parse(certificate)?;
        Self::of(anchor, Arc::new(PrivateKey::parse(key)?))
    }

    /// An anchor and who signs for it, if they belong together.
    pub fn of(anchor: Anchor, signer: Arc<dyn Signer>) -> Result<Self, PkiError> {
        if anchor.public_key() != signer.public_key() {
            return Err(PkiError::KeyOfAnother);
        }
        Ok(Self { anchor, signer })
    }

    /// What verifiers are given.
    pub const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// What is stored to find its key again, where only `comity sign` may read: mostly the key itself.
    pub fn stored(&self) -> SecretPem {
        self.signer.stored()
    }

    /// A certificate about this key that it signs, within this module only.
    pub(super) async fn sign(
        &self,
        params: &CertificateParams,
        key: &(impl PublicKeyData + Sync),
    ) -> Result<Certificate, PkiError> {
        let own = self.anchor.der().into();
        let certificate =
            written(self.signer.as_ref(), |pen| params.signed_by(key, &Issuer::from_ca_cert_der(&own, pen)?));
        let certificate = certificate.await?;
        self.anchor.has_signed(certificate.der()).then_some(certificate).ok_or(PkiError::Missigned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing;

    #[test]
    fn an_authority_survives_being_stored() {
        let authority = testing::authority();
        let key = authority.stored();
        let again = Authority::parse(authority.anchor().pem().as_bytes(), key.reveal().as_bytes()).unwrap();
        assert_eq!(again.anchor(), authority.anchor());
        assert_eq!(again.anchor().common_name(), "Comity fraud-scoring sandbox");
        assert_eq!(again.anchor().id().as_str(), "spiffe://comity.local");
        assert_eq!(again.anchor().lifetime(), testing::authority_lifetime());
    }

    #[test]
    fn a_key_of_another_authority_is_refused() {
        let (one, other) = (testing::authority(), testing::authority());
        let error = Authority::parse(one.anchor().pem().as_bytes(), other.stored().reveal().as_bytes());
        assert_eq!(error.unwrap_err(), PkiError::KeyOfAnother);
        assert!(!one.anchor().same_authority(other.anchor()));
    }

    #[test]
    fn what_is_stored_wrongly_is_refused_without_a_word_of_the_key() {
        let authority = testing::authority();
        let certificate = authority.anchor().pem().to_owned();
        let key = authority.stored();
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
