//! The conductor: look, and say how it stands.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::observe::Scene;
use super::status::status;
use crate::api::SharingBoundary;
use crate::cluster::apply::WriteError;
use crate::cluster::status::Context;
use crate::plan::retry;

/// One pass over a boundary.
pub async fn reconcile(boundary: Arc<SharingBoundary>, context: Arc<Context>) -> Result<Action, WriteError> {
    let known = context.statuses.known(boundary.as_ref(), boundary.status.clone());
    let old = known.as_ref().map_or(&[][..], |status| &status.conditions);
    let scene = Scene::observe(boundary);
    let new = status(&scene, old, context.clock.now());
    context.statuses.say(scene.boundary.as_ref(), known.as_ref(), &new).await?;
    Ok(Action::requeue(retry::LONGEST.unsigned_abs()))
}
