//! What people decided about a grant, as its journal has it. Only what is here counts: a decision
//! that was deleted after it took effect has its effect still.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::allowance::Allowances;
use super::opening::after_pause;
use crate::api::record::{GrantRecordSpec, RecordEvent, RecordReason, Revision};
use crate::api::stage::Stage;

/// A request: a stage, with a digest.
pub type Request = (Stage, String);

/// What people decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consents {
    /// Who agreed to what, in that order.
    pub approvals: Vec<Approved>,
    /// What was refused: final for its digest.
    pub denied: BTreeSet<Request>,
    /// What nobody answered in time: those of what was refused.
    pub lapsed: BTreeSet<Request>,
    /// Since when an answer is awaited.
    pub asked: BTreeMap<Request, Timestamp>,
    /// How often people were asked, and when they last were.
    pub asked_last: Option<(u32, Timestamp)>,
    /// Who took responsibility for a request, by its digest.
    pub sponsors: BTreeSet<(String, String)>,
    /// Who closed access until somebody else releases it, and when.
    pub quarantined: Option<(String, Timestamp)>,
    /// When somebody last released it.
    pub released_at: Option<Timestamp>,
    /// Whenever somebody confirmed that the grant is still wanted: when they did, not when that was written
    /// down, or what was written down late would answer a review that came since.
    pub attested: BTreeSet<Timestamp>,
    /// Whether somebody ended the grant as a whole, so that nothing opens any more.
    pub is_expired: bool,
    /// For each stage that people agreed to: the revisions that they last agreed to.
    pub approved: BTreeMap<Stage, Vec<Revision>>,
    /// What everybody has used up of what they may have written down.
    pub allowances: Allowances,
    /// The UIDs of the decisions that were taken.
    taken: BTreeMap<String, i64>,
}

/// Somebody agreed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approved {
    /// To which stage.
    pub stage: Stage,
    /// With which digest.
    pub digest: String,
    /// To this end, where it is an extension.
    pub end: Option<Timestamp>,
    /// Who.
    pub person: String,
    /// For which group.
    pub group: Option<String>,
    /// Until when it counts; `None`: until it is used.
    pub until: Option<Timestamp>,
}

impl Consents {
    /// The number of the newest record that took a decision; `None`: nobody has decided anything.
    pub fn newest_taken(&self) -> Option<i64> {
        self.taken.values().max().copied()
    }

    /// The number of the record that took a decision.
    pub fn record_of(&self, decision_uid: &str) -> Option<i64> {
        self.taken.get(decision_uid).copied()
    }

    /// Before when people aren't asked again, because they were so often; `None`: at once. Each change of
    /// what they would agree to is another request, and takes a record.
    pub fn asked_again_at(&self) -> Option<Timestamp> {
        after_pause(self.asked_last?)
    }

    /// Those who agree now to a stage with a digest, or to its new end.
    pub fn agreeing<'a>(
        &'a self,
        stage: Stage,
        digest: &'a str,
        end: Option<Timestamp>,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Approved> {
        self.approvals.iter().filter(move |approved| {
            approved.stage == stage
                && approved.digest == digest
                && approved.end == end
                && approved.until.is_none_or(|until| now < until)
        })
    }

    /// Takes what a record says of a decision; `None` where it makes no sense.
    pub(super) fn take(&mut self, record: &GrantRecordSpec) -> Option<()> {
        if let Some(decision) = &record.decision {
            // A line that tells of no decision takes none, or it would keep that one from being heard.
            let is_again = self.taken.insert(decision.uid.clone(), record.sequence).is_some();
            if is_again || !is_decided(record.event) {
                return None;
            }
            self.allowances.spend(&decision.by, record.at.0);
        }
        match record.event {
            RecordEvent::Requested => self.ask(record),
            RecordEvent::Approved => self.approve(record)?,
            RecordEvent::Denied => {
                self.denied.insert(request(record)?);
                if record.reason == Some(RecordReason::Unanswered) {
                    self.lapsed.insert(request(record)?);
                }
            }
            RecordEvent::Sponsored => {
                let sponsor = (record.digest.clone()?, record.decision.as_ref()?.by.clone());
                self.sponsors.insert(sponsor);
            }
            RecordEvent::Quarantined => {
                self.quarantined = Some((record.decision.as_ref()?.by.clone(), record.at.0));
            }
            RecordEvent::Released => {
                self.quarantined = None;
                self.released_at = Some(record.at.0);
            }
            RecordEvent::Attested => self.attest(record)?,
            RecordEvent::Opened => self.opened(record)?,
            RecordEvent::Extended => self.use_up(record),
            RecordEvent::Shortened => {
                self.is_expired |= record.stage.is_none();
                self.use_up(record);
            }
            _ => {}
        }
        Some(())
    }

    /// Whoever agreed to another end agreed to move the one that stood then. It has moved, so what they
    /// said is used up: else an end that was brought forward would move back by itself.
    fn use_up(&mut self, record: &GrantRecordSpec) {
        let is_meant = |known: &Approved| {
            known.end.is_some()
                && record.stage.is_none_or(|stage| stage == known.stage)
                && record.digest.as_ref().is_none_or(|digest| *digest == known.digest)
        };
        self.approvals.retain(|known| !is_meant(known));
    }

    /// An answer is awaited since it was first asked for.
    fn ask(&mut self, record: &GrantRecordSpec) {
        if let Some(request) = request(record) {
            self.asked.entry(request).or_insert(record.at.0);
            let count = self.asked_last.map_or(0, |(count, _)| count);
            self.asked_last = Some((count.saturating_add(1), record.at.0));
        }
    }

    /// Somebody confirms; nobody confirms what is still to come, whatever the clocks say.
    fn attest(&mut self, record: &GrantRecordSpec) -> Option<()> {
        self.attested.insert(record.decision.as_ref()?.made.0.min(record.at.0));
        Some(())
    }

    /// Somebody agrees; whoever agrees again, agrees anew.
    fn approve(&mut self, record: &GrantRecordSpec) -> Option<()> {
        let decision = record.decision.as_ref()?;
        let (stage, digest) = request(record)?;
        let approved = Approved {
            stage,
            digest,
            end: record.expires_at.as_ref().map(|end| end.0),
            person: decision.by.clone(),
            group: decision.on_behalf_of.as_ref().map(|group| group.0.clone()),
            until: decision.until.as_ref().map(|until| until.0),
        };
        let same = |known: &Approved| {
            (known.stage, &known.digest, known.end, &known.person)
                == (approved.stage, &approved.digest, approved.end, &approved.person)
        };
        self.approvals.retain(|known| !same(known));
        self.approvals.push(approved);
        Some(())
    }

    /// A stage opens: what it was opened with is what people agreed to, if they were asked. Opened
    /// again, it is still that, and the record names no revisions.
    fn opened(&mut self, record: &GrantRecordSpec) -> Option<()> {
        let stage = record.stage?;
        let asked = record.policy.iter().flat_map(|policy| &policy.approvals);
        let was_asked = asked.into_iter().any(|rule| rule.stage == stage && rule.required > 0);
        if was_asked && !record.revisions.is_empty() {
            self.approved.insert(stage, record.revisions.clone());
        }
        Some(())
    }
}

/// Whether something like this happens because a person decides it.
const fn is_decided(event: RecordEvent) -> bool {
    use RecordEvent::{Approved, Attested, Denied, Quarantined, Released, Shortened, Sponsored};
    matches!(event, Approved | Attested | Denied | Quarantined | Released | Shortened | Sponsored)
        || matches!(event, RecordEvent::RehearsalRequested)
}

/// The stage and the digest that a record speaks of.
fn request(record: &GrantRecordSpec) -> Option<Request> {
    Some((record.stage?, record.digest.clone()?))
}
