//! What Comity does and holds when nothing is asked of it.

use std::time::{Duration, Instant};

use e2e::{Cluster, Comity, Result, throughout};

/// How long nothing may be written.
const QUIET: Duration = Duration::from_secs(60);

/// How long a restarted Comity is watched.
const AFTER_RESTART: Duration = Duration::from_secs(10);

/// Resident memory of `comity run`, `comity sign` and `comity rehearse`, in KiB.
pub fn memory(comity: &Comity) -> Result<[u64; 3]> {
    Ok([comity.run().resident_kib()?, comity.sign().resident_kib()?, comity.rehearse().resident_kib()?])
}

/// How much was written in a minute in which nobody asked for anything.
pub async fn quiet(cluster: &Cluster, comity: &Comity) -> Result<usize> {
    let before = writes(cluster, comity)?;
    pass(QUIET).await?;
    Ok(writes(cluster, comity)? - before)
}

/// Kills every process: the seconds until all are ready again, and what they then write.
pub async fn restart(cluster: &Cluster, comity: &Comity) -> Result<(f64, usize)> {
    let before = writes(cluster, comity)?;
    comity.run().kill();
    comity.sign().kill();
    comity.rehearse().kill();
    let began = Instant::now();
    comity.start_all().await?;
    let seconds = began.elapsed().as_secs_f64();
    pass(AFTER_RESTART).await?;
    Ok((seconds, writes(cluster, comity)? - before))
}

/// All that Comity has written so far.
fn writes(cluster: &Cluster, comity: &Comity) -> Result<usize> {
    let daemons = [comity.run(), comity.sign(), comity.rehearse()];
    let written = |daemon: &e2e::comity::Daemon| Ok(cluster.audit_writes(&daemon.user())?.len());
    daemons.into_iter().map(written).sum()
}

/// Lets time pass: here it is what is measured.
async fn pass(time: Duration) -> Result<()> {
    throughout("time to pass", time, async || Ok::<_, String>(())).await
}
