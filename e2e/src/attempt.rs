//! Something that is tried, as one request, and what has to refuse it. Files called `tries` hold them.

use http::{Method, Request};
use serde::Deserialize;
use serde_json::Value;

use crate::{Cluster, Error, Result};

/// One request. Tried as a dry run, so that one that gets through breaks nothing but its story.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
    /// What is tried, for people.
    #[serde(rename = "try")]
    pub what: String,
    /// What is done.
    #[serde(flatten)]
    action: Action,
    /// The object, or the change.
    #[serde(default)]
    with: Value,
    /// As whom, by impersonation.
    #[serde(default, rename = "as")]
    user: Option<String>,
    /// In which groups, by impersonation.
    #[serde(default, rename = "in")]
    groups: Vec<String>,
    /// What the refusal says once RBAC lets the request through.
    #[serde(default)]
    pub says: String,
}

/// What is done, and to which path.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Create(String),
    Apply(String),
    Patch(String),
    Merge(String),
    Connect(String),
    Replace(String),
    Delete(String),
    Read(String),
}

/// Applies an object, server-side.
pub fn apply(path: &str, with: Value) -> Attempt {
    Attempt::new(Action::Apply(path.to_owned()), with)
}

/// Makes an object.
pub fn create(path: &str, with: Value) -> Attempt {
    Attempt::new(Action::Create(path.to_owned()), with)
}

/// Changes an object by merge patch.
pub fn patch(path: &str, with: Value) -> Attempt {
    Attempt::new(Action::Patch(path.to_owned()), with)
}

/// Changes an object by strategic merge patch, which knows the items of a list by their names.
pub fn merge(path: &str, with: Value) -> Attempt {
    Attempt::new(Action::Merge(path.to_owned()), with)
}

/// Replaces an object with the whole of another.
pub fn replace(path: &str, with: Value) -> Attempt {
    Attempt::new(Action::Replace(path.to_owned()), with)
}

/// Deletes an object.
pub fn delete(path: &str) -> Attempt {
    Attempt::new(Action::Delete(path.to_owned()), Value::Null)
}

/// Reads the attempts of a file, in which words stand for names that are made up for each story.
pub fn attempts(text: &str, names: &[(&str, &str)]) -> Result<Vec<Attempt>> {
    let text = names.iter().fold(text.to_owned(), |text, (word, name)| text.replace(word, name));
    serde_saphyr::from_str(&text).map_err(|error| Error::Failed(error.to_string()))
}

impl Attempt {
    fn new(action: Action, with: Value) -> Self {
        Self {
            what: format!("{action:?}"),
            action,
            with,
            user: None,
            groups: Vec::new(),
            says: String::new(),
        }
    }

    /// Reads.
    pub fn reading(path: &str) -> Self {
        Self::new(Action::Read(path.to_owned()), Value::Null)
    }

    /// Tries it as whoever `cluster` is, without effect.
    pub async fn try_as(&self, cluster: &Cluster) -> Result<Value> {
        self.send(cluster, "dryRun=All").await
    }

    /// Does it.
    pub async fn do_as(&self, cluster: &Cluster) -> Result<Value> {
        self.send(cluster, "").await
    }

    async fn send(&self, cluster: &Cluster, how: &str) -> Result<Value> {
        let (method, path, content_type, options) = match &self.action {
            Action::Create(path) => (Method::POST, path, "application/json", how.to_owned()),
            Action::Replace(path) => (Method::PUT, path, "application/json", how.to_owned()),
            Action::Delete(path) => (Method::DELETE, path, "application/json", how.to_owned()),
            Action::Merge(path) => {
                (Method::PATCH, path, "application/strategic-merge-patch+json", how.to_owned())
            }
            // Nobody can try a stream without opening it.
            Action::Connect(path) => (Method::POST, path, "application/json", String::new()),
            Action::Read(path) => (Method::GET, path, "application/json", String::new()),
            Action::Patch(path) => (Method::PATCH, path, "application/merge-patch+json", how.to_owned()),
            Action::Apply(path) => {
                let options = format!("{how}&fieldManager=story&force=true");
                (Method::PATCH, path, "application/apply-patch+yaml", options)
            }
        };
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}{joint}{options}"))
            .header("content-type", content_type);
        if let Some(user) = &self.user {
            request = request.header("impersonate-user", user);
        }
        for group in &self.groups {
            request = request.header("impersonate-group", group);
        }
        let body = if self.with.is_null() { Vec::new() } else { serde_json::to_vec(&self.with)? };
        let request = request.body(body).map_err(|error| Error::Failed(error.to_string()))?;
        Ok(cluster.client().request(request).await?)
    }

    /// Tries it, and says why it wasn't refused as it should have been: by the API server, in
    /// words of which some are among `words`.
    pub async fn refused(&self, cluster: &Cluster, words: &[&str]) -> Result<(), String> {
        match self.try_as(cluster).await {
            Ok(_) => Err(format!("{}: went through", self.what)),
            Err(error) => match error.refusal() {
                Some(status) if words.iter().any(|word| status.message.contains(word)) => Ok(()),
                _ => Err(format!("{}: refused, but not for {words:?}: {error}", self.what)),
            },
        }
    }
}

/// Tries each, and fails with all that were refused.
pub async fn all_let_through(cluster: &Cluster, attempts: &[Attempt]) -> Result<()> {
    let mut failures = Vec::new();
    for attempt in attempts {
        let refusal = attempt.try_as(cluster).await.err();
        failures.extend(refusal.map(|error| format!("{}: {error}", attempt.what)));
    }
    if failures.is_empty() { Ok(()) } else { Err(Error::Failed(format!("\n{}", failures.join("\n")))) }
}

/// Tries each, and fails with all that weren't refused as they should have been. `or_else` is what
/// a refusal may say instead, where something may come first.
pub async fn all_refused(cluster: &Cluster, attempts: &[Attempt], or_else: &[&str]) -> Result<()> {
    let mut failures = Vec::new();
    for attempt in attempts {
        let says = Some(attempt.says.as_str()).filter(|says| !says.is_empty());
        let words: Vec<&str> = says.into_iter().chain(or_else.iter().copied()).collect();
        failures.extend(attempt.refused(cluster, &words).await.err());
    }
    if failures.is_empty() { Ok(()) } else { Err(Error::Failed(format!("\n{}", failures.join("\n")))) }
}
