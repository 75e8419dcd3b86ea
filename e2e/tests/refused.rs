//! The story's examples on a real API server: what is good is taken, what is refused is refused in
//! the words of its file, and what is stored but not accepted says why, and heals by itself.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story's helpers fail like its tests"
)]

#[path = "../../tests/examples/refusal.rs"]
mod refusal;

use std::{path::PathBuf, time::Duration};

use comity::api::{GrantRecord, PartnerGrant, name::LABEL_GRANT};
use e2e::{
    Cluster, Comity, Explain as _, Result,
    cluster::{await_condition, await_gone},
    comity::{install, repository},
    controlplane::Settings,
    eventually, refused,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use refusal::{Expected, Refusal};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);
/// The namespace of the story.
const NAMESPACE: &str = "risk-data";
/// The grant of the story.
const GRANT: &str = "northpay-fraud";

/// The files of YAML in a folder of the story, in order.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = repository().join("examples/fraud-scoring").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// A cluster with Comity's kinds and policies, and the story in it; nothing of Comity runs.
async fn stored() -> Result<Cluster> {
    let cluster = Cluster::shared().await?;
    install(&cluster).await?;
    for file in files("") {
        cluster.apply(&file).await?;
    }
    Ok(cluster)
}

/// What the API server answers when it doesn't store an object. Of a list with a key twice it says
/// so with the code 500.
async fn answer(cluster: &Cluster, object: &Value) -> Option<String> {
    let error = cluster.apply_yaml(&object.to_string()).await.err()?;
    Some(error.refusal().map_or_else(|| error.to_string(), |status| status.message.clone()))
}

#[tokio::test]
async fn what_is_refused_is_refused_by_the_api_server() -> Result<()> {
    let cluster = stored().await?;
    // Nobody else makes reports, not even who may do everything else.
    let rehearse =
        cluster.as_user("system:serviceaccount:comity-system:comity-rehearse", &["system:masters"])?;
    let mut wrong = Vec::new();
    for refusal in Refusal::all() {
        let Expected::Refused(message) = &refusal.expected else { continue };
        let (last, before) = refusal.documents.split_last().expect("a file has a document");
        for document in before {
            let who = if document["kind"] == "RehearsalReport" { &rehearse } else { &cluster };
            who.apply_yaml(&document.to_string()).await.explain(&refusal.name)?;
        }
        let answer = answer(&cluster, last).await.unwrap_or_else(|| panic!("{} is stored", refusal.name));
        if !answer.contains(message) {
            wrong.push(format!("{}: {answer}", refusal.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[tokio::test]
async fn ten_thousand_fields_are_refused_and_nothing_is_lost() -> Result<()> {
    let cluster = stored().await?;
    let text = std::fs::read_to_string(&files("")[4]).unwrap();
    let mut dataset: Value = serde_saphyr::from_str(&text).unwrap();
    let field = |number| serde_json::json!({"name": format!("field_{number}"), "classification": "Public"});
    dataset["spec"]["fields"] = (0..10_000).map(field).collect();
    let answer = refused(cluster.apply_yaml(&dataset.to_string()).await)?;
    assert!(answer.contains("spec.fields") && answer.contains("at most 128 items"), "{answer}");
    let datasets = Api::<comity::api::Dataset>::namespaced(cluster.client(), NAMESPACE);
    assert_eq!(datasets.get("transactions").await?.spec.fields.len(), 4);
    Ok(())
}

#[tokio::test]
async fn every_good_example_is_stored() -> Result<()> {
    let cluster = stored().await?;
    for folder in ["promotions", "demo", "demo/promotions"] {
        for file in files(folder) {
            cluster.apply(&file).await?;
        }
    }
    Ok(())
}

/// A story with Comity at work. Its grants are suspended, so that none of them opens anything.
struct Story {
    cluster: Cluster,
    grants: Api<PartnerGrant>,
    _comity: Comity,
}

impl Story {
    async fn begin() -> Result<Self> {
        let cluster = Cluster::start(Settings::default()).await?;
        let comity = Comity::start(&cluster).await?;
        let grants = Api::namespaced(cluster.client(), NAMESPACE);
        let story = Self { cluster, grants, _comity: comity };
        story.tell().await?;
        Ok(story)
    }

    /// Everything as the good files have it, and accepted.
    async fn tell(&self) -> Result<()> {
        for file in files("") {
            let text = std::fs::read_to_string(&file)?;
            self.apply(&serde_saphyr::from_multiple(&text).explain("read YAML")?).await?;
        }
        self.await_accepted(GRANT, "True", "Accepted", "").await
    }

    async fn apply(&self, documents: &[Value]) -> Result<()> {
        for document in documents {
            let mut document = document.clone();
            if document["kind"] == "PartnerGrant" {
                document["spec"]["suspend"] = true.into();
            }
            self.cluster.apply_yaml(&document.to_string()).await?;
        }
        Ok(())
    }

    async fn await_accepted(&self, grant: &str, status: &str, reason: &str, message: &str) -> Result<()> {
        eventually(&format!("{grant} to be Accepted={status}: {reason}: {message}"), SOON, async || {
            let live = self.grants.get(grant).await.map_err(|error| error.to_string())?;
            let conditions = live.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
            let found = conditions.iter().find(|condition| condition.type_ == "Accepted").ok_or("nothing")?;
            let is_current = found.observed_generation == live.metadata.generation;
            let is_it = found.status == status && found.reason == reason && found.message.contains(message);
            if is_current && is_it { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await
    }

    async fn delete(&self, grant: &str) -> Result<()> {
        self.grants.delete(grant, &DeleteParams::default()).await?;
        await_gone(&self.grants, grant, SOON).await
    }
}

/// The grant that a file is about: its own, or the story's.
fn about(refusal: &Refusal) -> String {
    let grant = refusal.documents.iter().rfind(|document| document["kind"] == "PartnerGrant");
    grant.map_or(GRANT, |grant| grant["metadata"]["name"].as_str().unwrap()).to_owned()
}

/// On a control plane of its own: the other stories store what Comity would act on.
#[tokio::test]
async fn comity_at_work_says_why_and_takes_no_word_for_a_command() -> Result<()> {
    let story = Story::begin().await?;
    what_is_not_accepted_says_why_and_heals_by_itself(&story).await?;
    hostile_annotations_stay_where_they_are(&story).await
}

async fn what_is_not_accepted_says_why_and_heals_by_itself(story: &Story) -> Result<()> {
    for refusal in Refusal::all() {
        let Expected::NotAccepted { reason, message } = &refusal.expected else { continue };
        let grant = about(&refusal);
        story.apply(&refusal.documents).await.explain(&refusal.name)?;
        story.await_accepted(&grant, "False", reason, message).await.explain(&refusal.name)?;
        if grant != GRANT {
            story.delete(&grant).await?;
        }
        story.tell().await.explain(format!("{} is mended", refusal.name))?;
    }
    Ok(())
}

/// The API server takes any text as an annotation's value. Comity copies it nowhere.
async fn hostile_annotations_stay_where_they_are(story: &Story) -> Result<()> {
    let hostile = "$(reboot)\n{{ .Values }}\u{1b}[2J'; DROP TABLE grants; --";
    let patch = serde_json::json!({"metadata": {"annotations": {
        "note": hostile, "comity.dev/wanted": hostile, "comity.dev/contract": hostile,
    }}});
    story.grants.patch(GRANT, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    let resumed = serde_json::json!({"spec": {"suspend": false}});
    story.grants.patch(GRANT, &PatchParams::default(), &Patch::Merge(&resumed)).await?;
    await_condition(&story.grants, GRANT, "Active", "True", SOON).await?;
    let told = story.grants.get(GRANT).await?.status.unwrap_or_default();
    assert!(!serde_json::to_string(&told)?.contains("reboot"), "{told:?}");
    let records = Api::<GrantRecord>::namespaced(story.cluster.client(), NAMESPACE);
    let records = records.list(&ListParams::default()).await?;
    assert!(!serde_json::to_string(&records.items)?.contains("reboot"), "a record holds it");
    let namespaces = Api::<Namespace>::all(story.cluster.client());
    let namespaces =
        namespaces.list(&ListParams::default().labels(&format!("{LABEL_GRANT}={GRANT}"))).await?;
    assert_eq!(namespaces.items.len(), 1);
    assert!(!serde_json::to_string(&namespaces.items)?.contains("reboot"), "a namespace holds it");
    Ok(())
}
