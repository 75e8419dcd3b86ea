//! What a rehearsal says of the network, by what the API server has stored, whoever stored it; and of pods that run.

use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use comity::api::report::{CaseOutcome, TriedCase};
use comity::api::{PartnerGrant, RehearsalReport, Stage};
use e2e::comity::people::OLGA;
use e2e::{Error, Result, eventually};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::running::pod;
use super::story::{SOON, Story, Wish, ensure};

fn of_the_network(report: &RehearsalReport) -> Vec<&TriedCase> {
    let cases = report.spec.statement.predicate.cases.iter();
    cases.filter(|case| case.name.as_str().starts_with("network-")).collect()
}

/// Has Olga ask for another rehearsal of what is open.
async fn again(story: &Story, grant: &PartnerGrant, digest: &str) -> Result<()> {
    let mut decision = OLGA.decision(grant, DecisionAction::Rehearse);
    decision.spec.digest = Some(digest.into());
    OLGA.decide(&story.cluster, &decision).await.map(drop)
}

#[tokio::test]
async fn a_policy_that_somebody_puts_beside_comitys_fails_the_rehearsal_and_is_named() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Rehearsal);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Rehearsal).await?;
    let place = opened.namespace.0.as_str();
    story.told(&wish, ConditionType::Rehearsed, true, Reason::Rehearsed).await?;
    let first = story.newest_report(&grant).await?;
    let first = of_the_network(&first);
    ensure(first.len() > 30 && first.iter().all(|case| case.outcome == CaseOutcome::Passed), || {
        format!("{first:#?}")
    })?;

    // The platform's administrators may, and Comity doesn't touch what isn't its own.
    let some = json!({"matchLabels": {"app": "only-these"}});
    let spec = json!({"podSelector": some, "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]});
    let by_hand = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "by-hand", "namespace": place}, "spec": spec});
    story.cluster.apply_yaml(&by_hand.to_string()).await?;
    again(&story, &grant, opened.digest.as_str()).await?;
    let told = story.told(&wish, ConditionType::Rehearsed, false, Reason::RehearsalFailed).await?;
    ensure(told.contains("network-"), || told.clone())?;
    let report = story.newest_report(&grant).await?;
    let failed: Vec<&TriedCase> =
        of_the_network(&report).into_iter().filter(|case| case.outcome == CaseOutcome::Failed).collect();
    let by = format!("let out by {place}/by-hand");
    ensure(failed.iter().all(|case| case.observed.contains(&by)), || format!("{failed:#?}"))?;
    let egress = failed.iter().any(|case| case.name.as_str() == "network-egress-192-0-2-0-28-shut");
    ensure(egress, || format!("{failed:#?}"))?;

    story.in_namespace::<NetworkPolicy>(place).delete("by-hand", &DeleteParams::default()).await?;
    again(&story, &grant, opened.digest.as_str()).await?;
    story.told(&wish, ConditionType::Rehearsed, true, Reason::Rehearsed).await.map(drop)
}

/// What came of a case of the newest report.
async fn came_out(story: &Story, grant: &PartnerGrant, name: &str) -> Result<(CaseOutcome, String)> {
    let cases = story.newest_report(grant).await?.spec.statement.predicate.cases;
    let found = cases.into_iter().find(|case| case.name.as_str() == name);
    let found = found.ok_or_else(|| Error::Failed(format!("no case {name}")))?;
    Ok((found.outcome, found.observed))
}

#[tokio::test]
async fn a_container_is_added_to_a_pod_where_one_runs() -> Result<()> {
    const CASE: &str = "pod-ephemeral-image-of-stranger";
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Rehearsal);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Rehearsal).await?;
    story.told(&wish, ConditionType::Rehearsed, true, Reason::Rehearsed).await?;
    let (outcome, why) = came_out(&story, &grant, CASE).await?;
    ensure(outcome == CaseOutcome::NotExecutable && why.contains("no pod runs"), || why.clone())?;

    let pods = story.in_namespace::<Pod>(&opened.namespace.0);
    pods.create(&PostParams::default(), &pod("one")).await?;
    again(&story, &grant, &opened.digest).await?;
    eventually("it to be tried", SOON, async || {
        let (outcome, words) = came_out(&story, &grant, CASE).await.map_err(|error| error.to_string())?;
        if outcome == CaseOutcome::Passed { Ok(()) } else { Err(words) }
    })
    .await?;
    let left = pods.get("one").await?.spec.and_then(|spec| spec.ephemeral_containers);
    ensure(left.is_none_or(|left| left.is_empty()), || "it was added for real".to_owned())
}
