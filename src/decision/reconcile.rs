//! The conductor: look, and say what came of it.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::observe::Scene;
use super::status::status;
use crate::api::GrantDecision;
use crate::cluster::apply::WriteError;
use crate::cluster::status::Context;
use crate::plan::retry;

/// One pass over a decision.
pub async fn reconcile(decision: Arc<GrantDecision>, context: Arc<Context>) -> Result<Action, WriteError> {
    let now = context.clock.now();
    let known = context.statuses.known(decision.as_ref(), decision.status.clone());
    let old = known.as_ref().map_or(&[][..], |status| &status.conditions);
    let scene = Scene::observe(decision, &context.catalogue, now);
    let new = status(&scene, old, now);
    context.statuses.say(scene.decision.as_ref(), known.as_ref(), &new).await?;
    Ok(Action::requeue(retry::LONGEST.unsigned_abs()))
}
