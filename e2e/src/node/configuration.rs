//! What kubelet, containerd and the network's plugins are told.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{POD_NETWORK, ground::GROUP};
use crate::{Explain as _, Result};

/// The files of a node.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    directory: PathBuf,
}

impl Layout {
    /// Writes all configuration below `directory`.
    pub(super) fn prepare(directory: PathBuf, binaries: &Path, pause: &str) -> Result<Self> {
        let layout = Self { directory };
        for part in ["network", "manifests", "settings"] {
            fs::create_dir_all(layout.file(part)).explain(format!("make {part}"))?;
        }
        fs::write(layout.file("network/10-pods.conflist"), layout.network().to_string())?;
        fs::write(layout.file("containerd.toml"), layout.containerd(binaries, pause))?;
        fs::write(layout.file("kubelet.json"), layout.kubelet().to_string())?;
        Ok(layout)
    }

    /// A file or directory of the node.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// containerd's socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.file("containerd.sock")
    }

    /// What containers print, by pod and container.
    pub(super) fn pod_logs(&self) -> PathBuf {
        self.file("logs")
    }

    /// A pair of devices for each pod, and routes: what pods send each other is forwarded by the
    /// node, and so passes its filters.
    fn network(&self) -> serde_json::Value {
        let addresses = json!({
            "type": "host-local", "dataDir": self.file("addresses"),
            "ranges": [[{"subnet": POD_NETWORK}]], "routes": [{"dst": "0.0.0.0/0"}],
        });
        let plugin = json!({"type": "ptp", "ipMasq": false, "ipam": addresses});
        json!({"cniVersion": "1.0.0", "name": "comity-e2e", "plugins": [plugin]})
    }

    /// Images are copied rather than layered: an overlay isn't to be had on every file system.
    /// Without the right to lower the score by which the kernel kills, runc fails unless told.
    fn containerd(&self, binaries: &Path, pause: &str) -> String {
        let path = |name: &str| self.file(name).display().to_string();
        format!(
            r#"version = 3
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{opt}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{binaries}"]
    conf_dir = "{network}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
  # What the examples ask for isn't to be had here: the ordinary one stands in for it.
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.kata-cc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.kata-cc.options]
      SystemdCgroup = false
"#,
            root = path("containerd"),
            state = path("running"),
            socket = self.socket().display(),
            opt = path("opt"),
            binaries = binaries.display(),
            network = path("network"),
        )
    }

    fn kubelet(&self) -> serde_json::Value {
        let socket = format!("unix://{}", self.socket().display());
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": false}, "webhook": {"enabled": true}},
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{GROUP}"),
            "failCgroupV1": false,
            "failSwapOn": false,
            "containerRuntimeEndpoint": socket,
            "imageServiceEndpoint": socket,
            "staticPodPath": self.file("manifests"),
            "volumePluginDir": self.file("plugins"),
            "podLogsDir": self.pod_logs(),
            "resolvConf": "",
            "makeIPTablesUtilChains": false,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%",
                "imagefs.available": "0%", "imagefs.inodesFree": "0%"},
            "imageGCHighThresholdPercent": 100,
            // Stories count what pods printed from the first line on.
            "containerLogMaxSize": "1Gi",
            "nodeStatusUpdateFrequency": "4s",
            "syncFrequency": "5s",
            // Secrets and ConfigMaps are read when a pod asks for them, and then watched.
            "configMapAndSecretChangeDetectionStrategy": "Watch",
            // Settings that can't be made, and a kernel log that can't be read, are no errors.
            "featureGates": {"KubeletInUserNamespace": true, "PodCertificateRequest": true,
                "ClusterTrustBundle": true, "ClusterTrustBundleProjection": true},
        })
    }
}
