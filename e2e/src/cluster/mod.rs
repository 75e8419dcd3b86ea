//! The handle that a story holds: one cluster, seen as one identity.

mod access;
pub mod apply;
mod audit;
pub mod identity;
mod object;

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{
    Api, Client, Config,
    api::{ObjectMeta, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::sync::OnceCell;

pub use audit::{MUTATING, Write};
pub use object::{await_condition, await_gone, await_object};

use crate::{
    ControlPlane, Error, Explain as _, Result, controlplane::Settings, eventually, scratch::Scratch,
};

/// How long the control plane's own controllers may take for what they do at once.
const SOON: Duration = Duration::from_secs(60);

/// A cluster, as one identity sees it. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    connection: Arc<Connection>,
    client: Client,
}

/// What all identities of a cluster share.
#[derive(Debug)]
struct Connection {
    /// How its administrator connects.
    admin: Config,
    kubeconfig: PathBuf,
    origin: Origin,
    named: AtomicU32,
}

/// Whose the cluster is.
#[derive(Debug)]
enum Origin {
    /// We started it.
    Ours(Box<ControlPlane>),
    /// It was given to us; the directory is for our files.
    Given(Scratch),
}

impl Cluster {
    /// The cluster that all tests of a test binary share, started by the first that asks.
    ///
    /// It is the one that `COMITY_E2E_KUBECONFIG` names, where that is set. Each test makes
    /// namespaces and identities of its own ([`Cluster::namespace`]).
    pub async fn shared() -> Result<Self> {
        static SHARED: OnceCell<Arc<Connection>> = OnceCell::const_new();
        let connection = SHARED
            .get_or_try_init(|| async {
                match env::var_os("COMITY_E2E_KUBECONFIG").filter(|given| !given.is_empty()) {
                    Some(given) => Self::connect(Path::new(&given)).await,
                    None => Self::launch(Settings::default()).await,
                }
            })
            .await?;
        // A client belongs to the runtime of the test that made it.
        Self::seen_by(connection.clone(), connection.admin.clone())
    }

    /// A control plane of one's own, for those who break it or need other settings.
    pub async fn start(settings: Settings) -> Result<Self> {
        let connection = Self::launch(settings).await?;
        let admin = connection.admin.clone();
        Self::seen_by(connection, admin)
    }

    /// The same cluster for another test: a client belongs to the runtime of the test that made it.
    pub fn anew(&self) -> Result<Self> {
        Self::seen_by(self.connection.clone(), self.connection.admin.clone())
    }

    /// A cluster that exists, through the current context of a kubeconfig file.
    pub async fn given(kubeconfig: &Path) -> Result<Self> {
        let connection = Self::connect(kubeconfig).await?;
        let admin = connection.admin.clone();
        Self::seen_by(connection, admin)
    }

    /// A client with this identity.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> &Path {
        &self.connection.kubeconfig
    }

    /// The control plane, if it is ours: for faults, process ids and logs.
    pub fn control_plane(&self) -> Option<&ControlPlane> {
        match &self.connection.origin {
            Origin::Ours(plane) => Some(plane),
            Origin::Given(_) => None,
        }
    }

    /// A directory for temporary files that goes when the cluster, or this process, goes.
    pub fn directory(&self) -> &Path {
        match &self.connection.origin {
            Origin::Ours(plane) => plane.directory(),
            Origin::Given(scratch) => scratch.path(),
        }
    }

    /// The log file of a process that works on this cluster.
    pub fn log_file(&self, name: &str) -> PathBuf {
        match &self.connection.origin {
            Origin::Ours(plane) => plane.log_file(name),
            Origin::Given(scratch) => scratch.path().join(format!("{name}.log")),
        }
    }

    /// A name that nothing else in this cluster has.
    pub fn unique(&self, prefix: &str) -> String {
        let count = self.connection.named.fetch_add(1, Ordering::Relaxed);
        format!("{prefix}-{}-{count}", std::process::id())
    }

    /// Makes a namespace of its own for a story, with these labels; its ServiceAccount is there.
    pub async fn namespace(&self, prefix: &str, labels: &[(&str, &str)]) -> Result<String> {
        let name = self.unique(prefix);
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let metadata = ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::all(self.client()).create(&PostParams::default(), &namespace).await?;
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), &name);
        let what = format!("the default ServiceAccount of {name}");
        eventually(&what, SOON, || accounts.get("default")).await?;
        Ok(name)
    }

    async fn launch(settings: Settings) -> Result<Arc<Connection>> {
        let plane = ControlPlane::start(settings).await?;
        let (admin, kubeconfig) = (plane.config().clone(), plane.kubeconfig());
        let origin = Origin::Ours(Box::new(plane));
        Ok(Arc::new(Connection { admin, kubeconfig, origin, named: AtomicU32::new(0) }))
    }

    async fn connect(path: &Path) -> Result<Arc<Connection>> {
        let kubeconfig = Kubeconfig::read_from(path).explain(format!("read {}", path.display()))?;
        let admin = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .explain(format!("use {}", path.display()))?;
        Client::try_from(admin.clone())?.apiserver_version().await.map_err(|error| {
            Error::Failed(format!("the cluster of {} doesn't answer: {error}", path.display()))
        })?;
        let origin = Origin::Given(Scratch::new()?);
        let kubeconfig = path.to_owned();
        Ok(Arc::new(Connection { admin, kubeconfig, origin, named: AtomicU32::new(0) }))
    }

    /// The cluster as whoever `config` says sees it.
    fn seen_by(connection: Arc<Connection>, config: Config) -> Result<Self> {
        Ok(Self { connection, client: Client::try_from(config)? })
    }
}
