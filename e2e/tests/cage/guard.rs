//! The guard: what may run in a stage's namespace, whoever asks.

use std::collections::BTreeMap;

use e2e::{Error, Result, eventually};
use serde::Deserialize;
use serde_json::{Value, json};

use super::stage::{Caged, SOON, Stage, pod};
use super::targets::Targets;
use e2e::attempt::{Attempt, all_refused, create, delete, merge};

/// A pod that is refused: the one that is let in, with something set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variation {
    #[serde(rename = "try")]
    what: String,
    set: BTreeMap<String, Value>,
    says: String,
}

#[tokio::test]
async fn pods_are_as_the_contract_says_whoever_makes_them() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    let mut attempts = variations(include_str!("tries/guard.yaml"), &targets.stage)?;
    attempts.extend(variations(include_str!("tries/guard-restricted.yaml"), &targets.stage)?);
    all_refused(&caged.admin, &attempts, &[]).await
}

#[tokio::test]
async fn where_pod_security_allows_more_the_guard_doesnt() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("sandbox").await?;
    stage.label("pod-security.kubernetes.io/enforce", "baseline").await?;
    let attempts = variations(include_str!("tries/guard-baseline.yaml"), &stage)?;
    // Restricted refuses this one for a reason of its own: as long as it does, baseline isn't seen yet.
    let (first, says) = (&attempts[0], [attempts[0].says.as_str()]);
    eventually("baseline to be seen", SOON, || first.refused(&caged.admin, &says)).await?;
    all_refused(&caged.admin, &attempts, &[]).await
}

/// The attempts to make each pod of a file.
fn variations(text: &str, stage: &Stage) -> Result<Vec<Attempt>> {
    let variations: Vec<Variation> =
        serde_saphyr::from_str(text).map_err(|error| Error::Failed(error.to_string()))?;
    let attempt = |variation: Variation| {
        let mut varied = pod()?;
        for (pointer, value) in variation.set {
            set(&mut varied, &pointer, value);
        }
        let mut attempt = create(&stage.core("pods"), varied);
        (attempt.what, attempt.says) = (variation.what, variation.says);
        Ok(attempt)
    };
    variations.into_iter().map(attempt).collect()
}

#[tokio::test]
async fn pods_that_the_contract_allows_are_let_in() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("sandbox").await?;
    let sources = json!([{"secret": {"name": "comity-tls-scorer"}}, {"configMap": {"name": "comity-trust-stage"}}, {"downwardAPI": {}}]);
    let image = pod()?["spec"]["containers"][0]["image"].clone();
    let defaults = json!([{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]);
    let variations = [
        ("/spec/volumes/1", json!({"name": "v", "projected": {"sources": sources}})),
        ("/spec/volumes/1", json!({"name": "v", "emptyDir": {}})),
        ("/spec/volumes/1", json!({"name": "v", "image": {"reference": image}})),
        ("/spec/nodeSelector/disk", json!("fast")),
        ("/spec/tolerations", defaults),
        ("/spec/automountServiceAccountToken", json!(false)),
    ];
    for (pointer, value) in variations {
        let mut varied = pod()?;
        set(&mut varied, pointer, value);
        create(&stage.core("pods"), varied).try_as(&caged.admin).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_closed_stage_lets_no_pod_in() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("sandbox").await?;
    stage.label("comity.dev/pods", "Closed").await?;
    let attempt = create(&stage.core("pods"), pod()?);
    eventually("the gate to close", SOON, || attempt.refused(&caged.admin, &["is closed to pods"])).await?;
    stage.label("comity.dev/pods", "Open").await?;
    eventually("the gate to open", SOON, || attempt.try_as(&caged.admin)).await?;
    stage.label("comity.dev/closing", "true").await?;
    eventually("closing to close it", SOON, || attempt.refused(&caged.admin, &["is closed to pods"])).await
}

#[tokio::test]
async fn without_its_parameters_a_stage_lets_no_pod_in() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("sandbox").await?;
    let policy = format!("/apis/comity.dev/v1alpha1/namespaces/{}/stagepolicies/comity", stage.namespace);
    delete(&policy).do_as(&caged.run).await?;
    let attempt = create(&stage.core("pods"), pod()?);
    eventually("the guard to refuse", SOON, || attempt.refused(&caged.admin, &["comity-pods"])).await
}

#[tokio::test]
async fn a_pod_stays_what_it_was_let_in_as() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("sandbox").await?;
    create(&stage.core("pods"), pod()?).do_as(&caged.admin).await?;
    all_refused(&caged.admin, &stage.attempts(include_str!("tries/running.yaml"))?, &[]).await?;
    resize(&stage).await
}

/// A resize is let in while the stage is open, and not when it isn't.
async fn resize(stage: &Stage) -> Result<()> {
    let admin = &stage.caged.admin;
    let cpu = json!({"limits": {"cpu": "50m"}, "requests": {"cpu": "50m"}});
    let resources = json!({"spec": {"containers": [{"name": "scorer", "resources": cpu}]}});
    let attempt = merge(&stage.core("pods/scorer/resize"), resources);
    attempt.try_as(admin).await?;
    stage.label("comity.dev/pods", "Closed").await?;
    eventually("the gate to close", SOON, || attempt.refused(admin, &["is closed to pods"])).await
}

/// Sets what a JSON pointer points at, and makes the way there.
fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut place = object;
    for key in pointer.split('/').skip(1).map(|key| key.replace("~1", "/")) {
        place = match key.parse::<usize>() {
            Ok(index) => {
                let items = place.as_array_mut().unwrap();
                if items.len() <= index {
                    items.push(Value::Null);
                }
                &mut items[index]
            }
            Err(_) => &mut place[key],
        };
    }
    *place = value;
}
