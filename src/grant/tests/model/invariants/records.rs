//! What must hold of every line that is added to a journal.

use super::super::acts::Act;
use super::super::ledger::{Ledger, Told};
use super::super::story::{CEILING, CONTRACT_END, HOUR, SOAK, Version, duration, seconds};
use super::consent::{Asked, approvals, extensions, rehearsals};
use super::{Holds, Seen, holds, word};
use crate::api::Stage;
use crate::api::record::{GrantRecordSpec, RecordEvent, RecordReason};
use crate::policy::digest::record_digest;

type Promise = fn(&Seen<'_>, &GrantRecordSpec, &Ledger) -> Holds;

pub const PROMISES: [Promise; 10] = [
    the_chain_holds,
    what_was_lost_is_not_begun_anew,
    what_has_ended_stays_so,
    no_end_moves_later_by_itself,
    nothing_is_cut_early,
    what_opens_has_its_end,
    what_opens_was_agreed_to,
    what_was_denied_stays_shut,
    what_is_wider_is_rehearsed_first,
    whoever_quarantined_does_not_release,
];

fn the_chain_holds(seen: &Seen<'_>, record: &GrantRecordSpec, _: &Ledger) -> Holds {
    let promise = "the journal's chain holds";
    let lines = seen.core.journals.get(seen.grant.journal);
    let last = lines.records.last();
    let follows = record.sequence == last.map_or(1, |last| last.sequence + 1)
        && record.previous == last.map(record_digest)
        && seconds(record.at.0) >= lines.ledger.newest;
    // What somebody deleted can't be followed; then the journal is broken, and stays so.
    holds(promise, !follows && !seen.grant.lost, || format!("line {} doesn't follow", record.sequence))?;
    let again = record.decision.iter().any(|decision| seen.ledger.taken.contains(&decision.uid));
    holds(promise, again, || "a decision is taken twice".to_owned())
}

fn what_was_lost_is_not_begun_anew(seen: &Seen<'_>, record: &GrantRecordSpec, _: &Ledger) -> Holds {
    let anew = seen.grant.lost && record.sequence == 1;
    holds("P1: a lost journal isn't begun anew", anew, || format!("it is begun by {:?}", record.event))
}

fn what_has_ended_stays_so(seen: &Seen<'_>, record: &GrantRecordSpec, _: &Ledger) -> Holds {
    let promise = "P6: ended is final";
    holds(promise, seen.ledger.ended, || format!("{:?} is recorded after the end", record.event))
}

fn no_end_moves_later_by_itself(seen: &Seen<'_>, record: &GrantRecordSpec, after: &Ledger) -> Holds {
    let promise = "P1: no end moves later but by consent";
    for (before, after) in seen.ledger.openings.iter().zip(&after.openings) {
        if before.end >= after.end {
            continue;
        }
        let by_itself = record.event != RecordEvent::Extended;
        holds(promise, by_itself, || format!("{} moves to {}", word(before), after.end))?;
        let latest = CONTRACT_END.min(before.opened_at + CEILING);
        holds(promise, after.end > latest, || {
            format!("{} moves beyond {latest}: {}", word(before), after.end)
        })?;
        let version = seen.core.story.version(seen.sent.grant, &before.digest);
        let asked = Asked::of(version.into_iter().chain(seen.sent.seen.contract.version));
        let hours = after.end / HOUR;
        let voices = extensions(&seen.grant.decided, version, seconds(record.at.0), hours);
        holds(promise, !asked.is_met(&voices), || format!("{} moves with only {voices:?}", word(before)))?;
    }
    Ok(())
}

fn nothing_is_cut_early(seen: &Seen<'_>, record: &GrantRecordSpec, _: &Ledger) -> Holds {
    let told = seen.ledger.find(record.stage, record.digest.as_deref());
    let expired = record.event == RecordEvent::Closed && record.reason == Some(RecordReason::Expired);
    let early = told.filter(|told| expired && seconds(record.at.0) < told.end);
    let what = || format!("{} is closed at {}", early.map(word).unwrap_or_default(), seconds(record.at.0));
    holds("P1: nothing is cut before its end", early.is_some(), what)
}

/// The opening that a record begins.
fn begun<'a>(seen: &Seen<'_>, record: &GrantRecordSpec, after: &'a Ledger) -> Option<&'a Told> {
    let digest = record.digest.as_deref();
    let is_new = seen.ledger.find(record.stage, digest).is_none();
    after.find(record.stage, digest).filter(|_| record.event == RecordEvent::Opened && is_new)
}

fn what_opens_has_its_end(seen: &Seen<'_>, record: &GrantRecordSpec, after: &Ledger) -> Holds {
    let Some(told) = begun(seen, record, after) else { return Ok(()) };
    let late = told.end > CONTRACT_END.min(told.opened_at + duration(told.stage));
    let beyond = told.stage > seen.sent.seen.ceiling;
    let promise = "P1: what opens has an end within the contract";
    holds(promise, late, || format!("{} is opened at {}", word(told), told.opened_at))?;
    holds(promise, beyond, || format!("{} is beyond what is asked for", told.stage))
}

fn what_opens_was_agreed_to(seen: &Seen<'_>, record: &GrantRecordSpec, after: &Ledger) -> Holds {
    let promise = "P3: nothing without consent";
    let Some(told) = begun(seen, record, after) else { return Ok(()) };
    let number = seen.sent.grant;
    let Some(version) = seen.core.story.version(number, &told.digest) else {
        return holds(promise, true, || format!("{} is what no contract says", told.stage));
    };
    if told.stage != Stage::Production {
        return what_opens_again_was_agreed_to(seen, record, told, version);
    }
    // Whoever was asked for by what was opened since production was is asked still.
    let before = &seen.ledger.openings;
    let since = before.iter().rposition(|told| told.stage == Stage::Production).unwrap_or_default();
    let since = before[since..].iter().filter_map(|told| seen.core.story.version(number, &told.digest));
    let asked = Asked::of(since.chain([version]));
    let voices = approvals(&seen.grant.decided, Some(version), seconds(record.at.0));
    holds(promise, !asked.is_met(&voices), || {
        format!("production opens with only {voices:?} for {version:?}")
    })
}

/// A stage that was opened before isn't opened for something else unless somebody agrees.
fn what_opens_again_was_agreed_to(
    seen: &Seen<'_>,
    record: &GrantRecordSpec,
    told: &Told,
    version: Version,
) -> Holds {
    let again = seen.ledger.openings.iter().any(|before| before.stage == told.stage);
    let agreed = rehearsals(&seen.grant.decided, Some(version), seconds(record.at.0));
    let alone = again && !agreed.iter().any(|(person, _)| !person.wrote());
    let what = || format!("{} opens for {version:?}, and nobody agreed", told.stage);
    holds("P3: nothing without consent", alone, what)
}

fn what_was_denied_stays_shut(seen: &Seen<'_>, record: &GrantRecordSpec, after: &Ledger) -> Holds {
    let Some(told) = begun(seen, record, after) else { return Ok(()) };
    let version = seen.core.story.version(seen.sent.grant, &told.digest);
    let looked_at = seen.core.decisions.get(seen.sent.seen.decisions);
    let is_seen = |at: usize| {
        looked_at.iter().any(|object| {
            object.metadata.uid.as_deref().is_some_and(|uid| uid.ends_with(&format!("-decision-{at}")))
        })
    };
    let refuses = |(at, one): (usize, &super::super::acts::Decided)| {
        matches!(one.act, Act::Deny(_)) && one.version == version && is_seen(at)
    };
    let denied = told.stage == Stage::Production && seen.grant.decided.iter().enumerate().any(refuses);
    holds("P3: a denial is final", denied, || "production opens though it was denied".to_owned())
}

fn what_is_wider_is_rehearsed_first(seen: &Seen<'_>, record: &GrantRecordSpec, after: &Ledger) -> Holds {
    let Some(told) = begun(seen, record, after) else { return Ok(()) };
    let soaked = seen.ledger.openings.iter().any(|before| {
        let soaks = before.opened_at + SOAK <= seconds(record.at.0);
        before.stage == Stage::Rehearsal && before.digest == told.digest && soaks
    });
    let unrehearsed = told.stage == Stage::Production && !soaked;
    let of = |version: Option<Version>| format!("{version:?} opens without its rehearsal");
    let promise = "P4: what widens waits for rehearsal";
    holds(promise, unrehearsed, || of(seen.core.story.version(seen.sent.grant, &told.digest)))
}

fn whoever_quarantined_does_not_release(seen: &Seen<'_>, record: &GrantRecordSpec, _: &Ledger) -> Holds {
    if record.event != RecordEvent::Released {
        return Ok(());
    }
    // Who really decided it, whatever its record says.
    let uid = record.decision.as_ref().map(|decision| decision.uid.clone()).unwrap_or_default();
    let number = uid.rsplit('-').next().and_then(|number| number.parse::<usize>().ok());
    let by = number.and_then(|number| seen.grant.decided.get(number)).map(|one| one.act.by().name());
    let own = by.is_none() || seen.ledger.quarantined.as_deref() == by;
    let promise = "P3: whoever quarantines doesn't release";
    holds(promise, own, || format!("{} releases what they quarantined", by.unwrap_or("nobody")))
}
