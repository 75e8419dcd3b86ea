//! A clock that a story sets, for processes of Comity: theirs alone, as the machine's belongs to everybody.
//! On Linux with glibc; elsewhere they go by the machine's. A C compiler is there wherever Rust links.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{Error, Explain as _, Result, comity::repository, process};

/// A clock that goes with the machine's, but for as much as it was set ahead or back.
#[derive(Clone, Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock that is right, whose files are in `directory`.
    ///
    /// # Errors
    ///
    /// Where there is no C compiler, or `directory` can't be written.
    pub async fn right(directory: &Path) -> Result<Self> {
        let clock = Self { library: directory.join("clock.so"), file: directory.join("clock") };
        std::fs::write(&clock.file, 0_i64.to_ne_bytes()).explain("write what time it is")?;
        if !Self::leads() {
            eprintln!("no process can be told a time of its own here: clocks aren't set back");
            return Ok(clock);
        }
        let mut command = process::bound("cc");
        command.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&clock.library);
        command.arg(repository().join("e2e/tools/clock.c")).arg("-ldl");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let compiled = move || process::spawn(command).and_then(Child::wait_with_output);
        let output = tokio::task::spawn_blocking(compiled).await.explain("run cc")?;
        let output = output.explain("run cc, the C compiler that Rust links with")?;
        if !output.status.success() {
            return Err(Error::Failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(clock)
    }

    /// Sets it so many seconds ahead of the machine's, or back, for all that go by it: at once, and while they run.
    ///
    /// # Errors
    ///
    /// Where its file is gone.
    pub fn set(&self, seconds: i64) -> Result<()> {
        let file = OpenOptions::new().write(true).open(&self.file).explain("open the clock's file")?;
        // In place: whoever goes by it has this file before their eyes, and not its name.
        file.write_all_at(&seconds.to_ne_bytes(), 0).explain("set the clock")
    }

    /// Whether processes can go by it on this system.
    pub const fn leads() -> bool {
        cfg!(all(target_os = "linux", target_env = "gnu"))
    }

    /// Has a process go by it that wasn't started yet.
    pub(crate) fn lead(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("COMITY_CLOCK_FILE", &self.file);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::scratch::Scratch;

    #[tokio::test]
    async fn who_goes_by_it_is_told_what_was_set() {
        let scratch = Scratch::new().unwrap();
        let clock = Clock::right(scratch.path()).await.unwrap();
        for set in [0, -3600, 90] {
            clock.set(set).unwrap();
            let before = Timestamp::now().as_second();
            let mut command = process::bound("date");
            clock.lead(&mut command);
            command.arg("+%s").stdout(Stdio::piped());
            let output = process::spawn(command).and_then(Child::wait_with_output).unwrap();
            let told: i64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
            let told = told - set;
            let after = Timestamp::now().as_second();
            assert!((before..=after).contains(&told), "{before} {told} {after}, set by {set}");
        }
    }
}
