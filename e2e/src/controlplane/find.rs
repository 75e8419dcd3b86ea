//! Where the control plane's binaries come from: given, cached, downloaded or built, in this order.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::{
    build,
    cache::{self, Place},
    download,
    progress::Progress,
};
use crate::{Error, Result};

/// What a control plane consists of.
pub(super) const NAMES: [&str; 3] = ["etcd", "kube-apiserver", "kube-controller-manager"];

/// The module that pins the versions and builds them.
const GO_MODULE: &str = include_str!("../../tools/go.mod");

/// The three binaries of a control plane.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// etcd, the store.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub api_server: PathBuf,
    /// kube-controller-manager.
    pub controller_manager: PathBuf,
}

/// The versions that the Go module pins.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    /// Of Kubernetes, `v1.…`.
    pub(crate) kubernetes: String,
    /// Of etcd, `v3.…`.
    pub(crate) etcd: String,
}

/// Where to look.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    /// A directory that was given on purpose (`KUBEBUILDER_ASSETS`).
    pub(super) assets: Option<PathBuf>,
    /// The cache, outside every checkout.
    pub(super) cache: PathBuf,
    /// Where releases are published.
    pub(super) releases: download::Releases,
    /// The Go command.
    pub(super) go: PathBuf,
}

/// Finds the binaries, or gets them, which may take minutes the first time and says so.
pub fn find() -> Result<Binaries> {
    let cache = cache::home()?.join("controlplane");
    let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|given| !given.is_empty()).map(PathBuf::from);
    let sources = Sources { assets, cache, releases: download::Releases::default(), go: "go".into() };
    find_in(&sources, &Versions::pinned()?, &mut Progress::new())
}

pub(super) fn find_in(sources: &Sources, versions: &Versions, progress: &mut Progress) -> Result<Binaries> {
    if let Some(assets) = &sources.assets {
        match Binaries::of(assets) {
            Ok(binaries) => return Ok(binaries),
            Err(missing) => progress.say(&format!(
                "KUBEBUILDER_ASSETS has no {missing} (setup-envtest brings no controller manager): going on without it"
            )),
        }
    }
    let key = versions.key();
    let place = Place { cache: &sources.cache, key: &key, what: "control plane", names: &NAMES };
    let home = place.filled(progress, |fresh, progress| obtain(sources, versions, fresh, progress))?;
    Binaries::of(&home).map_err(|missing| Error::Failed(format!("{} has no {missing}", home.display())))
}

/// Gets all three binaries into a directory.
fn obtain(sources: &Sources, versions: &Versions, fresh: &Path, progress: &mut Progress) -> Result<()> {
    let Err(offline) = download::all(&sources.releases, versions, fresh, progress) else { return Ok(()) };
    progress.say(&format!("no download ({offline}): building it with Go, about 7 minutes on 2 cores"));
    build::all(&sources.go, versions, fresh, progress).map_err(|build| ways_out(versions, &offline, &build))
}

/// What to tell somebody for whom nothing worked.
fn ways_out(versions: &Versions, offline: &Error, build: &Error) -> Error {
    let Versions { kubernetes, etcd } = versions;
    Error::Failed(format!(
        "there is no control plane to run on, and none could be got.\n\
         - download: {offline}\n\
         - build: {build}\n\
         Any one of these helps:\n\
         - install Go (https://go.dev/dl/) and let it reach its module proxy, and run this again;\n\
         - let this machine reach dl.k8s.io and github.com;\n\
         - set KUBEBUILDER_ASSETS to a directory with {} ({kubernetes}, etcd {etcd});\n\
         - name the kubeconfig of a cluster made for tests: in COMITY_E2E_KUBECONFIG, for the demo with --kubeconfig.",
        NAMES.join(", "),
    ))
}

impl Binaries {
    /// The binaries in `directory`, or the names of those that it lacks.
    fn of(directory: &Path) -> std::result::Result<Self, String> {
        if let Some(missing) = cache::missing(directory, &NAMES) {
            return Err(missing);
        }
        let [etcd, api_server, controller_manager] = NAMES.map(|name| directory.join(name));
        Ok(Self { etcd, api_server, controller_manager })
    }
}

impl Versions {
    /// What `tools/go.mod` says.
    pub(crate) fn pinned() -> Result<Self> {
        let version = |module: &str| {
            required(GO_MODULE, module)
                .ok_or_else(|| Error::Failed(format!("e2e/tools/go.mod doesn't require {module}")))
        };
        Ok(Self { kubernetes: version("k8s.io/kubernetes")?, etcd: version("go.etcd.io/etcd/server/v3")? })
    }

    /// What they are called in the cache.
    pub(super) fn key(&self) -> String {
        format!("{}-etcd-{}", self.kubernetes, self.etcd)
    }
}

/// The version that a `go.mod` requires of a module.
pub(crate) fn required(go_module: &str, module: &str) -> Option<String> {
    let mut lines = go_module.lines().map(str::split_whitespace);
    lines
        .find_map(|mut words| (words.next() == Some(module)).then(|| words.next()).flatten())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests;
