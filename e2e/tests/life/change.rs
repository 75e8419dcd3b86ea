//! What a grant depends on changes under it: what is less is less at once, what is more is for
//! people to agree to, and takes over from what is live.

use comity::api::condition::{ConditionType, Reason};
use comity::api::grant::{OpeningState, PendingChange};
use comity::api::record::{RecordEvent, RecordReason};
use comity::api::{PartnerGrant, SharingBoundary, SharingContract, Stage};
use e2e::{Result, eventually};
use k8s_openapi::api::core::v1::Service;
use kube::Resource;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::access::{cleared, usable, ways_in};
use super::live::Live;
use super::story::{SOON, ensure, told};

impl Live {
    /// Awaits that just these ways in are closed, and that this is told of what was lost.
    async fn is_narrowed(&self, closed: &[&str], lost: &str) -> Result<()> {
        let place = &self.opened.namespace.0;
        eventually(&format!("{closed:?} to be closed"), SOON, async || {
            let ways = ways_in(&self.story, place).await.map_err(|error| error.to_string())?;
            let open: Vec<&String> = ways.iter().filter(|way| closed.contains(&way.as_str())).collect();
            if open.is_empty() && ways.len() + closed.len() == WAYS {
                Ok(())
            } else {
                Err(format!("{ways:?}"))
            }
        })
        .await?;
        self.story
            .look(&self.wish, &format!("{lost:?} to be told"), |grant| {
                let openings = grant.status.iter().flat_map(|status| &status.openings);
                let narrowed: Vec<_> = openings.flat_map(|opening| &opening.narrowed).collect();
                narrowed
                    .iter()
                    .any(|line| line.0.contains(lost))
                    .then_some(())
                    .ok_or_else(|| format!("{narrowed:?}"))
            })
            .await?;
        eventually(&format!("{lost:?} to be written down"), SOON, async || {
            let journal = self.story.journal(&self.grant).await.map_err(|error| error.to_string())?;
            // What was lost before was resumed since.
            let both = [RecordEvent::Narrowed, RecordEvent::Resumed];
            let newest = journal.iter().rfind(|line| both.contains(&line.event));
            let newest = newest.filter(|line| line.event == RecordEvent::Narrowed);
            let message = newest.and_then(|line| line.message.clone()).unwrap_or_default();
            if message.contains(lost) { Ok(()) } else { Err(message) }
        })
        .await?;
        self.story.opening(&self.wish, Stage::Sandbox, OpeningState::Open).await.map(drop)
    }

    /// What the grant stands on is put back, and nobody touches the grant.
    async fn is_whole_again(&self) -> Result<()> {
        self.story.lay_ground().await?;
        usable(&self.story, &self.opened.namespace.0).await?;
        self.story.recorded(&self.grant, RecordEvent::Resumed, Some(RecordReason::PolicyChanged)).await?;
        let whole = |grant: &PartnerGrant| {
            let openings = grant.status.iter().flat_map(|status| &status.openings);
            let now = openings.last().ok_or("nothing was opened")?;
            let is_whole = now.expires_at == self.opened.expires_at && now.narrowed.is_empty();
            if is_whole { Ok(()) } else { Err(format!("{now:?}")) }
        };
        self.story.look(&self.wish, "all to be allowed again", whole).await
    }

    /// What is told of what waits.
    async fn pending(&self) -> Result<PendingChange> {
        let pending = |grant: &PartnerGrant| grant.status.as_ref()?.pending.clone();
        self.story
            .look(&self.wish, "what waits to be told", |grant| {
                pending(grant).ok_or_else(|| "nothing".to_owned())
            })
            .await
    }
}

/// In how many ways a sandbox of the story can be used.
const WAYS: usize = 7;

#[tokio::test]
async fn a_contract_that_is_narrowed_takes_away_just_that_at_once() -> Result<()> {
    let live = Live::begin().await?;
    let narrower = json!({"spec": {"destination": {"dns": "None"}}});
    live.story.change::<SharingContract>("fraud-scoring", narrower).await?;
    live.is_narrowed(&["path comity-allow-dns"], "DNS: Cluster → None").await?;
    live.story.told(&live.wish, ConditionType::Ready, true, Reason::Open).await?;
    live.is_whole_again().await
}

#[tokio::test]
async fn a_boundary_that_is_narrowed_holds_what_is_live_to_it() -> Result<()> {
    let live = Live::begin().await?;
    let api = live.story.everywhere::<SharingBoundary>();
    let narrower = json!({"spec": {"ceilings": {"credentialTTL": "30m", "egress": {"dns": "None"}}}});
    api.patch(&live.story.namespace, &PatchParams::default(), &Patch::Merge(narrower)).await?;
    live.is_narrowed(&["path comity-allow-dns"], "certificates valid for: 1h → 30m").await?;
    let message = live.story.told(&live.wish, ConditionType::Accepted, false, Reason::BeyondBoundary).await?;
    ensure(message.contains("30m"), || message.clone())?;
    live.is_whole_again().await
}

#[tokio::test]
async fn a_service_that_vanishes_or_is_repointed_closes_that_path() -> Result<()> {
    let live = Live::begin().await?;
    let paths = ["path comity-allow-dataset-transactions", "path into the dataset"];
    let changes: [(Value, bool); 3] = [
        // The sandbox's Service would serve the real thing.
        (json!({"spec": {"selector": {"app": "tx-real"}}}), false),
        (json!({"spec": {"selector": {"app": "tx-other"}}}), true),
        (json!({"spec": {"ports": [{"name": "https", "port": 8443, "targetPort": 22}]}}), true),
    ];
    for (change, accepted) in changes {
        live.story.change::<Service>("tx-synthetic", change).await?;
        live.is_narrowed(&paths, "tx-synthetic").await?;
        let reason = if accepted { Reason::Accepted } else { Reason::EndpointUnusable };
        live.story.told(&live.wish, ConditionType::Accepted, accepted, reason).await?;
        live.is_whole_again().await?;
    }
    live.story.api::<Service>().delete("tx-synthetic", &DeleteParams::default()).await?;
    live.is_narrowed(&paths, "tx-synthetic").await?;
    live.is_whole_again().await
}

#[tokio::test]
async fn people_that_are_taken_from_a_grant_are_out_at_once() -> Result<()> {
    let live = Live::begin().await?;
    live.story.change::<PartnerGrant>(&live.wish.name, json!({"spec": {"people": []}})).await?;
    let ways = ["binding comity-role-model-engineer", "RBAC says yes"];
    live.is_narrowed(&ways, "ana@northpay.example").await?;
    live.story.ask(&live.wish).await?;
    usable(&live.story, &live.opened.namespace.0).await
}

#[tokio::test]
async fn what_becomes_more_waits_for_people_and_takes_over_with_an_overlap() -> Result<()> {
    let live = Live::begin().await?;
    let (story, wish) = (&live.story, &live.wish);
    let overlap =
        story.ground().replace("afterPromotion: Close\n", "afterPromotion: Close\n    overlap: 3s\n");
    story.cluster.apply_yaml(&overlap).await?;
    let people = json!([{"name": "ana@northpay.example", "role": "ModelEngineer"},
        {"name": "bo@northpay.example", "role": "Auditor"}]);
    story.change::<PartnerGrant>(&wish.name, json!({"spec": {"people": people}})).await?;
    let pending = live.pending().await?;
    assert_eq!(pending.next, Stage::Sandbox, "it is all that is asked for");
    ensure(pending.changes.iter().any(|line| line.0.contains("bo@northpay.example")), || {
        format!("{pending:?}")
    })?;
    let auditors = "binding comity-role-auditor".to_owned();
    ensure(!ways_in(story, &live.opened.namespace.0).await?.contains(&auditors), || {
        "it is given".to_owned()
    })?;

    story.told(wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    let current = story.api::<PartnerGrant>().get(&wish.name).await?;
    e2e::comity::people::agree(&story.cluster, &current, Stage::Sandbox).await?;
    let heir = story
        .look(wish, "the new one to be open", |grant| {
            let openings = grant.status.iter().flat_map(|status| &status.openings);
            let heir = openings.filter(|opening| opening.state == OpeningState::Open);
            heir.into_iter().find(|opening| opening.digest == pending.digest).cloned().ok_or_else(String::new)
        })
        .await?;
    ensure(heir.namespace != live.opened.namespace, || format!("{heir:?}"))?;
    usable(story, &heir.namespace.0).await?;
    ensure(ways_in(story, &heir.namespace.0).await?.contains(&auditors), || "it isn't given".to_owned())?;
    cleared(story, &live.opened.namespace.0).await?;
    let journal = story.journal(&live.grant).await?;
    let opened = journal.iter().rfind(|line| line.event == RecordEvent::Opened).map(|line| line.at.0);
    let closed =
        journal.iter().find(|line| line.reason == Some(RecordReason::Superseded)).map(|line| line.at.0);
    let both = closed.zip(opened).map(|(closed, opened)| closed.duration_since(opened).as_secs());
    ensure(both.is_some_and(|seconds| seconds >= 3), || format!("{both:?}: {:?}", told(&journal)))
}

#[tokio::test]
async fn a_contract_that_was_made_again_resumes_what_is_left_only_if_it_says_the_same() -> Result<()> {
    let live = Live::begin().await?;
    let (story, wish) = (&live.story, &live.wish);
    let api = story.api::<SharingContract>();
    let old = api.get("fraud-scoring").await?;
    api.delete("fraud-scoring", &DeleteParams::default()).await?;
    story.opening(wish, Stage::Sandbox, OpeningState::Held).await?;
    story.lay_ground().await?;
    ensure(api.get("fraud-scoring").await?.meta().uid != old.metadata.uid, || "it is the same".to_owned())?;
    let again = story.opened(wish, Stage::Sandbox).await?;
    usable(story, &again.namespace.0).await?;
    assert_eq!(
        (again.expires_at, again.namespace),
        (live.opened.expires_at.clone(), live.opened.namespace.clone())
    );

    api.delete("fraud-scoring", &DeleteParams::default()).await?;
    story.opening(wish, Stage::Sandbox, OpeningState::Held).await?;
    let other = story.ground().replace("requestsPerMinute: 600", "requestsPerMinute: 60");
    story.cluster.apply_yaml(&other).await?;
    // Although it is less than before: nobody agreed to this one, and what was agreed to was gone.
    story.told(wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    story.opening(wish, Stage::Sandbox, OpeningState::Held).await.map(drop)
}
