//! Comity as a user installs and runs it: `install.yaml`, and its processes, each with the token
//! of its own ServiceAccount and the rights of the chart, never as the administrator.

mod binary;
pub mod command;
mod daemon;
pub mod people;

use std::{net::SocketAddr, path::Path, time::Duration};

use comity::api::name;
use serde_json::json;
use tokio::sync::OnceCell;

pub use binary::binary;
#[cfg(target_os = "linux")]
pub(crate) use binary::speaker;
pub use daemon::Daemon;

use crate::{Cluster, ControlPlane, Explain as _, Result, attempt, clock::Clock, eventually};

/// The trust domain that the processes are started with, the chart's own.
pub const TRUST_DOMAIN: &str = "comity.local";

/// How long a process may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// Comity, running against a cluster.
pub struct Comity {
    run: Daemon,
    sign: Daemon,
    rehearse: Daemon,
}

impl Comity {
    /// The one that all tests of a test binary share, on the cluster that they share.
    ///
    /// Who kills, pauses or restarts it starts one on a cluster of their own instead.
    pub async fn shared() -> Result<(Cluster, &'static Self)> {
        static SHARED: OnceCell<Comity> = OnceCell::const_new();
        let cluster = Cluster::shared().await?;
        let comity = SHARED.get_or_try_init(|| Self::start(&cluster)).await?;
        Ok((cluster, comity))
    }

    /// Installs Comity into `cluster` and starts it; returns when every process is ready.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let comity = Self::prepare(cluster).await?;
        comity.start_all().await?;
        Ok(comity)
    }

    /// The same, where `comity sign` is told more than is usual.
    pub async fn start_signing(cluster: &Cluster, more: &[&str]) -> Result<Self> {
        let Self { run, sign, rehearse } = Self::prepare(cluster).await?;
        let comity = Self { run, sign: sign.told(more), rehearse };
        comity.start_all().await?;
        Ok(comity)
    }

    /// Starts every process; returns when all are ready.
    pub async fn start_all(&self) -> Result<()> {
        tokio::try_join!(self.run.start(), self.sign.start(), self.rehearse.start())?;
        Ok(())
    }

    /// Asks every process to end, and awaits that each does.
    pub async fn stop_all(&self) -> Result<()> {
        tokio::try_join!(self.run.stop(), self.sign.stop(), self.rehearse.stop())?;
        Ok(())
    }

    /// Installs Comity into `cluster` and starts nothing yet.
    pub async fn prepare(cluster: &Cluster) -> Result<Self> {
        tokio::try_join!(binary(), install(cluster))?;
        Self::installed(cluster).await
    }

    /// The processes of the Comity that is installed in `cluster`, not started yet.
    pub async fn installed(cluster: &Cluster) -> Result<Self> {
        let binary = binary().await?;
        let (run, sign, rehearse) = tokio::try_join!(
            Daemon::new(cluster, &binary, "run", name::RUN),
            Daemon::new(cluster, &binary, "sign", name::SIGN),
            Daemon::new(cluster, &binary, "rehearse", name::REHEARSE),
        )?;
        Ok(Self { run, sign, rehearse })
    }

    /// The same, where every process goes by a clock that the story sets. Nothing is started yet.
    pub async fn going_by_a_clock(cluster: &Cluster) -> Result<(Self, Clock)> {
        let file = cluster.log_file("clock");
        let clock = Clock::right(file.parent().unwrap_or(&file)).await?;
        let Self { run, sign, rehearse } = Self::prepare(cluster).await?;
        let [run, sign, rehearse] = [run, sign, rehearse].map(|daemon| daemon.going_by(&clock));
        Ok((Self { run, sign, rehearse }, clock))
    }

    /// `comity run`.
    pub fn run(&self) -> &Daemon {
        &self.run
    }

    /// From its next start on `comity run` asks at this address, and not at the API server.
    pub fn run_asks(&mut self, address: SocketAddr) -> Result<()> {
        self.run.asks(address)
    }

    /// The same of `comity sign`.
    pub fn sign_asks(&mut self, address: SocketAddr) -> Result<()> {
        self.sign.asks(address)
    }

    /// `comity sign`.
    pub fn sign(&self) -> &Daemon {
        &self.sign
    }

    /// `comity rehearse`.
    pub fn rehearse(&self) -> &Daemon {
        &self.rehearse
    }
}

/// Applies `install.yaml`, as it is. Its Deployments have no pods where there is no node; in a
/// cluster that has nodes they get none, as the processes run here.
pub async fn install(cluster: &Cluster) -> Result<()> {
    let mut text = manifest()?;
    if cluster.control_plane().is_none_or(ControlPlane::has_node) {
        text = text.replace("\n  replicas: 1\n", "\n  replicas: 0\n");
    }
    cluster.apply_yaml(&text).await.explain("install Comity")?;
    await_stamps(cluster).await
}

/// Awaits the API server of a cluster into which Comity was installed to keep who wrote what: of an object that was stored before, nobody knows.
pub async fn await_stamps(cluster: &Cluster) -> Result<()> {
    let organisation = json!({"legalName": "Probe AB", "jurisdictions": ["SE"]});
    let probe = json!({
        "apiVersion": "comity.dev/v1alpha1", "kind": "Partner",
        "metadata": {"name": "comity-probe"}, "spec": {"organisation": organisation},
    });
    let probe = attempt::create("/apis/comity.dev/v1alpha1/partners", probe);
    eventually("who wrote what to be kept", READY_WITHIN, async || {
        let answer = probe.try_as(cluster).await.map_err(|error| error.to_string())?;
        let kept = &answer["metadata"]["annotations"][name::ANNOTATION_AUTHORED_BY];
        if kept.is_string() { Ok(()) } else { Err(format!("{}", answer["metadata"])) }
    })
    .await
}

/// What a user installs: `install.yaml`.
pub fn manifest() -> Result<String> {
    let file = repository().join("install.yaml");
    std::fs::read_to_string(&file).explain(format!("read {}", file.display()))
}

/// The root of the repository that this was built from.
pub fn repository() -> &'static Path {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member)
}
