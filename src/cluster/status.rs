//! Statuses, each written only when it says something new, and never twice although a watch lags.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::apply::{WriteError, is_gone};
use super::catalogue::Catalogue;
use super::clock::Clock;
use super::readable::Readable;
use crate::api::boundary::SharingBoundaryStatus;
use crate::api::contract::SharingContractStatus;
use crate::api::dataset::DatasetStatus;
use crate::api::decision::GrantDecisionStatus;
use crate::api::enforcement::brief;
use crate::api::grant::PartnerGrantStatus;
use crate::api::name;
use crate::api::partner::PartnerStatus;

/// What a controller needs that only says how things stand.
#[derive(Debug)]
pub struct Context {
    /// What stands.
    pub catalogue: Arc<Catalogue>,
    /// Where it is said.
    pub statuses: Statuses,
    /// What time it is.
    pub clock: Clock,
}

/// A status that can be kept in little room.
pub trait Brief: Clone + PartialEq + Serialize {
    /// As much of it as is kept: what is asked for, and enough to tell whether the same is said again.
    /// A brief is its own brief.
    #[must_use]
    fn brief(self) -> Self {
        self
    }
}

impl Brief for SharingBoundaryStatus {}
impl Brief for SharingContractStatus {}
impl Brief for PartnerStatus {}
impl Brief for DatasetStatus {}
impl Brief for GrantDecisionStatus {}

impl Brief for PartnerGrantStatus {
    fn brief(self) -> Self {
        Self { enforcement: brief(&self.enforcement), ..self }
    }
}

/// What was written of objects and no watch has told of yet.
#[derive(Debug, Default)]
pub struct Said(Mutex<HashMap<String, Saying>>);

/// The status of an object that was written.
#[derive(Debug)]
struct Saying {
    /// Its brief, as JSON.
    brief: String,
    /// The version that the object then had.
    version: String,
}

impl Said {
    /// Whether an object that a watch tells of is just what it was when its status was written. That is
    /// known then, and forgotten here.
    pub fn is_echo<K: Resource>(&self, object: &K) -> bool {
        let mut said = self.all();
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let is_echo =
            said.get(uid).is_some_and(|said| object.meta().resource_version.as_ref() == Some(&said.version));
        if is_echo {
            said.remove(uid);
        }
        is_echo
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Saying>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes statuses.
pub struct Statuses {
    client: Client,
    said: Arc<Said>,
}

impl std::fmt::Debug for Statuses {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Statuses").finish_non_exhaustive()
    }
}

impl Statuses {
    /// Writes with `client`, and leaves in `said` what was written.
    pub fn new(client: Client, said: &Arc<Said>) -> Self {
        Self { client, said: Arc::clone(said) }
    }

    /// The status that an object has, in brief and as far as is known: what was written of it last,
    /// although no watch has told of it yet, else `told`.
    pub fn known<K: Resource, S: DeserializeOwned>(&self, object: &K, told: Option<S>) -> Option<S> {
        let uid = object.meta().uid.clone().unwrap_or_default();
        let mut said = self.said.all();
        let Some(Saying { brief, version }) = said.get(&uid) else { return told };
        if number(object.meta().resource_version.as_deref()) < number(Some(version)) {
            return serde_json::from_str(brief).ok();
        }
        said.remove(&uid);
        told
    }

    /// Says `new` of an object whose status is [`known`](Self::known) to be `old`; nothing where
    /// that says it already.
    pub async fn say<K, S>(&self, object: &K, old: Option<&S>, new: &S) -> Result<(), WriteError>
    where
        K: Resource<DynamicType = ()>,
        S: Brief,
    {
        let brief = new.clone().brief();
        if old.is_some_and(|old| old.clone().brief() == brief) {
            return Ok(());
        }
        let version = self.write(object, new).await?;
        let saying = Saying { brief: serde_json::to_string(&brief).unwrap_or_default(), version };
        self.said.all().insert(object.meta().uid.clone().unwrap_or_default(), saying);
        Ok(())
    }

    /// Forgets what was said of an object that is going.
    pub fn forget<K: Resource>(&self, object: &K) {
        self.said.all().remove(&object.meta().uid.clone().unwrap_or_default());
    }

    /// Applies a status. Gives the resource version that the object then has.
    async fn write<K>(&self, object: &K, status: &impl Serialize) -> Result<String, WriteError>
    where
        K: Resource<DynamicType = ()>,
    {
        let name = object.name_any();
        let body: Value = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": {"name": name, "namespace": object.namespace(), "uid": object.uid()},
            "status": status,
        });
        let parameters = PatchParams::apply(name::RUN).force();
        let api = self.api::<K>(object.namespace().as_deref());
        match api.patch_status(&name, &parameters, &Patch::Apply(&body)).await {
            Ok(written) => Ok(written.resource_version().unwrap_or_default()),
            // Somebody else's object of that name, or none: there is nothing to say of it.
            Err(error) if is_gone(&error) => Ok(String::new()),
            Err(error) => Err(WriteError::new(format!("writing the status of {name}"), error)),
        }
    }

    fn api<K: Resource<DynamicType = ()>>(&self, namespace: Option<&str>) -> Api<Readable<DynamicObject>> {
        let resource = ApiResource::erase::<K>(&());
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// Resource versions are ordered numbers (KEP-5504); what can't be read is the oldest.
fn number(version: Option<&str>) -> u64 {
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Partner;
    use crate::api::condition::{ConditionType, Finding, Reason, merge};
    use crate::api::partner::{PartnerSpec, PartnerStatus};
    use crate::testing::api::FakeApi;

    fn status(message: &str) -> PartnerStatus {
        let finding = Finding::yes(ConditionType::Ready, Reason::Accepted, message);
        let conditions = merge(&[], &[finding], Some(1), jiff::Timestamp::UNIX_EPOCH);
        PartnerStatus { observed_generation: Some(1), conditions }
    }

    fn partner(version: &str) -> Partner {
        let mut partner = Partner::new("northpay", PartnerSpec::default());
        partner.metadata.uid = Some("p".to_owned());
        partner.metadata.resource_version = Some(version.to_owned());
        partner
    }

    async fn say(statuses: &Statuses, object: &Partner, told: Option<&PartnerStatus>, new: &PartnerStatus) {
        let known = statuses.known(object, told.cloned());
        statuses.say(object, known.as_ref(), new).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_just_said_isnt_said_again_although_the_watch_lags() {
        let api = FakeApi::default();
        let statuses = Statuses::new(api.client(), &Arc::default());
        let (stale, said) = (partner("0"), status("as it should be"));
        for _ in 0..3 {
            say(&statuses, &stale, None, &said).await;
        }
        assert_eq!(api.writes(), ["PATCH /apis/comity.dev/v1alpha1/partners/northpay/status"]);
        assert_eq!(statuses.known::<_, PartnerStatus>(&stale, None), Some(said), "and it is known");
        say(&statuses, &stale, None, &status("something new")).await;
        assert_eq!(api.writes().len(), 1, "something new is said at once");
    }

    #[tokio::test]
    async fn what_somebody_else_wrote_over_is_said_again() {
        let api = FakeApi::default();
        let statuses = Statuses::new(api.client(), &Arc::default());
        let said = status("as it should be");
        say(&statuses, &partner("0"), None, &said).await;
        say(&statuses, &partner("99"), Some(&status("a lie")), &said).await;
        assert_eq!(api.writes().len(), 2);
        say(&statuses, &partner("100"), Some(&said), &said).await;
        assert!(api.writes().is_empty(), "it stands");
    }
}
