//! Somebody who watches everything from outside, as the administrator, and writes down what they see.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use e2e::{Cluster, Result, eventually};
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::GroupVersionKind;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::history::{Deed, Kind, Seen, What};
use super::story::SOON;

/// What is watched: group, version, kind.
const WATCHED: [(Kind, &str, &str, &str); 15] = [
    (Kind::Namespace, "", "v1", "Namespace"),
    (Kind::RoleBinding, "rbac.authorization.k8s.io", "v1", "RoleBinding"),
    (Kind::NetworkPolicy, "networking.k8s.io", "v1", "NetworkPolicy"),
    (Kind::ResourceQuota, "", "v1", "ResourceQuota"),
    (Kind::ConfigMap, "", "v1", "ConfigMap"),
    (Kind::Secret, "", "v1", "Secret"),
    (Kind::Service, "", "v1", "Service"),
    (Kind::StagePolicy, "comity.dev", "v1alpha1", "StagePolicy"),
    (Kind::PartnerGrant, "comity.dev", "v1alpha1", "PartnerGrant"),
    (Kind::GrantRecord, "comity.dev", "v1alpha1", "GrantRecord"),
    (Kind::GrantDecision, "comity.dev", "v1alpha1", "GrantDecision"),
    (Kind::SharingContract, "comity.dev", "v1alpha1", "SharingContract"),
    (Kind::Partner, "comity.dev", "v1alpha1", "Partner"),
    (Kind::Dataset, "comity.dev", "v1alpha1", "Dataset"),
    (Kind::SharingBoundary, "comity.dev", "v1alpha1", "SharingBoundary"),
];

type Shared = Arc<Mutex<Vec<Seen>>>;

/// Somebody who watches.
pub struct Witness {
    seen: Shared,
    watches: Vec<JoinHandle<()>>,
}

impl Witness {
    /// Watches everything that concerns a story, from before it begins. `mark` is in the name of every
    /// stage's namespace of its.
    pub async fn begin(cluster: &Cluster, story: &str, mark: &str) -> Result<Self> {
        let seen = Shared::default();
        let mut watches = Vec::new();
        for (kind, group, version, name) in WATCHED {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, name));
            let api: Api<DynamicObject> = Api::all_with(cluster.client(), &resource);
            let from = api
                .list(&ListParams::default().limit(1))
                .await?
                .metadata
                .resource_version
                .unwrap_or_default();
            let scope = Scope { kind, story: story.to_owned(), stages: format!("comity-{mark}-") };
            watches.push(tokio::spawn(watch(api, from, scope, seen.clone())));
        }
        Ok(Self { seen, watches })
    }

    /// Writes down what somebody did.
    pub fn did(&self, deed: Deed) {
        held(&self.seen).push(Seen { at: Timestamp::now(), revision: None, what: What::Did(deed) });
    }

    /// Everything so far.
    pub fn history(&self) -> Vec<Seen> {
        held(&self.seen).clone()
    }

    /// Awaits that an object was seen that stands already.
    pub async fn has_seen(&self, uid: &str) -> Result<()> {
        eventually("the witness to see what is there", SOON, async || {
            let is_it = |seen: &Seen| matches!(&seen.what, What::Stands(_, object) if object["metadata"]["uid"] == uid);
            if held(&self.seen).iter().any(is_it) { Ok(()) } else { Err("it hasn't") }
        })
        .await
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

fn held(seen: &Shared) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What of a kind concerns a story.
struct Scope {
    kind: Kind,
    story: String,
    stages: String,
}

impl Scope {
    fn holds(&self, object: &DynamicObject) -> bool {
        let (namespace, name) = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
        let place = namespace.or(name).unwrap_or_default();
        place == self.story || place.starts_with(&self.stages)
    }
}

/// Watches a kind, on and on. A watch that ends goes on where it was.
async fn watch(api: Api<DynamicObject>, mut from: String, scope: Scope, seen: Shared) {
    loop {
        let Ok(stream) = api.watch(&WatchParams::default().disable_bookmarks(), &from).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let mut stream = std::pin::pin!(stream);
        while let Some(Ok(event)) = stream.next().await {
            let (object, gone) = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                WatchEvent::Deleted(object) => (object, true),
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(_) => break,
            };
            from = object.metadata.resource_version.clone().unwrap_or(from);
            if scope.holds(&object) {
                held(&seen).push(told(scope.kind, &object, gone));
            }
        }
    }
}

fn told(kind: Kind, object: &DynamicObject, gone: bool) -> Seen {
    let revision = object.metadata.resource_version.as_deref().and_then(|revision| revision.parse().ok());
    let mut object = serde_json::to_value(object).unwrap_or(Value::Null);
    // Who manages which field is most of an object, and says nothing here.
    object["metadata"]["managedFields"] = Value::Null;
    let object = Arc::new(object);
    let what = if gone { What::Gone(kind, object) } else { What::Stands(kind, object) };
    Seen { at: Timestamp::now(), revision: revision.or(Some(0)), what }
}
