//! `comity init`: a dataset, a contract and a grant to begin with, from a few answers: files that validate, with
//! comments that say what each part is for. It needs no cluster.

mod answer;
mod template;
#[cfg(test)]
mod tests;

use std::io::{BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use self::answer::{Answers, Given};
use super::Failure;
use super::files::read::Source;
use super::person::{FAILED, MISUSED, Stop};
use super::validate::{Examination, Look, Severity, errors};
use crate::cluster::clock::Clock;

/// Write a dataset, a contract and a grant to begin with, from a few answers
///
/// What isn't given as a flag is asked for at a terminal; without one, the answer in brackets is taken, and what
/// has none has to be given. The files say what each part is for, and are looked at by `comity validate` before
/// they are written. A file that is there isn't overwritten.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity init --folder sharing
  comity init --namespace risk-data --partner northpay --dataset transactions --purpose fraud-detection \\
    --fields amount_band,merchant_category --folder sharing")]
pub(super) struct Arguments {
    #[command(flatten)]
    given: Given,

    /// The folder that the files are written to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

impl Arguments {
    /// Asks, and writes.
    pub(super) fn init(self) -> Result<ExitCode, Failure> {
        let now = Clock::default().now();
        let asks = std::io::stdin().is_terminal();
        let (from, to) = (std::io::stdin(), std::io::stderr());
        let answers = Answers::of(self.given, asks, now, &mut BufReader::new(from), &mut { to })?;
        let files = template::files(&answers);
        sound(&files, now)?;
        write(&self.folder, &files)?;
        let mut out = std::io::stdout().lock();
        for (name, _) in &files {
            writeln!(out, "{}", self.folder.join(name).display())?;
        }
        writeln!(out, "{}", next(&self.folder, &answers))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses files that don't validate: nobody should have to mend what they didn't write.
fn sound(files: &[(&'static str, String)], now: Timestamp) -> Result<(), Stop> {
    let source = |(name, text): &(&'static str, String)| Source {
        name: (*name).to_owned(),
        path: None,
        is_named: true,
        text: text.clone(),
    };
    let sources: Vec<Source> = files.iter().map(source).collect();
    let found = Examination::of(&sources, Look { namespace: "default", now, strict: false });
    if found.count(Severity::Error) == 0 {
        return Ok(());
    }
    let told = errors(&found).join("; ");
    Err(Stop::new(MISUSED, format!("with these answers the files wouldn't be taken: {told}")))
}

fn write(folder: &Path, files: &[(&'static str, String)]) -> Result<(), Stop> {
    let there: Vec<&str> =
        files.iter().map(|(name, _)| *name).filter(|name| folder.join(name).exists()).collect();
    if !there.is_empty() {
        let told =
            format!("{} is there already in {}: name another folder", there.join(", "), folder.display());
        return Err(Stop::new(FAILED, told));
    }
    let cannot = |error: std::io::Error| {
        Stop::new(MISUSED, format!("{} can't be written to: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(cannot)?;
    files.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text).map_err(cannot))
}

/// What to do next.
fn next(folder: &Path, answers: &Answers) -> String {
    let folder = folder.display();
    format!(
        "Look through them, put the dataset's digest in, and make the Services that it names. Then:\n  \
         comity validate {folder}\n  comity plan {folder}   (with the platform's boundary and the Partner {})",
        answers.partner
    )
}
