//! Processes that are stopped, frozen and killed, on a control plane that these stories share
//! among themselves, one at a time.

use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use comity::api::enforcement::EnforcementState;
use comity::api::grant::OpeningState;
use comity::api::record::{RecordEvent, RecordReason};
use comity::api::{PartnerGrant, Stage};
use e2e::cluster::await_gone;
use e2e::comity::people::OLGA;
use e2e::controlplane::Settings;
use e2e::{Cluster, Comity, Error, Result, eventually, throughout};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::access::{cleared, shut, usable};
use super::order::{all_writes, short};
use super::story::{SOON, Story, Wish, ensure, over, told};

#[tokio::test]
async fn a_restart_writes_nothing() -> Result<()> {
    let (cluster, comity) = alone().await?;
    let story = Story::on(&cluster).await?;
    let open = Wish::up_to(Stage::Rehearsal);
    let held = Wish { purpose: "model-quality", ..Wish::up_to(Stage::Sandbox).called("held") };
    story.ask(&open).await?;
    story.ask(&held).await?;
    story.opened(&held, Stage::Sandbox).await?;
    story.ask(&Wish { suspend: true, ..held.clone() }).await?;
    story.opening(&held, Stage::Sandbox, OpeningState::Held).await?;
    let place = story.opened(&open, Stage::Rehearsal).await?.namespace.0;
    story.opening(&open, Stage::Sandbox, OpeningState::Closed).await?;
    // While it is tried, nothing is written: that isn't rest.
    story.told(&open, ConditionType::Rehearsed, true, Reason::Rehearsed).await?;
    let unaccepted = Story::without_ground(&cluster).await?;
    unaccepted.ask(&open).await?;
    unaccepted.told(&open, ConditionType::Accepted, false, Reason::UnknownContract).await?;
    at_rest(&cluster).await?;

    for graceful in [true, false] {
        let before = all_writes(&cluster)?.len();
        for daemon in [comity.run(), comity.sign()] {
            if graceful {
                daemon.stop().await?;
            } else {
                daemon.kill();
            }
            daemon.start().await?;
        }
        throughout("quiet after a restart", Duration::from_secs(4), async || {
            let writes = all_writes(&cluster)?;
            let new: Vec<String> = writes.iter().skip(before).map(short).collect();
            ensure(new.is_empty(), || format!("{new:?}"))
        })
        .await?;
    }
    usable(&story, &place).await
}

#[tokio::test]
async fn access_is_closed_at_once_by_whoever_slept_past_the_end() -> Result<()> {
    let (cluster, comity) = alone().await?;
    let story = Story::on(&cluster).await?;
    for frozen in [true, false] {
        let wish = Wish { times: ["30s", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
        let (name, purpose) =
            if frozen { ("frozen", "fraud-detection") } else { ("killed", "model-quality") };
        let wish = Wish { purpose, ..wish.called(name) };
        let grant = story.ask(&wish).await?;
        let opened = story.opened(&wish, Stage::Sandbox).await?;
        for daemon in [comity.run(), comity.sign()] {
            if frozen { daemon.pause()? } else { daemon.kill() }
        }
        over(opened.expires_at.0).await?;
        for daemon in [comity.run(), comity.sign()] {
            if frozen { daemon.resume()? } else { daemon.start().await? }
        }
        shut(&story, &opened.namespace.0).await?;
        cleared(&story, &opened.namespace.0).await?;
        let journal = story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
        let closed = (RecordEvent::Closed, Some(Stage::Sandbox), Some(RecordReason::Expired));
        assert_eq!(told(&journal)[2], closed);
    }
    Ok(())
}

#[tokio::test]
async fn what_somebody_ends_loses_its_certificates_although_nobody_writes_it_down() -> Result<()> {
    let (cluster, comity) = alone().await?;
    let story = Story::on(&cluster).await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let place = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
    usable(&story, &place).await?;
    let secrets = story.in_namespace::<Secret>(&place);
    let all = ListParams::default();
    let tls = secrets.list(&all).await?.items.first().map(ResourceExt::name_any);
    let tls = tls.ok_or_else(|| Error::Failed("nothing was signed".to_owned()))?;
    comity.run().kill();
    OLGA.decide(&cluster, &OLGA.decision(&grant, DecisionAction::Expire)).await?;
    await_gone(&secrets, &tls, SOON).await?;
    let before = story.journal(&grant).await?;
    let told = before.iter().any(|record| record.event == RecordEvent::Shortened);
    ensure(!told, || format!("somebody wrote it down: {before:?}"))?;
    comity.run().start().await?;
    shut(&story, &place).await
}

#[tokio::test]
async fn kills_at_any_step_change_nothing_but_the_time_it_takes() -> Result<()> {
    let (cluster, comity) = alone().await?;
    let story = Story::on(&cluster).await?;
    let wish = Wish::up_to(Stage::Production);
    let grant = story.ask(&wish).await?;
    // Killed after so many writes, until the way in has been walked, and the same on the way out.
    for writes in [1, 2, 3, 5, 7, 4, 1, 6, 9, 2, 11] {
        killed_after(writes, &cluster, comity).await?;
    }
    let production = story.agreed(&wish, Stage::Production).await?;
    usable(&story, &production.namespace.0).await?;
    story.opening(&wish, Stage::Rehearsal, OpeningState::Closed).await?;
    let journal = story.journal(&grant).await?;
    let events: Vec<_> = told(&journal).into_iter().map(|(event, stage, _)| (event, stage)).collect();
    let (opened, closed) = (RecordEvent::Opened, RecordEvent::Closed);
    let walk = [
        (RecordEvent::Requested, None),
        (opened, Some(Stage::Sandbox)),
        (opened, Some(Stage::Rehearsal)),
        (closed, Some(Stage::Sandbox)),
        (RecordEvent::Rehearsed, Some(Stage::Rehearsal)),
        (RecordEvent::Requested, Some(Stage::Production)),
        (RecordEvent::Approved, Some(Stage::Production)),
        (RecordEvent::Approved, Some(Stage::Production)),
        (opened, Some(Stage::Production)),
        (closed, Some(Stage::Rehearsal)),
    ];
    assert_eq!(events, walk, "every line is there once");

    story.api::<PartnerGrant>().delete(&wish.name, &DeleteParams::default()).await?;
    for writes in [1, 1, 2, 1, 2] {
        killed_after(writes, &cluster, comity).await?;
    }
    await_gone(&story.api::<PartnerGrant>(), &wish.name, SOON).await?;
    cleared(&story, &production.namespace.0).await?;
    let journal = story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::Deleted)).await?;
    assert_eq!(journal.len(), walk.len() + 2, "{:?}", told(&journal));
    Ok(())
}

#[tokio::test]
async fn while_admission_isnt_in_force_nothing_opens_and_it_is_told() -> Result<()> {
    let (cluster, _comity) = alone().await?;
    let story = Story::on(&cluster).await?;
    let open = Wish::up_to(Stage::Sandbox);
    story.ask(&open).await?;
    let place = story.opened(&open, Stage::Sandbox).await?.namespace.0;
    let bindings = story.everywhere::<ValidatingAdmissionPolicyBinding>();
    let mut binding = bindings.get("comity-pods").await?;
    bindings.delete("comity-pods", &DeleteParams::default()).await?;
    let why = story.told(&open, ConditionType::Ready, false, Reason::Unguarded).await?;
    assert!(why.contains("ValidatingAdmissionPolicyBinding comity-pods"), "{why}");
    story.told(&open, ConditionType::Active, true, Reason::Open).await?;
    let grant: PartnerGrant = story.api().get(&open.name).await?;
    let enforcement = grant.status.unwrap().enforcement;
    let images = enforcement.iter().find(|told| told.clause == "destination.compute.registries").unwrap();
    assert_eq!((images.state, images.by.len()), (EnforcementState::DeclaredOnly, 0));

    let next = Wish { purpose: "model-quality", ..Wish::up_to(Stage::Sandbox).called("next") };
    story.ask(&next).await?;
    story.told(&next, ConditionType::Ready, false, Reason::Unguarded).await?;
    story.opening(&next, Stage::Sandbox, OpeningState::Opening).await?;
    binding.metadata = ObjectMeta { name: binding.metadata.name, ..ObjectMeta::default() };
    bindings.create(&PostParams::default(), &binding).await?;
    story.opened(&next, Stage::Sandbox).await?;
    story.told(&open, ConditionType::Ready, true, Reason::Open).await?;
    usable(&story, &place).await
}

#[tokio::test]
async fn that_nothing_stamps_who_decides_is_told_and_closes_nothing() -> Result<()> {
    let (cluster, _comity) = alone().await?;
    let story = Story::on(&cluster).await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    let place = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
    let bindings = story.everywhere::<MutatingAdmissionPolicyBinding>();
    let mut binding = bindings.get("comity-decisions").await?;
    let told_of_approvals = async |words: &str| {
        eventually(&format!("approvals to be told of with {words:?}"), SOON, async || {
            let grant: PartnerGrant = story.api().get(&wish.name).await.map_err(|error| error.to_string())?;
            let mut enforcement = grant.status.unwrap_or_default().enforcement.into_iter();
            let approvals = enforcement.find(|told| told.clause == "approvals");
            let message = approvals.and_then(|told| told.message).unwrap_or_default();
            if message.contains(words) { Ok(()) } else { Err(message) }
        })
        .await
    };
    told_of_approvals("admission notes who decides").await?;
    bindings.delete("comity-decisions", &DeleteParams::default()).await?;
    told_of_approvals("there is no MutatingAdmissionPolicyBinding comity-decisions").await?;
    usable(&story, &place).await?;
    binding.metadata = ObjectMeta { name: binding.metadata.name, ..ObjectMeta::default() };
    bindings.create(&PostParams::default(), &binding).await?;
    told_of_approvals("admission notes who decides").await
}

/// Kills every process once they have made so many more writes, or have nothing more to write,
/// and starts them again.
async fn killed_after(writes: usize, cluster: &Cluster, comity: &Comity) -> Result<()> {
    let before = all_writes(cluster)?.len();
    let some = eventually("some writes", Duration::from_secs(2), async || {
        let new = all_writes(cluster).map_err(|error| error.to_string())?.len() - before;
        if new >= writes { Ok(()) } else { Err(new.to_string()) }
    });
    // That nothing more comes is just as good a moment.
    drop(some.await);
    for daemon in [comity.run(), comity.sign(), comity.rehearse()] {
        daemon.kill();
    }
    comity.start_all().await
}

/// Awaits that nothing is written for a while.
async fn at_rest(cluster: &Cluster) -> Result<()> {
    eventually("everything to come to rest", SOON, async || {
        let before = all_writes(cluster)?.len();
        throughout("rest", Duration::from_secs(2), async || {
            let now = all_writes(cluster)?.len();
            ensure(now == before, || format!("{} writes", now - before))
        })
        .await
    })
    .await
}

/// A cluster and a Comity that nobody else uses for as long as the guard is held.
pub struct Alone {
    cluster: Cluster,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Alone {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

pub async fn alone() -> Result<(Alone, &'static Comity)> {
    static TURN: Mutex<()> = Mutex::const_new(());
    static SHARED: OnceCell<(Cluster, Comity)> = OnceCell::const_new();
    let turn = TURN.lock().await;
    let start = || async {
        let cluster = Cluster::start(Settings::default()).await?;
        let comity = Comity::start(&cluster).await?;
        Ok::<_, e2e::Error>((cluster, comity))
    };
    let (cluster, comity) = SHARED.get_or_try_init(start).await?;
    // One that failed may have left them stopped.
    for daemon in [comity.run(), comity.sign(), comity.rehearse()] {
        if daemon.ready().await.is_err() {
            daemon.restart().await?;
        }
    }
    Ok((Alone { cluster: cluster.anew()?, _turn: turn }, comity))
}
