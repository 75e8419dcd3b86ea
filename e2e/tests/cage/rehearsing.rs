//! Who rehearses acts as the roles of people where it is let in, and as nobody else anywhere; what it reports is
//! written by nobody else, and changed by nobody.

use e2e::{Error, Result, eventually};
use serde_json::json;

use super::BY_RBAC;
use super::stage::{Caged, SOON, pod};
use super::targets::{Targets, report, reports};
use e2e::attempt::{Attempt, all_refused, attempts, create, delete, patch};

/// A request that is made as a role of people, in the namespace of a stage.
fn as_engineer(namespace: &str) -> Result<Vec<Attempt>> {
    let text = "
- try: look at pods as a role
  read: /api/v1/namespaces/STAGE/pods
  as: system:serviceaccount:STAGE:role-model-engineer
- try: make a ConfigMap as a role
  create: /api/v1/namespaces/STAGE/configmaps
  with: {metadata: {name: tried}}
  as: system:serviceaccount:STAGE:role-model-engineer
";
    attempts(text, &[("STAGE", namespace)])
}

#[tokio::test]
async fn who_rehearses_acts_as_a_role_where_it_is_let_in_and_as_nobody_else() -> Result<()> {
    let caged = Caged::shared().await?;
    let (stage, other) = (caged.stage("rehearsal").await?, caged.stage("rehearsal").await?);
    let acts = as_engineer(&stage.namespace)?;
    all_refused(&caged.rehearse, &acts, BY_RBAC).await?;
    stage.rehearsed().await?;
    for act in &acts {
        eventually(&act.what, SOON, || act.try_as(&caged.rehearse)).await?;
    }
    let names = [("STAGE", stage.namespace.as_str()), ("ELSEWHERE", &other.namespace)];
    let tries = attempts(include_str!("tries/let-in.yaml"), &names)?;
    all_refused(&caged.rehearse, &tries, BY_RBAC).await?;
    // What it is let in to see, as itself: the public chains, and nothing else.
    Attempt::reading(&stage.core("configmaps/comity-trust-stage")).do_as(&caged.rehearse).await?;
    all_refused(&caged.rehearse, &[Attempt::reading(&stage.core("resourcequotas/comity"))], BY_RBAC).await?;
    let binding = format!("rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", stage.namespace);
    delete(&format!("/apis/{binding}/comity-rehearse")).do_as(&caged.run).await?;
    let over = || all_refused(&caged.rehearse, &acts, BY_RBAC);
    eventually("it to be let out again", SOON, over).await
}

#[tokio::test]
async fn who_rehearses_adds_a_container_to_a_pod_only_without_effect() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("rehearsal").await?;
    create(&stage.core("pods"), pod()?).do_as(&caged.admin).await?;
    stage.rehearsed().await?;
    let strict = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let container = |image: &str| json!([{"name": "e", "image": image, "securityContext": strict}]);
    let debug = |image: &str| {
        let path = stage.core("pods/scorer/ephemeralcontainers");
        patch(&path, json!({"spec": {"ephemeralContainers": container(image)}}))
    };
    let stranger = debug("evil.example/x");
    let said = || stranger.refused(&caged.rehearse, &["isn't from a registry"]);
    eventually("it to be let in", SOON, said).await?;
    let agreed = debug(pod()?["spec"]["containers"][0]["image"].as_str().unwrap_or_default());
    agreed.try_as(&caged.rehearse).await?;
    match agreed.do_as(&caged.rehearse).await {
        Err(error) if error.to_string().contains("held to reports of what it saw") => Ok(()),
        answer => Err(Error::Failed(format!("with effect: {answer:?}"))),
    }
}

#[tokio::test]
async fn comity_run_lets_who_rehearses_into_rehearsals_alone() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("rehearsal").await?;
    let other = caged.admin.namespace("other", &[]).await?;
    let names = [("STAGE", stage.namespace.as_str()), ("OTHER", &other)];
    let tries = attempts(include_str!("tries/rehearser.yaml"), &names)?;
    all_refused(&caged.run, &tries, BY_RBAC).await?;
    for kind in ["sandbox", "production"] {
        let answer = caged.stage(kind).await?.rehearsed().await;
        match answer {
            Err(error) if error.to_string().contains("only its fixed pairs") => {}
            answer => return Err(Error::Failed(format!("{kind}: {answer:?}"))),
        }
    }
    stage.rehearsed().await
}

#[tokio::test]
async fn a_report_is_written_by_who_rehearses_and_changed_by_nobody() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    let reports = reports(&targets.grants);
    let only = ["only comity rehearse writes reports"];
    let another = create(&reports, report("another"));
    let changed = json!({"spec": {"counts": {"passed": 41}}});
    let edits = [
        patch(&format!("{reports}/report"), json!({"metadata": {"annotations": {"a": "b"}}})),
        patch(&format!("{reports}/report"), changed),
    ];
    // The administrator may do everything, override what is Comity's too.
    another.refused(&caged.admin, &only).await.map_err(Error::Failed)?;
    for edit in &edits {
        let words = [only[0], "a report never changes"];
        edit.refused(&caged.admin, &words).await.map_err(Error::Failed)?;
        edit.refused(&caged.rehearse, BY_RBAC).await.map_err(Error::Failed)?;
    }
    another.try_as(&caged.rehearse).await?;
    delete(&format!("{reports}/report")).try_as(&caged.admin).await?;
    Ok(())
}
