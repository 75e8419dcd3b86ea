//! The conductor: whether a rehearsal is due, and then every case of it.

use std::sync::Arc;

use kube::runtime::controller::Action;

use crate::api::PartnerGrant;
use crate::cluster::apply::WriteError;
use crate::cluster::catalogue::Catalogue;
use crate::cluster::clock::Clock;

/// What every pass needs.
#[derive(Debug)]
pub struct Context {
    /// What stands.
    pub catalogue: Arc<Catalogue>,
    /// What time it is.
    pub clock: Clock,
}

/// One pass over a grant.
pub async fn reconcile(grant: Arc<PartnerGrant>, context: Arc<Context>) -> Result<Action, WriteError> {
    tracing::trace!(due = context.catalogue.journal(&grant).is_ok(), now = %context.clock.now());
    Ok(Action::await_change())
}
