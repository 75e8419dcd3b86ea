//! How late ends came, as far as a process was there.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Context;
use crate::grant::check::Doomed;
use crate::grant::observe::Scene;
use crate::journal::{Opening, Recorded};
use crate::plan::objects::Kind;

/// Says how long after the end of an opening its bindings were deleted, where they were for that.
pub(super) fn expired(doomed: &[&Doomed], scene: &Scene<'_>, context: &Context) {
    let bindings = doomed.iter().filter(|doomed| doomed.key.kind == Kind::RoleBinding);
    let places: BTreeSet<&str> = bindings.map(|doomed| doomed.key.namespace.as_str()).collect();
    let openings = scene.journal.iter().flat_map(|journal| &journal.openings);
    let over = |opening: &&Opening| opening.state == Recorded::Open && opening.end <= scene.now;
    for opening in openings.filter(over).filter(|opening| places.contains(opening.namespace.as_str())) {
        let lag = context.clock.now().duration_since(opening.end);
        context.meter.expired(Duration::try_from(lag).unwrap_or_default());
    }
}
