//! L5, the composition root: each process is put together here and nowhere else.
#![expect(clippy::disallowed_types, reason = "the client is made here")]

mod admission;
mod authorities;
mod counting;
mod dial;
mod enrolment;
mod pods;
mod rehearse;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use counting::counted;
use futures::TryFuture;
use futures::channel::mpsc::UnboundedReceiver;
use futures::future::{Either, LocalBoxFuture};
use jiff::Timestamp;
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Client, Resource};
use tokio::net::TcpListener;

pub use self::dial::dial;
pub use self::rehearse::rehearse;
use crate::api::{GrantDecision, name};
use crate::cluster::admission::Admission;
use crate::cluster::apply::{WriteError, Writer};
use crate::cluster::catalogue::Catalogue;
use crate::cluster::clock::Clock;
use crate::cluster::concern::{Queue, Queues};
use crate::cluster::event::Events;
use crate::cluster::feed::{Feeds, Watched};
use crate::cluster::pace::Pace;
use crate::cluster::status::{self, Statuses};
use crate::cluster::watch::Watches;
use crate::decision::observe::Bench;
use crate::grant::build::Installation;
use crate::ops::http::{Served, Tally, serve};
use crate::ops::metric::Kind;
use crate::ops::shutdown::Shutdown;
use crate::ops::trace::TraceIds;
use crate::ops::{Health, Metrics, Settings};
use crate::plan::objects;
use crate::plan::retry::Failure;
use crate::runtime::controller::{Telemetry, drive};
use crate::runtime::round::go_round;
use crate::signer::keyring::{InSecrets, Keyring};
use crate::signer::observe::Observer;
use crate::signer::stage::Tender;
use crate::signer::talk::Talk;
use crate::{boundary, contract, dataset, decision, grant, partner, signer};

/// How many namespaces are deleted in a second: each takes the API server dozens of requests.
const CLEARED_PER_SECOND: i64 = 10;

/// Of how many decisions it is said at once what came of them: many of them leave the API server to what
/// opens and closes.
const HEARING: u16 = 2;

/// How often an idle controller shows that it lives.
const PULSE: Duration = Duration::from_secs(5);

/// Why a process can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address is taken, or isn't this machine's.
    #[error("can't listen on {address}: choose another with {flag}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What says so.
        flag: &'static str,
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
    let station = Station::new(&settings);
    let client = client(settings.kubeconfig.as_deref(), &station).await?;
    let admission = admission::required(&client, &settings.system_namespace).await;
    let watched = Watched { kinds: &objects::Kind::ALL, doors: None, admission };
    let (mut feeds, queues) = Feeds::start(&client, watched, station.sight());
    let stores = Arc::clone(&feeds.catalogue);
    let judging = Arc::new(status::Context {
        catalogue: Arc::clone(&stores),
        statuses: Statuses::new(client.clone(), &stores.said),
        clock: station.clock.clone(),
    });
    let Queues { grants, contracts, datasets, partners, boundaries, decisions, leftovers } = queues;
    let granting = Arc::new(granting(&settings, client, &stores, &station));
    let leftovers = station.sweep(leftovers, Arc::clone(&granting));
    let granting =
        station.control(Kind::Grant, stores.grants.clone(), grants, granting, grant::reconcile::reconcile);
    let contracts =
        station.judge(Kind::Contract, &stores.contracts, contracts, &judging, contract::reconcile::reconcile);
    let datasets =
        station.judge(Kind::Dataset, &stores.datasets, datasets, &judging, dataset::reconcile::reconcile);
    let partners =
        station.judge(Kind::Partner, &stores.partners, partners, &judging, partner::reconcile::reconcile);
    let decisions = station.hear(&stores.decisions, decisions, &judging);
    let boundaries = station.judge(
        Kind::Boundary,
        &stores.boundaries,
        boundaries,
        &judging,
        boundary::reconcile::reconcile,
    );
    let work = async {
        feeds.filled().await;
        futures::join!(granting, contracts, datasets, partners, boundaries, decisions, leftovers);
    };
    until_told(&settings, &station, ("run", counting::grants(&stores)), work).await
}

/// Runs `comity sign` until it is told to stop, with the keys of authorities in Secrets.
pub async fn sign(settings: Settings) -> Result<(), AppError> {
    sign_with(settings, Arc::new(InSecrets)).await
}

/// The same with the keys of authorities on this ring: in a machine that doesn't give them away, say.
pub async fn sign_with(settings: Settings, keyring: Arc<dyn Keyring>) -> Result<(), AppError> {
    let station = Station::new(&settings);
    let client = client(settings.kubeconfig.as_deref(), &station).await?;
    let kinds = [objects::Kind::Namespace];
    let watched =
        Watched { kinds: &kinds, doors: Some(name::SIGNER_BINDING), admission: Admission::default() };
    let (mut feeds, queues) = Feeds::start(&client, watched, station.sight());
    let context = signing(&settings, client.clone(), &feeds, (&station.clock, &station.metrics), keyring);
    let context = Arc::new(context);
    let tally = counting::certificates(&context);
    let authorities = station.keep_authorities(&settings, &client, Arc::clone(&context));
    let enrolment = station.serve_enrolment(&settings, &client, &context).await?;
    let pods = station.answer_pods(&settings, client, Arc::clone(&context));
    let store = feeds.catalogue.grants.clone();
    let control = station.control(
        Kind::Certificates,
        store,
        queues.only_grants(),
        context,
        signer::reconcile::reconcile,
    );
    let work = async {
        feeds.filled().await;
        futures::join!(control, pods, authorities, enrolment);
    };
    until_told(&settings, &station, ("sign", tally), work).await
}

/// What every pass over a grant needs.
fn granting(
    settings: &Settings,
    client: Client,
    catalogue: &Arc<Catalogue>,
    station: &Station,
) -> grant::reconcile::Context {
    grant::reconcile::Context {
        catalogue: Arc::clone(catalogue),
        writer: Writer::new(client.clone(), Arc::clone(catalogue)),
        statuses: Statuses::new(client.clone(), &catalogue.said),
        clock: station.clock.clone(),
        events: Events::start(client, name::RUN, counted(&station.metrics)),
        installation: installation(settings),
        pace: Pace::per_second(CLEARED_PER_SECOND),
        meter: Box::new(station.metrics.clone()),
        memory: grant::memory::Memory::default(),
    }
}

/// What every pass of the signer needs.
fn signing(
    settings: &Settings,
    client: Client,
    feeds: &Feeds,
    (clock, metrics): (&Clock, &Metrics),
    keyring: Arc<dyn Keyring>,
) -> signer::reconcile::Context {
    let talk = Talk::new(client.clone());
    let clock = clock.clone();
    let now: signer::Now = Arc::new(move || clock.now());
    signer::reconcile::Context {
        observer: Observer::new(talk.clone(), Arc::clone(&feeds.catalogue), &settings.system_namespace),
        tender: Tender::new(talk.clone(), authorities::terms(settings), Arc::clone(&now)).with_keys(keyring),
        talk,
        now,
        events: Events::start(client, name::SIGN, counted(metrics)),
        meter: Box::new(metrics.clone()),
        memory: signer::reconcile::Memory::default(),
    }
}

/// What all controllers of a process share.
struct Station {
    clock: Clock,
    health: Health,
    metrics: Metrics,
    workers: u16,
}

impl Station {
    fn new(settings: &Settings) -> Self {
        Self {
            clock: Clock::default(),
            health: Health::default(),
            metrics: Metrics::new(),
            workers: settings.workers,
        }
    }

    /// What the watches need to tell how they fare.
    fn sight(&self) -> (&Clock, &Watches) {
        (&self.clock, self.health.watches())
    }

    /// What a controller reports to. Its process isn't ready until the heartbeat says so.
    fn telemetry(&self, kind: Kind) -> Telemetry {
        let now = self.clock.now();
        Telemetry {
            kind,
            heartbeat: self.health.heartbeat(kind.as_str(), now),
            metrics: self.metrics.clone(),
            traces: Arc::new(TraceIds::new(format!("{}-{}-{now}", kind.as_str(), std::process::id()))),
            clock: self.clock.clone(),
        }
    }

    /// Clears what grants left behind that are gone.
    fn sweep(
        &self,
        calls: UnboundedReceiver<()>,
        context: Arc<grant::reconcile::Context>,
    ) -> LocalBoxFuture<'static, ()> {
        let telemetry = self.telemetry(Kind::Leftovers);
        Box::pin(async move {
            let rounds = go_round(calls, telemetry.clone(), || grant::sweep::reconcile::sweep(&context));
            alive(Box::pin(rounds), telemetry).await;
        })
    }

    /// The controller of a kind of which Comity only says how it stands.
    fn judge<K, R, F>(
        &self,
        kind: Kind,
        store: &Store<K>,
        queue: Queue<K>,
        context: &Arc<status::Context>,
        reconcile: R,
    ) -> LocalBoxFuture<'static, ()>
    where
        K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
        R: Fn(Arc<K>, Arc<status::Context>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Action, WriteError>> + Send + 'static,
    {
        self.control(kind, store.clone(), queue, Arc::clone(context), reconcile)
    }

    /// The controller of decisions: says what came of each.
    fn hear(
        &self,
        store: &Store<GrantDecision>,
        queue: Queue<GrantDecision>,
        judging: &Arc<status::Context>,
    ) -> LocalBoxFuture<'static, ()> {
        let context = decision::reconcile::Context { judging: Arc::clone(judging), bench: Bench::default() };
        let (telemetry, workers) = (self.telemetry(Kind::Decision), self.workers.min(HEARING));
        let (store, context) = (store.clone(), Arc::new(context));
        let reconcile = decision::reconcile::reconcile;
        Box::pin(alive(drive(store, queue, context, workers, telemetry.clone(), reconcile), telemetry))
    }

    /// A controller: works through its queue, and shows that it lives. It isn't ready until it is
    /// polled, so poll it once the caches are filled.
    fn control<K, C, R, F>(
        &self,
        kind: Kind,
        store: Store<K>,
        queue: Queue<K>,
        context: Arc<C>,
        reconcile: R,
    ) -> LocalBoxFuture<'static, ()>
    where
        K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
        C: Send + Sync + 'static,
        R: Fn(Arc<K>, Arc<C>) -> F + Send + Sync + 'static,
        F: TryFuture<Ok = Action> + Send + 'static,
        F::Error: Failure + Send + Sync + 'static,
    {
        let telemetry = self.telemetry(kind);
        let workers = self.workers;
        let drive = drive(store, queue, context, workers, telemetry.clone(), reconcile);
        Box::pin(alive(drive, telemetry))
    }
}

/// Works with filled caches, and shows that it lives, for as long as it does.
async fn alive(work: impl Future<Output = ()>, telemetry: Telemetry) {
    telemetry.heartbeat.filled(telemetry.clock.now());
    let beat = pulse(&telemetry);
    futures::future::select(std::pin::pin!(work), std::pin::pin!(beat)).await;
    telemetry.heartbeat.ended();
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
    station: &Station,
    (process, tally): (&'static str, Tally),
    work: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let address = settings.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| AppError::Listen {
        address,
        flag: "--listen",
        source,
    })?;
    #[expect(clippy::disallowed_methods, reason = "the clock is read here, at the edge")]
    let served = Served {
        process,
        tally,
        health: station.health.clone(),
        metrics: station.metrics.clone(),
        clock: || Timestamp::now(),
    };
    tracing::info!(%address, "listening");
    let serving = std::pin::pin!(serve(listener, served, Shutdown::listen()?));
    match futures::future::select(serving, std::pin::pin!(work)).await {
        Either::Left((served, _)) => Ok(served?),
        // Work never ends by itself; where it does, what is served says so until a restart.
        Either::Right(((), serving)) => Ok(serving.await?),
    }
}

/// A client of the cluster that `kubeconfig` names, or of the one that the process runs in.
async fn client(kubeconfig: Option<&Path>, station: &Station) -> Result<Client, AppError> {
    let config = match kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default())
                .await?
        }
        None => Config::incluster_env()?,
    };
    Ok(ClientBuilder::try_from(config)?.with_layer(&station.clock).with_layer(&station.metrics).build())
}
