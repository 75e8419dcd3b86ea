//! `comity sign`: holds the CA keys, and signs the certificates of workloads.

use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;

use super::process::{ProcessArguments, to_the_end};
use super::{Failure, moment};
use crate::app;
use crate::ops::Settings;

/// Hold the CA keys, sign the certificates of workloads, publish what they are verified against
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// How long a CA lives; six times as long as what it signs, where that is more. The next one is published
    /// at half of it, signs from two thirds on, and both are believed until nothing lives that the old one signed
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = moment::span)]
    #[arg(env = "COMITY_CA_LIFETIME", hide_env_values = true)]
    ca_lifetime: SignedDuration,

    #[command(flatten)]
    process: ProcessArguments,
}

impl Arguments {
    /// Runs until it is told to stop.
    pub(super) fn sign(self) -> Result<ExitCode, Failure> {
        self.process.start_logs()?;
        let authority_lifetime = self.ca_lifetime;
        to_the_end(app::sign(Settings { authority_lifetime, ..self.process.settings() }))
    }
}
