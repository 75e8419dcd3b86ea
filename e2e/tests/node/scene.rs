//! Where stories with packets take place: the pods that serve a dataset, strangers, the cluster's DNS,
//! what lies outside, and the pods of a grant.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use comity::api::Stage;
use comity::api::grant::OpeningStatus;
use e2e::{
    Explain as _, Result,
    node::{Node, Place, prober::Way},
};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::story::Story;

/// The Service that serves the dataset at each stage, and its pod.
pub fn serves(stage: Stage) -> &'static str {
    match stage {
        Stage::Sandbox => "tx-synthetic",
        Stage::Rehearsal => "tx-masked",
        Stage::Production => "tx-real",
    }
}

/// Somebody who runs.
#[derive(Clone, Debug)]
pub struct Somebody {
    pub name: String,
    pub address: IpAddr,
    pub place: Place,
}

impl Somebody {
    /// Where it listens for what is its purpose.
    pub fn door(&self) -> SocketAddr {
        self.at(8443)
    }

    /// One of its ports.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    /// The way from here to somewhere.
    pub fn to(&self, to: SocketAddr, what: &str) -> Way {
        Way { name: format!("{} to {what} at {to}", self.name), from: self.place.clone(), to }
    }
}

/// A story with everybody in it who isn't the grant's.
pub struct Scene {
    pub node: Arc<Node>,
    pub story: Story,
    /// What serves the dataset, by stage.
    pub datasets: [Somebody; 3],
    /// In the dataset's namespace, behind no policy at all.
    pub open: Somebody,
    /// In a namespace of its own.
    pub stranger: Somebody,
    pub dns: Somebody,
}

impl Scene {
    pub async fn set(node: Arc<Node>) -> Result<Self> {
        let story = Story::on(node.cluster()).await?;
        Self::around(node, story).await
    }

    async fn around(node: Arc<Node>, story: Story) -> Result<Self> {
        let serve = ["serve", "8443", "9090"];
        let serves = |stage: Stage| {
            node.pod(serves(stage), &json!({"part-of": "transactions", "app": serves(stage)}), &serve)
        };
        let pods = Stage::ALL.map(serves);
        let open = node.pod("open", &json!({"app": "open"}), &serve);
        let stranger = node.pod("stranger", &json!({}), &serve);
        let resolver = json!({"k8s-app": "kube-dns"});
        let dns = node.pod(&story.namespace, &resolver, &["serve", "53", "53/udp", "8443"]);
        let (here, away) = (&story.namespace, node.cluster().namespace("stranger", &[]).await?);
        let (sandbox, rehearsal, production, open, stranger, dns) = tokio::try_join!(
            somebody(&node, here, &pods[0]),
            somebody(&node, here, &pods[1]),
            somebody(&node, here, &pods[2]),
            somebody(&node, here, &open),
            somebody(&node, &away, &stranger),
            somebody(&node, "kube-system", &dns),
        )?;
        let datasets = [sandbox, rehearsal, production];
        Ok(Self { node, story, datasets, open, stranger, dns })
    }

    /// What serves the dataset at a stage.
    pub fn dataset(&self, stage: Stage) -> &Somebody {
        let place = Stage::ALL.iter().position(|candidate| *candidate == stage).unwrap_or_default();
        &self.datasets[place]
    }

    /// The address of the Service that serves the dataset at a stage.
    pub async fn service(&self, stage: Stage) -> Result<SocketAddr> {
        let service = self.story.api::<Service>().get(serves(stage)).await?;
        let address = service.spec.and_then(|spec| spec.cluster_ip).unwrap_or_default();
        Ok((address.parse::<IpAddr>().explain("read the address of a Service")?, 8443).into())
    }

    /// Runs a pod of the grant in a stage that is open.
    pub async fn workload(
        &self,
        opening: &OpeningStatus,
        name: &str,
        arguments: &[&str],
    ) -> Result<Somebody> {
        somebody(&self.node, &opening.namespace.0, &self.workload_pod(name, arguments)).await
    }

    /// A pod of the grant that takes as long to end as it is let.
    pub fn workload_pod(&self, name: &str, arguments: &[&str]) -> Value {
        let mut pod = self.node.pod(name, &json!({"comity.dev/purpose": "fraud-detection"}), arguments);
        pod["spec"]["serviceAccountName"] = json!("workload-scorer");
        pod["spec"]["terminationGracePeriodSeconds"] = json!(300);
        pod
    }
}

async fn somebody(node: &Node, namespace: &str, pod: &Value) -> Result<Somebody> {
    let address = Box::pin(node.run(namespace, pod)).await?;
    let name = format!("{namespace}/{}", pod["metadata"]["name"].as_str().unwrap_or_default());
    Ok(Somebody { name, address, place: Place::of(address)? })
}
