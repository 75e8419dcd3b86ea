//! A journal that can't be written: nothing opens without its record, and closing waits for none.

use std::time::Duration;

use comity::api::record::{RecordEvent, RecordReason};
use comity::api::{PartnerGrant, Stage, name};
use e2e::cluster::await_gone;
use e2e::{Result, eventually, throughout};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use super::access::{cleared, shut_and_kept, usable};
use super::order::{short, writes};
use super::story::{SOON, Story, Wish, ensure, over, told};

#[tokio::test]
async fn closing_waits_for_no_record_and_opening_does() -> Result<()> {
    // One purpose more, for what is asked for first once nothing can be recorded.
    let story = Story::begin_where(&[("model-quality]", "model-quality, churn]")]).await?;
    let wish = Wish { times: ["45s", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
    let grant = story.ask(&wish).await?;
    let deleted = Wish { purpose: "model-quality", ..Wish::up_to(Stage::Sandbox).called("deleted") };
    story.ask(&deleted).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let place = opened.namespace.0;
    let other = story.opened(&deleted, Stage::Sandbox).await?.namespace.0;
    no_more_records(&story).await?;

    story.ask(&Wish { suspend: true, ..deleted.clone() }).await?;
    shut_and_kept(&story, &other).await?;
    story.api::<PartnerGrant>().delete("deleted", &DeleteParams::default()).await?;
    await_gone(&story.api::<PartnerGrant>(), "deleted", SOON).await?;
    cleared(&story, &other).await?;

    over(opened.expires_at.0).await?;
    cleared(&story, &place).await?;
    let length = told(&story.journal(&grant).await?).len();
    assert_eq!(length, 2, "nothing could be written");
    let before = writes(&story, &[&place])?.len();
    throughout("rest, but for tries to write the record", Duration::from_secs(3), async || {
        let now = writes(&story, &[&place])?.len();
        ensure(now - before < 10, || format!("{} writes", now - before))
    })
    .await?;
    let third = Wish { purpose: "churn", ..Wish::up_to(Stage::Sandbox).called("third") };
    let unrecorded = story.ask(&third).await?;
    opens_nothing(&story, &unrecorded).await?;

    records_again(&story).await?;
    let journal = story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    assert_eq!(told(&journal)[2], (RecordEvent::Closed, Some(Stage::Sandbox), Some(RecordReason::Expired)));
    let opened = story.opened(&third, Stage::Sandbox).await?;
    usable(&story, &opened.namespace.0).await
}

/// Awaits that a grant's first record was refused, and watches that nothing is opened without it.
async fn opens_nothing(story: &Story, grant: &PartnerGrant) -> Result<()> {
    let uid = grant.uid().unwrap_or_default();
    let first = name::record(&uid, 1);
    eventually("the first record to be refused", SOON, async || {
        let writes = writes(story, &[]).map_err(|error| error.to_string())?;
        let tried = writes.iter().any(|write| write.name == first && write.code >= 400);
        if tried { Ok(()) } else { Err(format!("{:?}", writes.iter().map(short).collect::<Vec<_>>())) }
    })
    .await?;
    let own = ListParams::default().labels(&format!("{}={uid}", name::LABEL_GRANT_UID));
    throughout("nothing to be opened", Duration::from_secs(2), async || {
        let now = story.api::<PartnerGrant>().get(&grant.name_any()).await?;
        let opened = now.status.map(|status| status.openings).unwrap_or_default();
        let places = story.everywhere::<Namespace>().list(&own).await?.items;
        ensure(opened.is_empty() && places.is_empty(), || format!("{opened:?} without a record"))
    })
    .await
}

/// From now on it takes them again.
async fn records_again(story: &Story) -> Result<()> {
    let kind = "ValidatingAdmissionPolicyBinding";
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
        "metadata": {"name": story.namespace}});
    story.cluster.delete_yaml(&binding.to_string()).await
}

/// From now on the API server takes no record in the story's namespace.
async fn no_more_records(story: &Story) -> Result<()> {
    let name = &story.namespace;
    let rules = json!([{"apiGroups": ["comity.dev"], "apiVersions": ["*"], "operations": ["CREATE"],
        "resources": ["grantrecords"]}]);
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    let kind = "admissionregistration.k8s.io/v1";
    for object in [
        json!({"apiVersion": kind, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": {
            "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules, "namespaceSelector": here},
            "validations": [{"expression": "false", "message": "the disk of records is full"}]}}),
        json!({"apiVersion": kind, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]}}),
    ] {
        story.cluster.apply_yaml(&object.to_string()).await?;
    }
    let record = json!({"apiVersion": "comity.dev/v1alpha1", "kind": "GrantRecord",
        "metadata": {"name": "probe", "namespace": name},
        "spec": {"grant": {"name": "probe", "uid": "probe"}, "sequence": 1,
            "at": "2026-01-01T00:00:00Z", "event": "Requested"}});
    let probe = kube::api::PostParams { dry_run: true, ..kube::api::PostParams::default() };
    let record: comity::api::GrantRecord = serde_json::from_value(record)?;
    eventually("records to be refused", SOON, async || match story.api().create(&probe, &record).await {
        Err(error) if error.to_string().contains("disk of records") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
}
