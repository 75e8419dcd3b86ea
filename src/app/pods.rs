//! The part of `comity sign` that answers nodes: in whichever version the API server has their
//! requests, and not at all where it has none.
#![expect(clippy::disallowed_types, reason = "the client is handed on here")]

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, LocalBoxFuture, select};
use k8s_openapi::api::certificates::{v1, v1beta1};
use kube::Client;

use super::{Station, alive};
use crate::cluster::asking::{Asking, Version, requests, served};
use crate::cluster::clock::Clock;
use crate::cluster::watch::Watches;
use crate::ops::Settings;
use crate::ops::metric::Kind;
use crate::runtime::controller::{Telemetry, drive};
use crate::signer;
use crate::signer::pod::SIGNER;
use crate::signer::pod::observe::Lookout;
use crate::signer::pod::pace::Pace;
use crate::signer::pod::reconcile::{Context, reconcile};
use crate::signer::pod::request::Asked;
use crate::signer::talk::Talk;

/// How often it is looked which versions the API server has.
const EVERY: Duration = Duration::from_secs(60);

/// How many requests of pods are looked at for each object of other kinds that is: they mostly wait, for what many of
/// them read together.
const FOR_EACH: u16 = 32;
/// How many at most: the API server lets no account have more under way than it has room for.
const MOST: u16 = 512;

/// Whoever answers nodes.
struct Desk {
    client: Client,
    context: Arc<Context>,
    telemetry: Telemetry,
    clock: Clock,
    watches: Watches,
    workers: u16,
}

impl Station {
    /// What answers nodes that ask for the certificates of their pods.
    pub(super) fn answer_pods(
        &self,
        settings: &Settings,
        client: Client,
        signing: Arc<signer::reconcile::Context>,
    ) -> LocalBoxFuture<'static, ()> {
        let lookout =
            Lookout::new(Talk::new(client.clone()), signing.observer.clone(), Arc::clone(&signing.now));
        let trust_domain = settings.trust_domain.clone();
        let context = Arc::new(Context { signing, lookout, trust_domain, pace: Pace::default() });
        let telemetry = self.telemetry(Kind::PodCertificates);
        let (clock, watches) = (self.clock.clone(), self.health.watches().clone());
        let desk =
            Desk { client, context, telemetry: telemetry.clone(), clock, watches, workers: self.workers };
        Box::pin(async move { alive(Box::pin(desk.answer()), telemetry).await })
    }
}

impl Desk {
    /// Answers in the version that there is, until there is another.
    async fn answer(&self) {
        let mut version = None;
        loop {
            let work = std::pin::pin!(self.answer_in(version));
            let change = std::pin::pin!(self.another(version));
            version = match select(work, change).await {
                // A watch never ends by itself; where it does, it is begun again.
                Either::Left(((), _)) => version,
                Either::Right((version, _)) => version,
            };
            tracing::info!(?version, "requests for the certificates of pods");
        }
    }

    /// Awaits that the API server has another version than this one.
    async fn another(&self, now: Option<Version>) -> Option<Version> {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            match served(&self.client).await {
                Ok(found) if found != now => return found,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "it can't be seen which APIs there are"),
            }
        }
    }

    async fn answer_in(&self, version: Option<Version>) {
        match version {
            None => futures::future::pending().await,
            Some(Version::V1Beta1) => self.control::<v1beta1::PodCertificateRequest>().await,
            Some(Version::V1) => self.control::<v1::PodCertificateRequest>().await,
        }
    }

    async fn control<K: Asked>(&self) {
        let sight = (&self.clock, &self.watches);
        let Asking { store, queue, task } = requests::<K>(&self.client, SIGNER, K::brief, sight);
        let (context, telemetry) = (Arc::clone(&self.context), self.telemetry.clone());
        let workers = self.workers.saturating_mul(FOR_EACH).min(MOST);
        drive(store, queue, context, workers, telemetry, reconcile::<K>).await;
        drop(task);
    }
}
