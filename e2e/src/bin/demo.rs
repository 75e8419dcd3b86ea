//! `cargo demo`: see [`e2e::demo`].

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;
use e2e::demo::{Options, run};

/// How long what is under way on other threads may take to notice that it is over.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    // `cargo demo -- --keep`: the alias has said `--` already.
    let options = Options::parse_from(
        std::env::args_os()
            .enumerate()
            .filter_map(|(place, argument)| (place != 1 || argument != "--").then_some(argument)),
    );
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let ending = runtime.block_on(run(&options));
    // A build that Ctrl-C broke off isn't waited for: it is killed when this process ends.
    runtime.shutdown_timeout(GRACE);
    match ending {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
