//! `comity diff`: what a change of a file narrows and widens, and who has to approve it. It needs
//! no cluster.

mod object;
mod report;
#[cfg(test)]
mod tests;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::Failure;
use super::person::Colours;
use crate::policy::lattice::Comparison;
use object::Object;
use report::Report;
pub(super) use report::people;

/// Say what a change narrows and widens, and who has to approve it, without a cluster
///
/// Exits with 0 if both allow the same, 3 if NEW is narrower, 4 if it is wider, 5 if it is both.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The file as it was: one SharingContract, SharingBoundary, Dataset or Partner; - is standard input
    old: PathBuf,

    /// The file as it is to be
    new: PathBuf,

    /// A boundary that selects the contract's namespace: its approvals count too; repeat it for each
    #[arg(long, value_name = "FILE")]
    boundary: Vec<PathBuf>,

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
}

impl Arguments {
    /// Compares the two files.
    pub(super) fn diff(self) -> Result<ExitCode, Failure> {
        let Self { old, new, boundary, output, colours } = self;
        if [&old, &new].into_iter().chain(&boundary).filter(|path| is_standard_input(path)).count() > 1 {
            return Err("standard input can be read once: give the other one as a file".into());
        }
        let boundaries: Vec<Object> = boundary.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        let report = Report::of(&read(&old)?, &read(&new)?, &boundaries)?;
        let mut out = std::io::stdout().lock();
        match output {
            Format::Text => out.write_all(report.text(colours.are_shown()).as_bytes())?,
            Format::Json => writeln!(out, "{}", report.json()?)?,
        }
        Ok(exit_code(report.comparison).into())
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

/// The object in a file. What is wrong is told with the file's name.
fn read(path: &Path) -> Result<Object, Failure> {
    let mut text = String::new();
    let (name, outcome) = if is_standard_input(path) {
        ("standard input".to_owned(), std::io::stdin().read_to_string(&mut text).map(drop))
    } else {
        (path.display().to_string(), std::fs::read_to_string(path).map(|read| text = read))
    };
    outcome.map_err(|error| format!("{name} can't be read: {error}"))?;
    Object::parse(&text).map_err(|error| format!("{name}: {error}").into())
}
