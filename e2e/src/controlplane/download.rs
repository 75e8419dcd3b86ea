//! Downloads what Kubernetes and etcd publish, where the internet is reachable.
//!
//! Not the archive of envtest: it holds no controller manager, without which no namespace is
//! ever deleted and no quota enforced.

use std::{
    env::consts,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use sha2::{Digest, Sha256, Sha512};

use super::{find::Versions, hex, progress::Progress};
use crate::{Error, Explain as _, Result, process};

/// Where releases are published.
#[derive(Clone, Debug)]
pub(super) struct Releases {
    /// Of Kubernetes: `<here>/<version>/bin/<system>/<architecture>/<binary>`.
    pub(super) kubernetes: String,
    /// Of etcd: `<here>/<version>/etcd-<version>-<system>-<architecture>.tar.gz`.
    pub(super) etcd: String,
}

impl Default for Releases {
    fn default() -> Self {
        Self {
            kubernetes: "https://dl.k8s.io/release".to_owned(),
            etcd: "https://github.com/etcd-io/etcd/releases/download".to_owned(),
        }
    }
}

/// Downloads all three binaries into `directory` and verifies each against its published sum.
pub(super) fn all(
    releases: &Releases,
    versions: &Versions,
    directory: &Path,
    progress: &mut Progress,
) -> Result<()> {
    if consts::OS != "linux" {
        return Err(Error::Failed(format!("Kubernetes publishes no servers for {}", consts::OS)));
    }
    for name in ["kube-apiserver", "kube-controller-manager"] {
        progress.step(&format!("downloading {name} {}", versions.kubernetes));
        let url =
            format!("{}/{}/bin/linux/{}/{name}", releases.kubernetes, versions.kubernetes, architecture());
        let path = directory.join(name);
        let sum = fetch_text(&format!("{url}.sha512"))?;
        fetch(&url, &path)?;
        verify::<Sha512>(&path, &sum)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    progress.step(&format!("downloading etcd {}", versions.etcd));
    etcd(&releases.etcd, &versions.etcd, directory)
}

fn etcd(releases: &str, version: &str, directory: &Path) -> Result<()> {
    let name = format!("etcd-{version}-linux-{}", architecture());
    let archive = directory.join("etcd.tar.gz");
    let sums = fetch_text(&format!("{releases}/{version}/SHA256SUMS"))?;
    let sum = sums
        .lines()
        .find_map(|line| line.strip_suffix(&format!("{name}.tar.gz")))
        .ok_or_else(|| Error::Failed(format!("SHA256SUMS doesn't speak of {name}")))?;
    fetch(&format!("{releases}/{version}/{name}.tar.gz"), &archive)?;
    verify::<Sha256>(&archive, sum)?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).arg("-C").arg(directory);
    tar.args(["--strip-components=1", &format!("{name}/etcd")]);
    run(tar)?;
    fs::remove_file(archive)?;
    Ok(())
}

/// The name that Go has for this machine's architecture.
fn architecture() -> &'static str {
    match consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Gives up soon where there is no way out, and where one dries up.
fn curl(url: &str) -> Command {
    let mut command = process::bound("curl");
    command.args(["-fsSL", "--connect-timeout", "4", "--speed-limit", "20000", "--speed-time", "20", url]);
    command
}

fn fetch(url: &str, path: &Path) -> Result<()> {
    let mut command = curl(url);
    command.arg("-o").arg(path);
    run(command).map(drop)
}

fn fetch_text(url: &str) -> Result<String> {
    run(curl(url)).map(|text| text.trim().to_owned())
}

/// Runs a command to its end; its standard output, or an error with its last words.
fn run(mut command: Command) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        process::spawn(command).and_then(Child::wait_with_output).explain(format!("run {program}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn verify<D: Digest>(path: &Path, wanted: &str) -> Result<()> {
    let content = fs::read(path).explain(format!("read {}", path.display()))?;
    let seen = hex(&D::digest(content));
    let wanted = wanted.split_whitespace().next().unwrap_or_default();
    if seen == wanted {
        return Ok(());
    }
    Err(Error::Failed(format!("{} has the sum {seen}, published is {wanted}", path.display())))
}
