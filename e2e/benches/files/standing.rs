//! `comity list` over many grants that stand, on a control plane of its own: each has the status that Comity wrote
//! for the one that it opened.

use std::path::Path;
use std::time::{Duration, Instant};

use comity::api::grant::PartnerGrantStatus;
use comity::api::{PartnerGrant, Stage};
use e2e::cluster::await_object;
use e2e::controlplane::Settings;
use e2e::{Cluster, Comity, Explain as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::{Given, Options, Timed, sharing};

const PLACE: &str = "team-000";
/// How many grants a bare page holds.
const PAGE: usize = 250;
/// How many are written at once.
const WORKERS: usize = 16;
const SOON: Duration = Duration::from_secs(60);

/// Who looks: with the role that docs/read-a-status.md names.
const VIEWER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: viewers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: \"comity:viewer\"}
subjects: [{kind: Group, name: viewers, apiGroup: rbac.authorization.k8s.io}]
";

/// Makes the grants, and lists them.
pub async fn measure(program: &Path, options: Options) -> Result<Vec<Timed>> {
    eprintln!("• a control plane of its own, and {} grants in it", options.grants);
    let cluster = Cluster::start(Settings::default()).await?;
    let comity = Comity::start(&cluster).await?;
    let status = opened(&cluster).await?;
    tokio::try_join!(comity.run().stop(), comity.sign().stop())?;
    let grants: Api<PartnerGrant> = Api::namespaced(cluster.client(), PLACE);
    stream::iter(1..options.grants)
        .map(|number| made(&grants, number, &status))
        .buffer_unordered(WORKERS)
        .try_collect::<Vec<()>>()
        .await?;
    cluster.apply_yaml(VIEWER).await?;
    let kubeconfig = cluster.kubeconfig_for_user("vera@retail.example", &["viewers"], PLACE)?;
    let (goal, count) = (Duration::from_millis(300), options.grants);
    let mut timed = vec![bare(&cluster, options).await?];
    for arguments in [vec!["list"], vec!["list", "--all-namespaces", "-o", "json"]] {
        let what = format!("`{}`, {count} grants", arguments.join(" "));
        let mut given =
            Given { program, arguments: &arguments, input: None, codes: &[0], kubeconfig: Some(&kubeconfig) };
        timed.push(given.timed(what, Some(goal), options.times)?);
    }
    Ok(timed)
}

/// How long the API server takes for the same, asked for page by page by somebody who doesn't read it.
async fn bare(cluster: &Cluster, options: Options) -> Result<Timed> {
    let client = cluster.client_as("vera@retail.example", &["viewers"])?;
    let path = format!("/apis/comity.dev/v1alpha1/namespaces/{PLACE}/partnergrants?limit={PAGE}");
    let mut took = Vec::new();
    for _ in 0..options.times.max(1) {
        let (begun, mut next) = (Instant::now(), Some(String::new()));
        while let Some(token) = next {
            let request = http::Request::get(format!("{path}&continue={token}")).body(Vec::new());
            let page = client.request_text(request.explain("ask for a page")?).await?;
            // It stands at the very end.
            let rest = page.rsplit_once("\"continue\":\"").map(|(_, rest)| rest);
            next = rest.and_then(|rest| rest.split_once('"')).map(|(token, _)| token.to_owned());
            next = next.filter(|token| !token.is_empty());
        }
        took.push(begun.elapsed());
    }
    took.sort();
    let what = format!("· bare: the same pages, {} grants, unread", options.grants);
    Ok(Timed { what, goal: None, took })
}

/// What Comity says of a grant whose sandbox is open.
async fn opened(cluster: &Cluster) -> Result<PartnerGrantStatus> {
    let folder = tempfile::tempdir().explain("make a folder")?;
    sharing::write(folder.path(), 60, sharing::Version::Before)?;
    let mut text = sharing::joined(folder.path())?;
    // Of the team's grants only the first: the others get what is said of it.
    let first = sharing::grant(0, 0, sharing::Version::Before);
    let ground: Vec<&str> =
        text.split("\n---\n").filter(|one| !one.contains("kind: PartnerGrant\n")).collect();
    text = ground.join("\n---\n");
    cluster.apply_yaml(&format!("{text}\n---\n{first}")).await?;
    let grants: Api<PartnerGrant> = Api::namespaced(cluster.client(), PLACE);
    await_object(&grants, "grant-00", "its sandbox to be open", SOON, |grant: &PartnerGrant| {
        let status = grant.status.clone().ok_or("no status yet")?;
        if status.open_stages == [Stage::Sandbox] {
            Ok(status)
        } else {
            Err(format!("{:?}", status.conditions))
        }
    })
    .await
}

/// Makes a grant of which the same is said.
async fn made(grants: &Api<PartnerGrant>, number: usize, status: &PartnerGrantStatus) -> Result<()> {
    let text = sharing::grant(0, number, sharing::Version::Before);
    let mut grant: PartnerGrant = serde_saphyr::from_str(&text).explain("read a grant")?;
    let name = format!("grant-{number:04}");
    grant.metadata.name = Some(name.clone());
    grants.create(&PostParams::default(), &grant).await?;
    let told = Patch::Merge(json!({"status": status}));
    grants.patch_status(&name, &PatchParams::default(), &told).await?;
    Ok(())
}
