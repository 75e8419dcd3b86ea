//! Names that collide, that are too long, or that somebody else has; labels and annotations that
//! are meant to harm.

use comity::api::condition::{ConditionType, Reason};
use comity::api::{PartnerGrant, Stage, name};
use e2e::cluster::await_gone;
use e2e::{Result, refused};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::access::{cleared, usable};
use super::story::{SOON, Story, Wish, told};

#[tokio::test]
async fn grants_whose_names_would_run_together_stay_apart() -> Result<()> {
    let (cluster, _) = e2e::Comity::shared().await?;
    let prefix = cluster.unique("life");
    let one = Story::called(&cluster, &format!("{prefix}-a-b")).await?;
    let other = Story::called(&cluster, &format!("{prefix}-a")).await?;
    let (wish, twin) = (Wish::up_to(Stage::Sandbox).called("c"), Wish::up_to(Stage::Sandbox).called("b-c"));
    one.ask(&wish).await?;
    other.ask(&twin).await?;
    let places = [
        one.opened(&wish, Stage::Sandbox).await?.namespace.0,
        other.opened(&twin, Stage::Sandbox).await?.namespace.0,
    ];
    assert_ne!(places[0], places[1]);
    one.api::<PartnerGrant>().delete("c", &DeleteParams::default()).await?;
    cleared(&one, &places[0]).await?;
    usable(&other, &places[1]).await
}

#[tokio::test]
async fn names_that_are_too_long_are_refused_in_words() -> Result<()> {
    let story = Story::begin().await?;
    let long = "a".repeat(253);
    let message = refused(story.ask(&Wish::up_to(Stage::Sandbox).called(&long)).await)?;
    assert!(message.contains("at most 63"), "{message}");
    let fits = Wish::up_to(Stage::Sandbox).called(&"a".repeat(63));
    story.ask(&fits).await?;
    let place = story.opened(&fits, Stage::Sandbox).await?.namespace.0;
    usable(&story, &place).await?;
    for (kind, of) in [("Partner", ""), ("Dataset", "transactions"), ("SharingContract", "fraud-scoring")] {
        let own = if of.is_empty() { story.namespace.as_str() } else { of };
        let ground = story.ground();
        let is_it = |document: &&str| document.contains(&format!("kind: {kind}\n"));
        let document = ground.split("\n---\n").find(is_it).unwrap();
        let longer = document.replacen(&format!("name: {own}\n"), &format!("name: {long}\n"), 1);
        let message = refused(story.cluster.apply_yaml(&longer).await)?;
        assert!(message.contains("63"), "{kind}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_of_the_wanted_name_is_never_taken_over() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish { suspend: true, ..Wish::up_to(Stage::Sandbox) };
    let grant = story.ask(&wish).await?;
    let digest = story
        .look(&wish, "the digest of what is asked for", |grant| {
            let digest = grant.status.as_ref().and_then(|status| status.request_digest.clone());
            digest.ok_or_else(|| "none yet".to_owned())
        })
        .await?;
    let place = name::stage_namespace(&wish.name, &grant.uid().unwrap_or_default(), Stage::Sandbox, &digest);
    let theirs = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place, "labels": {"team": "other"}}});
    story.cluster.apply_yaml(&theirs.to_string()).await?;
    let before = story.everywhere::<Namespace>().get(&place).await?;

    let wish = Wish { suspend: false, ..wish };
    story.ask(&wish).await?;
    let message = story.told(&wish, ConditionType::Stalled, true, Reason::NamespaceConflict).await?;
    assert!(message.contains(&place), "{message}");
    let now = story.everywhere::<Namespace>().get(&place).await?;
    assert_eq!((now.labels(), now.uid()), (before.labels(), before.uid()), "it is left alone");
    assert_eq!(told(&story.journal(&grant).await?).len(), 1, "nothing was opened, so no time runs");

    story.everywhere::<Namespace>().delete(&place, &DeleteParams::default()).await?;
    await_gone_or_ours(&story, &place, before.uid()).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    assert_eq!(opened.namespace.0, place);
    usable(&story, &place).await
}

/// Awaits that the namespace that was in the way is gone.
async fn await_gone_or_ours(story: &Story, place: &str, uid: Option<String>) -> Result<()> {
    let namespaces = story.everywhere::<Namespace>();
    e2e::eventually("the other namespace to be gone", SOON, async || match namespaces.get_opt(place).await {
        Ok(Some(now)) if now.uid() == uid => Err("it is there".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })
    .await
}

#[tokio::test]
async fn labels_and_annotations_that_mean_harm_do_none() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let mut hostile = wish.grant(&story);
    let nasty = "\"}},{{.}}; $(reboot) \u{202e}\n---\nkind: ClusterRoleBinding\n'".repeat(1000);
    hostile["metadata"]["labels"] =
        json!({name::LABEL_MANAGED_BY: "Helm", "comity.dev/grant-namespace": "kube-system"});
    hostile["metadata"]["annotations"] = json!({
        name::ANNOTATION_WANTED: "0000000000000000",
        "nasty.example/text": nasty,
        "helm.sh/hook": "pre-delete",
    });
    story.cluster.apply_yaml(&hostile.to_string()).await?;
    let place = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
    usable(&story, &place).await?;
    let namespace = story.everywhere::<Namespace>().get(&place).await?;
    assert_eq!(namespace.labels()[name::LABEL_GRANT_NAMESPACE], story.namespace);
    assert!(!format!("{namespace:?}").contains("reboot"), "nothing of it is passed on");
    // Somebody's own object that pretends to be Comity's, where it isn't guarded.
    let disguised = json!({"metadata": {"name": "comity-trust-stage"}, "data": {"scorer.crt": "mine"}});
    let disguised: ConfigMap = serde_json::from_value(disguised)?;
    story.api::<ConfigMap>().create(&PostParams::default(), &disguised).await?;
    story.api::<PartnerGrant>().delete(&wish.name, &DeleteParams::default()).await?;
    await_gone(&story.api::<PartnerGrant>(), &wish.name, SOON).await?;
    cleared(&story, &place).await
}
