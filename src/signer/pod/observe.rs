//! What stands of the pod that a certificate is asked for, of its account, and of the stage in whose
//! namespace it is.

use std::sync::Arc;

use futures::try_join;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::ResourceExt as _;

use super::request::Asked;
use super::stand;
use crate::api::PartnerGrant;
use crate::pki::policy::{self, Standing, Wish};
use crate::signer::Now;
use crate::signer::error::SignError;
use crate::signer::observe::{Found, Observer};
use crate::signer::opening::Opening;
use crate::signer::site::Site;
use crate::signer::talk::Talk;
use crate::signer::together::Together;

/// A stage, and what all pods of one ServiceAccount there have in common.
struct Ground {
    stage: Arc<(Opening, Option<Site>)>,
    /// The UID of the ServiceAccount; `None`: there is none of that name.
    account: Option<String>,
}

/// Looks at what stands for requests.
pub struct Lookout {
    talk: Talk,
    observer: Observer,
    /// What time it is.
    now: Now,
    /// Those who read how a stage stands, by its namespace.
    readers: Together<String, (Opening, Option<Site>)>,
    /// Those who read how a stage stands for a ServiceAccount, by its namespace and name.
    accounts: Together<(String, String), Ground>,
}

impl Lookout {
    /// Reads through `talk`, and of stages through `observer`. What is read is judged as of the time that it is read
    /// at, which may be later than that at which somebody asked.
    pub fn new(talk: Talk, observer: Observer, now: Now) -> Self {
        Self { talk, observer, now, readers: Together::default(), accounts: Together::default() }
    }

    /// Whose a namespace is, as the watches last told.
    pub fn cached(&self, place: &str, now: Timestamp) -> Found {
        self.observer.found(place, now)
    }

    /// The stage of an opening, as the watches last told.
    pub fn glance(&self, opening: &Opening) -> Option<policy::Stage> {
        stand::stage(opening, self.observer.cached_site(&opening.place()).as_ref())
    }

    /// Whether a namespace is nobody's stage, read at this moment.
    pub async fn is_nowhere(&self, place: &str) -> Result<bool, SignError> {
        let namespace = self.talk.get_cluster_wide::<Namespace>(place).await?;
        Ok(!namespace.is_some_and(|namespace| Site::from(namespace).is_a_stages()))
    }

    /// Whether the pod of a wish runs, read at this moment, as far as anybody lets the signer see.
    pub async fn has_started(&self, place: &str, wish: &Wish) -> Result<bool, SignError> {
        let found = match self.talk.get::<Pod>(place, &wish.pod.name).await {
            Err(error) if error.code() == Some(403) => None,
            found => found?,
        };
        let pod = found.as_ref().map(stand::pod);
        Ok(pod.is_some_and(|pod| pod.uid == wish.pod.uid && pod.has_started))
    }

    /// What stands of a wish, read at this moment, and the opening that it is about.
    pub async fn standing(
        &self,
        grant: &PartnerGrant,
        opening: &Opening,
        wish: &Wish,
    ) -> Result<(Opening, Standing), SignError> {
        let place = opening.place();
        let key = (place.clone(), wish.account.name.clone());
        let (ground, pod) = try_join!(
            self.accounts.read(key, || Box::pin(self.ground(grant, opening, &wish.account.name))),
            self.talk.get::<Pod>(&place, &wish.pod.name),
        )?;
        let (opening, site): &(Opening, Option<Site>) = &ground.stage;
        let standing = Standing {
            stage: stand::stage(opening, site.as_ref()),
            pod: pod.as_ref().map(stand::pod),
            account: ground.account.clone(),
        };
        Ok((opening.clone(), standing))
    }

    /// What stands of a stage and a ServiceAccount in its namespace, read at this moment.
    async fn ground(
        &self,
        grant: &PartnerGrant,
        opening: &Opening,
        account: &str,
    ) -> Result<Ground, SignError> {
        let place = opening.place();
        let (stage, account) = try_join!(
            self.readers.read(place.clone(), || Box::pin(self.observer.live(grant, opening, (self.now)()))),
            self.talk.get::<ServiceAccount>(&place, account),
        )?;
        Ok(Ground { stage, account: account.and_then(|account| account.uid()) })
    }

    /// Answers a request. That somebody was faster, or that it is gone, is just as well.
    pub async fn answer<K: Asked>(&self, answered: &K) -> Result<bool, SignError> {
        match self.talk.put_status(answered).await {
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(false),
            other => other.map(|()| true),
        }
    }
}
