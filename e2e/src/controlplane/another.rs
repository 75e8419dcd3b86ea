//! The Go module that builds a control plane, made to build another Kubernetes than it pins: a copy of it in which all
//! that belongs to Kubernetes is of that version. Kubernetes publishes its parts as modules of their own, and names
//! them without a version, so each has to be named with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{find::Versions, progress::Progress};
use crate::{Error, Explain as _, Result, process};

/// What all the parts belong to.
const KUBERNETES: &str = "k8s.io/kubernetes";

/// Makes the copy of the module in `directory`, as a file for Go's `-modfile`.
pub(super) fn module(
    go: &Path,
    home: &Path,
    versions: &Versions,
    directory: &Path,
    progress: &mut Progress,
) -> Result<PathBuf> {
    let wanted = &versions.kubernetes;
    progress.step(&format!("finding what Kubernetes {wanted} is made of"));
    let copy = directory.join("another.mod");
    fs::copy(home.join("go.mod"), &copy).explain("copy go.mod")?;
    fs::copy(home.join("go.sum"), copy.with_extension("sum")).explain("copy go.sum")?;
    let run = |verb: &[&str], rest: &[String]| {
        let mut command = process::bound(go);
        command.args(verb).arg(format!("-modfile={}", copy.display())).args(rest);
        command.current_dir(home).env("GOWORK", "off");
        output(command)
    };
    let whole = format!("{KUBERNETES}@{wanted}");
    let own = run(&["list", "-m", "-mod=mod", "-f", "{{.GoMod}}"], std::slice::from_ref(&whole))?;
    let own = fs::read_to_string(own.trim()).explain(format!("read the go.mod of {whole}"))?;
    let parts = parts(&own).map(|part| format!("{part}@{}", versions.of_parts()));
    run(&["get"], &std::iter::once(whole).chain(parts).collect::<Vec<_>>())?;
    Ok(copy)
}

/// The parts of Kubernetes that its own `go.mod` names, which are those without a version.
fn parts(own: &str) -> impl Iterator<Item = &str> {
    own.lines().filter_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        let (module, version) = (words.next()?, words.next()?);
        (module.starts_with("k8s.io/") && version == "v0.0.0").then_some(module)
    })
}

fn output(mut command: Command) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = process::spawn(command).and_then(Child::wait_with_output).explain("run go")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Failed(format!("go failed:\n{}", String::from_utf8_lossy(&output.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_those_without_a_version() {
        let own = "module k8s.io/kubernetes\n\nrequire (\n\tk8s.io/api v0.0.0\n\tk8s.io/klog/v2 v2.1.0\n)\n\n\
                   require k8s.io/kubelet v0.0.0 // indirect\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n";
        assert_eq!(parts(own).collect::<Vec<_>>(), ["k8s.io/api", "k8s.io/kubelet"]);
    }
}
