//! The conductor: look, say how it stands, and come back when its time comes or is over.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::check::moments;
use super::observe::Scene;
use super::status::status;
use crate::api::SharingContract;
use crate::cluster::apply::WriteError;
use crate::cluster::status::Context;
use crate::plan::retry;

/// One pass over a contract.
pub async fn reconcile(contract: Arc<SharingContract>, context: Arc<Context>) -> Result<Action, WriteError> {
    let known = context.statuses.known(contract.as_ref(), contract.status.clone());
    let old = known.as_ref().map_or(&[][..], |status| &status.conditions);
    let scene = Scene::observe(contract, &context.catalogue, context.clock.now());
    let new = status(&scene, old);
    context.statuses.say(scene.contract.as_ref(), known.as_ref(), &new).await?;
    let wait = retry::until_earliest(moments(&scene.contract, scene.now), scene.now);
    Ok(Action::requeue(wait.unsigned_abs()))
}
