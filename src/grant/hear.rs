//! What a decision changes: the line that it adds to the journal, or why it adds none. Pure.
//!
//! A decision that changes nothing now may do so later, when what it is about is there: nothing
//! depends on what is applied first. What is in the journal is never taken again.

mod act;

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;

use self::act::{Act, counts_until, is_todays};
use crate::api::condition::{Reason, whole_seconds};
use crate::api::decision::DecisionAction;
use crate::api::record::{RecordEvent, RecordReason};
use crate::api::stage::Stage;
use crate::api::{GrantDecision, name};
use crate::journal::append::Entry;
use crate::journal::forum::{Forum, latest_end};
use crate::journal::{Broken, Journal, Opening};
use crate::policy::{Agreement, Problem};

/// Why a decision changes nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unheard {
    /// In a word.
    pub reason: Reason,
    /// For who decided: what is wrong, and what to do.
    pub message: String,
}

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

    /// The same, where these are all the decisions about the grant.
    #[must_use]
    pub fn among(self, decisions: &[Arc<GrantDecision>]) -> Self {
        let again = decisions.iter().filter(|decision| {
            decision.spec.action == DecisionAction::Quarantine && self.record_of(decision).is_none()
        });
        let quarantined_again = again.filter_map(|decision| Some(decision.creation_timestamp()?.0)).max();
        Self { quarantined_again, ..self }
    }

    /// The line that a decision adds to the journal. One that is there already adds none.
    pub fn hear(&self, decision: &'a GrantDecision) -> Heard {
        if self.journal.ended.is_some() {
            return unheard(Reason::Ended, "the grant has ended, and what has ended stays so");
        }
        let person = decision.annotations().get(name::ANNOTATION_DECIDED_BY).filter(|by| !by.is_empty());
        let (Some(person), Some(made)) = (person, decision.creation_timestamp()) else {
            return unheard(Reason::Invalid, "nobody knows who decided: the API server hasn't noted it");
        };
        let act = Act { decision, person, made: made.0 };
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
            DecisionAction::Rehearse | DecisionAction::Enrol | DecisionAction::Countersign => {
                unheard(Reason::NotSupported, "nothing acts on this kind of decision yet")
            }
        }?;
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
        wished.filter_map(|approved| Some((approved.stage, approved.end?))).find_map(|(stage, end)| {
            let opening = self.journal.opening(stage, digest).filter(|opening| is_live(opening, self.now))?;
            let may = opening.end < end && end <= latest_end(opening, forum.agreement);
            (may && forum.extension(stage, end).is_ok()).then(|| {
                let message = format!("{stage} is open until {end}, as was agreed");
                Entry { end: Some(end), ..about(RecordEvent::Extended, stage, digest, message) }
            })
        })
    }

    fn approve(&self, act: Act<'_>) -> Heard {
        let (forum, stage) = (self.forum()?, act.stage()?);
        is_todays(act, forum.agreement)?;
        let Some(rule) = forum.rule(stage) else {
            return unheard(Reason::NothingToDecide, format!("the contract doesn't offer {stage}"));
        };
        let digest = &forum.agreement.digest;
        if self.journal.opening(stage, digest).is_some() {
            return unheard(Reason::NothingToDecide, format!("{stage} was opened with this digest already"));
        }
        self.may_agree(act, &forum, stage, None)?;
        let until = counts_until(act, rule.valid_for, self.now)?;
        let message = format!("{} agrees to {stage}: {}", act.person, act.decision.spec.reason);
        Ok(Entry { decision: Some(act.taken(until)), ..about(RecordEvent::Approved, stage, digest, message) })
    }

    fn deny(&self, act: Act<'_>) -> Heard {
        let (forum, stage) = (self.forum()?, act.stage()?);
        is_todays(act, forum.agreement)?;
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

    fn extend(&self, act: Act<'_>) -> Heard {
        let (forum, stage, end) = (self.forum()?, act.stage()?, act.end()?);
        is_todays(act, forum.agreement)?;
        let digest = &forum.agreement.digest;
        let opening = self.journal.opening(stage, digest).filter(|opening| is_live(opening, self.now));
        let Some(opening) = opening else {
            return unheard(
                Reason::NothingToDecide,
                format!("{stage} isn't open, and what is over isn't extended"),
            );
        };
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
        self.may_agree(act, &forum, stage, Some(end))?;
        let valid_for = forum.rule(stage).and_then(|rule| rule.valid_for);
        let until = counts_until(act, valid_for, self.now)?;
        let message =
            format!("{} agrees that {stage} ends at {end}: {}", act.person, act.decision.spec.reason);
        let entry = about(RecordEvent::Approved, stage, digest, message);
        Ok(Entry { decision: Some(act.taken(until)), end: Some(end), ..entry })
    }

    /// Ends come earlier: at the moment that was decided, or at `at`.
    fn shorten(&self, act: Act<'_>, at: Option<Timestamp>) -> Heard {
        // What is over is over now: no record says of an end that it was before it was decided.
        let end = at.map_or_else(|| act.end(), Ok)?.max(self.now);
        let spec = &act.decision.spec;
        let is_meant = |opening: &&Opening| {
            spec.stage.is_none_or(|stage| stage == opening.stage)
                && spec.digest.as_ref().is_none_or(|digest| digest.as_str() == opening.digest)
                && opening.opened_at <= act.made
                && is_live(opening, self.now)
                && end < opening.end
        };
        if !self.journal.openings.iter().any(|opening| is_meant(&opening)) {
            let message = "nothing was open then that would end later than that";
            return unheard(Reason::NothingToDecide, message);
        }
        let message = format!("{} ends it at {}: {}", act.person, whole_seconds(end), spec.reason);
        let entry = Entry::of_grant(RecordEvent::Shortened, Some(RecordReason::Decided), message);
        let digest = spec.digest.as_ref().map(|digest| digest.as_str().to_owned());
        Ok(Entry { only_stage: spec.stage, digest, end: Some(end), ..entry })
    }

    fn expire(&self, act: Act<'_>) -> Heard {
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

    fn quarantine(&self, act: Act<'_>) -> Heard {
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

    fn release(&self, act: Act<'_>) -> Heard {
        let Some((by, since)) = &self.journal.consents.quarantined else {
            return unheard(Reason::NothingToDecide, "it isn't quarantined");
        };
        if by == act.person {
            let message = format!("{by} has quarantined it, so somebody else has to release it");
            return unheard(Reason::OwnRequest, message);
        }
        if act.made < *since {
            return unheard(Reason::OutOfDate, "it was quarantined after that: look at it and decide again");
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

    fn attest(&self, act: Act<'_>) -> Heard {
        let forum = self.forum()?;
        let was_open = |opening: &Opening| is_live(opening, self.now) && opening.opened_at <= act.made;
        if !self.journal.openings.iter().any(was_open) {
            let message = "nothing that is open was open then, so there was nothing to confirm";
            return unheard(Reason::NothingToDecide, message);
        }
        if self.journal.consents.attested_at.is_some_and(|last| act.made <= last) {
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

    fn sponsor(&self, act: Act<'_>) -> Heard {
        let forum = self.forum()?;
        is_todays(act, forum.agreement)?;
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
            Err(_) => Err(Unheard {
                reason: Reason::OutOfDate,
                message:
                    "the grant isn't accepted, so there is nothing to agree to: see its condition Accepted"
                        .to_owned(),
            }),
        }
    }

    fn is_undenied(&self, stage: Stage, digest: &str) -> Result<(), Unheard> {
        if self.journal.consents.denied.contains(&(stage, digest.to_owned())) {
            let message = format!("{stage} was refused with this digest, for good: change what is asked for");
            return Err(Unheard { reason: Reason::Repeated, message });
        }
        Ok(())
    }

    fn may_agree(
        &self,
        act: Act<'_>,
        forum: &Forum<'_>,
        stage: Stage,
        end: Option<Timestamp>,
    ) -> Result<(), Unheard> {
        let digest = &forum.agreement.digest;
        self.is_undenied(stage, digest)?;
        let asks = || format!("{} asks for this grant", act.person);
        let own = || (end.is_some() && forum.asks(act.person)).then(asks);
        if let Some(why) = forum.barred(act.person, stage).or_else(own) {
            let message = format!("{why}: somebody else has to agree");
            return Err(Unheard { reason: Reason::OwnRequest, message });
        }
        let mut agreeing = self.journal.consents.agreeing(stage, digest, end, self.now);
        if let Some(known) = agreeing.find(|known| known.person == act.person) {
            let group = known.group.as_deref().unwrap_or("nobody");
            let message = format!("{} agrees already, for {group}: one person counts once", act.person);
            return Err(Unheard { reason: Reason::Repeated, message });
        }
        Ok(())
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

fn unheard<T>(reason: Reason, message: impl Into<String>) -> Result<T, Unheard> {
    Err(Unheard { reason, message: message.into() })
}
