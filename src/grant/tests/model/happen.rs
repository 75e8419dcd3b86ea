//! What people, clocks and crashes do to the modelled world, at any of its moments.
//!
//! A pass looks at the contract, the grant's spec, the decisions and the clock once, when it begins,
//! and writes none of them. So what changes only those is tried between passes: in the middle of one
//! it is the same as right after it, or after the crash or the stop that ended it. A crash, a stop and
//! the late write of what was stopped are tried between any two requests.

use std::fmt;

use super::acts::{Act, Decided};
use super::core::Core;
use super::run::Sent;
use super::state::{Paused, State};
use super::story::{CONTRACT_END, Contract, HOUR, VALID_FOR, Version};
use crate::api::Stage;

/// Something that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Happening {
    /// Somebody decides something about a grant.
    Decide(usize, Act),
    /// Somebody deletes every decision about a grant.
    DeleteDecisions(usize),
    /// Ben writes this version of the contract.
    Write(Version),
    /// Somebody deletes the contract.
    DeleteContract,
    /// Somebody applies a grant with this `spec.stage`.
    Apply(usize, Stage),
    /// Time passes, until the next moment at which something is due.
    Forward,
    /// Time passes until nothing can be open.
    Beyond,
    /// Somebody sets the clock back, by so many hours.
    Back(i32),
    /// The process crashes, and another one starts.
    Crash,
    /// The process stops in the middle of a pass over a grant, and another one starts.
    Stop(usize),
    /// The process that was stopped sends one more request.
    Late,
    /// Somebody deletes a grant's status.
    LoseStatus(usize),
    /// Somebody who may override deletes every record of a grant.
    LoseJournal(usize),
}

impl fmt::Display for Happening {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decide(0, act) => write!(out, "{act}"),
            Self::Decide(number, act) => write!(out, "of grant {number}: {act}"),
            Self::DeleteDecisions(_) => write!(out, "somebody deletes every decision"),
            Self::Write(version) => write!(out, "ben writes the contract: {version:?}"),
            Self::DeleteContract => write!(out, "somebody deletes the contract"),
            Self::Apply(number, stage) => write!(out, "ada applies grant {number} with stage {stage}"),
            Self::Forward => write!(out, "time passes, to the next moment that something waits for"),
            Self::Beyond => write!(out, "time passes, beyond every end"),
            Self::Back(hours) => write!(out, "somebody sets the clock back by {hours} h"),
            Self::Crash => write!(out, "the process crashes, and another one starts"),
            Self::Stop(_) => write!(out, "the process stops before its next request, and another one starts"),
            Self::Late => write!(out, "the process that was stopped sends its next request"),
            Self::LoseStatus(_) => write!(out, "somebody deletes the status"),
            Self::LoseJournal(_) => write!(out, "somebody who may override deletes every record"),
        }
    }
}

impl Core {
    /// What is after it happened; `None` where it can't happen, or changes nothing.
    pub fn happen(&mut self, state: &State, happening: Happening) -> Option<(Option<Sent>, State)> {
        let mut next = state.clone();
        let between = state.grants.iter().all(|grant| grant.pass.is_none());
        match happening {
            Happening::Late => {
                let (sent, after) = self.send_late(state)?;
                return Some((Some(sent), after));
            }
            Happening::Crash if between => return None,
            Happening::Crash => next.restart(),
            Happening::Stop(number) => self.stop(state, &mut next, number)?,
            _ if !between => return None,
            Happening::Decide(number, act) => decide(&mut next, number, act)?,
            Happening::DeleteDecisions(number) => {
                let grant = &mut next.grants[number];
                grant.deleted = grant.decided.len();
                grant.dirty = true;
            }
            Happening::Write(version) => write(&mut next, version),
            Happening::DeleteContract => delete_contract(&mut next)?,
            Happening::Apply(number, ceiling) => {
                (next.grants[number].ceiling, next.grants[number].dirty) = (ceiling, true);
            }
            Happening::Forward => next.clock = self.next_moment(state)?,
            Happening::Beyond => next.clock = CONTRACT_END + 24 * HOUR,
            Happening::Back(hours) => {
                next.clock = (next.clock - hours * HOUR).max(0);
                next.stir();
            }
            Happening::LoseStatus(number) => {
                (next.grants[number].told, next.grants[number].dirty) = (false, true);
            }
            Happening::LoseJournal(number) => lose_journal(&mut next, number)?,
        }
        (next != *state).then_some((None, next))
    }

    fn stop(&self, state: &State, next: &mut State, number: usize) -> Option<()> {
        let grant = &state.grants[number];
        let (None, Some(pass)) = (&state.paused, &grant.pass) else { return None };
        // One that holds nothing but a read has nothing to send.
        let request = self.requests.get(self.plan(pass.plan).requests[pass.next]);
        if matches!(request.as_ref(), super::cluster::Request::Pods(_)) {
            return None;
        }
        let (pass, journal, live) = (pass.clone(), grant.journal, grant.live);
        next.restart();
        next.paused = Some(Paused { grant: number, pass, journal, live });
        Some(())
    }

    /// The next moment that a process waits for, or ought to: at which something ends by its record,
    /// or for want of a review, or an approval counts no more.
    fn next_moment(&self, state: &State) -> Option<i32> {
        let mut moments: Vec<i32> = state.grants.iter().filter_map(|grant| grant.wake).collect();
        for grant in &state.grants {
            let ledger = &self.journals.get(grant.journal).ledger;
            moments.extend(ledger.openings.iter().flat_map(|told| [told.end, ledger.lapses(told)]));
            moments.extend(grant.decided.iter().map(|one| one.made + VALID_FOR));
        }
        moments.into_iter().filter(|moment| *moment > state.clock).min()
    }
}

/// Each act once, unless what it is about has changed.
fn decide(next: &mut State, number: usize, act: Act) -> Option<()> {
    let version = if act.is_bound() { Some(next.contract.version?) } else { None };
    let grant = &mut next.grants[number];
    if grant.decided.iter().any(|known| known.act == act && known.version == version) {
        return None;
    }
    // Whoever releases has looked first: in the second of the quarantine nobody is heard.
    next.clock += i32::from(matches!(act, Act::Release(_)));
    grant.decided.push(Decided { act, version, made: next.clock });
    grant.dirty = true;
    Some(())
}

fn write(next: &mut State, version: Version) {
    let Contract { generation, incarnation, version: known } = next.contract;
    if known == Some(version) {
        return;
    }
    // What was deleted is made anew: another object.
    let (generation, incarnation) =
        if known.is_none() { (1, incarnation + 1) } else { (generation + 1, incarnation) };
    next.contract = Contract { version: Some(version), generation, incarnation };
    next.stir();
}

fn delete_contract(next: &mut State) -> Option<()> {
    next.contract.version?;
    next.contract.version = None;
    next.stir();
    Some(())
}

/// Where its status is gone too, and it has ended, nothing is left that tells of a grant's records:
/// two losses at once are more than is promised.
fn lose_journal(next: &mut State, number: usize) -> Option<()> {
    let grant = &mut next.grants[number];
    if grant.journal == 0 || !(grant.told || grant.finalized) {
        return None;
    }
    grant.journal = 0;
    (grant.lost, grant.dirty) = (true, true);
    Some(())
}
