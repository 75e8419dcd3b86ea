//! What a node leaves on the machine: cgroups, and empty directories to mount over. It is made
//! before, taken away after, and where a run was interrupted, by the next one.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{binaries, program::script};
use crate::{Error, Explain as _, Result, eventually};

/// The cgroup that everything of a node is in, in every hierarchy.
pub(super) const GROUP: &str = "comity-e2e";
/// Where hierarchies of cgroups are.
const HIERARCHIES: &str = "/sys/fs/cgroup";
/// Directories that a kubelet and containerd write to whatever they are told. Inside, something
/// empty is mounted over each.
pub(super) const COVERED: [&str; 6] =
    ["/run", "/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/var/log/pods", "/opt/containerd"];
/// How long another node may run on this machine while one waits for it: some play what takes most of an hour.
const TURN_WITHIN: Duration = Duration::from_secs(90 * 60);
/// How long processes that were killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// The machine, prepared for one node. There is one at a time.
#[derive(Debug)]
pub struct Ground {
    state: PathBuf,
    _lock: File,
}

impl Ground {
    /// Waits for its turn, takes away what an interrupted run left, and prepares the machine.
    pub async fn prepare() -> Result<Self> {
        let home = binaries::home()?;
        let path = home.join("lock");
        let lock = File::create(&path).explain(format!("make {}", path.display()))?;
        if lock.try_lock().is_err() {
            eprintln!("another node runs on this machine: waiting for it to end");
            let turn = async || lock.try_lock().map_err(|error| error.to_string());
            eventually("another node to end", TURN_WITHIN, turn).await?;
        }
        let ground = Self { state: home.join("state"), _lock: lock };
        ground.clear().await?;
        ground.make()?;
        Ok(ground)
    }

    /// Takes away everything that was made. What is still running there is killed.
    pub async fn clear(&self) -> Result<()> {
        for group in groups() {
            kill_all(&group).await?;
            remove(&group).explain(format!("remove {}", group.display()))?;
        }
        let made = fs::read_to_string(&self.state).unwrap_or_default();
        for directory in made.lines().rev() {
            // Where somebody else uses it by now, it isn't empty and stays.
            let _ = fs::remove_dir(directory);
        }
        match fs::remove_file(&self.state) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Where a process writes `0` to be in the node's cgroup.
    pub fn entrance() -> Result<PathBuf> {
        let group = groups().into_iter().find(|group| group.join("daemons").is_dir());
        let group = group.ok_or_else(|| Error::Failed("there are no cgroups".to_owned()))?;
        Ok(group.join("daemons").join("cgroup.procs"))
    }

    fn make(&self) -> Result<()> {
        let mut missing = Vec::new();
        for directory in COVERED {
            let above = Path::new(directory).ancestors().filter(|path| !path.exists());
            let mut chain: Vec<String> = above.map(|path| path.display().to_string()).collect();
            chain.reverse();
            missing.extend(chain);
        }
        fs::write(&self.state, missing.join("\n")).explain("note what is made")?;
        for directory in missing {
            fs::create_dir_all(&directory).explain(format!("make {directory}"))?;
        }
        make_groups()
    }
}

/// What is left of a node on this machine: its cgroups.
pub fn groups() -> Vec<PathBuf> {
    hierarchies().into_iter().map(|hierarchy| hierarchy.join(GROUP)).filter(|group| group.is_dir()).collect()
}

/// The one hierarchy of version 2, or each of version 1.
fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from(HIERARCHIES);
    if root.join("cgroup.controllers").is_file() {
        return vec![root];
    }
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries
        // `cpu` is often a link to `cpu,cpuacct`.
        .filter(|path| !path.is_symlink() && path.join("cgroup.procs").is_file())
        .collect();
    found.sort();
    found
}

fn make_groups() -> Result<()> {
    let all = hierarchies();
    for hierarchy in &all {
        let group = hierarchy.join(GROUP);
        fs::create_dir_all(&group).explain(format!("make {}", group.display()))?;
        // Of version 1: empty in a new group, and then nothing may enter it.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = fs::read(hierarchy.join(file)) {
                fs::write(group.join(file), value).explain(format!("copy {file}"))?;
            }
        }
        // Of version 2: what isn't handed down from above, the probe misses.
        for above in [hierarchy, &group] {
            for controller in ["+cpu", "+cpuset", "+memory", "+pids"] {
                let _ = fs::write(above.join("cgroup.subtree_control"), controller);
            }
        }
    }
    // Processes are killed by it, so any hierarchy does; version 2 wants them in a leaf.
    let home = all.iter().find(|hierarchy| hierarchy.ends_with("pids")).or(all.first());
    let home = home.ok_or_else(|| Error::Failed(format!("there are no cgroups in {HIERARCHIES}")))?;
    fs::create_dir_all(home.join(GROUP).join("daemons")).explain("make a cgroup")
}

/// Every group below this one, the deepest first, and this one.
fn below(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> = entries.filter(|path| path.is_dir()).flat_map(|path| below(&path)).collect();
    all.push(group.to_owned());
    all
}

/// Every process of the node that runs on this machine.
pub fn processes() -> Vec<i32> {
    groups().iter().flat_map(|group| processes_in(group)).collect()
}

/// The processes in a group and below it.
fn processes_in(group: &Path) -> Vec<i32> {
    let read = |group: PathBuf| fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    below(group).into_iter().map(read).flat_map(|text| numbers(&text)).collect()
}

fn numbers(text: &str) -> Vec<i32> {
    text.lines().filter_map(|line| line.trim().parse().ok()).collect()
}

async fn kill_all(group: &Path) -> Result<()> {
    let what = format!("what runs in {} to be gone", group.display());
    eventually(&what, GONE_WITHIN, async || {
        let left = processes_in(group);
        for id in left.iter().copied().filter_map(Pid::from_raw) {
            let _ = kill_process(id, Signal::KILL);
        }
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?} run on")) }
    })
    .await
}

fn remove(group: &Path) -> Result<()> {
    for group in below(group) {
        fs::remove_dir(&group)?;
    }
    Ok(())
}

/// Mounts something empty over each of [`COVERED`]. Only in a namespace of mounts.
pub(super) fn cover() -> Result<()> {
    let mounts = COVERED.map(|directory| format!("mount -t tmpfs -o mode=755 comity-e2e {directory}"));
    script(&mounts.join("\n")).map(drop)
}
