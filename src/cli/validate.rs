//! `comity validate`: what the API server and Comity would say of files, said before anybody applies
//! them. It needs no cluster.

mod definition;
mod examine;
mod finding;
mod judge;
mod metadata;
mod report;
mod rule;
mod schema;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

pub(super) use self::definition::definition;
pub(super) use self::examine::{Examination, Look};
pub(super) use self::report::about;
use super::Failure;
use super::files::FileArguments;
pub(super) use super::files::finding::Severity;
use super::page::plain_json;
use super::person::Colours;
use crate::cluster::clock::Clock;

/// What is answered where something is wrong.
const FOUND: u8 = 1;

/// Say what is wrong with files, without a cluster: shape, rules, and what they come to together
///
/// Each object is held to the definition of its kind and to its rules (CEL), as the API server does it; then
/// all of them to each other by the checks that Comity itself makes, in its words. What refers to something
/// that isn't among the files can't be judged, which is told as a note.
///
/// Exits with 0 if nothing is wrong, 1 if something is, 2 if a file can't be read.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity validate sharing/
  kustomize build overlays/production | comity validate --strict -
  comity validate -R . -o sarif > comity.sarif
  comity validate -o github --at 2027-01-01T00:00:00Z sharing/")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: FileArguments,

    /// Take the files for all that there is: what isn't among them isn't there
    #[arg(long)]
    strict: bool,

    /// The moment at which it is judged what has run out; without it, now
    #[arg(long, value_name = "TIME", value_parser = super::moment::absolute)]
    at: Option<Timestamp>,

    /// How it is told
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    colours: Colours,
}

/// How it is told.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A line for each finding, for people and editors
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of a pull request, for GitHub Actions
    Github,
}

impl Arguments {
    /// Looks at the files.
    pub(super) fn validate(self) -> Result<ExitCode, Failure> {
        let Self { files, strict, at, output, colours } = self;
        let now = at.unwrap_or_else(|| Clock::default().now());
        let sources = files.read()?;
        let examination = Examination::of(&sources, Look { namespace: &files.namespace, now, strict });
        let text = match output {
            Format::Text => report::page(&examination).text(colours.are_shown()),
            Format::Json => plain_json(&serde_json::to_string_pretty(&report::json(&examination))?) + "\n",
            Format::Sarif => plain_json(&serde_json::to_string_pretty(&report::sarif(&examination))?) + "\n",
            Format::Github => report::github(&examination),
        };
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(exit_code(&examination).into())
    }
}

/// What keeps objects from standing.
pub(super) fn errors(examination: &Examination) -> Vec<String> {
    let errors = examination.findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| format!("{}:{}: {}", finding.file, finding.line, finding.message)).collect()
}

/// What is answered: what can't be judged isn't wrong.
fn exit_code(examination: &Examination) -> u8 {
    let wrong = examination.count(Severity::Error) + examination.count(Severity::Warning);
    if wrong == 0 { 0 } else { FOUND }
}
