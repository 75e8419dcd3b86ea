//! `comity sign`: holds the CA keys, and signs the certificates of workloads.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;

use super::process::{ProcessArguments, to_the_end};
use super::value::{self, Endpoint};
use super::{Failure, moment};
use crate::app;
use crate::ops::{self, Settings};

/// Hold the CA keys, sign the certificates of workloads, publish what they are verified against
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// How long a CA lives; six times as long as what it signs, where that is more. The next one is published
    /// at half of it, signs from two thirds on, and both are believed until nothing lives that the old one signed
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = moment::span)]
    #[arg(env = "COMITY_CA_LIFETIME", hide_env_values = true)]
    ca_lifetime: SignedDuration,

    /// Where workloads on the partner's side enrol (HTTPS); without it, nowhere
    #[arg(long, value_name = "ADDR:PORT", value_parser = value::address, requires = "enrol_url")]
    #[arg(env = "COMITY_ENROL_LISTEN", hide_env_values = true)]
    enrol_listen: Option<SocketAddr>,

    /// Where they find it, as `https://HOST` or `https://HOST:PORT`; its certificate is for that host
    #[arg(long, value_name = "URL", value_parser = value::endpoint, requires = "enrol_listen")]
    #[arg(env = "COMITY_ENROL_URL", hide_env_values = true)]
    enrol_url: Option<Endpoint>,

    /// How many grants are looked at, and how many requests of pods are answered, at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    #[arg(env = "COMITY_WORKERS", hide_env_values = true)]
    workers: u16,

    #[command(flatten)]
    process: ProcessArguments,
}

impl Arguments {
    /// Runs until it is told to stop.
    pub(super) fn sign(self) -> Result<ExitCode, Failure> {
        self.process.start_logs()?;
        let (authority_lifetime, workers) = (self.ca_lifetime, self.workers);
        let enrolment = self.enrol_listen.zip(self.enrol_url).map(|(listen, found)| {
            ops::settings::Endpoint { listen, url: found.url, names: vec![found.host] }
        });
        to_the_end(app::sign(Settings { authority_lifetime, enrolment, workers, ..self.process.settings() }))
    }
}
