//! What a grant's records say, read a second time and in another way: the invariants don't believe
//! the fold by which `decide` goes.

use super::story::{GRACE, REVIEW, seconds};
use crate::api::record::{GrantRecordSpec, RecordEvent, RecordReason};
use crate::api::{Stage, name};

/// What the records say.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub openings: Vec<Told>,
    /// Who closed access until somebody else releases it.
    pub quarantined: Option<String>,
    pub ended: bool,
    /// The time of the newest record.
    pub newest: i32,
    /// The reviews.
    pub attested: Vec<i32>,
    /// The UIDs of the decisions that were taken.
    pub taken: Vec<String>,
}

/// An opening.
#[derive(Clone, Debug)]
pub struct Told {
    pub stage: Stage,
    pub digest: String,
    pub namespace: String,
    pub opened_at: i32,
    pub end: i32,
    pub stands: Stands,
    /// Since when it stands so.
    pub since: i32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stands {
    Open,
    Held,
    Closed(RecordReason),
}

impl Ledger {
    pub fn take(&mut self, record: &GrantRecordSpec) {
        self.newest = self.newest.max(seconds(record.at.0));
        self.taken.extend(record.decision.iter().map(|decision| decision.uid.clone()));
        match record.event {
            RecordEvent::Opened => self.open(record),
            RecordEvent::Suspended => self.set(record, Stands::Held),
            RecordEvent::Resumed => self.set(record, Stands::Open),
            RecordEvent::Closed => {
                let reason = record.reason.unwrap_or(RecordReason::NothingLeft);
                self.set(record, Stands::Closed(reason));
            }
            RecordEvent::Extended => self.move_end(record, i32::max),
            RecordEvent::Shortened => self.move_end(record, i32::min),
            RecordEvent::Quarantined => {
                self.quarantined = record.decision.as_ref().map(|decision| decision.by.clone());
            }
            RecordEvent::Released => self.quarantined = None,
            RecordEvent::Attested => {
                let made = record.decision.iter().map(|decision| seconds(decision.made.0));
                self.attested.extend(made);
                self.attested.sort_unstable();
            }
            RecordEvent::Ended => self.ended = true,
            _ => {}
        }
    }

    /// The opening that has this namespace.
    pub fn of_namespace(&self, namespace: &str) -> Option<&Told> {
        self.openings.iter().find(|told| told.namespace == namespace)
    }

    /// The opening that a record speaks of.
    pub fn find(&self, stage: Option<Stage>, digest: Option<&str>) -> Option<&Told> {
        self.openings.iter().find(|told| Some(told.stage) == stage && Some(told.digest.as_str()) == digest)
    }

    /// When an opening ends where nobody confirms it. Who was late doesn't put off the next review.
    pub fn lapses(&self, told: &Told) -> i32 {
        let mut due = told.opened_at + REVIEW;
        for answered in self.attested.iter().filter(|answered| **answered > told.opened_at) {
            due = due.min(*answered) + REVIEW;
        }
        due + GRACE
    }

    fn meant<'a>(&'a mut self, record: &'a GrantRecordSpec) -> impl Iterator<Item = &'a mut Told> {
        let stage = move |told: &Told| record.stage.is_none_or(|stage| stage == told.stage);
        let digest = move |told: &Told| record.digest.as_ref().is_none_or(|digest| *digest == told.digest);
        self.openings.iter_mut().filter(move |told| stage(told) && digest(told))
    }

    fn set(&mut self, record: &GrantRecordSpec, stands: Stands) {
        let since = seconds(record.at.0);
        self.meant(record).for_each(|told| (told.stands, told.since) = (stands, since));
    }

    fn move_end(&mut self, record: &GrantRecordSpec, which: fn(i32, i32) -> i32) {
        let Some(end) = record.expires_at.as_ref().map(|end| seconds(end.0)) else { return };
        self.meant(record).for_each(|told| told.end = which(told.end, end));
    }

    fn open(&mut self, record: &GrantRecordSpec) {
        let (Some(stage), Some(digest)) = (record.stage, record.digest.clone()) else { return };
        if self.find(Some(stage), Some(&digest)).is_some() {
            return self.set(record, Stands::Open);
        }
        let end = record.expires_at.as_ref().map_or(i32::MIN, |end| seconds(end.0));
        let grant = &record.grant;
        let namespace = name::stage_namespace(&grant.name.0, &grant.uid.0, stage, &digest);
        let opened_at = seconds(record.at.0);
        let (stands, since) = (Stands::Open, opened_at);
        self.openings.push(Told { stage, digest, namespace, opened_at, end, stands, since });
    }
}
