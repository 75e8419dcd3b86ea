//! A grant that is gone without having been closed: whoever may override took the finalizer off,
//! or a backup from before the grant was restored. What it left behind is closed and cleared.

use std::time::Duration;

use comity::api::record::{GrantRecordSpec, RecordEvent};
use comity::api::{GrantRecord, PartnerGrant, Stage, name};
use e2e::{
    Cluster, Comity, Result,
    cluster::{await_condition, await_gone},
    comity::people,
    eventually,
};
use k8s_openapi::api::{core::v1::Namespace, networking::v1::NetworkPolicy};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::told::Story;

const SOON: Duration = Duration::from_secs(60);
const HOME: &str = "risk-data";
const GRANT: &str = "northpay-fraud";

/// At its start it clears what was left while it was down, and nothing that only looks like it.
/// Gives how many writes the API server had seen before that start.
pub async fn what_was_left_while_comity_was_down_is_cleared(story: &Story, comity: &Comity) -> Result<usize> {
    let (grant, place) = open(story).await?;
    let alike = look_alikes(story, &grant).await?;
    comity.run().stop().await?;
    vanish(&story.cluster).await?;
    let before = story.cluster.audit_writes(&comity.run().user())?.len();
    comity.run().start().await?;
    cleared(story, &grant, &place).await?;
    let namespaces: Api<Namespace> = Api::all(story.cluster.client());
    let spared = namespaces.get(&alike).await?;
    assert_eq!(spared.metadata.deletion_timestamp, None, "not called as Comity would call it");
    let policies: Api<NetworkPolicy> = Api::namespaced(story.cluster.client(), HOME);
    policies.get("comity-from-the-office").await?;
    Ok(before)
}

/// While it runs, it sees the grant go.
pub async fn what_is_left_while_comity_runs_is_cleared(story: &Story, comity: &Comity) -> Result<()> {
    somebody_agrees(story).await?;
    let (grant, place) = open(story).await?;
    await_metric(comity, "comity_openings{stage=\"sandbox\"} 1").await?;
    vanish(&story.cluster).await?;
    cleared(story, &grant, &place).await?;
    await_metric(comity, "comity_openings{stage=\"sandbox\"} 0").await
}

/// What it counts is what the API server saw since its last start.
pub async fn what_is_counted_is_what_the_api_server_saw(
    cluster: &Cluster,
    comity: &Comity,
    before: usize,
) -> Result<()> {
    eventually("the counts to agree", SOON, async || {
        let seen = cluster.audit_writes(&comity.run().user()).map_err(|error| error.to_string())?;
        let metrics = comity.run().metrics().await.map_err(|error| error.to_string())?;
        let (seen, counted) = (seen.len() - before, sum(&metrics, "comity_mutating_requests_total"));
        if seen == counted && seen > 0 { Ok(()) } else { Err(format!("seen {seen}, counted {counted}")) }
    })
    .await?;
    let metrics = comity.run().metrics().await?;
    for counted in [
        "comity_journal_appends_total{outcome=\"written\"}",
        "comity_events_total{reason=\"Opened\"}",
        "comity_reconciles_total{kind=\"Leftovers\"",
        "comity_reconciles_total{kind=\"SharingContract\"",
    ] {
        assert!(sum(&metrics, counted) > 0, "{counted}: {metrics}");
    }
    Ok(())
}

/// The sum of all values whose lines begin like this.
fn sum(metrics: &str, beginning: &str) -> usize {
    let lines = metrics.lines().filter(|line| line.starts_with(beginning));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

async fn await_metric(comity: &Comity, wanted: &str) -> Result<()> {
    eventually(wanted, SOON, async || {
        let metrics = comity.run().metrics().await.map_err(|error| error.to_string())?;
        let found = metrics.lines().any(|line| line == wanted);
        if found { Ok(()) } else { Err(metrics) }
    })
    .await
}

/// Asks for the sandbox a second time, for which somebody has to agree.
async fn somebody_agrees(story: &Story) -> Result<()> {
    story.apply("07-people.yaml").await?;
    story.apply("06-grant.yaml").await?;
    let grants: Api<PartnerGrant> = Api::namespaced(story.cluster.client(), HOME);
    await_condition(&grants, GRANT, "Accepted", "True", SOON).await?;
    people::agree(&story.cluster, &grants.get(GRANT).await?, Stage::Sandbox).await
}

/// Asks for the sandbox, and awaits that it is open. Gives the grant and the namespace.
async fn open(story: &Story) -> Result<(PartnerGrant, String)> {
    story.apply("06-grant.yaml").await?;
    let grants: Api<PartnerGrant> = Api::namespaced(story.cluster.client(), HOME);
    await_condition(&grants, GRANT, "Active", "True", SOON).await?;
    let grant = grants.get(GRANT).await?;
    let place = grant.status.as_ref().unwrap().openings[0].namespace.0.clone();
    Ok((grant, place))
}

/// What carries the grant's labels, but isn't called as anything that Comity makes.
async fn look_alikes(story: &Story, grant: &PartnerGrant) -> Result<String> {
    let alike = story.cluster.unique("comity-northpay-fraud-sandbox-mine");
    let uid = grant.uid().unwrap();
    let labels = json!({
        name::LABEL_GRANT_UID: uid, name::LABEL_GRANT: GRANT, name::LABEL_GRANT_NAMESPACE: HOME,
        name::LABEL_STAGE: "sandbox", name::LABEL_MANAGED_BY: name::MANAGED_BY,
    });
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": alike, "labels": labels}});
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "comity-from-the-office", "namespace": HOME, "labels": {name::LABEL_GRANT_UID: uid}},
        "spec": {"podSelector": {"matchLabels": {"app": "office"}}, "policyTypes": ["Ingress"]},
    });
    for object in [namespace, policy] {
        story.cluster.apply_yaml(&object.to_string()).await?;
    }
    Ok(alike)
}

/// Deletes the grant past its finalizer, as an administrator can.
async fn vanish(cluster: &Cluster) -> Result<()> {
    let grants: Api<PartnerGrant> = Api::namespaced(cluster.client(), HOME);
    grants.delete(GRANT, &DeleteParams::default()).await?;
    let strip = Patch::Merge(json!({"metadata": {"finalizers": []}}));
    match grants.patch(GRANT, &PatchParams::default(), &strip).await {
        // Comity was faster.
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        answer => drop(answer?),
    }
    await_gone(&grants, GRANT, SOON).await
}

/// Awaits that nothing of the grant's is left, and that its journal tells of the end.
async fn cleared(story: &Story, grant: &PartnerGrant, place: &str) -> Result<()> {
    let client = story.cluster.client();
    await_gone(&Api::<Namespace>::all(client.clone()), place, SOON).await?;
    let ingress = name::dataset_ingress_policy(place, "transactions");
    await_gone(&Api::<NetworkPolicy>::namespaced(client.clone(), HOME), &ingress, SOON).await?;
    let records: Api<GrantRecord> = Api::namespaced(client, HOME);
    let uid = grant.uid().unwrap();
    let events = eventually("the journal to end", SOON, async || {
        let all = records.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let own = all.items.into_iter().map(|record| record.spec);
        let mut own: Vec<GrantRecordSpec> = own.filter(|record| record.grant.uid.0 == uid).collect();
        own.sort_by_key(|record| record.sequence);
        let events: Vec<RecordEvent> = own.iter().map(|record| record.event).collect();
        let ended = events.last() == Some(&RecordEvent::Ended);
        if ended { Ok(events) } else { Err(format!("{events:?}")) }
    })
    .await?;
    assert!(events.contains(&RecordEvent::Closed), "{events:?}");
    Ok(())
}
