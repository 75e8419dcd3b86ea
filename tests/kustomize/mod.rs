//! The kustomize that tests of overlays run.

use std::path::Path;
use std::process::{Command, Stdio};

/// Puts a kustomize into a folder, where there is none, which is the one that kubectl is built with. Whether
/// there is one now, for whoever has that folder first on the path.
pub fn kustomize(folder: &Path) -> bool {
    let starts = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if starts("kustomize", &["version"]) {
        return true;
    }
    if !starts("kubectl", &["version", "--client"]) {
        return false;
    }
    let script = folder.join("kustomize");
    std::fs::write(&script, "#!/usr/bin/env bash\n[ \"$1\" = build ] && exec kubectl kustomize \"${@:2}\"\n")
        .expect("it can be written");
    starts("chmod", &["+x", &script.to_string_lossy()])
}
