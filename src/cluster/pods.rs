//! The pods in a stage's namespace. No watch tells of them: they are looked at when something depends on it.

use http::Request as HttpRequest;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource as _;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::core::ObjectList;
use kube::core::request::{Error as RequestError, Request};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;

use super::apply::{WriteError, Writer, is_gone};
use super::readable::{Readable, Unmanaged, read};

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

impl Left {
    /// Of its metadata as JSON. What can't be read of it makes it one that has to be deleted.
    fn of(metadata: &Value) -> Self {
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let grace = &metadata["deletionGracePeriodSeconds"];
        let is_soon = grace.is_null() || grace.as_i64().is_some_and(|grace| grace <= i64::from(GRACE));
        Self {
            name: text("name"),
            uid: text("uid"),
            ending: !metadata["deletionTimestamp"].is_null() && is_soon,
        }
    }
}

impl<'de> Deserialize<'de> for Left {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Unmanaged::deserialize(deserializer).map(|Unmanaged(pod)| Self::of(&pod["metadata"]))
    }
}

/// A pod as it is answered; `None`: it says what can't be read.
#[derive(Clone)]
struct Whole(Left, Option<Pod>);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unmanaged(pod) = Unmanaged::deserialize(deserializer)?;
        let left = Left::of(&pod["metadata"]);
        let read = Readable::<Pod>::deserialize(pod).ok();
        Ok(Self(left, read.and_then(|read| read.0.ok())))
    }
}

/// How a page of a list is asked for.
type Asked = fn(&Request, &ListParams) -> Result<HttpRequest<Vec<u8>>, RequestError>;

impl Writer {
    /// The pods that are left in a namespace, by a live look.
    pub async fn pods(&self, namespace: &str) -> Result<Vec<Left>, WriteError> {
        let mut left = Vec::new();
        let pages = ListParams::default().limit(AT_ONCE);
        self.each_page(namespace, pages, Request::list_metadata, |page| left.extend(page)).await?;
        Ok(left)
    }

    /// All pods in a namespace that `objection` has something to say against, by a live look; `None` is
    /// one that can't be read. They are read a few at a time, and nothing else of them is kept.
    pub async fn pods_against<T>(
        &self,
        namespace: &str,
        objection: impl Fn(Option<&Pod>) -> Option<T>,
    ) -> Result<Vec<(Left, T)>, WriteError> {
        let mut found = Vec::new();
        let pages = ListParams::default().limit(WHOLE_AT_ONCE);
        let objected = |Whole(left, pod)| objection(pod.as_ref()).map(|objection| (left, objection));
        let take = |page: Vec<Whole>| found.extend(page.into_iter().filter_map(objected));
        self.each_page(namespace, pages, Request::list, take).await?;
        Ok(found)
    }

    /// Reads the pods of a namespace page by page, to the last.
    async fn each_page<T: DeserializeOwned + Clone>(
        &self,
        namespace: &str,
        mut next: ListParams,
        asked: Asked,
        mut take: impl FnMut(Vec<T>),
    ) -> Result<(), WriteError> {
        let pods = Request::new(Pod::url_path(&(), Some(namespace)));
        loop {
            let page = self.answer(asked(&pods, &next)).await;
            let page = page.and_then(|page| read::<ObjectList<T>>(&page));
            let page = page.map_err(|error| unseen(namespace, error))?;
            take(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => next = next.continue_token(&token),
                None => return Ok(()),
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
        let request = Request::new(Pod::url_path(&(), Some(namespace))).delete(name, &parameters);
        match self.answer(request).await {
            Err(error) if !is_gone(&error) => {
                Err(WriteError::new(format!("deleting Pod {namespace}/{name}"), error))
            }
            // What is left of it the next look shows.
            _ => Ok(()),
        }
    }
}

/// What is said where pods can't be looked at.
fn unseen(namespace: &str, error: kube::Error) -> WriteError {
    WriteError::new(format!("looking for pods in {namespace}"), error)
}

#[cfg(test)]
mod tests;
