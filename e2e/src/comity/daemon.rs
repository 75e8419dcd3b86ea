//! One process of Comity, and what can happen to it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use comity::api::name::DEFAULT_SYSTEM_NAMESPACE;

use super::{READY_WITHIN, TRUST_DOMAIN};
use crate::{
    Cluster, Error, Explain as _, Result,
    clock::Clock,
    cluster::identity::service_account_user,
    eventually, http,
    process::{Process, bound},
};

/// How long a process may take to end when asked to.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// One process of Comity: started, stopped, killed, paused and started again.
pub struct Daemon {
    command: &'static str,
    account: &'static str,
    binary: PathBuf,
    kubeconfig: PathBuf,
    token: String,
    log: PathBuf,
    more: Vec<String>,
    clock: Option<Clock>,
    running: Mutex<Option<(Process, SocketAddr)>>,
}

impl Daemon {
    /// Prepares `comity <command>` with a token of `account`, without starting it.
    pub(super) async fn new(
        cluster: &Cluster,
        binary: &Path,
        command: &'static str,
        account: &'static str,
    ) -> Result<Self> {
        let token = cluster.token(DEFAULT_SYSTEM_NAMESPACE, account).await?;
        Ok(Self {
            command,
            account,
            binary: binary.to_owned(),
            kubeconfig: cluster.kubeconfig_for_token(account, &token)?,
            token,
            log: cluster.log_file(account),
            more: Vec::new(),
            clock: None,
            running: Mutex::new(None),
        })
    }

    /// The same, started with these arguments beside the usual ones.
    #[must_use]
    pub fn told(self, more: &[&str]) -> Self {
        Self { more: more.iter().map(|&word| word.to_owned()).collect(), ..self }
    }

    /// The same, going by this clock.
    pub(super) fn going_by(self, clock: &Clock) -> Self {
        Self { clock: Some(clock.clone()), ..self }
    }

    /// From its next start on it reads and writes at this address, in plain HTTP, and not at the API server.
    pub(super) fn asks(&mut self, address: SocketAddr) -> Result<()> {
        let text = std::fs::read(&self.kubeconfig).explain("read a kubeconfig")?;
        let mut kubeconfig: serde_json::Value = serde_json::from_slice(&text)?;
        kubeconfig["clusters"][0]["cluster"] = serde_json::json!({"server": format!("http://{address}")});
        std::fs::write(&self.kubeconfig, serde_json::to_vec(&kubeconfig)?).explain("write a kubeconfig")
    }

    /// Starts it, and awaits that it is ready.
    pub async fn start(&self) -> Result<()> {
        let started = Process::start_listening(self.account, &self.log, READY_WITHIN, async |port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            Ok((self.command(address), async move || ready(address).await))
        });
        let (process, port) = started.await?;
        *self.held() = Some((process, SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        Ok(())
    }

    /// Kills it (SIGKILL): nothing is handed over, no lease given back.
    pub fn kill(&self) {
        *self.held() = None;
    }

    /// Asks it to end (SIGTERM) and awaits that it does, with success.
    pub async fn stop(&self) -> Result<()> {
        let running = self.held().take();
        let Some((mut process, _)) = running else { return Ok(()) };
        let status = process.stop(STOP_WITHIN).await?;
        if status.success() {
            return Ok(());
        }
        let words = process.last_words();
        Err(Error::Failed(format!("{} ended with {status}; it said last:\n{words}", self.account)))
    }

    /// Kills it and starts it again; returns when it is ready.
    pub async fn restart(&self) -> Result<()> {
        self.kill();
        self.start().await
    }

    /// Freezes it: its watches and leases stay and it does nothing.
    pub fn pause(&self) -> Result<()> {
        self.with(|process, _| process.pause())
    }

    /// Wakes it up again.
    pub fn resume(&self) -> Result<()> {
        self.with(|process, _| process.resume())
    }

    /// The memory that it holds now, in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        self.with(|process, _| process.resident_kib())
    }

    /// The processor time that it has taken since it was started, in seconds.
    pub fn processor_seconds(&self) -> Result<f64> {
        self.with(|process, _| process.processor_seconds())
    }

    /// Whether it says that it is ready.
    pub async fn ready(&self) -> Result<()> {
        ready(self.address()?).await
    }

    /// Awaits that it no longer says so, and returns what it says instead.
    pub async fn unready(&self, within: Duration) -> Result<String> {
        let address = self.address()?;
        eventually(&format!("{} to be unready", self.account), within, async || match ready(address).await {
            Ok(()) => Err("it is ready"),
            Err(error) => Ok(error.to_string()),
        })
        .await
    }

    /// Its metrics, in the text format of Prometheus.
    pub async fn metrics(&self) -> Result<String> {
        Ok(http::get(self.address()?, "/metrics").await?.body)
    }

    /// What it logged, over all its starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What the API server calls it.
    pub fn user(&self) -> String {
        service_account_user(DEFAULT_SYSTEM_NAMESPACE, self.account)
    }

    /// The cluster as the bearer of its token sees it: what somebody could do who stole it.
    pub fn identity(&self, cluster: &Cluster) -> Result<Cluster> {
        cluster.as_token(&self.token)
    }

    /// A second process with the same identity, not started: for two that both want to lead.
    #[must_use]
    pub fn twin(&self) -> Self {
        Self {
            command: self.command,
            account: self.account,
            binary: self.binary.clone(),
            kubeconfig: self.kubeconfig.clone(),
            token: self.token.clone(),
            log: self.log.with_extension("twin.log"),
            more: self.more.clone(),
            clock: self.clock.clone(),
            running: Mutex::new(None),
        }
    }

    /// Where it serves metrics and health.
    pub fn address(&self) -> Result<SocketAddr> {
        self.with(|_, address| Ok(address))
    }

    fn command(&self, address: SocketAddr) -> Command {
        let mut command = bound(&self.binary);
        command.arg(self.command).arg("--kubeconfig").arg(&self.kubeconfig);
        command.arg(format!("--listen={address}"));
        command.arg(format!("--system-namespace={DEFAULT_SYSTEM_NAMESPACE}"));
        command.arg(format!("--trust-domain={TRUST_DOMAIN}"));
        command.args(&self.more);
        command.env_remove("KUBECONFIG");
        if let Some(clock) = &self.clock {
            clock.lead(&mut command);
        }
        command
    }

    fn with<T>(&self, act: impl FnOnce(&Process, SocketAddr) -> Result<T>) -> Result<T> {
        match self.held().as_ref() {
            Some((process, address)) => act(process, *address),
            None => Err(Error::Failed(format!("{} isn't running", self.account))),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<(Process, SocketAddr)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `/readyz` says yes.
async fn ready(address: SocketAddr) -> Result<()> {
    let answer = http::get(address, "/readyz").await?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(Error::Failed(format!("/readyz says {}: {}", answer.status, answer.body.trim())))
}
