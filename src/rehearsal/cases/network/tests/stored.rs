//! What a report says of policies that somebody deleted, widened or added by hand, and of those that nobody could read.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::super::judged::{Looked, cases};
use super::super::{Expected, Passage, namespaces, summary};
use super::{Told, examples, namespace};
use crate::api::name;
use crate::api::report::CaseOutcome;
use crate::api::stage::Stage;
use crate::policy::testing::labels;
use crate::rehearsal::case::{Attempt, Case, Observed};
use crate::rehearsal::judge::outcome;

/// The story, whose datasets let the stage in or not.
fn story(is_let_in: bool) -> Told {
    let (_, mut told) = examples().swap_remove(0);
    if !is_let_in {
        told.ingress.clear();
    }
    told
}

/// What was read where these policies are stored.
fn looked(expected: &[Expected], policies: &[Value]) -> Looked {
    let read = |body: &Value| serde_json::from_value::<NetworkPolicy>(body.clone()).expect("a policy");
    let named = |name: String| {
        let known = labels(&[("kubernetes.io/metadata.name", &name)]);
        (name, known)
    };
    Looked {
        policies: policies.iter().map(read).collect(),
        namespaces: namespaces(expected).into_iter().map(named).collect(),
        ..Looked::default()
    }
}

fn came_out(case: &Case) -> (CaseOutcome, String) {
    let observed = match &case.attempt {
        Attempt::Seen(observed) => observed.clone(),
        Attempt::Nothing(why) => Observed::Untried(why.clone()),
        other => panic!("nothing is tried here: {other:?}"),
    };
    (outcome(case, &observed), observed.to_string())
}

/// The cases that don't pass, as lines, where the policies of the story's rehearsal are changed so.
fn amiss(told: &Told, change: impl FnOnce(&mut Vec<Value>)) -> Vec<String> {
    let expected = told.expected(Stage::Rehearsal);
    let mut policies = told.made(Stage::Rehearsal);
    change(&mut policies);
    let judged = cases(&expected, &looked(&expected, &policies));
    assert_eq!(judged.len(), expected.len());
    let lines = judged.iter().map(|case| (case, came_out(case)));
    let amiss = lines.filter(|(_, (outcome, _))| *outcome != CaseOutcome::Passed);
    amiss.map(|(case, (outcome, words))| format!("{outcome:?} {}: {words}", case.name)).collect()
}

fn named<'a>(policies: &'a mut [Value], name: &str) -> &'a mut Value {
    let mut all = policies.iter_mut();
    all.find(|policy| policy["metadata"]["name"] == name).unwrap_or_else(|| panic!("{name} is made"))
}

/// Checks that a case fails, and says this.
#[track_caller]
fn says(lines: &[String], case: &str, words: &[&str]) {
    let line = lines.iter().find(|line| line.starts_with(&format!("Failed {case}: ")));
    let line = line.unwrap_or_else(|| panic!("{case} doesn't fail: {lines:#?}"));
    assert!(words.iter().all(|word| line.contains(word)), "{line} doesn't say {words:?}");
}

#[test]
fn what_comity_stored_passes_whole() {
    for is_let_in in [true, false] {
        let amiss = amiss(&story(is_let_in), |_| ());
        assert!(amiss.is_empty(), "{amiss:#?}");
    }
}

#[test]
fn a_policy_that_somebody_deleted_is_missed_where_it_leads() {
    let gone = |name: &str| {
        let name = name.to_owned();
        amiss(&story(true), move |policies| {
            policies.retain(|policy| policy["metadata"]["name"] != name.as_str());
        })
    };
    let deny = format!("{}/{}", namespace(Stage::Rehearsal), name::DEFAULT_DENY);
    let way_out = ["refused: shut: not let out, where ", deny.as_str()];
    says(&gone(name::ALLOW_DNS), "network-dns-by-udp-open", &way_out);
    says(&gone("comity-allow-dataset-transactions"), "network-dataset-transactions-open", &way_out);
    let door = name::dataset_ingress_policy(&namespace(Stage::Rehearsal), "transactions");
    let way_in = ["not let in, where risk-data/transactions-default-deny hold"];
    says(&gone(&door), "network-dataset-transactions-open", &way_in);
    says(&gone(name::ALLOW_WITHIN), "network-within-the-stage-open", &[deny.as_str()]);
}

#[test]
fn a_policy_that_somebody_widened_is_named_with_what_it_lets_through() {
    let widened = |name: &'static str, rules: &'static str| {
        amiss(&story(false), |policies| named(policies, name)["spec"][rules] = json!([{}]))
    };
    let by = |name: &str| format!("allowed: open: let out by {}/{name}", namespace(Stage::Rehearsal));
    let dns = widened(name::ALLOW_DNS, "egress");
    let words = by(name::ALLOW_DNS);
    for case in [
        "network-to-outside-by-ipv4-shut",
        "network-to-the-metadata-service-shut",
        "network-to-the-grants-namespace-shut",
        "network-dataset-transactions-of-production-shut",
        "network-egress-192-0-2-0-28-shut",
    ] {
        says(&dns, case, &[words.as_str()]);
    }
    let within = widened(name::ALLOW_WITHIN, "ingress");
    says(&within, "network-from-another-namespace-shut", &["let in by ", name::ALLOW_WITHIN]);
    says(&within, "network-from-outside-by-ipv4-shut", &["let in by ", name::ALLOW_WITHIN]);
    let door = name::dataset_ingress_policy(&namespace(Stage::Rehearsal), "transactions");
    let door =
        amiss(&story(true), |policies| named(policies, &door)["spec"]["ingress"][0]["from"] = json!([]));
    says(
        &door,
        "network-dataset-transactions-from-another-namespace-shut",
        &["let in by risk-data/comity-from-"],
    );
    assert_eq!(door.len(), 1, "{door:#?}");
}

#[test]
fn a_policy_that_somebody_put_beside_comitys_is_seen_whichever_pods_it_means() {
    for selector in [json!({}), json!({"matchLabels": {"app": "only-these"}})] {
        let by_hand = json!({
            "metadata": {"namespace": namespace(Stage::Rehearsal), "name": "by-hand"},
            "spec": {"podSelector": selector, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]},
        });
        let lines = amiss(&story(true), |policies| policies.push(by_hand));
        says(&lines, "network-to-outside-by-ipv4-shut", &["let out by ", "/by-hand"]);
        says(&lines, "network-to-the-metadata-service-shut", &["let out by ", "/by-hand"]);
        assert!(!lines.iter().any(|line| line.contains("ipv6-shut")), "{lines:#?}");
    }
}

#[test]
fn what_nobody_could_read_never_passes() {
    let told = story(true);
    let expected = told.expected(Stage::Rehearsal);
    let whole = looked(&expected, &told.made(Stage::Rehearsal));
    for place in namespaces(&expected) {
        let mut looked = whole.clone();
        looked.namespaces.remove(&place);
        looked.policies.retain(|policy| policy.metadata.namespace.as_ref() != Some(&place));
        looked.unread.insert(place.clone(), "comity rehearse may not".to_owned());
        for (case, expected) in cases(&expected, &looked).iter().zip(&expected) {
            let concerned = expected.places().any(|one| one == place);
            let (outcome, words) = came_out(case);
            assert_eq!(outcome == CaseOutcome::NotExecutable, concerned, "{place}: {}", case.name);
            assert_eq!(words == "comity rehearse may not", concerned, "{place}: {}", case.name);
        }
    }
    let nothing = cases(&expected, &Looked::default());
    assert!(nothing.iter().all(|case| came_out(case).0 == CaseOutcome::NotExecutable));
}

#[test]
fn what_is_told_together_fails_where_one_of_it_does() {
    let told = story(false);
    let expected = told.expected(Stage::Rehearsal);
    let clauses: std::collections::BTreeSet<_> =
        expected.iter().map(|one| (one.clause, one.expect == Passage::Open)).collect();
    let together = |policies: &[Value]| summary::of(&cases(&expected, &looked(&expected, policies)));
    let made = told.made(Stage::Rehearsal);
    let whole = together(&made);
    assert_eq!(whole.len(), clauses.len());
    assert!(whole.iter().all(|case| came_out(case).0 == CaseOutcome::Passed), "{whole:#?}");
    let mut wider = made.clone();
    named(&mut wider, name::ALLOW_DNS)["spec"]["egress"] = json!([{}]);
    let wider = together(&wider);
    let failed =
        wider.iter().find(|case| case.name == "network-destination-egress-shut").expect("it is there");
    let (outcome, words) = came_out(failed);
    assert_eq!(outcome, CaseOutcome::Failed);
    assert!(
        words.contains("network-to-another-namespace-shut (pods (") && words.contains("let out by "),
        "{words}"
    );
    let mut shut = made.clone();
    shut.retain(|policy| policy["metadata"]["name"] != name::ALLOW_DNS);
    let dns = together(&shut);
    let dns = dns.iter().find(|case| case.name == "network-destination-dns-open").expect("it is there");
    assert_eq!(came_out(dns).0, CaseOutcome::Failed);
    let unread = summary::of(&cases(&expected, &Looked::default()));
    assert!(unread.iter().all(|case| came_out(case).0 == CaseOutcome::NotExecutable));
}
