//! `comity rehearse`: with a grant, somebody asks for another rehearsal of it; without one, this is the process
//! that rehearses.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::wish::Wish;
use super::{Common, Failure};
use crate::api::decision::DecisionAction;
use crate::app;
use crate::cli::person::{MISUSED, Stop};
use crate::cli::process::{ServiceArguments, to_the_end};
use crate::cli::run::ClusterArguments;
use crate::ops::Settings;

/// Ask for another rehearsal of a grant; without one, be the process that rehearses
///
/// With a GRANT, what is asked for now is tried again in its stage Rehearsal, which has to be open. Each opening of
/// that stage is rehearsed unasked. Waits until every case is through, says meanwhile how far it is to who may read the
/// grant's Events, and then shows the report of just this rehearsal: as comity report does, but with what failed at the
/// end. Exits with 9 if production doesn't open by it.
///
/// Without a GRANT, this is the process that tries what grants allow and writes reports of what it saw, until it is
/// told to stop. It runs beside comity run and comity sign, as an account of its own.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity rehearse northpay-fraud -n risk-data --reason 'The keys of the partner are back'
  comity rehearse --listen 0.0.0.0:8080 --system-namespace comity-system")]
pub(in crate::cli) struct RehearseArguments {
    /// The grant; without it, this is the process that rehearses
    grant: Option<String>,

    /// Only this revision: with another one, nothing is written
    #[arg(long, value_name = "DIGEST", requires = "grant")]
    digest: Option<String>,

    #[command(flatten)]
    common: Common,

    #[command(flatten, next_help_heading = "Process, without a GRANT")]
    process: Process,
}

/// What the process is told.
#[derive(Args, Clone, Debug)]
struct Process {
    #[command(flatten)]
    service: ServiceArguments,

    /// How many grants are rehearsed at once, beside those whose probe is waited for
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    #[arg(env = "COMITY_WORKERS", hide_env_values = true)]
    workers: u16,

    #[command(flatten)]
    cluster: ClusterArguments,

    /// The cluster to talk to where nobody names one with --kubeconfig; people's own is found otherwise
    #[arg(long, value_name = "FILE", env = "KUBECONFIG", hide = true)]
    own_kubeconfig: Option<PathBuf>,
}

impl RehearseArguments {
    /// Asks, or rehearses until it is told to stop.
    pub(in crate::cli) fn rehearse(self) -> Result<ExitCode, Failure> {
        self.is_the_process()?;
        let Self { grant, digest, common, process } = self;
        match grant {
            Some(grant) => {
                let action = DecisionAction::Rehearse;
                let wish = Wish { action, stage: None, end: None, group: None, digest, enrolment: None };
                common.decide(grant, wish)
            }
            None => process.run(common.person.kubeconfig()),
        }
    }

    /// Whether this is the process. Who forgets the name of a grant doesn't start one unawares.
    fn is_the_process(&self) -> Result<bool, Stop> {
        let Common { reason, yes, no_wait, person, .. } = &self.common;
        let asks = reason.is_some() || *yes || *no_wait || person.names_a_place();
        if self.grant.is_none() && asks {
            let message =
                "say which grant is to be rehearsed again: without one, this is the process that rehearses";
            return Err(Stop::new(MISUSED, message));
        }
        Ok(self.grant.is_none())
    }
}

impl Process {
    /// Runs until it is told to stop.
    fn run(self, named: Option<PathBuf>) -> Result<ExitCode, Failure> {
        self.service.start_logs()?;
        to_the_end(app::rehearse(self.settings(named)))
    }

    fn settings(self, named: Option<PathBuf>) -> Settings {
        let settings = self.service.settings(named.or(self.own_kubeconfig));
        Settings { workers: self.workers, ..self.cluster.told(settings) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: RehearseArguments,
    }

    fn line(words: &[&str]) -> Result<RehearseArguments, clap::Error> {
        Line::try_parse_from(["rehearse"].iter().chain(words)).map(|line| line.arguments)
    }

    #[test]
    fn with_a_grant_somebody_asks_and_without_one_it_is_the_process() {
        for (words, is_the_process) in [
            (&["northpay-fraud"][..], false),
            (&["northpay-fraud", "-n", "risk-data", "--reason", "why", "--yes"], false),
            (&[], true),
            (&["--kubeconfig", "x", "--listen", "127.0.0.1:9", "--workers", "3"], true),
        ] {
            let arguments = line(words).expect("it can be understood");
            assert_eq!(arguments.is_the_process().expect("it is clear"), is_the_process, "{words:?}");
        }
    }

    #[test]
    fn the_process_is_told_of_the_cluster_as_comity_run_is() {
        let words = ["--cluster-cidr=10.0.0.0/8,fd00::/8", "--dns-namespace=dns", "--dns-selector=app=dns"];
        let settings = |words: &[&str]| line(words).expect("it can be understood").process.settings(None);
        let told = settings(&words);
        assert_eq!((told.cluster_cidrs.len(), told.dns_namespace.as_str()), (2, "dns"));
        assert_eq!(told.dns_selector.get("app").map(String::as_str), Some("dns"));
        let usual = settings(&[]);
        assert_eq!((usual.cluster_cidrs.len(), usual.dns_namespace.as_str()), (0, "kube-system"));
        assert_eq!(usual.dns_selector.get("k8s-app").map(String::as_str), Some("kube-dns"));
    }

    #[test]
    fn who_forgets_the_grant_starts_no_process() {
        for words in [&["-n", "risk-data"][..], &["--reason", "why"], &["--no-wait"], &["--context", "x"]] {
            let stop =
                line(words).expect("it can be understood").is_the_process().expect_err("it isn't clear");
            assert_eq!(stop.code(), MISUSED, "{words:?}");
        }
        assert!(line(&["--digest", "v1:sha256:00"]).is_err());
    }
}
