//! What somebody could read of a grant, understood: its journal, what is agreed, and what waits.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;

use crate::api::condition::ConditionType;
use crate::api::grant::{OpeningState, PartnerGrantStatus};
use crate::api::stage::Stage;
use crate::cluster::reading::Reading;
use crate::journal::forum::Forum;
use crate::journal::{Broken, Journal};
use crate::policy::{Agreement, Problem, resolve::resolve};

/// A grant, as far as somebody may see it.
#[derive(Debug)]
pub(in crate::cli) struct Picture<'a> {
    /// What was read.
    pub(in crate::cli) reading: &'a Reading,
    /// What Comity says of it.
    pub(in crate::cli) status: PartnerGrantStatus,
    /// What its journal says; `None`: it may not be read.
    pub(in crate::cli) journal: Option<Result<Journal, Broken>>,
    /// What is agreed, worked out anew; `None`: a part of it may not be read.
    pub(in crate::cli) agreement: Option<Result<Agreement, Vec<Problem>>>,
    /// Whether there was a grant before this one for the same.
    pub(in crate::cli) made_again: bool,
    /// The time.
    pub(in crate::cli) now: Timestamp,
}

/// How what Comity says would be opened stands to what was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) enum Seen {
    /// It is the same, digest for digest.
    Same,
    /// It isn't: this is the digest of what was read.
    Differs(String),
    /// What was read isn't agreed.
    NotAgreed(String),
    /// These may not be read, so nobody here can tell.
    Unread,
}

impl<'a> Picture<'a> {
    /// Understands what was read.
    pub(in crate::cli) fn of(reading: &'a Reading) -> Self {
        let namespace = reading.grant.namespace().unwrap_or_default();
        let uid = reading.grant.uid().unwrap_or_default();
        let journal = reading.has_journal().then(|| reading.records.journal(&namespace, &uid));
        let now = match &journal {
            Some(Ok(journal)) => journal.time(reading.now),
            _ => reading.now,
        };
        Self {
            reading,
            status: reading.grant.status.clone().unwrap_or_default(),
            agreement: reading.operands().map(|operands| resolve(&operands, now)),
            made_again: reading.has_journal() && reading.records.has_another(&reading.grant),
            journal,
            now,
        }
    }

    /// The journal, if it can be read and holds.
    pub(in crate::cli) fn sound_journal(&self) -> Option<&Journal> {
        self.journal.as_ref()?.as_ref().ok()
    }

    /// Where consent is looked at, if everything that it goes by could be read.
    pub(in crate::cli) fn forum(&self) -> Option<Forum<'_>> {
        let agreement = self.agreement.as_ref()?.as_ref().ok()?;
        Some(Forum { journal: self.sound_journal()?, agreement, made_again: self.made_again, now: self.now })
    }

    /// The digest that Comity says would be opened next.
    pub(in crate::cli) fn digest(&self) -> Option<&str> {
        self.status.request_digest.as_deref()
    }

    /// Whether that is the digest of what was read.
    pub(in crate::cli) fn seen(&self) -> Seen {
        match (&self.agreement, self.digest()) {
            (None, _) => Seen::Unread,
            (Some(Ok(agreement)), Some(told)) if agreement.digest == told => Seen::Same,
            (Some(Ok(agreement)), _) => Seen::Differs(agreement.digest.clone()),
            (Some(Err(problems)), _) => {
                let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
                Seen::NotAgreed(told.join(". "))
            }
        }
    }

    /// A condition of the grant.
    pub(in crate::cli) fn condition(&self, wanted: ConditionType) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.type_ == wanted.as_str())
    }

    /// The stages that people are asked for now, with the digest of today, and since when.
    pub(in crate::cli) fn waiting(&self) -> Vec<(Stage, Timestamp)> {
        let (Some(journal), Some(digest)) = (self.sound_journal(), self.digest()) else { return Vec::new() };
        if journal.ended.is_some() {
            return Vec::new();
        }
        let asked = journal.consents.asked.iter();
        let today = asked.filter(|((stage, about), _)| {
            about == digest
                && *stage <= self.reading.grant.spec.stage
                && journal.opening(*stage, about).is_none()
                && !journal.consents.denied.contains(&(*stage, about.clone()))
        });
        today.map(|((stage, _), since)| (*stage, *since)).collect()
    }

    /// The stages that the contract offers; where it can't be read, all up to the one that is wanted.
    pub(in crate::cli) fn offered(&self) -> Vec<Stage> {
        let wanted = self.reading.grant.spec.stage;
        let offers = |stage: &Stage| match &self.reading.contract {
            Some(contract) => contract.spec.stages.iter().any(|rule| rule.stage == *stage),
            None => *stage <= wanted || self.status.openings.iter().any(|opening| opening.stage == *stage),
        };
        Stage::ALL.into_iter().filter(offers).collect()
    }
}

/// Something that is open, or held with its end running.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) struct Live {
    pub(in crate::cli) stage: Stage,
    pub(in crate::cli) digest: String,
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) end: Timestamp,
}

impl Picture<'_> {
    /// What isn't over: as the journal has it; where that can't be read, as Comity says.
    pub(in crate::cli) fn live(&self) -> Vec<Live> {
        let over = |state: OpeningState| matches!(state, OpeningState::Closing | OpeningState::Closed);
        let recorded = self.sound_journal().map(|journal| {
            let open = journal.openings.iter().filter(|opening| !opening.is_closed());
            let open = open.map(|opening| Live {
                stage: opening.stage,
                digest: opening.digest.clone(),
                namespace: opening.namespace.clone(),
                end: opening.end,
            });
            open.collect()
        });
        let told = || {
            let open = self.status.openings.iter().filter(|opening| !over(opening.state));
            let open = open.map(|opening| Live {
                stage: opening.stage,
                digest: opening.digest.clone(),
                namespace: opening.namespace.0.clone(),
                end: opening.expires_at.0,
            });
            open.collect()
        };
        let mut live: Vec<Live> = recorded.unwrap_or_else(told);
        live.retain(|live| self.now < live.end);
        live.sort_by_key(|live| live.stage);
        live
    }
}
