//! `comity report`, of reports that who rehearses made, and `comity rehearse` as people give it.

use comity::api::condition::{ConditionType, Reason};
use comity::api::{RehearsalReport, Stage, name};
use e2e::comity::command::Desk;
use e2e::comity::people::OLGA;
use e2e::{Cluster, Comity, Result};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::story::{Story, Wish, ensure};

/// Stores a report for the record `cause` of a grant's journal, as who rehearses does.
async fn reported(story: &Story, rehearse: &Cluster, uid: &str, cause: i64, outcome: &str) -> Result<()> {
    let failed = i32::from(outcome == "Failed");
    let tried = json!({"name": "pod-privileged", "clause": "security.podSecurity", "tried": "a privileged pod",
        "expected": "refused", "observed": "it was let in", "outcome": outcome, "milliseconds": 12});
    let report = json!({
        "apiVersion": "comity.dev/v1alpha1", "kind": "RehearsalReport",
        "metadata": {"name": name::report(uid, cause)},
        "spec": {
            "grant": {"name": "northpay", "uid": uid}, "digest": format!("v1:sha256:{}", "0".repeat(64)),
            "cause": cause, "namespace": "comity-northpay-rehearsal-0123abcd",
            "startedAt": format!("2026-12-01T12:00:0{cause}Z"), "finishedAt": format!("2026-12-01T12:00:0{cause}Z"),
            "counts": {"passed": 1 - failed, "failed": failed, "notExecutable": 0},
            "statement": {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"name": "northpay", "digest": {"sha256": "0".repeat(64)}}],
                "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
                "predicate": {"result": if failed == 0 { "PASSED" } else { "FAILED" }, "configuration": [],
                    "passedTests": [], "warnedTests": [], "failedTests": [], "cases": [tried]},
            },
        },
    });
    let reports: Api<RehearsalReport> = Api::namespaced(rehearse.client(), &story.namespace);
    reports.create(&PostParams::default(), &serde_json::from_value(report)?).await?;
    Ok(())
}

#[tokio::test]
async fn a_report_is_told_with_what_failed_and_the_newest_counts() -> Result<()> {
    let story = Story::begin().await?;
    let (cluster, comity) = Comity::shared().await?;
    let rehearse = comity.rehearse().identity(&cluster)?;
    let wish = Wish::up_to(Stage::Sandbox);
    let uid = story.ask(&wish).await?.uid().unwrap_or_default();
    story.opened(&wish, Stage::Sandbox).await?;
    let olga = Desk::of(&story.cluster, OLGA, &story.namespace).await?;
    olga.hears(&["report", "northpay"], 1, &["there is no report of a rehearsal of northpay"]).await?;
    reported(&story, &rehearse, &uid, 1, "Failed").await?;
    let words =
        ["0 of 1 passed, 1 failed", "Failed", "pod-privileged", "it was let in", "1 failed: pod-privileged"];
    olga.hears(&["report", "northpay"], 9, &words).await?;
    reported(&story, &rehearse, &uid, 2, "Passed").await?;
    // Anybody may gate on it: what no record takes, and what is of another revision, opens nothing.
    let words = ["1 of 1 passed", "no record takes this report", "another revision"];
    let told = olga.hears(&["report", "northpay"], 9, &words).await?;
    ensure(!told.out.contains('\u{1b}'), || told.out.clone())?;
    let told = olga.hears(&["report", "northpay", "-o", "json"], 9, &[]).await?.out;
    let told: serde_json::Value = serde_json::from_str(&told)?;
    let stated = &told["report"]["statement"];
    ensure(
        stated["_type"] == "https://in-toto.io/Statement/v1" && told["name"] == name::report(&uid, 2),
        || told.to_string(),
    )?;
    let stranger = Desk::of_groups(&story.cluster, "eve@northpay.example", &[], &story.namespace).await?;
    stranger.hears(&["report", "northpay"], 6, &["rehearsalreports", "comity:viewer"]).await?;
    // It goes with its namespace, and by who may override.
    story.api::<RehearsalReport>().delete(&name::report(&uid, 2), &DeleteParams::default()).await?;
    olga.hears(&["report", "northpay"], 9, &["1 failed"]).await.map(drop)
}

#[tokio::test]
async fn who_asks_for_a_rehearsal_is_shown_just_that_one_and_what_failed_last() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Rehearsal);
    story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Rehearsal).await?;
    story.told(&wish, ConditionType::Rehearsed, true, Reason::Rehearsed).await?;
    let olga = Desk::of(&story.cluster, OLGA, &story.namespace).await?;
    let ask = ["rehearse", "northpay", "--yes", "--reason", "once more", "--timeout=120s"];
    let told =
        olga.hears(&ask, 0, &["is taken up as record", "takes this report", "NotExecutable"]).await?.out;
    let asked =
        told.split("taken up as record ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    ensure(told.contains(&format!("  asked by  record {asked}\n")), || told.clone())?;
    olga.hears(&["report", "northpay"], 0, &[&format!("  asked by  record {asked}\n")]).await?;

    // The platform's administrators may, and Comity doesn't touch what isn't its own.
    let place = opened.namespace.0.as_str();
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]});
    let by_hand = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "by-hand", "namespace": place}, "spec": spec});
    story.cluster.apply_yaml(&by_hand.to_string()).await?;
    let answer = olga.hears(&ask, 9, &["takes this report", "failed: network-"]).await?;
    let last = answer.out.lines().last().unwrap_or_default();
    ensure(last.starts_with("Failed ") && last.contains("let out by"), || answer.out.clone())?;
    story.in_namespace::<NetworkPolicy>(place).delete("by-hand", &DeleteParams::default()).await?;
    olga.hears(&[&ask[..], &["--no-wait"]].concat(), 2, &["--timeout", "--no-wait"]).await?;
    olga.hears(&[&ask[..5], &["--no-wait"]].concat(), 0, &["Written as"]).await.map(drop)
}

#[tokio::test]
async fn a_rehearsal_is_asked_for_where_there_is_something_to_rehearse() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    story.opened(&wish, Stage::Sandbox).await?;
    let olga = Desk::of(&story.cluster, OLGA, &story.namespace).await?;
    let said = ["--yes", "--reason", "their keys are back"];
    olga.hears(&[&["rehearse", "northpay"], &said[..]].concat(), 6, &[]).await?;
    // Who forgets the grant starts nothing.
    olga.hears(&[&["rehearse"], &said[..]].concat(), 2, &["say which grant"]).await?;
    olga.hears(&["rehearse", "-n", &story.namespace], 2, &["say which grant"]).await.map(drop)
}
