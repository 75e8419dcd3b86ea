//! The conductor: look, say how it stands, and come back when something runs out.

use std::sync::Arc;

use kube::runtime::controller::Action;

use super::observe::Scene;
use super::status::status;
use crate::api::Partner;
use crate::cluster::apply::WriteError;
use crate::cluster::status::Context;
use crate::plan::retry;

/// One pass over a partner.
pub async fn reconcile(partner: Arc<Partner>, context: Arc<Context>) -> Result<Action, WriteError> {
    let known = context.statuses.known(partner.as_ref(), partner.status.clone());
    let old = known.as_ref().map_or(&[][..], |status| &status.conditions);
    let scene = Scene::observe(partner, context.clock.now());
    let new = status(&scene, old);
    context.statuses.say(scene.partner.as_ref(), known.as_ref(), &new).await?;
    Ok(Action::requeue(retry::until_earliest(scene.faults.next, scene.now).unsigned_abs()))
}
