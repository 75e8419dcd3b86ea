//! Stories of the cage and the guard, from the other side: everything that must be refused is tried,
//! and refused by the API server for the right reason; what must be let through is let through.
#![expect(clippy::unwrap_used, reason = "a story's helpers fail like its tests")]

#[path = "cage/guard.rs"]
mod guard;
#[path = "cage/letting.rs"]
mod letting;
#[path = "cage/rehearsing.rs"]
mod rehearsing;
#[path = "cage/stage.rs"]
mod stage;
#[path = "cage/targets.rs"]
mod targets;

use e2e::{
    Cluster, Result,
    attempt::{self, all_refused},
    controlplane::Settings,
};
use serde_json::json;
use stage::{Caged, SYSTEM};
use targets::Targets;

/// How RBAC refuses, which comes before admission.
const BY_RBAC: &[&str] =
    &["is forbidden: User", "is attempting to grant RBAC permissions", "cannot impersonate"];

#[tokio::test]
async fn comity_run_is_held_with_its_own_token() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    all_refused(&caged.run, &targets.attempts(include_str!("cage/tries/run.yaml"))?, BY_RBAC).await?;
    all_refused(&caged.run, &targets.attempts(include_str!("cage/tries/run-reads.yaml"))?, BY_RBAC).await
}

#[tokio::test]
async fn comity_sign_is_held_with_its_own_token() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    all_refused(&caged.sign, &targets.attempts(include_str!("cage/tries/sign.yaml"))?, BY_RBAC).await?;
    all_refused(&caged.sign, &targets.attempts(include_str!("cage/tries/sign-reads.yaml"))?, BY_RBAC).await
}

#[tokio::test]
async fn comity_rehearse_is_held_with_its_own_token() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    let tries = [include_str!("cage/tries/rehearse.yaml"), include_str!("cage/tries/rehearse-reads.yaml")];
    for text in tries {
        all_refused(&caged.rehearse, &targets.attempts(text)?, BY_RBAC).await?;
    }
    Ok(())
}

/// On a control plane of its own: the other stories see the processes as they are installed.
#[tokio::test]
async fn all_are_held_although_bound_to_cluster_admin() -> Result<()> {
    let caged = Caged::on(Cluster::start(Settings::default()).await?).await?;
    let targets = Targets::make(&caged).await?;
    for process in ["comity-run", "comity-sign", "comity-rehearse"] {
        let binding = json!({
            "metadata": {"name": format!("stolen-{process}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": process, "namespace": SYSTEM}],
        });
        attempt::create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
            .do_as(&caged.admin)
            .await?;
        let user = format!("system:serviceaccount:{SYSTEM}:{process}");
        e2e::eventually("the binding to be seen", stage::SOON, || async {
            let seen = caged.admin.can(&user, "*", "*.*", None).await.map_err(|error| error.to_string())?;
            if seen { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await?;
    }
    // RBAC lets everything through now, so nothing but admission may be what refuses.
    let by_run = all_refused(&caged.run, &targets.attempts(include_str!("cage/tries/run.yaml"))?, &[]).await;
    let by_sign =
        all_refused(&caged.sign, &targets.attempts(include_str!("cage/tries/sign.yaml"))?, &[]).await;
    let tries = targets.attempts(include_str!("cage/tries/rehearse.yaml"))?;
    by_run.and(by_sign).and(all_refused(&caged.rehearse, &tries, &[]).await)
}

#[tokio::test]
async fn what_is_comitys_only_comity_changes() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    let mallory = caged.admin.as_user("mallory", &[])?;
    all_refused(&mallory, &targets.attempts(include_str!("cage/tries/ours.yaml"))?, &[]).await
}

#[tokio::test]
async fn a_partner_gets_what_was_agreed_and_no_more() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    let engineer = targets.stage.person("model-engineer")?;
    let pod = attempt::create(&targets.stage.core("pods"), stage::pod()?);
    e2e::eventually("the engineer to be let in", stage::SOON, || pod.do_as(&engineer)).await?;
    all_refused(&engineer, &targets.attempts(include_str!("cage/tries/partner.yaml"))?, &[]).await
}
