//! What holds for every input: it never panics, never gives more than a ceiling, and a lower
//! ceiling never gives more.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::super::Agreement;
use super::super::quantity::Amount;
use super::super::quota;
use super::super::testing::{World, another};
use super::leaves::{schema, variants};
use crate::api::boundary::{Dns, PodSecurity};
use crate::api::value::Duration;
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract};

/// One thing that somebody changes.
#[derive(Clone, Debug)]
enum Change {
    /// A value of one of the five kinds becomes another one.
    Vary(usize, Index),
    /// A text becomes one that the API server might never have let in.
    Write(usize, Index, String),
    /// A field, or an item of a list, is taken out.
    TakeOut(usize, Index),
    /// A Service goes, or loses its selector.
    Service(Index, bool),
    /// Another grant turns up.
    Another(i64),
    /// The namespace loses its labels.
    Unlabel,
    /// Another boundary turns up, with one value changed.
    Boundary(Index),
    /// Time passes, or goes back.
    Wait(i64),
}

fn change() -> impl Strategy<Value = Change> {
    let kind = 0_usize..5;
    let text = prop_oneof![
        "[0-9]{0,6}(h|m|s|ms|d|Gi|M|k)?",
        "[0-9.:a-f]{0,12}/[0-9]{0,3}",
        "\\PC{0,12}",
        Just("99999h99999h99999h99999h".to_owned())
    ];
    prop_oneof![
        4 => (kind.clone(), any::<Index>()).prop_map(|(kind, at)| Change::Vary(kind, at)),
        3 => (kind.clone(), any::<Index>(), text).prop_map(|(kind, at, text)| Change::Write(kind, at, text)),
        3 => (kind, any::<Index>()).prop_map(|(kind, at)| Change::TakeOut(kind, at)),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(at, gone)| Change::Service(at, gone)),
        1 => (-10_i64..10).prop_map(Change::Another),
        1 => Just(Change::Unlabel),
        1 => any::<Index>().prop_map(Change::Boundary),
        1 => (-400_000_000_i64..400_000_000).prop_map(Change::Wait),
    ]
}

/// The schemas of the five kinds.
static SCHEMAS: LazyLock<[Value; 5]> = LazyLock::new(|| {
    [
        schema::<PartnerGrant>(),
        schema::<SharingContract>(),
        schema::<Partner>(),
        schema::<Dataset>(),
        schema::<SharingBoundary>(),
    ]
});

/// The schema and `spec` of one of the five kinds.
fn spec(world: &World, kind: usize) -> (&'static Value, Value) {
    let spec = match kind {
        0 => serde_json::to_value(&world.grant.spec),
        1 => serde_json::to_value(&world.contract.spec),
        2 => serde_json::to_value(&world.partner.spec),
        3 => serde_json::to_value(&world.datasets[0].spec),
        _ => serde_json::to_value(&world.boundaries[0].spec),
    };
    (&SCHEMAS[kind], spec.expect("a spec is JSON"))
}

/// Puts a `spec` in its place, if it still is one.
fn put(world: &mut World, kind: usize, spec: Value) {
    fn set<T: serde::de::DeserializeOwned>(place: &mut T, spec: Value) {
        if let Ok(spec) = serde_json::from_value(spec) {
            *place = spec;
        }
    }
    match kind {
        0 => set(&mut world.grant.spec, spec),
        1 => set(&mut world.contract.spec, spec),
        2 => set(&mut world.partner.spec, spec),
        3 => set(&mut world.dataset().spec, spec),
        _ => set(&mut world.boundary().spec, spec),
    }
}

fn apply(world: &mut World, change: Change) {
    match change {
        Change::Vary(kind, at) => {
            let (schema, value) = spec(world, kind);
            let mut all = variants(schema, &value);
            let variant = all.swap_remove(at.index(all.len()));
            put(world, kind, variant.spec);
        }
        Change::Write(kind, at, text) => {
            let (_, mut value) = spec(world, kind);
            let mut texts = Vec::new();
            pointers(&value, String::new(), &mut texts);
            *value.pointer_mut(&texts[at.index(texts.len())]).expect("it is there") = text.into();
            put(world, kind, value);
        }
        Change::TakeOut(kind, at) => {
            let (_, mut value) = spec(world, kind);
            let mut all = Vec::new();
            pointers(&value, String::new(), &mut all);
            take_out(&mut value, &all[at.index(all.len())]);
            put(world, kind, value);
        }
        Change::Service(at, gone) => {
            let Some(name) = world.services.keys().nth(at.index(3)).cloned() else { return };
            match world.services.get_mut(&name) {
                Some(service) if !gone => service.selector.clear(),
                _ => drop(world.services.remove(&name)),
            }
        }
        Change::Another(seconds) => {
            let mut other = another(&format!("uid-{seconds}"), super::super::testing::NOW);
            other.requested = later(other.requested, seconds);
            world.others.push(other);
        }
        Change::Unlabel => world.namespace_labels.clear(),
        Change::Boundary(at) => add_boundary(world, at),
        Change::Wait(seconds) => world.now = later(world.now, seconds),
    }
}

fn add_boundary(world: &mut World, at: Index) {
    let (schema, value) = spec(world, 4);
    let mut all = variants(schema, &value);
    let variant = all.swap_remove(at.index(all.len()));
    let mut second = world.boundaries[0].clone();
    second.metadata.name = Some("second".to_owned());
    second.spec = serde_json::from_value(variant.spec).expect("a variant is a spec");
    world.boundaries.push(second);
}

fn later(moment: jiff::Timestamp, seconds: i64) -> jiff::Timestamp {
    moment.checked_add(jiff::SignedDuration::from_secs(seconds)).expect("not that far")
}

/// The pointers of everything in a value.
fn pointers(value: &Value, path: String, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        pointers(child, format!("{path}/{name}"), found);
    }
    if !path.is_empty() {
        found.push(path);
    }
}

/// Takes what is at `pointer` out of a value.
fn take_out(value: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => drop(items.remove(name.parse().expect("an index"))),
        _ => {}
    }
}

/// Whether a quota is within what a boundary names, and within the default of what it doesn't.
fn limited(given: &quota::Hard, named: &quota::Hard) -> Result<(), TestCaseError> {
    for (resource, most) in &quota::ceilings(named) {
        let given = given.get(resource).and_then(Amount::of);
        prop_assert!(given.is_some_and(|given| Some(given) <= Amount::of(most)), "{}", resource);
    }
    for line in &quota::DEFAULTS {
        prop_assert!(line.least(given).is_some(), "{} has no limit", line.resource);
    }
    Ok(())
}

/// Whether an agreement is within everything that has a say in it.
fn within(world: &World, agreed: &Agreement) -> Result<(), TestCaseError> {
    let length = |duration: &Duration| duration.length().expect("what is agreed can be read");
    let operands = world.operands();
    let selecting =
        super::super::boundary::matching(&operands.boundaries, "risk-data", &world.namespace_labels);
    prop_assert!(!selecting.is_empty(), "agreed without a boundary");
    prop_assert!(agreed.not_after > world.now);
    prop_assert!(agreed.review_at.is_none_or(|review| review > world.now));
    for (stage, terms) in &agreed.stages {
        let rule = world.contract.spec.stages.iter().find(|rule| rule.stage == *stage);
        let rule = rule.expect("the contract offers it");
        prop_assert!(terms.duration <= length(&rule.max_duration));
        for request in world.grant.spec.stages.iter().filter(|request| request.stage == *stage) {
            prop_assert!(terms.duration <= length(&request.duration));
        }
        let operations = &terms.policy.operations;
        prop_assert!(operations.iter().all(|given| world.grant.spec.operations.contains(&given.name)));
        for boundary in &selecting {
            let ceilings = &boundary.spec.ceilings;
            let ceiling = ceilings.stages.iter().find(|ceiling| ceiling.stage == *stage);
            let ceiling = ceiling.expect("the boundary names it");
            prop_assert!(terms.duration <= length(&ceiling.max_duration));
            prop_assert!(terms.credential_ttl <= length(&ceilings.credential_ttl));
            prop_assert!(terms.policy.security.pod_security >= ceilings.pod_security);
            prop_assert!(ceilings.egress.dns == Dns::Cluster || terms.policy.destination.dns == Dns::None);
            limited(&terms.policy.quota.hard, &ceiling.quota.hard)?;
        }
    }
    Ok(())
}

/// One way to lower the only boundary's ceilings; `share` is in hundredths.
fn lower(world: &mut World, what: u8, share: i64) {
    let ceilings = &mut world.boundary().spec.ceilings;
    let part = |duration: &Duration| {
        let seconds = duration.length().expect("the story's durations can be read").as_secs() * share / 100;
        Duration(format!("{}m{}s", seconds / 60 % 100_000, seconds % 60))
    };
    let Some(stage) = ceilings.stages.get_mut(usize::from(what % 3)) else { return };
    match what / 3 {
        0 => stage.max_duration = part(&stage.max_duration),
        1 => ceilings.credential_ttl = part(&ceilings.credential_ttl),
        2 => {
            // Of what it is now, so that it only falls; in whole pods, because there is no fraction of one.
            let pods = stage.quota.hard.get_mut("pods").expect("the story's boundary names them");
            let most: i64 = pods.0.parse().expect("a whole number");
            pods.0 = (most * share / 100).to_string();
        }
        3 => ceilings.egress.cidrs.clear(),
        4 => ceilings.egress.dns = Dns::None,
        5 => ceilings.registries.clear(),
        6 => drop(ceilings.stages.pop()),
        _ => ceilings.pod_security = PodSecurity::Restricted,
    }
}

/// Whether `less` gives nothing that `more` doesn't.
fn no_more(less: &Agreement, more: &Agreement) -> Result<(), TestCaseError> {
    for (stage, terms) in &less.stages {
        let before = more.stages.get(stage);
        prop_assert!(before.is_some(), "{} is new", stage);
        let Some(before) = before else { continue };
        prop_assert!(terms.duration <= before.duration && terms.credential_ttl <= before.credential_ttl);
        prop_assert!(terms.policy.security.pod_security >= before.policy.security.pod_security);
        for (resource, amount) in &before.policy.quota.hard {
            let after = terms.policy.quota.hard.get(resource).and_then(Amount::of);
            prop_assert!(after.is_some_and(|after| Some(after) <= Amount::of(amount)), "{}", resource);
        }
        let mut same = terms.policy.clone();
        same.quota.clone_from(&before.policy.quota);
        same.security.clone_from(&before.policy.security);
        prop_assert_eq!(&same, &before.policy, "the rest is the contract's own");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_there_is_an_agreement_within_every_bound_or_a_reason(
        changes in prop::collection::vec(change(), 0..6)
    ) {
        let mut world = World::story();
        for change in changes {
            apply(&mut world, change);
        }
        match world.resolve() {
            Ok(agreed) => within(&world, &agreed)?,
            Err(problems) => {
                prop_assert!(!problems.is_empty(), "refused without a reason");
                for problem in problems {
                    prop_assert!(problem.message.starts_with(&problem.clause), "{}", problem.message);
                    prop_assert!(problem.message.len() < 4096, "{}", problem.message);
                }
            }
        }
    }

    #[test]
    fn lowering_a_ceiling_never_gives_more(
        first in prop::collection::vec((0_u8..24, 1_i64..=100), 0..4),
        then in prop::collection::vec((0_u8..24, 1_i64..=100), 1..4),
        unsaid in any::<bool>(),
    ) {
        let mut world = World::story();
        if unsaid {
            // Where contract and grant say nothing, the boundary alone decides.
            world.contract.spec.security.credential_ttl = None;
            world.contract.spec.stages.iter_mut().for_each(|rule| rule.quota = None);
        }
        for (what, share) in first {
            lower(&mut world, what, share);
        }
        let before = world.resolve();
        for (what, share) in then {
            lower(&mut world, what, share);
        }
        if let Ok(after) = world.resolve() {
            let before = before.expect("what is refused stays refused when a ceiling is lowered");
            no_more(&after, &before)?;
        }
    }
}
