//! What went wrong elsewhere doesn't go wrong here: the defects that were read in the nearest projects,
//! as `docs/how-others-got-it-wrong.md` lists them, as far as no other story shows it.

use std::time::Duration;

use comity::api::{
    Dataset, GrantRecord, Partner, PartnerGrant, SharingBoundary, SharingContract, Stage,
    condition::{ConditionType, Reason, whole_seconds},
    decision::DecisionAction,
    grant::OpeningState,
    record::{RecordEvent, RecordReason},
};
use e2e::{
    Result,
    comity::people::{OLGA, PER},
    throughout,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};

use super::access::{cleared, shut, usable};
use super::consent::decided;
use super::fault::alone;
use super::order::writes;
use super::story::{Story, Wish, ensure, over, told};

/// A moment that isn't long from now, in whole seconds.
fn in_seconds(seconds: i64) -> Timestamp {
    whole_seconds(Timestamp::now() + SignedDuration::from_secs(seconds))
}

#[tokio::test]
async fn an_end_needs_nothing_of_what_access_was_made_of() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish { times: ["45s", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let now = DeleteParams::default();
    story.api::<SharingContract>().delete("fraud-scoring", &now).await?;
    story.api::<Dataset>().delete("transactions", &now).await?;
    story.everywhere::<SharingBoundary>().delete(&story.namespace, &now).await?;
    story.everywhere::<Partner>().delete(&story.namespace, &now).await?;
    story.api::<Service>().delete("tx-synthetic", &now).await?;
    story.opening(&wish, Stage::Sandbox, OpeningState::Held).await?;
    over(opened.expires_at.0).await?;
    cleared(&story, &opened.namespace.0).await?;
    let journal = story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    // All of it comes back, and what has ended stays so.
    story.lay_ground().await?;
    story.told(&wish, ConditionType::Ready, true, Reason::Ended).await?;
    // Whatever else was to open by it has.
    let next = Wish { purpose: "model-quality", ..Wish::up_to(Stage::Sandbox).called("next") };
    story.ask(&next).await?;
    story.opened(&next, Stage::Sandbox).await?;
    throughout("nothing to be written down", Duration::from_secs(2), async || {
        let now = story.journal(&grant).await?.len();
        ensure(now == journal.len(), || format!("{now} records"))
    })
    .await
}

#[tokio::test]
async fn an_end_waits_for_no_other_process() -> Result<()> {
    let (cluster, comity) = alone().await?;
    let story = Story::on(&cluster).await?;
    let wish = Wish { times: ["30s", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    comity.sign().kill();
    over(opened.expires_at.0).await?;
    let end = Timestamp::now();
    shut(&story, &opened.namespace.0).await?;
    ensure(Timestamp::now().duration_since(end).as_secs() < 60, || "it took long".to_owned())?;
    cleared(&story, &opened.namespace.0).await?;
    story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    comity.sign().start().await
}

#[tokio::test]
async fn two_at_once_write_each_line_once() -> Result<()> {
    let (cluster, comity) = alone().await?;
    let twin = comity.run().twin();
    twin.start().await?;
    let story = Story::on(&cluster).await?;
    let wish = Wish::up_to(Stage::Production);
    let grant = story.ask(&wish).await?;
    let production = story.agreed(&wish, Stage::Production).await?;
    usable(&story, &production.namespace.0).await?;
    story.opening(&wish, Stage::Rehearsal, OpeningState::Closed).await?;
    twin.kill();
    let journal = story.journal(&grant).await?;
    let numbers: Vec<i64> = journal.iter().map(|line| line.sequence).collect();
    assert!(numbers.iter().zip(1..).all(|(found, wanted)| *found == wanted), "{numbers:?}");
    for stage in Stage::ALL {
        let opened = journal.iter().filter(|line| line.event == RecordEvent::Opened);
        assert_eq!(opened.filter(|line| line.stage == Some(stage)).count(), 1, "{:?}", told(&journal));
    }
    let approved = journal.iter().filter(|line| line.event == RecordEvent::Approved).count();
    assert_eq!(approved, 2, "{:?}", told(&journal));
    Ok(())
}

#[tokio::test]
async fn what_nobody_watched_over_is_neither_given_late_nor_lost() -> Result<()> {
    let (cluster, comity) = alone().await?;
    let missed = Story::on(&cluster).await?;
    let fresh = Story::on(&cluster).await?;
    comity.run().kill();
    // A window that is over before anybody looks, and one that begins meanwhile.
    let [begin, end] = [3, 6].map(in_seconds);
    let until = missed.ground().replace("2099-10-31T00:00:00Z", &end.to_string());
    cluster.apply_yaml(&until).await?;
    let from = fresh.ground().replace("2026-01-01T00:00:00Z", &begin.to_string());
    cluster.apply_yaml(&from).await?;
    let wish = Wish::up_to(Stage::Sandbox);
    missed.ask(&wish).await?;
    fresh.ask(&wish).await?;
    over(end + SignedDuration::from_secs(1)).await?;
    comity.run().start().await?;
    missed.told(&wish, ConditionType::Accepted, false, Reason::ContractEnded).await?;
    fresh.opened(&wish, Stage::Sandbox).await?;
    let records = missed.api::<GrantRecord>().list(&ListParams::default()).await?;
    ensure(records.items.is_empty(), || format!("{:?}", records.items))?;
    let made = writes(&missed, &[&missed.namespace])?;
    let made: Vec<_> = made.iter().filter(|write| !write.resource.ends_with("/status")).collect();
    ensure(made.is_empty(), || format!("{made:?}"))
}

#[tokio::test]
async fn what_people_decided_while_nobody_watched_is_heard() -> Result<()> {
    let (cluster, comity) = alone().await?;
    let story = Story::on(&cluster).await?;
    let wish = Wish::up_to(Stage::Production);
    story.ask(&wish).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
    comity.run().kill();
    for who in [OLGA, PER] {
        who.decide(&cluster, &who.approval(&grant, Stage::Production)?).await?;
    }
    comity.run().start().await?;
    story.opened(&wish, Stage::Production).await.map(drop)
}

#[tokio::test]
async fn of_two_that_overlap_the_end_of_the_elder_takes_nothing_from_the_younger() -> Result<()> {
    let story = Story::begin().await?;
    let elder = Wish { times: ["30s", "1h", "1h"], ..Wish::up_to(Stage::Sandbox).called("elder") };
    let younger = Wish { purpose: "model-quality", ..Wish::up_to(Stage::Sandbox).called("younger") };
    let grant = story.ask(&elder).await?;
    story.ask(&younger).await?;
    let first = story.opened(&elder, Stage::Sandbox).await?;
    let second = story.opened(&younger, Stage::Sandbox).await?;
    usable(&story, &second.namespace.0).await?;
    over(first.expires_at.0).await?;
    cleared(&story, &first.namespace.0).await?;
    story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    usable(&story, &second.namespace.0).await?;
    let after = story.opened(&younger, Stage::Sandbox).await?;
    assert_eq!(after.expires_at, second.expires_at);
    Ok(())
}

#[tokio::test]
async fn of_two_extensions_that_overlap_the_later_end_stands() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish { times: ["30s", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let grant = story
        .look(&wish, "the digest", |now| {
            match now.status.as_ref().and_then(|status| status.request_digest.as_ref()) {
                Some(_) => Ok(now.clone()),
                None => Err(grant.name_any()),
            }
        })
        .await?;
    let longer = |who: e2e::comity::people::Decider, seconds| {
        let mut decision = who.approval(&grant, Stage::Sandbox)?;
        decision.metadata.generate_name = Some("extend-".to_owned());
        decision.spec.action = DecisionAction::Extend;
        decision.spec.expires_at = Some(Time(opened.expires_at.0 + SignedDuration::from_secs(seconds)));
        Ok::<_, e2e::Error>(decision)
    };
    decided(&story, OLGA, &longer(OLGA, 20)?, Reason::Taken).await?;
    decided(&story, PER, &longer(PER, 10)?, Reason::NothingToDecide).await?;
    for seconds in [0, 10] {
        over(opened.expires_at.0 + SignedDuration::from_secs(seconds)).await?;
        usable(&story, &opened.namespace.0).await?;
    }
    over(opened.expires_at.0 + SignedDuration::from_secs(20)).await?;
    cleared(&story, &opened.namespace.0).await?;
    let journal = story.journal(&grant).await?;
    let closed = journal.iter().find(|line| line.event == RecordEvent::Closed);
    let early = closed.is_none_or(|line| line.at.0 < opened.expires_at.0 + SignedDuration::from_secs(20));
    ensure(!early, || format!("{:?}", told(&journal)))
}
