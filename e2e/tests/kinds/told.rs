//! What an object says of itself, and ways to change what it depends on.

use std::{path::PathBuf, time::Duration};

use e2e::{Cluster, Error, Result, comity::repository, eventually};
use http::Request;
use serde_json::{Value, json};

/// How long Comity may take to say what changed.
const SOON: Duration = Duration::from_secs(60);

/// One object of the story.
#[derive(Clone, Debug)]
pub struct Word {
    /// Its path in the API.
    pub path: String,
}

impl Word {
    /// An object of one of Comity's kinds.
    pub fn new(plural: &str, namespace: Option<&str>, name: &str) -> Self {
        let place = namespace.map_or_else(String::new, |namespace| format!("namespaces/{namespace}/"));
        Self { path: format!("/apis/comity.dev/v1alpha1/{place}{plural}/{name}") }
    }

    /// An object of the core.
    pub fn core(plural: &str, namespace: &str, name: &str) -> Self {
        Self { path: format!("/api/v1/namespaces/{namespace}/{plural}/{name}") }
    }
}

/// The story of `examples/fraud-scoring/` on a cluster.
pub struct Story {
    /// The cluster, as who changes things.
    pub cluster: Cluster,
}

impl Story {
    /// A file of the story.
    pub fn file(name: &str) -> PathBuf {
        repository().join("examples/fraud-scoring").join(name)
    }

    /// Applies a file of the story.
    pub async fn apply(&self, name: &str) -> Result<()> {
        self.cluster.apply(&Self::file(name)).await.map(drop)
    }

    /// Awaits that an object has this condition, for its newest generation, with this reason and
    /// all of `parts` in its message.
    pub async fn says(
        &self,
        word: &Word,
        condition: &str,
        status: &str,
        reason: &str,
        parts: &[&str],
    ) -> Result<()> {
        let what = format!("{} to say {condition}={status} {reason}", word.path);
        let found = eventually(&what, SOON, async || {
            let object = self.get(word).await.map_err(|error| error.to_string())?;
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let generation = &object["metadata"]["generation"];
            let is_it = |one: &&Value| {
                one["type"] == condition
                    && one["status"] == status
                    && one["reason"] == reason
                    && one["observedGeneration"] == *generation
                    && object["status"]["observedGeneration"] == *generation
            };
            conditions.iter().find(is_it).cloned().ok_or_else(|| format!("{generation}: {conditions:?}"))
        })
        .await?;
        let message = found["message"].as_str().unwrap_or_default();
        for part in parts {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
        Ok(())
    }

    /// Checks that nobody changed the spec of an object meanwhile.
    pub async fn untouched(&self, word: &Word, generation: i64) -> Result<()> {
        let object = self.get(word).await?;
        assert_eq!(object["metadata"]["generation"], generation, "{}", word.path);
        Ok(())
    }

    /// Changes an object.
    pub async fn patch(&self, word: &Word, patch: &str) -> Result<()> {
        self.send("PATCH", &word.path, patch).await.map(drop)
    }

    /// Changes the status of an object.
    pub async fn patch_status(&self, word: &Word, patch: &str) -> Result<()> {
        self.send("PATCH", &format!("{}/status", word.path), patch).await.map(drop)
    }

    /// Sets a label on a namespace, or takes it off.
    pub async fn label(&self, namespace: &str, label: &str, value: Option<&str>) -> Result<()> {
        let patch = json!({"metadata": {"labels": {label: value}}}).to_string();
        self.send("PATCH", &format!("/api/v1/namespaces/{namespace}"), &patch).await.map(drop)
    }

    /// Deletes an object.
    pub async fn delete(&self, word: &Word) -> Result<()> {
        self.send("DELETE", &word.path, "").await.map(drop)
    }

    async fn get(&self, word: &Word) -> Result<Value> {
        self.send("GET", &word.path, "").await
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", "application/merge-patch+json")
            .body(body.as_bytes().to_vec())
            .map_err(|error| Error::Failed(error.to_string()))?;
        Ok(self.cluster.client().request(request).await?)
    }
}
