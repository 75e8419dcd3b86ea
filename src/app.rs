//! L5, the composition root: each process is put together here and nowhere else.
#![expect(clippy::disallowed_types, reason = "the client is made here")]

use std::path::Path;

use jiff::Timestamp;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use tokio::net::TcpListener;

use crate::ops::http::{Served, serve};
use crate::ops::shutdown::Shutdown;
use crate::ops::{Health, Metrics, Settings};

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
    let _client = client(settings.kubeconfig.as_deref()).await?;
    answer(&settings).await
}

/// Runs `comity sign` until it is told to stop.
pub async fn sign(settings: Settings) -> Result<(), AppError> {
    let _client = client(settings.kubeconfig.as_deref()).await?;
    answer(&settings).await
}

/// Serves health and metrics until it is told to stop.
async fn answer(settings: &Settings) -> Result<(), AppError> {
    let address = settings.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| AppError::Listen { address, source })?;
    #[expect(clippy::disallowed_methods, reason = "the clock is read here, at the edge")]
    let served = Served { health: Health::default(), metrics: Metrics::new(), clock: || Timestamp::now() };
    tracing::info!(%address, "listening");
    Ok(serve(listener, served, Shutdown::listen()?).await?)
}

/// A client of the cluster that `kubeconfig` names, or of the one that the process runs in.
async fn client(kubeconfig: Option<&Path>) -> Result<Client, AppError> {
    let config = match kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default())
                .await?
        }
        None => Config::incluster_env()?,
    };
    Ok(Client::try_from(config)?)
}
