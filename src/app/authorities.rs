//! The part of `comity sign` that keeps its authorities: takes them on when it is time, whether or not a
//! stage asks, and does with them what people want done.
#![expect(clippy::disallowed_types, reason = "the client is handed on here")]

use std::sync::Arc;

use futures::future::LocalBoxFuture;
use kube::Client;

use super::{Station, alive};
use crate::api::name;
use crate::cluster::asking::{Asking, Version, bundles_served, kept};
use crate::ops::Settings;
use crate::ops::metric::Kind;
use crate::runtime::controller::drive;
use crate::signer;
use crate::signer::authority::Terms;
use crate::signer::bundle::{self, Bundles, Serves};
use crate::signer::keeper::{Context, reconcile};
use crate::signer::talk::Talk;

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
            let bundles = Bundles::new(Talk::new(client.clone()), serves(&client));
            let context = Arc::new(Context { signing, kept: store.clone(), system, bundles });
            drive(store, queue, context, workers, telemetry, reconcile).await;
            drop(task);
        };
        Box::pin(async move { alive(Box::pin(work), health).await })
    }
}

/// Asks which version of bundles the API server has.
fn serves(client: &Client) -> Serves {
    let client = client.clone();
    Box::new(move || {
        let client = client.clone();
        let known = |served| match served {
            Version::V1Beta1 => bundle::Version::V1Beta1,
            Version::V1 => bundle::Version::V1,
        };
        Box::pin(async move { bundles_served(&client).await.map(known) })
    })
}

/// On what terms authorities are kept.
pub(super) fn terms(settings: &Settings) -> Terms {
    Terms {
        system: settings.system_namespace.clone(),
        trust_domain: settings.trust_domain.clone(),
        lifetime: settings.authority_lifetime,
    }
}
