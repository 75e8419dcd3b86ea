//! What waits: a refresh while access is held, and a flood, which makes nobody else wait.

use std::time::Duration;

use comity::api::Stage;
use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use e2e::comity::people::{OLGA, PER};
use e2e::{Result, throughout};
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
use rcgen::KeyPair;

use super::ground::Ground;
use super::node::Ask;
use super::story::{Wish, ensure};

/// For how long it is watched that nothing is answered.
const QUIET: Duration = Duration::from_secs(4);

/// Two pods of a sandbox, of which one runs.
struct Waiting {
    ground: Ground,
    requests: Vec<PodCertificateRequest>,
}

impl Waiting {
    /// Holds access by `hold`, and asks for both pods then.
    async fn begin(hold: impl AsyncFnOnce(&Ground) -> Result<()>) -> Result<Self> {
        let ground = Ground::begin("12h").await?;
        let running = ground.node.pod(ground.place(), "running").await?;
        let new = ground.node.pod(ground.place(), "new").await?;
        ground.node.runs(&running).await?;
        hold(&ground).await?;
        let key = KeyPair::generate().expect("a key");
        let mut requests = Vec::new();
        for pod in [&running, &new] {
            requests.push(ground.node.ask(&Ask::ordinary(pod, &key)).await?);
        }
        Ok(Self { ground, requests })
    }

    /// Nobody answers for a while.
    async fn unanswered(&self) -> Result<()> {
        throughout("nobody answers", QUIET, async || {
            for request in &self.requests {
                let status = self.ground.node.look(request).await?;
                ensure(status.conditions.is_none(), || format!("{status:?}"))?;
            }
            Ok::<_, e2e::Error>(())
        })
        .await
    }

    async fn issued(&self) -> Result<()> {
        for request in &self.requests {
            self.ground.node.answer(request).await?.chain()?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn while_suspended_nobody_is_refused_and_after_it_everybody_is_served() -> Result<()> {
    let suspended = async |ground: &Ground| {
        let wish = Wish { suspend: true, ..ground.wish.clone() };
        ground.story.ask(&wish).await?;
        ground.story.told(&wish, ConditionType::Active, false, Reason::Suspended).await.map(drop)
    };
    let waiting = Waiting::begin(suspended).await?;
    waiting.unanswered().await?;
    let ground = &waiting.ground;
    ground.story.ask(&ground.wish).await?;
    ground.story.opened(&ground.wish, Stage::Sandbox).await?;
    waiting.issued().await
}

#[tokio::test]
async fn while_quarantined_nobody_is_refused_and_after_it_everybody_is_served() -> Result<()> {
    let quarantined = async |ground: &Ground| {
        let decision = OLGA.decision(&ground.grant, DecisionAction::Quarantine);
        OLGA.decide(&ground.story.cluster, &decision).await?;
        ground.story.told(&ground.wish, ConditionType::Active, false, Reason::Quarantined).await.map(drop)
    };
    let waiting = Waiting::begin(quarantined).await?;
    waiting.unanswered().await?;
    let ground = &waiting.ground;
    PER.decide(&ground.story.cluster, &PER.decision(&ground.grant, DecisionAction::Release)).await?;
    ground.story.opened(&ground.wish, Stage::Sandbox).await?;
    waiting.issued().await
}

#[tokio::test]
async fn a_flood_of_requests_for_one_pod_makes_no_other_wait() -> Result<()> {
    let ground = Ground::begin("12h").await?;
    let flooding = ground.node.pod(ground.place(), "flooding").await?;
    let other = ground.node.pod(ground.place(), "other").await?;
    let key = KeyPair::generate().expect("a key");
    let ask = Ask::ordinary(&flooding, &key);
    let first = ground.node.ask(&ask).await?;
    let all = futures::future::try_join_all((0..200).map(|_| ground.node.ask(&ask))).await?;
    let mine = ground.node.ask(&Ask::ordinary(&other, &key)).await?;
    ground.node.answer(&mine).await?.chain()?;
    ground.node.answer(&first).await?.chain()?;
    let mut waiting = 0;
    for request in &all {
        waiting += usize::from(ground.node.look(request).await?.conditions.is_none());
    }
    ensure(waiting > 100, || format!("{waiting} of {} wait for their turn", all.len()))
}
