//! The conductor: look, and say how it stands.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::observe::Scene;
use super::status::status;
use crate::api::Dataset;
use crate::cluster::apply::WriteError;
use crate::cluster::status::Context;
use crate::plan::retry;

/// One pass over a dataset.
pub async fn reconcile(dataset: Arc<Dataset>, context: Arc<Context>) -> Result<Action, WriteError> {
    let known = context.statuses.known(dataset.as_ref(), dataset.status.clone());
    let old = known.as_ref().map_or(&[][..], |status| &status.conditions);
    let scene = Scene::observe(dataset, &context.catalogue);
    let new = status(&scene, old, context.clock.now());
    context.statuses.say(scene.dataset.as_ref(), known.as_ref(), &new).await?;
    Ok(Action::requeue(retry::LONGEST.unsigned_abs()))
}
