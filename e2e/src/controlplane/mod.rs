//! A real control plane on loopback: etcd, kube-apiserver and kube-controller-manager.
//!
//! Several can run at once, also from different checkouts: ports are picked when they start,
//! etcd listens on sockets in the control plane's own directory. They are killed when this
//! process dies, however it dies, and their directory goes with them.

mod another;
pub(crate) mod build;
pub(crate) mod cache;
mod certificates;
mod download;
pub(crate) mod find;
mod flags;
pub(crate) mod node;
pub(crate) mod progress;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::Request;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

pub use find::{Binaries, find};
pub use flags::Settings;

use crate::{Explain as _, Result, eventually, process::Process, scratch::Scratch};
use flags::Layout;

/// How long a control plane may take to come up before something must be wrong with it.
const START_WITHIN: Duration = Duration::from_secs(300);

/// A running control plane. Dropping it stops it: the API server before etcd.
#[derive(Debug)]
pub struct ControlPlane {
    // Dropped in this order.
    controller_manager: Mutex<Process>,
    api_server: Mutex<Process>,
    etcd: Mutex<Process>,
    config: Config,
    port: u16,
    layout: Layout,
    settings: Settings,
    binaries: Binaries,
    scratch: Scratch,
}

impl ControlPlane {
    /// Finds (or builds) the binaries and starts them; returns when the API server is ready and
    /// the default namespace has its ServiceAccount.
    pub async fn start(settings: Settings) -> Result<Self> {
        let binaries = tokio::task::spawn_blocking(find).await.explain("find a control plane")??;
        let scratch = Scratch::new()?;
        let layout = Layout::prepare(scratch.path(), &settings)?;
        let etcd = Process::start("etcd", layout.etcd(&binaries), &layout.log("etcd"))?;
        let (api_server, port) = start_api_server(&layout, &binaries, &settings).await?;
        let config = admin_config(&layout, port).await?;
        let controller_manager = start_controller_manager(&layout, &binaries, &settings, port)?;
        let plane = Self {
            controller_manager: Mutex::new(controller_manager),
            api_server: Mutex::new(api_server),
            etcd: Mutex::new(etcd),
            config,
            port,
            layout,
            settings,
            binaries,
            scratch,
        };
        plane.await_controllers().await?;
        Ok(plane)
    }

    /// How to reach it as its administrator.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig("admin")
    }

    /// The directory for temporary files: it goes when the control plane goes.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// Where processes that belong to this control plane write their logs.
    pub fn log_file(&self, name: &str) -> PathBuf {
        self.layout.log(name)
    }

    /// The API server's audit log: one JSON object a line, for every request that writes.
    pub fn audit_log(&self) -> PathBuf {
        self.layout.log("audit")
    }

    /// Whether a node joins it.
    pub fn has_node(&self) -> bool {
        self.settings.has_node
    }

    /// The certificate of the authority that the API server and its clients have theirs from.
    #[cfg(target_os = "linux")]
    pub(crate) fn authority(&self) -> PathBuf {
        self.directory().join(certificates::AUTHORITY)
    }

    /// Writes a kubeconfig for one of the users that have a token.
    #[cfg(target_os = "linux")]
    pub(crate) fn kubeconfig_of(&self, user: &str) -> Result<PathBuf> {
        self.layout.write_kubeconfig(&user.replace(':', "-"), user, self.port)
    }

    /// The process ids of etcd, the API server and the controller manager.
    pub fn process_ids(&self) -> [u32; 3] {
        [&self.etcd, &self.api_server, &self.controller_manager].map(|process| held(process).id())
    }

    /// Freezes the API server: connections stay open and nothing is answered.
    pub fn pause_api_server(&self) -> Result<()> {
        held(&self.api_server).pause()
    }

    /// Wakes the API server up again.
    pub fn resume_api_server(&self) -> Result<()> {
        held(&self.api_server).resume()
    }

    /// Kills the API server and starts it again on the same port with the same data.
    pub async fn restart_api_server(&self) -> Result<()> {
        {
            let mut api_server = held(&self.api_server);
            api_server.kill();
            let command = self.layout.api_server(&self.binaries, &self.settings, self.port);
            *api_server = Process::start("kube-apiserver", command, &self.layout.log("kube-apiserver"))?;
        }
        let client = Client::try_from(self.config.clone())?;
        eventually("the API server to be back", START_WITHIN, || ready(&client)).await
    }

    async fn await_controllers(&self) -> Result<()> {
        let accounts = Api::<ServiceAccount>::namespaced(Client::try_from(self.config.clone())?, "default");
        let there = eventually("the default ServiceAccount", START_WITHIN, || accounts.get("default")).await;
        if there.is_err() {
            held(&self.etcd).check()?;
            held(&self.controller_manager).check()?;
        }
        there.map(drop)
    }
}

/// What the lock holds: a thread that panicked holding it left the process as it was.
fn held(process: &Mutex<Process>) -> std::sync::MutexGuard<'_, Process> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn start_api_server(
    layout: &Layout,
    binaries: &Binaries,
    settings: &Settings,
) -> Result<(Process, u16)> {
    let log = layout.log("kube-apiserver");
    Process::start_listening("kube-apiserver", &log, START_WITHIN, async |port| {
        let client = Client::try_from(admin_config(layout, port).await?)?;
        Ok((layout.api_server(binaries, settings, port), async move || ready(&client).await))
    })
    .await
}

async fn admin_config(layout: &Layout, port: u16) -> Result<Config> {
    let path = layout.write_kubeconfig("admin", flags::ADMIN, port)?;
    let kubeconfig = Kubeconfig::read_from(&path).explain("read back the kubeconfig")?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .explain("use the kubeconfig")
}

fn start_controller_manager(
    layout: &Layout,
    binaries: &Binaries,
    settings: &Settings,
    port: u16,
) -> Result<Process> {
    layout.write_kubeconfig("controller-manager", flags::CONTROLLER_MANAGER, port)?;
    let log = layout.log("kube-controller-manager");
    Process::start("kube-controller-manager", layout.controller_manager(binaries, settings), &log)
}

/// Whether the API server says that it is ready.
async fn ready(client: &Client) -> Result<()> {
    let request = Request::get("/readyz").body(Vec::new()).explain("build a request")?;
    client.request_text(request).await?;
    Ok(())
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
