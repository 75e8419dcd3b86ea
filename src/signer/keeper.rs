//! The conductor of authorities: for each ledger, and each order about one, take the next steps, and name the
//! moment at which to look again.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};

use super::bundle::Bundles;
use super::ca::{Chest, Ledger};
use super::error::SignError;
use super::reconcile as signing;
use crate::plan::retry;

/// What every pass needs.
pub struct Context {
    /// What signing for stages needs, too: authorities, clock.
    pub signing: Arc<signing::Context>,
    /// The ledgers and orders, as the watch last told.
    pub kept: Store<ConfigMap>,
    /// Comity's own namespace.
    pub system: String,
    /// What the whole cluster may verify by.
    pub bundles: Bundles,
}

/// One pass over a ledger, or over an order.
pub async fn reconcile(found: Arc<ConfigMap>, context: Arc<Context>) -> Result<Action, SignError> {
    let now = (context.signing.now)();
    let name = found.name_any();
    let Some(chest) = Chest::of_ledger(&name).or_else(|| Chest::of_order(&name)) else {
        return Ok(settled());
    };
    let ledger = context.kept(&chest.ledger());
    let Some(ledger) = ledger.as_deref().and_then(Ledger::found) else {
        tracing::warn!(%chest, "there are no authorities that can be gone by: whatever is wanted of them waits");
        return Ok(settled());
    };
    let order = context.kept(&chest.order());
    let authorities = context.signing.tender.authorities();
    let next = authorities.keep(&chest, ledger.owner.clone(), order.as_deref(), now).await?;
    // What was changed just now is told in a moment.
    context.bundles.publish(&chest, &ledger, now).await?;
    Ok(Action::requeue(retry::until_earliest(next, now).unsigned_abs()))
}

impl Context {
    fn kept(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.kept.get(&ObjectRef::new(name).within(&self.system))
    }
}

fn settled() -> Action {
    Action::requeue(retry::LONGEST.unsigned_abs())
}
