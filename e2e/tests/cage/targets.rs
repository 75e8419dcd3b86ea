//! What attempts are aimed at: stages, somebody else's namespace, and a live grant.

use e2e::{Result, eventually};
use serde_json::{Value, json};

use super::stage::{Caged, SOON, Stage, pod};
use e2e::attempt::{Attempt, apply, attempts, create};

/// The names that stand for words in `tries/*.yaml`.
pub struct Targets {
    /// A stage that is open: `STAGE`.
    pub stage: Stage,
    /// A stage that is closing: `CLOSING`.
    closing: String,
    /// Somebody else's namespace, which opted in to ingress policies: `OTHER`.
    pub other: String,
    /// The namespace of a live grant, an ended one, a record and a report: `GRANTS`.
    pub grants: String,
}

impl Targets {
    /// Makes them.
    pub async fn make(caged: &Caged) -> Result<Self> {
        let other = caged.admin.namespace("other", &[("comity.dev/dataset-ingress", "true")]).await?;
        let grants = caged.admin.namespace("grants", &[("comity.dev/shares", "true")]).await?;
        let text = include_str!("targets.yaml").replace("OTHER", &other).replace("GRANTS", &grants);
        caged.admin.apply_yaml(&text).await?;
        let record = json!({
            "apiVersion": "comity.dev/v1alpha1", "kind": "GrantRecord", "metadata": {"name": "record"},
            "spec": {"grant": {"name": "live", "uid": "6f0c"}, "sequence": 1, "at": "2026-12-01T00:00:00Z", "event": "Requested"},
        });
        create(&format!("/apis/comity.dev/v1alpha1/namespaces/{grants}/grantrecords"), record)
            .do_as(&caged.run)
            .await?;
        let reports = create(&reports(&grants), report("report"));
        eventually("comity rehearse to be let in", SOON, || reports.do_as(&caged.rehearse)).await?;
        let stage = caged.stage("sandbox").await?;
        // A collection with nothing in it is deleted without admission.
        let mut resting = pod()?;
        resting["metadata"]["name"] = json!("resting");
        create(&stage.core("pods"), resting).do_as(&caged.admin).await?;
        // A Role may be named as one of Comity's ClusterRoles is.
        let role = json!({"metadata": {"name": "comity:auditor:sandbox"}});
        let roles = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles", stage.namespace);
        create(&roles, role).do_as(&caged.admin).await?;
        let closing = closing(caged).await?;
        in_force(caged, &other).await?;
        Ok(Self { stage, closing, other, grants })
    }

    /// The attempts of a file, aimed.
    pub fn attempts(&self, text: &str) -> Result<Vec<Attempt>> {
        let names = [
            ("STAGE", self.stage.namespace.as_str()),
            ("CLOSING", &self.closing),
            ("OTHER", &self.other),
            ("GRANTS", &self.grants),
        ];
        attempts(text, &names)
    }
}

/// Awaits that the API server sees who was bound, and the class that pods ask for.
async fn in_force(caged: &Caged, other: &str) -> Result<()> {
    eventually("mallory to be let in", SOON, async || {
        let may = caged.admin.can("mallory", "delete", "partnergrants.comity.dev", None).await;
        if matches!(may, Ok(true)) { Ok(()) } else { Err(format!("{may:?}")) }
    })
    .await?;
    let first = json!({
        "metadata": {"name": "first"},
        "spec": {"priorityClassName": "story-first", "containers": [{"name": "first", "image": "example"}]},
    });
    let first = create(&format!("/api/v1/namespaces/{other}/pods"), first);
    eventually("the priority class to be known", SOON, || first.try_as(&caged.admin)).await.map(drop)
}

/// A stage that is closing, and that the API server knows to be.
async fn closing(caged: &Caged) -> Result<String> {
    let closing = caged.stage("rehearsal").await?;
    closing.label("comity.dev/closing", "true").await?;
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "comity-late"}, "spec": {"podSelector": {}}});
    let path =
        format!("/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies/comity-late", closing.namespace);
    let late = apply(&path, policy);
    eventually("closing to be seen", SOON, || late.refused(&caged.run, &["is closing"])).await?;
    Ok(closing.namespace)
}

/// The path of the reports in a namespace.
pub fn reports(namespace: &str) -> String {
    format!("/apis/comity.dev/v1alpha1/namespaces/{namespace}/rehearsalreports")
}

/// A report of this name, of a rehearsal in which nothing was tried.
pub fn report(name: &str) -> Value {
    let digest = "0".repeat(64);
    json!({
        "apiVersion": "comity.dev/v1alpha1", "kind": "RehearsalReport", "metadata": {"name": name},
        "spec": {
            "grant": {"name": "live", "uid": "6f0c"}, "digest": format!("v1:sha256:{digest}"), "cause": 1,
            "namespace": "comity-live-rehearsal-0123abcd",
            "startedAt": "2026-12-01T00:00:00Z", "finishedAt": "2026-12-01T00:00:05Z",
            "counts": {"passed": 0, "failed": 0, "notExecutable": 0},
            "statement": {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"name": "live", "digest": {"sha256": digest}}],
                "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
                "predicate": {"result": "FAILED", "configuration": [], "passedTests": [], "warnedTests": [],
                    "failedTests": [], "cases": []},
            },
        },
    })
}
