//! No rule of ours says more than it must: checked on what is written, not on how.

use serde_json::{Value, json};

use super::*;
use crate::api::{decision::DecisionAction, grant::Role, name, stage::Stage};
use crate::generate::admission::cel::{CONSENT_GROUP, POD_SIGNER};

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
fn nobody_may_escalate_or_reach_into_a_pod() {
    for (_, who, rule) in rules() {
        // On grants they are verbs of consent, which are people's.
        let consent = holds(&rule, "apiGroups", CONSENT_GROUP);
        for verb in ["escalate", "proxy"] {
            assert!(!holds(&rule, "verbs", verb), "{who}: {rule}");
        }
        // Bundles of anchors are published for the signer of workloads, and no other.
        let own_bundles = rule["resources"] == json!(["signers"])
            && rule["resourceNames"] == json!([POD_SIGNER])
            && who == name::SIGN;
        for (verb, is_own) in [("approve", false), ("attest", own_bundles)] {
            assert!(consent || is_own || !holds(&rule, "verbs", verb), "{who}: {rule}");
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
fn only_a_rehearsal_impersonates_and_only_the_roles_of_people() {
    let rules = rules().into_iter();
    let impersonates: Vec<_> = rules.filter(|(_, _, rule)| holds(rule, "verbs", "impersonate")).collect();
    let [(kind, who, rule)] = impersonates.as_slice() else { panic!("{impersonates:?}") };
    assert_eq!((kind.as_str(), who.as_str()), ("ClusterRole", name::REHEARSER_CLUSTER_ROLE));
    assert_eq!((&rule["apiGroups"], &rule["resources"]), (&json!([""]), &json!(["serviceaccounts"])));
    assert_eq!(rule["verbs"], json!(["impersonate"]));
    let names = rule["resourceNames"].as_array().expect("names");
    assert_eq!(names.len(), Role::ALL.len());
    assert!(names.iter().all(|name| name.as_str().is_some_and(|name| name.starts_with("role-"))), "{rule}");
    let bound = objects("comity-system").into_iter().any(|object| object["roleRef"]["name"] == *who);
    assert!(!bound, "only comity run binds it, and only while something is rehearsed");
}

#[test]
fn who_rehearses_writes_reports_and_nothing_else() {
    for (_, who, rule) in rules() {
        if [name::REHEARSE, name::REHEARSER_CLUSTER_ROLE].contains(&who.as_str()) {
            let reads = rule["verbs"].as_array().into_iter().flatten();
            let reads = reads.into_iter().all(|verb| READ.iter().any(|read| verb == read));
            let says = ["rehearsalreports", "subjectaccessreviews"]
                .iter()
                .any(|kind| rule["resources"] == json!([kind]))
                && rule["verbs"] == json!(["create"]);
            let of_itself = holds(&rule, "resources", "events") || holds(&rule, "resources", "leases");
            let acts = rule["verbs"] == json!(["impersonate"]);
            // Its cage lets it make a pod, and add a container to one, only without effect.
            let tries = [("pods", "create"), ("pods/ephemeralcontainers", "patch")]
                .iter()
                .any(|(what, verb)| rule == json!({"apiGroups": [""], "resources": [what], "verbs": [verb]}));
            let is_bare = !holds(&rule, "resources", "secrets") && !holds(&rule, "resources", "pods");
            assert!(is_bare || tries, "{who}: {rule}");
            assert!(reads || says || of_itself || acts || tries, "{who}: {rule}");
        }
        let writes = holds(&rule, "resources", "rehearsalreports") && rule["verbs"] != json!(READ);
        assert!(!writes || who == name::REHEARSE, "{who}: {rule}");
    }
}

#[test]
fn signing_is_the_signers_and_for_its_own_signer_only() {
    let signs: Vec<_> = rules().into_iter().filter(|(_, _, rule)| holds(rule, "verbs", "sign")).collect();
    let [(kind, who, rule)] = signs.as_slice() else { panic!("{signs:?}") };
    assert_eq!((kind.as_str(), who.as_str()), ("ClusterRole", name::SIGN));
    assert_eq!(rule["resources"], json!(["signers"]));
    assert_eq!(rule["resourceNames"], json!(["comity.dev/workload"]));
    for (_, who, rule) in rules() {
        let answers = holds(&rule, "resources", "podcertificaterequests/status");
        assert!(!answers || who == name::SIGN, "{who}: {rule}");
        let asks = holds(&rule, "resources", "podcertificaterequests");
        assert!(!asks || who == name::SIGN && rule["verbs"] == json!(READ), "{who}: {rule}");
    }
}

#[test]
fn what_enrolment_adds_is_one_signer_and_one_config_map() {
    let objects = process::enrolment("comity-system");
    let holders: Vec<&Value> = objects.iter().filter(|object| object["rules"].is_array()).collect();
    let rules: Vec<&Value> = holders.iter().flat_map(|role| role["rules"].as_array().unwrap()).collect();
    for rule in &rules {
        let of_signer = holds(rule, "verbs", "sign") || holds(rule, "verbs", "approve");
        assert!(!of_signer || rule["resourceNames"] == json!(["comity.dev/external-workload"]), "{rule}");
        let named = rule["resourceNames"] == json!(["comity-trust-enrolment"]);
        assert!(!holds(rule, "resources", "configmaps") || named && rule["verbs"] == json!(["get"]));
        let reads = ["get", "list", "watch", "delete", "patch"].iter().any(|verb| holds(rule, "verbs", verb));
        assert!(!holds(rule, "apiGroups", "certificates.k8s.io") || !reads, "{rule}");
        assert!(!rule.to_string().contains('*') && !holds(rule, "resources", "secrets"), "{rule}");
    }
    assert_eq!((holders.len(), rules.len()), (2, 4));
    let installed = super::objects("comity-system");
    assert!(installed.iter().all(|object| !object.to_string().contains("external-workload")));
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
    assert_eq!(names.len(), 2 + Role::ALL.len() * Stage::ALL.len());
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
    assert_eq!(everywhere, [name::RUN, name::SIGN, name::REHEARSE]);
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
            let harmless = ["bind", "get", "list", "watch"];
            let only_looks = rule["verbs"]
                .as_array()
                .is_some_and(|verbs| verbs.iter().all(|verb| harmless.iter().any(|known| verb == known)));
            assert!(!holds(&rule, "resources", resource) || only_looks, "{who}: {rule}");
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
            let writes_policy = holds(&rule, "resources", "stagepolicies") && rule["verbs"] != json!(READ);
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

/// The roles that hold a verb of consent.
fn deciding(verb: &str) -> Vec<String> {
    let rules = rules().into_iter().filter(|(_, _, rule)| holds(rule, "apiGroups", CONSENT_GROUP));
    rules.filter(|(_, _, rule)| holds(rule, "verbs", verb)).map(|(_, who, _)| who).collect()
}

#[test]
fn every_decision_but_the_partners_own_is_in_somebodys_role() {
    for action in DecisionAction::ALL {
        let holders = deciding(action.verb());
        assert_eq!(holders.is_empty(), action == DecisionAction::Countersign, "{action:?}: {holders:?}");
        assert!(holders.iter().all(|who| who.starts_with("comity:")), "{action:?}: {holders:?}");
    }
    assert_eq!(deciding("approve"), ["comity:approver"]);
    assert_eq!(deciding("extend"), ["comity:approver"]);
    assert_eq!(deciding("release"), ["comity:responder"]);
}

#[test]
fn who_asks_does_not_approve_and_who_only_decides_writes_nothing_else() {
    for (_, who, rule) in rules() {
        if people::ROLES.iter().any(|(name, _)| *name == who) && !holds(&rule, "apiGroups", CONSENT_GROUP) {
            let decides =
                rule["verbs"] == json!(["create"]) && rule["resources"] == json!(["grantdecisions"]);
            let asks = who == "comity:requester" && rule["resources"] == json!(["partnergrants"]);
            let verbs = rule["verbs"].as_array().into_iter().flatten();
            let reads = verbs.into_iter().all(|verb| READ.iter().any(|read| verb == read));
            assert!(reads || decides || asks, "{who}: {rule}");
        }
    }
}

#[test]
fn comitys_own_accounts_decide_nothing() {
    for (_, who, rule) in rules() {
        if [name::RUN, name::SIGN, name::REHEARSE].contains(&who.as_str()) {
            assert!(!holds(&rule, "apiGroups", CONSENT_GROUP), "{who}: {rule}");
            let decisions = holds(&rule, "resources", "grantdecisions");
            assert!(!decisions || rule["verbs"] == json!(READ), "{who}: {rule}");
        }
    }
}
