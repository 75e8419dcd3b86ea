//! Whether the next stage can open, and if not what it waits for. Pure.
//!
//! Each gate is one function in the list, and all that are shut are told of; people are asked once everything else is
//! given.

use jiff::Timestamp;

use crate::api::condition::{Reason, whole_seconds};
use crate::api::effective::EffectivePolicy;
use crate::api::record::{RecordEvent, RecordReason};
use crate::api::stage::Stage;
use crate::journal::append::Entry;
use crate::journal::forum::Forum;
use crate::journal::rehearsal::{Rehearsals, Shown};
use crate::journal::remains::is_lost;
use crate::journal::wanted::GrantFacts;
use crate::journal::{Journal, Opening};
use crate::policy::consent::ConsentRule;
use crate::policy::{Agreement, StageTerms, lattice};

/// What the next stage waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// In a word, where it waits for several things of the first.
    pub reason: Reason,
    /// For people: all that is missing, and who or what can supply it.
    pub message: String,
    /// When time alone will have supplied something of it.
    pub until: Option<Timestamp>,
}

impl Waiting {
    /// What waits for all of these; `None`: there are none.
    fn for_all(all: impl Iterator<Item = Self>) -> Option<Self> {
        all.reduce(|first, next| Self {
            reason: first.reason,
            message: format!("{}; {}", first.message, next.message),
            until: first.until.into_iter().chain(next.until).min(),
        })
    }
}

/// Everything that gates look at.
pub struct Candidate<'a> {
    /// The stage that would open.
    pub stage: Stage,
    /// What it would allow.
    pub terms: &'a StageTerms,
    /// What is agreed.
    pub agreement: &'a Agreement,
    /// The opening that has to come before it.
    pub before: Before<'a>,
    /// What was rehearsed.
    pub rehearsals: &'a Rehearsals,
    /// The time.
    pub now: Timestamp,
}

/// What has to be open before a stage is.
#[derive(Clone, Copy)]
pub enum Before<'a> {
    /// Nothing.
    Nothing,
    /// This stage, and it never was.
    Never(Stage),
    /// This one.
    Opened {
        /// Which.
        opening: &'a Opening,
        /// Whether it is open and has all that it is made of.
        is_complete: bool,
    },
}

/// What the gates go by.
pub struct Gates<'a> {
    /// Who has to be asked.
    pub forum: Forum<'a>,
    /// What the grant itself says.
    pub facts: GrantFacts,
    /// Whether an opening is open and has all that it is made of.
    pub is_complete: &'a dyn Fn(&Opening) -> bool,
    /// What an opening gives that can be used; `None`: nothing.
    pub gives: &'a dyn Fn(&Opening) -> Option<&'a EffectivePolicy>,
}

type Gate = fn(&Candidate<'_>) -> Option<Waiting>;

/// The gates, in the order in which they are told of.
const GATES: [Gate; 4] =
    [its_time_has_come, the_stage_before_is_healthy, it_was_rehearsed, the_stage_before_has_soaked];

impl Gates<'_> {
    /// The entry that opens the next stage; `Ok(None)` where there is no next stage to open.
    pub fn next_opening(&self) -> Result<Option<Entry>, Waiting> {
        let Forum { journal, agreement, now, .. } = self.forum;
        let Some(stage) = next_stage(journal, agreement, self.facts.ceiling) else { return Ok(None) };
        let Some(terms) = agreement.stages.get(&stage).filter(|_| self.is_anything_missing()) else {
            return Ok(None);
        };
        if let Some(waiting) = self.premature(stage) {
            let refused = refusal(&self.forum, stage).map(|refused| refused.message);
            let people = || lacks(&self.forum, stage).map(|people| format!("then it waits for {people}"));
            let more = refused.or_else(people).map_or_else(String::new, |more| format!("; {more}"));
            return Err(Waiting { message: waiting.message + &more, ..waiting });
        }
        if let Some(asked) = ask(&self.forum, stage)? {
            return Ok(Some(asked));
        }
        let revisions = agreement.authorship.iter().map(|written| written.revision.clone()).collect();
        let entry = Entry::opened(stage, &agreement.digest, end(terms, agreement, now), &terms.policy);
        Ok(Some(Entry { revisions, ..entry }))
    }

    /// What a stage waits for that isn't people's word; `None`: nothing, or it isn't offered.
    pub fn premature(&self, stage: Stage) -> Option<Waiting> {
        let Forum { journal, agreement, now, .. } = self.forum;
        let terms = agreement.stages.get(&stage)?;
        let (before, rehearsals) = (self.before(stage), &journal.rehearsals);
        let candidate = Candidate { stage, terms, agreement, before, rehearsals, now };
        Waiting::for_all(GATES.iter().filter_map(|gate| gate(&candidate)))
    }

    /// Whether what is agreed now gives anything that the furthest stage, which is open for what was
    /// agreed before, doesn't. Where it doesn't, people aren't asked: what is less is less already.
    fn is_anything_missing(&self) -> bool {
        let Forum { journal, agreement, .. } = self.forum;
        let stages = agreement.stages.iter().filter(|(stage, _)| **stage <= self.facts.ceiling);
        let Some((stage, terms)) = stages.max_by_key(|(stage, _)| **stage) else { return false };
        let mut live = journal.openings.iter().rev().filter(|opening| opening.stage == *stage);
        let live = live.find_map(|opening| Some((opening, (self.gives)(opening)?)));
        let Some((opening, policy)) = live else { return true };
        let longer = opening.opened_at.checked_add(terms.duration).is_ok_and(|end| end > opening.end);
        let sooner = opening.end < agreement.not_after;
        (longer && sooner) || lattice::compare(Some(policy), Some(&terms.policy)).gains()
    }

    /// What has to be open before a stage is. Sandbox is the same whatever was agreed since, and nobody
    /// goes back to it from further on; a rehearsal is one of what is agreed now.
    fn before(&self, stage: Stage) -> Before<'_> {
        let Forum { journal, agreement, .. } = self.forum;
        let Some(before) = stage_before(stage, agreement) else { return Before::Nothing };
        let openings = &journal.openings;
        if before == Stage::Sandbox && openings.iter().any(|opening| opening.stage >= stage) {
            return Before::Nothing;
        }
        let is_it = |opening: &&Opening| {
            opening.stage == before && (before == Stage::Sandbox || opening.digest == agreement.digest)
        };
        openings.iter().rev().find(is_it).map_or(Before::Never(before), |opening| Before::Opened {
            opening,
            is_complete: (self.is_complete)(opening),
        })
    }
}

/// Whether people agree that a stage opens: nothing more to write where they do; else the request,
/// that it was in vain, or that an answer is awaited.
fn ask(forum: &Forum<'_>, stage: Stage) -> Result<Option<Entry>, Waiting> {
    let (consents, digest) = (&forum.journal.consents, &forum.agreement.digest);
    let request = (stage, digest.clone());
    if let Some(refused) = refusal(forum, stage) {
        return Err(refused);
    }
    let rule = forum.rule(stage);
    let Some(missing) = lacks(forum, stage) else { return Ok(None) };
    let about = |event, reason, message| {
        let entry = Entry::of_grant(event, reason, message);
        Ok(Some(Entry { stage: Some(request.clone()), ..entry }))
    };
    let Some(since) = consents.asked.get(&request) else {
        if let Some(until) = consents.asked_again_at().filter(|until| forum.now < *until) {
            let message =
                format!("people were asked so often that {stage} is asked for again at {until} only");
            return Err(Waiting { reason: Reason::ConsentPending, message, until: Some(until) });
        }
        return about(RecordEvent::Requested, None, format!("{stage} waits for {missing}"));
    };
    let pending_for = rule.and_then(|rule| rule.pending_for);
    let until = pending_for.map(|pending| since.checked_add(pending).unwrap_or(*since));
    if until.is_some_and(|until| until <= forum.now) {
        let message = format!("nobody answered the request for {stage} in time");
        return about(RecordEvent::Denied, Some(RecordReason::Unanswered), message);
    }
    let in_time = until.map_or_else(String::new, |until| format!(", by {until}"));
    let shown = shown(forum, stage);
    let message =
        format!("{stage} waits for {missing}{in_time}; what they would agree to is {digest}{shown}");
    Err(Waiting { reason: Reason::ConsentPending, message, until })
}

/// Which people's word a stage lacks; `None`: nobody's.
fn lacks(forum: &Forum<'_>, stage: Stage) -> Option<String> {
    if forum.rule(stage).as_ref().is_some_and(ConsentRule::is_empty) {
        return None;
    }
    if forum.lacks_sponsor(stage) {
        return Some("a person who takes responsibility for what automation asks for (Sponsor)".to_owned());
    }
    forum.opening(stage).err().map(|missing| missing.to_string())
}

/// What a rehearsal showed of what people are asked to agree to.
fn shown(forum: &Forum<'_>, stage: Stage) -> String {
    let newest = forum.journal.rehearsals.newest(&forum.agreement.digest);
    let newest = newest.filter(|_| stage == Stage::Production);
    newest.map_or_else(String::new, |report| {
        format!(", of which a rehearsal showed: {report} (report {})", report.name)
    })
}

/// What is said of a request that was refused, or that nobody answered; `None`: it was neither.
fn refusal(forum: &Forum<'_>, stage: Stage) -> Option<Waiting> {
    let consents = &forum.journal.consents;
    let request = (stage, forum.agreement.digest.clone());
    if !consents.denied.contains(&request) {
        return None;
    }
    let message = if consents.lapsed.contains(&request) {
        format!(
            "nobody answered the request for {stage} in time: change what is asked for, or make a new grant"
        )
    } else {
        format!("{stage} was refused, for good: change what is asked for, or make a new grant")
    };
    Some(Waiting { reason: Reason::ConsentRefused, message, until: None })
}

/// The stage that opens next for what is agreed now: each opens once for it, since a second opening
/// would be a second end. What was agreed anew while something is open starts at Rehearsal, unless
/// nothing came so far, or is left of what did.
pub fn next_stage(journal: &Journal, agreement: &Agreement, ceiling: Stage) -> Option<Stage> {
    let offered = || agreement.stages.keys().copied().filter(|stage| *stage <= ceiling);
    let openings = &journal.openings;
    let ours = openings.iter().filter(|opening| opening.digest == agreement.digest);
    if let Some(furthest) = ours.map(|opening| opening.stage).max() {
        return offered().find(|stage| *stage > furthest);
    }
    let last = openings.iter().max_by_key(|opening| opening.stage);
    if last.is_none_or(|last| last.stage == Stage::Sandbox && is_lost(last)) {
        return offered().next();
    }
    offered().find(|stage| *stage >= Stage::Rehearsal).or_else(|| offered().next_back())
}

/// The stage that has to have been open before this one, among those that the contract offers.
pub fn stage_before(stage: Stage, agreement: &Agreement) -> Option<Stage> {
    agreement.stages.keys().copied().rfind(|earlier| *earlier < stage)
}

/// The absolute end of a stage that opens now: never past the contract's own, in whole seconds.
fn end(terms: &StageTerms, agreement: &Agreement, now: Timestamp) -> Timestamp {
    let wished = now.checked_add(terms.duration).unwrap_or(agreement.not_after);
    whole_seconds(wished.min(agreement.not_after))
}

fn its_time_has_come(candidate: &Candidate<'_>) -> Option<Waiting> {
    let not_before = candidate.agreement.not_before.filter(|moment| candidate.now < *moment)?;
    Some(Waiting {
        reason: Reason::NotYet,
        message: format!("{} waits for the contract's time.notBefore, {not_before}", candidate.stage),
        until: Some(not_before),
    })
}

fn the_stage_before_is_healthy(candidate: &Candidate<'_>) -> Option<Waiting> {
    let stage = candidate.stage;
    let message = match candidate.before {
        Before::Nothing | Before::Opened { is_complete: true, .. } => return None,
        Before::Never(before) => format!("{stage} waits until {before} has been open and healthy"),
        Before::Opened { opening, .. } if candidate.now >= opening.end => format!(
            "{stage} can't open any more: {} was open until {}; change what is asked for, or make a new grant",
            opening.stage, opening.end
        ),
        Before::Opened { opening, .. } => {
            format!("{stage} waits until {} is open and healthy; see the other conditions", opening.stage)
        }
    };
    Some(Waiting { reason: Reason::WaitingForTime, message, until: None })
}

/// Nothing goes to production that wasn't tried: for just what would open, and since it was opened last.
fn it_was_rehearsed(candidate: &Candidate<'_>) -> Option<Waiting> {
    if candidate.stage != Stage::Production {
        return None;
    }
    let agreement = candidate.agreement;
    let (reason, message) = match candidate.rehearsals.shown(&agreement.digest, agreement.rehearsal) {
        Shown::Passed(_) => return None,
        Shown::Nothing if !agreement.stages.contains_key(&Stage::Rehearsal) => (
            Reason::RehearsalIncomplete,
            "Production can't open: the contract offers no Rehearsal, where it would be tried; add one to its stages"
                .to_owned(),
        ),
        shown => (shown.reason(), format!("Production waits for a rehearsal: {shown}")),
    };
    Some(Waiting { reason, message, until: None })
}

/// The soak begins anew whenever the stage before was closed and opened again: where it isn't open nobody can say when it is
/// over, and it is waited for anyway. A moment that can't be told never comes.
fn the_stage_before_has_soaked(candidate: &Candidate<'_>) -> Option<Waiting> {
    let Before::Opened { opening: before, is_complete: true } = candidate.before else { return None };
    let soak = candidate.agreement.stages.get(&before.stage)?.soak;
    let soaked = before.open_since.checked_add(soak).unwrap_or(Timestamp::MAX);
    if candidate.now >= soaked && soaked < Timestamp::MAX {
        return None;
    }
    let stage = candidate.stage;
    let (message, until) = if soaked < before.end {
        (
            format!("{stage} waits until {} has been open for its soak, at {soaked}", before.stage),
            Some(soaked),
        )
    } else {
        let message = format!(
            "{stage} can't open any more: {} is open without interruption since {}, and ends at {}, before its soak \
             is over; make a new grant",
            before.stage, before.open_since, before.end
        );
        (message, None)
    };
    Some(Waiting { reason: Reason::WaitingForTime, message, until })
}
