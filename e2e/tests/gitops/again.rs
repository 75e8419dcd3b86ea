//! The same files again and again, through the whole life of a grant: nothing changes, and nothing is written.

use std::collections::BTreeMap;

use comity::api::condition::{ConditionType, Reason};
use comity::api::record::{GrantRecordSpec, RecordEvent, RecordReason};
use comity::api::{PartnerGrant, Stage, name};
use e2e::{Comity, Result, eventually};
use kube::ResourceExt as _;

use super::access::{cleared, usable};
use super::order::{short, writes};
use super::pipeline::{Pace, Pipeline, agreed, at_rest, directory};
use super::story::{SOON, Story, Wish, ensure, told};

/// How much more often statuses may be told on the way, which depends on how much of what happens is seen at once:
/// far less than how often everything is applied. Where nothing happens, nothing is told.
const LEEWAY: usize = 25;

/// What became of a grant, from the first apply to its end.
struct Life {
    journal: Vec<GrantRecordSpec>,
    /// Every write of Comity's but of statuses, by what it was.
    writes: BTreeMap<String, usize>,
    /// How often statuses were written, and how often somebody was faster than a write.
    told: usize,
    /// How often everything was applied again.
    rounds: usize,
    /// Who asked for it, as admission noted.
    requested: String,
}

#[tokio::test]
async fn applying_every_file_all_the_time_changes_nothing_and_adds_no_write() -> Result<()> {
    let (plain, again) = tokio::try_join!(live(Pace::Once), live(Pace::AllTheTime))?;
    assert_eq!(plain.rounds, 0);
    assert!(again.rounds > 50, "everything was applied {} times only", again.rounds);
    assert_eq!(told(&again.journal), told(&plain.journal));
    assert_eq!(lengths(&again.journal), lengths(&plain.journal), "no end has moved");
    assert_eq!(again.requested, plain.requested, "nobody asked anew");
    let more = again
        .writes
        .iter()
        .map(|(name, count)| (name, plain.writes.get(name).copied().unwrap_or(0), *count))
        .filter(|(_, plain, again)| again > plain);
    let more: Vec<_> = more.collect();
    ensure(more.is_empty(), || format!("written more often: {more:#?}"))?;
    ensure(again.told <= plain.told + LEEWAY, || {
        format!("statuses were written {} times, and {} times without", again.told, plain.told)
    })
}

/// How long each opening is open, as its record says.
fn lengths(journal: &[GrantRecordSpec]) -> Vec<(Option<Stage>, i64)> {
    let opened = journal.iter().filter(|line| line.event == RecordEvent::Opened);
    opened
        .filter_map(|line| {
            let end = line.expires_at.as_ref()?.0;
            Some((line.stage, end.duration_since(line.at.0).as_secs()))
        })
        .collect()
}

/// A whole life: sandbox, rehearsal and production, each by a merge, and the end.
async fn live(pace: Pace) -> Result<Life> {
    let (cluster, _) = Comity::shared().await?;
    let story = Story::without_ground(&cluster).await?;
    let mut pipeline = Pipeline::of(&story, pace).await?;
    let wish = Wish { times: ["1h", "1h", "30s"], ..Wish::up_to(Stage::Sandbox) };
    pipeline.merge(&directory(&story, &wish)).await?;
    let sandbox = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
    usable(&story, &sandbox).await?;
    nothing_changes(&story, &pipeline, &[&sandbox]).await?;

    pipeline.merge(&directory(&story, &wish.but(Stage::Rehearsal))).await?;
    let rehearsal = story.opened(&wish, Stage::Rehearsal).await?.namespace.0;
    cleared(&story, &sandbox).await?;

    pipeline.merge(&directory(&story, &wish.but(Stage::Production))).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    nothing_changes(&story, &pipeline, &[&sandbox, &rehearsal]).await?;
    let production = agreed(&story, &wish, Stage::Production).await?.namespace.0;
    story.told(&wish, ConditionType::Ready, true, Reason::Ended).await?;
    cleared(&story, &production).await?;

    let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
    let journal = story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    let places = [sandbox.as_str(), &rehearsal, &production];
    nothing_changes(&story, &pipeline, &places).await?;
    let (writes, told) = counted(&story, &places, &grant)?;
    let rounds = pipeline.rounds().await?;
    let requested = grant.annotations().get(name::ANNOTATION_REQUESTED_BY).cloned().unwrap_or_default();
    Ok(Life { journal, writes, told, rounds, requested: requested.replace(&story.namespace, "STORY") })
}

/// Awaits rest, in which nothing is stored either.
async fn nothing_changes(story: &Story, pipeline: &Pipeline, places: &[&str]) -> Result<()> {
    eventually("rest in which nothing is stored", SOON, async || {
        at_rest(story, places).await?;
        let before = pipeline.versions().await?;
        at_rest(story, places).await?;
        let after = pipeline.versions().await?;
        ensure(before == after, || format!("what is stored has changed: {before:?}, {after:?}"))
    })
    .await
}

/// How often each thing was written, by names that are the same in every story; and statuses, altogether.
fn counted(story: &Story, places: &[&str], grant: &PartnerGrant) -> Result<(BTreeMap<String, usize>, usize)> {
    let (mut counted, mut told) = (BTreeMap::new(), 0);
    let uid = grant.uid().unwrap_or_default();
    for write in writes(story, places)? {
        if write.resource.ends_with("/status") || write.code == 409 {
            told += 1;
            continue;
        }
        let place = if places.contains(&write.namespace.as_str()) { " in a stage" } else { "" };
        let mut name = short(&write);
        for (place, stage) in places.iter().zip(Stage::ALL) {
            name = name.replace(place, stage.lower());
        }
        name = name.replace(&uid, "UID").replace(&story.namespace, "STORY");
        // What lets a stage in to a dataset ends with a hash.
        if let Some((policy, _)) = name.split_once("comity-from-") {
            name = format!("{policy}comity-from-HASH");
        }
        *counted.entry(format!("{name}{place} {}", write.code)).or_insert(0) += 1;
    }
    Ok((counted, told))
}
