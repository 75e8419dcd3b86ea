//! What boundaries, partners, datasets and contracts say of themselves on a real API server: what
//! keeps each from being used, by clause and with both sides; that mending the other object heals
//! it without touching it; that nothing is written while nothing changes; and that what a grant left
//! behind that is gone is cleared.
#![expect(clippy::unwrap_used, reason = "a story's helpers fail like its tests")]

#[path = "kinds/leftover.rs"]
mod leftover;
#[path = "kinds/table.rs"]
mod table;
#[path = "kinds/told.rs"]
mod told;

use std::time::Duration;

use e2e::{Cluster, Comity, Result, controlplane::Settings, eventually, throughout};
use jiff::{SignedDuration, Timestamp};
use table::row;
use told::{Story, Word};

/// How long nothing may be written for it to count as quiet.
const QUIET: Duration = Duration::from_secs(3);

#[tokio::test]
async fn each_kind_says_how_it_stands_and_heals() -> Result<()> {
    let cluster = Cluster::start(Settings::default()).await?;
    let comity = Comity::start(&cluster).await?;
    let story = Story { cluster: cluster.clone() };
    a_contract_that_came_first_heals_as_what_it_needs_arrives(&story).await?;
    what_is_mended_elsewhere_heals_it(&story).await?;
    a_partner_runs_out_by_itself(&story).await?;
    a_boundary_that_cannot_be_read_says_so(&story).await?;
    columns_say_what_stands(&story).await?;
    nobody_else_writes_what_is_said(&story).await?;
    nothing_is_written_while_nothing_changes(&cluster, &comity).await?;
    let before = leftover::what_was_left_while_comity_was_down_is_cleared(&story, &comity).await?;
    leftover::what_is_left_while_comity_runs_is_cleared(&story, &comity).await?;
    leftover::what_is_counted_is_what_the_api_server_saw(&cluster, &comity, before).await?;
    nothing_is_written_while_nothing_changes(&cluster, &comity).await
}

/// A tool that applies from Git does so in any order.
async fn a_contract_that_came_first_heals_as_what_it_needs_arrives(story: &Story) -> Result<()> {
    let contract = Word::new("sharingcontracts", Some("risk-data"), "fraud-scoring");
    let dataset = Word::new("datasets", Some("risk-data"), "transactions");
    story.apply("00-namespace.yaml").await?;
    story.apply("05-contract.yaml").await?;
    story
        .says(&contract, "Accepted", "False", "NoBoundary", &["namespace risk-data", "spec.namespaces"])
        .await?;
    story.apply("02-boundary.yaml").await?;
    story.says(&contract, "Accepted", "False", "UnknownDataset", &["transactions"]).await?;
    story.apply("04-dataset.yaml").await?;
    let missing = ["endpoints[Sandbox]", "Service tx-synthetic", "doesn't exist"];
    story.says(&dataset, "Ready", "False", "EndpointUnusable", &missing).await?;
    story.says(&contract, "Accepted", "False", "EndpointUnusable", &missing).await?;
    story.says(&contract, "Reconciling", "True", "EndpointUnusable", &[]).await?;
    story.apply("01-services.yaml").await?;
    story.says(&dataset, "Ready", "True", "Accepted", &["Real data by tx-features at Production"]).await?;
    story.says(&contract, "Accepted", "True", "Accepted", &[]).await?;
    story.says(&contract, "Ready", "True", "Accepted", &["2035-10-31"]).await?;
    story.untouched(&contract, 1).await?;
    story.untouched(&dataset, 1).await
}

async fn what_is_mended_elsewhere_heals_it(story: &Story) -> Result<()> {
    let contract = Word::new("sharingcontracts", Some("risk-data"), "fraud-scoring");
    let boundary = Word::new("sharingboundaries", None, "partners-default");
    let service = Word::core("services", "risk-data", "tx-synthetic");
    let same_pods = r#"{"spec": {"selector": {"app.kubernetes.io/name": "tx-features"}}}"#;
    story.patch(&service, same_pods).await?;
    let sides = ["tx-synthetic", "Sandbox", "tx-features", "Production", "same pods"];
    story.says(&contract, "Accepted", "False", "EndpointUnusable", &sides).await?;
    story.apply("01-services.yaml").await?;
    story.says(&contract, "Accepted", "True", "Accepted", &[]).await?;
    story.patch(&boundary, r#"{"spec": {"ceilings": {"credentialTTL": "1h"}}}"#).await?;
    let sides = ["security.credentialTTL", "fraud-scoring asks for 2h", "partners-default allows at most 1h"];
    story.says(&contract, "Accepted", "False", "BeyondBoundary", &sides).await?;
    story.delete(&boundary).await?;
    story.says(&contract, "Accepted", "False", "NoBoundary", &[]).await?;
    story.apply("02-boundary.yaml").await?;
    story.says(&contract, "Accepted", "True", "Accepted", &[]).await?;
    story.label("risk-data", "comity.dev/shares", None).await?;
    story.says(&contract, "Accepted", "False", "NoBoundary", &[]).await?;
    story.label("risk-data", "comity.dev/shares", Some("true")).await?;
    story.says(&contract, "Accepted", "True", "Accepted", &[]).await?;
    story.untouched(&contract, 1).await
}

/// By a timer: nobody touches it.
async fn a_partner_runs_out_by_itself(story: &Story) -> Result<()> {
    let partner = Word::new("partners", None, "northpay");
    story.apply("03-partner.yaml").await?;
    story.says(&partner, "Ready", "True", "Accepted", &["the namespaces risk-data", "2036-01-31"]).await?;
    let soon = Timestamp::now() + SignedDuration::from_secs(3);
    let control =
        format!(r#"{{"spec": {{"controls": [{{"name": "iso27001", "validUntil": "{soon:.0}"}}]}}}}"#);
    story.patch(&partner, &control).await?;
    story
        .says(&partner, "Ready", "False", "ControlMissing", &["controls[iso27001]", "counted until"])
        .await?;
    story.says(&partner, "Accepted", "True", "Accepted", &[]).await?;
    story.says(&partner, "Stalled", "True", "ControlMissing", &[]).await?;
    story.untouched(&partner, 2).await?;
    let garbage = r#"{"spec": {"identity": {"trustBundle": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"}}}"#;
    story.patch(&partner, garbage).await?;
    story.says(&partner, "Accepted", "False", "Invalid", &["identity.trustBundle"]).await?;
    story.apply("03-partner.yaml").await?;
    story.says(&partner, "Ready", "True", "Accepted", &[]).await
}

async fn a_boundary_that_cannot_be_read_says_so(story: &Story) -> Result<()> {
    let boundary = Word::new("sharingboundaries", None, "partners-default");
    let contract = Word::new("sharingcontracts", Some("risk-data"), "fraud-scoring");
    story.says(&boundary, "Ready", "True", "Accepted", &["labelled comity.dev/shares=true"]).await?;
    let text = std::fs::read_to_string(Story::file("02-boundary.yaml")).unwrap();
    story.cluster.apply_yaml(&text.replace("requests.cpu: \"32\"", "peas: \"32\"")).await?;
    story
        .says(&boundary, "Stalled", "True", "Invalid", &["stages[Production].quota.hard", "32 of peas"])
        .await?;
    story.says(&contract, "Accepted", "False", "Invalid", &["peas"]).await?;
    story.apply("02-boundary.yaml").await?;
    story.says(&boundary, "Ready", "True", "Accepted", &[]).await?;
    story.says(&contract, "Accepted", "True", "Accepted", &[]).await
}

/// What `kubectl get` prints.
async fn columns_say_what_stands(story: &Story) -> Result<()> {
    let contract = Word::new("sharingcontracts", Some("risk-data"), "fraud-scoring");
    let told = row(&story.cluster, &contract).await?;
    assert_eq!(told["Accepted"], "True");
    assert_eq!(told["Reason"], "Accepted");
    assert_eq!(told["Ends"], "2035-10-31T00:00:00Z");
    for word in [
        Word::new("datasets", Some("risk-data"), "transactions"),
        Word::new("partners", None, "northpay"),
        Word::new("sharingboundaries", None, "partners-default"),
    ] {
        let told = row(&story.cluster, &word).await?;
        assert_eq!(
            (&told["Ready"], &told["Reason"]),
            (&"True".to_owned(), &"Accepted".to_owned()),
            "{word:?}"
        );
    }
    Ok(())
}

/// A status is Comity's. Who may override gets it back as it was.
async fn nobody_else_writes_what_is_said(story: &Story) -> Result<()> {
    let partner = Word::new("partners", None, "northpay");
    let lie = r#"{"status": {"conditions": []}}"#;
    let mallory = Story { cluster: story.cluster.as_user("mallory", &["system:masters-of-nothing"])? };
    let refused = mallory.patch_status(&partner, lie).await.unwrap_err();
    assert_eq!(refused.refusal().map(|status| status.code), Some(403), "{refused}");
    story.patch_status(&partner, lie).await?;
    story.says(&partner, "Ready", "True", "Accepted", &[]).await
}

/// Neither in a quiet while nor when `comity run` starts anew.
async fn nothing_is_written_while_nothing_changes(cluster: &Cluster, comity: &Comity) -> Result<()> {
    let user = comity.run().user();
    let writes = || cluster.audit_writes(&user);
    let settled = eventually("writes to end", Duration::from_secs(20), async || {
        let before = writes()?.len();
        throughout("quiet", QUIET, async || match writes()?.len() {
            now if now == before => Ok(before),
            now => Err(e2e::Error::Failed(format!("{now} writes after {before}"))),
        })
        .await
    })
    .await?;
    assert!(settled > 0, "the audit log sees what comity run writes");
    comity.run().restart().await?;
    throughout("quiet after a restart", QUIET, async || match writes()?.get(settled..) {
        None | Some([]) => Ok(()),
        Some(more) => Err(e2e::Error::Failed(format!("{more:?}"))),
    })
    .await
}
