//! What must hold, seen from outside: by the objects that stand, the records as they read to somebody
//! else, what people really decided, and what the contract really says. Nothing here asks the core.

mod consent;
pub mod objects;
mod order;
mod records;
mod rest;

use super::core::Core;
use super::ledger::{Ledger, Told};
use super::run::Sent;
use super::state::{Grant, State};
use crate::plan::objects::LiveObjects;
use objects::Readings;

/// A promise that doesn't hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    pub promise: &'static str,
    pub what: String,
}

impl Violation {
    pub fn restless() -> Self {
        let what = "it goes round and round and never comes to rest".to_owned();
        Self { promise: "P8: it comes to rest", what }
    }
}

type Holds = Result<(), Violation>;

/// What the invariants see of a grant at rest.
struct Rest<'a> {
    number: usize,
    core: &'a Core,
    state: &'a State,
    grant: &'a Grant,
    ledger: &'a Ledger,
    places: &'a Readings,
    /// The time, by the clock and by the records.
    now: i32,
}

/// What the invariants see of a request that the API server did.
struct Seen<'a> {
    core: &'a Core,
    sent: &'a Sent,
    grant: &'a Grant,
    ledger: &'a Ledger,
    live: &'a LiveObjects,
    live_after: &'a LiveObjects,
    /// The namespaces before the request, and after.
    places: &'a Readings,
    places_after: &'a Readings,
}

/// What must hold whenever there is nothing left to do.
pub fn at_rest(core: &mut Core, state: &State) -> Holds {
    for number in 0..state.grants.len() {
        let grant = &state.grants[number];
        let (lines, places) = (core.journals.get(grant.journal), core.readings(grant.live));
        let now = state.clock.max(lines.ledger.newest);
        let rest = Rest { number, core, state, grant, ledger: &lines.ledger, places: &places, now };
        rest::PROMISES.iter().try_for_each(|promise| promise(&rest))?;
        rest::is_quiet(core, state, number)?;
    }
    Ok(())
}

/// What must hold of every request.
pub fn of_request(core: &mut Core, before: &State, after: &State, sent: &Sent) -> Holds {
    let (grant, grant_after) = (&before.grants[sent.grant], &after.grants[sent.grant]);
    let lines = core.journals.get(grant.journal);
    if !sent.done {
        return Ok(());
    }
    let (live, live_after) = (core.lives.get(grant.live), core.lives.get(grant_after.live));
    let (places, places_after) = (core.readings(grant.live), core.readings(grant_after.live));
    let (core, ledger) = (&*core, &lines.ledger);
    let seen = Seen {
        core,
        sent,
        grant,
        ledger,
        live: &live,
        live_after: &live_after,
        places: &places,
        places_after: &places_after,
    };
    if let Some(record) = &sent.record {
        let after = core.journals.get(grant_after.journal);
        records::PROMISES.iter().try_for_each(|promise| promise(&seen, record, &after.ledger))?;
    }
    order::PROMISES.iter().try_for_each(|promise| promise(&seen))
}

/// The promise, unless `broken`.
fn holds(promise: &'static str, broken: bool, what: impl FnOnce() -> String) -> Holds {
    if broken { Err(Violation { promise, what: what() }) } else { Ok(()) }
}

/// An opening in a few words.
fn word(told: &Told) -> String {
    format!("{} until second {}", told.stage, told.end)
}
