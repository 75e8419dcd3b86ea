//! The view, at one moment.

use comity::api::record::GrantRecord;
use serde_json::json;

use super::*;

fn grant() -> PartnerGrant {
    serde_json::from_value(json!({
        "apiVersion": "comity.dev/v1alpha1", "kind": "PartnerGrant",
        "metadata": {"name": "northpay-fraud", "namespace": "risk-data"},
        "spec": {
            "partnerRef": {"name": "northpay"}, "contractRef": {"name": "fraud"}, "stage": "Rehearsal",
            "purpose": "fraud-detection", "operations": ["Infer"],
        },
        "status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "Open", "message": "Sandbox is open",
            "lastTransitionTime": "2026-11-21T15:00:00Z",
        }]},
    }))
    .unwrap()
}

fn text(lines: &[Line]) -> String {
    let line = |line: &Line| line.iter().map(|(_, text)| text.as_str()).collect::<String>();
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_view_says_what_the_grant_says() {
    let mut seen = Seen::default();
    seen.grant = Some(grant());
    let view = text(&render(&seen, "2026-11-21T15:00:05Z".parse().unwrap(), 80));
    assert!(view.contains("risk-data/northpay-fraud  northpay may come as far as Rehearsal"), "{view}");
    assert!(view.contains("○ Production  not opened yet"), "{view}");
    assert!(view.contains("Ready=True Open") && view.contains("Sandbox is open"), "{view}");
}

#[test]
fn time_left_is_counted_to_the_recorded_end() {
    let now = "2026-11-21T15:00:15Z".parse().unwrap();
    assert_eq!(left(&Seen::default(), now), None);
    let mut seen = Seen::default();
    seen.record(&opened()).unwrap();
    assert_eq!(left(&seen, now), Some((Stage::Sandbox, 5)));
    seen.grant = Some(grant());
    let view = text(&render(&seen, now, 80));
    assert!(
        view.contains("● Sandbox     █████░░░░░░░░░░░░░░░ ends in 5 s; 0 objects, no pods let in"),
        "{view}"
    );
    assert!(view.contains("journal #1: Sandbox opened, ends at 15:00:20Z whatever happens"), "{view}");
}

/// The first line of a journal, which opens the sandbox for 20 seconds.
fn opened() -> GrantRecord {
    let contract = include_str!("../../../examples/fraud-scoring/demo/05-contract.yaml");
    let contract: serde_json::Value = serde_saphyr::from_str(contract).unwrap();
    let terms = &contract["spec"];
    serde_json::from_value(json!({
        "apiVersion": "comity.dev/v1alpha1", "kind": "GrantRecord", "metadata": {"name": "u-000001"},
        "spec": {
            "grant": {"name": "northpay-fraud", "uid": "u"}, "sequence": 1, "event": "Opened",
            "stage": "Sandbox", "digest": "v1:x", "at": "2026-11-21T15:00:00Z",
            "expiresAt": "2026-11-21T15:00:20Z",
            "policy": {
                "partner": "northpay", "contract": "fraud-scoring", "contractUid": "c",
                "purpose": "fraud-detection", "operations": [], "datasets": [], "time": terms["time"],
                "destination": terms["destination"], "security": terms["security"],
                "quota": terms["stages"][0]["quota"],
            },
        },
    }))
    .unwrap()
}
