//! A run that is killed: what it started is gone at once, and the next one takes the rest away.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use e2e::{
    Error, Explain as _, Result, eventually,
    node::{
        ground::{Ground, groups, processes},
        inside::namespace_of,
        kernel,
        tier::HOLD,
    },
};

/// How long what was killed may take to be gone.
const SOON: Duration = Duration::from_secs(30);

/// Kills one that holds a node with a running pod, by a signal that can't be caught.
pub async fn leaves_nothing() -> Result<()> {
    let before = kernel::settings();
    // It dies with this process, too: nobody waits for one that holds.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(env::current_exe()?).arg(HOLD);
    let mut holder = Holder(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
    let output = BufReader::new(holder.0.stdout.take().expect("a pipe"));
    let mut held = output.lines().map_while(std::result::Result::ok);
    let namespace = held.find_map(|line| Some(PathBuf::from(line.strip_prefix("holding ")?)));
    let namespace = namespace.ok_or_else(|| Error::Failed("the node wasn't held".to_owned()))?;
    let running = names(&namespace);
    for wanted in ["etcd", "kube-apiserver", "kubelet", "containerd", "containerd-shim", "npagent"] {
        if !running.iter().any(|name| wanted.starts_with(name)) {
            return Err(Error::Failed(format!("no {wanted} among {running:?}")));
        }
    }
    // The containers' processes are in namespaces of their own, and in the cgroup like all others.
    let all = processes();
    if all.len() <= running.len() {
        return Err(Error::Failed(format!("no container runs: {running:?}")));
    }
    unchanged(&before)?;
    drop(holder);
    eventually("everything that it started to be gone", SOON, async || {
        let left: Vec<i32> = all.iter().copied().filter(|id| is_there(*id)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await?;
    the_next_takes_the_rest_away().await?;
    unchanged(&before)
}

/// Of what was killed there are cgroups left. They go when the next one begins.
async fn the_next_takes_the_rest_away() -> Result<()> {
    let left = groups();
    if left.is_empty() || !left.iter().any(|group| group.join("kubepods").is_dir()) {
        return Err(Error::Failed(format!("there is nothing for the next one to take away: {left:?}")));
    }
    let next = Ground::prepare().await?;
    if groups().iter().any(|group| group.join("kubepods").exists()) {
        return Err(Error::Failed("the next one left cgroups where they were".to_owned()));
    }
    next.clear().await.explain("clear up")?;
    if !groups().is_empty() {
        return Err(Error::Failed(format!("left when all is over: {:?}", groups())));
    }
    Ok(())
}

/// A kubelet that runs has set what it wants, elsewhere.
fn unchanged(before: &BTreeMap<&'static str, String>) -> Result<()> {
    let now = kernel::settings();
    if *before == now { Ok(()) } else { Err(Error::Failed(format!("{before:?} became {now:?}"))) }
}

/// One that holds a node; killed when it is dropped.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a process is still there. One that only waits to be taken in by its parent isn't.
fn is_there(id: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

/// The names of the processes in a namespace of processes.
fn names(namespace: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    ids.filter(|id| namespace_of(*id).as_deref() == Some(namespace))
        .filter_map(|id| fs::read_to_string(format!("/proc/{id}/comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}
