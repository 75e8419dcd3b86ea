//! Somebody else's admission policy refuses what Comity has to narrow: then access is closed, until it doesn't.

use std::time::Duration;

use comity::api::{
    Stage,
    condition::{ConditionType, Reason},
    record::{RecordEvent, RecordReason},
};
use e2e::{Result, eventually};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::access::{shut, usable};
use super::story::{Story, Wish, ensure, told};

/// How long it may take until it is tried again, and until access is given again.
const AGAIN: Duration = Duration::from_secs(100);

#[tokio::test]
async fn what_somebody_refuses_to_narrow_is_closed_and_opens_again_once_nobody_does() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let place = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
    usable(&story, &place).await?;
    nobody_changes_quotas(&story, &place).await?;
    story.cluster.apply_yaml(&story.ground().replace(r#"pods: "10""#, r#"pods: "5""#)).await?;
    let why = story.told(&wish, ConditionType::Active, false, Reason::Refused).await?;
    ensure(why.contains("quotas are somebody else's"), || why.clone())?;
    shut(&story, &place).await?;
    let journal = story.recorded(&grant, RecordEvent::Suspended, Some(RecordReason::Unconfined)).await?;
    story
        .everywhere::<ValidatingAdmissionPolicyBinding>()
        .delete(&story.namespace, &DeleteParams::default())
        .await?;
    story
        .everywhere::<ValidatingAdmissionPolicy>()
        .delete(&story.namespace, &DeleteParams::default())
        .await?;
    eventually("access to be given again", AGAIN, async || {
        usable(&story, &place).await.map_err(|error| error.to_string())
    })
    .await?;
    let after = story.journal(&grant).await?;
    ensure(after.len() <= journal.len() + 2, || format!("{:?}", told(&after)))
}

/// From now on nobody changes quotas in a namespace, as somebody else's policy has it.
async fn nobody_changes_quotas(story: &Story, place: &str) -> Result<()> {
    let (name, here) = (&story.namespace, json!({"matchLabels": {"kubernetes.io/metadata.name": place}}));
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"],
        "resources": ["resourcequotas"]}]);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"namespaceSelector": here, "resourceRules": rules},
            "validations": [{"expression": "false", "message": "quotas are somebody else's"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    story.cluster.apply_yaml(&format!("{policy}\n---\n{binding}")).await?;
    eventually("the policy to be in force", Duration::from_secs(30), async || {
        let quota = json!({"metadata": {"labels": {"tried": "true"}}});
        let refused = story.in_namespace::<ResourceQuota>(place);
        let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
        match refused.patch("comity", &parameters, &Patch::Merge(quota)).await {
            Err(error) if error.to_string().contains("somebody else's") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}
