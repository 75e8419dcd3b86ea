//! Pods that run while the contract is narrowed under them: those that aren't allowed any more go, or are
//! named, as the contract says; nothing else is touched.

use comity::api::condition::Reason;
use comity::api::decision::DecisionAction;
use comity::api::enforcement::EnforcementState;
use comity::api::{PartnerGrant, SharingContract, Stage};
use e2e::attempt::create;
use e2e::comity::people::OLGA;
use e2e::{Error, Result, cluster::await_gone, eventually};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use super::access::usable;
use super::consent::decided;
use super::story::{SOON, Story, Wish, ensure};

/// A sandbox with a pod from each of two registries, of which the contract names only one since.
struct Narrowed {
    story: Story,
    wish: Wish,
    pods: Api<Pod>,
}

/// A pod of an image below `registry`, named after it.
pub fn pod(registry: &str) -> Pod {
    let image = format!("registry.example/partners/{registry}/scorer@sha256:{}", "0".repeat(64));
    let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    serde_json::from_value(json!({
        "metadata": {"name": registry, "labels": {"comity.dev/purpose": "fraud-detection"}},
        "spec": {
            "serviceAccountName": "workload-scorer",
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "scorer", "image": image, "securityContext": context}],
        },
    }))
    .expect("a pod")
}

fn registries(names: &[&str]) -> Value {
    let places: Vec<String> = names.iter().map(|name| format!("registry.example/partners/{name}")).collect();
    json!({"spec": {"destination": {"compute": {"registries": places}}}})
}

impl Narrowed {
    async fn begin(fate: &str) -> Result<Self> {
        let story = Story::begin().await?;
        story.change::<SharingContract>("fraud-scoring", registries(&["one", "two"])).await?;
        let fate = json!({"spec": {"narrowing": {"pods": fate}}});
        story.change::<SharingContract>("fraud-scoring", fate).await?;
        let wish = Wish::up_to(Stage::Sandbox);
        story.ask(&wish).await?;
        let opened = story.opened(&wish, Stage::Sandbox).await?;
        usable(&story, &opened.namespace.0).await?;
        let pods = story.in_namespace::<Pod>(&opened.namespace.0);
        for registry in ["one", "two"] {
            eventually(&format!("pod {registry} to be let in"), SOON, async || {
                pods.create(&PostParams::default(), &pod(registry)).await.map_err(|error| error.to_string())
            })
            .await?;
        }
        story.change::<SharingContract>("fraud-scoring", registries(&["one"])).await?;
        Ok(Self { story, wish, pods })
    }

    /// Awaits that the clause on narrowing is held, and says this.
    async fn told(&self, what: &str, says: impl Fn(&str) -> bool) -> Result<()> {
        let narrowing = |grant: &PartnerGrant| {
            let clauses = grant.status.iter().flat_map(|status| &status.enforcement);
            let found =
                clauses.into_iter().find(|told| told.clause == "narrowing").ok_or("no such clause")?;
            let message = found.message.clone().unwrap_or_default();
            let is_held = found.state == EnforcementState::Enforced;
            if is_held && says(&message) { Ok(()) } else { Err(format!("{:?}: {message}", found.state)) }
        };
        self.story.look(&self.wish, what, narrowing).await
    }

    /// What runs, or may yet.
    async fn running(&self) -> Result<Vec<String>> {
        let pods = self.pods.list(&ListParams::default()).await?.items.into_iter();
        let left = pods.filter(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(left.filter_map(|pod| pod.metadata.name).collect())
    }

    /// Whether an event of this reason names the pod.
    async fn event(&self, reason: &str, named: &str) -> Result<()> {
        let events = self.story.api::<Event>();
        eventually(&format!("an event {reason}"), SOON, async || {
            let all = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let told: Vec<String> = all
                .into_iter()
                .filter(|event| event.reason.as_deref() == Some(reason))
                .filter_map(|event| event.message)
                .collect();
            if told.iter().any(|message| message.contains(named)) { Ok(()) } else { Err(format!("{told:?}")) }
        })
        .await
    }
}

#[tokio::test]
async fn just_the_pod_that_isnt_allowed_any_more_is_deleted() -> Result<()> {
    let narrowed = Narrowed::begin("Delete").await?;
    await_gone(&narrowed.pods, "two", SOON).await?;
    ensure(narrowed.running().await? == ["one"], || "the other one is gone too".to_owned())?;
    narrowed.event("PodsDeleted", "two (destination.compute.registries").await?;
    // The API server sees the narrower rules a moment late, and a pod that it lets in until then goes too.
    let tried = PostParams { dry_run: true, ..PostParams::default() };
    eventually("what was deleted to be refused", SOON, async || {
        match narrowed.pods.create(&tried, &pod("two")).await {
            Err(kube::Error::Api(status)) if status.message.contains("registry") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    narrowed.told("none to be left", |message| message.contains("found in seconds")).await?;
    ensure(narrowed.running().await? == ["one"], || "the other one is gone too".to_owned())
}

#[tokio::test]
async fn the_pod_that_isnt_allowed_any_more_is_named_until_somebody_takes_it_away() -> Result<()> {
    let narrowed = Narrowed::begin("Keep").await?;
    let named = |message: &str| {
        message.contains("are kept") && message.ends_with(": two (destination.compute.registries)")
    };
    narrowed.told("the pod to be named", named).await?;
    ensure(narrowed.running().await? == ["one", "two"], || "one is gone".to_owned())?;
    narrowed.pods.delete("two", &DeleteParams::default().grace_period(0)).await?;
    narrowed.told("none to be named", |message| message.contains("found in seconds")).await
}

/// Pods that say who set which field so that no client reads it: at a time beyond all time.
async fn make_unreadable(story: &Story, place: &str) -> Result<()> {
    let fields = json!({"f:metadata": {"f:labels": {"f:none": {}}}});
    for (registry, name) in [("one", "kept"), ("two", "beyond")] {
        let mut object = json!(pod(registry));
        object["metadata"]["name"] = json!(name);
        object["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Update", "apiVersion": "v1",
            "fieldsType": "FieldsV1", "fieldsV1": fields, "time": "9999-12-31T23:59:59Z"}]);
        let make = create(&format!("/api/v1/namespaces/{place}/pods"), object);
        eventually(&format!("pod {name} to be let in"), SOON, async || make.do_as(&story.cluster).await)
            .await?;
    }
    Ok(())
}

/// The names of the pods of a place that aren't on their way out, whatever they say.
async fn left(story: &Story, place: &str) -> Result<Vec<String>> {
    let request = http::Request::get(format!("/api/v1/namespaces/{place}/pods")).body(Vec::new());
    let request = request.map_err(|error| Error::Failed(error.to_string()))?;
    let answer = story.cluster.client().request_text(request).await?;
    ensure(answer.contains("9999-12-31T23:59:59Z") || !answer.contains("\"beyond\""), || answer.clone())?;
    let names = ["one", "two", "kept", "beyond"].into_iter();
    let left = names.filter(|name| answer.contains(&format!("\"metadata\":{{\"name\":\"{name}\"")));
    Ok(left.map(str::to_owned).collect())
}

async fn await_left(story: &Story, place: &str, names: &[&str]) -> Result<()> {
    eventually(&format!("only {names:?} to be left"), SOON, async || {
        let left = left(story, place).await.map_err(|error| error.to_string())?;
        if left == names { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await
}

#[tokio::test]
async fn what_no_client_can_read_goes_like_anything_else() -> Result<()> {
    let story = Story::begin().await?;
    story.change::<SharingContract>("fraud-scoring", registries(&["one", "two"])).await?;
    let fate = json!({"spec": {"narrowing": {"pods": "Delete"}, "quarantine": {"pods": "Delete"}}});
    story.change::<SharingContract>("fraud-scoring", fate).await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let place = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
    usable(&story, &place).await?;
    make_unreadable(&story, &place).await?;
    let pods = story.in_namespace::<Pod>(&place);
    for registry in ["one", "two"] {
        let made = json!(pod(registry));
        create(&format!("/api/v1/namespaces/{place}/pods"), made).do_as(&story.cluster).await?;
    }
    ensure(pods.list(&ListParams::default()).await.is_err(), || "every client reads it".to_owned())?;
    await_left(&story, &place, &["one", "two", "kept", "beyond"]).await?;
    story.change::<SharingContract>("fraud-scoring", registries(&["one"])).await?;
    await_left(&story, &place, &["one", "kept"]).await?;
    decided(&story, OLGA, &OLGA.decision(&grant, DecisionAction::Quarantine), Reason::Taken).await?;
    await_left(&story, &place, &[]).await
}
