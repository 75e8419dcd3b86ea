//! A clock that is set back by an hour while a grant is live: the end that was agreed comes when it was to come.

use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::grant::OpeningStatus;
use comity::api::record::{RecordEvent, RecordReason};
use comity::api::{PartnerGrant, Stage};
use e2e::clock::Clock;
use e2e::controlplane::Settings;
use e2e::liar::{Liar, TRUTH};
use e2e::{Cluster, Comity, Result, throughout};
use jiff::{SignedDuration, Timestamp};

use super::access::{cleared, shut_within, usable};
use super::story::{SOON, Story, Wish, ensure, told};
use super::whole::certificate_ends_in_time;

const AN_HOUR_BACK: i64 = -3600;

/// A sandbox that is open for so short a time that a story can await its end.
struct Live {
    story: Story,
    wish: Wish,
    grant: PartnerGrant,
    opening: OpeningStatus,
}

impl Live {
    async fn begin(cluster: &Cluster) -> Result<Self> {
        let story = Story::on(cluster).await?;
        let wish = Wish { times: ["60s", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
        let grant = story.ask(&wish).await?;
        let opening = story.opened(&wish, Stage::Sandbox).await?;
        usable(&story, &opening.namespace.0).await?;
        Ok(Self { story, wish, grant, opening })
    }

    /// Before its end nothing is closed, soon after it nobody can use anything, and nothing brings it back.
    async fn ends_when_it_was_to_end(&self) -> Result<()> {
        let (place, end) = (&self.opening.namespace.0, self.opening.expires_at.0);
        let late = end + SignedDuration::try_from(SOON).unwrap_or_default();
        ensure(Timestamp::now() < end, || {
            format!("the clock was set after {end}: too late to say anything")
        })?;
        let left = Duration::try_from(late.duration_since(Timestamp::now())).unwrap_or_default();
        shut_within(&self.story, place, left).await?;
        let now = Timestamp::now();
        ensure((end..late).contains(&now), || format!("{place} was shut at {now}, and its end was {end}"))?;
        cleared(&self.story, place).await?;
        self.story.told(&self.wish, ConditionType::Ready, true, Reason::Ended).await?;

        let journal =
            self.story.recorded(&self.grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
        let closed = (RecordEvent::Closed, Some(Stage::Sandbox), Some(RecordReason::Expired));
        assert_eq!(told(&journal)[2], closed);
        let in_order = journal.iter().map(|line| line.at.0).is_sorted();
        ensure(in_order && journal[2].at.0 >= end, || format!("written down at another time: {journal:?}"))?;
        self.story.ask(&self.wish).await?;
        self.story.told(&self.wish, ConditionType::Ready, true, Reason::Ended).await?;
        throughout("the same file to open nothing", Duration::from_secs(2), async || {
            let now = self.story.journal(&self.grant).await?.len();
            ensure(now == journal.len(), || format!("{now} records"))
        })
        .await
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_by_an_hour_gives_nobody_more_time() -> Result<()> {
    let cluster = Cluster::start(Settings::default()).await?;
    let (mut comity, clock) = Comity::going_by_a_clock(&cluster).await?;
    comity.start_all().await?;
    where_the_api_server_knows_the_time(&cluster, &comity, &clock).await?;
    comity.stop_all().await?;
    clock.set(0)?;
    where_every_clock_is_set_back(&cluster, &mut comity, &clock).await
}

/// A node's clock alone: also who is started while it is wrong isn't misled.
async fn where_the_api_server_knows_the_time(
    cluster: &Cluster,
    comity: &Comity,
    clock: &Clock,
) -> Result<()> {
    let live = Live::begin(cluster).await?;
    clock.set(AN_HOUR_BACK)?;
    tokio::try_join!(comity.run().restart(), comity.sign().restart())?;
    certificate_ends_in_time(&live.story, &live.opening).await?;
    live.ends_when_it_was_to_end().await?;
    // What is opened meanwhile is opened for no longer either.
    let later = Live::begin(cluster).await?;
    let ahead = later.opening.expires_at.0.duration_since(Timestamp::now()).as_secs();
    ensure(ahead <= 60, || format!("its end is {ahead} s ahead, and 60 s were agreed"))?;
    certificate_ends_in_time(&later.story, &later.opening).await
}

/// All that Comity could know the time from, but for what passes.
async fn where_every_clock_is_set_back(cluster: &Cluster, comity: &mut Comity, clock: &Clock) -> Result<()> {
    let run = Liar::begin(comity.run().identity(cluster)?.client(), TRUTH).await?;
    let sign = Liar::begin(comity.sign().identity(cluster)?.client(), TRUTH).await?;
    comity.run_asks(run.address)?;
    comity.sign_asks(sign.address)?;
    comity.start_all().await?;
    let live = Live::begin(cluster).await?;
    clock.set(AN_HOUR_BACK)?;
    for liar in [&run, &sign] {
        liar.set_clock(AN_HOUR_BACK);
    }
    live.ends_when_it_was_to_end().await?;
    comity.stop_all().await
}
