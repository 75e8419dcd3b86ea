//! L5, the composition root: each process is put together here and nowhere else.
#![expect(clippy::disallowed_types, reason = "the client is made here")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::Either;
use jiff::Timestamp;
use kube::Client;
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use tokio::net::TcpListener;

use crate::api::name;
use crate::cluster::apply::Writer;
use crate::cluster::clock::Clock;
use crate::cluster::event::Events;
use crate::cluster::feed::Feeds;
use crate::cluster::pace::Pace;
use crate::grant::build::Installation;
use crate::grant::reconcile::{Context, Memory, reconcile};
use crate::ops::http::{Served, serve};
use crate::ops::metric::Kind;
use crate::ops::shutdown::Shutdown;
use crate::ops::trace::TraceIds;
use crate::ops::{Health, Metrics, Settings};
use crate::plan::objects;
use crate::runtime::controller::{Telemetry, drive};
use crate::signer;
use crate::signer::observe::Observer;
use crate::signer::stage::Tender;
use crate::signer::talk::Talk;

/// How many namespaces are deleted in a second: each takes the API server dozens of requests.
const CLEARED_PER_SECOND: i64 = 10;

/// How often an idle controller shows that it lives.
const PULSE: Duration = Duration::from_secs(5);

/// Why a process can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address is taken, or isn't this machine's.
    #[error("can't listen on {address}: choose another with --listen")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The kubeconfig can't be used.
    #[error("can't use the kubeconfig that --kubeconfig (or KUBECONFIG) names")]
    Kubeconfig(#[from] KubeconfigError),
    /// There is no kubeconfig, and the process doesn't run in a cluster.
    #[error("not in a cluster, and no kubeconfig: name one with --kubeconfig")]
    NoCluster(#[from] kube::config::InClusterError),
    /// No client can be made of the configuration.
    #[error("can't make a client of the configuration")]
    Client(#[from] kube::Error),
    /// The system refuses something.
    #[error("the system refuses")]
    System(#[from] std::io::Error),
}

/// Runs `comity run` until it is told to stop.
pub async fn run(settings: Settings) -> Result<(), AppError> {
    let clock = Clock::default();
    let client = client(settings.kubeconfig.as_deref(), &clock).await?;
    let health = Health::default();
    let metrics = Metrics::new();
    let telemetry = telemetry(Kind::Grant, "grants", &health, &metrics, &clock);
    let (concerned, queue) = futures::channel::mpsc::unbounded();
    let mut feeds = Feeds::start(&client, &objects::Kind::ALL, &concerned);
    let context = Arc::new(Context {
        catalogue: Arc::clone(&feeds.catalogue),
        writer: Writer::new(client.clone(), Arc::clone(&feeds.catalogue)),
        clock: clock.clone(),
        events: Events::start(client, name::RUN),
        installation: installation(&settings),
        pace: Pace::per_second(CLEARED_PER_SECOND),
        memory: Memory::default(),
    });
    let work = async {
        feeds.filled().await;
        telemetry.heartbeat.filled(clock.now());
        let store = context.catalogue.grants.clone();
        let beat = pulse(&telemetry);
        let drive = drive(store, queue, context, settings.workers, telemetry.clone(), reconcile);
        futures::future::select(std::pin::pin!(drive), std::pin::pin!(beat)).await;
        telemetry.heartbeat.ended();
    };
    until_told(&settings, health, metrics, work).await
}

/// Runs `comity sign` until it is told to stop.
pub async fn sign(settings: Settings) -> Result<(), AppError> {
    let clock = Clock::default();
    let client = client(settings.kubeconfig.as_deref(), &clock).await?;
    let health = Health::default();
    let metrics = Metrics::new();
    let telemetry = telemetry(Kind::Certificates, "certificates", &health, &metrics, &clock);
    let (concerned, queue) = futures::channel::mpsc::unbounded();
    let mut feeds = Feeds::start(&client, &[objects::Kind::Namespace], &concerned);
    let context = Arc::new(signing(&settings, client, &feeds, &clock, &metrics));
    let store = feeds.catalogue.grants.clone();
    let work = async {
        feeds.filled().await;
        telemetry.heartbeat.filled(clock.now());
        let beat = pulse(&telemetry);
        let drive =
            drive(store, queue, context, settings.workers, telemetry.clone(), signer::reconcile::reconcile);
        futures::future::select(std::pin::pin!(drive), std::pin::pin!(beat)).await;
        telemetry.heartbeat.ended();
    };
    until_told(&settings, health, metrics, work).await
}

/// What every pass of the signer needs.
fn signing(
    settings: &Settings,
    client: Client,
    feeds: &Feeds,
    clock: &Clock,
    metrics: &Metrics,
) -> signer::reconcile::Context {
    let talk = Talk::new(client.clone());
    let clock = clock.clone();
    let now: signer::Now = Arc::new(move || clock.now());
    signer::reconcile::Context {
        observer: Observer::new(talk.clone(), Arc::clone(&feeds.catalogue)),
        tender: Tender::new(talk, &settings.system_namespace, &settings.trust_domain, Arc::clone(&now)),
        now,
        events: Events::start(client, name::SIGN),
        meter: Box::new(metrics.clone()),
        memory: signer::reconcile::Memory::default(),
    }
}

impl signer::reconcile::Meter for Metrics {
    fn issued(&self, took: Duration) {
        Self::issued(self, took);
    }

    fn refused(&self) {
        Self::refused(self);
    }
}

/// What a controller reports to.
fn telemetry(
    kind: Kind,
    heart: &'static str,
    health: &Health,
    metrics: &Metrics,
    clock: &Clock,
) -> Telemetry {
    Telemetry {
        kind,
        heartbeat: health.heartbeat(heart, clock.now()),
        metrics: metrics.clone(),
        traces: Arc::new(TraceIds::new(format!("{}-{}", std::process::id(), clock.now()))),
        clock: clock.clone(),
    }
}

/// Keeps a heartbeat alive while there is nothing to do.
async fn pulse(telemetry: &Telemetry) {
    let mut ticks = tokio::time::interval(PULSE);
    loop {
        ticks.tick().await;
        telemetry.heartbeat.idle(telemetry.clock.now());
    }
}

/// How this Comity is installed, as far as objects depend on it.
fn installation(settings: &Settings) -> Installation {
    Installation {
        system_namespace: settings.system_namespace.clone(),
        cluster_networks: settings.cluster_cidrs.clone(),
        dns_namespace: settings.dns_namespace.clone(),
        dns_selector: settings.dns_selector.clone(),
    }
}

/// Works, and serves health and metrics, until it is told to stop.
async fn until_told(
    settings: &Settings,
    health: Health,
    metrics: Metrics,
    work: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let address = settings.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| AppError::Listen { address, source })?;
    #[expect(clippy::disallowed_methods, reason = "the clock is read here, at the edge")]
    let served = Served { health, metrics, clock: || Timestamp::now() };
    tracing::info!(%address, "listening");
    let serving = std::pin::pin!(serve(listener, served, Shutdown::listen()?));
    match futures::future::select(serving, std::pin::pin!(work)).await {
        Either::Left((served, _)) => Ok(served?),
        // Work never ends by itself; where it does, what is served says so until a restart.
        Either::Right(((), serving)) => Ok(serving.await?),
    }
}

/// A client of the cluster that `kubeconfig` names, or of the one that the process runs in.
async fn client(kubeconfig: Option<&Path>, clock: &Clock) -> Result<Client, AppError> {
    let config = match kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default())
                .await?
        }
        None => Config::incluster_env()?,
    };
    Ok(ClientBuilder::try_from(config)?.with_layer(clock).build())
}
