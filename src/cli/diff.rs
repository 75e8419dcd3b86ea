//! `comity diff`: what a change of a file narrows and widens, and who has to approve it. It needs
//! no cluster.

mod grant;
mod object;
mod report;
mod side;
#[cfg(test)]
mod tests;
mod whole;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::Failure;
use super::files::annotate;
use super::page::plain_json;
use super::person::Colours;
use crate::api::SharingBoundary;
use crate::policy::lattice::Comparison;
pub(super) use report::people;
use side::{Reading, Side};
use whole::{Whole, about};

/// Say what a change narrows and widens, and who has to approve it, without a cluster
///
/// OLD and NEW are files, folders, or - for standard input. Where each holds one object, these two are compared,
/// whatever they are called; otherwise each object with the one of its kind, namespace and name. What isn't
/// Comity's is left out, but for the Services that serve datasets.
///
/// Exits with 0 if both allow the same, 3 if NEW is narrower, 4 if it is wider, 5 if it is both.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  git show HEAD:contract.yaml | comity diff - contract.yaml --boundary boundary.yaml
  kustomize build overlays/production | comity diff before.yaml -
  comity diff -R ../main/sharing sharing -o github")]
pub(super) struct Arguments {
    /// The file or folder as it was; - is standard input
    old: PathBuf,

    /// The file or folder as it is to be
    new: PathBuf,

    /// A boundary that selects the contract's namespace: its approvals count too; repeat it for each
    #[arg(long, value_name = "FILE")]
    boundary: Vec<PathBuf>,

    /// Look into the folders in a folder too
    #[arg(short = 'R', long)]
    recursive: bool,

    /// The namespace of objects that name none
    #[arg(short, long, value_name = "NAME", default_value = "default", value_parser = super::value::name)]
    namespace: String,

    /// How it is told
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    colours: Colours,
}

/// How a report is told.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Sentences for people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of a pull request, for GitHub Actions
    Github,
}

impl Arguments {
    /// Compares the two.
    pub(super) fn diff(self) -> Result<ExitCode, Failure> {
        let Self { old, new, boundary, recursive, namespace, output, colours } = self;
        if [&old, &new].into_iter().chain(&boundary).filter(|path| is_standard_input(path)).count() > 1 {
            return Err("standard input can be read once: give the other one as a file".into());
        }
        let reading = Reading { recursive, namespace: &namespace };
        let named: Vec<Side> =
            boundary.iter().map(|path| Side::read(path, reading)).collect::<Result<_, _>>()?;
        let boundaries = boundaries(&named)?;
        let (old, new) = (Side::read(&old, reading)?, Side::read(&new, reading)?);
        let whole = Whole::of(&old, &new, &boundaries)?;
        let text = match output {
            Format::Text => whole.page().text(colours.are_shown()),
            Format::Json => plain_json(&serde_json::to_string_pretty(&whole.json())?) + "\n",
            Format::Sarif => {
                let sarif = annotate::sarif("comity diff", &whole.findings(), about);
                plain_json(&serde_json::to_string_pretty(&sarif)?) + "\n"
            }
            Format::Github => annotate::github(&whole.findings()),
        };
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(exit_code(whole.comparison).into())
    }
}

/// What is answered for each outcome.
const fn exit_code(comparison: Comparison) -> u8 {
    match comparison {
        Comparison::Equal => 0,
        Comparison::Narrower => 3,
        Comparison::Wider => 4,
        Comparison::Both => 5,
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The boundaries that some files hold, of which each has to hold one.
fn boundaries(sides: &[Side]) -> Result<Vec<&SharingBoundary>, String> {
    let mut boundaries = Vec::new();
    for side in sides {
        let before = boundaries.len();
        boundaries.extend(side.entries.iter().filter_map(|entry| entry.object.boundary()));
        if boundaries.len() == before {
            return Err("--boundary names a file that holds no SharingBoundary".to_owned());
        }
    }
    Ok(boundaries)
}
