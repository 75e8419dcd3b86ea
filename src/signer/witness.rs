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
use crate::grant::gate::Gates;
use crate::journal::forum::{Forum, latest_end};
use crate::journal::rehearsal::Told;
use crate::journal::wanted::GrantFacts;
use crate::journal::{Journal, Opening, Recorded};
use crate::policy::consent::ConsentRule;
use crate::policy::{Agreement, StageTerms};

/// How far ahead of this process's clock that of `comity run` may be.
pub const SKEW: SignedDuration = SignedDuration::from_secs(60);

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
    /// The same in words that name nobody.
    pub general: String,
}

impl Doubt {
    /// The same for the namespace of the stage, whose partner's people read it: neither who decided or
    /// asked, nor what they wrote.
    pub fn in_general(&self) -> String {
        let Self { sequence, general, .. } = self;
        format!(
            "record {sequence} of the journal {general}. Nothing is signed for this grant: its Event \
             JournalDoubted and the log of comity sign say why"
        )
    }
}

/// Whoever compares a journal with what people decided.
#[derive(Clone, Copy)]
pub struct Witness<'a> {
    /// The decision about this very grant that has this UID, if there is one.
    pub decision: &'a dyn Fn(&str) -> Option<Arc<GrantDecision>>,
    /// What the report of this name shows, if there is one.
    pub report: &'a dyn Fn(&str) -> Option<Told>,
    /// What is agreed now; `None`: nothing.
    pub agreement: Option<&'a Agreement>,
    /// What was agreed before, as far as it was seen while people decided about it.
    pub agreed: &'a [Arc<Agreement>],
    /// When the record of this number was stored, as the API server noted; `None`: that isn't asked.
    pub stored: Option<&'a dyn Fn(i64) -> Option<Timestamp>>,
    /// Whether there was a grant before this one for the same partner, contract and purpose.
    pub made_again: bool,
    /// The time.
    pub now: Timestamp,
}

/// Whether a record gives something, which takes people's word where it isn't given to everybody.
pub const fn gives(event: RecordEvent) -> bool {
    use RecordEvent::{Approved, Attested, Extended, Opened, Rehearsed, Released, Sponsored};
    matches!(event, Approved | Attested | Extended | Opened | Rehearsed | Released | Sponsored)
}

/// Whether anybody had to be asked, or was heard, for anything that a journal gives. `made_again` says
/// whether there was a grant before this one for the same.
pub fn is_asked(journal: &Journal, agreement: Option<&Agreement>, made_again: &dyn Fn() -> bool) -> bool {
    let openings = &journal.openings;
    let is_asked_for = |stage: Stage| {
        let terms = agreement.and_then(|agreement| agreement.stages.get(&stage));
        stage == Stage::Production || terms.is_some_and(|terms| !terms.consent.is_empty())
    };
    let is_opened_again =
        |number: usize, stage: Stage| openings.iter().take(number).any(|o| o.stage == stage);
    journal.newest_told().is_some()
        || openings.iter().enumerate().any(|(number, opening)| {
            opening.extended || is_asked_for(opening.stage) || is_opened_again(number, opening.stage)
        })
        || !openings.is_empty() && made_again()
}

/// Whether a record has to be looked up in the API server to know when it was written: its own time is
/// believed while it is new.
pub fn is_late(record: &GrantRecordSpec, now: Timestamp) -> bool {
    matches!(record.event, RecordEvent::Opened | RecordEvent::Extended)
        && now.duration_since(record.at.0) > SKEW
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
                return (reached, Some(Doubt { sequence, what, general: general(record) }));
            }
            if sequence > before.through {
                reached = Testimony { through: sequence, head: journal.head.clone() };
            }
        }
        let is_short = journal.next <= before.through;
        let gone = |sequence| Doubt { sequence, what: GONE.to_owned(), general: GONE.to_owned() };
        let doubt = is_short.then(|| gone(before.through));
        (reached, doubt)
    }

    /// What is wrong with a record, after the journal before it.
    fn doubt(&self, journal: &Journal, record: &GrantRecordSpec) -> Option<String> {
        use RecordEvent::{Approved, Attested, Denied, Extended, Opened, Released, Sponsored};
        use RecordEvent::{Quarantined, Rehearsed, Shortened};
        match record.event {
            Approved | Released | Attested | Sponsored => {
                let Some(taken) = &record.decision else { return Some("names no decision".to_owned()) };
                self.unfounded(record, taken).or_else(|| self.unheard(journal, record, taken))
            }
            Opened => self.opened_alone(journal, record).or_else(|| self.backdated(record)),
            Extended => self.extended_alone(journal, record).or_else(|| self.backdated(record)),
            Rehearsed => self.unrehearsed(record),
            Denied | Quarantined | Shortened => self.misquoted(record),
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
            && decision.metadata.creation_timestamp.as_ref() == Some(&taken.made)
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
                let agreement = self.known(record.digest.as_deref()?)?;
                let rule = self.forum(journal, agreement).rule(record.stage?)?;
                let until = made.checked_add(rule.valid_for?).unwrap_or(made);
                let counts = taken.until.as_ref().is_some_and(|counted| counted.0 <= until);
                (!counts).then(|| format!("lets the word of {by} count for longer than it does"))
            }
            _ => None,
        }
    }

    /// Why a record doesn't say what a rehearsal showed.
    fn unrehearsed(&self, record: &GrantRecordSpec) -> Option<String> {
        let Some(taken) = &record.report else { return Some("names no report".to_owned()) };
        let Some(told) = (self.report)(&taken.name) else {
            return Some(format!(
                "says what a rehearsal showed, but there is no RehearsalReport {}, and there was none when comity sign \
                 looked",
                taken.name
            ));
        };
        let is_same = told.taken == *taken
            && Some(&told.digest) == record.digest.as_ref()
            && told.grant == record.grant;
        (!is_same).then(|| format!("doesn't say what RehearsalReport {} shows", taken.name))
    }

    /// Why a record doesn't close what a person decided to. That nobody decided it is no matter: it closes.
    fn misquoted(&self, record: &GrantRecordSpec) -> Option<String> {
        use DecisionAction::{Deny, Expire, Quarantine, Shorten};
        let taken = record.decision.as_ref()?;
        let decision = (self.decision)(&taken.uid)?;
        let spec = &decision.spec;
        let decided = spec.expires_at.as_ref().filter(|_| spec.action == Shorten).map(|end| end.0);
        let latest = decided.map_or(record.at.0, |end| end.max(record.at.0));
        // Records are written in whole seconds.
        let is_in_time = record.expires_at.as_ref().is_none_or(|end| end.0.duration_since(latest) <= SECOND);
        let is_same = match (record.event, spec.action) {
            (RecordEvent::Shortened, Expire | Shorten) => record.stage == spec.stage && is_in_time,
            (RecordEvent::Denied, Deny) => record.stage == spec.stage,
            (event, action) => event == RecordEvent::Quarantined && action == Quarantine,
        };
        (!is_same).then(|| format!("doesn't close what GrantDecision {} does", taken.name))
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
        let Some(agreement) = self.known(digest) else { return self.opened_unseen(journal, record, stage) };
        let Some(terms) = agreement.stages.get(&stage) else {
            return Some(format!("opens {stage}, which nobody offers"));
        };
        if is_too_long(record, terms, agreement) || self.is_ahead(record) {
            return Some(format!("opens {stage} for longer than the contract does"));
        }
        let forum = Forum { now: record.at.0, ..self.forum(journal, agreement) };
        let is_another = record.policy.as_ref() != Some(&terms.policy);
        unasked(&forum, record, stage)
            .or_else(|| premature(forum, stage))
            .or_else(|| is_another.then(|| format!("opens {stage} by other terms than were asked for")))
    }

    /// The same of an opening for what doesn't stand now, and that nobody saw while it stood: nothing says
    /// that its terms are those that people agreed to, so it is believed only where nobody was asked.
    fn opened_unseen(&self, journal: &Journal, record: &GrantRecordSpec, stage: Stage) -> Option<String> {
        let Some(agreement) = self.agreement else { return Some(format!("opens {stage}{NOTHING_STANDS}")) };
        if self.is_ahead(record) {
            return Some(format!("opens {stage} for longer than the contract does"));
        }
        let rule = rule_of(&self.forum(journal, agreement), record, stage);
        let is_free = rule.is_some_and(|rule| rule.is_empty());
        (!is_free).then(|| format!("opens {stage}{UNSEEN}"))
    }

    /// Why a record isn't believed to be as old as it says: what counted then may have lapsed since.
    fn backdated(&self, record: &GrantRecordSpec) -> Option<String> {
        let stored = self.stored.filter(|_| is_late(record, self.now))?;
        let is_honest = stored(record.sequence).is_some_and(|at| at.duration_since(record.at.0) <= SKEW);
        (!is_honest).then(|| format!("says that it was written at {}, and was stored later", record.at.0))
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

    /// Whether a record says that it was written when it is yet to come.
    fn is_ahead(&self, record: &GrantRecordSpec) -> bool {
        record.at.0.duration_since(self.now) > SKEW
    }

    /// Why the end of a stage wasn't moved by what people had agreed to.
    fn extended_alone(&self, journal: &Journal, record: &GrantRecordSpec) -> Option<String> {
        let (stage, digest, end) = (record.stage?, record.digest.as_deref()?, record.expires_at.as_ref()?.0);
        let opening = journal.opening(stage, digest).filter(|opening| opening.end < end)?;
        let known = self.known(digest);
        let Some(agreement) = known.or(self.agreement) else {
            return Some(format!("moves the end of {stage}{NOTHING_STANDS}"));
        };
        if known.is_some_and(|agreement| latest_end(opening, agreement) < end) {
            return Some(format!("moves the end of {stage} further than the contract allows"));
        }
        let agreement = Agreement { digest: digest.to_owned(), ..agreement.clone() };
        let forum = Forum { now: record.at.0, ..self.forum(journal, &agreement) };
        let missing = forum.extension(stage, end).err()?;
        Some(format!("moves the end of {stage}, but that takes {missing}"))
    }

    /// What has this digest: what is agreed now, or what was seen while people decided about it.
    fn known(&self, digest: &str) -> Option<&'_ Agreement> {
        let seen = self.agreed.iter().map(Arc::as_ref);
        self.agreement.into_iter().chain(seen).find(|agreement| agreement.digest == digest)
    }

    const fn forum<'b>(&self, journal: &'b Journal, agreement: &'b Agreement) -> Forum<'b> {
        Forum { journal, agreement, made_again: self.made_again, now: self.now }
    }
}

/// What is said where there was a journal, and there is another one now.
const ANOTHER: &str = "isn't the one that was compared with what people decided";
const GONE: &str = "is gone, although it was compared with what people decided";
const NOTHING_STANDS: &str = ", and nothing stands now that this could be compared with";
const UNSEEN: &str =
    " for something that doesn't stand any more, and that comity sign hadn't seen while it stood";

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Whether an opening was given an end that is too late.
fn is_too_long(record: &GrantRecordSpec, terms: &StageTerms, agreement: &Agreement) -> bool {
    let latest = record.at.0.checked_add(terms.duration).ok();
    let latest = latest.map_or(agreement.not_after, |latest| latest.min(agreement.not_after));
    // Records are written in whole seconds.
    record.expires_at.as_ref().is_some_and(|end| end.0.duration_since(latest) > SECOND)
}

/// Why a stage was opened too early.
fn premature(forum: Forum<'_>, stage: Stage) -> Option<String> {
    // Records are written in whole seconds, cut off.
    let now = forum.now.saturating_add(SECOND).unwrap_or(forum.now);
    let facts = GrantFacts { ceiling: stage, suspended: false, deleting: false };
    let was_open = |opening: &Opening| opening.state == Recorded::Open && forum.now < opening.end;
    let forum = Forum { now, ..forum };
    let gates = Gates { forum, facts, is_complete: &was_open, gives: &|_| None };
    gates.premature(stage).map(|waiting| format!("opens {stage} too early: {}", waiting.message))
}

/// What was missing of people's word when a stage was opened.
fn unasked(forum: &Forum<'_>, record: &GrantRecordSpec, stage: Stage) -> Option<String> {
    let rule = rule_of(forum, record, stage);
    if rule.as_ref().is_some_and(ConsentRule::is_empty) {
        return None;
    }
    if forum.journal.consents.denied.contains(&(stage, forum.agreement.digest.clone())) {
        return Some(format!("opens {stage}, which was refused"));
    }
    if forum.lacks_sponsor(stage) {
        return Some(format!("opens {stage} for automation that nobody has taken responsibility for"));
    }
    let missing = forum.opening_by(stage, rule).err()?;
    Some(format!("opens {stage}, but that takes {missing}"))
}

/// What a record that isn't believed does, whoever and whatever it names.
fn general(record: &GrantRecordSpec) -> String {
    let stage = record.stage.map_or_else(|| "something".to_owned(), |stage| stage.to_string());
    match record.event {
        RecordEvent::Opened => format!("opens {stage}, and not as people agreed to"),
        RecordEvent::Extended => format!("moves the end of {stage}, and not as people agreed to"),
        RecordEvent::Rehearsed => "doesn't say what a rehearsal showed".to_owned(),
        _ => "doesn't say what people decided".to_owned(),
    }
}

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
