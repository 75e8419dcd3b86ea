//! Ten thousand decisions about one grant, on a real API server with every process at work: the one
//! that matters has its effect, another grant's has it in time, and neither the journal nor a process
//! grows with what changes nothing. In a binary of its own, as it leaves the API server nothing else.

#[path = "life/story.rs"]
#[expect(dead_code, reason = "shared with the stories of a grant's life")]
mod story;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use comity::api::grant::OpeningState;
use comity::api::record::{GrantRecordSpec, RecordEvent};
use comity::api::{GrantDecision, PartnerGrant, Stage};
use e2e::cluster::await_object;
use e2e::comity::Daemon;
use e2e::comity::people::{Decider, OLGA, PER};
use e2e::{Cluster, Comity, Error, Result, eventually, throughout};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use story::{Story, Wish, ensure, told};

/// How many people decide.
const DECISIONS: usize = 10_000;
/// How many of them at once.
const IN_FLIGHT: usize = 32;
/// How soon somebody's decision about another grant has to hold meanwhile, with the API server and all
/// who decide on the same processors.
const OTHERS_WITHIN: Duration = Duration::from_secs(90);
/// How long all of it may take on a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(600);
/// How much more memory `comity run` may hold then, in KiB: what is kept of a decision and of what is
/// said of it is a few KiB.
const GROWTH: u64 = 15 * 10_000;

/// Those who decide over and over.
const CROWD: [Decider; 6] = [
    OLGA,
    Decider { name: "rita@retail.example", group: "security" },
    Decider { name: "rob@retail.example", group: "security" },
    Decider { name: "eva@retail.example", group: "security" },
    Decider { name: "lea@retail.example", group: "security" },
    Decider { name: "max@retail.example", group: "security" },
];

/// A grant that waits for approvals of production.
struct Flooded {
    story: Story,
    grant: PartnerGrant,
    /// Until when its rehearsal is open.
    end: Timestamp,
    decided: AtomicUsize,
}

impl Flooded {
    async fn begin(cluster: &Cluster, wish: &Wish) -> Result<Self> {
        let story = Story::on(cluster).await?;
        story.ask(wish).await?;
        story.told(wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
        let end = story.opened(wish, Stage::Rehearsal).await?.expires_at.0;
        let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
        Ok(Self { story, grant, end, decided: AtomicUsize::new(0) })
    }

    /// The `number`-th decision. Per's approval is the one that production waits for.
    fn decision(&self, number: usize) -> Result<(usize, GrantDecision)> {
        let seconds = i64::try_from(number).unwrap_or_default();
        let who = number / 10 % CROWD.len();
        let person = CROWD[who];
        let moved = |action, by| {
            let mut decision = person.approval(&self.grant, Stage::Rehearsal)?;
            decision.metadata.generate_name = Some("moves-".to_owned());
            decision.spec.action = action;
            decision.spec.expires_at = Some(Time(self.end + SignedDuration::from_secs(by)));
            Ok::<_, Error>(decision)
        };
        let decision = match number % 10 {
            6 => person.decision(&self.grant, DecisionAction::Attest),
            7 => moved(DecisionAction::Extend, seconds / 10 + 1)?,
            8 => moved(DecisionAction::Shorten, -seconds / 10 - 1)?,
            9 => {
                let mut old = person.approval(&self.grant, Stage::Production)?;
                old.spec.digest = Some(format!("v1:sha256:{number:064}").as_str().into());
                old
            }
            _ => person.approval(&self.grant, Stage::Production)?,
        };
        Ok((who, decision))
    }

    /// Everybody decides.
    async fn flood(&self) -> Result<()> {
        let namespace = &self.story.namespace;
        let clients = CROWD.iter().map(|person| {
            let own = self.story.cluster.as_user(person.name, &[person.group])?;
            Ok::<Api<GrantDecision>, Error>(Api::namespaced(own.client(), namespace))
        });
        let clients: Vec<_> = clients.collect::<Result<_>>()?;
        let decide = async |number: usize| {
            if number == DECISIONS / 2 {
                PER.decide(&self.story.cluster, &PER.approval(&self.grant, Stage::Production)?).await?;
            } else {
                let (who, decision) = self.decision(number)?;
                clients[who].create(&PostParams::default(), &decision).await?;
            }
            self.decided.fetch_add(1, Ordering::Relaxed);
            Ok::<(), Error>(())
        };
        stream::iter(0..DECISIONS).map(decide).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    /// Awaits that so many have decided.
    async fn halfway(&self, share: usize) -> Result<()> {
        eventually("many to have decided", PATIENCE, async || {
            let decided = self.decided.load(Ordering::Relaxed);
            if decided >= DECISIONS / share { Ok(()) } else { Err(format!("{decided}")) }
        })
        .await
    }

    /// Awaits that something is said of every decision, and counts what, by reason.
    async fn all_told(&self) -> Result<BTreeMap<String, usize>> {
        let config = watcher::Config::default().page_size(500);
        let mut told = std::pin::pin!(watcher(self.story.api::<GrantDecision>(), config).applied_objects());
        let mut said = HashMap::new();
        let all = async {
            while said.len() < DECISIONS {
                let Some(decision) =
                    told.try_next().await.map_err(|error| Error::Failed(error.to_string()))?
                else {
                    return Err(Error::Failed("the watch is over".to_owned()));
                };
                let conditions = decision.status.iter().flat_map(|status| &status.conditions);
                let taken = conditions.into_iter().find(|found| found.type_ == "Taken");
                let reason = taken.map(|taken| taken.reason.clone());
                if let Some(reason) = reason.filter(|reason| *reason != Reason::ConsentPending.to_string()) {
                    said.insert(decision.name_any(), reason);
                }
            }
            Ok(())
        };
        let in_time = tokio::time::timeout(PATIENCE, all).await;
        in_time.map_err(|_| Error::Failed("not all decisions are answered".to_owned()))??;
        let mut counts = BTreeMap::new();
        for reason in said.into_values() {
            *counts.entry(reason).or_insert(0) += 1;
        }
        Ok(counts)
    }
}

/// How many agreed that production opens.
fn agreed(journal: &[GrantRecordSpec]) -> usize {
    let approved = journal.iter().filter(|line| line.event == RecordEvent::Approved);
    approved.filter(|line| line.stage == Some(Stage::Production)).count()
}

/// How many decisions were looked at in passes over grants, each as often as it was.
async fn heard(run: &Daemon) -> Result<usize> {
    let text = run.metrics().await?;
    let line = text.lines().find_map(|line| line.strip_prefix("comity_decisions_heard_total "));
    line.and_then(|number| number.parse().ok()).ok_or_else(|| Error::Failed("it isn't counted".to_owned()))
}

/// Somebody quarantines another grant while everybody decides about the first: how long it takes.
async fn meanwhile(flooded: &Flooded, other: &Story, wish: &Wish) -> Result<Duration> {
    flooded.halfway(2).await?;
    let grant = other.api::<PartnerGrant>().get(&wish.name).await?;
    let start = Instant::now();
    OLGA.decide(&other.cluster, &OLGA.decision(&grant, DecisionAction::Quarantine)).await?;
    await_object(&other.api::<PartnerGrant>(), &wish.name, "it to be held", PATIENCE, |now| {
        let openings = now.status.as_ref().map(|status| &status.openings).ok_or("no status yet")?;
        let is_held = openings.iter().any(|opening| opening.state == OpeningState::Held);
        if is_held { Ok(()) } else { Err(format!("{openings:?}")) }
    })
    .await?;
    Ok(start.elapsed())
}

#[tokio::test]
async fn ten_thousand_decisions_about_one_grant_drown_neither_it_nor_another() -> Result<()> {
    let (cluster, comity) = Comity::shared().await?;
    let wish = Wish::up_to(Stage::Production);
    let flooded = Flooded::begin(&cluster, &wish).await?;
    let (other, others) = (Story::on(&cluster).await?, Wish::up_to(Stage::Sandbox));
    other.ask(&others).await?;
    other.opened(&others, Stage::Sandbox).await?;
    let run = comity.run();
    let (memory, processor, start) = (run.resident_kib()?, run.processor_seconds()?, Instant::now());

    let (flood, took) = tokio::join!(flooded.flood(), meanwhile(&flooded, &other, &others));
    flood?;
    let (made, took) = (start.elapsed(), took?);
    flooded.story.opened(&wish, Stage::Production).await?;
    let said = flooded.all_told().await?;
    let journal = flooded.story.journal(&flooded.grant).await?;
    let (grown, spent) = (run.resident_kib()?.saturating_sub(memory), run.processor_seconds()? - processor);
    let heard = heard(run).await?;
    println!(
        "{DECISIONS} decisions made in {made:.1?}, all told of after {:.1?}: {said:?}; another grant's held after \
         {took:.1?}; {} records, {heard} times heard, {grown} KiB more, {spent:.1} s of processor",
        start.elapsed(),
        journal.len()
    );

    ensure(took < OTHERS_WITHIN, || format!("another grant's decision held after {took:?}"))?;
    assert_eq!(said.values().sum::<usize>(), DECISIONS);
    assert_eq!(agreed(&journal), 2, "who brings it no closer isn't written down");
    ensure(journal.len() < 300, || format!("{} records: {:?}", journal.len(), told(&journal)))?;
    ensure(heard < 100 * DECISIONS, || format!("decisions were heard {heard} times"))?;
    ensure(grown < GROWTH, || format!("comity run holds {grown} KiB more"))?;
    let grant = flooded.story.api::<PartnerGrant>().get(&wish.name).await?;
    let size = serde_json::to_vec(&grant)?.len();
    ensure(size < 64 * 1024, || format!("the grant has {size} bytes"))?;
    at_rest(run).await
}

/// Once all is said, it rests.
async fn at_rest(run: &Daemon) -> Result<()> {
    let idle = async || {
        let before = run.processor_seconds()?;
        throughout("it runs", Duration::from_secs(5), || std::future::ready(Ok::<_, Error>(()))).await?;
        let spent = run.processor_seconds()? - before;
        ensure(spent < 1.0, || format!("{spent:.2} s of processor in five"))
    };
    eventually("comity run to rest", PATIENCE, async || idle().await.map_err(|error| error.to_string())).await
}
