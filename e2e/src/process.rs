//! Processes that die with this one.
//!
//! The kernel's parent-death signal fires when the *thread* that spawned a process exits, and
//! threads of an async runtime come and go. So everything is spawned from one thread that lives
//! as long as the process (see DESIGN.md, "Traps"), through `setpriv --pdeathsig KILL`.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        OnceLock,
        mpsc::{self, Sender},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Explain as _, Result, eventually};

type Order = (Command, Sender<io::Result<Child>>);

/// Spawns `command` from the thread that outlives all others, in a process group of its own,
/// so that Ctrl-C reaches only this process, which then stops the others in order.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<Sender<Order>> = OnceLock::new();
    command.process_group(0);
    let keeper = KEEPER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    keeper.send((command, answer)).map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}

/// A command that is killed when this process dies.
pub(crate) fn bound(program: impl AsRef<Path>) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let setpriv = *SETPRIV.get_or_init(|| {
        let there = Command::new("setpriv").arg("--version").stdout(Stdio::null()).status().is_ok();
        if !there {
            eprintln!(
                "setpriv (util-linux) isn't installed: if this process is killed, what it started runs on"
            );
        }
        there
    });
    if !setpriv {
        return Command::new(program.as_ref());
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program.as_ref());
    command
}

/// A running process with a log file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints is appended to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let open = || -> io::Result<File> { OpenOptions::new().create(true).append(true).open(log) };
        command.stdin(Stdio::null()).stdout(open()?).stderr(open()?);
        let child = spawn(command).explain(format!("start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed, so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of what it printed, for an error message.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// An error with its last words, if it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.exited() {
            None => Ok(()),
            Some(status) => {
                let (name, words) = (&self.name, self.last_words());
                Err(Error::Failed(format!("{name} ended with {status}; it said last:\n{words}")))
            }
        }
    }

    /// Asks it to end (SIGTERM) and awaits that it does.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let what = format!("{} to end after SIGTERM", self.name);
        let process = std::sync::Mutex::new(self);
        eventually(&what, within, || async {
            let mut process = process.lock().map_err(|error| error.to_string())?;
            process.exited().ok_or_else(|| "it runs on".to_owned())
        })
        .await
    }

    /// Kills it (SIGKILL), and returns when it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Freezes it (SIGSTOP): it holds its connections and does nothing.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Wakes it up again (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// The memory that it holds now, in KiB (`VmRSS`).
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))
            .explain(format!("read the memory of {}", self.name))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| Error::Failed(format!("{} has no VmRSS: it has ended", self.name)))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).explain(format!("signal {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
