//! The node, running, and what a story does with it.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::core::v1::{Node as Known, Pod};
use kube::{Api, ResourceExt as _, api::DeleteParams};
use serde_json::{Value, json};

use super::{
    ADDRESS, ELSEWHERE, Image, NAME, POD_NETWORK, Place, REPOSITORY, binaries,
    configuration::Layout,
    ground, kernel,
    program::{self, script},
};
use crate::{
    Cluster, Comity, Error, Explain as _, Result,
    cluster::{await_condition, await_gone, await_object},
    controlplane::{Settings, node as users},
    eventually,
    process::{Process, bound},
};

/// How long a node, or a pod on it, may take on a machine that is busy with everything else.
const SOON: Duration = Duration::from_secs(90);

/// What holds pods to network policies.
const ENFORCER: &str = "npagent";

/// The table of packet filters by which it does (`e2e/tools/npagent/render.go`).
const HELD: &str = "inet comity_e2e";

/// A node on which nobody holds pods to network policies, while this is kept.
#[derive(Debug)]
pub struct Unheld<'a> {
    enforcer: &'a Process,
    /// What they were held to.
    kept: PathBuf,
}

impl Drop for Unheld<'_> {
    fn drop(&mut self) {
        // An enforcer that has ended says so by itself, and a node that is open to all fails the stories after this one.
        let _ = script(&format!("nft -f {}", self.kept.display()));
        let _ = self.enforcer.resume();
    }
}

/// A cluster with one node, and Comity on it.
pub struct Node {
    cluster: Cluster,
    comity: Option<Comity>,
    image: Image,
    layout: Layout,
    /// Killed in this order.
    processes: Vec<Process>,
}

impl Node {
    /// Starts all of it. Only inside (see [`super::tier`]); `directory` is for its files.
    pub(super) async fn start(directory: &Path, speaker: &Path) -> Result<Self> {
        let binaries = binaries::find()?;
        let layout = directory.join("node");
        fs::create_dir_all(&layout)?;
        let archive = layout.join("image.tar");
        let image = Image::write(speaker, REPOSITORY, None, &archive)?;
        let layout = Layout::prepare(layout, &binaries, &image.reference)?;
        settle(&layout)?;
        let gates = ["PodCertificateRequest", "ClusterTrustBundle", "ClusterTrustBundleProjection"];
        let settings = Settings {
            feature_gates: gates.map(|gate| format!("{gate}=true")).to_vec(),
            runtime_config: vec!["certificates.k8s.io/v1beta1=true".to_owned()],
            has_node: true,
            ..Settings::default()
        };
        let cluster = Cluster::start(settings).await?;
        let mut node = Self { cluster, comity: None, image, layout, processes: Vec::new() };
        match Box::pin(node.begin(&binaries, &archive)).await {
            Ok(()) => Ok(node),
            Err(error) => Err(Error::Failed(format!("{error}\n{}", node.last_words()))),
        }
    }

    /// Starts what a node consists of, and a first pod: where that runs, others do.
    async fn begin(&mut self, binaries: &Path, archive: &Path) -> Result<()> {
        self.start_containers(binaries, archive).await?;
        self.start_agents(binaries).await?;
        self.await_ready().await?;
        self.run("default", &self.pod("first", &json!({}), &[])).await?;
        self.end("default", "first").await
    }

    /// What everything of the node said last.
    fn last_words(&self) -> String {
        let words = |process: &Process| format!("---- {} ----\n{}", process.name(), process.last_words());
        self.processes.iter().map(words).collect::<Vec<_>>().join("\n")
    }

    /// Installs Comity, and starts its processes beside the node.
    pub(super) async fn start_comity(&mut self) -> Result<()> {
        self.comity = Some(Comity::start(&self.cluster).await?);
        Ok(())
    }

    /// The cluster, as its administrator sees it.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Comity's processes.
    pub fn comity(&self) -> Result<&Comity> {
        self.comity.as_ref().ok_or_else(|| Error::Failed("Comity isn't running".to_owned()))
    }

    /// Where pods reach the API server.
    pub fn api_server(&self) -> Result<SocketAddr> {
        let address = ADDRESS.parse::<IpAddr>().explain("read the node's address")?;
        let port = self.plane()?.config().cluster_url.port_u16().unwrap_or(443);
        Ok((address, port).into())
    }

    /// The image that the node has, and no other.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// A pod that is let in wherever Pod Security is at its strictest. It runs the speaker with
    /// these arguments.
    pub fn pod(&self, name: &str, labels: &Value, arguments: &[&str]) -> Value {
        let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true});
        let resources = json!({"requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "200m", "memory": "64Mi"}});
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 1,
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{"name": "speaker", "image": self.image.reference, "args": arguments,
                    "securityContext": context, "resources": resources}],
            },
        })
    }

    /// Makes a pod and awaits that it is running; its address.
    pub async fn run(&self, namespace: &str, pod: &Value) -> Result<IpAddr> {
        let pod = self.make(namespace, pod).await?;
        self.address(namespace, &pod.name_any()).await
    }

    /// Makes a pod, and awaits nothing more than that it is let in.
    pub async fn make(&self, namespace: &str, pod: &Value) -> Result<Pod> {
        let pod: Pod = serde_json::from_value(pod.clone()).explain("read a pod")?;
        let pods = Api::<Pod>::namespaced(self.cluster.client(), namespace);
        // A namespace that was just opened lets pods in as soon as admission has heard of it.
        let what = format!("pod {namespace}/{} to be let in", pod.name_any());
        eventually(&what, SOON, async || {
            pods.create(&kube::api::PostParams::default(), &pod).await.map_err(|error| error.to_string())
        })
        .await
    }

    /// Awaits that a pod is running and ready; its address.
    pub async fn address(&self, namespace: &str, name: &str) -> Result<IpAddr> {
        let pods = Api::<Pod>::namespaced(self.cluster.client(), namespace);
        await_condition(&pods, name, "Ready", "True", SOON).await?;
        await_object(&pods, name, "an address", SOON, |pod| {
            let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
            address.and_then(|text| text.parse().ok()).ok_or_else(|| "none yet".to_owned())
        })
        .await
    }

    /// Where a running pod dials from.
    pub async fn place(&self, namespace: &str, name: &str) -> Result<Place> {
        Place::of(self.address(namespace, name).await?)
    }

    /// Deletes a pod and awaits that it is gone.
    pub async fn end(&self, namespace: &str, name: &str) -> Result<()> {
        let pods = Api::<Pod>::namespaced(self.cluster.client(), namespace);
        pods.delete(name, &DeleteParams::default()).await?;
        await_gone(&pods, name, SOON).await
    }

    /// Makes an image of a program, and has the node take it in under a name and a tag, or by its digest.
    pub fn take(&self, program: &Path, repository: &str, tag: Option<&str>) -> Result<Image> {
        let archive = self.layout.file("another.tar");
        let image = Image::write(program, repository, tag, &archive)?;
        self.import(&binaries::find()?, &archive)?;
        fs::remove_file(archive)?;
        Ok(image)
    }

    /// Has Kubernetes' own suite of network policies run; fails with its words unless all of it passes.
    pub async fn play_upstream(&self) -> Result<String> {
        let suite = super::upstream::find()?;
        let archive = self.layout.file("agnhost.tar");
        Image::named(&suite.join("agnhost"), &super::upstream::image(&suite)?, &archive)?;
        self.import(&binaries::find()?, &archive)?;
        let log = self.plane()?.log_file("upstream");
        super::upstream::play(&suite, self.cluster.kubeconfig(), &log).await
    }

    /// What the speaker in a pod printed so far, also in one that is gone.
    pub fn printed(&self, namespace: &str, name: &str) -> String {
        let directories = fs::read_dir(self.layout.pod_logs()).into_iter().flatten().flatten();
        let prefix = format!("{namespace}_{name}_");
        let mine = directories.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        let files = mine.map(|entry| entry.path().join("speaker/0.log"));
        files.map(|file| fs::read_to_string(file).unwrap_or_default()).collect()
    }

    /// Nobody holds pods to network policies, until what this gives is dropped.
    pub fn without_enforcer(&self) -> Result<Unheld<'_>> {
        let found = self.processes.iter().find(|process| process.name() == ENFORCER);
        let enforcer = found.ok_or_else(|| Error::Failed("no enforcer runs".to_owned()))?;
        enforcer.pause()?;
        let unheld = Unheld { enforcer, kept: self.layout.file("kept.nft") };
        script(&format!("nft list table {HELD} > {}", unheld.kept.display()))?;
        script(&format!("nft delete table {HELD}"))?;
        Ok(unheld)
    }

    /// An error with its last words, if anything of the node has ended.
    pub fn check(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::check)
    }

    async fn start_containers(&mut self, binaries: &Path, archive: &Path) -> Result<()> {
        let mut command = bound(binaries.join("containerd"));
        command.arg("--config").arg(self.layout.file("containerd.toml"));
        self.spawn("containerd", binaries, command)?;
        eventually("containerd to be ready", SOON, async || {
            // Where something has ended there's nothing to wait for.
            if let Err(ended) = self.check() {
                return Ok(Err(ended));
            }
            self.ctr(binaries, &["plugins", "list", "-q"]).map(|_| Ok(()))
        })
        .await??;
        self.import(binaries, archive)
    }

    fn import(&self, binaries: &Path, archive: &Path) -> Result<()> {
        let archive = archive.display().to_string();
        let import = ["images", "import", "--local", "--snapshotter", "native", &archive];
        self.ctr(binaries, &import).explain("import an image").map(drop)
    }

    /// Asks containerd.
    fn ctr(&self, binaries: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = bound(binaries.join("ctr"));
        command.arg("--address").arg(self.layout.socket()).args(["--namespace", "k8s.io"]).args(arguments);
        program::output("ctr", command)
    }

    async fn start_agents(&mut self, binaries: &Path) -> Result<()> {
        let viewer = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": users::ENFORCER},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": users::ENFORCER}],
        });
        self.cluster.apply_yaml(&viewer.to_string()).await?;
        let file = |name: &str| self.layout.file(name).display().to_string();
        let kubelet = [
            format!("--config={}", file("kubelet.json")),
            format!("--root-dir={}", file("kubelet")),
            format!("--cert-dir={}", file("certificates")),
            format!("--client-ca-file={}", self.plane()?.authority().display()),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={ADDRESS}"),
        ];
        self.agent("kubelet", users::KUBELET, binaries, &kubelet)?;
        let scheduler = ["--leader-elect=false".to_owned()];
        self.agent("kube-scheduler", users::SCHEDULER, binaries, &scheduler)?;
        let proxy = [
            "--proxy-mode=nftables".to_owned(),
            format!("--hostname-override={NAME}"),
            format!("--cluster-cidr={POD_NETWORK}"),
            // Of the whole kernel: they stay as they are.
            "--conntrack-max-per-core=0".to_owned(),
            "--conntrack-tcp-timeout-established=0".to_owned(),
            "--conntrack-tcp-timeout-close-wait=0".to_owned(),
        ];
        self.agent("kube-proxy", users::PROXY, binaries, &proxy)?;
        let enforcer = [format!("--node={NAME}"), format!("--pod-network={POD_NETWORK}")];
        self.agent(ENFORCER, users::ENFORCER, binaries, &enforcer)
    }

    /// Starts one of those that work by the API server.
    fn agent(&mut self, name: &str, user: &str, binaries: &Path, arguments: &[String]) -> Result<()> {
        let kubeconfig = self.plane()?.kubeconfig_of(user)?;
        let mut command = bound(binaries.join(name));
        command.arg(format!("--kubeconfig={}", kubeconfig.display())).args(arguments);
        self.spawn(name, binaries, command)
    }

    fn spawn(&mut self, name: &str, binaries: &Path, mut command: std::process::Command) -> Result<()> {
        command.env("PATH", program::path(Some(binaries.to_owned())));
        let log: PathBuf = self.plane()?.log_file(name);
        self.processes.insert(0, Process::start(name, command, &log)?);
        Ok(())
    }

    fn plane(&self) -> Result<&crate::ControlPlane> {
        let plane = self.cluster.control_plane();
        plane.ok_or_else(|| Error::Failed("the node has no control plane of its own".to_owned()))
    }

    async fn await_ready(&mut self) -> Result<()> {
        let nodes = Api::<Known>::all(self.cluster.client());
        eventually("the node to be ready", SOON, async || {
            if let Err(ended) = self.check() {
                return Ok(Err(ended));
            }
            let status = nodes.get(NAME).await.map_err(|error| error.to_string())?.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let is_ready = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
            if is_ready { Ok(Ok(())) } else { Err(format!("{conditions:?}")) }
        })
        .await?
    }
}

/// Runs a pod, says so, and does nothing more: for those who kill it.
pub(super) async fn hold(node: &Node) -> Result<()> {
    node.run("default", &node.pod("held", &json!({}), &["serve", "8443"])).await?;
    let namespace = super::inside::namespace_of(std::process::id()).unwrap_or_default();
    println!("holding {}", namespace.display());
    std::future::pending().await
}

/// Makes the namespaces around this process the node's: its addresses, its mounts, its settings.
fn settle(layout: &Layout) -> Result<()> {
    kernel::shadow(&layout.file("settings"))?;
    ground::cover()?;
    script("ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward")?;
    // Whoever is refused is told so each time, however often they try.
    script("echo 0 >/proc/sys/net/ipv4/icmp_ratemask")?;
    for address in [ADDRESS].iter().chain(&ELSEWHERE) {
        script(&format!("ip address add {address}/32 dev lo"))?;
    }
    ELSEWHERE.iter().try_for_each(|address| [443, 80].iter().try_for_each(|port| listen((*address, *port))))
}

/// Takes connections in, for as long as this process lives.
fn listen(at: (&str, u16)) -> Result<()> {
    let listener = TcpListener::bind(at).explain(format!("listen on {at:?}"))?;
    std::thread::spawn(move || listener.incoming().for_each(drop));
    Ok(())
}
