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

/// Names another Kubernetes than the module pins: to try what is said of Kubernetes on it.
const ANOTHER: &str = "COMITY_E2E_KUBERNETES";

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

/// The versions of what a control plane consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Of Kubernetes, `v1.…`.
    pub(crate) kubernetes: String,
    /// Of etcd, `v3.…`.
    pub(crate) etcd: String,
    /// Whether they are those that the Go module pins.
    pub(crate) is_pinned: bool,
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
    find_in(&sources, &Versions::wanted()?, &mut Progress::new())
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
    let Versions { kubernetes, etcd, .. } = versions;
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
        let (kubernetes, etcd) = (version("k8s.io/kubernetes")?, version("go.etcd.io/etcd/server/v3")?);
        Ok(Self { kubernetes, etcd, is_pinned: true })
    }

    /// Those, with the Kubernetes that `COMITY_E2E_KUBERNETES` names, if it does.
    pub(crate) fn wanted() -> Result<Self> {
        let given = env::var(ANOTHER).unwrap_or_default();
        let pinned = Self::pinned()?;
        if given.is_empty() { Ok(pinned) } else { pinned.but(&given) }
    }

    /// The same with this Kubernetes.
    fn but(self, given: &str) -> Result<Self> {
        let numbers = given.strip_prefix("v1.").and_then(|rest| rest.split_once('.'));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !numbers.is_some_and(|(minor, patch)| is_number(minor) && is_number(patch)) {
            return Err(Error::Failed(format!(
                "{ANOTHER} has to be like {}, and is {given:?}",
                self.kubernetes
            )));
        }
        Ok(Self { is_pinned: given == self.kubernetes, kubernetes: given.to_owned(), ..self })
    }

    /// What the parts of this Kubernetes are called that are published as modules of their own.
    pub(super) fn of_parts(&self) -> String {
        self.kubernetes.replacen("v1.", "v0.", 1)
    }

    /// The second number of Kubernetes' version.
    pub(super) fn minor(&self) -> u32 {
        let minor = self.kubernetes.split('.').nth(1);
        minor.and_then(|minor| minor.parse().ok()).unwrap_or_default()
    }

    /// What they are called in the cache.
    pub(super) fn key(&self) -> String {
        let Self { kubernetes, etcd, is_pinned } = self;
        // Where it is built, another Kubernetes brings the etcd that it requires.
        if *is_pinned { format!("{kubernetes}-etcd-{etcd}") } else { kubernetes.clone() }
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
