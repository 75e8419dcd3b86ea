//! A grant that ended, that somebody deletes, and that Git brings back at once: it is a new one, and gives
//! nobody anything until people agree to every stage of it.

use std::time::Duration;

use comity::api::record::{RecordEvent, RecordReason};
use comity::api::{PartnerGrant, Stage, name};
use e2e::comity::people;
use e2e::{Comity, Result, eventually, throughout};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};

use super::access::{cleared, shut, usable};
use super::pipeline::{Pace, Pipeline, directory, sponsored};
use super::story::{SOON, Story, Wish, ensure, told};

#[tokio::test]
async fn an_ended_grant_that_git_brings_back_gets_no_access_without_new_consent() -> Result<()> {
    let (cluster, _) = Comity::shared().await?;
    let story = Story::without_ground(&cluster).await?;
    let mut pipeline = Pipeline::of(&story, Pace::AllTheTime).await?;
    let wish = Wish { times: ["5m", "30s", "1h"], ..Wish::up_to(Stage::Rehearsal) };
    pipeline.merge(&directory(&story, &wish)).await?;
    let before = story.opened(&wish, Stage::Rehearsal).await?.namespace.0;
    let ended = story.api::<PartnerGrant>().get(&wish.name).await?;
    let journal = story.recorded(&ended, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    cleared(&story, &before).await?;

    story.api::<PartnerGrant>().delete(&wish.name, &DeleteParams::default()).await?;
    let grant = brought_back(&story, &wish, &ended).await?;
    for stage in [Stage::Sandbox, Stage::Rehearsal] {
        sponsored(&story, &wish).await?;
        nothing_opens(&story, &wish, &grant, stage).await?;
        let asked = story.api::<PartnerGrant>().get(&wish.name).await?;
        people::agree(&story.cluster, &asked, stage).await?;
        let opened = story.opened(&wish, stage).await?;
        ensure(opened.namespace.0 != before, || format!("{before} is used again"))?;
        usable(&story, &opened.namespace.0).await?;
    }
    shut(&story, &before).await?;
    assert_eq!(story.journal(&ended).await?, journal, "nothing is added to what has ended");
    let opened = |line: &&_| matches!(line, (RecordEvent::Opened, _, _));
    assert_eq!(told(&story.journal(&grant).await?).iter().filter(opened).count(), 2);
    ensure(pipeline.rounds().await? > 0, || "nothing was applied again".to_owned())
}

/// Awaits that another grant of the same name is there.
async fn brought_back(story: &Story, wish: &Wish, before: &PartnerGrant) -> Result<PartnerGrant> {
    eventually("the grant to be back", SOON, async || {
        match story.api::<PartnerGrant>().get_opt(&wish.name).await {
            Ok(Some(now)) if now.uid() != before.uid() => Ok(now),
            other => Err(format!("{:?}", other.map(|now| now.map(|now| now.metadata.uid)))),
        }
    })
    .await
}

/// Watches that a stage of a grant doesn't open while people are asked for it.
async fn nothing_opens(story: &Story, wish: &Wish, grant: &PartnerGrant, stage: Stage) -> Result<()> {
    let own = ListParams::default().labels(&format!(
        "{}={},{}={stage}",
        name::LABEL_GRANT_UID,
        grant.uid().unwrap_or_default(),
        name::LABEL_STAGE
    ));
    throughout("nothing to open", Duration::from_secs(2), async || {
        let now = story.api::<PartnerGrant>().get(&wish.name).await?;
        let opened =
            now.status.is_some_and(|status| status.openings.iter().any(|known| known.stage == stage));
        ensure(!opened, || format!("{stage} opens although nobody agreed"))?;
        let places = story.everywhere::<Namespace>().list(&own).await?.items;
        ensure(places.is_empty(), || format!("{} is there", places[0].name_any()))
    })
    .await
}
