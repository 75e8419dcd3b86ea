//! `comity dial`: what a probe pod runs while a grant is rehearsed.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;

use super::process::on_its_own;
use super::{Failure, moment};
use crate::app;
use crate::rehearsal::cases::dials::{MOST, Place, word};

/// Dial addresses, and tell which answer: what a probe pod runs while a grant is rehearsed
///
/// Each address is dialled by TCP, over and over, until it answers or the time is over. A connection is closed at once, and
/// nothing is sent. What begins with `dns:` is asked a question of the DNS by UDP instead, and anything is an answer.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  comity dial 10.0.0.7:8443
  comity dial --within 10s --tell result.txt 10.0.0.7:8443 [fd00::7]:443
  comity dial dns:10.96.0.10:53

Each address has a line: itself, `open` or why not, and after how many milliseconds. Whether any is open is nothing that the exit
code says.")]
pub(super) struct Arguments {
    /// What is dialled
    #[arg(value_name = "[dns:]ADDRESS:PORT", required = true, num_args = 1..=MOST)]
    places: Vec<Place>,

    /// For how long each is dialled
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = moment::span)]
    within: SignedDuration,

    /// Where what came of it is written as well, where that can be written: what Kubernetes shows of a container that has ended
    #[arg(long, value_name = "FILE", default_value = "/dev/termination-log")]
    tell: PathBuf,
}

impl Arguments {
    /// Dials, and tells.
    pub(super) fn dial(self) -> Result<ExitCode, Failure> {
        let within = self.within.unsigned_abs();
        let came = on_its_own(app::dial(&self.places, within))?;
        let mut lines = Vec::new();
        for (place, came) in came {
            writeln!(lines, "{}", word::line(place, came))?;
        }
        std::io::stdout().lock().write_all(&lines)?;
        // Outside of a pod there is nothing to write to.
        if self.tell.exists() {
            std::fs::write(&self.tell, &lines)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
