//! What the policies let through, and whom: controllers, admins with `override`, who may `expire`.

use e2e::{Cluster, Error, Result, eventually};
use serde_json::{Value, json};

use super::stage::{Caged, SOON, pod};
use super::targets::Targets;
use e2e::attempt::{Attempt, create, delete, patch};

/// A user whom RBAC gives all that mallory has, and one of Comity's roles.
async fn with_role(admin: &Cluster, user: &str, role: &str) -> Result<Cluster> {
    for role in ["story-everything", role] {
        let binding = json!({
            "metadata": {"name": format!("{user}-{}", role.replace(':', "-"))},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
        });
        create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).do_as(admin).await?;
    }
    admin.as_user(user, &[])
}

#[tokio::test]
async fn who_may_override_may_change_what_is_comitys() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    let olga = with_role(&caged.admin, "olga", "comity:override").await?;
    let stage = &targets.stage;
    let allowed = [
        patch(&stage.core("resourcequotas/comity"), json!({"spec": {"hard": {"pods": "0"}}})),
        patch(&stage.itself(), json!({"metadata": {"labels": {"comity.dev/pods": "Closed"}}})),
        delete(&stage.core("secrets/comity-tls-scorer")),
        delete("/api/v1/namespaces/comity-system/secrets/comity-ca-story"),
        delete(&format!("/apis/comity.dev/v1alpha1/namespaces/{}/grantrecords/record", targets.grants)),
        delete(&stage.itself()),
    ];
    for attempt in &allowed {
        eventually("olga to be let in", SOON, || attempt.try_as(&olga)).await?;
    }
    let account = create(&stage.core("serviceaccounts"), json!({"metadata": {"name": "role-auditor"}}));
    account.refused(&olga, &["it is never made"]).await.map_err(Error::Failed)
}

#[tokio::test]
async fn who_may_expire_may_delete_a_live_grant_and_anybody_an_ended_one() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    let grants = format!("/apis/comity.dev/v1alpha1/namespaces/{}/partnergrants", targets.grants);
    let mallory = caged.admin.as_user("mallory", &[])?;
    delete(&format!("{grants}/ended")).try_as(&mallory).await?;
    let live = delete(&format!("{grants}/live"));
    live.refused(&mallory, &["needs the verb expire"]).await.map_err(Error::Failed)?;
    let eve = with_role(&caged.admin, "eve", "comity:expire").await?;
    eventually("eve to be let in", SOON, || live.try_as(&eve)).await?;
    let quota = patch(&targets.stage.core("resourcequotas/comity"), json!({"spec": {"hard": {"pods": "0"}}}));
    quota.refused(&eve, &["only Comity"]).await.map_err(Error::Failed)
}

#[tokio::test]
async fn comity_run_may_do_its_work_on_a_grant_and_on_ingress() -> Result<()> {
    let caged = Caged::shared().await?;
    let targets = Targets::make(&caged).await?;
    let grant = format!("/apis/comity.dev/v1alpha1/namespaces/{}/partnergrants", targets.grants);
    let decisions = format!("/apis/comity.dev/v1alpha1/namespaces/{}/grantdecisions", targets.grants);
    let lets_in = json!({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": targets.stage.namespace}}}]});
    let policy = json!({"metadata": {"name": "comity-from-1", "labels": {"comity.dev/grant-uid": "u"}},
        "spec": {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"], "ingress": [lets_in]}});
    let policies = format!("/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies", targets.other);
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"namespace": targets.grants}});
    let allowed = [
        patch(&format!("{grant}/ended"), json!({"metadata": {"finalizers": ["comity.dev/grant"]}})),
        patch(&format!("{grant}/live"), json!({"metadata": {"finalizers": null}})),
        patch(&format!("{grant}/live/status"), json!({"status": {"openStages": ["Sandbox"]}})),
        patch(&format!("{decisions}/decided/status"), json!({"status": {"record": 1}})),
        create(&policies, policy),
        delete(&format!("{policies}/comity-from-story")),
        create(&format!("/api/v1/namespaces/{}/events", targets.grants), event),
        delete(&targets.stage.core("pods/resting")),
        delete(&targets.stage.itself()),
    ];
    for attempt in &allowed {
        attempt
            .try_as(&caged.run)
            .await
            .map_err(|error| Error::Failed(format!("{}: {error}", attempt.what)))?;
    }
    Ok(())
}

/// What makes pods for a Deployment and a Job are controllers, and they meet the same guard.
#[tokio::test]
async fn a_partners_deployment_and_job_get_their_pods_and_a_service_its_endpoints() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("production").await?;
    let engineer = stage.person("model-engineer")?;
    let mut template = pod()?;
    template["metadata"]["labels"]["app"] = json!("scorer");
    let template = json!({"metadata": template["metadata"], "spec": template["spec"]});
    let mut job = json!({"metadata": {"name": "train"}, "spec": {"template": template}});
    job["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    let deployment = json!({"metadata": {"name": "scorer"}, "spec": {"selector": {"matchLabels": {"app": "scorer"}}, "template": template}});
    let service = json!({"metadata": {"name": "scorer"}, "spec": {"selector": {"app": "scorer"}, "ports": [{"port": 8443}]}});
    let group = |group: &str, kind: &str| format!("/apis/{group}/v1/namespaces/{}/{kind}", stage.namespace);
    let first = create(&group("apps", "deployments"), deployment);
    eventually("the engineer to be let in", SOON, || first.do_as(&engineer)).await?;
    create(&group("batch", "jobs"), job).do_as(&engineer).await?;
    create(&stage.core("services"), service).do_as(&engineer).await?;
    for (path, number) in [(stage.core("pods"), 2), (group("discovery.k8s.io", "endpointslices"), 1)] {
        eventually(&format!("{number} of {path}"), SOON, || count(&caged.admin, &path, number)).await?;
    }
    // Who deletes may wait for what is owned, by a finalizer that the API server sets itself.
    let waiting = format!("{}/scorer?propagationPolicy=Foreground", group("apps", "deployments"));
    delete(&waiting).do_as(&engineer).await?;
    eventually("the deployment to be gone", SOON, || async {
        let left = read(&caged.admin, &group("apps", "deployments")).await?["items"].to_string();
        if left == "[]" { Ok(()) } else { Err(Error::Failed(left)) }
    })
    .await?;
    // Clearing away: controllers delete what is Comity's, and the pods' finalizers still go.
    stage.label("comity.dev/closing", "true").await?;
    delete(&stage.itself()).do_as(&caged.run).await?;
    let gone = patch(&stage.itself(), json!({}));
    let within = SOON * 3;
    eventually("the namespace to be gone", within, || gone.refused(&caged.admin, &["not found"])).await
}

/// The one that Kubernetes sets, and takes off, on claims.
#[tokio::test]
async fn a_claim_has_the_finalizer_that_every_claim_has_and_no_other_one() -> Result<()> {
    let caged = Caged::shared().await?;
    let stage = caged.stage("sandbox").await?;
    let claim = |finalizers: Value| {
        let resources = json!({"requests": {"storage": "1Gi"}});
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": resources});
        create(
            &stage.core("persistentvolumeclaims"),
            json!({"metadata": {"name": "claim", "finalizers": finalizers}, "spec": spec}),
        )
    };
    let tracked = claim(json!(["batch.kubernetes.io/job-tracking"]));
    tracked.refused(&caged.admin, &["finalizers aren't set"]).await.map_err(Error::Failed)?;
    let made = claim(json!([])).do_as(&caged.admin).await?;
    let has = &made["metadata"]["finalizers"];
    if *has != json!(["kubernetes.io/pvc-protection"]) {
        return Err(Error::Failed(format!("a claim has {has}")));
    }
    delete(&stage.core("persistentvolumeclaims/claim")).do_as(&caged.admin).await?;
    eventually("the claim to be gone", SOON, || async {
        let left = read(&caged.admin, &stage.core("persistentvolumeclaims")).await?["items"].to_string();
        if left == "[]" { Ok(()) } else { Err(Error::Failed(left)) }
    })
    .await
}

/// Policies are checked against the schemas of what they speak of.
#[tokio::test]
async fn no_policy_speaks_of_fields_that_arent_there() -> Result<()> {
    let caged = Caged::shared().await?;
    let path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    eventually("every policy to be checked", SOON, || async {
        let all = read(&caged.admin, path).await?;
        let policies = all["items"].as_array().cloned().unwrap_or_default();
        let ours = policies.iter().filter(|policy| {
            policy["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("comity-"))
        });
        for policy in ours {
            let checked = &policy["status"]["typeChecking"];
            if checked.is_null() || !checked["expressionWarnings"].is_null() {
                return Err(Error::Failed(format!("{}: {}", policy["metadata"]["name"], policy["status"])));
            }
        }
        Ok(())
    })
    .await
}

async fn count(cluster: &Cluster, path: &str, number: usize) -> Result<()> {
    let found = read(cluster, path).await?["items"].as_array().map_or(0, Vec::len);
    if found >= number { Ok(()) } else { Err(Error::Failed(format!("{found}"))) }
}

async fn read(cluster: &Cluster, path: &str) -> Result<Value> {
    Attempt::reading(path).do_as(cluster).await
}
