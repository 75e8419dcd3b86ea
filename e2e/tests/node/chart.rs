//! Comity as its users run it: the chart, rendered by Helm, with its processes as pods, from an image that
//! holds the binary and the libraries it is linked to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use comity::api::Stage;
use comity::api::name::DEFAULT_SYSTEM_NAMESPACE;
use e2e::comity::{binary, repository};
use e2e::node::tls::LET_IN;
use e2e::node::{Node, helm};
use e2e::{Error, Result, cluster::await_object, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use super::door::{believing, certified, credential, prints, serve, with_keys_of_nodes};
use super::story::{Wish, ensure};

/// Where the image is said to come from.
const REPOSITORY: &str = "registry.example/comity";
const TAG: &str = "e2e";
/// How long a Deployment may take until it is as it should be.
const SOON: Duration = Duration::from_secs(90);
const DEPLOYMENTS: [&str; 3] = ["comity-run", "comity-sign", "comity-rehearse"];

pub async fn the_chart_runs_as_pods(node: Arc<Node>) -> Result<()> {
    let Some(rendered) = rendered()? else {
        let missing = "there is no helm, so nobody saw the chart run as pods";
        if env::var("COMITY_E2E_NODE").is_ok_and(|asked| asked == "require") {
            return Err(Error::Failed(missing.to_owned()));
        }
        e2e::skipped(missing);
        return Ok(());
    };
    node.take(&binary().await?, REPOSITORY, Some(TAG))?;
    let comity = node.comity()?;
    comity.stop_all().await?;
    node.cluster().apply_yaml(&rendered).await?;
    let played = played(node.clone()).await;
    for name in DEPLOYMENTS {
        let nobody = Patch::Merge(json!({"spec": {"replicas": 0}}));
        deployments(&node).patch(name, &PatchParams::default(), &nobody).await?;
    }
    eventually("the pods to be gone", SOON, async || match pods(&node).await {
        Ok(pods) if pods.is_empty() => Ok(()),
        Ok(pods) => Err(format!("{} pods", pods.len())),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    comity.start_all().await?;
    played
}

/// What Helm makes of the chart; `None` where there is no Helm.
fn rendered() -> Result<Option<String>> {
    let chart = repository().join("charts/comity").display().to_string();
    let image = format!("image.repository={REPOSITORY},image.tag={TAG}");
    helm([
        "template",
        "comity",
        &chart,
        "--namespace",
        DEFAULT_SYSTEM_NAMESPACE,
        "--api-versions",
        "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy",
        "--set",
        &image,
    ])
}

/// A grant's pod is certified, and let in where its data is.
async fn played(node: Arc<Node>) -> Result<()> {
    for name in DEPLOYMENTS {
        await_object(&deployments(&node), name, "a pod that is available", SOON, |deployment| {
            let status = deployment.status.clone().unwrap_or_default();
            if status.available_replicas == Some(1) { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await?;
    }
    let held = held();
    ensure(held == ["65532 reads only, without a shell"; 3], || format!("{held:?}"))?;
    let story = with_keys_of_nodes(&node, 3).await?;
    let wish = Wish { times: ["4h", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
    story.ask(&wish).await?;
    let opening = story.opened(&wish, Stage::Sandbox).await?;
    let own = credential(&story, &opening).await?;
    let server = serve(&node, &story, Stage::Sandbox, &own.anchor, &[("8443", &own.id)]).await?;
    let asking = certified(&node, "asking", &["ask", "/tls", &server.door(8443).to_string()]);
    node.run(&opening.namespace.0, &believing(asking, &server)).await?;
    prints(&node, &opening.namespace.0, "asking", &format!("told {LET_IN} {}", own.id)).await?;
    let restarts = |pod: &Pod| -> i32 {
        let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        statuses.map(|status| status.restart_count).sum()
    };
    let restarts: i32 = pods(&node).await?.iter().map(restarts).sum();
    ensure(restarts == 0, || format!("they were restarted {restarts} times"))
}

/// As whom each process of Comity runs, and in what, as the kernel says.
fn held() -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let comity = processes
        .filter(|process| fs::read_link(process.join("exe")).is_ok_and(|exe| exe == Path::new("/comity")));
    let told = comity.map(|process| {
        let read = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
        let (status, mounts) = (read("status"), read("mountinfo"));
        let user = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next());
        let root = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let root = root.filter(|words| words.get(4) == Some(&"/")).find_map(|words| words.get(5).copied());
        let reads = root.is_some_and(|options| options.split(',').any(|option| option == "ro"));
        let shell =
            ["bin/sh", "bin/bash", "usr/bin/sh"].map(|shell| process.join("root").join(shell).exists());
        format!(
            "{} {}, {} a shell",
            user.unwrap_or_default(),
            if reads { "reads only" } else { "writes" },
            if shell.contains(&true) { "with" } else { "without" }
        )
    });
    told.collect()
}

fn deployments(node: &Node) -> Api<Deployment> {
    Api::namespaced(node.cluster().client(), DEFAULT_SYSTEM_NAMESPACE)
}

async fn pods(node: &Node) -> Result<Vec<Pod>> {
    let pods = Api::<Pod>::namespaced(node.cluster().client(), DEFAULT_SYSTEM_NAMESPACE);
    Ok(pods.list(&ListParams::default()).await?.items)
}
