//! Kubernetes' own suite of network policies: the test of the enforcer. It is built, and played, only where somebody
//! asks for it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use super::program;
use crate::{
    Error, Result,
    controlplane::{
        build::{self, Recipe},
        cache::{self, Place},
        find::Versions,
        hex,
        progress::Progress,
    },
    eventually,
    process::{Process, bound},
};

/// What somebody sets who wants it.
pub const ASKED: &str = "COMITY_E2E_UPSTREAM";

const SUITE: Recipe<'_> =
    Recipe { module: "upstream", packages: &[("suite", "."), ("agnhost", "./agnhost")], instead: None };
const NAMES: [&str; 2] = ["suite", "agnhost"];

/// What is cached was built from these.
const SOURCES: [&str; 3] = [
    include_str!("../../upstream/go.mod"),
    include_str!("../../upstream/main.go"),
    include_str!("../../upstream/agnhost/main.go"),
];

/// How long it may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Gets it, if somebody wants it: inside there is no network.
pub(super) fn get_if_asked() -> Result<()> {
    let asked = env::var_os(ASKED).is_some_and(|value| !value.is_empty());
    if asked { find().map(drop) } else { Ok(()) }
}

/// The directory with the suite and what its pods run, built with Go where it isn't there yet.
pub(super) fn find() -> Result<PathBuf> {
    let versions = Versions::pinned()?;
    let sources = hex(&Sha256::digest(SOURCES.concat()));
    let (home, key) = (cache::home()?.join("upstream"), format!("{}-{}", versions.kubernetes, &sources[..8]));
    let place = Place { cache: &home, key: &key, what: "upstream suite", names: &NAMES };
    place.filled(&mut Progress::new(), |fresh, progress| {
        progress.say("building it with Go, about a minute on 2 cores after the node");
        build::recipes(Path::new("go"), &[SUITE], &versions, fresh, progress)
    })
}

/// The image that its pods run.
pub(super) fn image(suite: &Path) -> Result<String> {
    let mut command = Command::new(suite.join("suite"));
    command.arg("image").stdin(Stdio::null());
    program::output("the suite", command)
}

/// Plays all of it but SCTP, which isn't in every kernel; its last words.
pub(super) async fn play(suite: &Path, kubeconfig: &Path, log: &Path) -> Result<String> {
    let mut command = bound(suite.join("suite"));
    command.arg(format!("--kubeconfig={}", kubeconfig.display()));
    command.args(["--provider=skeleton", "--num-nodes=1", "--dump-logs-on-failure=false"]);
    command.args([
        "--ginkgo.focus=Netpol",
        "--ginkgo.skip=SCTP",
        "--ginkgo.no-color",
        "--ginkgo.timeout=28m",
    ]);
    let mut playing = Process::start("the suite", command, log)?;
    let ended =
        eventually("the suite to end", PATIENCE, async || playing.exited().ok_or("it goes on")).await?;
    let said = playing.log();
    let words = said.lines().rfind(|line| line.contains("Passed |")).unwrap_or_default().to_owned();
    if ended.success() {
        return Ok(words);
    }
    let failed: Vec<&str> = said.lines().filter(|line| line.contains("[FAIL]")).collect();
    Err(Error::Failed(format!("{words}\n{}\n{}", failed.join("\n"), playing.last_words())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controlplane::find::required;

    #[test]
    fn the_suite_is_of_the_same_version_as_the_control_plane() {
        let versions = Versions::pinned().unwrap();
        assert_eq!(required(SOURCES[0], "k8s.io/kubernetes"), Some(versions.kubernetes));
        assert!(SUITE.packages.iter().map(|(name, _)| *name).eq(NAMES));
    }
}
