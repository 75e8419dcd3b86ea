//! `comity status` and `comity explain`: what they tell, to whom, and what they say where they can't.

use comity::api::Stage;
use comity::api::condition::{ConditionType, Reason};
use e2e::comity::command::Desk;
use e2e::comity::people::OLGA;
use e2e::{Error, Result, eventually};
use serde_json::Value;

use super::story::{SOON, Story, Wish, ensure};

/// Lets a group read what is in no namespace.
pub(super) async fn let_see(story: &Story, group: &str) -> Result<()> {
    let binding = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: see-{group}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: \"comity:viewer\"}}\n\
         subjects: [{{kind: Group, apiGroup: rbac.authorization.k8s.io, name: {group}}}]\n"
    );
    story.cluster.apply_yaml(&binding).await?;
    let groups = [group.to_owned()];
    eventually(&format!("{group} to be let see"), SOON, async || {
        let may = story
            .cluster
            .can_in_groups("anybody", &groups, "list", "sharingboundaries.comity.dev", None)
            .await;
        if matches!(may, Ok(true)) { Ok(()) } else { Err(format!("{may:?}")) }
    })
    .await
}

/// A grant whose production waits for people, and one of them, who may read all that it stands on.
pub(super) async fn waiting_for_olga() -> Result<(Story, Desk)> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Production);
    story.ask(&wish).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    let_see(&story, "sees").await?;
    let olga = Desk::of_groups(&story.cluster, OLGA.name, &["security", "sees"], &story.namespace).await?;
    Ok((story, olga))
}

#[tokio::test]
async fn a_grant_is_shown_and_explained_to_who_may_read_it() -> Result<()> {
    let (_story, olga) = waiting_for_olga().await?;
    let status =
        olga.hears(&["status", "northpay"], 0, &["Rehearsal  open until", "Production waits for people"]);
    let status = status.await?.out;
    ensure(
        status.contains("missing: 2 more people, of them at least 1 from data-owners and 1 from security"),
        || status.clone(),
    )?;
    ensure(!status.contains("may not read") && !status.contains("as Comity says"), || status.clone())?;
    ensure(!status.contains('\u{1b}'), || "no colours where there is no terminal".to_owned())?;
    let words =
        ["What holds each clause", "may approve, deny, extend, shorten", "by data-owners and security:"];
    olga.hears(&["explain", "northpay"], 0, &words).await?;
    let told = olga.hears(&["status", "northpay", "--output", "json"], 0, &[]).await?.out;
    let told: Value = serde_json::from_str(&told)?;
    ensure(told["digestChecked"] == "Same" && told["waiting"][0]["peopleMissing"] == 2, || told.to_string())?;
    let yaml = olga.hears(&["explain", "northpay", "-o", "yaml"], 0, &[]).await?.out;
    let yaml: Value = serde_saphyr::from_str(&yaml).map_err(|error| Error::Failed(error.to_string()))?;
    ensure(yaml["enforcement"].as_array().is_some_and(|clauses| clauses.len() > 20), || yaml.to_string())
}

#[tokio::test]
async fn who_may_not_read_is_told_what_would_let_them() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    story.opened(&wish, Stage::Sandbox).await?;
    let olga = Desk::of(&story.cluster, OLGA, &story.namespace).await?;
    let partly = ["Sandbox    open until", "you may not read partners, sharingboundaries", "as Comity says"];
    olga.hears(&["status", "northpay"], 0, &partly).await?;
    olga.hears(&["status", "northpai"], 1, &["there is no grant northpai", "did you mean northpay?"]).await?;
    let stranger = Desk::of_groups(&story.cluster, "eve@northpay.example", &[], &story.namespace).await?;
    stranger.hears(&["status", "northpay"], 6, &["cannot get resource", "comity:viewer"]).await?;
    olga.hears(&["status", "northpay", "--context", "nowhere"], 1, &["nowhere", "--context"]).await?;
    olga.hears(&["status"], 2, &["<GRANT>"]).await?;
    let plugin = olga.calling(story.cluster.directory(), "kubectl-comity")?;
    plugin
        .hears(&["status", "--help"], 0, &["Usage: kubectl comity status", "  kubectl comity status north"])
        .await?;
    plugin.hears(&["status", "northpay"], 0, &["Sandbox    open until"]).await.map(drop)
}
