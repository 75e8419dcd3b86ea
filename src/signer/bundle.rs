//! What a whole cluster may verify by, where the API server has it: for each contract's stage a `ClusterTrustBundle`
//! of its own, with the anchors that are believed now.
//!
//! There is none for all: whoever verified by that would let each contract's authority speak for every other's
//! stages. So they are read by name, and never by their signer alone.

use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::{v1, v1beta1};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::ca::{Chest, Ledger};
use super::decide::doomed;
use super::error::SignError;
use super::pod::SIGNER;
use super::talk::{ClusterWide, Talk};
use crate::api::name;

/// How long it counts which version the API server has.
const LOOKED: SignedDuration = SignedDuration::from_secs(60);

/// The versions in which such bundles are understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// From Kubernetes 1.33, where it is switched on.
    V1Beta1,
    /// From Kubernetes 1.37.
    V1,
}

/// Asks which version the API server has; `None`: none, or it can't be seen.
pub type Serves = Box<dyn Fn() -> BoxFuture<'static, Option<Version>> + Send + Sync>;

/// Whoever publishes them.
pub struct Bundles {
    talk: Talk,
    serves: Serves,
    looked: Mutex<Option<(Timestamp, Option<Version>)>>,
}

/// A bundle, in one of the versions.
pub trait Bundle: ClusterWide + Serialize + Clone {
    /// One of this name with these anchors.
    fn of(metadata: ObjectMeta, anchors: String) -> Self;
    /// Its anchors.
    fn anchors(&self) -> &str;
}

impl Bundle for v1::ClusterTrustBundle {
    fn of(metadata: ObjectMeta, anchors: String) -> Self {
        let signer_name = Some(SIGNER.to_owned());
        Self { metadata, spec: v1::ClusterTrustBundleSpec { signer_name, trust_bundle: anchors } }
    }

    fn anchors(&self) -> &str {
        &self.spec.trust_bundle
    }
}

impl Bundle for v1beta1::ClusterTrustBundle {
    fn of(metadata: ObjectMeta, anchors: String) -> Self {
        let signer_name = Some(SIGNER.to_owned());
        Self { metadata, spec: v1beta1::ClusterTrustBundleSpec { signer_name, trust_bundle: anchors } }
    }

    fn anchors(&self) -> &str {
        &self.spec.trust_bundle
    }
}

impl Bundles {
    /// Publishes through `talk`, in the version that `serves` says.
    pub fn new(talk: Talk, serves: Serves) -> Self {
        Self { talk, serves, looked: Mutex::default() }
    }

    /// Publishes the anchors of a ledger, where the API server has a place for them. That it refuses takes nothing
    /// from anybody else.
    pub async fn publish(&self, chest: &Chest, ledger: &Ledger, now: Timestamp) -> Result<(), SignError> {
        let published = match self.version(now).await {
            None => return Ok(()),
            Some(Version::V1Beta1) => self.keep::<v1beta1::ClusterTrustBundle>(chest, ledger).await,
            Some(Version::V1) => self.keep::<v1::ClusterTrustBundle>(chest, ledger).await,
        };
        match published {
            Err(error @ SignError::Refused { .. }) => {
                tracing::warn!(%chest, %error, "the anchors can't be published for the whole cluster");
                Ok(())
            }
            done => done,
        }
    }

    async fn keep<K: Bundle>(&self, chest: &Chest, ledger: &Ledger) -> Result<(), SignError> {
        let anchors = ledger.trust().pem().to_owned();
        let metadata = metadata(chest, ledger);
        let name = metadata.name.clone().unwrap_or_default();
        let live: Option<K> = self.talk.get_cluster_wide(&name).await?;
        match live {
            Some(live) if anchors.is_empty() => match doomed(live.meta()) {
                Some(doomed) => self.talk.delete_cluster_wide::<K>(&doomed).await,
                None => Ok(()),
            },
            Some(live) if live.anchors() == anchors && live.meta().labels == metadata.labels => Ok(()),
            Some(live) => {
                let metadata =
                    ObjectMeta { resource_version: live.meta().resource_version.clone(), ..metadata };
                self.talk.replace_cluster_wide(&K::of(metadata, anchors)).await
            }
            None if anchors.is_empty() => Ok(()),
            None => self.talk.create_cluster_wide(&K::of(metadata, anchors)).await.map(drop),
        }
    }

    /// The version that the API server has, looked for no longer than a minute ago.
    async fn version(&self, now: Timestamp) -> Option<Version> {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = looked.filter(|(at, _)| *at <= now && now.duration_since(*at) < LOOKED);
        if let Some((_, version)) = fresh {
            return version;
        }
        let version = (self.serves)().await;
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, version));
        version
    }
}

/// What a bundle is called, and of whom it is.
fn metadata(chest: &Chest, ledger: &Ledger) -> ObjectMeta {
    let kept = ledger.metadata("", name::trust_bundle(&chest.to_string()));
    ObjectMeta { namespace: None, ..kept }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signer::ca::{Phase, Slot};
    use crate::signer::testing::{authority, now, opening};
    use crate::testing::api::FakeApi;

    const AT: &str = "/apis/certificates.k8s.io/v1beta1/clustertrustbundles";

    fn ledger() -> Ledger {
        let anchor = authority().anchor().clone();
        Ledger::first(opening().owner(), opening().need(), anchor, Slot::First, now())
    }

    fn bundles(api: &FakeApi, version: Option<Version>) -> Bundles {
        Bundles::new(Talk::new(api.client()), Box::new(move || Box::pin(std::future::ready(version))))
    }

    fn own() -> String {
        format!("{AT}/{}", name::trust_bundle(&opening().chest().to_string()))
    }

    #[tokio::test]
    async fn each_contracts_stage_has_one_of_its_own_and_it_follows_the_ledger() {
        let (api, chest, mut ledger) = (FakeApi::default(), opening().chest(), ledger());
        let bundles = bundles(&api, Some(Version::V1Beta1));
        bundles.publish(&chest, &ledger, now()).await.unwrap();
        let found = api.get(&own()).unwrap();
        assert_eq!(found["spec"]["signerName"], "comity.dev/workload");
        assert_eq!(found["spec"]["trustBundle"], ledger.trust().pem());
        assert!(found["metadata"]["name"].as_str().unwrap().starts_with("comity.dev:workload:"));
        api.requests();
        bundles.publish(&chest, &ledger, now()).await.unwrap();
        assert!(api.writes().is_empty(), "nothing is written where nothing changed");
        api.change(&own(), |bundle| bundle["spec"]["trustBundle"] = json!("mine"));
        bundles.publish(&chest, &ledger, now()).await.unwrap();
        assert_eq!(api.writes(), [format!("PUT {}", own())]);
        assert_eq!(api.get(&own()).unwrap()["spec"]["trustBundle"], ledger.trust().pem());
        ledger.authorities.iter_mut().for_each(|entry| entry.phase = Phase::Retired);
        bundles.publish(&chest, &ledger, now()).await.unwrap();
        assert!(api.get(&own()).is_none(), "nobody is believed any more");
    }

    #[tokio::test]
    async fn where_it_is_not_served_nothing_is_asked_and_where_it_is_refused_nobody_is_kept() {
        let (api, chest, ledger) = (FakeApi::default(), opening().chest(), ledger());
        bundles(&api, None).publish(&chest, &ledger, now()).await.unwrap();
        assert!(api.requests().is_empty());
        api.fail(&format!("POST {AT}"), 403, 1);
        bundles(&api, Some(Version::V1Beta1)).publish(&chest, &ledger, now()).await.unwrap();
        assert!(api.get(&own()).is_none());
        let v1 = "/apis/certificates.k8s.io/v1/clustertrustbundles";
        bundles(&api, Some(Version::V1)).publish(&chest, &ledger, now()).await.unwrap();
        assert!(api.writes().iter().any(|request| request == &format!("POST {v1}")));
    }
}
