//! The Deployments: one process each, one account each, and no more than a process needs.

use serde_json::{Value, json};

use super::template;
use crate::api::name;

/// The port for probes and metrics.
const PORT: u16 = 8080;

/// The port for enrolment.
const ENROLMENT_PORT: u16 = 8443;
/// What it is called.
const ENROLMENT: &str = "enrolment";

/// Every Deployment.
pub fn objects() -> Vec<Value> {
    [
        (name::RUN, "run", template::RUN_RESOURCES),
        (name::SIGN, "sign", template::SIGN_RESOURCES),
        (name::REHEARSE, "rehearse", template::REHEARSE_RESOURCES),
    ]
    .map(|(name, process, resources)| deployment(name, process, resources))
    .into()
}

fn deployment(name: &str, process: &str, resources: &str) -> Value {
    let mut labels = super::labels();
    labels["app.kubernetes.io/component"] = json!(process);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": template::NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            // Two of a process at once would both write: the old one goes before the new one comes.
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod(name, process, resources)},
        },
    })
}

fn pod(name: &str, process: &str, resources: &str) -> Value {
    json!({
        "serviceAccountName": name,
        "enableServiceLinks": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": process,
            "image": template::IMAGE,
            "imagePullPolicy": template::PULL_POLICY,
            "args": arguments(process),
            "ports": ports(process),
            "livenessProbe": probe("/livez", 3),
            "readinessProbe": probe("/readyz", 1),
            "resources": resources,
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
        }],
    })
}

fn ports(process: &str) -> Vec<Value> {
    let mut ports = vec![json!({"name": "http", "containerPort": PORT})];
    if process == "sign" {
        // In one line, which is there or not.
        let port = json!({"containerPort": ENROLMENT_PORT, "name": ENROLMENT});
        ports.push(json!(format!("{}{port}", template::ENROLMENT_ITEM)));
    }
    ports
}

/// The Service before enrolment. Where callers come in through nodes, their addresses stay, so that nobody uses
/// up what is another's.
pub fn enrolment() -> Value {
    let mut labels = super::labels();
    labels["app.kubernetes.io/component"] = json!("sign");
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "comity-enrolment", "namespace": template::NAMESPACE, "labels": super::labels()},
        "spec": {
            "type": template::ENROLMENT_SERVICE,
            "selector": labels,
            "ports": [{"name": "https", "port": 443, "targetPort": ENROLMENT}],
        },
    })
}

fn arguments(process: &str) -> Vec<String> {
    let mut arguments = vec![
        process.to_owned(),
        format!("--listen=0.0.0.0:{PORT}"),
        format!("--system-namespace={}", template::NAMESPACE),
        format!("--trust-domain={}", template::TRUST_DOMAIN),
        format!("--log-level={}", template::LOG_LEVEL),
    ];
    if process == "sign" {
        arguments.push(format!("--ca-lifetime={}", template::CA_LIFETIME));
        let where_enrolment = template::ENROLMENT_ITEM;
        arguments.push(format!("{where_enrolment}--enrol-listen=0.0.0.0:{ENROLMENT_PORT}"));
        arguments.push(format!("{where_enrolment}--enrol-url={}", template::ENROLMENT_URL));
    }
    // What one makes policies by, the other judges them by.
    if matches!(process, "run" | "rehearse") {
        arguments.push(format!("--cluster-cidr={}", template::CLUSTER_CIDRS));
        arguments.push(format!("--dns-namespace={}", template::DNS_NAMESPACE));
        arguments.push(format!("--dns-selector={}", template::DNS_LABELS));
    }
    arguments
}

fn probe(path: &str, failures: u8) -> Value {
    json!({
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": 5,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    })
}
