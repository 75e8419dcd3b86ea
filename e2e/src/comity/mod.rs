//! Comity as a user installs and runs it: `install.yaml`, and its processes, each with the token
//! of its own ServiceAccount and the rights of the chart, never as the administrator.

mod binary;
mod daemon;

use std::{path::Path, time::Duration};

use comity::api::name;
use tokio::sync::OnceCell;

pub use binary::binary;
pub use daemon::Daemon;

use crate::{Cluster, Explain as _, Result};

/// The trust domain that the processes are started with, the chart's own.
pub const TRUST_DOMAIN: &str = "comity.local";

/// How long a process may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Comity, running against a cluster.
pub struct Comity {
    run: Daemon,
    sign: Daemon,
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

    /// Installs Comity into `cluster` and starts it; returns when both processes are ready.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let comity = Self::prepare(cluster).await?;
        tokio::try_join!(comity.run.start(), comity.sign.start())?;
        Ok(comity)
    }

    /// Installs Comity into `cluster` and starts nothing yet.
    pub async fn prepare(cluster: &Cluster) -> Result<Self> {
        let (binary, ()) = tokio::try_join!(binary(), install(cluster))?;
        let (run, sign) = tokio::try_join!(
            Daemon::new(cluster, &binary, "run", name::RUN),
            Daemon::new(cluster, &binary, "sign", name::SIGN),
        )?;
        Ok(Self { run, sign })
    }

    /// `comity run`.
    pub fn run(&self) -> &Daemon {
        &self.run
    }

    /// `comity sign`.
    pub fn sign(&self) -> &Daemon {
        &self.sign
    }
}

/// Applies `install.yaml`, as it is. Its Deployments have no pods where there is no node.
pub async fn install(cluster: &Cluster) -> Result<()> {
    let file = repository().join("install.yaml");
    cluster.apply(&file).await.explain("install Comity")?;
    Ok(())
}

/// The root of the repository that this was built from.
pub fn repository() -> &'static Path {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member)
}
