//! The conductor of what is left behind: for each grant that may be gone, look whether it is, and
//! close and clear what Comity made for it.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::orphan::{ghost, ours, suspects};
use crate::api::PartnerGrant;
use crate::cluster::apply::WriteError;
use crate::cluster::catalogue::Catalogue;
use crate::grant::decide::{Decision, Records, decide};
use crate::grant::observe::{Names, Scene};
use crate::grant::reconcile::{Context, SOON, walk};
use crate::journal::Journal;
use crate::plan::retry;

/// One round over all that may be left behind. Gives when to go round again, if nothing happens
/// before.
pub async fn sweep(context: &Context) -> Result<Duration, WriteError> {
    let mut next = retry::LONGEST.unsigned_abs();
    let mut failure = None;
    for names in found(&context.catalogue) {
        // One grant's trouble is none of the others'.
        match clear(&names, context).await {
            Ok(wait) => next = next.min(wait),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(next), Err)
}

/// The grants that may be gone, as the watches last told.
fn found(catalogue: &Catalogue) -> Vec<Names> {
    let standing: std::collections::HashSet<String> =
        catalogue.grants.state().iter().filter_map(|grant| grant.uid()).collect();
    let unknown = |uid: &String| !standing.contains(uid);
    let uids = catalogue.objects.grants().into_iter().filter(unknown);
    let objects = uids.map(|uid| (uid.clone(), catalogue.objects.of_grant(&uid)));
    let journals = catalogue.records.unended().into_iter();
    let journals = journals.map(|(uid, grant, namespace)| Names { grant, namespace, uid });
    suspects(objects, journals, &|uid| standing.contains(uid))
}

/// Closes and clears what one grant left behind, if it is gone. Gives when to look again.
async fn clear(names: &Names, context: &Context) -> Result<Duration, WriteError> {
    // A watch may lag: what stands is asked for before anything is destroyed.
    if context.writer.is_standing(&names.namespace, &names.grant, &names.uid).await? {
        return Ok(SOON);
    }
    context.meter.open_now(&names.uid, &[]);
    let now = context.clock.now();
    let grant = ghost(names, Time(now));
    let mut scene = scene(&grant, names, context, now);
    if decide(&scene.view(names)).step.is_some() {
        tracing::warn!(
            grant = names.grant,
            namespace = names.namespace,
            uid = names.uid,
            "a grant is gone without having been closed: what it left behind is cleared"
        );
    }
    let refresh = |scene: &mut Scene<'_>| look_again(scene, names, &context.catalogue);
    let (decision, failure) = walk(&mut scene, names, context, refresh).await;
    failure.map_or_else(|| Ok(wait(&decision, &scene)), Err)
}

/// What stands of a grant that is gone.
fn scene<'a>(
    grant: &'a PartnerGrant,
    names: &Names,
    context: &'a Context,
    now: jiff::Timestamp,
) -> Scene<'a> {
    let mut scene = Scene::observe(grant, &context.installation, &context.catalogue, now);
    scene.call(&context.catalogue.docket, None);
    let home = context.catalogue.objects.namespace(&names.namespace);
    // Its journal goes with its namespace; closing doesn't wait for it.
    if home.is_none_or(|home| home.terminating) {
        scene.records = Records::Refused;
    }
    scene.pods = context.memory.ending(&scene.live);
    look_again(&mut scene, names, &context.catalogue);
    scene
}

/// Looks at what is there now: nothing but Comity's own, and a journal that is whole, or none.
fn look_again(scene: &mut Scene<'_>, names: &Names, catalogue: &Catalogue) {
    scene.refresh(catalogue);
    scene.live = ours(names, &scene.live);
    if scene.journal.is_err() {
        // By a journal that can't be trusted nothing is kept.
        scene.journal = Ok(Journal::empty());
        scene.records = Records::Refused;
    }
}

fn wait(decision: &Decision, scene: &Scene<'_>) -> Duration {
    if decision.step.is_some() {
        return SOON;
    }
    retry::until_earliest(decision.look_again.iter().copied(), scene.now).unsigned_abs()
}
