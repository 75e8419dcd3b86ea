//! Of every clause of a contract it is said what holds it.

use std::collections::BTreeMap;

use super::*;
use crate::testing::schema::{covers, of_contracts};

/// What is told of three clauses that certificates hold, where keys are delivered in these ways.
fn told_of_certificates(delivery: &[KeyDelivery], ttl: &str) -> [EnforcedClause; 3] {
    let by = [
        ("security.keyDelivery", By(&[AdmissionPolicy, Certificate])),
        ("security.credentialTTL", By(&[Certificate])),
        ("time.notAfter", By(&[Certificate, Controller])),
    ];
    let mut told = by.map(|(clause, holder)| held(clause, &holder, true));
    let credential_ttl = Some(ttl.into());
    let security = Security { key_delivery: delivery.to_vec(), credential_ttl, ..Security::default() };
    refine_certificates(&mut told, &security);
    told
}

#[test]
fn what_certificates_hold_is_said_by_how_keys_are_delivered() {
    use KeyDelivery::{CertificateSigningRequest, PodCertificate, Secret};
    for (ways, ttl, says) in [
        (vec![Secret], "1h", "keys are delivered as Secrets"),
        (vec![PodCertificate], "2h", "nodes make keys that never leave them"),
        (vec![PodCertificate, Secret], "2h", "as Secrets"),
        (
            vec![PodCertificate, Secret],
            "1h",
            "as Secrets; PodCertificate needs a credentialTTL of 2h or more",
        ),
        (vec![Secret, CertificateSigningRequest], "2h", "as Secrets; workloads on the partner's side enrol"),
    ] {
        let [delivery, ttl, end] = told_of_certificates(&ways, ttl);
        assert_eq!(delivery.state, EnforcementState::Enforced);
        assert_eq!(delivery.by, [AdmissionPolicy, Certificate]);
        assert!(delivery.message.as_ref().unwrap().contains(says), "{delivery:?}");
        assert_eq!((&*ttl.by, &*end.by), (&[Certificate][..], &[Certificate, Controller][..]));
    }
}

#[test]
fn where_no_key_is_delivered_nothing_claims_that_certificates_hold_it() {
    use KeyDelivery::PodCertificate;
    for (ways, ttl, why) in [
        (vec![PodCertificate], "119m", "PodCertificate needs a credentialTTL of 2h or more"),
        (vec![], "2h", "names no way"),
    ] {
        let [delivery, ttl, end] = told_of_certificates(&ways, ttl);
        for clause in [&delivery, &ttl] {
            assert_eq!((clause.state, clause.by.len()), (EnforcementState::DeclaredOnly, 0));
            let message = clause.message.as_ref().unwrap();
            assert!(message.contains(why) && message.contains("no workload gets a certificate"), "{message}");
        }
        assert_eq!(end.by, [Controller]);
    }
}

#[test]
fn what_admission_holds_is_only_declared_while_a_policy_is_missing() {
    let by = |clause| &CLAUSES.iter().find(|(known, _)| *known == clause).unwrap().1;
    let clauses = ["purposes", "destination.compute.registries", "security.podSecurity", "stages.quota"];
    let mut told: Vec<EnforcedClause> = clauses.map(|clause| held(clause, by(clause), true)).into();
    let before = told.clone();
    refine_admission(&mut told, "there is no policy");
    let [purposes, registries, pod_security, quota] = &told[..] else { panic!() };
    assert_eq!((purposes.state, &purposes.by[..]), (EnforcementState::Enforced, &[Controller][..]));
    assert_eq!((registries.state, registries.by.len()), (EnforcementState::DeclaredOnly, 0));
    for clause in [purposes, registries] {
        assert_eq!(clause.message.as_deref(), Some("admission doesn't hold it: there is no policy"));
    }
    assert_eq!([pod_security, quota], [&before[2], &before[3]], "others hold these");
}

#[test]
fn that_nothing_stamps_who_decides_is_told() {
    let clauses = ["purposes", "approvals"];
    let by = |clause| &CLAUSES.iter().find(|(known, _)| *known == clause).unwrap().1;
    let mut told: Vec<EnforcedClause> = clauses.map(|clause| held(clause, by(clause), true)).into();
    let before = told.clone();
    refine_stamps(&mut told, "there is no policy");
    assert_eq!(told[0], before[0]);
    assert_eq!((&told[1].by, told[1].state), (&before[1].by, EnforcementState::Enforced), "it is compared");
    let message = told[1].message.clone().unwrap();
    assert!(
        message.starts_with("admission doesn't note who decides") && message.ends_with("there is no policy")
    );
}

#[test]
fn no_clause_of_a_contract_is_left_out() {
    let found = of_contracts();
    let clauses: Vec<&str> =
        CLAUSES.iter().map(|(clause, _)| *clause).chain(LATER.iter().map(|(clause, _)| *clause)).collect();
    let missing: Vec<&String> =
        found.iter().filter(|leaf| !clauses.iter().any(|clause| covers(clause, leaf))).collect();
    assert!(missing.is_empty(), "no clause covers {missing:?}");
    let dead: Vec<&&str> =
        clauses.iter().filter(|clause| !found.iter().any(|leaf| covers(clause, leaf))).collect();
    assert!(dead.is_empty(), "no such thing in a contract: {dead:?}");
}

#[test]
fn what_nothing_holds_is_told_to_people_and_nothing_else_is() {
    let page = include_str!("../../../docs/read-a-status.md");
    let (_, list) = page.split_once("<!-- declared-only -->").expect("there is a list");
    let (list, _) = list.split_once("<!-- /declared-only -->").expect("it ends");
    let cells = list.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut told: Vec<&str> = cells.flat_map(|cell| cell.split(['`', ',', ' '])).collect();
    told.retain(|word| !word.is_empty());
    told.sort_unstable();
    let nothing = CLAUSES.iter().filter(|(_, holder)| matches!(holder, Nothing(_)));
    let mut held_by_nothing: Vec<&str> = nothing.map(|(clause, _)| *clause).collect();
    held_by_nothing.extend(LATER.iter().map(|(clause, _)| *clause));
    held_by_nothing.sort_unstable();
    assert_eq!(told, held_by_nothing, "docs/read-a-status.md and CLAUSES differ");
}

#[test]
fn whoever_writes_a_contract_reads_of_every_clause_what_holds_it() {
    let page = include_str!("../../../docs/write-a-contract.md");
    let (_, list) = page.split_once("<!-- every-clause -->").expect("there is a list");
    let (list, _) = list.split_once("<!-- /every-clause -->").expect("it ends");
    let rows = list.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut told = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [clauses, _, held, ..] = &cells[..] else { panic!("{row}") };
        for clause in clauses.split(['`', ',', ' ']).filter(|word| !word.is_empty()) {
            assert!(told.insert(clause, held.starts_with("nothing")).is_none(), "{clause} is there twice");
        }
    }
    let holders = CLAUSES.iter().map(|(clause, holder)| (*clause, matches!(holder, Nothing(_))));
    let all: BTreeMap<&str, bool> = holders.chain(LATER.iter().map(|(clause, _)| (*clause, true))).collect();
    assert_eq!(told, all, "docs/write-a-contract.md and CLAUSES differ");
}
