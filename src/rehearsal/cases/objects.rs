//! What the partner's people may make and change in the namespace of the stage: what their roles let through,
//! and admission refuses.

use serde_json::{Value, json};

use super::{Case, Ground, request};
use crate::api::grant::Role;
use crate::api::name;
use crate::rehearsal::case::{Expected, Method, Request};

const PEOPLE: &str = "grant.people";
const EGRESS: &str = "destination.egress";

/// Every case of objects that somebody of the partner's may make at all.
pub(super) fn cases(ground: &Ground<'_>) -> Vec<Case> {
    let mut cases = Vec::new();
    if let Some(role) = ground.role_that_may("create", "apps", "deployments") {
        cases.push(make(ground, role, ("deployment", PEOPLE), "apps/v1", deployment(), Expected::Allowed));
    }
    if let Some(role) = ground.role_that_may("create", "batch", "jobs") {
        cases.extend(jobs(ground, role));
    }
    if let Some(role) = ground.role_that_may("create", "", "services") {
        cases.extend(services(ground, role));
    }
    if let Some(role) = ground.role_that_may("create", "", "configmaps") {
        cases.extend(config_maps(ground, role));
    }
    cases
}

/// What makes pods. What it makes is looked at pod by pod.
fn template() -> Value {
    json!({
        "metadata": {"labels": {"app": "rehearsal"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "tried", "image": "registry.invalid/rehearsal"}],
        },
    })
}

fn deployment() -> Value {
    let mut template = template();
    template["spec"]["restartPolicy"] = json!("Always");
    json!({
        "kind": "Deployment",
        "metadata": {"generateName": "rehearsal-"},
        "spec": {"selector": {"matchLabels": {"app": "rehearsal"}}, "template": template},
    })
}

fn jobs(ground: &Ground<'_>, role: Role) -> Vec<Case> {
    let job = |change: Value| {
        let mut spec = json!({"template": template()});
        for (field, value) in change.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        json!({"kind": "Job", "metadata": {"generateName": "rehearsal-"}, "spec": spec})
    };
    let strange = job(json!({"managedBy": "rehearsal.invalid/another"}));
    let mut lingering = job(json!({}));
    lingering["metadata"]["finalizers"] = json!(["rehearsal.invalid/stays"]);
    let says = Expected::Refused;
    vec![
        make(ground, role, ("job", PEOPLE), "batch/v1", job(json!({})), Expected::Allowed),
        make(
            ground,
            role,
            ("job-managed-by-stranger", "stages.maxDuration"),
            "batch/v1",
            strange,
            says("a Job here may not have managedBy"),
        ),
        make(
            ground,
            role,
            ("job-that-lingers", "stages.maxDuration"),
            "batch/v1",
            lingering,
            says("finalizers aren't set in the namespace of a stage"),
        ),
    ]
}

fn services(ground: &Ground<'_>, role: Role) -> Vec<Case> {
    let service = |change: Value| {
        let mut spec = json!({"selector": {"app": "rehearsal"}, "ports": [{"port": 443}]});
        for (field, value) in change.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        json!({"kind": "Service", "metadata": {"generateName": "rehearsal-"}, "spec": spec})
    };
    let try_it = |name, change, expected| make(ground, role, (name, EGRESS), "v1", service(change), expected);
    let not_plain = Expected::Refused("a Service here must be of type ClusterIP");
    let outside = Expected::Refused("a Service here may not have externalIPs or an externalName");
    vec![
        make(ground, role, ("service", PEOPLE), "v1", service(json!({})), Expected::Allowed),
        try_it("service-load-balancer", json!({"type": "LoadBalancer"}), not_plain),
        try_it("service-node-port", json!({"type": "NodePort"}), not_plain),
        try_it("service-external-address", json!({"externalIPs": ["192.0.2.1"]}), outside),
        try_it(
            "service-without-pods",
            json!({"selector": null}),
            Expected::Refused("a Service here must select pods"),
        ),
    ]
}

fn config_maps(ground: &Ground<'_>, role: Role) -> Vec<Case> {
    // Of two policies that refuse it whichever is asked first says so.
    let own = Expected::Refused("only Comity ");
    let labels = Expected::Refused("only Comity sets the labels");
    let config_map = |metadata: Value| json!({"kind": "ConfigMap", "metadata": metadata});
    let path = format!("/api/v1/namespaces/{}/configmaps/{}", ground.namespace, name::TRUST_CONFIG_MAP);
    let anchor = Request {
        by: Some(role),
        method: Method::Patch,
        path,
        body: json!({"data": {"ca.crt": ""}}),
        tells: "",
    };
    let plain = config_map(json!({"generateName": "rehearsal-"}));
    let named = config_map(json!({"name": "comity-rehearsal"}));
    let labelled = config_map(json!({
        "generateName": "rehearsal-",
        "labels": {name::LABEL_GRANT_UID: "00000000-0000-0000-0000-000000000000"},
    }));
    vec![
        make(ground, role, ("configmap", PEOPLE), "v1", plain, Expected::Allowed),
        make(ground, role, ("configmap-named-as-comitys", PEOPLE), "v1", named, own),
        make(ground, role, ("configmap-labelled-as-comitys", PEOPLE), "v1", labelled, labels),
        request(
            "change-the-trust-anchor".to_owned(),
            "security.credentialTTL",
            format!("{} would change what workloads are verified against", role.kebab()),
            anchor,
            own,
        ),
    ]
}

/// An object that somebody would make.
fn make(
    ground: &Ground<'_>,
    role: Role,
    (name, clause): (&str, &'static str),
    version: &str,
    mut body: Value,
    expected: Expected,
) -> Case {
    let kind = body["kind"].as_str().unwrap_or_default().to_owned();
    let root = if version == "v1" { "/api".to_owned() } else { "/apis".to_owned() };
    let plural = format!("{}s", kind.to_lowercase());
    let path = format!("{root}/{version}/namespaces/{}/{plural}", ground.namespace);
    body["apiVersion"] = json!(version);
    let sent = Request { by: Some(role), method: Method::Create, path, body, tells: "" };
    let tried = format!("{} would make a {kind} ({name})", role.kebab());
    request(format!("object-{name}"), clause, tried, sent, expected)
}
