//! What whoever serves the datasets is told: where the platform opted in, while the stage is open, and by nobody else.

use std::collections::BTreeSet;

use comity::api::{PartnerGrant, Stage, name};
use comity::pki::Leaf;
use comity::signer::ca::Phase;
use e2e::attempt::{apply, create, delete, patch};
use e2e::cluster::await_object;
use e2e::{Error, Result, eventually};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::ground::{Ground, PATIENCE, SYSTEM, shared};
use super::story::{SOON, ensure};

/// Binds `comity sign` to what it may do in a namespace of datasets.
async fn let_in(ground: &Ground) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": {"name": "comity-sign"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "comity:publisher"},
        "subjects": [{"kind": "ServiceAccount", "name": "comity-sign", "namespace": SYSTEM}],
    });
    let path = format!("/apis/{group}/v1/namespaces/{}/rolebindings", ground.story.namespace);
    create(&path, binding).do_as(&ground.story.cluster).await.map(drop)
}

fn maps(ground: &Ground) -> Api<ConfigMap> {
    ground.story.in_namespace(&ground.story.namespace)
}

/// Awaits what is given of a stage, with so many anchors.
async fn given(ground: &Ground, place: &str, anchors: usize) -> Result<ConfigMap> {
    let what = format!("{anchors} anchors where the datasets are");
    await_object(&maps(ground), &name::dataset_trust(place), &what, PATIENCE, |found: &ConfigMap| {
        let bundle = found.data.as_ref().and_then(|data| data.get("ca.crt")).cloned().unwrap_or_default();
        let count = bundle.matches("BEGIN CERTIFICATE").count();
        if count == anchors { Ok(found.clone()) } else { Err(format!("{count}")) }
    })
    .await
}

async fn gone(ground: &Ground, place: &str) -> Result<()> {
    eventually("what was given to be taken back", PATIENCE, async || {
        let found = maps(ground).get_opt(&name::dataset_trust(place)).await;
        let found = found.map_err(|error| error.to_string())?;
        found.map_or(Ok(()), |found| Err(format!("{:?}", found.data)))
    })
    .await
}

#[tokio::test]
async fn whoever_serves_the_datasets_is_told_whom_to_believe_for_as_long_as_the_stage_is_open() -> Result<()>
{
    let ground = Ground::lay().await?;
    let_in(&ground).await?;
    ground.story.ask(&ground.wish).await?;
    let place = ground.story.opened(&ground.wish, Stage::Sandbox).await?.namespace.0;
    let told = given(&ground, &place, 1).await?;
    verifies(&ground, &place, &told).await?;
    // The next CA is known here before it signs, too.
    ground.orders(&["prepare"], 0, &["Done"]).await?;
    ground.stands(&[(1, Phase::Active), (2, Phase::Prepared)]).await?;
    given(&ground, &place, 2).await?;
    guarded(&ground, &place).await?;
    // Held, nobody is told to believe anybody; released, they are again.
    let held = super::story::Wish { suspend: true, ..ground.wish.clone() };
    ground.story.ask(&held).await?;
    gone(&ground, &place).await?;
    ground.story.ask(&ground.wish).await?;
    given(&ground, &place, 2).await?;
    // Taken back although the platform wants no more of it.
    let (cluster, _) = shared().await?;
    let namespace = format!("/api/v1/namespaces/{}", ground.story.namespace);
    patch(&namespace, json!({"metadata": {"labels": {name::LABEL_DATASET_INGRESS: null}}}))
        .do_as(&cluster)
        .await?;
    ground.story.api::<PartnerGrant>().delete(&ground.wish.name, &DeleteParams::default()).await?;
    gone(&ground, &place).await
}

/// A certificate of the stage is verified by what is told, and is for whom it says.
async fn verifies(ground: &Ground, place: &str, told: &ConfigMap) -> Result<()> {
    let stage: ConfigMap = ground.story.in_namespace::<ConfigMap>(place).get(name::TRUST_CONFIG_MAP).await?;
    let part = |map: &ConfigMap, key: &str| {
        map.data.as_ref().and_then(|data| data.get(key)).cloned().unwrap_or_default()
    };
    ensure(part(&stage, "ca.crt") == part(told, "ca.crt"), || format!("{told:?}"))?;
    let leaf = Leaf::parse(part(&stage, "scorer.crt").as_bytes())
        .map_err(|error| Error::Failed(error.to_string()))?;
    let identities = part(told, "identities");
    let identities: BTreeSet<&str> = identities.lines().collect();
    ensure(identities == BTreeSet::from([leaf.id().as_str()]), || format!("{identities:?}"))?;
    let owner = told.owner_references().first().map(|owner| (owner.kind.clone(), owner.uid.clone()));
    let grant = ground.story.api::<PartnerGrant>().get(&ground.wish.name).await?.uid().unwrap_or_default();
    ensure(owner == Some(("PartnerGrant".to_owned(), grant)), || format!("{owner:?}"))
}

/// Nobody else says whom to believe here, and `comity sign` says nothing else here.
async fn guarded(ground: &Ground, place: &str) -> Result<()> {
    let (cluster, comity) = shared().await?;
    let at = format!("/api/v1/namespaces/{}/configmaps", ground.story.namespace);
    let own = format!("{at}/{}", name::dataset_trust(place));
    let mallory = mallory(ground).await?;
    let mine =
        json!({"metadata": {"name": "comity-trust-comity-mine-sandbox-00000000"}, "data": {"ca.crt": "me"}});
    for attempt in [patch(&own, json!({"data": {"ca.crt": "me"}})), delete(&own), create(&at, mine)] {
        eventually("mallory to be let as far as admission", SOON, || {
            attempt.refused(&mallory, &["only Comity"])
        })
        .await?;
    }
    let sign = comity.sign().identity(&cluster)?;
    let labels = json!({"comity.dev/grant-uid": "u"});
    for (name, labels, words) in [
        ("mine", &labels, "only comity-trust-"),
        ("comity-trust-mine", &labels, "named after one"),
        ("comity-trust-comity-mine-sandbox-00000000", &json!({}), "says whose it is"),
    ] {
        let made = create(&at, json!({"metadata": {"name": name, "labels": labels}}));
        made.refused(&sign, &[words]).await.map_err(Error::Failed)?;
    }
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}});
    apply(&format!("{at}/theirs"), theirs).do_as(&cluster).await?;
    let theirs = delete(&format!("{at}/theirs"));
    theirs
        .refused(&sign, &["held to what a grant consists of", "only comity-trust-"])
        .await
        .map_err(Error::Failed)
}

/// Somebody who may do with `ConfigMaps` here what they like.
async fn mallory(ground: &Ground) -> Result<e2e::Cluster> {
    let group = "rbac.authorization.k8s.io";
    let at = format!("/apis/{group}/v1/namespaces/{}", ground.story.namespace);
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]);
    let role = json!({"metadata": {"name": "maps"}, "rules": rules});
    create(&format!("{at}/roles"), role).do_as(&ground.story.cluster).await?;
    let binding = json!({
        "metadata": {"name": "maps"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "maps"},
        "subjects": [{"kind": "User", "apiGroup": group, "name": "mallory@retail.example"}],
    });
    create(&format!("{at}/rolebindings"), binding).do_as(&ground.story.cluster).await?;
    ground.story.cluster.as_user("mallory@retail.example", &[])
}

#[tokio::test]
async fn where_the_platform_did_not_opt_in_nobody_is_told_anything() -> Result<()> {
    let ground = Ground::lay().await?;
    let (cluster, _) = shared().await?;
    let_in(&ground).await?;
    let namespace = format!("/api/v1/namespaces/{}", ground.story.namespace);
    let label = |value: serde_json::Value| {
        patch(&namespace, json!({"metadata": {"labels": {name::LABEL_DATASET_INGRESS: value}}}))
    };
    label(json!(null)).do_as(&cluster).await?;
    ground.story.ask(&ground.wish).await?;
    let place = ground.story.opened(&ground.wish, Stage::Sandbox).await?.namespace.0;
    // One that opts in is told in the same time.
    let (other, opened) = {
        let other = Ground::lay().await?;
        let_in(&other).await?;
        other.story.ask(&other.wish).await?;
        let opened = other.story.opened(&other.wish, Stage::Sandbox).await?.namespace.0;
        (other, opened)
    };
    given(&other, &opened, 1).await?;
    ensure(maps(&ground).get_opt(&name::dataset_trust(&place)).await?.is_none(), || "told".to_owned())?;
    label(json!("true")).do_as(&cluster).await?;
    given(&ground, &place, 1).await.map(drop)
}
