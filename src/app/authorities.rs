//! The part of `comity sign` that keeps its authorities: takes them on when it is time, whether or not a
//! stage asks, and does with them what people want done.
#![expect(clippy::disallowed_types, reason = "the client is handed on here")]

use std::sync::Arc;

use futures::future::LocalBoxFuture;
use kube::Client;

use super::{Station, alive};
use crate::api::name;
use crate::cluster::asking::{Asking, kept};
use crate::ops::Settings;
use crate::ops::metric::Kind;
use crate::runtime::controller::drive;
use crate::signer;
use crate::signer::authority::Terms;
use crate::signer::keeper::{Context, reconcile};

impl Station {
    /// What keeps the authorities.
    pub(super) fn keep_authorities(
        &self,
        settings: &Settings,
        client: &Client,
        signing: Arc<signer::reconcile::Context>,
    ) -> LocalBoxFuture<'static, ()> {
        let telemetry = self.telemetry(Kind::Authorities);
        let (client, system) = (client.clone(), settings.system_namespace.clone());
        let (clock, watches) = (self.clock.clone(), self.health.watches().clone());
        let (health, workers) = (telemetry.clone(), self.workers);
        let work = async move {
            let sight = (&clock, &watches);
            let Asking { store, queue, task } = kept(&client, &system, name::LABEL_AUTHORITY, sight);
            let context = Arc::new(Context { signing, kept: store.clone(), system });
            drive(store, queue, context, workers, telemetry, reconcile).await;
            drop(task);
        };
        Box::pin(async move { alive(Box::pin(work), health).await })
    }
}

/// On what terms authorities are kept.
pub(super) fn terms(settings: &Settings) -> Terms {
    Terms {
        system: settings.system_namespace.clone(),
        trust_domain: settings.trust_domain.clone(),
        lifetime: settings.authority_lifetime,
    }
}
