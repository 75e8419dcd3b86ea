//! `comity plan`: every object that Comity would make of files, stage by stage, and what would hold each
//! clause of their contracts. It needs no cluster.

mod annotated;
mod stage;
mod tell;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::stage::Plan;
use super::Failure;
use super::files::{FileArguments, annotate};
use super::format;
use super::moment::Watch;
use super::page::plain_json;
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
  comity plan sharing/ -o yaml --cluster-cidr 10.0.0.0/8
  comity plan -R . -o sarif > comity.sarif")]
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

/// How it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// Text for people
    Text,
    /// One JSON object
    Json,
    /// One YAML document
    Yaml,
    /// SARIF 2.1.0, for code scanning: each stage as a note, and what can't be planned as an error
    Sarif,
    /// Annotations of a pull request, for GitHub Actions: the same
    Github,
}

impl Format {
    /// The same among those that every answer has; `None` for those that speak of lines.
    const fn whole(self) -> Option<format::Format> {
        match self {
            Self::Text => Some(format::Format::Text),
            Self::Json => Some(format::Format::Json),
            Self::Yaml => Some(format::Format::Yaml),
            Self::Sarif | Self::Github => None,
        }
    }
}

impl Arguments {
    /// Tells the plan.
    pub(super) fn plan(self) -> Result<ExitCode, Failure> {
        let Self { files, at, output, system_namespace, cluster, colours } = self;
        let now = at.unwrap_or_else(|| Clock::default().now());
        let sources = files.read()?;
        let examination = Examination::of(&sources, Look { namespace: &files.namespace, now, strict: true });
        let plan = Plan::of(&examination.world, &cluster.installation(&system_namespace), now);
        if let Some(format) = output.whole() {
            format.tell(&plan, || {
                let watch = Watch { now, zone: TimeZone::system() };
                tell::page(&plan, &watch).text(colours.are_shown())
            })?;
        } else {
            let findings = annotated::findings(&plan, &examination, &sources);
            let text = if output == Format::Sarif {
                let sarif = annotate::sarif("comity plan", &findings, annotated::about);
                plain_json(&serde_json::to_string_pretty(&sarif)?) + "\n"
            } else {
                annotate::github(&findings)
            };
            std::io::stdout().lock().write_all(text.as_bytes())?;
        }
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
