//! No rule of ours says more than it must: checked on what is written, not on how.

use serde_json::Value;

use super::*;
use crate::api::{grant::Role, name, stage::Stage};

/// Every role with its rules, as (kind, name, rule).
fn rules() -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    objects("comity-system")
        .iter()
        .filter_map(|object| object["rules"].as_array().map(|rules| (object, rules)))
        .flat_map(|(object, rules)| {
            rules.iter().map(|rule| (text(&object["kind"]), text(&object["metadata"]["name"]), rule.clone()))
        })
        .collect()
}

fn holds(rule: &Value, field: &str, item: &str) -> bool {
    rule[field].as_array().is_some_and(|items| items.iter().any(|one| one == item))
}

#[test]
fn nothing_is_said_with_a_wildcard() {
    for (_, who, rule) in rules() {
        assert!(!rule.to_string().contains('*'), "{who}: {rule}");
    }
}

#[test]
fn nobody_may_escalate_impersonate_or_reach_into_a_pod() {
    for (_, who, rule) in rules() {
        for verb in ["escalate", "impersonate", "approve", "sign", "attest", "proxy"] {
            assert!(!holds(&rule, "verbs", verb), "{who}: {rule}");
        }
        for resource in [
            "serviceaccounts/token",
            "pods/exec",
            "pods/attach",
            "pods/portforward",
            "nodes/proxy",
            "services/proxy",
        ] {
            assert!(!holds(&rule, "resources", resource), "{who}: {rule}");
        }
    }
}

#[test]
fn binding_is_by_name_and_only_of_our_own_roles() {
    let binds: Vec<_> = rules().into_iter().filter(|(_, _, rule)| holds(rule, "verbs", "bind")).collect();
    assert_eq!(binds.len(), 1);
    let (_, who, rule) = &binds[0];
    assert_eq!(who, name::RUN);
    let names = rule["resourceNames"].as_array().expect("names");
    assert!(names.iter().all(|name| name.as_str().is_some_and(|name| name.starts_with("comity:"))));
    assert!(!names.iter().any(|name| name == "comity:override" || name == "comity:expire"));
    assert_eq!(names.len(), 1 + Role::ALL.len() * Stage::ALL.len());
}

#[test]
fn secrets_are_within_reach_of_the_signer_only_and_never_cluster_wide() {
    for (kind, who, rule) in rules() {
        if holds(&rule, "resources", "secrets") {
            let bound_by_namespace =
                who == name::SIGNER_CLUSTER_ROLE || (kind == "Role" && who == name::SIGN);
            assert!(bound_by_namespace, "{kind} {who}: {rule}");
        }
    }
    let everywhere: Vec<_> = objects("comity-system")
        .into_iter()
        .filter(|object| object["kind"] == "ClusterRoleBinding")
        .map(|binding| binding["roleRef"]["name"].clone())
        .collect();
    assert_eq!(everywhere, [name::RUN, name::SIGN]);
}

#[test]
fn nobody_writes_roles_definitions_or_admission() {
    for (_, who, rule) in rules() {
        for resource in [
            "clusterroles",
            "clusterrolebindings",
            "roles",
            "customresourcedefinitions",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "mutatingadmissionpolicies",
            "validatingwebhookconfigurations",
        ] {
            let only_bind =
                rule["verbs"].as_array().is_some_and(|verbs| verbs.iter().all(|verb| verb == "bind"));
            assert!(!holds(&rule, "resources", resource) || only_bind, "{who}: {rule}");
        }
    }
}

#[test]
fn a_partners_role_knows_nothing_of_what_holds_it() {
    let forbidden = [
        "secrets",
        "roles",
        "rolebindings",
        "clusterroles",
        "resourcequotas",
        "limitranges",
        "networkpolicies",
        "serviceaccounts",
        "serviceaccounts/token",
        "namespaces",
        "pods/ephemeralcontainers",
        "pods/resize",
        "endpoints",
        "endpointslices",
        "ingresses",
        "pods/exec",
        "pods/binding",
        "bindings",
    ];
    for (_, who, rule) in rules() {
        if partner::names().contains(&who) {
            for resource in forbidden {
                assert!(!holds(&rule, "resources", resource), "{who}: {rule}");
            }
            let writes_policy =
                holds(&rule, "resources", "stagepolicies") && rule["verbs"] != serde_json::json!(READ);
            assert!(!writes_policy, "{who}: {rule}");
        }
    }
}

#[test]
fn rehearsal_is_just_like_production() {
    for role in Role::ALL {
        let of = |stage| partner::rules(role, stage).iter().map(Grant::value).collect::<Vec<_>>();
        assert_eq!(of(Stage::Rehearsal), of(Stage::Production), "{role:?}");
    }
}

#[test]
fn nothing_aggregates_into_another_role() {
    for object in objects("comity-system") {
        assert!(object["aggregationRule"].is_null());
        assert!(!object.to_string().contains("rbac.authorization.k8s.io/aggregate-to"), "{object}");
    }
}
