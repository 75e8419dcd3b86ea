//! Deleting a grant: who may, what is closed and cleared first, and what doesn't keep it.

use comity::api::record::{RecordEvent, RecordReason};
use comity::api::{Dataset, GrantRecord, Partner, PartnerGrant, SharingContract, Stage};
use e2e::cluster::await_gone;
use e2e::{Result, eventually, refused};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use super::access::{cleared, usable};
use super::order::{first, last, short, writes};
use super::story::{SOON, Story, Wish, ensure, told};

#[tokio::test]
async fn deleting_a_live_grant_takes_the_right_to_expire_it() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let place = opened.namespace.0.as_str();

    let editor = person(&story, "editor", "").await?;
    let message = refused(grants(&editor, &story).delete(&wish.name, &DeleteParams::default()).await)?;
    assert!(message.contains("expire"), "{message}");
    usable(&story, place).await?;

    let expirer = person(&story, "expirer", "comity:expire").await?;
    eventually("the right to expire to be seen", SOON, async || {
        grants(&expirer, &story).delete(&wish.name, &DeleteParams::default()).await
    })
    .await?;
    await_gone(&story.api::<PartnerGrant>(), &wish.name, SOON).await?;
    cleared(&story, place).await?;
    let journal = story.journal(&grant).await?;
    let end = [
        (RecordEvent::Closed, Some(Stage::Sandbox), Some(RecordReason::Deleted)),
        (RecordEvent::Ended, None, Some(RecordReason::Deleted)),
    ];
    assert_eq!(told(&journal)[2..], end, "the journal outlives the grant");
    let all = writes(&story, &[place])?;
    let order = ["delete rolebindings", "delete networkpolicies", "delete namespaces", "patch partnergrants"];
    let places: Vec<Option<usize>> = order.iter().map(|step| last(&all, step)).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
    let kept = first(&all, "delete networkpolicies comity-default-deny");
    assert_eq!(kept, None, "{:?}", all.iter().map(short).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn what_a_grant_stood_on_may_be_gone_already() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Rehearsal);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Rehearsal).await?;
    let now = DeleteParams::default();
    story.api::<Dataset>().delete("transactions", &now).await?;
    story.api::<SharingContract>().delete("fraud-scoring", &now).await?;
    story.everywhere::<Partner>().delete(&story.namespace, &now).await?;
    story.api::<PartnerGrant>().delete(&wish.name, &now).await?;
    await_gone(&story.api::<PartnerGrant>(), &wish.name, SOON).await?;
    cleared(&story, &opened.namespace.0).await?;
    story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::Deleted)).await.map(drop)
}

#[tokio::test]
async fn a_place_that_somebody_deleted_is_made_again_within_its_end() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let place = opened.namespace.0.as_str();
    let namespaces = story.everywhere::<Namespace>();
    let before = namespaces.get(place).await?.uid();
    namespaces.delete(place, &DeleteParams::default()).await?;
    eventually("another namespace in its place", SOON, async || match namespaces.get_opt(place).await {
        Ok(Some(now)) if now.uid() != before => Ok(()),
        other => Err(format!("{:?}", other.map(|now| now.map(|now| now.metadata)))),
    })
    .await?;
    usable(&story, place).await?;
    let again = story.opened(&wish, Stage::Sandbox).await?;
    assert_eq!(again.expires_at, opened.expires_at);

    namespaces.delete(place, &DeleteParams::default()).await?;
    story.api::<PartnerGrant>().delete(&wish.name, &DeleteParams::default()).await?;
    await_gone(&story.api::<PartnerGrant>(), &wish.name, SOON).await?;
    cleared(&story, place).await?;
    story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::Deleted)).await.map(drop)
}

#[tokio::test]
async fn a_namespace_goes_with_all_its_grants() -> Result<()> {
    let story = Story::begin().await?;
    let (one, other) = (Wish::up_to(Stage::Sandbox), Wish::up_to(Stage::Rehearsal).called("other"));
    let other = Wish { purpose: "model-quality", ..other };
    story.ask(&one).await?;
    story.ask(&other).await?;
    let places = [
        story.opened(&one, Stage::Sandbox).await?.namespace.0,
        story.opened(&other, Stage::Rehearsal).await?.namespace.0,
    ];
    story.everywhere::<Namespace>().delete(&story.namespace, &DeleteParams::default()).await?;
    await_gone(&story.everywhere::<Namespace>(), &story.namespace, SOON).await?;
    for place in &places {
        cleared(&story, place).await?;
    }
    let left = story.api::<GrantRecord>().list(&ListParams::default()).await?.items.len();
    ensure(left == 0, || format!("{left} records are left"))
}

/// Somebody who may edit grants in the story's namespace, and has this cluster role beside.
async fn person(story: &Story, name: &str, role: &str) -> Result<e2e::Cluster> {
    let name = format!("{name}-{}", story.namespace);
    let rules = json!([{"apiGroups": ["comity.dev"], "resources": ["partnergrants"], "verbs": ["*"]}]);
    let subjects = json!([{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}]);
    let group = "rbac.authorization.k8s.io";
    let mut objects = vec![
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole",
            "metadata": {"name": name}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": story.namespace},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}, "subjects": subjects}),
    ];
    if !role.is_empty() {
        objects.push(json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role}, "subjects": subjects}));
    }
    for object in objects {
        story.cluster.apply_yaml(&object.to_string()).await?;
    }
    eventually("the editor to be let in", SOON, async || {
        let groups = ["system:authenticated".to_owned()];
        let can = story.cluster.can_in_groups(
            &name,
            &groups,
            "delete",
            "partnergrants.comity.dev",
            Some(&story.namespace),
        );
        match can.await {
            Ok(true) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    story.cluster.as_user(&name, &[])
}

fn grants(who: &e2e::Cluster, story: &Story) -> kube::Api<PartnerGrant> {
    kube::Api::namespaced(who.client(), &story.namespace)
}
