//! The ground that the other stories stand on: containers, their network, a policy that holds.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use e2e::{
    Error, Result, eventually,
    node::{Answer, Node, Place, kernel},
};
use serde_json::json;

/// How soon a change of a policy has to hold: that of the enforcer, on a machine that is busy.
pub const SOON: Duration = Duration::from_secs(30);

/// What a kubelet sets is set in files of its own, and nowhere else.
pub fn a_kubelets_settings_are_its_own() -> Result<()> {
    let overcommit = kernel::settings().remove("vm/overcommit_memory").unwrap_or_default();
    if overcommit.trim() == "1" {
        return Ok(());
    }
    Err(Error::Failed(format!("the kubelet was to set vm.overcommit_memory to 1, and it is {overcommit}")))
}

/// Awaits that dialling gets this answer.
pub async fn answered(from: &Place, to: SocketAddr, wanted: Answer) -> Result<()> {
    eventually(&format!("{to} to be {wanted:?}"), SOON, async || match from.dial(to) {
        Ok(answer) if answer == wanted => Ok(()),
        Ok(answer) => Err(format!("{answer:?}")),
        Err(error) => Err(error.to_string()),
    })
    .await
}

/// Does something while nothing signs; afterwards something does, whatever came of it.
pub async fn while_nothing_signs<T>(node: &Node, act: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
    let sign = node.comity()?.sign();
    sign.stop().await?;
    let done = act().await;
    sign.start().await?;
    done
}

/// What holds the policies here is judged by those who wrote down what they mean.
pub async fn the_upstream_suite_passes(node: Arc<Node>) -> Result<()> {
    println!("{}", node.play_upstream().await?.trim());
    Ok(())
}

/// Two pods, and one policy between them.
pub async fn a_policy_shuts_and_opens(node: Arc<Node>) -> Result<()> {
    let namespace = node.cluster().namespace("ground", &[]).await?;
    let server = node.pod("server", &json!({"app": "server"}), &["serve", "8443", "9090"]);
    let client = node.pod("client", &json!({"app": "client"}), &["serve", "8443"]);
    let server = node.run(&namespace, &server).await?;
    node.run(&namespace, &client).await?;
    let from = node.place(&namespace, "client").await?;
    let (https, other, closed) =
        (SocketAddr::from((server, 8443)), SocketAddr::from((server, 9090)), SocketAddr::from((server, 1)));
    answered(&from, https, Answer::Open).await?;
    answered(&from, closed, Answer::Closed).await?;

    let deny = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"]}});
    node.cluster().apply_yaml(&deny.to_string()).await?;
    for to in [https, other, closed] {
        answered(&from, to, Answer::Forbidden).await?;
    }
    let mut allow = deny.clone();
    allow["metadata"]["name"] = json!("allow");
    allow["spec"]["ingress"] =
        json!([{"from": [{"podSelector": {"matchLabels": {"app": "client"}}}], "ports": [{"port": 8443}]}]);
    node.cluster().apply_yaml(&allow.to_string()).await?;
    answered(&from, https, Answer::Open).await?;
    answered(&from, other, Answer::Forbidden).await?;
    node.cluster().delete_yaml(&allow.to_string()).await?;
    answered(&from, https, Answer::Forbidden).await?;
    node.cluster().delete_yaml(&deny.to_string()).await?;
    answered(&from, other, Answer::Open).await?;
    node.end(&namespace, "server").await
}
