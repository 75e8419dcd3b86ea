//! What the broken variants do instead, one function each.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::super::sight::Sight;
use super::super::story::{PRODUCTION, duration};
use crate::api::effective::EffectivePolicy;
use crate::api::record::{GrantIdentity, RecordEvent, RecordReason};
use crate::api::stamp::Writers;
use crate::api::{Stage, name};
use crate::grant::build::Site;
use crate::grant::build::namespace::{Gate, namespace};
use crate::grant::decide::Step;
use crate::journal::append::{Entry, next_record};
use crate::journal::{Journal, Opening};
use crate::plan::objects::{Key, Kind, LiveObjects};
use crate::policy::Agreement;
use crate::policy::consent::ConsentRule;

pub fn counted(now: jiff::Timestamp) -> jiff::Timestamp {
    now.checked_add(SignedDuration::from_secs(i64::from(PRODUCTION))).unwrap_or(now)
}

/// Counts the end from now on.
pub fn count_anew(opening: &mut Opening, now: jiff::Timestamp) {
    let long = SignedDuration::from_secs(i64::from(duration(opening.stage)));
    (opening.opened_at, opening.end) = (now, now.checked_add(long).unwrap_or(now));
}

pub fn for_each_policy(openings: &mut [Opening], change: impl Fn(&mut EffectivePolicy)) {
    for opening in openings {
        change(Arc::make_mut(&mut opening.policy));
    }
}

pub fn first_end(opening: &Opening) -> jiff::Timestamp {
    let long = SignedDuration::from_secs(i64::from(duration(opening.stage)));
    let first = opening.opened_at.checked_add(long);
    first.map_or(opening.end, |first| first.min(opening.end))
}

pub fn is_open(journal: Option<&Journal>) -> bool {
    journal.is_some_and(|journal| journal.openings.iter().any(|one| one.stage == Stage::Production))
}

/// Takes an ended grant for one that was never asked for, with all its time to come.
pub fn reopen(journal: &mut Journal) {
    if journal.ended.take().is_some() {
        journal.openings.clear();
    }
}

pub fn forget_writer(agreement: &mut Agreement, who: &str) {
    for written in &mut agreement.authorship {
        let text = written.writers.as_ref().map(ToString::to_string).unwrap_or_default();
        written.writers = Writers::parse(&text.replace(who, "nobody"));
    }
}

pub fn ask_nobody(agreement: &mut Agreement) {
    agreement.stages.values_mut().for_each(|terms| terms.consent = ConsentRule::default());
}

/// What is open gets what the contract says now.
pub fn take_up(journal: Option<&mut Journal>, agreement: &mut Agreement, first: &Agreement) {
    let terms: BTreeMap<_, _> =
        agreement.stages.iter().map(|(stage, terms)| (*stage, terms.policy.clone())).collect();
    agreement.digest.clone_from(&first.digest);
    for opening in journal.into_iter().flat_map(|journal| &mut journal.openings) {
        terms.get(&opening.stage).iter().for_each(|policy| opening.policy = Arc::new((*policy).clone()));
    }
}

pub fn renew(sight: &Sight, steps: &mut [Step]) {
    let Some(Step::Record(entry)) = steps.first_mut() else { return };
    let again = matches!(entry.event, RecordEvent::Opened | RecordEvent::Resumed);
    let Some((stage, digest)) = entry.stage.clone().filter(|_| again) else { return };
    let known = sight.openings().iter().find(|one| one.stage == stage && one.digest == digest);
    if let Some(opening) = known.filter(|opening| opening.end < counted(sight.now)) {
        let message = "applied again".to_owned();
        let reason = RecordReason::Decided;
        let renewed = Entry::of_opening(RecordEvent::Extended, opening, reason, message);
        **entry = Entry { end: Some(counted(sight.now)), ..renewed };
    }
}

/// The namespace first, and the record then.
pub fn access_before_record(sight: &Sight, steps: &mut Vec<Step>) {
    let Some(Step::Record(entry)) = steps.first().filter(|_| sight.live.is_empty()) else { return };
    let (Ok(journal), RecordEvent::Opened) = (sight.journal.as_ref(), entry.event) else { return };
    let names = &sight.names;
    let identity = GrantIdentity { name: names.grant.as_str().into(), uid: names.uid.as_str().into() };
    let mut after = journal.clone();
    let taken = after.take(&next_record(journal, entry, &identity, None, sight.now));
    if let (Ok(()), Some(opening)) = (taken, after.openings.last()) {
        steps.insert(
            0,
            Step::Apply(vec![Arc::new(namespace(
                &Site { policy: &opening.policy, ..sight.site(opening) },
                Gate::Closed,
            ))]),
        );
    }
}

/// Takes a quota that is written for one that is in force.
pub fn take_for_in_force(live: &mut LiveObjects) {
    for (_, quota) in live.iter_mut().filter(|(key, _)| key.kind == Kind::ResourceQuota) {
        let mut body = quota.value();
        body["status"]["hard"] = body["spec"]["hard"].clone();
        quota.body = body.to_string().into();
    }
}

/// Shuts the gate before what binds people goes.
pub fn gate_shut_first(sight: &Sight, steps: &mut Vec<Step>) {
    let Some(Step::Delete(doomed)) = steps.first() else { return };
    let Some(binding) = doomed.iter().find(|one| one.key.kind == Kind::RoleBinding) else { return };
    let gate = Gate::Closed;
    let place = binding.key.namespace.clone();
    let is_open = |key: &Key| {
        sight.live.get(key).and_then(|live| live.label(name::LABEL_PODS)).as_deref() == Some(name::PODS_OPEN)
    };
    if is_open(&Key::namespace(&place)) {
        steps.insert(0, Step::SetGate(place, gate));
    }
}

/// Deletes a namespace without a look at what is in it.
pub fn delete_at_once(sight: &Sight, steps: &mut [Step]) {
    let Some(Step::CountPods(place)) = steps.first().cloned() else { return };
    let found = sight.live.get(&Key::namespace(&place));
    if let Some(found) = found {
        steps[0] = Step::DeleteNamespace(place, found.uid.clone());
    }
}

/// Binds people as soon as there is a namespace.
pub fn bound_first(sight: &Sight, steps: &mut Vec<Step>) {
    let Some(Step::Apply(objects)) = steps.first() else { return };
    let Some(first) = objects.first().map(|object| object.key.namespace.clone()) else { return };
    let Some(opening) = sight.openings().iter().find(|opening| opening.namespace == first) else { return };
    let bindings = crate::grant::build::access::role_bindings(&sight.site(opening));
    steps.insert(0, Step::Apply(bindings.into_iter().map(Arc::new).collect()));
}
