//! What was seen, in the order in which the store took it.

use std::collections::BTreeMap;

use comity::api::{name, record::GrantRecord, stage::Stage};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;
use serde_json::json;

use super::*;

fn record(sequence: i64, version: u64, more: &serde_json::Value) -> GrantRecord {
    let mut spec = json!({
        "grant": {"name": "g", "uid": "u"}, "sequence": sequence, "at": "2026-11-21T15:00:00Z",
        "event": "Requested",
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let metadata = json!({"name": format!("u-{sequence:06}"), "resourceVersion": version.to_string()});
    let record = json!({
        "apiVersion": "comity.dev/v1alpha1", "kind": "GrantRecord", "metadata": metadata, "spec": spec,
    });
    serde_json::from_value(record).unwrap()
}

fn object(uid: &str, version: u64, labels: &[(&str, &str)]) -> ObjectMeta {
    let labels = labels.iter().chain(&[(name::LABEL_STAGE, "sandbox")]);
    let labels: BTreeMap<String, String> =
        labels.map(|(key, value)| ((*key).into(), (*value).into())).collect();
    ObjectMeta {
        name: Some("comity-x".to_owned()),
        uid: Some(uid.to_owned()),
        resource_version: Some(version.to_string()),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}

#[test]
fn a_line_of_the_journal_is_news_once() {
    let mut seen = Seen::default();
    let closed = record(2, 9, &json!({"event": "Closed", "stage": "Sandbox", "reason": "Promoted"}));
    assert_eq!(seen.record(&record(1, 8, &json!({}))).unwrap(), "journal #1: requested");
    assert_eq!(seen.record(&closed).unwrap(), "journal #2: Sandbox closed (Promoted)");
    assert_eq!(seen.record(&closed), None);
}

#[test]
fn deeds_stand_in_the_order_of_the_store_whatever_came_first() {
    let mut seen = Seen::default();
    seen.object("LimitRange", &object("b", 7, &[]));
    seen.object("Namespace", &object("a", 5, &[(name::LABEL_PODS, name::PODS_CLOSED)]));
    seen.object("Namespace", &object("a", 9, &[(name::LABEL_PODS, name::PODS_OPEN)]));
    assert_eq!(in_order(&seen.deeds(Stage::Sandbox, Deed::Made)), "Namespace → LimitRange → pods let in");
    assert_eq!(in_order(&seen.standing(Stage::Sandbox)), "Namespace → LimitRange");
    assert!(seen.count(Stage::Sandbox) == 2 && seen.lets_pods_in(Stage::Sandbox));
    seen.object("Namespace", &object("a", 11, &[(name::LABEL_PODS, name::PODS_CLOSED)]));
    seen.gone("LimitRange", &object("b", 12, &[]));
    seen.gone("LimitRange", &object("b", 12, &[]));
    assert_eq!(in_order(&seen.taken_at_last(Stage::Sandbox)), "pods shut out → LimitRange");
    assert!(seen.count(Stage::Sandbox) == 1 && !seen.lets_pods_in(Stage::Sandbox));
}

#[test]
fn what_is_of_no_stage_is_passed_over() {
    let mut seen = Seen::default();
    seen.object("Namespace", &ObjectMeta { uid: Some("a".to_owned()), ..ObjectMeta::default() });
    assert!(seen.changes.is_empty());
    assert_eq!(seen.published(&ConfigMap::default()).unwrap(), []);
}

#[test]
fn a_reason_in_place_of_certificates_is_no_certificate() {
    let data = BTreeMap::from([(name::TRUST_REFUSED.to_owned(), "the key is lost".to_owned())]);
    let trust = ConfigMap { metadata: object("c", 1, &[]), data: Some(data), ..ConfigMap::default() };
    assert_eq!(Seen::default().published(&trust).unwrap(), []);
}
