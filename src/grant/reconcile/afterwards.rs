//! What is written down afterwards: where one change takes from many grants, it is taken from all of them
//! before it is written down of any.

use jiff::Timestamp;

use super::Context;
use crate::api::record::RecordEvent;
use crate::grant::decide::{Decision, Step};
use crate::grant::observe::{Names, Scene};

/// Until when what a decision asks to write down waits, since it is taken from other grants first.
pub(super) fn written_down_after(
    decision: &Decision,
    scene: &Scene<'_>,
    names: &Names,
    context: &Context,
) -> Option<Timestamp> {
    tells_of_less(decision).then(|| context.memory.written_down_after(&names.uid, scene.now)).flatten()
}

/// Whether all that is left to do for now is to write down that less is allowed.
pub(super) fn tells_of_less(decision: &Decision) -> bool {
    matches!(&decision.step, Some(Step::Record(entry)) if entry.event == RecordEvent::Narrowed)
}
