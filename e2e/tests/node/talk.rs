//! Connections that were made while they were allowed, and what becomes of them: by when the last byte
//! comes, measured at the pod that serves the dataset, from a pod that ends no sooner than it has to.

use std::sync::Arc;
use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use comity::api::grant::OpeningStatus;
use comity::api::{PartnerGrant, SharingContract, Stage};
use e2e::comity::people::OLGA;
use e2e::node::prober::Prober;
use e2e::node::{Answer, Node};
use e2e::{Result, eventually, throughout};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::ground::{SOON, answered};
use super::scene::{Scene, Somebody, serves};
use super::story::{Story, Wish, ensure};

/// How long a pod that doesn't want to end is let, which Comity says, and how long all that leads to it may
/// take on a machine that is busy.
const CUT_WITHIN: SignedDuration = SignedDuration::from_secs(30 + 20);
/// How long a path that was just taken away may stay open.
const SHUT_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// A sandbox with a pod that talks to the dataset without a pause.
struct Talk {
    scene: Scene,
    wish: Wish,
    grant: PartnerGrant,
    opening: OpeningStatus,
    talker: Somebody,
}

impl Talk {
    /// `fate` is what the contract says about pods under quarantine.
    async fn begin(node: Arc<Node>, fate: Option<&str>) -> Result<Self> {
        let scene = Scene::set(node).await?;
        if let Some(fate) = fate {
            let change = json!({"spec": {"quarantine": {"pods": fate}}});
            scene.story.change::<SharingContract>("fraud-scoring", change).await?;
        }
        let wish = Wish::up_to(Stage::Sandbox);
        let grant = scene.story.ask(&wish).await?;
        let opening = scene.story.opened(&wish, Stage::Sandbox).await?;
        let service = scene.service(Stage::Sandbox).await?.to_string();
        let talker = scene.workload(&opening, "talker", &["hold", &service]).await?;
        let talk = Self { scene, wish, grant, opening, talker };
        eventually("somebody to talk", SOON, async || talk.last_byte().map(drop).ok_or("silence")).await?;
        Ok(talk)
    }

    fn story(&self) -> &Story {
        &self.scene.story
    }

    /// When the dataset last heard from the talker.
    fn last_byte(&self) -> Option<Timestamp> {
        let printed = self.scene.node.printed(&self.story().namespace, serves(Stage::Sandbox));
        let from = format!("heard {}:", self.talker.address);
        let line = printed.lines().rfind(|line| line.contains(&from))?;
        let at = line.rsplit(' ').next()?.parse::<i64>().ok()?;
        Timestamp::from_microsecond(at).ok()
    }

    /// How many connections the talker has made.
    fn connections(&self) -> usize {
        let printed = self.scene.node.printed(&self.opening.namespace.0, "talker");
        printed.lines().filter(|line| line.contains("connected at")).count()
    }

    /// Awaits that nothing is heard any more, and says when the last byte came.
    async fn silence(&self) -> Result<Timestamp> {
        let quiet = SignedDuration::from_secs(3);
        eventually("the talker to be cut off", 3 * SOON, async || match self.last_byte() {
            Some(last) if last + quiet < Timestamp::now() => Ok(last),
            last => Err(format!("last heard at {last:?}")),
        })
        .await
    }
}

/// Each in a namespace of its own, at the same time: most of it is waiting.
pub async fn connections_end_with_their_pods(node: Arc<Node>) -> Result<()> {
    tokio::try_join!(
        connections_end_when_the_stage_ends(node.clone()),
        quarantine_cuts_where_pods_are_deleted(node.clone()),
        quarantine_leaves_where_pods_are_kept(node),
    )?;
    Ok(())
}

/// The pod ignores that it is asked to end, and asks for five minutes.
async fn connections_end_when_the_stage_ends(node: Arc<Node>) -> Result<()> {
    let talk = Talk::begin(node, None).await?;
    let door = talk.scene.dataset(Stage::Sandbox).door();
    let allowed = Prober::on([talk.talker.to(door, "the dataset")]);
    let end = Timestamp::now() + SignedDuration::from_secs(6);
    let mut shorten = OLGA.decision(&talk.grant, DecisionAction::Shorten);
    shorten.spec.stage = Some(Stage::Sandbox);
    shorten.spec.expires_at = Some(Time(end));
    OLGA.decide(talk.scene.node.cluster(), &shorten).await?;
    let end = eventually("the end to be recorded", SOON, async || {
        let journal = talk.story().journal(&talk.grant).await.map_err(|error| error.to_string())?;
        let recorded = journal.iter().rev().find_map(|line| line.expires_at.clone()).map(|end| end.0);
        recorded.filter(|recorded| *recorded < talk.opening.expires_at.0).ok_or("not yet".to_owned())
    })
    .await?;
    talk.story().told(&talk.wish, ConditionType::Active, false, Reason::Expired).await?;
    let last = talk.silence().await?;
    let records = allowed.stop()?;
    let dialled = records.iter().find_map(e2e::node::prober::Record::last_through).unwrap_or(last);
    let (cut, shut) = (last.duration_since(end), dialled.duration_since(end));
    println!("after the recorded end: the last byte {cut:#}, the last new connection {shut:#}");
    ensure(cut > -SignedDuration::from_secs(2), || format!("cut off {cut:#} after the end"))?;
    ensure(cut < CUT_WITHIN && shut < SHUT_WITHIN, || format!("cut {cut:#}, shut {shut:#} after the end"))
}

/// Quarantines the grant, as somebody who is on call; when that was.
async fn quarantine(talk: &Talk) -> Result<Timestamp> {
    let at = Timestamp::now();
    OLGA.decide(talk.scene.node.cluster(), &OLGA.decision(&talk.grant, DecisionAction::Quarantine)).await?;
    talk.story().told(&talk.wish, ConditionType::Active, false, Reason::Quarantined).await?;
    Ok(at)
}

async fn quarantine_cuts_where_pods_are_deleted(node: Arc<Node>) -> Result<()> {
    let talk = Talk::begin(node, Some("Delete")).await?;
    let at = quarantine(&talk).await?;
    let cut = talk.silence().await?.duration_since(at);
    println!("after the quarantine: the last byte {cut:#}");
    ensure(cut < CUT_WITHIN, || format!("cut {cut:#} after the quarantine"))
}

/// The status says so, too.
async fn quarantine_leaves_where_pods_are_kept(node: Arc<Node>) -> Result<()> {
    let talk = Talk::begin(node, Some("Keep")).await?;
    quarantine(&talk).await?;
    let door = talk.scene.dataset(Stage::Sandbox).door();
    answered(&talk.talker.place, door, Answer::Forbidden).await?;
    let forbidden = Prober::on([talk.talker.to(door, "the dataset")]);
    throughout("the talk goes on", Duration::from_secs(5), async || {
        let silent = talk.last_byte().map(|last| Timestamp::now().duration_since(last));
        let goes_on = silent.is_some_and(|silent| silent < SignedDuration::from_secs(2));
        if goes_on { Ok(()) } else { Err(format!("silent for {silent:?}")) }
    })
    .await?;
    ensure(talk.connections() == 1, || "it was cut off and came back".to_owned())?;
    let records = forbidden.stop()?;
    let through: usize = records.iter().map(|record| record.through.len()).sum();
    ensure(through == 0, || format!("{through} dials got through: {records:?}"))
}
