//! `cargo demo`: the main job, told while it happens, on a real Kubernetes API server.

mod ledger;
mod target;

use std::path::PathBuf;

pub use ledger::Ledger;

use crate::{Cluster, Result, comity};

/// What the demo can be told.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "demo",
    about = "A partner goes from sandbox to production and to the end, on a real API server"
)]
pub struct Options {
    /// Leave everything running when the story is over, until Ctrl-C, and print the KUBECONFIG.
    #[arg(long)]
    pub keep: bool,
    /// Use the cluster of this kubeconfig file's current context instead of starting one.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Let the cluster be one that doesn't look as if it was made for trying things.
    #[arg(long, requires = "kubeconfig")]
    pub i_know_what_this_is: bool,
}

/// Tells the story; whether every expectation held.
pub async fn run(options: &Options) -> Result<bool> {
    let mut ledger = Ledger::new();
    let cluster = ledger.step("a Kubernetes API server answers", target::choose(options)).await?;
    ledger.step("Comity is installed as a user installs it", comity::install(&cluster)).await?;
    print!("\n{ledger}");
    if options.keep {
        keep(&cluster).await;
    }
    Ok(ledger.all_held())
}

/// Holds everything until somebody presses Ctrl-C.
async fn keep(cluster: &Cluster) {
    println!("\nIt runs until you press Ctrl-C. In another terminal:\n");
    println!("  export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("  kubectl get partnergrants -A");
    let _ = tokio::signal::ctrl_c().await;
}
