//! What a grant and its journal come to, from the story of `examples/fraud-scoring/`.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::api::record::{RecordEvent, RecordReason};
use crate::api::stage::Stage;
use crate::journal::append::Entry;
use crate::policy::testing::World;
use crate::signer::testing::Story;

fn derived(story: &Story) -> Vec<(Stage, bool)> {
    let world = &story.world;
    let derived = derive(&world.grant, &story.journal, &world.outlook(), world.now);
    derived.openings.iter().map(|opening| (opening.stage, opening.open)).collect()
}

#[test]
fn what_was_opened_has_all_that_its_certificates_say() {
    let story = Story::with_open(Stage::Sandbox);
    let world = &story.world;
    let derived = derive(&world.grant, &story.journal, &world.outlook(), world.now);
    let [opening] = derived.openings.as_slice() else { panic!("{derived:?}") };
    assert!(opening.open);
    assert_eq!(opening.ttl, SignedDuration::from_hours(2));
    assert_eq!(opening.workloads, ["scorer"]);
    assert_eq!((opening.partner.as_str(), opening.contract.as_str()), ("northpay", "fraud-scoring"));
    assert_eq!(Some(&opening.contract_uid), world.contract.metadata.uid.as_ref());
    let recorded = story.journal.openings.first().unwrap();
    assert_eq!((opening.end, opening.place()), (recorded.end, recorded.namespace.clone()));
    assert!(derived.look_again.is_some_and(|at| at > world.now));
}

#[test]
fn no_key_is_made_where_the_contract_doesnt_let_keys_be_secrets() {
    use crate::api::contract::KeyDelivery::{CertificateSigningRequest, PodCertificate, Secret};
    for (delivery, workloads, by_pods, enrols) in [
        (vec![], vec![], false, false),
        (vec![CertificateSigningRequest], vec![], false, true),
        (vec![PodCertificate], vec![], true, false),
        (vec![PodCertificate, Secret], vec!["scorer"], true, false),
    ] {
        let mut story =
            Story { world: World::story(), journal: Journal::empty(), records: Vec::new(), told: Vec::new() };
        story.world.contract.spec.security.key_delivery = delivery;
        story.open(Stage::Sandbox);
        let world = &story.world;
        let derived = derive(&world.grant, &story.journal, &world.outlook(), world.now);
        let opening = &derived.openings[0];
        assert_eq!(
            (opening.workloads.iter().map(String::as_str).collect(), opening.makers.nodes),
            (workloads, by_pods)
        );
        assert_eq!(opening.makers.partner, enrols);
        assert_eq!(opening.is_certified(), by_pods || enrols || !opening.workloads.is_empty());
        assert_eq!(opening.every_workload, ["scorer"]);
        assert!(opening.open && !opening.over);
    }
}

#[test]
fn nothing_is_open_before_it_is_recorded() {
    let world = World::story();
    let derived = derive(&world.grant, &Journal::empty(), &world.outlook(), world.now);
    assert!(derived.openings.is_empty());
}

#[test]
fn whatever_speaks_against_it_closes_it() {
    type Change = fn(&mut Story);
    let changes: [(&str, Change); 7] = [
        ("suspended", |story| story.world.grant.spec.suspend = true),
        ("deleted", |story| story.world.grant.metadata.deletion_timestamp = Some(Time(story.world.now))),
        ("past its end", |story| story.world.now = story.journal.openings.first().unwrap().end),
        ("the contract was made again, and says something else", |story| {
            story.world.contract.metadata.uid = Some("another".to_owned());
            story.world.contract.spec.purposes.push("model-quality".into());
        }),
        ("the contract is void", |story| story.world.contract.spec.partners.clear()),
        ("no boundary", |story| story.world.boundaries.clear()),
        ("the namespace left the boundary", |story| story.world.namespace_labels.clear()),
    ];
    for (what, change) in changes {
        let mut story = Story::with_open(Stage::Sandbox);
        assert_eq!(derived(&story), [(Stage::Sandbox, true)]);
        change(&mut story);
        assert_eq!(derived(&story), [(Stage::Sandbox, false)], "{what}");
        let is_final = matches!(what, "deleted" | "past its end");
        assert_eq!(only(&story).over, is_final, "{what}");
    }
}

#[test]
fn what_was_narrowed_since_is_signed_for_as_far_as_it_still_goes() {
    let mut story = Story::with_open(Stage::Sandbox);
    story.world.boundary().spec.ceilings.credential_ttl = "1h".into();
    assert!(story.world.resolve().is_err(), "nothing new is opened");
    assert_eq!((only(&story).open, only(&story).ttl), (true, SignedDuration::from_hours(1)));
    let mut story = Story::with_open(Stage::Sandbox);
    story.world.grant.spec.workloads.clear();
    assert_eq!((only(&story).open, only(&story).workloads.len()), (true, 0));
    let mut story = Story::with_open(Stage::Sandbox);
    let recorded = only(&story).end;
    story.world.contract.spec.stages[0].max_duration = "1h".into();
    story.world.grant.spec.stages.clear();
    assert!(only(&story).open && only(&story).end < recorded, "no certificate is valid for longer");
    story.world.contract.spec.purposes.push("model-quality".into());
    assert!(only(&story).open, "what is more is no reason to close");
}

#[test]
fn a_stage_above_the_ceiling_is_closed_and_only_a_record_opens_it_again() {
    let mut story = Story::with_open(Stage::Sandbox);
    story.open(Stage::Rehearsal);
    assert_eq!(derived(&story), [(Stage::Sandbox, true), (Stage::Rehearsal, true)]);
    story.world.grant.spec.stage = Stage::Sandbox;
    assert_eq!(derived(&story), [(Stage::Sandbox, true), (Stage::Rehearsal, false)]);
    story.close(Stage::Rehearsal, RecordReason::Demoted);
    story.world.grant.spec.stage = Stage::Rehearsal;
    assert_eq!(derived(&story), [(Stage::Sandbox, true), (Stage::Rehearsal, false)], "not before the record");
    story.open(Stage::Rehearsal);
    assert_eq!(derived(&story), [(Stage::Sandbox, true), (Stage::Rehearsal, true)]);
}

#[test]
fn what_the_journal_closed_or_ended_stays_so() {
    let mut story = Story::with_open(Stage::Sandbox);
    story.close(Stage::Sandbox, RecordReason::Expired);
    assert_eq!(derived(&story), [(Stage::Sandbox, false)]);
    let mut story = Story::with_open(Stage::Sandbox);
    story.append(&Entry::of_grant(RecordEvent::Ended, Some(RecordReason::NothingLeft), "over"));
    assert_eq!(derived(&story), [(Stage::Sandbox, false)]);
    let mut story = Story::with_open(Stage::Sandbox);
    story.record(Stage::Sandbox, RecordEvent::Suspended, RecordReason::Suspended);
    assert_eq!(derived(&story), [(Stage::Sandbox, false)], "until it is recorded as resumed");
    story.record(Stage::Sandbox, RecordEvent::Resumed, RecordReason::Suspended);
    assert_eq!(derived(&story), [(Stage::Sandbox, true)]);
}

/// A stolen token of `comity run` may append records, so what a record says of whose certificates
/// these are is not what `sign` goes by.
#[test]
fn a_record_cant_say_whose_certificates_are_signed_by_which_authority() {
    type Forge = fn(&mut crate::api::effective::EffectivePolicy);
    let forgeries: [(&str, Forge); 4] = [
        ("another partner", |policy| policy.partner = "bigbank".into()),
        ("another contract's authority", |policy| policy.contract_uid = "another-contract".into()),
        ("another workload", |policy| policy.workloads[0].name = "intruder".into()),
        ("another end of the contract", |policy| {
            policy.time.not_after.0 += SignedDuration::from_hours(9_000);
        }),
    ];
    let genuine = only(&Story::with_open(Stage::Sandbox));
    for (what, forge) in forgeries {
        let mut story =
            Story { world: World::story(), journal: Journal::empty(), records: Vec::new(), told: Vec::new() };
        let agreement = story.world.agreed();
        let terms = &agreement.stages[&Stage::Sandbox];
        let mut policy = terms.policy.clone();
        forge(&mut policy);
        let end = story.world.now + terms.duration;
        story.append(&Entry::opened(Stage::Sandbox, &agreement.digest, end, &policy));
        let forged = only(&story);
        let Opening { workloads, every_workload, .. } = forged.clone();
        let known = every_workload.iter().all(|workload| genuine.every_workload.contains(workload));
        let at_most = Opening { workloads, every_workload, ..genuine.clone() };
        let known = known && forged.workloads.iter().all(|workload| genuine.workloads.contains(workload));
        assert!(!forged.open || (forged == at_most && known), "{what}: {forged:?}");
    }
}

#[test]
fn a_record_cant_give_more_time_than_was_agreed() {
    let mut story =
        Story { world: World::story(), journal: Journal::empty(), records: Vec::new(), told: Vec::new() };
    let agreement = story.world.agreed();
    let terms = &agreement.stages[&Stage::Sandbox];
    let end = story.world.now + SignedDuration::from_hours(100_000);
    story.append(&Entry::opened(Stage::Sandbox, &agreement.digest, end, &terms.policy));
    assert_eq!(derived(&story), [(Stage::Sandbox, false)], "nothing is signed for it");
}

/// The one opening of a story.
fn only(story: &Story) -> Opening {
    let world = &story.world;
    let derived = derive(&world.grant, &story.journal, &world.outlook(), world.now);
    let [opening] = derived.openings.as_slice() else { panic!("{derived:?}") };
    opening.clone()
}
