//! Where the control plane's binaries come from: given, cached, downloaded or built, in this order.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
};

use super::{build, download, progress::Progress};
use crate::{Error, Explain as _, Result};

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
pub(super) struct Versions {
    /// Of Kubernetes, `v1.…`.
    pub(super) kubernetes: String,
    /// Of etcd, `v3.…`.
    pub(super) etcd: String,
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
    let cache = cache_home()?.join("comity").join("controlplane");
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
    let home = sources.cache.join(versions.key());
    if let Ok(binaries) = Binaries::of(&home) {
        return Ok(binaries);
    }
    fs::create_dir_all(&sources.cache).explain(format!("make {}", sources.cache.display()))?;
    let _lock = lock(&sources.cache.join(format!("{}.lock", versions.key())), progress)?;
    if Binaries::of(&home).is_err() {
        obtain(sources, versions, &home, progress)?;
    }
    Binaries::of(&home).map_err(|missing| Error::Failed(format!("{} has no {missing}", home.display())))
}

/// Fills the cache: all three binaries appear there at once, or nothing does.
fn obtain(sources: &Sources, versions: &Versions, home: &Path, progress: &mut Progress) -> Result<()> {
    let prefix = format!(".new-{}-", versions.key());
    forget(&sources.cache, &prefix);
    let fresh = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(&sources.cache)
        .explain("make a directory in the cache")?;
    progress.say(&format!("the cache has no control plane ({}) yet: getting it, once", versions.key()));
    let downloaded = download::all(&sources.releases, versions, fresh.path(), progress);
    if let Err(offline) = downloaded {
        progress.say(&format!("no download ({offline}): building it with Go, about 7 minutes on 2 cores"));
        build::all(&sources.go, versions, fresh.path(), progress)
            .map_err(|build| ways_out(versions, &offline, &build))?;
    }
    if home.exists() {
        fs::remove_dir_all(home).explain("remove what is incomplete in the cache")?;
    }
    fs::rename(fresh.path(), home).explain("put the control plane into the cache")?;
    progress.finish(&format!("the control plane is in {}", home.display()));
    Ok(())
}

/// Removes what somebody left half done who was interrupted: whoever holds the lock is alone.
fn forget(cache: &Path, prefix: &str) {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    for left in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)) {
        // What can't be removed is in nobody's way.
        let _ = fs::remove_dir_all(left.path());
    }
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
        let missing: Vec<&str> = NAMES.into_iter().filter(|name| !directory.join(name).is_file()).collect();
        if !missing.is_empty() {
            return Err(missing.join(", no "));
        }
        let [etcd, api_server, controller_manager] = NAMES.map(|name| directory.join(name));
        Ok(Self { etcd, api_server, controller_manager })
    }
}

impl Versions {
    /// What `tools/go.mod` says.
    pub(super) fn pinned() -> Result<Self> {
        let version = |module: &str| {
            let mut lines = GO_MODULE.lines().map(str::split_whitespace);
            lines
                .find_map(|mut words| (words.next() == Some(module)).then(|| words.next()).flatten())
                .map(str::to_owned)
                .ok_or_else(|| Error::Failed(format!("e2e/tools/go.mod doesn't require {module}")))
        };
        Ok(Self { kubernetes: version("k8s.io/kubernetes")?, etcd: version("go.etcd.io/etcd/server/v3")? })
    }

    /// What they are called in the cache.
    pub(super) fn key(&self) -> String {
        format!("{}-etcd-{}", self.kubernetes, self.etcd)
    }
}

/// Holds off other checkouts that want to build the same.
fn lock(path: &Path, progress: &Progress) -> Result<File> {
    let file = File::create(path).explain(format!("make {}", path.display()))?;
    if file.try_lock().is_err() {
        progress.say("another process is getting the control plane: waiting for it");
        file.lock().explain("wait for another process")?;
    }
    Ok(file)
}

/// The user's cache directory (XDG).
fn cache_home() -> Result<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    env::var_os("XDG_CACHE_HOME")
        .and_then(|path| absolute(path.into()))
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .ok_or_else(|| Error::Failed("there is no home directory: set XDG_CACHE_HOME".to_owned()))
}

#[cfg(test)]
mod tests;
