//! Clearing what is closed: pods first, at a bounded pace, and the namespace last.

use super::Context;
use crate::cluster::apply::WriteError;
use crate::grant::decide::{Pods, Step};
use crate::grant::observe::Scene;
use crate::plan::objects::Key;

/// Takes one step of clearing. `false`: it has to wait for another pass.
pub(super) async fn clear(step: &Step, scene: &mut Scene<'_>, context: &Context) -> Result<bool, WriteError> {
    match step {
        Step::CountPods(place) => look_for_pods(place, false, scene, context).await.map(|()| true),
        Step::DeletePods(place) => delete_pods(place, scene, context).await.map(|()| true),
        Step::DeleteNamespace(place, uid) => delete_namespace(place, uid, context).await,
        _ => Ok(false),
    }
}

/// Deletes the pods that aren't ending yet. What is left then has to be waited for.
async fn delete_pods(place: &str, scene: &mut Scene<'_>, context: &Context) -> Result<(), WriteError> {
    let left = context.writer.pods(place).await?;
    context.writer.delete_pods(place, &left).await?;
    look_for_pods(place, true, scene, context).await
}

/// Looks which pods are left. Those that were deleted just now may take a moment to be told as ending.
async fn look_for_pods(
    place: &str,
    deleted: bool,
    scene: &mut Scene<'_>,
    context: &Context,
) -> Result<(), WriteError> {
    let left = context.writer.pods(place).await?;
    let pods = if left.is_empty() {
        context.memory.forget_ending(place);
        Pods::Gone
    } else if left.iter().any(|pod| !pod.ending) && !deleted {
        Pods::Running
    } else {
        context.memory.note_ending(place, scene.now)
    };
    scene.pods.insert(place.to_owned(), pods);
    Ok(())
}

/// Deletes a namespace: each takes the API server dozens of requests.
async fn delete_namespace(namespace: &str, uid: &str, context: &Context) -> Result<bool, WriteError> {
    if !context.pace.may_go(context.clock.now()) {
        return Ok(false);
    }
    context.memory.forget_ending(namespace);
    context.writer.delete(&Key::namespace(namespace), uid).await.map(|()| true)
}
