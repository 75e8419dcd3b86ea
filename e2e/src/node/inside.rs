//! A process in namespaces of its own: network, mounts, processes, and what goes with them.
//!
//! The first process of a namespace of processes takes all others with it when it ends, however
//! they detached themselves. It is killed when what started it dies, and that when this process
//! does.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use super::{ground::Ground, program};
use crate::{Explain as _, Result, process, scratch::Scratch};

/// Says to a process that it is inside, and which directory is its own.
const INSIDE: &str = "COMITY_E2E_NODE_INSIDE";

/// The first process: enters the cgroup, runs the rest, and takes in whoever lost their parent.
const FIRST: &str = r#"echo 0 >"$1" || exit 99; shift; "$@"; exit "$?""#;

/// The directory of its own that a process has inside; `None` outside.
pub(super) fn directory() -> Option<PathBuf> {
    env::var_os(INSIDE).map(PathBuf::from)
}

/// What runs a program inside: its arguments are to follow.
pub(super) fn command() -> Result<Command> {
    let mut command = process::bound(program::find("unshare").unwrap_or_else(|| "unshare".into()));
    command.args(["--net", "--mount", "--pid", "--ipc", "--uts", "--fork"]);
    command.args(["--kill-child=KILL", "--mount-proc", "--", "sh", "-c", FIRST, "first"]);
    command.arg(Ground::entrance()?);
    command.env("PATH", program::path(None)).stdin(Stdio::null());
    Ok(command)
}

/// This program, running inside.
#[derive(Debug)]
pub(super) struct Inside {
    child: Child,
    /// Outlives what is inside, and goes after it.
    _scratch: Scratch,
}

impl Inside {
    /// Starts this program anew, inside, with these arguments.
    pub(super) fn start(arguments: &[String]) -> Result<Self> {
        let scratch = Scratch::new()?;
        let program = env::current_exe().explain("find this program")?;
        let mut command = command()?;
        command.arg(program).args(arguments);
        command.env(INSIDE, scratch.path()).env("TMPDIR", scratch.path());
        let child = process::spawn(command).explain("start this program in namespaces of its own")?;
        Ok(Self { child, _scratch: scratch })
    }

    /// Waits for its end.
    pub(super) fn wait(mut self) -> Result<ExitStatus> {
        self.child.wait().explain("wait for what runs inside")
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The namespace of processes that a process is in, as the kernel names it.
pub fn namespace_of(id: u32) -> Option<PathBuf> {
    std::fs::read_link(Path::new("/proc").join(id.to_string()).join("ns/pid")).ok()
}
