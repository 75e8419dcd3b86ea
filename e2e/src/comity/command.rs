//! Commands that people give, by the binary itself: what they print, and how they end.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{binary, people::Decider};
use crate::{
    Cluster, Error, Explain as _, Result,
    process::{self, Process},
};

/// The shell that people have.
const SHELL: &str = "bash";

/// Somebody at a command line, without a terminal.
pub struct Desk {
    kubeconfig: PathBuf,
    program: PathBuf,
}

/// A terminal, from both sides.
fn terminal() -> std::io::Result<(File, File)> {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&near)?;
    unlockpt(&near)?;
    let name = ptsname(&near, Vec::new())?;
    let far = OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.as_bytes()))?;
    Ok((File::from(near), far))
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said beside that.
    pub err: String,
}

impl Desk {
    /// Somebody with the rights of their group, in a namespace.
    pub async fn of(cluster: &Cluster, who: Decider, namespace: &str) -> Result<Self> {
        Self::of_groups(cluster, who.name, &[who.group], namespace).await
    }

    /// Somebody in these groups, in a namespace.
    pub async fn of_groups(cluster: &Cluster, who: &str, groups: &[&str], namespace: &str) -> Result<Self> {
        let kubeconfig = cluster.kubeconfig_for_user(who, groups, namespace)?;
        Ok(Self { kubeconfig, program: binary().await? })
    }

    /// The administrator, at a shell.
    pub fn of_admin(cluster: &Cluster) -> Self {
        Self { kubeconfig: cluster.kubeconfig().to_owned(), program: SHELL.into() }
    }

    /// The same person, at a shell.
    #[must_use]
    pub fn at_a_shell(self) -> Self {
        Self { program: SHELL.into(), ..self }
    }

    /// The same, with the program under another name.
    pub fn calling(self, directory: &Path, name: &str) -> Result<Self> {
        let program = directory.join(name);
        if !program.exists() {
            std::os::unix::fs::symlink(&self.program, &program).explain("link the program")?;
        }
        Ok(Self { program, ..self })
    }

    /// Gives a command, and awaits its end.
    pub async fn says(&self, arguments: &[&str]) -> Result<Answer> {
        let mut command = process::bound(&self.program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig).env("TZ", "UTC").env_remove("NO_COLOR");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = move || process::spawn(command).and_then(Child::wait_with_output);
        let output =
            tokio::task::spawn_blocking(ended).await.explain("run a command")?.explain("run comity")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Ok(Answer { code, out: text(&output.stdout), err: text(&output.stderr) })
    }

    /// Gives a command that goes on by itself; what it prints is appended to `log`.
    pub fn begins(&self, arguments: &[&str], log: &Path) -> Result<Process> {
        let mut command = process::bound(&self.program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig).env("TZ", "UTC").env_remove("NO_COLOR");
        Process::start(&arguments.join(" "), command, log)
    }

    /// Gives a command at a terminal, types these answers, and awaits its end. What is printed and what
    /// is typed is in `out`, as somebody there sees it.
    pub async fn types(&self, arguments: &[&str], answers: &'static str) -> Result<Answer> {
        let (mut near, far) = terminal().explain("open a terminal")?;
        let mut command = process::bound(&self.program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig).env("TZ", "UTC").env_remove("NO_COLOR");
        command.stdin(far.try_clone()?).stdout(far.try_clone()?).stderr(far);
        let session = move || -> std::io::Result<Answer> {
            let mut child = process::spawn(command)?;
            near.write_all(answers.as_bytes())?;
            let mut seen = Vec::new();
            // Where the other side is closed, reading fails: then all is read.
            let _ = near.read_to_end(&mut seen);
            let code = child.wait()?.code().unwrap_or(-1);
            Ok(Answer { code, out: String::from_utf8_lossy(&seen).into_owned(), err: String::new() })
        };
        tokio::task::spawn_blocking(session).await.explain("run a command")?.explain("run comity")
    }

    /// Gives a command that ends with this code, and says these words.
    pub async fn hears(&self, arguments: &[&str], code: i32, words: &[&str]) -> Result<Answer> {
        let answer = self.says(arguments).await?;
        let heard = format!("{}{}", answer.out, answer.err);
        let missing: Vec<_> = words.iter().filter(|word| !heard.contains(**word)).collect();
        if answer.code == code && missing.is_empty() {
            return Ok(answer);
        }
        let asked = arguments.join(" ");
        Err(Error::Failed(format!(
            "comity {asked} ended with {} and not {code}, or didn't say {missing:?}:\n{heard}",
            answer.code
        )))
    }
}
