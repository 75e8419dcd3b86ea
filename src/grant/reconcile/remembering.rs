//! What a pass remembers for the next one of what people decided.

use super::Context;
use crate::grant::decide::{Decision, Records};
use crate::grant::hear::vain::{Called, InVain, MANY};
use crate::grant::observe::{Names, Scene};

/// Remembers what was decided in vain, where it is much.
pub(super) fn remember(scene: &Scene<'_>, names: &Names, decision: &Decision, context: &Context) {
    let Some(hearing) = scene.hearing() else { return };
    let was_heard = decision.step.is_none()
        && scene.records == Records::Writable
        && scene.refused.is_empty()
        && scene.grant.metadata.deletion_timestamp.is_none();
    let Called { from, next, until, .. } = scene.called;
    if was_heard && (from > 0 || scene.decisions.len() >= MANY) {
        let waits = until.into_iter().chain(decision.hears_again).min();
        context.memory.note_in_vain(&names.uid, InVain::of(&hearing, next, waits));
    }
}
