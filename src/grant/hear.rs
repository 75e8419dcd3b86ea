//! What a decision changes: the line that it adds to the journal, or why it adds none. Pure.
//!
//! A decision that changes nothing now may do so later, when what it is about is there: nothing
//! depends on what is applied first. What is in the journal is never taken again.

mod act;
pub mod enrol;
mod rehearse;
pub mod vain;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;

pub use self::act::Unheard;
use self::act::{Act, unheard};
use crate::api::GrantDecision;
use crate::api::condition::{Reason, whole_seconds};
use crate::api::decision::DecisionAction;
use crate::api::record::{RecordEvent, RecordReason};
use crate::api::stage::Stage;
use crate::journal::append::Entry;
use crate::journal::forum::{Forum, Wish, latest_end};
use crate::journal::wanted::lapses_at;
use crate::journal::{Broken, Journal, Opening};
use crate::policy::consent::Voice;
use crate::policy::{Agreement, Problem};

/// Everything that a decision is looked at by.
#[derive(Clone, Copy, Debug)]
pub struct Hearing<'a> {
    /// What the journal says.
    pub journal: &'a Journal,
    /// What is agreed, or why nothing is.
    pub agreement: &'a Result<Agreement, Vec<Problem>>,
    /// Whether there was a grant before this one for the same partner, contract and purpose.
    pub made_again: bool,
    /// When somebody last quarantined what was quarantined already: the journal doesn't say so.
    pub quarantined_again: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
}

type Heard = Result<Entry, Unheard>;

impl<'a> Hearing<'a> {
    /// What stands, as far as decisions go by it; nothing where the journal is broken.
    pub fn of(
        journal: &'a Result<Journal, Broken>,
        agreement: &'a Result<Agreement, Vec<Problem>>,
        made_again: bool,
        now: Timestamp,
    ) -> Option<Self> {
        Some(Self { journal: journal.as_ref().ok()?, agreement, made_again, quarantined_again: None, now })
    }

    /// The same, where these decisions are about the grant too; `before` is when somebody last quarantined
    /// it again among those that were left out.
    #[must_use]
    pub fn among(self, decisions: &[Arc<GrantDecision>], before: Option<Timestamp>) -> Self {
        let again = decisions.iter().filter(|decision| {
            decision.spec.action == DecisionAction::Quarantine && self.record_of(decision).is_none()
        });
        let again = again.filter_map(|decision| Some(decision.creation_timestamp()?.0));
        let quarantined_again = again.chain(before).max();
        Self { quarantined_again, ..self }
    }

    /// The line that a decision adds to the journal. One that is there already adds none.
    pub fn hear(&self, decision: &'a GrantDecision) -> Heard {
        if self.journal.ended.is_some() {
            return unheard(Reason::Ended, "the grant has ended, and what has ended stays so");
        }
        let act = Act::of(decision)?;
        let entry = match decision.spec.action {
            DecisionAction::Approve => self.approve(act),
            DecisionAction::Deny => self.deny(act),
            DecisionAction::Extend => self.extend(act),
            DecisionAction::Shorten => self.shorten(act, None),
            DecisionAction::Expire => self.expire(act),
            DecisionAction::Quarantine => self.quarantine(act),
            DecisionAction::Release => self.release(act),
            DecisionAction::Attest => self.attest(act),
            DecisionAction::Sponsor => self.sponsor(act),
            DecisionAction::Enrol => unheard(
                Reason::NothingToDecide,
                "it is no line of the journal: whoever enrols goes by it itself",
            ),
            DecisionAction::Rehearse => self.rehearse(act),
            DecisionAction::Countersign => unheard(Reason::NotSupported, "nothing acts on it yet"),
        }?;
        self.has_its_turn(act)?;
        Ok(Entry { decision: Some(entry.decision.clone().unwrap_or_else(|| act.taken(None))), ..entry })
    }

    /// The number of the record that took a decision, if one did.
    pub fn record_of(&self, decision: &GrantDecision) -> Option<i64> {
        self.journal.consents.record_of(&decision.uid()?)
    }

    /// A new end that enough people agree to.
    pub fn extension(&self) -> Option<Entry> {
        let forum = self.forum().ok()?;
        let digest = &forum.agreement.digest;
        let wished = self.journal.consents.approvals.iter().filter(|approved| approved.digest == *digest);
        let wished = wished.filter_map(|approved| Some((approved.stage, approved.end?)));
        let agreed = wished.filter(|(stage, end)| {
            let opening = self.journal.opening(*stage, digest).filter(|opening| is_live(opening, self.now));
            opening.is_some_and(|it| it.end < *end && *end <= latest_end(it, forum.agreement))
                && forum.extension(*stage, *end).is_ok()
        });
        // Of several the latest: it gives all that the others do, and they are used up with it.
        let (stage, end) = agreed.max_by_key(|(_, end)| *end)?;
        let message = format!("{stage} is open until {end}, as was agreed");
        Some(Entry { end: Some(end), ..about(RecordEvent::Extended, stage, digest, message) })
    }

    fn approve(&self, act: Act<'a>) -> Heard {
        let (forum, stage) = (self.forum()?, act.stage()?);
        act.is_todays(forum.agreement)?;
        let Some(rule) = forum.rule(stage) else {
            return unheard(Reason::NothingToDecide, format!("the contract doesn't offer {stage}"));
        };
        let digest = &forum.agreement.digest;
        if self.journal.opening(stage, digest).is_some() {
            return unheard(Reason::NothingToDecide, format!("{stage} was opened with this digest already"));
        }
        self.may_agree(act, &forum, Wish { stage, end: None })?;
        let until = act.counts_until(rule.valid_for, self.now)?;
        let message = format!("{} agrees to {stage}: {}", act.person, act.decision.spec.reason);
        Ok(Entry { decision: Some(act.taken(until)), ..about(RecordEvent::Approved, stage, digest, message) })
    }

    fn deny(&self, act: Act<'a>) -> Heard {
        let (forum, stage) = (self.forum()?, act.stage()?);
        act.is_todays(forum.agreement)?;
        let digest = &forum.agreement.digest;
        if self.journal.opening(stage, digest).is_some() {
            let message = format!("{stage} was opened with this digest already: end it by Expire instead");
            return unheard(Reason::NothingToDecide, message);
        }
        self.is_undenied(stage, digest)?;
        let message = format!("{} refuses {stage}: {}", act.person, act.decision.spec.reason);
        Ok(Entry {
            reason: Some(RecordReason::Decided),
            ..about(RecordEvent::Denied, stage, digest, message)
        })
    }

    fn extend(&self, act: Act<'a>) -> Heard {
        let (forum, stage, end) = (self.forum()?, act.stage()?, act.end()?);
        act.is_todays(forum.agreement)?;
        let digest = &forum.agreement.digest;
        let opening = self.journal.opening(stage, digest).filter(|opening| is_live(opening, self.now));
        let Some(opening) = opening else { return self.not_extended(stage) };
        if end <= opening.end {
            let message =
                format!("{stage} is open until {} already: ask for a later end, or Shorten it", opening.end);
            return unheard(Reason::NothingToDecide, message);
        }
        // Who agreed to a later end agreed to move the one that stood then.
        if opening.moved_at.is_some_and(|moved| act.made < moved) {
            return unheard(Reason::OutOfDate, "its end was moved after that: look at it and decide again");
        }
        let latest = latest_end(opening, forum.agreement);
        if end > latest {
            let message = format!("{stage} can be open until {latest} at most: ask for no later end");
            return unheard(Reason::BeyondContract, message);
        }
        self.may_agree(act, &forum, Wish { stage, end: Some(end) })?;
        let valid_for = forum.rule(stage).and_then(|rule| rule.valid_for);
        let until = act.counts_until(valid_for, self.now)?;
        let message =
            format!("{} agrees that {stage} ends at {end}: {}", act.person, act.decision.spec.reason);
        let entry = about(RecordEvent::Approved, stage, digest, message);
        Ok(Entry { decision: Some(act.taken(until)), end: Some(end), ..entry })
    }

    /// Why nothing is extended that isn't open with today's digest.
    fn not_extended(&self, stage: Stage) -> Heard {
        let mut live = self.journal.openings.iter().filter(|opening| is_live(opening, self.now));
        let message = if live.any(|opening| opening.stage == stage) {
            format!(
                "{stage} is open for what was agreed to before, and something has changed since: its end stands; ask \
                 for a longer duration in the grant, and what is agreed today opens beside it"
            )
        } else {
            format!("{stage} isn't open, and what is over isn't extended")
        };
        unheard(Reason::NothingToDecide, message)
    }

    /// Ends come earlier: at the moment that was decided, or at `at`.
    fn shorten(&self, act: Act<'a>, at: Option<Timestamp>) -> Heard {
        // What is over is over now: no record says of an end that it was before it was decided.
        let end = at.map_or_else(|| act.end(), Ok)?.max(self.now);
        let spec = &act.decision.spec;
        if self.would_end(act, end).next().is_none() {
            let message = "nothing was open then that would end later than that";
            return unheard(Reason::NothingToDecide, message);
        }
        let message = format!("{} ends it at {}: {}", act.person, whole_seconds(end), spec.reason);
        let entry = Entry::of_grant(RecordEvent::Shortened, Some(RecordReason::Decided), message);
        let digest = spec.digest.as_ref().map(|digest| digest.as_str().to_owned());
        Ok(Entry { only_stage: spec.stage, digest, end: Some(end), ..entry })
    }

    /// What would end sooner.
    fn would_end(&self, act: Act<'a>, end: Timestamp) -> impl Iterator<Item = &'a Opening> {
        let (spec, now) = (&act.decision.spec, self.now);
        self.journal.openings.iter().filter(move |opening| {
            spec.stage.is_none_or(|stage| stage == opening.stage)
                && spec.digest.as_ref().is_none_or(|digest| digest.as_str() == opening.digest)
                && opening.opened_at <= act.made
                && is_live(opening, now)
                && end < opening.end
        })
    }

    /// Whether this person has used up what they may have written down: then it is taken later. What
    /// closes never waits. An end that is brought forward does where it takes less than half of what
    /// is left, until it takes half: so it waits for as long at most as it leaves access open.
    fn has_its_turn(&self, act: Act<'a>) -> Result<(), Unheard> {
        use DecisionAction::{Deny, Expire, Quarantine, Shorten};
        let Some(again) = self.journal.consents.allowances.again_at(act.person, self.now) else {
            return Ok(());
        };
        let until = match act.decision.spec.action {
            Deny | Expire | Quarantine => return Ok(()),
            Shorten => {
                let end = act.end()?.max(self.now);
                let half = |opening: &Opening| end.checked_sub(opening.end.duration_since(end)).ok();
                self.would_end(act, end).filter_map(half).fold(again, Timestamp::min)
            }
            _ => again,
        };
        if until <= self.now {
            return Ok(());
        }
        let message = format!(
            "{} decided so much about this grant lately that more of it waits its turn: it is looked at again \
             at {}",
            act.person,
            whole_seconds(until)
        );
        Err(Unheard { until: Some(until), ..Unheard::new(Reason::TooOften, message) })
    }

    fn expire(&self, act: Act<'a>) -> Heard {
        if act.decision.spec.stage.is_some() {
            return self.shorten(act, Some(self.now));
        }
        if self.journal.consents.is_expired {
            return unheard(Reason::Repeated, "somebody has ended it already");
        }
        let message = format!("{} ends the grant: {}", act.person, act.decision.spec.reason);
        let entry = Entry::of_grant(RecordEvent::Shortened, Some(RecordReason::Decided), message);
        Ok(Entry { end: Some(self.now), ..entry })
    }

    fn quarantine(&self, act: Act<'a>) -> Heard {
        if let Some((by, _)) = &self.journal.consents.quarantined {
            return unheard(Reason::Repeated, format!("{by} has quarantined it already"));
        }
        if self.journal.consents.released_at.is_some_and(|released| act.made < released) {
            return unheard(Reason::OutOfDate, "it was released after that: look at it and decide again");
        }
        let message = format!(
            "{} closes access until somebody else releases it: {}",
            act.person, act.decision.spec.reason
        );
        Ok(Entry::of_grant(RecordEvent::Quarantined, Some(RecordReason::Quarantined), message))
    }

    fn release(&self, act: Act<'a>) -> Heard {
        let Some((by, since)) = &self.journal.consents.quarantined else {
            return unheard(Reason::NothingToDecide, "it isn't quarantined");
        };
        if by == act.person {
            let message = format!("{by} has quarantined it, so somebody else has to release it");
            return unheard(Reason::OwnRequest, message);
        }
        // The API server notes whole seconds, and what was done in the same one has no order: it stays closed.
        if act.made <= *since {
            let message = format!(
                "it was quarantined at {since}, in that very second or after it: look at it and decide again"
            );
            return unheard(Reason::OutOfDate, message);
        }
        // What comes in while nobody is there to write it down is heard in no order: whoever closed last
        // has closed.
        if self.quarantined_again.is_some_and(|again| act.made <= again) {
            let message = "somebody has quarantined it again since: look at it and decide again";
            return unheard(Reason::OutOfDate, message);
        }
        let message = format!("{} releases it: {}", act.person, act.decision.spec.reason);
        Ok(Entry::of_grant(RecordEvent::Released, Some(RecordReason::Decided), message))
    }

    fn attest(&self, act: Act<'a>) -> Heard {
        let forum = self.forum()?;
        let was_open = |opening: &Opening| is_live(opening, self.now) && opening.opened_at <= act.made;
        if !self.journal.openings.iter().any(was_open) {
            let message = "nothing that is open was open then, so there was nothing to confirm";
            return unheard(Reason::NothingToDecide, message);
        }
        if !self.is_asked_again(act.made) {
            return unheard(Reason::Repeated, "it was confirmed since");
        }
        if forum.asks(act.person) {
            let message = format!("{} asks for this grant, so somebody else has to confirm it", act.person);
            return unheard(Reason::OwnRequest, message);
        }
        let message =
            format!("{} confirms that it is still wanted: {}", act.person, act.decision.spec.reason);
        Ok(Entry::of_grant(RecordEvent::Attested, Some(RecordReason::Decided), message))
    }

    /// Whether what somebody confirmed then is news: nobody has since, or it puts off a review although
    /// somebody has, because it was the answer to one before that.
    fn is_asked_again(&self, made: Timestamp) -> bool {
        let answers = &self.journal.consents.attested;
        let with: BTreeSet<_> = answers.iter().copied().chain([made]).collect();
        let mut live = self.journal.openings.iter().filter(|opening| is_live(opening, self.now));
        answers.last().is_none_or(|last| made > *last)
            || live.any(|opening| lapses_at(opening, &with) > lapses_at(opening, answers))
    }

    fn sponsor(&self, act: Act<'a>) -> Heard {
        let forum = self.forum()?;
        act.is_todays(forum.agreement)?;
        let digest = &forum.agreement.digest;
        if self.journal.consents.sponsors.contains(&(digest.clone(), act.person.to_owned())) {
            return unheard(Reason::Repeated, format!("{} sponsors it already", act.person));
        }
        let message =
            format!("{} takes responsibility for the request: {}", act.person, act.decision.spec.reason);
        let entry = Entry::of_grant(RecordEvent::Sponsored, Some(RecordReason::Decided), message);
        Ok(Entry { digest: Some(digest.clone()), ..entry })
    }

    /// Where consent is looked at; refused where nothing is agreed that one could consent to.
    fn forum(&self) -> Result<Forum<'a>, Unheard> {
        match self.agreement {
            Ok(agreement) => {
                Ok(Forum { journal: self.journal, agreement, made_again: self.made_again, now: self.now })
            }
            Err(_) => unheard(
                Reason::OutOfDate,
                "the grant isn't accepted, so there is nothing to agree to: see its condition Accepted",
            ),
        }
    }

    fn is_undenied(&self, stage: Stage, digest: &str) -> Result<(), Unheard> {
        if self.journal.consents.denied.contains(&(stage, digest.to_owned())) {
            let message = format!("{stage} was refused with this digest, for good: change what is asked for");
            return unheard(Reason::Repeated, message);
        }
        Ok(())
    }

    fn may_agree(&self, act: Act<'a>, forum: &Forum<'_>, wish: Wish) -> Result<(), Unheard> {
        let Wish { stage, end } = wish;
        let digest = &forum.agreement.digest;
        self.is_undenied(stage, digest)?;
        let asks = || format!("{} asks for this grant", act.person);
        let own = || (end.is_some() && forum.asks(act.person)).then(asks);
        if let Some(why) = forum.barred(act.person, stage).or_else(own) {
            return unheard(Reason::OwnRequest, format!("{why}: somebody else has to agree"));
        }
        let mut agreeing = self.journal.consents.agreeing(stage, digest, end, self.now);
        if let Some(known) = agreeing.find(|known| known.person == act.person) {
            let group = known.group.as_deref().unwrap_or("nobody");
            let message = format!("{} agrees already, for {group}: one person counts once", act.person);
            return unheard(Reason::Repeated, message);
        }
        forum.brings_closer(wish, Voice { person: act.person, group: act.group() }).or_else(|missing| {
            let message = missing.map_or_else(
                || format!("nobody else has to agree to {stage}"),
                |missing| format!("it brings {stage} no closer: that takes {missing}"),
            );
            unheard(Reason::NothingToDecide, message)
        })
    }
}

fn is_live(opening: &Opening, now: Timestamp) -> bool {
    !opening.is_closed() && now < opening.end
}

fn about(event: RecordEvent, stage: Stage, digest: &str, message: String) -> Entry {
    Entry {
        stage: Some((stage, digest.to_owned())),
        ..Entry::of_grant(event, Some(RecordReason::Decided), message)
    }
}
