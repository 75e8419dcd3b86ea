//! Builds binaries with Go, from the modules in `e2e/tools` and `e2e/containers`, through the module proxy.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::{another, find::Versions, progress::Progress};
use crate::{Error, Explain as _, Result, process};

/// The step that needs a network.
pub(crate) const FETCH: &str = "fetch the sources";

/// Binaries that one Go module pins and builds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe<'a> {
    /// The module's directory in this package.
    pub(crate) module: &'a str,
    /// What each binary is called, and its package.
    pub(crate) packages: &'a [(&'a str, &'a str)],
    /// What stands for the module's `go.mod`, where other versions are built than it pins.
    pub(crate) instead: Option<&'a Path>,
}

/// The packages of [`NAMES`](super::find::NAMES).
const CONTROL_PLANE: Recipe<'_> = Recipe {
    module: "tools",
    packages: &[
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    ],
    instead: None,
};

/// Builds the control plane's binaries into `directory`.
pub(super) fn all(go: &Path, versions: &Versions, directory: &Path, progress: &mut Progress) -> Result<()> {
    if versions.is_pinned {
        return recipes(go, &[CONTROL_PLANE], versions, directory, progress);
    }
    let instead = another::module(go, &home(CONTROL_PLANE), versions, directory, progress)?;
    recipes(go, &[Recipe { instead: Some(&instead), ..CONTROL_PLANE }], versions, directory, progress)
}

/// Where the module of a recipe is.
fn home(recipe: Recipe<'_>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(recipe.module)
}

/// Builds all binaries of some recipes into `directory`.
pub(crate) fn recipes(
    go: &Path,
    recipes: &[Recipe<'_>],
    versions: &Versions,
    directory: &Path,
    progress: &mut Progress,
) -> Result<()> {
    let version = Command::new(go).arg("version").output();
    version.map_err(|error| Error::Failed(format!("Go isn't installed, or doesn't start ({error})")))?;
    progress.step("fetching the sources");
    let mut packages = 0;
    for recipe in recipes {
        let mut list = command(go, *recipe, "list");
        list.arg("-deps").args(recipe.packages.iter().map(|(_, package)| package));
        packages += run(list, progress, false).explain(FETCH)?;
    }
    progress.expect(packages);
    let all: Vec<(Recipe<'_>, &str, &str)> = recipes
        .iter()
        .flat_map(|recipe| recipe.packages.iter().map(|(name, package)| (*recipe, *name, *package)))
        .collect();
    for (index, (recipe, name, package)) in all.iter().enumerate() {
        progress.step(&format!("building {name} ({} of {})", index + 1, all.len()));
        let mut build = command(go, *recipe, "build");
        build.args(["-v", "-trimpath", "-buildvcs=false", "-ldflags", &linker_flags(versions)]);
        build.arg("-o").arg(directory.join(name)).arg(package);
        run(build, progress, true)?;
    }
    Ok(())
}

fn command(go: &Path, recipe: Recipe<'_>, verb: &str) -> Command {
    let mut command = process::bound(go);
    command.arg(verb);
    match recipe.instead {
        Some(instead) => command.arg("-mod=mod").arg(format!("-modfile={}", instead.display())),
        None => command.arg("-mod=readonly"),
    };
    command.current_dir(home(recipe));
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
