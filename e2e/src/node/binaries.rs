//! The node's binaries: given, cached, or built with Go, in this order.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{
    Error, Explain as _, Result,
    controlplane::{
        build::{self, Recipe},
        cache::{self, Place},
        find::{Versions, required},
        hex,
        progress::Progress,
    },
};

/// What of Kubernetes is on a node, and what holds its network policies.
const KUBERNETES: Recipe<'_> = Recipe {
    module: "tools",
    packages: &[
        ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
        ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
        ("npagent", "./npagent"),
    ],
    instead: None,
};

/// What runs containers, and gives them a network.
const CONTAINERS: Recipe<'_> = Recipe {
    module: "containers",
    packages: &[
        ("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
        ("containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"),
        ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
        ("ptp", "github.com/containernetworking/plugins/plugins/main/ptp"),
        ("loopback", "github.com/containernetworking/plugins/plugins/main/loopback"),
        ("host-local", "github.com/containernetworking/plugins/plugins/ipam/host-local"),
    ],
    instead: None,
};

/// All of them.
pub const NAMES: [&str; 10] = [
    "kubelet",
    "kube-scheduler",
    "kube-proxy",
    "npagent",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "ptp",
    "loopback",
    "host-local",
];

/// The module that pins containerd and the network's plugins.
const CONTAINERS_MODULE: &str = include_str!("../../containers/go.mod");

/// The enforcer's own sources: what is cached was built from these.
const SOURCES: [&str; 2] =
    [include_str!("../../tools/npagent/main.go"), include_str!("../../tools/npagent/render.go")];

/// Finds the directory with all of them, or builds them, which takes minutes the first time and says so.
pub(super) fn find() -> Result<PathBuf> {
    let mut progress = Progress::new();
    if let Some(given) = env::var_os("COMITY_E2E_NODE_ASSETS").filter(|given| !given.is_empty()) {
        let given = PathBuf::from(given);
        match cache::missing(&given, &NAMES) {
            None => return Ok(given),
            Some(missing) => {
                progress.say(&format!("COMITY_E2E_NODE_ASSETS has no {missing}: going on without it"));
            }
        }
    }
    let (home, key) = (home()?, key()?);
    let place = Place { cache: &home, key: &key, what: "node", names: &NAMES };
    place.filled(&mut progress, |fresh, progress| {
        progress.say("building it with Go, about 5 minutes on 2 cores after the control plane");
        build::recipes(Path::new("go"), &[CONTAINERS, KUBERNETES], &Versions::pinned()?, fresh, progress)
    })
}

/// Where what is kept of nodes is.
pub(super) fn home() -> Result<PathBuf> {
    let home = cache::home()?.join("node");
    fs::create_dir_all(&home).explain(format!("make {}", home.display()))?;
    Ok(home)
}

/// What the binaries are called in the cache.
fn key() -> Result<String> {
    let module = "github.com/containerd/containerd/v2";
    let containerd = required(CONTAINERS_MODULE, module)
        .ok_or_else(|| Error::Failed(format!("e2e/containers/go.mod doesn't require {module}")))?;
    let sources = hex(&Sha256::digest(SOURCES.concat()));
    Ok(format!("{}-containerd-{containerd}-{}", Versions::pinned()?.kubernetes, &sources[..8]))
}

/// Whether nothing has to be built.
pub(super) fn are_there() -> bool {
    let given = env::var_os("COMITY_E2E_NODE_ASSETS").map(PathBuf::from);
    let cached = home().and_then(|home| Ok(home.join(key()?))).ok();
    given.into_iter().chain(cached).any(|directory| cache::missing(&directory, &NAMES).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_in_the_list_of_what_must_be_there() {
        let built: Vec<&str> = [KUBERNETES, CONTAINERS]
            .iter()
            .flat_map(|recipe| recipe.packages)
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(built, NAMES);
        assert!(key().unwrap().starts_with("v1."), "{:?}", key());
    }
}
