//! Trying things without effect, as somebody else: what `comity rehearse` asks of the API server.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use http::Request;
use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::Value;

use super::apply::WriteError;
use crate::api::{RehearsalReport, name};

/// Whoever tries things.
#[derive(Clone)]
pub struct Trial {
    client: Client,
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

impl Trial {
    /// Tries through this client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// Whether somebody may do something.
    pub async fn may(&self, spec: SubjectAccessReviewSpec) -> Result<bool, WriteError> {
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let answer = api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| WriteError::new("asking who may do what", error))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// What would come of a request: `method` and `path` of the API, as `user`, or as who this is.
    pub async fn dry_run(
        &self,
        user: Option<&str>,
        (method, media_type): (&str, &str),
        path: &str,
        body: &Value,
    ) -> Result<Answer, WriteError> {
        let what = || format!("trying {method} {path}");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}?dryRun=All&fieldManager={}", name::REHEARSE))
            .header("content-type", media_type);
        if let Some(user) = user {
            request = request.header("impersonate-user", user);
        }
        let request = request.body(body.to_string().into_bytes());
        let request = request.map_err(|error| WriteError::new(what(), kube::Error::HttpError(error)))?;
        match self.client.request::<Value>(request).await {
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
        let found = api.get_opt(name).await;
        found.map_err(|error| WriteError::new(format!("reading configmap {namespace}/{name}"), error))
    }

    /// The addresses behind a Service.
    pub async fn endpoints(&self, namespace: &str, service: &str) -> Result<Vec<EndpointSlice>, WriteError> {
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), namespace);
        let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
        let found = api.list(&of_service).await;
        let what = || format!("looking what is behind service {namespace}/{service}");
        Ok(found.map_err(|error| WriteError::new(what(), error))?.items)
    }

    /// Stores a report. That there is one of that name means that it is done.
    pub async fn store(&self, namespace: &str, report: &RehearsalReport) -> Result<(), WriteError> {
        let api: Api<RehearsalReport> = Api::namespaced(self.client.clone(), namespace);
        let stored = api.create(&PostParams::default(), report).await;
        let stored = stored.map_err(|error| WriteError::new("storing the report", error));
        match stored {
            Ok(_) | Err(WriteError::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether it is `comity rehearse` itself that is refused: it hasn't been let in yet, or isn't any more.
fn is_ours(message: &str) -> bool {
    message.contains("cannot impersonate") || message.contains(&format!(":{}\" cannot", name::REHEARSE))
}
