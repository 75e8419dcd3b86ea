//! The endpoint's own certificate, by which callers know that they talk to it: signed by an authority that is
//! kept for that alone, and whose anchor is published in Comity's own namespace, for whoever hands out tokens.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::name;
use crate::pki::rotation::later;
use crate::pki::server::{Server, server};
use crate::pki::{Authority, Lifetime, PkiError, SpiffeId};
use crate::signer::build::{ANCHOR_KEY, CERTIFICATE_KEY, PRIVATE_KEY, TLS};
use crate::signer::error::SignError;
use crate::signer::talk::Talk;

/// How long the anchor lives: callers keep it, and nobody passes them another one.
const LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// How long the certificate lives. Its key is in memory alone.
const CERTIFICATE: SignedDuration = SignedDuration::from_hours(48);
/// How often another one takes its place.
pub const RENEWED_EVERY: SignedDuration = SignedDuration::from_hours(12);
/// In the ConfigMap: where the endpoint is.
const ADDRESS_KEY: &str = "url";

/// Whoever keeps it.
pub struct Keeper {
    talk: Talk,
    system: String,
    trust_domain: String,
    url: String,
}

impl Keeper {
    /// Keeps it in the namespace `system`, for an endpoint that callers find at `url`.
    pub const fn new(talk: Talk, system: String, trust_domain: String, url: String) -> Self {
        Self { talk, system, trust_domain, url }
    }

    /// A certificate for a server of these names, once its anchor is published.
    pub async fn certificate(&self, names: &[String], now: Timestamp) -> Result<Server, SignError> {
        let authority = self.authority(now).await?;
        self.publish(&authority).await?;
        let lifetime =
            Lifetime::of_leaf(now, CERTIFICATE, later(now, CERTIFICATE), authority.anchor().lifetime())?;
        Ok(server(&authority, names, lifetime).await?)
    }

    /// The authority that is kept, or a new one where there is none. One that can't be used is left for people
    /// to look at: callers wouldn't believe another.
    async fn authority(&self, now: Timestamp) -> Result<Authority, SignError> {
        if let Some(kept) = self.kept().await? {
            return kept;
        }
        let id = SpiffeId::of_trust_domain(&self.trust_domain)?;
        let lifetime = Lifetime::of_authority(now, CERTIFICATE, later(now, LIFETIME));
        let made = Authority::create(&id, "Comity enrolment", lifetime).await?;
        match self.talk.put(&self.secret(&made), None).await {
            Ok(()) => Ok(made),
            // Another replica was faster.
            Err(error) if error.code() == Some(409) => self.kept().await?.ok_or(error)?,
            Err(error) => Err(error),
        }
    }

    async fn kept(&self) -> Result<Option<Result<Authority, SignError>>, SignError> {
        let secret: Option<Secret> = self.talk.get(&self.system, name::ENROLMENT_SECRET).await?;
        Ok(secret.map(|secret| {
            let data = secret.data.unwrap_or_default();
            let part = |key: &str| data.get(key).map(|part| part.0.as_slice()).unwrap_or_default();
            Authority::parse(part(CERTIFICATE_KEY), part(PRIVATE_KEY)).map_err(|error: PkiError| error.into())
        }))
    }

    fn secret(&self, authority: &Authority) -> Secret {
        let anchor = authority.anchor().pem();
        let key = authority.stored();
        let parts = [(CERTIFICATE_KEY, anchor), (PRIVATE_KEY, key.reveal()), (ANCHOR_KEY, anchor)];
        let data = parts.map(|(key, text)| (key.to_owned(), ByteString(text.as_bytes().to_vec())));
        Secret {
            metadata: self.metadata(name::ENROLMENT_SECRET),
            type_: Some(TLS.to_owned()),
            data: Some(data.into()),
            ..Secret::default()
        }
    }

    async fn publish(&self, authority: &Authority) -> Result<(), SignError> {
        let anchor = (ANCHOR_KEY.to_owned(), authority.anchor().pem().to_owned());
        let data: BTreeMap<String, String> = [anchor, (ADDRESS_KEY.to_owned(), self.url.clone())].into();
        let published: Option<ConfigMap> = self.talk.get(&self.system, name::ENROLMENT_CONFIG_MAP).await?;
        if published.as_ref().is_some_and(|published| published.data.as_ref() == Some(&data)) {
            return Ok(());
        }
        let metadata = self.metadata(name::ENROLMENT_CONFIG_MAP);
        let wanted = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
        self.talk.put(&wanted, published.as_ref()).await
    }

    fn metadata(&self, name: &str) -> ObjectMeta {
        let labels = [(name::LABEL_MANAGED_BY.to_owned(), name::MANAGED_BY.to_owned())];
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.system.clone()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::testing::now;
    use crate::testing::api::FakeApi;

    const SECRET: &str = "/api/v1/namespaces/comity-system/secrets/comity-ca-enrolment";
    const PUBLISHED: &str = "/api/v1/namespaces/comity-system/configmaps/comity-trust-enrolment";

    fn keeper(api: &FakeApi) -> Keeper {
        let url = "https://enrol.retail.example".to_owned();
        Keeper::new(Talk::new(api.client()), "comity-system".to_owned(), "comity.local".to_owned(), url)
    }

    #[tokio::test]
    async fn its_anchor_is_made_once_and_published_before_anything_is_served() {
        let api = FakeApi::default();
        let names = ["enrol.retail.example".to_owned()];
        keeper(&api).certificate(&names, now()).await.unwrap();
        let (secret, published) = (api.get(SECRET).unwrap(), api.get(PUBLISHED).unwrap());
        assert!(published["data"]["ca.crt"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE"));
        assert!(!published.to_string().contains("PRIVATE KEY"));
        keeper(&api).certificate(&names, now() + SignedDuration::from_hours(9000)).await.unwrap();
        assert_eq!(
            (api.get(SECRET).unwrap(), api.get(PUBLISHED).unwrap()),
            (secret, published),
            "nothing is written"
        );
    }

    #[tokio::test]
    async fn an_anchor_that_cannot_be_used_is_replaced_by_nobody() {
        let api = FakeApi::default();
        let names = ["enrol.retail.example".to_owned()];
        keeper(&api).certificate(&names, now()).await.unwrap();
        api.change(SECRET, |secret| secret["data"]["tls.key"] = "AAAA".into());
        let error = keeper(&api).certificate(&names, now()).await.unwrap_err();
        assert_eq!(error.word(), "Certificate");
    }
}
