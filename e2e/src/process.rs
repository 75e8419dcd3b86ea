//! Processes that die with this one.
//!
//! The kernel's parent-death signal fires when the *thread* that spawned a process exits, and
//! threads of an async runtime come and go. So everything is spawned from one thread that lives
//! as long as the process (see DESIGN.md, "Traps"), through `setpriv --pdeathsig KILL`.

use std::{
    fs::{File, OpenOptions},
    io,
    net::TcpListener,
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

    /// Starts a process that listens on a port of loopback, and awaits that it is ready.
    ///
    /// `prepare` is given a port that was free a moment ago and returns the command and what
    /// asks whether it is ready. Where somebody else was faster, it is asked again.
    pub(crate) async fn start_listening<Ready: AsyncFn() -> Result<()>>(
        name: &str,
        log: &Path,
        within: Duration,
        prepare: impl AsyncFn(u16) -> Result<(Command, Ready)>,
    ) -> Result<(Self, u16)> {
        let mut clashes = 0;
        loop {
            let port = free_port()?;
            let (command, ready) = prepare(port).await?;
            let mut process = Self::start(name, command, log)?;
            match process.await_ready(within, ready).await {
                Ok(()) => return Ok((process, port)),
                Err(error) if clashes == 5 || !process.found_port_taken() => return Err(error),
                Err(_) => clashes += 1,
            }
        }
    }

    /// Awaits that `ready` says so; ends early, with its last words, where the process ends.
    pub(crate) async fn await_ready(
        &mut self,
        within: Duration,
        ready: impl AsyncFn() -> Result<()>,
    ) -> Result<()> {
        let what = format!("{} to be ready", self.name);
        let process = std::sync::Mutex::new(&mut *self);
        let ended = || process.lock().map_or(true, |mut process| process.exited().is_some());
        let answer = eventually(&what, within, async || match ready().await {
            Err(error) if !ended() => Err(error),
            answer => Ok(answer),
        })
        .await;
        self.check()?;
        answer?
    }

    fn found_port_taken(&mut self) -> bool {
        self.exited().is_some() && self.last_words().to_lowercase().contains("address already in use")
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

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
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

    /// The processor time that it has taken so far, in seconds (`utime` and `stime`, proc(5)).
    pub fn processor_seconds(&self) -> Result<f64> {
        processor_seconds(self.id()).explain(format!("of {}", self.name))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).explain(format!("signal {}", self.name))
    }
}

/// The processor time that a process has taken so far, in seconds (`utime` and `stime`, proc(5)).
pub fn processor_seconds(id: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).explain("read a processor time")?;
    let ticks = processor_ticks(&stat)
        .ok_or_else(|| Error::Failed(format!("process {id} has no processor time: it has ended")))?;
    Ok(f64::from(ticks) / f64::from(TICKS_PER_SECOND))
}

/// In what the kernel tells processes their times, whichever clock it has itself (`USER_HZ`).
const TICKS_PER_SECOND: u32 = 100;

/// The ticks in user and kernel mode that a line of `/proc/<pid>/stat` tells of. The name of the
/// program, which may hold anything, ends with the last parenthesis.
fn processor_ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|ticks| ticks.parse::<u32>().ok());
    times.next()??.checked_add(times.next()??)
}

/// A port of loopback that nobody listens on, a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").explain("pick a port")?;
    Ok(listener.local_addr()?.port())
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a shell that does `first`, and `later` where it is started once more.
    async fn listen(first: &str, later: &str) -> Result<(Process, u16)> {
        let directory = tempfile::tempdir()?;
        let (log, started) = (directory.path().join("log"), directory.path().join("started"));
        Process::start_listening("sh", &log, Duration::from_secs(10), async |port| {
            let mut command = bound("sh");
            command.arg("-c").arg(if started.exists() { later } else { first });
            std::fs::write(&started, port.to_string())?;
            let (log, started) = (log.clone(), started.clone());
            let ready = async move || {
                let said = std::fs::read_to_string(&log)?;
                let ready = said.lines().any(|line| line == "ready") && started.exists();
                if ready { Ok(()) } else { Err(Error::Failed("it isn't ready".to_owned())) }
            };
            Ok((command, ready))
        })
        .await
    }

    #[tokio::test]
    async fn a_port_that_was_taken_meanwhile_is_no_failure() {
        let (mut process, _) =
            listen("echo bind: Address already in use; exit 1", "echo ready; exec sleep 60").await.unwrap();
        assert!(process.exited().is_none());
    }

    #[test]
    fn processor_time_is_read_past_whatever_the_program_is_called() {
        let stat = "7 (a) (b 1) S 1 7 7 0 -1 4194304 1 0 0 0 12 30 0 0 20 0 1 0 99 1 1";
        assert_eq!(processor_ticks(stat), Some(42));
        assert_eq!(processor_ticks("7 (a) Z"), None);
    }

    #[tokio::test]
    async fn what_ends_before_it_is_ready_is_quoted() {
        let error = listen("echo no such flag; exit 2", "echo ready; exec sleep 60").await.unwrap_err();
        assert!(error.to_string().contains("no such flag"), "{error}");
    }

    #[tokio::test]
    async fn a_process_ends_when_asked_and_else_when_killed() {
        let (mut polite, _) = listen("echo ready; exec sleep 60", "").await.unwrap();
        polite.stop(Duration::from_secs(10)).await.unwrap();
        let (mut deaf, _) = listen("trap '' TERM; echo ready; while :; do sleep 1; done", "").await.unwrap();
        deaf.stop(Duration::from_millis(200)).await.unwrap_err();
        deaf.kill();
        assert!(deaf.exited().is_some());
    }
}
