//! The promises, against whatever people, clock, crashes and other hands do, from a printed seed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::change::less;
use super::seen::other;
use super::world::{World, agreement, at};
use crate::api::condition::Reason;
use crate::api::record::RecordEvent;
use crate::api::{Stage, name};
use crate::grant::decide::Step;
use crate::journal::{Journal, Opening};
use crate::plan::objects::Kind;
use crate::policy::{Agreement, Problem};

/// Something that happens.
#[derive(Clone, Debug)]
enum Happening {
    /// Comity takes so many steps, and then crashes: what it held in memory is lost.
    Steps(usize),
    /// The other controllers act.
    Others,
    /// Time passes.
    Forward(i64),
    /// Somebody sets the clock back.
    Back(i64),
    /// Somebody changes `spec.stage`.
    Ceiling(Stage),
    /// Somebody changes `spec.suspend`.
    Suspend(bool),
    /// Somebody closes and opens it again, so many times.
    Toggle(usize),
    /// Somebody changes what the grant depends on.
    Agreement(u8),
    /// Somebody deletes or spoils an object.
    Meddle(usize),
    /// Somebody deletes a namespace.
    LoseNamespace,
    /// Somebody deletes every record.
    LoseJournal,
    /// Somebody deletes the grant.
    Delete,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (1..12_usize).prop_map(Happening::Steps),
        4 => Just(Happening::Others),
        3 => (1..60_i64).prop_map(Happening::Forward),
        1 => (1..4000_i64).prop_map(Happening::Back),
        2 => prop::sample::select(&Stage::ALL[..]).prop_map(Happening::Ceiling),
        1 => any::<bool>().prop_map(Happening::Suspend),
        1 => (1..12_usize).prop_map(Happening::Toggle),
        2 => (0..5_u8).prop_map(Happening::Agreement),
        2 => (0..40_usize).prop_map(Happening::Meddle),
        1 => Just(Happening::LoseNamespace),
        1 => Just(Happening::LoseJournal),
        1 => Just(Happening::Delete),
    ]
}

/// The ends that were recorded first, by stage and digest.
type Ends = BTreeMap<(Stage, String), Timestamp>;

fn happen(world: &mut World, happening: &Happening) {
    match happening {
        Happening::Steps(steps) => (0..*steps).for_each(|_| {
            check_step(world);
            world.step();
        }),
        Happening::Others => drop(world.others_act()),
        Happening::Forward(seconds) => world.forward(*seconds),
        Happening::Back(seconds) => world.forward(-*seconds),
        Happening::Ceiling(stage) => world.grant.spec.stage = *stage,
        Happening::Suspend(suspend) => world.grant.spec.suspend = *suspend,
        Happening::Toggle(times) => toggle(world, *times),
        Happening::Agreement(0) => world.agreement = Err(vec![problem()]),
        Happening::Agreement(1) => world.agreement = Ok(other()),
        Happening::Agreement(2) => world.agreement = Ok(narrower()),
        Happening::Agreement(_) => world.agreement = Ok(agreement("v1:sha256:one")),
        Happening::Meddle(which) => world.meddle(*which),
        Happening::LoseNamespace => world.namespaces().iter().take(1).for_each(|name| world.terminate(name)),
        // Of one that has ended only its status tells, which no world here has.
        Happening::LoseJournal if world.finalized || world.records.is_empty() => world.records.clear(),
        Happening::LoseJournal => {}
        Happening::Delete => {
            let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.now);
            world.grant.metadata.deletion_timestamp.get_or_insert(now);
        }
    }
}

/// What allows less than what was agreed first.
fn narrower() -> Agreement {
    let mut agreed = agreement("v1:sha256:three");
    agreed.stages.values_mut().for_each(|terms| less(&mut terms.policy));
    agreed
}

/// Suspends and resumes, and each time waits until Comity has done what there is to do.
fn toggle(world: &mut World, times: usize) {
    let before = world.records.len();
    for _ in 0..times {
        world.grant.spec.suspend = true;
        world.settle();
        assert!(!world.any_access(), "P4: closing is immediate, however often it comes");
        world.grant.spec.suspend = false;
        world.settle();
    }
    // No time passes: each of three stages opens again eight times at most, and once for the first.
    assert!(world.records.len() - before <= 3 * (2 * 9 + 2), "the journal grows by how often somebody turns");
}

fn problem() -> Problem {
    Problem {
        reason: Reason::UnknownContract,
        clause: "contractRef".to_owned(),
        message: "there is no such contract".to_owned(),
        until: None,
    }
}

/// Whether the grant had a journal and lost it.
fn is_lost(world: &World) -> bool {
    world.scene().journal.is_err()
}

/// What must hold of what is added: nothing to a journal that is lost, or for a grant that was never
/// accepted, and nothing is opened again before its time.
fn check_beginning(world: &World, journal: &Journal, step: &Step) {
    let adds = matches!(step, Step::Record(_) | Step::Finalize | Step::CreateNamespace(_) | Step::Apply(_));
    assert!(!adds || !is_lost(world), "P1: {step:?} of a grant that has lost its journal");
    let begins = matches!(step, Step::Record(_) | Step::Finalize) && journal.next == 1;
    assert!(!begins || world.agreement.is_ok(), "{step:?} of a grant that was never accepted");
    if let Step::Record(entry) = step
        && let Some((stage, digest)) = &entry.stage
        && let Some(opening) = journal.opening(*stage, digest)
        && matches!(entry.event, RecordEvent::Opened | RecordEvent::Resumed)
    {
        let waits = opening.opens_again_at().is_some_and(|until| world.now < until);
        assert!(!waits, "{stage} is opened again before its time");
    }
}

/// What must hold of a step before it is taken: nothing is given without a recorded end (P1), and
/// in no other order than that of P5.
fn check_step(world: &World) {
    let Some(step) = world.decide().step else { return };
    let journal = world.journal();
    check_beginning(world, &journal, &step);
    let (namespace, made) = match &step {
        Step::CreateNamespace(namespace) => (namespace.clone(), namespace.clone()),
        Step::Apply(objects) => (objects[0].key.namespace.clone(), objects[0].key.name.clone()),
        _ => return,
    };
    let lets_in = |opening: &Opening| {
        let mut datasets = opening.policy.datasets.iter();
        datasets.any(|dataset| made == name::dataset_ingress_policy(&opening.namespace, &dataset.name.0))
    };
    let opening = journal
        .openings
        .iter()
        .find(|opening| opening.namespace == namespace || lets_in(opening))
        .expect("P1: whatever is made belongs to a record");
    assert!(!opening.is_closed() && world.now < opening.end, "P1: {step:?} after its end");
    assert!(journal.ended.is_none(), "P6: {step:?} after the grant has ended");
    if let Step::Apply(objects) = &step
        && objects
            .iter()
            .any(|object| object.key.kind == Kind::RoleBinding && object.key.name != name::SIGNER_BINDING)
    {
        let here =
            |wanted: &str| world.live.keys().any(|key| key.namespace == namespace && key.name == wanted);
        assert!(
            here(name::DEFAULT_DENY) && here(name::QUOTA),
            "P5: a binding before the place is closed off"
        );
        let gate = world.live.iter().find(|(key, _)| key.kind == Kind::Namespace && key.name == namespace);
        let open = gate.and_then(|(_, live)| live.label(name::LABEL_PODS));
        assert_eq!(open.as_deref(), Some(name::PODS_OPEN), "P5: a binding before pods are allowed");
    }
}

/// What must hold of the journal at any time: an end that was recorded never moves away.
fn check_ends(world: &World, ends: &mut Ends) {
    for opening in world.journal().openings {
        let first = ends.entry((opening.stage, opening.digest.clone())).or_insert(opening.end);
        assert!(
            opening.end <= *first,
            "P1: the end of {} was moved from {first} to {}",
            opening.stage,
            opening.end
        );
    }
}

/// What must hold once everything has come to rest.
fn check_rest(world: &World) {
    let journal = world.journal();
    let wanted = world.agreement.as_ref().is_ok_and(|agreement| {
        journal.openings.iter().any(|opening| {
            let purpose = agreement.stages.get(&opening.stage).map(|terms| &terms.policy.purpose);
            world.now < opening.end && !opening.is_closed() && purpose == Some(&opening.policy.purpose)
        })
    });
    let is_narrow = world.agreement.as_ref().is_ok_and(|agreement| agreement.digest == narrower().digest);
    let wide = world.live.values().any(|live| live.value().to_string().contains("192.0.2.0/28"));
    assert!(!is_narrow || !wide, "P4: what is live is wider than what stands");
    let may = wanted && !world.grant.spec.suspend && journal.ended.is_none();
    assert!(may || !world.any_access(), "P4/P2: access although nothing permits it");
    assert_eq!(world.decide().step, None, "P8: at rest there is nothing to do");
    let bindings = journal.openings.iter().filter(|opening| !opening.is_closed()).count();
    assert!(world.bindings() <= bindings, "no binding without an opening");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_promises_hold(
        ceiling in prop::sample::select(&Stage::ALL[..]),
        happenings in prop::collection::vec(happening(), 1..24),
    ) {
        let mut world = World::new(ceiling);
        let mut ends = Ends::new();
        for happening in &happenings {
            happen(&mut world, happening);
            check_ends(&world, &mut ends);
        }
        world.settle();
        check_rest(&world);
        check_ends(&world, &mut ends);
        world.now = world.now.max(at(100_000));
        world.settle();
        prop_assert!(!world.any_access(), "P2: access after every end");
        if world.finalized && world.records.is_empty() {
            // What has lost its journal is kept, closed, until somebody deletes it.
            happen(&mut world, &Happening::Delete);
            world.settle();
        }
        prop_assert!(world.namespaces().is_empty(), "everything is cleared");
    }
}
