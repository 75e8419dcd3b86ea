//! The signer's requests. All of them are live reads and whole writes of single objects.
//!
//! They don't go through `kube::Api`, because the client logs an answer that it can't parse, word
//! for word, and an answer here may hold a private key. Objects are replaced whole rather than
//! applied: everything in them is the signer's, so what others added has to go.
#![expect(clippy::disallowed_types, reason = "this is where the signer talks to the API server")]

use std::time::Duration;

use http::Request as HttpRequest;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::core::{ClusterResourceScope, ObjectList, PartialObjectMeta, Request};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::decide::Doomed;
use super::error::SignError;
use crate::api::name;
use crate::cluster::readable::Readable;

/// How long an answer is waited for: others may wait for what is asked for here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A kind that lives in namespaces.
pub trait Namespaced: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned {}
impl<K> Namespaced for K where K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned
{}

/// A kind that doesn't.
pub trait ClusterWide: Resource<DynamicType = (), Scope = ClusterResourceScope> + DeserializeOwned {}
impl<K> ClusterWide for K where K: Resource<DynamicType = (), Scope = ClusterResourceScope> + DeserializeOwned {}

/// Whoever talks to the API server for the signer.
#[derive(Clone)]
pub struct Talk {
    client: Client,
}

impl Talk {
    /// Talks through this client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// An object as it stands now, or nothing.
    pub async fn get<K: Namespaced>(&self, namespace: &str, name: &str) -> Result<Option<K>, SignError> {
        self.read(&K::url_path(&(), Some(namespace)), name, &what::<K>("read", namespace, name)).await
    }

    /// A cluster-wide object as it stands now, or nothing.
    pub async fn get_cluster_wide<K: ClusterWide>(&self, name: &str) -> Result<Option<K>, SignError> {
        self.read(&K::url_path(&(), None), name, &what::<K>("read", "", name)).await
    }

    /// All objects of a cluster-wide kind as they stand now.
    pub async fn list_cluster_wide<K: ClusterWide + Clone>(&self) -> Result<Vec<K>, SignError> {
        let what = what::<K>("list", "", "");
        let request = Request::new(K::url_path(&(), None)).list(&ListParams::default());
        let answer = self
            .send(request.map_err(|_discarded| SignError::Unreadable { what: what.clone() })?, &what)
            .await?;
        parse_list(&answer, &what)
    }

    /// The objects of a kind in a namespace that have this label, as they stand now.
    pub async fn list<K: Namespaced + Clone>(
        &self,
        namespace: &str,
        label: &str,
    ) -> Result<Vec<K>, SignError> {
        let what = what::<K>("list", namespace, "");
        let request =
            Request::new(K::url_path(&(), Some(namespace))).list(&ListParams::default().labels(label));
        let answer = self
            .send(request.map_err(|_discarded| SignError::Unreadable { what: what.clone() })?, &what)
            .await?;
        parse_list(&answer, &what)
    }

    /// Writes an object whole over the one that was read, or makes it where there was none.
    ///
    /// Refused if it changed since, or if there is one after all.
    pub async fn put<K>(&self, object: &K, read: Option<&K>) -> Result<(), SignError>
    where
        K: Namespaced + Serialize + Clone,
    {
        let mut object = object.clone();
        object.meta_mut().resource_version = read.and_then(|read| read.meta().resource_version.clone());
        self.write(&object).await.map(drop)
    }

    /// Writes an object over the version that it names, or makes it where it names none. Gives the version
    /// that it then has. Refused if it changed since, or if there is one after all.
    pub async fn write<K: Namespaced + Serialize>(&self, object: &K) -> Result<String, SignError> {
        let (namespace, name) = place(object);
        let is_new = object.meta().resource_version.is_none();
        let what = what::<K>(if is_new { "create" } else { "replace" }, &namespace, &name);
        let (path, body) = (Request::new(K::url_path(&(), Some(&namespace))), bytes(object, &what)?);
        let request =
            if is_new { path.create(&params(), body) } else { path.replace(&name, &params(), body) };
        let request = request.map_err(|_discarded| SignError::Unreadable { what: what.clone() })?;
        let answer: PartialObjectMeta<K> = parse(&self.send(request, &what).await?, &what)?;
        Ok(answer.metadata.resource_version.unwrap_or_default())
    }

    /// Writes the status of an object over the one that was read. Refused if it changed since.
    pub async fn put_status<K: Namespaced + Serialize>(&self, object: &K) -> Result<(), SignError> {
        let (namespace, name) = place(object);
        let what = what::<K>("answer", &namespace, &name);
        let body = bytes(object, &what)?;
        let request = Request::new(K::url_path(&(), Some(&namespace)));
        let request = request.replace_subresource("status", &name, &params(), body);
        self.send(request.map_err(|_discarded| SignError::Unreadable { what: what.clone() })?, &what).await?;
        Ok(())
    }

    /// Makes an object that lives in no namespace, as it then stands.
    pub async fn create_cluster_wide<K: ClusterWide + Serialize>(&self, object: &K) -> Result<K, SignError> {
        let what = what::<K>("create", "", "");
        let request = Request::new(K::url_path(&(), None)).create(&params(), bytes(object, &what)?);
        let request = request.map_err(|_discarded| SignError::Unreadable { what: what.clone() })?;
        parse(&self.send(request, &what).await?, &what)
    }

    /// Writes a part of an object that lives in no namespace over the one that was read, as it then stands.
    /// Refused if it changed since.
    pub async fn put_part<K: ClusterWide + Serialize>(&self, part: &str, object: &K) -> Result<K, SignError> {
        let (_, name) = place(object);
        let what = what::<K>("answer", "", &name);
        let request = Request::new(K::url_path(&(), None));
        let request = request.replace_subresource(part, &name, &params(), bytes(object, &what)?);
        let request = request.map_err(|_discarded| SignError::Unreadable { what: what.clone() })?;
        parse(&self.send(request, &what).await?, &what)
    }

    /// Writes an object that lives in no namespace over the version that it names. Refused if it changed since.
    pub async fn replace_cluster_wide<K: ClusterWide + Serialize>(
        &self,
        object: &K,
    ) -> Result<(), SignError> {
        let (_, name) = place(object);
        let what = what::<K>("replace", "", &name);
        let request = Request::new(K::url_path(&(), None)).replace(&name, &params(), bytes(object, &what)?);
        let request = request.map_err(|_discarded| SignError::Unreadable { what: what.clone() })?;
        self.send(request, &what).await.map(drop)
    }

    /// Deletes this very object, which lives in no namespace. That it is gone already is just as well.
    pub async fn delete_cluster_wide<K: ClusterWide>(&self, doomed: &Doomed) -> Result<(), SignError> {
        self.remove(&K::url_path(&(), None), doomed, &what::<K>("delete", "", &doomed.name)).await
    }

    /// Deletes this very object. That it is gone already is just as well.
    pub async fn delete<K: Namespaced>(&self, namespace: &str, doomed: &Doomed) -> Result<(), SignError> {
        let what = what::<K>("delete", namespace, &doomed.name);
        self.remove(&K::url_path(&(), Some(namespace)), doomed, &what).await
    }

    async fn remove(&self, path: &str, doomed: &Doomed, what: &str) -> Result<(), SignError> {
        let preconditions = Preconditions { uid: Some(doomed.uid.clone()), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let request = Request::new(path).delete(&doomed.name, &params);
        let request = request.map_err(|_discarded| SignError::Unreadable { what: what.to_owned() })?;
        match self.send(request, what).await {
            Err(error) if error.code() != Some(404) => Err(error),
            _ => Ok(()),
        }
    }

    async fn read<K: DeserializeOwned>(
        &self,
        path: &str,
        name: &str,
        what: &str,
    ) -> Result<Option<K>, SignError> {
        let request = Request::new(path).get(name, &kube::api::GetParams::default());
        let request = request.map_err(|_discarded| SignError::Unreadable { what: what.to_owned() })?;
        match self.send(request, what).await {
            Ok(answer) => parse(&answer, what).map(Some),
            Err(error) if error.code() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, request: HttpRequest<Vec<u8>>, what: &str) -> Result<Zeroizing<String>, SignError> {
        match timeout(PATIENCE, self.client.request_text(request)).await {
            Ok(answer) => answer.map(Zeroizing::new).map_err(|error| SignError::of(what, error)),
            Err(_elapsed) => Err(SignError::Unreachable { what: what.to_owned() }),
        }
    }
}

/// Reads an object. Who set which field is passed over, where it keeps the rest from being read: whoever
/// may write an object may write there what can't be.
fn parse<K: DeserializeOwned>(answer: &str, what: &str) -> Result<K, SignError> {
    // What can be read as it is isn't copied: it may hold a key. And the parser's own words would quote
    // what it stumbled over.
    if let Ok(read) = serde_json::from_str(answer) {
        return Ok(read);
    }
    let read = serde_json::from_str::<Readable<K>>(answer).ok().and_then(|read| read.0.ok());
    read.ok_or_else(|| SignError::Unreadable { what: what.to_owned() })
}

/// Reads a list. One object that can't be read leaves it unread: nobody can say what it would have said.
fn parse_list<K: DeserializeOwned + Clone>(answer: &str, what: &str) -> Result<Vec<K>, SignError> {
    if let Ok(read) = serde_json::from_str::<ObjectList<K>>(answer) {
        return Ok(read.items);
    }
    let read = serde_json::from_str::<ObjectList<Readable<K>>>(answer).ok();
    let all = read.and_then(|read| read.items.into_iter().map(|one| one.0.ok()).collect());
    all.ok_or_else(|| SignError::Unreadable { what: what.to_owned() })
}

fn bytes<K: Serialize>(object: &K, what: &str) -> Result<Vec<u8>, SignError> {
    serde_json::to_vec(object).map_err(|_discarded| SignError::Unreadable { what: what.to_owned() })
}

fn place<K: Resource<DynamicType = ()>>(object: &K) -> (String, String) {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn what<K: Resource<DynamicType = ()>>(verb: &str, namespace: &str, name: &str) -> String {
    let kind = K::kind(&());
    if namespace.is_empty() {
        format!("{verb} {kind} {name}")
    } else {
        format!("{verb} {kind} {namespace}/{name}")
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(name::SIGN.to_owned()), ..PostParams::default() }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Pod, Service};
    use serde_json::json;

    use super::*;
    use crate::api::SharingBoundary;
    use crate::policy::testing::World;
    use crate::testing::api::FakeApi;

    /// An object with what a person wrote who wants nobody to read it.
    fn poisoned(object: impl Serialize) -> serde_json::Value {
        let mut object = serde_json::to_value(object).unwrap();
        object["metadata"]["managedFields"] = json!([{"manager": "x", "time": "9999-12-31T23:59:59Z"}]);
        object
    }

    #[tokio::test]
    async fn who_set_which_field_keeps_nothing_from_being_read() {
        let (api, world) = (FakeApi::default(), World::story());
        let service = json!({"metadata": {"name": "tx"}, "spec": {"selector": {"app": "tx"}}});
        api.put("/api/v1/namespaces/home/services/tx", poisoned(service));
        let boundaries = "/apis/comity.dev/v1alpha1/sharingboundaries";
        api.put(&format!("{boundaries}/all"), poisoned(&world.boundaries[0]));
        let talk = Talk::new(api.client());
        let service: Service = talk.get("home", "tx").await.unwrap().unwrap();
        assert!(service.spec.unwrap().selector.is_some());
        let all: Vec<SharingBoundary> = talk.list_cluster_wide().await.unwrap();
        assert_eq!(all.len(), 1);
        let mut broken = poisoned(&world.boundaries[0]);
        broken["spec"]["ceilings"] = json!("all");
        api.put(&format!("{boundaries}/broken"), broken);
        let all = talk.list_cluster_wide::<SharingBoundary>().await;
        assert!(matches!(all, Err(SignError::Unreadable { .. })), "it isn't left out");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_holds_nobody_for_ever() {
        let (service, _silent) =
            tower_test::mock::pair::<http::Request<kube::client::Body>, http::Response<kube::client::Body>>();
        let talk = Talk::new(kube::Client::new(service, "default"));
        let error = talk.get::<Pod>("home", "p").await.unwrap_err();
        assert!(matches!(error, SignError::Unreachable { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_quoted_nowhere() {
        let api = FakeApi::default();
        api.put("/api/v1/namespaces/home/pods/p", json!({"metadata": {"name": "p", "labels": "a secret"}}));
        let error = Talk::new(api.client()).get::<Pod>("home", "p").await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}
