//! What every command has that a person gives against a cluster: which cluster, as whom, how it is
//! shown, and how failures end.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;

use super::Failure;
use super::grant::{clusterroles_to_read, near};
use super::moment::Watch;
use crate::api::PartnerGrant;
use crate::cluster::caller::{Access, CallError, Caller};
use crate::cluster::reading::Reading;

/// There was nothing to do: what was asked for is so already.
pub(super) const UNCHANGED: u8 = 0;
/// It failed, as anything may.
pub(super) const FAILED: u8 = 1;
/// The command line asks for something that can't be.
pub(super) const MISUSED: u8 = 2;
/// Comity, or the API server on its behalf, says no.
pub(super) const REFUSED: u8 = 6;
/// It was written down, and hadn't taken effect when the time was up.
pub(super) const TIMED_OUT: u8 = 7;
/// Who was asked didn't confirm, so nothing was written.
pub(super) const NOT_CONFIRMED: u8 = 8;

/// A rehearsal came out so that production doesn't open by it.
pub(super) const UNREHEARSED: u8 = 9;

/// Which cluster, as whom, and how it is shown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cluster")]
pub(super) struct Person {
    /// The kubeconfig file; without it, KUBECONFIG, then ~/.kube/config, then the account of the pod that
    /// this runs in
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The context in the kubeconfig; without it, the current one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// The grant's namespace; without it, the context's
    #[arg(short, long, value_name = "NAME", value_parser = super::value::name)]
    namespace: Option<String>,

    #[command(flatten)]
    colours: Colours,
}

/// Whether there are colours.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Colours {
    /// No colours; there are none either where output isn't a terminal, or where `NO_COLOR` is set
    #[arg(long, env = "NO_COLOR", hide_env = true, value_name = "ANYTHING")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "1", hide_possible_values = true)]
    no_color: Option<String>,
}

impl Colours {
    /// Whether standard output is shown in colours.
    pub(super) fn are_shown(&self) -> bool {
        let refused = self.no_color.as_ref().is_some_and(|value| !value.is_empty());
        !refused && std::io::stdout().is_terminal()
    }
}

impl Person {
    /// Connects to the cluster.
    pub(super) async fn connect(&self) -> Result<Caller, Failure> {
        let Self { kubeconfig, context, namespace, .. } = self.clone();
        Ok(Caller::connect(Access { kubeconfig, context, namespace }).await?)
    }

    /// The kubeconfig file that was named, if one was.
    pub(super) fn kubeconfig(&self) -> Option<PathBuf> {
        self.kubeconfig.clone()
    }

    /// Whether somebody said where in a cluster to look.
    pub(super) fn names_a_place(&self) -> bool {
        self.context.is_some() || self.namespace.is_some()
    }

    /// Whether standard output is shown in colours.
    pub(super) fn is_coloured(&self) -> bool {
        self.colours.are_shown()
    }
}

/// By what moments are told here and now.
pub(super) fn watch(now: jiff::Timestamp) -> Watch {
    Watch { now, zone: TimeZone::system() }
}

/// An end with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Stop {
    code: u8,
    message: String,
}

impl Stop {
    /// An end with this code, for this reason.
    pub(super) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Its code.
    pub(super) const fn code(&self) -> u8 {
        self.code
    }
}

/// The exit code of a failure.
pub(super) fn code(failure: &Failure) -> ExitCode {
    failure.downcast_ref::<Stop>().map_or(FAILED, |stop| stop.code).into()
}

/// Runs what a person asked for.
pub(super) fn to_its_end(work: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a grant and what it depends on; where that fails, says what to do.
pub(super) async fn read(caller: &Caller, name: &str) -> Result<Reading, Failure> {
    let error = match Box::pin(Reading::of(caller, name)).await {
        Ok(reading) => return Ok(reading),
        Err(error) => error,
    };
    Err(match error {
        CallError::Absent { .. } => absent(caller, name).await.into(),
        CallError::Forbidden { message, .. } => {
            let role = clusterroles_to_read(&["partnergrants"]);
            Stop::new(REFUSED, format!("{message}; {role}")).into()
        }
        error => error.into(),
    })
}

/// There is no such grant: which one may have been meant?
async fn absent(caller: &Caller, name: &str) -> Stop {
    use kube::ResourceExt as _;
    let grants: Vec<PartnerGrant> = caller.list().await.unwrap_or_default();
    let names: Vec<String> = grants.iter().map(PartnerGrant::name_any).collect();
    let namespace = &caller.namespace;
    let remedy = match near(name, &names).as_slice() {
        [] if names.is_empty() => {
            format!("there are none in namespace {namespace}: name another one with -n")
        }
        [] => format!("there are others in namespace {namespace}: kubectl get partnergrants -n {namespace}"),
        meant => format!("did you mean {}?", meant.join(", ")),
    };
    Stop::new(FAILED, format!("there is no grant {name} in namespace {namespace}; {remedy}"))
}
