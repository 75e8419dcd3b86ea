//! `comity plan`: every object that Comity would make of files, stage by stage, and what would hold each
//! clause of their contracts. It needs no cluster.

mod stage;
mod tell;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::stage::Plan;
use super::Failure;
use super::files::FileArguments;
use super::format::Format;
use super::moment::Watch;
use super::person::{Colours, Stop};
use super::run::ClusterArguments;
use super::validate::{Examination, Look, Severity, errors};
use crate::api::name;
use crate::cluster::clock::Clock;

/// What is answered where a grant can't be planned.
const FOUND: u8 = 1;

/// Say what Comity would make of files, without a cluster: every object of every stage, and what holds each clause
///
/// It is worked out by the code that Comity itself decides and builds by. Names that depend on what the API
/// server gives an object when it is stored end with xxxxxxxx.
///
/// Exits with 0 if every grant in the files can be planned, 1 if one can't, 2 if a file can't be read.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity plan sharing/
  kustomize build overlays/production | comity plan -
  comity plan sharing/ -o yaml --cluster-cidr 10.0.0.0/8")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: FileArguments,

    /// The moment from which it is planned; without it, now
    #[arg(long, value_name = "TIME", value_parser = super::moment::absolute)]
    at: Option<Timestamp>,

    /// How it is told
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    /// The namespace that Comity is installed in
    #[arg(long, value_name = "NAME", default_value = name::DEFAULT_SYSTEM_NAMESPACE, value_parser = super::value::name)]
    system_namespace: String,

    #[command(flatten)]
    cluster: ClusterArguments,

    #[command(flatten)]
    colours: Colours,
}

impl Arguments {
    /// Tells the plan.
    pub(super) fn plan(self) -> Result<ExitCode, Failure> {
        let Self { files, at, output, system_namespace, cluster, colours } = self;
        let now = at.unwrap_or_else(|| Clock::default().now());
        let sources = files.read()?;
        let examination = Examination::of(&sources, Look { namespace: &files.namespace, now, strict: true });
        let plan = Plan::of(&examination.world, &cluster.installation(&system_namespace), now);
        output.tell(&plan, || {
            let watch = Watch { now, zone: TimeZone::system() };
            tell::page(&plan, &watch).text(colours.are_shown())
        })?;
        if plan.grants.is_empty() && examination.count(Severity::Error) == 0 {
            return Err(
                Stop::new(FOUND, "there is no PartnerGrant in the files, so nothing would be made").into()
            );
        }
        let errors = errors(&examination);
        if errors.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        Err(Stop::new(FOUND, format!("not all of it can be planned: {}", errors.join("; "))).into())
    }
}
