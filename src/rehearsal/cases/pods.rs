//! What may run: a pod that conforms, and pods that break one clause each.
//!
//! They are tried as pods, the way the controllers of Kubernetes make them, because that is where they are
//! looked at: what a Deployment would make isn't looked at before.

use serde_json::{Value, json};

use super::{Case, Ground, request};
use crate::api::boundary::PodSecurity;
use crate::api::contract::KeyDelivery;
use crate::api::name;
use crate::generate::admission::cel::POD_SIGNER;
use crate::rehearsal::case::{Attempt, Expected, Method, Request};
use crate::rehearsal::judge::QUOTA;

/// A digest of nothing that was ever built: what is tried is never run.
pub(super) const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
/// An image of a place that no contract names.
pub(super) const STRANGE_IMAGE: &str = "registry.invalid/stranger";

pub(super) const REGISTRIES: &str = "destination.compute.registries";
pub(super) const STRANGER: Expected = Expected::Refused("isn't from a registry that the contract names");
const INSECURE: Expected = Expected::Refused("violates PodSecurity");

/// Every case of pods.
pub(super) fn cases(ground: &Ground<'_>) -> Vec<Case> {
    let Some(pod) = Pod::conforming(ground) else { return vec![nothing_runs()] };
    let mut cases = conforming(ground, &pod);
    cases.extend(images(ground, &pod));
    cases.extend(security(ground, &pod));
    cases.extend(placement(ground, &pod));
    cases.extend(identity(ground, &pod));
    cases.extend(quota(ground, &pod));
    cases
}

/// A pod that conforms, to be changed in one respect.
#[derive(Clone)]
struct Pod(Value);

impl Pod {
    /// One of the first workload's, with an image of the first registry; `None` where none can be.
    fn conforming(ground: &Ground<'_>) -> Option<Self> {
        let workload = ground.guard.workloads.first()?;
        let registry = ground.guard.registries.first()?;
        Some(Self::of(ground, workload.service_account_name.as_str(), registry.as_str()))
    }

    fn of(ground: &Ground<'_>, account: &str, registry: &str) -> Self {
        let image = image_of(registry);
        let mut spec = json!({
            "serviceAccountName": account,
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container("tried", &image)],
        });
        if let Some(class) = &ground.guard.runtime_class_name {
            spec["runtimeClassName"] = json!(class.as_str());
        }
        if !ground.guard.node_selector.is_empty() {
            spec["nodeSelector"] = json!(ground.guard.node_selector);
        }
        Self(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": "rehearsal-",
                "labels": {name::LABEL_PURPOSE: ground.guard.purpose.as_str()},
            },
            "spec": spec,
        }))
    }

    fn with(&self, pointer: &str, value: Value) -> Self {
        let mut changed = self.0.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(parent) = changed.pointer_mut(parent) {
            parent[field] = value;
        }
        Self(changed)
    }

    fn image(&self) -> &str {
        self.0.pointer("/spec/containers/0/image").and_then(Value::as_str).unwrap_or_default()
    }
}

/// One that conforms and runs this image.
pub(super) fn running(ground: &Ground<'_>, image: &str) -> Option<Value> {
    Some(Pod::conforming(ground)?.with("/spec/containers/0/image", json!(image)).0)
}

/// A container as strictly held as any.
pub(super) fn container(name: &str, image: &str) -> Value {
    json!({
        "name": name,
        "image": image,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
    })
}

fn image_of(registry: &str) -> String {
    format!("{}/rehearsal@{DIGEST}", registry.trim_end_matches('/'))
}

/// Where no image or no workload is agreed, no pod runs, and there is none that conforms.
fn nothing_runs() -> Case {
    Case {
        name: "pod-conforms".to_owned(),
        clause: REGISTRIES,
        tried: "a pod that conforms".to_owned(),
        attempt: Attempt::Nothing(
            "the grant has no workload, or the contract no registry: no pod can run".to_owned(),
        ),
        expected: Expected::Allowed,
    }
}

fn case(
    ground: &Ground<'_>,
    (name, clause): (&str, &'static str),
    tried: &str,
    pod: Pod,
    expected: Expected,
) -> Case {
    let path = format!("/api/v1/namespaces/{}/pods", ground.namespace);
    // What newer API servers know only.
    let newer = ["/spec/volumes/0/image", "/spec/volumes/0/projected/sources/0/podCertificate"];
    let tells = newer.into_iter().find(|one| pod.0.pointer(one).is_some()).unwrap_or_default();
    let sent = Request { by: None, method: Method::Create, path, body: pod.0, tells };
    request(format!("pod-{name}"), clause, tried.to_owned(), sent, expected)
}

/// What has to be let in: each workload, and each registry.
fn conforming(ground: &Ground<'_>, first: &Pod) -> Vec<Case> {
    let workloads = ground.guard.workloads.iter().map(|workload| {
        let registry = ground.guard.registries.first().map_or("", |registry| registry.as_str());
        let pod = Pod::of(ground, workload.service_account_name.as_str(), registry);
        let name = format!("conforms-as-{}", workload.name.as_str());
        case(ground, (&name, "purposes"), "a pod of the workload, as agreed", pod, Expected::Allowed)
    });
    let registries = ground.guard.registries.iter().enumerate().map(|(number, registry)| {
        let pod = first.with("/spec/containers/0/image", json!(image_of(registry.as_str())));
        let name = format!("image-of-registry-{}", number + 1);
        let tried = format!("an image of {}", registry.as_str());
        case(ground, (&name, REGISTRIES), &tried, pod, Expected::Allowed)
    });
    workloads.chain(registries).collect()
}

/// Images of other origins, wherever a pod can name one, and by tag.
fn images(ground: &Ground<'_>, pod: &Pod) -> Vec<Case> {
    let strange = format!("{STRANGE_IMAGE}@{DIGEST}");
    let tagged = pod.image().replace(&format!("@{DIGEST}"), ":latest");
    let refused = |name, tried, pod| case(ground, (name, REGISTRIES), tried, pod, STRANGER);
    let volume = |image: &str| json!([{"name": "model", "image": {"reference": image}}]);
    vec![
        refused(
            "image-of-stranger",
            "a container with an image of another registry",
            pod.with("/spec/containers/0/image", json!(strange)),
        ),
        refused(
            "init-image-of-stranger",
            "an init container with an image of another registry",
            pod.with("/spec/initContainers", json!([container("first", &strange)])),
        ),
        refused(
            "image-volume-of-stranger",
            "a volume with an image of another registry",
            pod.with("/spec/volumes", volume(&strange)),
        ),
        case(
            ground,
            ("image-volume", REGISTRIES),
            "a volume with an image of the contract's registry",
            pod.with("/spec/volumes", volume(pod.image())),
            Expected::Allowed,
        ),
        case(
            ground,
            ("image-by-tag", "destination.compute.imageReference"),
            "an agreed image by its tag",
            pod.with("/spec/containers/0/image", json!(tagged)),
            Expected::Refused("an image must be named by its digest"),
        ),
    ]
}

/// What Pod Security refuses.
fn security(ground: &Ground<'_>, pod: &Pod) -> Vec<Case> {
    const CLAUSE: &str = "security.podSecurity";
    let refused = |name, tried, pod| case(ground, (name, CLAUSE), tried, pod, INSECURE);
    let mut cases = vec![
        refused("host-network", "the network of the node", pod.with("/spec/hostNetwork", json!(true))),
        refused("host-processes", "the processes of the node", pod.with("/spec/hostPID", json!(true))),
        refused(
            "privileged",
            "a privileged container",
            pod.with("/spec/containers/0/securityContext/privileged", json!(true))
                .with("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
        ),
    ];
    if ground.guard.pod_security == PodSecurity::Restricted {
        let root = pod
            .with("/spec/securityContext/runAsUser", json!(0))
            .with("/spec/securityContext/runAsNonRoot", json!(false));
        cases.push(refused("as-root", "a container that runs as root", root));
    }
    cases
}

/// Where it may run, and beside whom.
fn placement(ground: &Ground<'_>, pod: &Pod) -> Vec<Case> {
    const COMPUTE: &str = "destination.compute.nodeSelector";
    let mut cases = vec![
        case(
            ground,
            ("node-name", COMPUTE),
            "a node of its own choice",
            pod.with("/spec/nodeName", json!("any")),
            Expected::Refused("a pod may not choose its node by nodeName"),
        ),
        case(
            ground,
            ("toleration", COMPUTE),
            "a toleration of every taint",
            pod.with("/spec/tolerations", json!([{"operator": "Exists"}])),
            Expected::Refused("a pod may not have tolerations beyond the default ones"),
        ),
        case(
            ground,
            ("priority", "stages.quota"),
            "to go before other pods",
            pod.with("/spec/priorityClassName", json!("system-cluster-critical")),
            Expected::Refused("a pod may not have a priority class"),
        ),
    ];
    if ground.guard.runtime_class_name.is_some() {
        let none = pod.with("/spec/runtimeClassName", Value::Null);
        let says = Expected::Refused("runtimeClassName must be");
        let about = ("runtime-class", "destination.compute.runtimeClassName");
        cases.push(case(ground, about, "no runtime class", none, says));
    }
    if !ground.guard.node_selector.is_empty() {
        let none = pod.with("/spec/nodeSelector", Value::Null);
        let says = Expected::Refused("nodeSelector must hold");
        cases.push(case(ground, ("node-selector", COMPUTE), "nodes of any kind", none, says));
    }
    cases
}

/// Whose it is, what for, and what it may hold of others.
fn identity(ground: &Ground<'_>, pod: &Pod) -> Vec<Case> {
    const WORKLOADS: &str = "grant.workloads";
    const PURPOSE: Expected = Expected::Refused("the pod must carry the label comity.dev/purpose");
    let labels = |labels: Value| pod.with("/metadata/labels", labels);
    let token = projected(pod, &json!({"serviceAccountToken": {"path": "token"}}));
    let refused = |about: (&str, &'static str), tried, pod, says| case(ground, about, tried, pod, says);
    let account = pod.with("/spec/serviceAccountName", json!("default"));
    let mounted = pod.with("/spec/automountServiceAccountToken", json!(true));
    let says = Expected::Refused;
    let mut cases = vec![
        refused(("purpose-missing", "purposes"), "no purpose", labels(json!({})), PURPOSE),
        refused(
            ("purpose-of-another", "purposes"),
            "another purpose",
            labels(json!({name::LABEL_PURPOSE: "rehearsal-of-another"})),
            PURPOSE,
        ),
        refused(
            ("account-of-another", WORKLOADS),
            "an account that is no workload's",
            account,
            says("isn't that of a workload of the grant"),
        ),
        refused(
            ("api-token", WORKLOADS),
            "a token of the API, mounted",
            mounted,
            says("a pod may not ask for a token of the API"),
        ),
        refused(
            ("api-token-projected", WORKLOADS),
            "a token of the API, projected",
            token,
            says("a pod may not project a serviceAccountToken"),
        ),
    ];
    cases.extend(keys(ground, pod));
    cases
}

/// The pod with something projected into it.
fn projected(pod: &Pod, source: &Value) -> Pod {
    pod.with("/spec/volumes", json!([{"name": "identity", "projected": {"sources": [source]}}]))
}

/// The ways to a key that the contract names, and the one that it doesn't; and what is another's.
fn keys(ground: &Ground<'_>, pod: &Pod) -> Vec<Case> {
    const CLAUSE: &str = "security.keyDelivery";
    let secret =
        |name: &str| pod.with("/spec/volumes", json!([{"name": "identity", "secret": {"secretName": name}}]));
    // One of a workload of the grant is really there, where keys are delivered so; any other name is only a name.
    let neighbour = ground.guard.workloads.get(1);
    let neighbour = neighbour.filter(|_| ground.guard.key_delivery.contains(&KeyDelivery::Secret));
    let (another, tried) = match neighbour {
        Some(workload) => {
            (workload.secret_name.as_str(), format!("the Secret of the workload {}", workload.name.as_str()))
        }
        None => ("rehearsal-of-another", "a Secret that isn't its workload's".to_owned()),
    };
    let says = Expected::Refused("the only Secret that this pod may mount is");
    let mut cases = vec![case(ground, ("secret-of-another", CLAUSE), &tried, secret(another), says)];
    let own = ground.guard.workloads.first().map_or("", |workload| workload.secret_name.as_str());
    if ground.guard.key_delivery.contains(&KeyDelivery::Secret) {
        let tried = "the Secret of its own workload";
        cases.push(case(ground, ("own-secret", CLAUSE), tried, secret(own), Expected::Allowed));
    }
    if !ground.guard.key_delivery.contains(&KeyDelivery::PodCertificate) {
        let source = json!({"podCertificate": {
            "signerName": POD_SIGNER, "keyType": "ECDSAP256", "credentialBundlePath": "identity.pem",
        }});
        let says = Expected::Refused("the contract doesn't let nodes make keys");
        let tried = "a key that the node makes";
        cases.push(case(ground, ("key-of-the-node", CLAUSE), tried, projected(pod, &source), says));
    }
    cases
}

/// More than the stage may use.
fn quota(ground: &Ground<'_>, pod: &Pod) -> Vec<Case> {
    let hard = &ground.policy.quota.hard;
    let most = ["cpu", "memory"].into_iter().find(|one| hard.contains_key(&format!("requests.{one}")));
    let Some(most) = most else { return Vec::new() };
    // More than any machine has: what the quota says needn't be added to.
    let resources = json!({"requests": {most: "1P"}, "limits": {most: "1P"}});
    let pod = pod.with("/spec/containers/0/resources", resources);
    let tried = format!("more {most} than the stage has");
    vec![case(ground, ("quota", "stages.quota"), &tried, pod, Expected::Refused(QUOTA))]
}
