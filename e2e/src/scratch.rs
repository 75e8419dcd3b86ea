//! A directory that goes when the process that made it goes, however that ends.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::{Explain as _, Result, process};

/// Waits until its standard input closes, which the kernel sees to, and removes the directory.
/// Again, and again: processes that end at the same moment may still be writing.
const JANITOR: &str =
    r#"cat >/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" && exit; sleep 0.2; done"#;

/// A private directory for temporary files, with the process that removes it.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    lifeline: Option<ChildStdin>,
    janitor: Child,
}

impl Scratch {
    /// Makes an empty directory that only this user may enter.
    pub(crate) fn new() -> Result<Self> {
        let path = tempfile::Builder::new()
            .prefix("comity-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .explain("make a temporary directory")?
            .keep();
        let mut command = Command::new("sh");
        command.args(["-c", JANITOR, "janitor"]).arg(&path);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut janitor = process::spawn(command).explain("start sh")?;
        Ok(Self { path, lifeline: janitor.stdin.take(), janitor })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.janitor.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_private_and_goes() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        std::fs::write(path.join("token"), "secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(scratch);
        assert!(!path.exists());
    }
}
