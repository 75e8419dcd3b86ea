//! What stands is what the watches and the writes have told, in whichever order.

use serde_json::json;

use super::*;

fn quota(version: &str, uid: &str) -> Value {
    json!({"metadata": {"name": "q", "namespace": "n", "uid": uid, "resourceVersion": version,
        "labels": {name::LABEL_GRANT_UID: "g"}}})
}

#[test]
fn older_news_changes_nothing() {
    let objects = Objects::default();
    objects.put(Kind::ResourceQuota, quota("10", "a"));
    objects.put(Kind::ResourceQuota, quota("9", "a"));
    let live = objects.of_grant("g");
    assert_eq!(live.values().next().map(|live| live.version), Some(10));
}

#[test]
fn a_new_version_that_says_the_same_is_no_news_and_is_kept() {
    let objects = Objects::default();
    assert!(objects.put(Kind::ResourceQuota, quota("10", "a")));
    let mut used = quota("11", "a");
    used["status"] = json!({"used": {"pods": "1"}});
    assert!(!objects.put(Kind::ResourceQuota, used.clone()), "what is used is nobody's concern");
    used["metadata"]["resourceVersion"] = json!("12");
    used["status"]["hard"] = json!({"pods": "2"});
    assert!(objects.put(Kind::ResourceQuota, used.clone()), "what it holds to is");
    assert!(!objects.put(Kind::ResourceQuota, quota("11", "a")), "the newest one stands");
    used["metadata"]["resourceVersion"] = json!("13");
    used["metadata"]["labels"]["more"] = json!("");
    assert!(objects.put(Kind::ResourceQuota, used));
}

#[test]
fn of_certificates_it_is_kept_that_they_are_there_and_why_none_is() {
    let objects = Objects::default();
    let published = json!({"metadata": {"name": name::TRUST_CONFIG_MAP, "namespace": "n", "uid": "u",
        "labels": {name::LABEL_GRANT_UID: "g"}}, "data": {"w.crt": "chain", name::TRUST_REFUSED: "why"}});
    objects.put(Kind::ConfigMap, published);
    let kept = objects.of_grant("g").into_values().next().unwrap().value();
    assert_eq!(kept["data"], json!({"w.crt": "", name::TRUST_REFUSED: "why"}));
}

/// An ingress policy at a dataset, for this grant.
fn guest(grant: &str, name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "dataset", "uid": name, "resourceVersion": "1",
        "labels": {name::LABEL_GRANT_UID: grant}}})
}

#[test]
fn what_several_grants_have_in_one_namespace_is_kept_apart_in_whichever_order_it_comes_and_goes() {
    for order in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
        let objects = Objects::default();
        for grant in ["a", "b", "c"] {
            assert!(objects.put(Kind::NetworkPolicy, guest(grant, grant)));
            assert!(objects.put(Kind::NetworkPolicy, guest(grant, &format!("{grant}-more"))));
        }
        for (gone, grant) in order.into_iter().enumerate() {
            objects.remove(Kind::NetworkPolicy, &guest(grant, grant));
            let left: Vec<usize> = ["a", "b", "c"].map(|grant| objects.of_grant(grant).len()).to_vec();
            assert_eq!(left.iter().sum::<usize>(), 5 - gone, "{order:?} {left:?}");
            assert_eq!(objects.of_grant(grant).len(), 1);
            assert!(!objects.put(Kind::NetworkPolicy, guest(grant, &format!("{grant}-more"))), "known");
        }
        // One of them becomes another grant's.
        assert!(objects.put(Kind::NetworkPolicy, guest("d", "a-more")));
        assert!(objects.of_grant("a").is_empty() && objects.of_grant("d").len() == 1);
        objects.begin(Kind::NetworkPolicy);
        assert_eq!(objects.end(Kind::NetworkPolicy).len(), 3);
        assert!(objects.grants().is_empty());
    }
}

#[test]
fn what_was_just_deleted_stays_gone_although_a_watch_lags() {
    let objects = Objects::default();
    objects.put(Kind::ResourceQuota, quota("10", "a"));
    let key = Key { kind: Kind::ResourceQuota, namespace: "n".to_owned(), name: "q".to_owned() };
    objects.bury(&key, "a");
    objects.put(Kind::ResourceQuota, quota("9", "a"));
    assert!(objects.of_grant("g").is_empty());
    objects.put(Kind::ResourceQuota, quota("12", "b"));
    assert_eq!(objects.of_grant("g").len(), 1);
}

#[test]
fn a_relist_forgets_what_it_didnt_tell_of() {
    let objects = Objects::default();
    objects.put(Kind::ResourceQuota, quota("10", "a"));
    objects.begin(Kind::ResourceQuota);
    let gone: Vec<String> = objects.end(Kind::ResourceQuota).into_iter().map(|(key, _)| key.name).collect();
    assert_eq!(gone, ["q"], "and says so");
    assert!(objects.of_grant("g").is_empty());
}

fn isolating(labels: &Value) -> Value {
    json!({"metadata": {"name": "p", "namespace": "n", "labels": labels},
        "spec": {"podSelector": {"matchLabels": {"app": "tx"}}, "policyTypes": ["Ingress"]}})
}

fn pod(app: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), app.to_owned())])
}

#[test]
fn a_relist_forgets_the_policies_of_others_that_it_didnt_tell_of() {
    let objects = Objects::default();
    objects.put(Kind::NetworkPolicy, isolating(&json!({})));
    objects.begin(Kind::NetworkPolicy);
    assert!(objects.is_isolated("n", &pod("tx")), "the old ones stand meanwhile");
    let gone = objects.end(Kind::NetworkPolicy);
    assert!(!objects.is_isolated("n", &pod("tx")));
    let told: Vec<_> = gone.iter().map(|(key, _)| (key.namespace.as_str(), key.name.as_str())).collect();
    assert_eq!(told, [("n", "p")], "and says so");
    objects.put(Kind::NetworkPolicy, isolating(&json!({})));
    objects.begin(Kind::NetworkPolicy);
    objects.put(Kind::NetworkPolicy, isolating(&json!({})));
    assert!(objects.end(Kind::NetworkPolicy).is_empty());
    assert!(objects.is_isolated("n", &pod("tx")));
}

#[test]
fn a_policy_that_becomes_comitys_isolates_nothing_any_more() {
    let objects = Objects::default();
    objects.put(Kind::NetworkPolicy, isolating(&json!({})));
    objects.put(Kind::NetworkPolicy, isolating(&json!({name::LABEL_GRANT_UID: "g"})));
    assert!(!objects.is_isolated("n", &pod("tx")));
}

#[test]
fn only_pods_that_a_policy_selects_are_isolated() {
    let objects = Objects::default();
    objects.put(Kind::NetworkPolicy, isolating(&json!({})));
    assert!(objects.is_isolated("n", &pod("tx")));
    assert!(!objects.is_isolated("n", &pod("other")));
    assert!(!objects.is_isolated("other", &pod("tx")));
}
