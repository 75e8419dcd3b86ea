//! The flags that every long-running process has, and how one is started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use super::{Failure, value};
use crate::api::name;
use crate::ops::{Settings, trace};

/// How long an authority lives, unless it is said otherwise.
pub(super) const DEFAULT_AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The flags that every long-running process has.
#[derive(Args, Clone, Debug)]
pub(super) struct ProcessArguments {
    /// The cluster to talk to; without it, the one that the process runs in
    #[arg(long, value_name = "FILE", env = "KUBECONFIG", hide_env_values = true)]
    kubeconfig: Option<PathBuf>,

    #[command(flatten)]
    service: ServiceArguments,
}

/// The same, but for the cluster to talk to.
#[derive(Args, Clone, Debug)]
pub(super) struct ServiceArguments {
    /// Where health and metrics are served: /livez, /readyz and /metrics
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:8080", value_parser = value::address)]
    #[arg(env = "COMITY_LISTEN", hide_env_values = true)]
    listen: SocketAddr,

    /// The namespace that Comity is installed in
    #[arg(long, value_name = "NAME", default_value = name::DEFAULT_SYSTEM_NAMESPACE, value_parser = value::name)]
    #[arg(env = "COMITY_SYSTEM_NAMESPACE", hide_env_values = true)]
    system_namespace: String,

    /// The SPIFFE trust domain of the identities that are issued. It is part of every certificate:
    /// changing it makes them all anew
    #[arg(long, value_name = "NAME", default_value = "comity.local", value_parser = value::trust_domain)]
    #[arg(env = "COMITY_TRUST_DOMAIN", hide_env_values = true)]
    trust_domain: String,

    /// What is logged: error, warn, info, debug or trace, also by target (info,kube=debug)
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    #[arg(env = "COMITY_LOG_LEVEL", hide_env_values = true)]
    log_level: String,

    /// How it is logged, on standard error
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    #[arg(env = "COMITY_LOG_FORMAT", hide_env_values = true)]
    log_format: LogFormat,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// One JSON object a line
    Json,
    /// Text for people
    Text,
}

impl ProcessArguments {
    /// Starts logs.
    pub(super) fn start_logs(&self) -> Result<(), trace::TraceError> {
        self.service.start_logs()
    }

    /// The settings of a process that has these flags and no others.
    pub(super) fn settings(self) -> Settings {
        self.service.settings(self.kubeconfig)
    }
}

impl ServiceArguments {
    /// Starts logs.
    pub(super) fn start_logs(&self) -> Result<(), trace::TraceError> {
        let format = match self.log_format {
            LogFormat::Json => trace::Format::Json,
            LogFormat::Text => trace::Format::Text,
        };
        trace::start(&self.log_level, format)
    }

    /// The settings of a process that has these flags and no others; `kubeconfig` names the cluster, and without
    /// it the process runs in the one that it talks to.
    pub(super) fn settings(self, kubeconfig: Option<PathBuf>) -> Settings {
        Settings {
            kubeconfig,
            listen: self.listen,
            system_namespace: self.system_namespace,
            trust_domain: self.trust_domain,
            authority_lifetime: DEFAULT_AUTHORITY_LIFETIME,
            enrolment: None,
            workers: 1,
            cluster_cidrs: Vec::new(),
            dns_namespace: String::new(),
            dns_selector: BTreeMap::new(),
        }
    }
}

/// Runs some work to its end, by one thread.
pub(super) fn on_its_own<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

/// Runs `process` to its end.
pub(super) fn to_the_end<E>(process: impl Future<Output = Result<(), E>>) -> Result<ExitCode, Failure>
where
    Failure: From<E>,
{
    // Two threads: the work is waiting for the API server, and memory counts.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(process)?;
    Ok(ExitCode::SUCCESS)
}
