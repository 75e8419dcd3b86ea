//! What the processes of a control plane are told, and the files that they are told of.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use k8s_openapi::ByteString;
use serde_json::json;

use super::{
    certificates,
    find::{Binaries, Versions},
    hex, node,
};
use crate::{Explain as _, Result, process::bound};

/// User: may do everything (`system:masters`).
pub(super) const ADMIN: &str = "admin";
/// User: the controller manager, with the rights that Kubernetes gives it.
pub(super) const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";

/// Who has a token, and their groups. Those after the first two are there where there is a node.
const USERS: [(&str, &str); 6] = [
    (ADMIN, "system:masters"),
    (CONTROLLER_MANAGER, ""),
    (node::KUBELET, "system:nodes"),
    (node::SCHEDULER, ""),
    (node::PROXY, ""),
    (node::ENFORCER, ""),
];

/// Every request that writes is one line in the audit log; without bodies, which hold secrets,
/// unless [`Settings::audit_bodies`].
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: $BODIES
  userGroups: ['system:serviceaccounts:comity-system']
  verbs: [create, update, patch, delete, deletecollection]
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: Metadata
  userGroups: ['system:serviceaccounts:comity-system']
  verbs: [get, list]
- level: None
";

/// What a control plane is started with beyond the defaults of Kubernetes.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Feature gates, `Name=true`, for the API server and the controller manager.
    pub feature_gates: Vec<String>,
    /// APIs to serve, `group/version=true`.
    pub runtime_config: Vec<String>,
    /// Keep the bodies of what Comity's own accounts write in the audit log, secrets and all: for
    /// a benchmark that sends them again, on a control plane that goes with it.
    pub audit_bodies: bool,
    /// A node is to join (see [`crate::node`]): whoever runs on it has a token, and the API server
    /// listens where pods reach it. Only in a network that nobody else is in.
    pub has_node: bool,
}

/// From which Kubernetes on, `1.…`, nodes ask for certificates without anybody having switched that on.
const ASKS_BY_ITSELF: u32 = 37;

impl Settings {
    /// The API server takes the requests of nodes, and bundles of anchors: in `v1beta1` where Kubernetes has them switched
    /// off, and as Kubernetes has them by itself where it does.
    pub fn with_pod_certificates() -> Result<Self> {
        if Versions::wanted()?.minor() >= ASKS_BY_ITSELF {
            return Ok(Self::default());
        }
        Ok(Self {
            feature_gates: ["PodCertificateRequest=true", "ClusterTrustBundle=true"]
                .map(str::to_owned)
                .into(),
            runtime_config: vec!["certificates.k8s.io/v1beta1=true".to_owned()],
            ..Self::default()
        })
    }
}

/// The files of one control plane.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    directory: PathBuf,
    logs: PathBuf,
    tokens: Vec<(&'static str, String)>,
}

impl Layout {
    /// Writes certificates, tokens and the audit policy into `directory`.
    pub(super) fn prepare(directory: &Path, settings: &Settings) -> Result<Self> {
        let count = if settings.has_node { USERS.len() } else { 2 };
        let (mut tokens, mut lines) = (Vec::new(), Vec::new());
        for (user, groups) in &USERS[..count] {
            let token = random_token()?;
            let groups = if groups.is_empty() { String::new() } else { format!(",{groups}") };
            lines.push(format!("{token},{user},{user}{groups}\n"));
            tokens.push((*user, token));
        }
        let logs = log_directory(directory)?;
        let layout = Self { directory: directory.to_owned(), logs, tokens };
        certificates::write(directory)?;
        fs::write(layout.file("tokens.csv"), lines.concat())?;
        let bodies = if settings.audit_bodies { "Request" } else { "Metadata" };
        fs::write(layout.file("audit-policy.yaml"), AUDIT_POLICY.replace("$BODIES", bodies))?;
        Ok(layout)
    }

    /// The log file of the process with this name.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// The kubeconfig file with this name.
    pub(super) fn kubeconfig(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.kubeconfig"))
    }

    /// Writes the kubeconfig `name` of `user` for the API server on `port`.
    pub(super) fn write_kubeconfig(&self, name: &str, user: &str, port: u16) -> Result<PathBuf> {
        let token = self.tokens.iter().find(|(owner, _)| *owner == user).map(|(_, token)| token);
        let authority = fs::read(self.file(certificates::AUTHORITY))?;
        let path = self.kubeconfig(name);
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "comity-e2e", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority-data": ByteString(authority),
            }}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "comity-e2e", "context": {"cluster": "comity-e2e", "user": user}}],
            "current-context": "comity-e2e",
        });
        fs::write(&path, serde_json::to_vec_pretty(&kubeconfig)?)?;
        Ok(path)
    }

    /// etcd, on sockets in its own directory: no ports to clash, and nobody else gets in.
    pub(super) fn etcd(&self, binaries: &Binaries) -> Command {
        let mut command = bound(&binaries.etcd);
        command.current_dir(&self.directory).args([
            "--name=e2e",
            "--data-dir=etcd",
            "--listen-client-urls=unix://localhost:2379",
            "--advertise-client-urls=unix://localhost:2379",
            "--listen-peer-urls=unix://localhost:2380",
            "--initial-advertise-peer-urls=unix://localhost:2380",
            "--initial-cluster=e2e=unix://localhost:2380",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]);
        command
    }

    /// The API server, on `port` of loopback.
    pub(super) fn api_server(&self, binaries: &Binaries, settings: &Settings, port: u16) -> Command {
        let socket = self.directory.display();
        let mut command = bound(&binaries.api_server);
        command.current_dir(&self.directory);
        command.arg(format!("--etcd-servers=unix://{socket}/localhost:2379"));
        command.arg(format!("--secure-port={port}"));
        command.arg(format!("--tls-cert-file={}", certificates::SERVING_CERTIFICATE));
        command.arg(format!("--tls-private-key-file={}", certificates::SERVING_KEY));
        command.arg(format!("--service-account-key-file={}", certificates::ACCOUNT_PUBLIC_KEY));
        command.arg(format!("--service-account-signing-key-file={}", certificates::ACCOUNT_KEY));
        command.arg(format!("--audit-log-path={}", self.log("audit").display()));
        if settings.has_node {
            command.args(["--bind-address=0.0.0.0", &format!("--advertise-address={}", node::ADDRESS)]);
            // To run something in a pod, as `kubectl exec` does.
            command.arg(format!("--kubelet-client-certificate={}", certificates::CLIENT_CERTIFICATE));
            command.arg(format!("--kubelet-client-key={}", certificates::CLIENT_KEY));
            command.arg("--kubelet-preferred-address-types=InternalIP");
        } else {
            // There is no node that could reach the API server by its Service.
            command.args(["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"]);
        }
        command.args([
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged",
            "--audit-policy-file=audit-policy.yaml",
            "--audit-log-mode=blocking",
            // Never rotated: whoever reads it wants all of it, and it goes with the control plane.
            "--audit-log-maxsize=8192",
        ]);
        add(&mut command, "--feature-gates", &settings.feature_gates);
        add(&mut command, "--runtime-config", &settings.runtime_config);
        command
    }

    /// The controller manager, with all its controllers, each under its own ServiceAccount.
    pub(super) fn controller_manager(&self, binaries: &Binaries, settings: &Settings) -> Command {
        let mut command = bound(&binaries.controller_manager);
        command.current_dir(&self.directory).args([
            "--kubeconfig=controller-manager.kubeconfig",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--secure-port=0",
            // It shares the machine with what it serves and must not be what a story waits for.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]);
        command.arg(format!("--service-account-private-key-file={}", certificates::ACCOUNT_KEY));
        command.arg(format!("--root-ca-file={}", certificates::AUTHORITY));
        add(&mut command, "--feature-gates", &settings.feature_gates);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn add(command: &mut Command, flag: &str, values: &[String]) {
    if !values.is_empty() {
        command.arg(format!("{flag}={}", values.join(",")));
    }
}

/// Logs go with the control plane, unless `COMITY_E2E_LOGS` names a directory to keep them in.
fn log_directory(directory: &Path) -> Result<PathBuf> {
    let Some(kept) = std::env::var_os("COMITY_E2E_LOGS") else {
        return Ok(directory.to_owned());
    };
    let unique = directory.file_name().unwrap_or_default();
    let logs = PathBuf::from(kept).join(unique);
    fs::create_dir_all(&logs).explain("make the directory for logs")?;
    logs.canonicalize().explain("find the directory for logs")
}

/// 128 bits of chance: nobody else on this machine is the administrator.
fn random_token() -> Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .explain("read chance")?;
    Ok(hex(&bytes))
}
