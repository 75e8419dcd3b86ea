//! Whether a journal says what people decided. Pure.
//!
//! `comity run` writes the journal, and its token may be stolen. So what a journal says of people is
//! compared with their decisions, which the API server stamps and `comity run` can't write: every
//! record by which something is given, in the order of their numbers. What was compared once needn't
//! be again: a decision may be deleted after it took effect.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::api::GrantDecision;
use crate::api::decision::DecisionAction;
use crate::api::name::ANNOTATION_DECIDED_BY;
use crate::api::record::{GrantRecordSpec, RecordEvent, Revision, TakenDecision};
use crate::api::stage::Stage;
use crate::journal::Journal;
use crate::journal::forum::{Forum, latest_end};
use crate::policy::Agreement;
use crate::policy::consent::ConsentRule;

/// How far ahead of this process's clock that of `comity run` may be.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How far a journal was compared with what people decided.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Testimony {
    /// The number of the last record that was; zero: none.
    pub through: i64,
    /// The digest of that record, which holds that of the one before it, and so on.
    pub head: Option<String>,
}

/// Why a journal isn't believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "record {sequence} of the journal {what}. Nothing is signed for this grant: find out who wrote the record, \
     then delete the grant and make a new one"
)]
pub struct Doubt {
    /// The number of the record.
    pub sequence: i64,
    /// What is wrong with it.
    pub what: String,
}

/// Whoever compares a journal with what people decided.
#[derive(Clone, Copy)]
pub struct Witness<'a> {
    /// The decision about this very grant that has this UID, if there is one.
    pub decision: &'a dyn Fn(&str) -> Option<Arc<GrantDecision>>,
    /// What is agreed now; `None`: nothing.
    pub agreement: Option<&'a Agreement>,
    /// Whether there was a grant before this one for the same partner, contract and purpose.
    pub made_again: bool,
    /// The time.
    pub now: Timestamp,
}

/// Whether a record gives something, which takes people's word where it isn't given to everybody.
pub const fn gives(event: RecordEvent) -> bool {
    use RecordEvent::{Approved, Attested, Extended, Opened, Released, Sponsored};
    matches!(event, Approved | Attested | Extended | Opened | Released | Sponsored)
}

/// Whether anybody had to be asked, or was heard, for anything that a journal gives. `made_again` says
/// whether there was a grant before this one for the same.
pub fn is_needed(journal: &Journal, agreement: Option<&Agreement>, made_again: &dyn Fn() -> bool) -> bool {
    let openings = &journal.openings;
    let is_asked_for = |stage: Stage| {
        let terms = agreement.and_then(|agreement| agreement.stages.get(&stage));
        stage == Stage::Production || terms.is_some_and(|terms| !terms.consent.is_empty())
    };
    let is_opened_again =
        |number: usize, stage: Stage| openings.iter().take(number).any(|o| o.stage == stage);
    journal.consents.newest_taken().is_some()
        || openings.iter().enumerate().any(|(number, opening)| {
            opening.extended || is_asked_for(opening.stage) || is_opened_again(number, opening.stage)
        })
        || !openings.is_empty() && made_again()
}

impl Witness<'_> {
    /// Compares what comes after `before`. Gives how far the journal holds, and what is doubted then.
    /// `records` are all of them, in the order of their numbers, and make a journal.
    pub fn look(&self, records: &[GrantRecordSpec], before: &Testimony) -> (Testimony, Option<Doubt>) {
        let mut journal = Journal::empty();
        let mut reached = before.clone();
        for record in records {
            let sequence = record.sequence;
            let doubt = if sequence <= before.through { None } else { self.doubt(&journal, record) };
            let doubt = doubt.or_else(|| journal.take(record).err().map(|broken| broken.to_string()));
            let is_another = sequence == before.through && journal.head != before.head;
            let doubt = doubt.or_else(|| is_another.then(|| ANOTHER.to_owned()));
            if let Some(what) = doubt {
                return (reached, Some(Doubt { sequence, what }));
            }
            if sequence > before.through {
                reached = Testimony { through: sequence, head: journal.head.clone() };
            }
        }
        let is_short = journal.next <= before.through;
        let doubt = is_short.then(|| Doubt { sequence: before.through, what: GONE.to_owned() });
        (reached, doubt)
    }

    /// What is wrong with a record, after the journal before it.
    fn doubt(&self, journal: &Journal, record: &GrantRecordSpec) -> Option<String> {
        use RecordEvent::{Approved, Attested, Extended, Opened, Released, Sponsored};
        match record.event {
            Approved | Released | Attested | Sponsored => {
                let Some(taken) = &record.decision else { return Some("names no decision".to_owned()) };
                self.unfounded(record, taken).or_else(|| self.unheard(journal, record, taken))
            }
            Opened => self.opened_alone(journal, record),
            Extended => self.extended_alone(journal, record),
            // What closes, or waits, needs nobody's word.
            _ => None,
        }
    }

    /// Why a record isn't what a person decided.
    fn unfounded(&self, record: &GrantRecordSpec, taken: &TakenDecision) -> Option<String> {
        let TakenDecision { name, by, .. } = taken;
        let Some(decision) = (self.decision)(&taken.uid) else {
            return Some(format!(
                "says what {by} decided, but there is no GrantDecision {name} of that UID, and there was none \
                 when comity sign looked"
            ));
        };
        let spec = &decision.spec;
        let stamp = decision.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION_DECIDED_BY));
        let digest = spec.digest.as_ref().map(|digest| digest.as_str().to_owned());
        let end = record.expires_at.as_ref();
        let is_same = stamp == Some(by)
            && spec.action == action(record)
            && (spec.stage, &digest) == (record.stage, &record.digest)
            && spec.on_behalf_of == taken.on_behalf_of
            && end.is_none_or(|end| spec.expires_at.as_ref().is_some_and(|decided| end.0 <= decided.0));
        (!is_same).then(|| format!("doesn't say what GrantDecision {name} says"))
    }

    /// Why what a person decided doesn't have the effect that a record gives it.
    fn unheard(&self, journal: &Journal, record: &GrantRecordSpec, taken: &TakenDecision) -> Option<String> {
        let by = &taken.by;
        let made = (self.decision)(&taken.uid)?.metadata.creation_timestamp.as_ref()?.0;
        match record.event {
            RecordEvent::Released => {
                let quarantined = journal.consents.quarantined.as_ref()?;
                let is_own = quarantined.0 == *by || made < quarantined.1;
                is_own
                    .then(|| format!("releases what {by} closed, or what was closed after that was decided"))
            }
            RecordEvent::Attested => {
                let forum = self.forum(journal, self.agreement?);
                forum.asks(by).then(|| format!("has {by} confirm what {by} asks for"))
            }
            RecordEvent::Approved => {
                let agreement = self.todays(record.digest.as_deref()?)?;
                let rule = self.forum(journal, agreement).rule(record.stage?)?;
                let until = made.checked_add(rule.valid_for?).unwrap_or(made);
                let counts = taken.until.as_ref().is_some_and(|counted| counted.0 <= until);
                (!counts).then(|| format!("lets the word of {by} count for longer than it does"))
            }
            _ => None,
        }
    }

    /// Why a stage wasn't opened by what people had agreed to.
    fn opened_alone(&self, journal: &Journal, record: &GrantRecordSpec) -> Option<String> {
        let (stage, digest) = (record.stage?, record.digest.as_deref()?);
        if let Some(what) = self.unwritten(record) {
            return Some(what);
        }
        // Opened again, it ends no later than it did.
        if journal.opening(stage, digest).is_some() {
            return None;
        }
        let Some(agreement) = self.agreement else { return Some(format!("opens {stage}{NOTHING_STANDS}")) };
        if self.lasts_too_long(record, stage) {
            return Some(format!("opens {stage} for longer than the contract does"));
        }
        let agreement = Agreement { digest: digest.to_owned(), ..agreement.clone() };
        let forum = Forum { now: record.at.0, ..self.forum(journal, &agreement) };
        let rule = rule_of(&forum, record, stage);
        if rule.as_ref().is_some_and(ConsentRule::is_empty) {
            return None;
        }
        if journal.consents.denied.contains(&(stage, digest.to_owned())) {
            return Some(format!("opens {stage}, which was refused"));
        }
        if forum.lacks_sponsor(stage) {
            return Some(format!("opens {stage} for automation that nobody has taken responsibility for"));
        }
        let missing = forum.opening_by(stage, rule).err()?;
        Some(format!("opens {stage}, but that takes {missing}"))
    }

    /// Which of the revisions that a record names nobody has written yet: who writes it next might agree
    /// to it then.
    fn unwritten(&self, record: &GrantRecordSpec) -> Option<String> {
        let known = self.agreement.iter().flat_map(|agreement| &agreement.authorship);
        let mut ahead = known.filter(|written| {
            let is_it = |named: &&Revision| named.uid == written.revision.uid;
            let mut named = record.revisions.iter().filter(is_it);
            named.any(|named| named.generation > written.revision.generation)
        });
        ahead.next().map(|written| format!("names a revision of {} that there isn't", written.subject()))
    }

    /// Whether an opening of what is agreed now was given an end that is too late.
    fn lasts_too_long(&self, record: &GrantRecordSpec, stage: Stage) -> bool {
        let is_ahead = record.at.0.duration_since(self.now) > SKEW;
        let todays = record.digest.as_deref().and_then(|digest| self.todays(digest));
        let Some((agreement, end)) = todays.zip(record.expires_at.as_ref()) else { return is_ahead };
        let terms = agreement.stages.get(&stage);
        let latest = terms.and_then(|terms| record.at.0.checked_add(terms.duration).ok());
        // Records are written in whole seconds.
        let latest = latest.map_or(agreement.not_after, |latest| latest.min(agreement.not_after));
        is_ahead || end.0.duration_since(latest) > SignedDuration::from_secs(1)
    }

    /// Why the end of a stage wasn't moved by what people had agreed to.
    fn extended_alone(&self, journal: &Journal, record: &GrantRecordSpec) -> Option<String> {
        let (stage, digest, end) = (record.stage?, record.digest.as_deref()?, record.expires_at.as_ref()?.0);
        let opening = journal.opening(stage, digest).filter(|opening| opening.end < end)?;
        let Some(agreement) = self.agreement else {
            return Some(format!("moves the end of {stage}{NOTHING_STANDS}"));
        };
        if self.todays(digest).is_some_and(|agreement| latest_end(opening, agreement) < end) {
            return Some(format!("moves the end of {stage} further than the contract allows"));
        }
        let agreement = Agreement { digest: digest.to_owned(), ..agreement.clone() };
        let forum = Forum { now: record.at.0, ..self.forum(journal, &agreement) };
        let missing = forum.extension(stage, end).err()?;
        Some(format!("moves the end of {stage}, but that takes {missing}"))
    }

    /// What is agreed now, if it has this digest.
    fn todays(&self, digest: &str) -> Option<&Agreement> {
        self.agreement.filter(|agreement| agreement.digest == digest)
    }

    const fn forum<'b>(&self, journal: &'b Journal, agreement: &'b Agreement) -> Forum<'b> {
        Forum { journal, agreement, made_again: self.made_again, now: self.now }
    }
}

/// What is said where there was a journal, and there is another one now.
const ANOTHER: &str = "isn't the one that was compared with what people decided";
const GONE: &str = "is gone, although it was compared with what people decided";
const NOTHING_STANDS: &str = ", and nothing stands now that this could be compared with";

/// Who has to agree before a stage opens: by what stands now, and by what was opened.
fn rule_of(forum: &Forum<'_>, record: &GrantRecordSpec, stage: Stage) -> Option<ConsentRule> {
    let asked = record.policy.iter().flat_map(|policy| &policy.approvals);
    let mut asked = asked.filter(|approval| approval.stage == stage).map(ConsentRule::of_approval);
    asked.try_fold(forum.rule(stage)?, |rule, next| Some(rule.join(&next?)))
}

/// By which decision a record like this is written.
const fn action(record: &GrantRecordSpec) -> DecisionAction {
    match record.event {
        RecordEvent::Released => DecisionAction::Release,
        RecordEvent::Attested => DecisionAction::Attest,
        RecordEvent::Sponsored => DecisionAction::Sponsor,
        _ if record.expires_at.is_some() => DecisionAction::Extend,
        _ => DecisionAction::Approve,
    }
}

#[cfg(test)]
mod tests;
