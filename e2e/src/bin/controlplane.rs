//! Starts a control plane, prints what it takes to use it, and holds it until its standard
//! input ends or somebody presses Ctrl-C.

use e2e::{Cluster, Result, controlplane::Settings};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<()> {
    let cluster = Cluster::start(Settings::default()).await?;
    println!("KUBECONFIG={}", cluster.kubeconfig().display());
    if let Some(plane) = cluster.control_plane() {
        println!("processes: {:?}", plane.process_ids());
    }
    let (ended, end) = oneshot::channel();
    // A thread of its own: the runtime would wait for a read that never returns.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    tokio::select! {
        _ = end => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
