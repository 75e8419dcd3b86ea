//! `cargo demo`: see [`e2e::demo`].

use std::process::ExitCode;

use clap::Parser as _;
use e2e::demo::{Options, run};

/// As a shell says it of what ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = tokio::select! {
        outcome = run(&options) => outcome,
        // What was started is stopped on the way out, in order.
        _ = tokio::signal::ctrl_c(), if !options.keep => return ExitCode::from(INTERRUPTED),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
