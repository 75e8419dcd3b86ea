//! `comity sign`: holds the CA keys, and signs the certificates of workloads.

use std::process::ExitCode;

use clap::Args;

use super::Failure;
use super::process::{ProcessArguments, to_the_end};
use crate::app;

/// Hold the CA keys, sign the certificates of workloads, publish what they are verified against
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    process: ProcessArguments,
}

impl Arguments {
    /// Runs until it is told to stop.
    pub(super) fn sign(self) -> Result<ExitCode, Failure> {
        self.process.start_logs()?;
        to_the_end(app::sign(self.process.settings()))
    }
}
