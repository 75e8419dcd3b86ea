//! Trying things without effect, as somebody else: what `comity rehearse` asks of the API server.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, Resource as _};
use serde_json::{Value, json};

use super::apply::WriteError;
use super::outside::Outside;
use super::readable::Readable;
use crate::api::{RehearsalReport, name};

/// How many network policies are read at once, and how much of a namespace's in all, in bytes of JSON. Whoever may
/// write there can store more than a process can hold.
const PAGE: u32 = 16;
const MOST: usize = 4 << 20;
/// How many pods are looked at, to find one that runs.
const FEW: u32 = 8;

/// What was read, or why it couldn't be: it isn't there, or who asks may not. Other trouble passes.
pub type Read<T> = Result<T, String>;

/// How long an answer is awaited: longer than the API server awaits a webhook (30 s at most).
const PATIENCE: Duration = Duration::from_secs(40);

/// Whoever tries things.
#[derive(Clone)]
pub struct Trial {
    client: Client,
    outside: Outside,
}

/// What the API server answered to something that was tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It would be done, and would come to this.
    Yes(Value),
    /// Somebody says no, in these words.
    No(String),
    /// What it is about isn't there.
    Absent,
}

/// Whether somebody may do something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// They may.
    Yes,
    /// They may not.
    No,
    /// They may not, and whoever had to know couldn't say why not: the API server refuses it now, and may not later.
    Unknown(String),
}

impl Trial {
    /// Tries through this client, and asks outside of the cluster like this.
    pub const fn new(client: Client, outside: Outside) -> Self {
        Self { client, outside }
    }

    /// What is asked outside of the cluster.
    pub const fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Whether somebody may do something.
    pub async fn may(&self, spec: SubjectAccessReviewSpec) -> Result<Access, WriteError> {
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let answer = in_time(api.create(&PostParams::default(), &review)).await;
        let answer = answer.map_err(|error| WriteError::new("asking who may do what", error))?;
        let status = answer.status.unwrap_or_default();
        Ok(match status.evaluation_error {
            _ if status.allowed => Access::Yes,
            Some(error) if !error.is_empty() => Access::Unknown(error),
            _ => Access::No,
        })
    }

    /// What would come of a request: `method` and `path` of the API, as `user`, or as who this is.
    pub async fn dry_run(
        &self,
        user: Option<&str>,
        how: (&str, &str),
        path: &str,
        body: &Value,
    ) -> Result<Answer, WriteError> {
        let path = format!("{path}?dryRun=All&fieldManager={}", name::REHEARSE);
        self.send(user, how, &path, body).await
    }

    /// What came of a request as `user`: this one has its effect.
    pub async fn act(
        &self,
        user: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Answer, WriteError> {
        self.send(Some(user), (method, "application/json"), path, body).await
    }

    /// What `user` sees at a path of the API.
    pub async fn see(&self, user: &str, path: &str) -> Result<Answer, WriteError> {
        self.send(Some(user), ("GET", "application/json"), path, &Value::Null).await
    }

    async fn send(
        &self,
        user: Option<&str>,
        (method, media_type): (&str, &str),
        path: &str,
        body: &Value,
    ) -> Result<Answer, WriteError> {
        let what = || format!("trying {method} {}", path.split('?').next().unwrap_or_default());
        let mut request = Request::builder().method(method).uri(path).header("content-type", media_type);
        if let Some(user) = user {
            request = request.header("impersonate-user", user);
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = request.body(body);
        let request = request.map_err(|error| WriteError::new(what(), kube::Error::HttpError(error)))?;
        match in_time(self.client.request::<Value>(request)).await {
            Ok(object) => Ok(Answer::Yes(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Answer::Absent),
            // Whether this may speak for others is nothing that is tried.
            Err(kube::Error::Api(status))
                if matches!(status.code, 400 | 403 | 422) && !is_ours(&status.message) =>
            {
                Ok(Answer::No(status.message))
            }
            Err(error) => Err(WriteError::new(what(), error)),
        }
    }

    /// What a ConfigMap holds, if there is one.
    pub async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, WriteError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let found = in_time(api.get_opt(name)).await;
        found.map_err(|error| WriteError::new(format!("reading configmap {namespace}/{name}"), error))
    }

    /// Addresses behind a Service, those of the first few slices: whoever may write there can store more than a process can
    /// hold. One that can't be read is none.
    pub async fn endpoints(&self, namespace: &str, service: &str) -> Result<Vec<EndpointSlice>, WriteError> {
        let api: Api<Readable<EndpointSlice>> = Api::namespaced(self.client.clone(), namespace);
        let of_service = format!("kubernetes.io/service-name={service}");
        let found = in_time(api.list(&ListParams::default().labels(&of_service).limit(PAGE))).await;
        let what = || format!("looking what is behind service {namespace}/{service}");
        let found = found.map_err(|error| WriteError::new(what(), error))?;
        Ok(found.items.into_iter().filter_map(|slice| slice.found().ok()).collect())
    }

    /// A few pods of a namespace, those with a label if one is named, as `user` sees them. That they may not yet is
    /// trouble that passes.
    pub async fn pods(
        &self,
        user: &str,
        namespace: &str,
        label: Option<&str>,
    ) -> Result<Vec<Value>, WriteError> {
        let what = || format!("looking which pods run in {namespace}");
        let label =
            label.map(|label| format!("&labelSelector={}", label.replace('=', "%3D"))).unwrap_or_default();
        let path = format!("/api/v1/namespaces/{namespace}/pods?limit={FEW}{label}");
        let request = Request::get(path).header("impersonate-user", user).body(Vec::new());
        let request = request.map_err(|error| WriteError::new(what(), kube::Error::HttpError(error)))?;
        let mut found: Value =
            in_time(self.client.request(request)).await.map_err(|error| WriteError::new(what(), error))?;
        Ok(found["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// The labels of a namespace.
    pub async fn labels(&self, namespace: &str) -> Result<Read<BTreeMap<String, String>>, WriteError> {
        let api: Api<Readable<Namespace>> = Api::all(self.client.clone());
        let found = in_time(api.get(namespace)).await;
        let found = readable(format!("reading namespace {namespace}"), found)?;
        Ok(found.map(|found| found.meta().labels.clone().unwrap_or_default()))
    }

    /// The network policies of a namespace, as they are stored now; all of them, or none.
    pub async fn network_policies(&self, namespace: &str) -> Result<Read<Vec<NetworkPolicy>>, WriteError> {
        let api: Api<Readable<NetworkPolicy>> = Api::namespaced(self.client.clone(), namespace);
        let mut found = Vec::new();
        let (mut next, mut size) = (String::new(), 0_usize);
        loop {
            let mut page = ListParams::default().limit(PAGE);
            page.continue_token = Some(next).filter(|next| !next.is_empty());
            let page = in_time(api.list(&page)).await;
            let page = match readable(format!("reading the network policies of {namespace}"), page)? {
                Ok(page) => page,
                Err(why) => return Ok(Err(why)),
            };
            for policy in page.items {
                let Ok(policy) = policy.found() else {
                    return Ok(Err(format!("a network policy of {namespace} can't be read")));
                };
                size = size.saturating_add(json!(policy).to_string().len());
                found.push(policy);
            }
            if size > MOST {
                let most = MOST >> 20;
                return Ok(Err(format!("the network policies of {namespace} have more than {most} MiB")));
            }
            next = page.metadata.continue_.unwrap_or_default();
            if next.is_empty() {
                return Ok(Ok(found));
            }
        }
    }

    /// Stores a report. That there is one of that name means that it is done.
    pub async fn store(&self, namespace: &str, report: &RehearsalReport) -> Result<(), WriteError> {
        let api: Api<RehearsalReport> = Api::namespaced(self.client.clone(), namespace);
        let stored = in_time(api.create(&PostParams::default(), report)).await;
        let stored = stored.map_err(|error| WriteError::new("storing the report", error));
        match stored {
            Ok(_) | Err(WriteError::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What was read; or why not, where asking again brings nothing else.
fn readable<T>(what: String, found: Result<T, kube::Error>) -> Result<Read<T>, WriteError> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {
            Ok(Err(format!("{what}: {}", status.message)))
        }
        Err(error) => Err(WriteError::new(what, error)),
    }
}

/// What comes of a request, unless that takes too long: then it is an error like any other.
async fn in_time<T>(request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    let late = || kube::Error::Service(format!("no answer within {} s", PATIENCE.as_secs()).into());
    tokio::time::timeout(PATIENCE, request).await.unwrap_or_else(|_elapsed| Err(late()))
}

/// Whether it is `comity rehearse` itself that is refused: it hasn't been let in yet, or isn't any more.
fn is_ours(message: &str) -> bool {
    message.contains("cannot impersonate") || message.contains(&format!(":{}\" cannot", name::REHEARSE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::api::FakeApi;

    const PATH: &str = "/apis/networking.k8s.io/v1/namespaces/risk-data/networkpolicies";

    fn policy(name: &str, bytes: usize) -> Value {
        let annotations = json!({"padding": "x".repeat(bytes)});
        json!({"metadata": {"name": name, "namespace": "risk-data", "annotations": annotations}, "spec": {}})
    }

    #[tokio::test]
    async fn what_may_not_be_read_is_said_and_other_trouble_is_tried_again() {
        let server = FakeApi::default();
        let trial = Trial::new(server.client(), Outside::new(&[]));
        server.put(&format!("{PATH}/one"), policy("one", 0));
        server.put(
            "/api/v1/namespaces/risk-data",
            json!({"metadata": {"name": "risk-data", "labels": {"a": "b"}}}),
        );
        let policies = trial.network_policies("risk-data").await.unwrap().unwrap();
        assert_eq!(policies.len(), 1);
        assert_eq!(
            trial.labels("risk-data").await.unwrap().unwrap(),
            BTreeMap::from([("a".to_owned(), "b".to_owned())])
        );
        let absent = trial.labels("elsewhere").await.unwrap().unwrap_err();
        assert!(absent.contains("reading namespace elsewhere"), "{absent}");
        server.fail("networkpolicies", 403, 1);
        let kept = trial.network_policies("risk-data").await.unwrap().unwrap_err();
        assert!(kept.contains("reading the network policies of risk-data"), "{kept}");
        server.fail("networkpolicies", 503, 1);
        assert!(trial.network_policies("risk-data").await.is_err());
    }

    #[tokio::test]
    async fn more_policies_than_can_be_held_are_not_read_in_part() {
        let server = FakeApi::default();
        let trial = Trial::new(server.client(), Outside::new(&[]));
        server.put(&format!("{PATH}/one"), policy("one", MOST / 2));
        assert_eq!(trial.network_policies("risk-data").await.unwrap().unwrap().len(), 1);
        server.put(&format!("{PATH}/two"), policy("two", MOST / 2));
        let why = trial.network_policies("risk-data").await.unwrap().unwrap_err();
        assert!(why.contains("more than 4 MiB"), "{why}");
    }
}
