//! The machine's own programs, run to their end.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{Error, Explain as _, Result, process};

/// Where programs of the administrator are that aren't on everybody's `PATH`.
const MORE: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// `PATH`, and where programs of the administrator are.
pub(super) fn path(first: Option<PathBuf>) -> OsString {
    let given = env::var_os("PATH").unwrap_or_default();
    let all = first.into_iter().chain(env::split_paths(&given)).chain(MORE.map(PathBuf::from));
    env::join_paths(all).unwrap_or(given)
}

/// Where a program is.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&path(None)).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// A command that finds what administrators use, and dies with this process.
pub(super) fn command(name: &str) -> Command {
    let mut command = process::bound(find(name).unwrap_or_else(|| name.into()));
    command.env("PATH", path(None)).stdin(Stdio::null());
    command
}

/// Runs a program to its end; what it printed, or an error with its last words.
pub(super) fn run<Argument: AsRef<OsStr>>(
    name: &str,
    arguments: impl IntoIterator<Item = Argument>,
) -> Result<String> {
    let mut command = command(name);
    command.args(arguments);
    output(name, command)
}

/// Runs a shell's script.
pub(super) fn script(text: &str) -> Result<String> {
    run("sh", ["-ec", text])
}

/// Runs a command to its end; what it printed, or an error with its last words.
pub(super) fn output(name: &str, mut command: Command) -> Result<String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = process::spawn(command).and_then(Child::wait_with_output).explain(format!("run {name}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if ended.status.success() {
        return Ok(text(&ended.stdout));
    }
    Err(Error::Failed(format!("{name} ended with {}: {}", ended.status, text(&ended.stderr))))
}
