//! The pods in a stage's namespace. No watch tells of them: they are looked at when something depends on it.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PartialObjectMeta, Preconditions};

use super::apply::{WriteError, Writer, is_gone};

/// How many seconds a pod has to end by itself, whatever it asks for, once it has to go.
const GRACE: u32 = 30;

/// How many pods are looked at and deleted at once.
const AT_ONCE: u32 = 500;

/// How many pods are read whole at once.
const WHOLE_AT_ONCE: u32 = 50;

/// A pod that is left in a namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Left {
    /// Its name.
    pub name: String,
    /// Its UID: no namesake is deleted.
    pub uid: String,
    /// Whether it is on its way out, and soon enough. Deleting it again would change nothing.
    pub ending: bool,
}

impl From<ObjectMeta> for Left {
    fn from(metadata: ObjectMeta) -> Self {
        Self {
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            ending: metadata.deletion_timestamp.is_some()
                && metadata.deletion_grace_period_seconds.is_none_or(|grace| grace <= i64::from(GRACE)),
        }
    }
}

impl Writer {
    /// The pods that are left in a namespace, by a live look; of very many, the first.
    pub async fn pods(&self, namespace: &str) -> Result<Vec<Left>, WriteError> {
        let first = ListParams::default().limit(AT_ONCE);
        let found = self.pods_of(namespace).list_metadata(&first).await;
        let found = found.map_err(|error| unseen(namespace, error))?;
        Ok(found.items.into_iter().map(|pod: PartialObjectMeta<Pod>| Left::from(pod.metadata)).collect())
    }

    /// All pods in a namespace that `objection` has something to say against, by a live look. They are read
    /// a few at a time, and nothing else of them is kept.
    pub async fn pods_against<T>(
        &self,
        namespace: &str,
        objection: impl Fn(&Pod) -> Option<T>,
    ) -> Result<Vec<(Left, T)>, WriteError> {
        let pods = self.pods_of(namespace);
        let mut next = ListParams::default().limit(WHOLE_AT_ONCE);
        let mut found = Vec::new();
        loop {
            let page = pods.list(&next).await.map_err(|error| unseen(namespace, error))?;
            let objected = |pod: Pod| objection(&pod).map(|objection| (Left::from(pod.metadata), objection));
            found.extend(page.items.into_iter().filter_map(objected));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => next = next.continue_token(&token),
                None => return Ok(found),
            }
        }
    }

    /// Deletes each of these pods that isn't on its way out, and gives the first error then.
    pub async fn delete_pods(&self, namespace: &str, left: &[Left]) -> Result<(), WriteError> {
        let mut came = Ok(());
        for pod in left.iter().filter(|pod| !pod.ending) {
            came = came.and(self.delete_pod(namespace, pod).await);
        }
        came
    }

    /// Deletes a pod, if it is still the one with this UID.
    pub async fn delete_pod(&self, namespace: &str, Left { name, uid, .. }: &Left) -> Result<(), WriteError> {
        let only_this = Preconditions { uid: Some(uid.clone()), resource_version: None };
        let parameters = DeleteParams {
            grace_period_seconds: Some(GRACE),
            preconditions: Some(only_this),
            ..DeleteParams::default()
        };
        match self.pods_of(namespace).delete(name, &parameters).await {
            Err(error) if !is_gone(&error) => {
                Err(WriteError::new(format!("deleting Pod {namespace}/{name}"), error))
            }
            _ => Ok(()),
        }
    }

    fn pods_of(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// What is said where pods can't be looked at.
fn unseen(namespace: &str, error: kube::Error) -> WriteError {
    WriteError::new(format!("looking for pods in {namespace}"), error)
}
