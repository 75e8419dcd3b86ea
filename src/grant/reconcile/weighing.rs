//! Looking which pods run that aren't allowed any more, and doing with them as the contract says.

use super::Context;
use crate::api::condition::cut;
use crate::api::contract::NarrowedPods;
use crate::cluster::apply::WriteError;
use crate::cluster::pods::Left;
use crate::grant::decide::running::held_to;
use crate::grant::observe::Scene;
use crate::grant::weigh::{Law, UNREADABLE, Weighed, broken_by, runs};

/// How much is said of why pods couldn't be looked at or deleted.
const LONGEST_REASON: usize = 256;

/// A pod that isn't allowed any more, and what it goes against.
type Unlawful = (Left, &'static Law);

/// Looks at the pods of a place. What fails is said in the status, and tried again.
pub(super) async fn weigh(place: &str, scene: &mut Scene<'_>, context: &Context) -> Result<(), WriteError> {
    let weighed = look(place, scene, context).await;
    if let Err(error) = &weighed {
        scene.unweighed.insert(place.to_owned(), cut(&error.to_string(), LONGEST_REASON));
    }
    weighed
}

async fn look(place: &str, scene: &mut Scene<'_>, context: &Context) -> Result<(), WriteError> {
    let openings = scene.journal.iter().flat_map(|journal| &journal.openings);
    let Some(opening) = openings.into_iter().find(|opening| opening.namespace == place) else {
        return Ok(());
    };
    let policy = scene.remains_of(opening).policy(opening);
    let (against, fate) = (held_to(policy, opening), policy.unlawful_pods());
    let broken = |pod: Option<&_>| match pod {
        Some(pod) => broken_by(pod, &against).filter(|_| runs(pod)),
        None => Some(&UNREADABLE),
    };
    let unlawful: Vec<Unlawful> = context.writer.pods_against(place, broken).await?;
    if fate == NarrowedPods::Delete {
        delete(place, &unlawful, scene, context).await?;
    }
    let told: Vec<_> = unlawful.into_iter().map(|(pod, law)| (pod.name, law.clause)).collect();
    let weighed = Weighed::now(scene.weighed.get(place), against, scene.now, &told);
    context.memory.note_weighed(place, &weighed);
    scene.weighed.insert(place.to_owned(), weighed);
    Ok(())
}

/// Deletes each of these pods that isn't on its way out, says so, and gives the first error then.
async fn delete(
    place: &str,
    unlawful: &[Unlawful],
    scene: &Scene<'_>,
    context: &Context,
) -> Result<(), WriteError> {
    let (mut came, mut gone) = (Ok(()), Vec::new());
    for (pod, law) in unlawful.iter().filter(|(pod, _)| !pod.ending) {
        match context.writer.delete_pod(place, pod).await {
            Ok(()) => gone.push(format!("{} ({}: {})", pod.name, law.clause, law.words)),
            Err(error) => came = came.and(Err(error)),
        }
    }
    if !gone.is_empty() {
        let message = format!(
            "deleted in {place}, {} that ran and that less is allowed of now: {}",
            if gone.len() == 1 { "a pod".to_owned() } else { format!("{} pods", gone.len()) },
            gone.join(", ")
        );
        context.events.tell(scene.grant, true, "PodsDeleted", &message);
    }
    came
}
