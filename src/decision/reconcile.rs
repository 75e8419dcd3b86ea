//! The conductor: look, and say what came of it.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::observe::{Bench, Outcome, Scene};
use super::status::status as said;
use crate::api::GrantDecision;
use crate::cluster::apply::WriteError;
use crate::cluster::status;
use crate::plan::retry;

/// What every pass needs.
#[derive(Debug)]
pub struct Context {
    /// What every controller needs that only says how things stand.
    pub judging: Arc<status::Context>,
    /// What decisions are judged by.
    pub bench: Bench,
}

/// One pass over a decision.
pub async fn reconcile(decision: Arc<GrantDecision>, context: Arc<Context>) -> Result<Action, WriteError> {
    let status::Context { catalogue, statuses, clock } = context.judging.as_ref();
    let now = clock.now();
    let known = statuses.known(decision.as_ref(), decision.status.clone());
    let old = known.as_ref().map_or(&[][..], |status| &status.conditions);
    let scene = Scene::observe(decision, catalogue, &context.bench, now);
    let new = said(&scene, old, now);
    statuses.say(scene.decision.as_ref(), known.as_ref(), &new).await?;
    let waits = match &scene.outcome {
        Outcome::Unheard(unheard) => unheard.until,
        _ => None,
    };
    Ok(Action::requeue(retry::until_earliest(waits, now).unsigned_abs()))
}
