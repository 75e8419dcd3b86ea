//! `comity crd`: prints the definitions of its kinds.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::Failure;
use crate::generate::crd;

/// Print the CustomResourceDefinitions, ready for `kubectl apply --server-side -f -`
#[derive(Args, Debug)]
pub(super) struct Arguments {}

impl Arguments {
    /// Prints them.
    #[allow(clippy::unused_self, reason = "every command is run the same way")]
    pub(super) fn print(self) -> Result<ExitCode, Failure> {
        let mut out = std::io::stdout().lock();
        for file in crd::files()? {
            writeln!(out, "---\n{}", file.contents.trim_end())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
