//! Builds the control plane with Go, from the module in `e2e/tools`, through the module proxy.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::{
    find::{NAMES, Versions},
    progress::Progress,
};
use crate::{Error, Explain as _, Result, process};

/// The Go module with the pinned versions.
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools");

/// The packages of [`NAMES`], in that order.
const PACKAGES: [&str; 3] = [
    "go.etcd.io/etcd/server/v3",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
];

/// Builds all three binaries into `directory`.
pub(super) fn all(go: &Path, versions: &Versions, directory: &Path, progress: &mut Progress) -> Result<()> {
    let version = Command::new(go).arg("version").output();
    version.map_err(|error| Error::Failed(format!("Go isn't installed, or doesn't start ({error})")))?;
    progress.step("fetching the sources");
    let mut list = command(go, "list");
    list.arg("-deps").args(PACKAGES);
    let packages = run(list, progress, false)?;
    progress.expect(packages);
    for (index, (name, package)) in NAMES.into_iter().zip(PACKAGES).enumerate() {
        progress.step(&format!("building {name} ({} of {})", index + 1, NAMES.len()));
        let mut build = command(go, "build");
        build.args(["-v", "-trimpath", "-buildvcs=false", "-ldflags", &linker_flags(versions)]);
        build.arg("-o").arg(directory.join(name)).arg(package);
        run(build, progress, true)?;
    }
    Ok(())
}

fn command(go: &Path, verb: &str) -> Command {
    let mut command = process::bound(go);
    command.arg(verb).arg("-mod=readonly").current_dir(MODULE);
    command.env("CGO_ENABLED", "0").env("GOWORK", "off");
    command
}

/// Without these, Kubernetes believes that it is version 0.0.0.
fn linker_flags(versions: &Versions) -> String {
    let version = &versions.kubernetes;
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let component = "k8s.io/component-base/version";
    format!(
        "-s -w -X {component}.gitVersion={version} -X {component}.gitMajor={major} \
         -X {component}.gitMinor={minor} -X k8s.io/client-go/pkg/version.gitVersion={version}"
    )
}

/// Runs Go to its end and shows how it gets on; the number of lines that it printed.
fn run(mut command: Command, progress: &mut Progress, count: bool) -> Result<u64> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process::spawn(command).explain("start go")?;
    let (lines, inbox) = mpsc::channel();
    if let Some(errors) = child.stderr.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(std::result::Result::ok) {
                let _ = lines.send(line);
            }
        });
    }
    let output = child.stdout.take().map(|output| {
        std::thread::spawn(move || BufReader::new(output).lines().map_while(std::result::Result::ok).count())
    });
    let mut last = VecDeque::new();
    loop {
        match inbox.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                progress.saw(&line, count);
                last.push_back(line);
                if last.len() > 20 {
                    last.pop_front();
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => progress.tick(),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let printed = output.and_then(|reader| reader.join().ok()).unwrap_or_default();
    if child.wait().explain("wait for go")?.success() {
        return Ok(printed as u64);
    }
    Err(Error::Failed(format!("go failed:\n{}", Vec::from(last).join("\n"))))
}
