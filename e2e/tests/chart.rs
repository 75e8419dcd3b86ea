//! The chart with enrolment switched on, as the real Helm renders it, and as a real API server takes it.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a story's helpers fail like its tests")]

use std::collections::BTreeMap;

use comity::api::name::{self, DEFAULT_SYSTEM_NAMESPACE as SYSTEM};
use comity::generate::rbac::process;
use e2e::cluster::identity::service_account_user;
use e2e::comity::repository;
use e2e::node::helm;
use e2e::{Cluster, Result, controlplane::Settings, eventually};
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use serde_json::{Value, json};

/// What people set, as the guide says.
const ON: [&str; 3] = [
    "enrolment.enabled=true",
    "enrolment.url=https://enrol.retail.example",
    "enrolment.serviceType=LoadBalancer",
];
/// The Service and all that gives rights for it.
const NAME: &str = "comity-enrolment";

/// What Helm makes of the chart with these settings; `None`, said loudly, where there is no Helm.
fn rendered(settings: &[&str]) -> Result<Option<String>> {
    let chart = repository().join("charts/comity").display().to_string();
    let stamps = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy";
    let fixed = ["template", "comity", &chart, "--namespace", SYSTEM, "--api-versions", stamps];
    let settings = settings.iter().map(|setting| format!("--set={setting}"));
    let found = helm(fixed.into_iter().map(str::to_owned).chain(settings))?;
    if found.is_none() {
        e2e::skipped("there is no helm, so nobody saw what it makes of enrolment");
    }
    Ok(found)
}

/// Objects by kind and name.
fn by_name(text: &str) -> BTreeMap<String, Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = |object: &Value| format!("{} {}", word(&object["kind"]), word(&object["metadata"]["name"]));
    objects.into_iter().filter(|object| !object.is_null()).map(|object| (key(&object), object)).collect()
}

/// The pod of a Deployment.
fn pod<'a>(objects: &'a BTreeMap<String, Value>, deployment: &str) -> &'a Value {
    &objects[&format!("Deployment {deployment}")]["spec"]["template"]
}

/// Whether a Service finds a pod.
fn finds(service: &Value, pod: &Value) -> bool {
    let selector = service["spec"]["selector"].as_object().expect("a selector");
    selector.iter().all(|(label, value)| pod["metadata"]["labels"][label] == *value)
}

#[test]
fn with_enrolment_helm_renders_what_the_guide_says_and_nothing_else_changes() -> Result<()> {
    let (Some(on), Some(off)) = (rendered(&ON)?, rendered(&[])?) else { return Ok(()) };
    let (mut on, off) = (by_name(&on), by_name(&off));
    assert!(!off.keys().any(|key| key.ends_with(NAME)), "nothing of it is there where it is off");
    for right in process::enrolment(SYSTEM) {
        let key = format!("{} {NAME}", right["kind"].as_str().unwrap_or_default());
        assert_eq!(on.remove(&key), Some(right), "{key}");
    }
    let service = on.remove(&format!("Service {NAME}")).expect("a Service");
    assert_eq!(service["spec"]["type"], "LoadBalancer");
    assert_eq!(service["spec"]["externalTrafficPolicy"], "Local", "so that it is seen who calls");
    assert_eq!(service["spec"]["ports"], json!([{"name": "https", "port": 443, "targetPort": "enrolment"}]));
    for (deployment, is_found) in [(name::RUN, false), (name::SIGN, true), (name::REHEARSE, false)] {
        assert_eq!(finds(&service, pod(&on, deployment)), is_found, "{deployment}");
    }
    let sign = on.get_mut(&format!("Deployment {}", name::SIGN)).expect("a Deployment");
    let container = &mut sign["spec"]["template"]["spec"]["containers"][0];
    let ports = container["ports"].as_array_mut().expect("ports");
    assert_eq!(ports.pop(), Some(json!({"containerPort": 8443, "name": "enrolment"})));
    let arguments = container["args"].as_array_mut().expect("arguments");
    assert_eq!(arguments.pop(), Some(json!("--enrol-url=https://enrol.retail.example")));
    assert_eq!(arguments.pop(), Some(json!("--enrol-listen=0.0.0.0:8443")));
    assert_eq!(on, off, "everything else is as it is without");
    Ok(())
}

#[test]
fn within_the_cluster_it_is_served_without_a_traffic_policy_and_what_is_no_address_is_refused() -> Result<()>
{
    let Some(inside) = rendered(&ON[..2])? else { return Ok(()) };
    let service = &by_name(&inside)[&format!("Service {NAME}")]["spec"];
    assert_eq!(service["type"], "ClusterIP");
    assert!(service.get("externalTrafficPolicy").is_none(), "{service}");
    for bad in ["enrolment.url=http://enrol.retail.example", "enrolment.serviceType=ExternalName"] {
        let refused = rendered(&[ON[0], ON[1], bad]).expect_err("the chart's schema refuses it").to_string();
        let field = bad.split(['.', '=']).nth(1).unwrap_or_default();
        assert!(refused.contains(field), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn the_api_server_takes_it_and_gives_the_rights_that_are_rendered() -> Result<()> {
    let (Some(on), Some(off)) = (rendered(&ON)?, rendered(&[])?) else { return Ok(()) };
    let cluster = Cluster::start(Settings::default()).await?;
    let home = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}});
    cluster.apply_yaml(&home.to_string()).await?;
    cluster.apply_yaml(&off).await?;
    let sign = service_account_user(SYSTEM, name::SIGN);
    let may_file = "certificatesigningrequests.certificates.k8s.io";
    assert!(!cluster.can(&sign, "create", may_file, None).await?, "before it is switched on");
    cluster.apply_yaml(&on).await?;
    eventually("comity sign to be let file requests", std::time::Duration::from_secs(60), async || {
        let may = cluster.can(&sign, "create", may_file, None).await.map_err(|error| error.to_string())?;
        if may { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    for other in [name::RUN, name::REHEARSE] {
        let other = service_account_user(SYSTEM, other);
        assert!(!cluster.can(&other, "create", may_file, None).await?, "{other}");
    }
    let service = Api::<Service>::namespaced(cluster.client(), SYSTEM).get(NAME).await?;
    let spec = service.spec.expect("a spec");
    assert_eq!(spec.external_traffic_policy.as_deref(), Some("Local"));
    assert_eq!(spec.ports.unwrap_or_default().first().map(|port| port.port), Some(443));
    Ok(())
}
