//! The conductor: observe, decide, take the one step, look again; then say how it stands.

mod afterwards;
mod clearing;
mod confining;
mod lateness;
mod recording;
mod remembering;
mod weighing;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::controller::Action;

use afterwards::{tells_of_less, written_down_after};
use clearing::clear;
use confining::note_confined;
use lateness::expired;
use recording::record;
use remembering::remember;
use weighing::weigh;

use super::build::Installation;
use super::build::namespace::{self, Gate};
use super::check::Doomed;
use super::clause;
use super::decide::{Decision, Records, Step, decide};
use super::gate::Waiting;
use super::memory::Memory;
pub use super::meter::{Appended, Meter, OpenNow};
use super::observe::{Names, Scene};
use super::status::{open_for, status};
use crate::api::PartnerGrant;
use crate::api::condition::Reason;
use crate::cluster::apply::{WriteError, Writer};
use crate::cluster::catalogue::Catalogue;
use crate::cluster::clock::Clock;
use crate::cluster::event::Events;
use crate::cluster::pace::Pace;
use crate::cluster::status::Statuses;
use crate::plan::objects::{Key, Wanted};
use crate::plan::retry;

/// How many steps one pass takes at most; the rest comes with the next one.
const STEPS: usize = 64;

/// How soon a pass that left something to do comes back.
pub(super) const SOON: Duration = Duration::from_millis(250);

/// How soon a record is tried again that couldn't be written.
const RECORDS_AGAIN: Duration = Duration::from_secs(10);

/// What every pass needs.
#[derive(Debug)]
pub struct Context {
    /// What stands.
    pub catalogue: Arc<Catalogue>,
    /// The hand that changes it.
    pub writer: Writer,
    /// Where it is said how grants stand.
    pub statuses: Statuses,
    /// What time it is.
    pub clock: Clock,
    /// Where events go.
    pub events: Events,
    /// How Comity is installed.
    pub installation: Installation,
    /// How fast namespaces are cleared.
    pub pace: Pace,
    /// What is counted.
    pub meter: Box<dyn Meter>,
    /// What was written and a watch has yet to tell.
    pub memory: Memory,
}

/// A pass over a grant that failed.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Halted {
    /// What failed first.
    source: WriteError,
    /// When something of the grant is due, whatever failed now: the end of another stage, say.
    due: Option<Timestamp>,
}

impl retry::Failure for Halted {
    fn at_the_latest(&self) -> Option<Timestamp> {
        self.due
    }
}

/// One pass over a grant.
pub async fn reconcile(grant: Arc<PartnerGrant>, context: Arc<Context>) -> Result<Action, Halted> {
    let names = Names::of(&grant);
    let mut scene = Scene::observe(&grant, &context.installation, &context.catalogue, context.clock.now());
    scene.finalized = context.memory.is_finalized(&grant);
    scene.pods = context.memory.ending(&scene.live);
    scene.weighed = context.memory.weighed(&scene.live);
    scene.aside.unconfined = context.memory.unconfined(&scene.live);
    scene.aside.stood = context.memory.stood(&names.uid, scene.outlook.digest());
    let docket = &context.catalogue.docket;
    scene.call(docket, context.memory.in_vain(&names.uid).as_deref());
    let refresh = |scene: &mut Scene<'_>| {
        scene.refresh(&context.catalogue);
        scene.call_again(docket);
    };
    let (mut decision, failure) = walk(&mut scene, &names, &context, refresh).await;
    decision.look_again.extend(scene.called.until);
    note_confined(&mut scene, &names, &decision, failure.as_ref(), &context);
    remember(&scene, &names, &decision, &context);
    let due = decision.look_again.iter().filter(|moment| **moment > scene.now).min().copied();
    let halted = |source| Halted { source, due };
    if let Some(error) = failure {
        tell_refusal(&error, &scene, &names, decision, &context).await;
        return Err(halted(error));
    }
    if let Some(then) = written_down_after(&decision, &scene, &names, &context) {
        // Whatever is due meanwhile waits for nothing.
        let moments = decision.look_again.iter().copied().chain([then]);
        return Ok(Action::requeue(retry::until_earliest(moments, scene.now).unsigned_abs()));
    }
    say(&scene, &names, &decision, &context).await.map_err(halted)?;
    Ok(look_again(&scene, &decision))
}

/// Takes step after step, looking again with `refresh` after each, until there is none left, one
/// has to wait, or one fails. One that closes and fails lets the rest of what closes go on; the
/// first refusal is given then, or else the first failure.
pub(super) async fn walk(
    scene: &mut Scene<'_>,
    names: &Names,
    context: &Context,
    refresh: impl Fn(&mut Scene<'_>),
) -> (Decision, Option<WriteError>) {
    let mut failure = None;
    let look = |scene: &Scene<'_>| {
        let decision = decide(&scene.view(names));
        context.meter.heard(decision.heard);
        decision
    };
    let mut decision = look(scene);
    for _ in 0..STEPS {
        let Some(step) = decision.step.clone() else { break };
        if written_down_after(&decision, scene, names, context).is_some() {
            break;
        }
        let failed = scene.failed.len();
        match take(&step, scene, names, context).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                failure = Some(WriteError::graver(failure, error));
                if scene.failed.len() == failed {
                    break;
                }
            }
        }
        refresh(scene);
        decision = look(scene);
        if !matches!(step, Step::Record(_)) && tells_of_less(&decision) {
            // Now, and not when the pass began: on a busy API server that may be long ago.
            context.memory.note_lessened(&names.uid, scene.now.max(context.clock.now()));
        }
    }
    (decision, failure)
}

/// When to come back: soon where something is left to do, else at the earliest moment named.
fn look_again(scene: &Scene<'_>, decision: &Decision) -> Action {
    if decision.step.is_some() {
        return Action::requeue(SOON);
    }
    let wait = retry::until_earliest(decision.look_again.iter().copied(), scene.now).unsigned_abs();
    let is_written = scene.records == Records::Writable && scene.refused.is_empty();
    Action::requeue(if is_written { wait } else { wait.min(RECORDS_AGAIN) })
}

/// Says in the status what the API server refuses, since trying again may not help.
async fn tell_refusal(
    error: &WriteError,
    scene: &Scene<'_>,
    names: &Names,
    mut decision: Decision,
    context: &Context,
) {
    let is_refusal = matches!(error, WriteError::Forbidden { .. } | WriteError::Stubborn { .. });
    // Pods that nobody could look at must not read as pods that are as they should be.
    if !is_refusal && scene.unweighed.is_empty() {
        return;
    }
    let message = format!("{error}; it is tried again");
    decision.waiting = Some(Waiting { reason: Reason::Refused, message, until: None });
    if let Err(error) = say(scene, names, &decision, context).await {
        tracing::debug!(%error, "the status can't be written either");
    }
}

/// Takes one step. `false`: it has to wait for another pass.
async fn take(
    step: &Step,
    scene: &mut Scene<'_>,
    names: &Names,
    context: &Context,
) -> Result<bool, WriteError> {
    let writer = &context.writer;
    match step {
        Step::Finalize | Step::Unfinalize => set_finalizer(step, scene, context).await?,
        Step::Record(entry) => return record(entry, scene, names, context).await,
        Step::CreateNamespace(namespace) => return create_namespace(namespace, scene, names, context).await,
        Step::SetGate(namespace, gate) => {
            let set = set_gate(namespace, *gate, scene, names, context).await;
            if *gate == Gate::Open { set? } else { or_left(set, namespace, scene)? }
        }
        Step::Apply(objects) => {
            for object in objects {
                writer.apply(object).await?;
            }
        }
        Step::Confine(objects) => confine(objects, scene, context).await?,
        Step::Delete(doomed) => delete(doomed, scene, context).await?,
        Step::Weigh(namespace) => {
            let weighed = weigh(namespace, scene, context).await;
            or_left(weighed, namespace, scene)?;
        }
        Step::CountPods(namespace) | Step::DeletePods(namespace) | Step::DeleteNamespace(namespace, _) => {
            let cleared = clear(step, scene, context).await;
            return or_left(cleared, namespace, scene);
        }
    }
    Ok(true)
}

/// What came of closing or clearing something of a place; where it failed, the place is left alone
/// for the rest of this pass.
fn or_left<T>(came: Result<T, WriteError>, namespace: &str, scene: &mut Scene<'_>) -> Result<T, WriteError> {
    if came.is_err() {
        scene.failed.insert(Key::namespace(namespace));
    }
    came
}

/// Applies each of these objects, and gives the gravest error then.
async fn confine(
    objects: &[Arc<Wanted>],
    scene: &mut Scene<'_>,
    context: &Context,
) -> Result<(), WriteError> {
    let mut came = None;
    for object in objects {
        if let Err(error) = context.writer.apply(object).await {
            scene.failed.insert(object.key.clone());
            came = Some(WriteError::graver(came, error));
        }
    }
    came.map_or(Ok(()), Err)
}

/// Deletes each of these objects, and gives the gravest error then.
async fn delete(doomed: &[Doomed], scene: &mut Scene<'_>, context: &Context) -> Result<(), WriteError> {
    let mut came = None;
    let mut gone = Vec::new();
    for one in doomed {
        match context.writer.delete(&one.key, &one.uid).await {
            Ok(()) => gone.push(one),
            Err(error) => {
                scene.failed.insert(one.key.clone());
                came = Some(WriteError::graver(came, error));
            }
        }
    }
    expired(&gone, scene, context);
    came.map_or(Ok(()), Err)
}

async fn set_finalizer(step: &Step, scene: &mut Scene<'_>, context: &Context) -> Result<(), WriteError> {
    let present = *step == Step::Finalize;
    let version = context.writer.set_finalizer(scene.grant, present).await?;
    scene.finalized = present;
    context.memory.note_finalizer(scene.grant, present, version.as_deref());
    Ok(())
}

/// Makes a stage's namespace, unless one of that name exists: that one is looked at next.
async fn create_namespace(
    namespace: &str,
    scene: &Scene<'_>,
    names: &Names,
    context: &Context,
) -> Result<bool, WriteError> {
    let Ok(journal) = &scene.journal else { return Ok(false) };
    let Some(opening) = journal.openings.iter().find(|opening| opening.namespace == namespace) else {
        return Ok(false);
    };
    let wanted = namespace::namespace(&scene.site(opening, names), Gate::Closed);
    match context.writer.create_namespace(&wanted).await {
        Err(WriteError::Exists { .. }) => Ok(false),
        made => made.map(|()| true),
    }
}

/// Sets the gate of a namespace of the grant's.
async fn set_gate(
    namespace: &str,
    gate: Gate,
    scene: &Scene<'_>,
    names: &Names,
    context: &Context,
) -> Result<(), WriteError> {
    let opening =
        scene.journal.iter().flat_map(|journal| &journal.openings).find(|o| o.namespace == namespace);
    let wanted = match opening {
        Some(opening) => namespace::namespace(&scene.site(opening, names), gate),
        None => namespace::unrecorded(namespace, &context.catalogue.namespace_labels(namespace), gate),
    };
    context.writer.apply(&wanted).await
}

/// Writes the status, where it says something new.
async fn say(
    scene: &Scene<'_>,
    names: &Names,
    decision: &Decision,
    context: &Context,
) -> Result<(), WriteError> {
    let grant = scene.grant;
    let view = scene.view(names);
    let known = context.statuses.known(grant, grant.status.clone());
    let old = known.as_ref().map_or(&[][..], |status| &status.conditions);
    let enforcement = clause::enforcement(&view, scene);
    let new = status(&view, decision, old, grant.metadata.generation, enforcement);
    let is_gone = grant.metadata.deletion_timestamp.is_some() && !scene.finalized;
    context.meter.open_now(&names.uid, &open_for(&view));
    if is_gone {
        context.statuses.forget(grant);
        return Ok(());
    }
    warn_of_unguarded(grant, old, &new.conditions, context);
    context.statuses.say(grant, known.as_ref(), &new).await
}

/// Tells once, where `kubectl describe` shows it, that admission isn't in force.
fn warn_of_unguarded(grant: &PartnerGrant, old: &[Condition], new: &[Condition], context: &Context) {
    let unguarded = Reason::Unguarded.to_string();
    let found =
        |all: &[Condition]| all.iter().find(|one| one.reason == unguarded).map(|one| one.message.clone());
    if let Some(message) = found(new).filter(|_| found(old).is_none()) {
        context.events.tell(grant, true, "Unguarded", &message);
    }
}
