//! What must hold once everything has come to rest.

use super::super::acts::{Act, Decided};
use super::super::cluster::Request;
use super::super::core::Core;
use super::super::ledger::{Stands, Told};
use super::super::state::State;
use super::super::story::{CONTRACT_END, OVERLAP};
use super::objects::Reading;
use super::{Holds, Rest, holds, word};
use crate::api::Stage;
use crate::api::record::RecordReason;

type Promise = fn(&Rest<'_>) -> Holds;

pub const PROMISES: [Promise; 9] = [
    no_access_after_the_end,
    nothing_wider_than_any_operand,
    no_access_under_quarantine,
    no_access_beyond_what_is_asked_for,
    no_access_without_review,
    what_somebody_ended_is_closed,
    nothing_is_left_of_what_has_ended,
    one_opening_is_live_for_a_stage,
    what_is_due_stands,
];

/// A process that starts now, and knows nothing, writes nothing.
pub fn is_quiet(core: &mut Core, state: &State, number: usize) -> Holds {
    let look = core.look(state, number);
    let plan = core.decide(look);
    let requests = core.plan(plan).requests.clone();
    let writes = requests.into_iter().map(|request| core.requests.get(request));
    let first = writes.into_iter().find(|request| !matches!(request.as_ref(), Request::Pods(_)));
    let what = || first.as_ref().map(|request| request.word()).unwrap_or_default();
    holds("P8: when nothing changed, nothing is written", first.is_some(), what)
}

impl Rest<'_> {
    /// The openings that anybody can use, with their namespaces.
    fn usable(&self) -> impl Iterator<Item = (&str, Option<&Told>)> + Clone {
        let usable = self.places.iter().filter(|(_, place)| place.is_usable());
        usable.map(|(name, _)| (name.as_str(), self.ledger.of_namespace(name)))
    }

    /// What was decided and has to have its effect: what stands, and what a record took.
    fn effective(&self) -> impl Iterator<Item = (usize, &Decided)> {
        let uid = self.core.story.grant(self.number).metadata.uid.clone().unwrap_or_default();
        let decided = self.grant.decided.iter().enumerate();
        decided.filter(move |(at, _)| {
            *at >= self.grant.deleted || self.ledger.taken.contains(&format!("{uid}-decision-{at}"))
        })
    }
}

fn no_access_after_the_end(rest: &Rest<'_>) -> Holds {
    for (place, told) in rest.usable() {
        let Some(told) = told else {
            return holds("P1: nothing without a recorded end", true, || format!("{place} can be used"));
        };
        let what = || format!("{} can be used at {}", word(told), rest.now);
        holds("no access after the end", told.end <= rest.now, what)?;
        let closed = matches!(told.stands, Stands::Closed(_));
        holds("no access after the end", closed, || format!("{} was closed, and can be used", told.stage))?;
    }
    Ok(())
}

/// What the world allows, each operand allows as it now stands: what was agreed to, and the contract.
fn nothing_wider_than_any_operand(rest: &Rest<'_>) -> Holds {
    let promise = "P4: a live grant gets no more than every operand allows";
    for (place, told) in rest.usable() {
        let agreed = told.and_then(|told| rest.core.story.version(rest.number, &told.digest));
        let contract = rest.state.contract.version.filter(|_| rest.now < CONTRACT_END);
        let (Some(agreed), Some(contract)) = (agreed, contract) else {
            return holds(promise, true, || format!("{place} can be used, and there is no contract"));
        };
        let operands = [agreed, contract].map(|version| (version, version.allowance()));
        for (version, allowance) in operands {
            let reading = &rest.places[place];
            let address = reading.reaches.iter().find(|address| !allowance.addresses.contains(address));
            holds(promise, address.is_some(), || {
                format!("{place} reaches {address:?}, which {version:?} doesn't say")
            })?;
            let production = told.is_some_and(|told| told.stage == Stage::Production);
            let pods = reading.most_pods.filter(|_| production && reading.admits_pods());
            let many = pods.is_some_and(|pods| pods > allowance.pods);
            holds(promise, many, || format!("{place} holds {pods:?} pods, more than {version:?} says"))?;
        }
    }
    Ok(())
}

fn no_access_under_quarantine(rest: &Rest<'_>) -> Holds {
    // The API server notes whole seconds: what was decided in that of the quarantine doesn't release.
    let releases = |since: i32, by| {
        rest.effective()
            .any(|(_, one)| one.made > since && matches!(one.act, Act::Release(other) if other != by))
    };
    let in_force = rest.effective().find_map(|(_, one)| match one.act {
        Act::Quarantine(by) if !releases(one.made, by) => Some(by.name()),
        _ => None,
    });
    let used = rest.usable().next().map(|(place, _)| place);
    let broken = in_force.is_some() && used.is_some();
    let what = || format!("{used:?} can be used, and {in_force:?} has quarantined it");
    holds("no access under quarantine", broken, what)
}

fn no_access_beyond_what_is_asked_for(rest: &Rest<'_>) -> Holds {
    let beyond = |told: &&Told| told.stage > rest.grant.ceiling;
    let beyond = rest.usable().filter_map(|(_, told)| told).find(beyond).map(word);
    let what = || format!("{beyond:?} can be used, and only {} is asked for", rest.grant.ceiling);
    holds("P4: demotion closes at once", beyond.is_some(), what)
}

fn no_access_without_review(rest: &Rest<'_>) -> Holds {
    let overdue = |told: &&Told| rest.ledger.lapses(told) <= rest.now;
    let broken = rest.usable().filter_map(|(_, told)| told).find(overdue).map(word);
    let what = || format!("{broken:?} can be used at {}, and nobody confirmed it", rest.now);
    holds("no access without its review", broken.is_some(), what)
}

fn what_somebody_ended_is_closed(rest: &Rest<'_>) -> Holds {
    let expired = rest.effective().any(|(_, one)| matches!(one.act, Act::Expire(_)));
    let used = rest.usable().next().map(|(place, _)| place);
    let what = || format!("{used:?} can be used, and somebody expired the grant");
    holds("what somebody ended is closed", expired && used.is_some(), what)
}

fn nothing_is_left_of_what_has_ended(rest: &Rest<'_>) -> Holds {
    let left = rest.places.keys().next().filter(|_| rest.ledger.ended);
    holds("P6: ended is final", left.is_some(), || format!("{left:?} is left"))
}

fn one_opening_is_live_for_a_stage(rest: &Rest<'_>) -> Holds {
    for stage in Stage::ALL {
        let openings = rest.usable().filter_map(|(_, told)| told).filter(|told| told.stage == stage);
        let (live, newest) = (openings.clone().count(), openings.map(|told| told.opened_at).max());
        // What takes over is open beside what it takes over from for a while.
        let overlap = if stage == Stage::Production { OVERLAP } else { 0 };
        let many = live > 2 || (live == 2 && newest.is_some_and(|newest| newest + overlap <= rest.now));
        holds("at most one opening live for a grant and stage", many, || format!("{live} of {stage}"))?;
    }
    Ok(())
}

/// What was opened, and nothing speaks against, can be used until its end: nothing cuts it early.
fn what_is_due_stands(rest: &Rest<'_>) -> Holds {
    if rest.ledger.ended || rest.grant.lost || rest.ledger.quarantined.is_some() || rest.now >= CONTRACT_END {
        return Ok(());
    }
    let openings = &rest.ledger.openings;
    for told in openings {
        let promoted = openings.iter().any(|later| later.stage > told.stage);
        let agreed = rest.core.story.version(rest.number, &told.digest);
        let asked = told.stage <= rest.grant.ceiling && !promoted;
        let reviewed = rest.ledger.lapses(told) > rest.now;
        let over = matches!(told.stands, Stands::Closed(reason) if reason != RecordReason::Demoted && !reason.is_loss());
        let due = asked && reviewed && !over && rest.now < told.end && agreed == rest.state.contract.version;
        let broken = due && !rest.places.get(&told.namespace).is_some_and(Reading::is_whole);
        holds("P1: nothing is cut before its end", broken, || {
            format!("{} can't be used at {}", word(told), rest.now)
        })?;
    }
    Ok(())
}
