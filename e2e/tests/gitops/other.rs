//! Another manager that applies server-side, with force, what is Comity's: what matters is as Comity wants it
//! at once, what is only a mark stays, and then both are quiet.

use comity::api::condition::{ConditionType, Reason};
use comity::api::grant::OpeningState;
use comity::api::{PartnerGrant, Stage, name};
use e2e::{Comity, Result, eventually};
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::access::usable;
use super::order::{short, writes};
use super::pipeline::{Located, Pace, Pipeline, at_rest, directory};
use super::story::{SOON, Story, Wish, ensure};

/// What the other one calls itself, and the label by which it knows its objects.
const ANOTHER: &str = "another-controller";
const MARK: &str = "argocd.argoproj.io/instance";

/// A stage that is open, at rest.
struct Ground {
    story: Story,
    wish: Wish,
    place: String,
    _pipeline: Pipeline,
}

impl Ground {
    async fn begin() -> Result<Self> {
        let (cluster, _) = Comity::shared().await?;
        let story = Story::without_ground(&cluster).await?;
        let pipeline = Pipeline::of(&story, Pace::Once).await?;
        let wish = Wish::up_to(Stage::Sandbox);
        pipeline.merge(&directory(&story, &wish)).await?;
        let place = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
        usable(&story, &place).await?;
        at_rest(&story, &[&place]).await?;
        Ok(Self { story, wish, place, _pipeline: pipeline })
    }

    /// What Comity has written so far.
    fn written(&self) -> Result<Vec<String>> {
        Ok(writes(&self.story, &[&self.place])?.iter().map(short).collect())
    }

    /// Awaits rest, and gives what Comity has written since it had written so much.
    async fn written_since(&self, before: usize) -> Result<Vec<String>> {
        at_rest(&self.story, &[&self.place]).await?;
        Ok(self.written()?.split_off(before))
    }

    /// An object of the stage, by what the other one says of it.
    async fn located(&self, said: &Value) -> Result<Located> {
        let found = self.story.cluster.located(&said.to_string()).await?;
        Ok(found.into_iter().next().expect("one object"))
    }

    /// What another manager says of an object of the stage's, with its mark.
    fn said(&self, version: &str, kind: &str, name: &str, content: &Value) -> Value {
        let mut said = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "labels": {MARK: self.story.namespace}}});
        if kind != "Namespace" {
            said["metadata"]["namespace"] = json!(self.place);
        }
        said.as_object_mut().unwrap().extend(content.as_object().cloned().unwrap_or_default());
        said
    }

    /// The other one applies this, with force; gives what the object said before.
    async fn applied_by_another(&self, said: &Value) -> Result<Value> {
        let (api, object) = self.located(said).await?;
        let before = says(&api.get(&object.name_any()).await?.data);
        let parameters = PatchParams::apply(ANOTHER).force();
        api.patch(&object.name_any(), &parameters, &Patch::Apply(said)).await?;
        Ok(before)
    }
}

/// What an object says, without what other controllers say of it.
fn says(data: &Value) -> Value {
    let mut said = data.clone();
    said.as_object_mut().unwrap().remove("status");
    said
}

/// What another manager could want of the objects of a stage: version, kind, name, and what it says.
fn foreign() -> [(&'static str, &'static str, &'static str, Value); 5] {
    let somebody = json!([{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]);
    [
        ("v1", "ResourceQuota", name::QUOTA, json!({"spec": {"hard": {"pods": "999"}}})),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            name::DEFAULT_DENY,
            json!({"spec": {"policyTypes": ["Egress"]}}),
        ),
        ("networking.k8s.io/v1", "NetworkPolicy", name::ALLOW_WITHIN, json!({"spec": {"ingress": [{}]}})),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "comity-role-model-engineer",
            json!({"subjects": somebody}),
        ),
        (
            "comity.dev/v1alpha1",
            "StagePolicy",
            name::STAGE_POLICY,
            json!({"spec": {"registries": ["evil.example"]}}),
        ),
    ]
}

#[tokio::test]
async fn what_another_manager_takes_with_force_is_taken_back_once() -> Result<()> {
    let ground = Ground::begin().await?;
    for (version, kind, name, content) in foreign() {
        let said = ground.said(version, kind, name, &content);
        let before = ground.written()?.len();
        let wanted = ground.applied_by_another(&said).await?;
        let (api, _) = ground.located(&said).await?;
        eventually(&format!("{kind} {name} to be as it was"), SOON, async || {
            let now = api.get(name).await.map_err(|error| error.to_string())?;
            if says(&now.data) == wanted { Ok(()) } else { Err(now.data.to_string()) }
        })
        .await?;
        let written = ground.written_since(before).await?;
        // What the other one added to a list is its own: applying leaves it, so it is taken away as well.
        let at_most = if kind == "StagePolicy" { 2 } else { 1 };
        ensure((1..=at_most).contains(&written.len()), || format!("{kind} {name}: {written:?}"))?;
        let mark = api.get(name).await?.labels().get(MARK).cloned();
        assert_eq!(mark.as_deref(), Some(ground.story.namespace.as_str()), "its mark is its own");
    }
    usable(&ground.story, &ground.place).await
}

#[tokio::test]
async fn what_another_manager_applies_that_is_so_already_is_left_alone() -> Result<()> {
    let ground = Ground::begin().await?;
    let before = ground.written()?.len();
    for (version, kind, name) in [
        ("v1", "ResourceQuota", name::QUOTA),
        ("networking.k8s.io/v1", "NetworkPolicy", name::DEFAULT_DENY),
        ("comity.dev/v1alpha1", "StagePolicy", name::STAGE_POLICY),
    ] {
        let (api, _) = ground.located(&ground.said(version, kind, name, &json!({}))).await?;
        let live = says(&api.get(name).await?.data);
        ground.applied_by_another(&ground.said(version, kind, name, &live)).await?;
    }
    let mut namespace = ground.said("v1", "Namespace", &ground.place, &json!({}));
    namespace["metadata"]["labels"][name::LABEL_PODS] = json!(name::PODS_OPEN);
    ground.applied_by_another(&namespace).await?;
    let written = ground.written_since(before).await?;
    ensure(written.is_empty(), || format!("{written:?}"))?;
    usable(&ground.story, &ground.place).await
}

#[tokio::test]
async fn what_another_manager_says_of_a_grant_moves_nothing() -> Result<()> {
    let ground = Ground::begin().await?;
    let (story, wish) = (&ground.story, &ground.wish);
    let grants = story.api::<PartnerGrant>();
    let opened = story.opened(wish, Stage::Sandbox).await?;
    let by_another = PatchParams::apply(ANOTHER).force();
    let before = ground.written()?.len();

    // Its marks, and a list of finalizers that has none of ours.
    let mut said = wish.grant(story);
    said["metadata"]["labels"] = json!({MARK: story.namespace});
    said["metadata"]["finalizers"] = json!(["example.com/another"]);
    grants.patch(&wish.name, &by_another, &Patch::Apply(&said)).await?;
    said["metadata"]["finalizers"] = json!([]);
    let now = grants.patch(&wish.name, &by_another, &Patch::Apply(&said)).await?;
    assert_eq!(now.finalizers(), [name::FINALIZER], "what is Comity's stays");
    let written = ground.written_since(before).await?;
    ensure(written.is_empty(), || format!("{written:?}"))?;

    // A status that isn't true.
    let condition = json!({"type": "Active", "status": "False", "reason": "Ended", "message": "it has ended",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": now.metadata.generation});
    let told = json!({"apiVersion": said["apiVersion"], "kind": said["kind"],
        "metadata": {"name": wish.name}, "status": {"conditions": [condition]}});
    grants.patch_status(&wish.name, &by_another, &Patch::Apply(&told)).await?;
    story.told(wish, ConditionType::Active, true, Reason::Open).await?;
    let written = ground.written_since(before).await?;
    ensure(written == [format!("patch partnergrants/status {}", wish.name)], || format!("{written:?}"))?;
    let still = story.opening(wish, Stage::Sandbox, OpeningState::Open).await?;
    assert_eq!(still.expires_at, opened.expires_at);
    usable(story, &ground.place).await
}

/// Somebody who doesn't give in is answered as often as they ask, and no more often: nobody is set off by their
/// own write.
#[tokio::test]
async fn a_manager_that_fights_is_answered_once_each_time_and_then_all_is_quiet() -> Result<()> {
    const TIMES: usize = 10;
    let ground = Ground::begin().await?;
    let foreign = json!({"spec": {"hard": {"pods": "999"}}});
    let said = ground.said("v1", "ResourceQuota", name::QUOTA, &foreign);
    let (api, _) = ground.located(&said).await?;
    let before = ground.written()?.len();
    for _ in 0..TIMES {
        let wanted = ground.applied_by_another(&said).await?;
        eventually("the quota to be as it was", SOON, async || {
            let now = api.get(name::QUOTA).await.map_err(|error| error.to_string())?;
            if says(&now.data) == wanted { Ok(()) } else { Err(now.data.to_string()) }
        })
        .await?;
    }
    let written = ground.written_since(before).await?;
    ensure(written.len() <= TIMES, || format!("{} writes for {TIMES}: {written:?}", written.len()))
}
