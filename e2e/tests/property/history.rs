//! What was seen and what was done, with the time, in the order in which the API server took it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::step::Process;

/// The kinds of objects that are watched.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Namespace,
    RoleBinding,
    NetworkPolicy,
    ResourceQuota,
    ConfigMap,
    Secret,
    Service,
    StagePolicy,
    PartnerGrant,
    GrantRecord,
    GrantDecision,
    SharingContract,
    Partner,
    Dataset,
    SharingBoundary,
}

/// Something at a time.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it was seen.
    pub at: Timestamp,
    /// The API server's number of it; none where it wasn't the API server's.
    pub revision: Option<u64>,
    /// What.
    pub what: What,
}

/// What was seen or done.
#[derive(Clone, Debug)]
pub enum What {
    /// An object stands like this, from now on.
    Stands(Kind, Arc<Value>),
    /// An object is gone; it stood like this last.
    Gone(Kind, Arc<Value>),
    /// Something was done by whoever wrote the story.
    Did(Deed),
    /// Time has passed.
    Tick,
}

/// What was done, as far as the objects don't tell it.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A process works from now on, or doesn't.
    Works(Process, bool),
    /// Somebody wrote this generation of an object.
    Wrote { uid: String, generation: i64, who: String },
    /// Somebody in these groups made a decision.
    Decided { uid: String, who: String, groups: Vec<&'static str> },
    /// Somebody deleted an object.
    Deleted { uid: String },
    /// Somebody deleted something in a stage's namespace.
    Meddled { namespace: String },
}

/// How often time is looked at between other things.
const TICK: SignedDuration = SignedDuration::from_millis(500);

/// What was seen until a moment: objects in the order in which the API server took them, whichever
/// watch told of them first, everything else where its time puts it, and time that passes.
///
/// All objects are in one store, so the numbers that it gives them say what came first, whatever kind
/// they are of.
pub fn in_order(history: &[Seen], until: Timestamp) -> Vec<Seen> {
    // What the API server took before the last that was seen by then belongs to it, though its watch was behind.
    let last = history.iter().filter(|seen| seen.at <= until).filter_map(|seen| seen.revision).max();
    let known = history.iter().filter(|seen| match seen.revision {
        Some(_) => seen.revision <= last,
        None => seen.at <= until,
    });
    let (mut objects, deeds): (Vec<Seen>, Vec<Seen>) =
        known.cloned().partition(|seen| seen.revision.is_some());
    objects.sort_by_key(|seen| seen.revision);
    let mut latest = Timestamp::MIN;
    for seen in &mut objects {
        latest = latest.max(seen.at).min(until);
        seen.at = latest;
    }
    let ticks = ticks(history.first().map_or(until, |first| first.at), until);
    let mut all = [objects, deeds, ticks].concat();
    all.sort_by_key(|seen| seen.at);
    all
}

fn ticks(from: Timestamp, until: Timestamp) -> Vec<Seen> {
    let next = |at: &Timestamp| at.checked_add(TICK).ok().filter(|next| *next < until);
    let before = std::iter::successors(Some(from), next);
    before.chain([until]).map(|at| Seen { at, revision: None, what: What::Tick }).collect()
}

/// A text in an object.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A list in an object.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A time in an object.
pub fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[test]
fn what_the_api_server_took_first_comes_first_whoever_told_it_first() {
    let at = |milliseconds| Timestamp::from_millisecond(milliseconds).expect("a time");
    let stands = |millisecond, revision| Seen {
        at: at(millisecond),
        revision: Some(revision),
        what: What::Stands(Kind::Secret, Arc::new(Value::Null)),
    };
    let seen = [stands(10, 2), stands(11, 1), stands(700, 5), stands(850, 4), stands(900, 6)];
    let all = in_order(&seen, at(800));
    let told: Vec<_> = all.iter().filter_map(|seen| Some((seen.revision?, seen.at))).collect();
    assert_eq!(
        told,
        [(1, at(11)), (2, at(11)), (4, at(800)), (5, at(800))],
        "the fourth came before the fifth"
    );
    assert_eq!(all.iter().filter(|seen| matches!(seen.what, What::Tick)).count(), 3);
}
