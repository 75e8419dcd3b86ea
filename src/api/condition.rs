//! Conditions and their reasons as enums, and how a new set of conditions replaces an old one.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;

/// What a condition speaks of.
#[derive(Clone, Copy, Debug, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd)]
pub enum ConditionType {
    /// Everything is as it can be now, also where it waits for people or time (kstatus: Current).
    Ready,
    /// Everything that it refers to is there and permits it.
    Accepted,
    /// People agree to the stage that opens next, or to the one that is open.
    Approved,
    /// What would open next, or is open, was tried, and came out as it had to.
    Rehearsed,
    /// Everything that an open stage is made of is stored.
    Provisioned,
    /// The partner has access now.
    Active,
    /// What a decision says is in the journal.
    Taken,
    /// Comity is at work on it (kstatus: InProgress).
    Reconciling,
    /// Nothing will change without somebody changing something (kstatus: Failed).
    Stalled,
}

impl ConditionType {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Accepted => "Accepted",
            Self::Approved => "Approved",
            Self::Rehearsed => "Rehearsed",
            Self::Provisioned => "Provisioned",
            Self::Active => "Active",
            Self::Taken => "Taken",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

/// Why a condition is as it is. One word each; the message says the rest.
#[derive(Clone, Copy, Debug, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// Nothing to be said against it.
    Accepted,
    /// The spec can't be understood.
    Invalid,
    /// No boundary selects the namespace.
    NoBoundary,
    /// The contract or the grant asks for more than the boundary allows.
    BeyondBoundary,
    /// The grant asks for more than the contract allows.
    BeyondContract,
    /// The partner doesn't exist.
    UnknownPartner,
    /// The partner doesn't let this namespace in, or the contract isn't for it.
    PartnerNotAllowed,
    /// The contract doesn't exist.
    UnknownContract,
    /// A dataset, or its version, doesn't exist.
    UnknownDataset,
    /// A dataset's owner prohibits or doesn't permit it.
    NotPermitted,
    /// A control is missing or out of date.
    ControlMissing,
    /// A Service is missing, has no selector, or is shared between stages.
    EndpointUnusable,
    /// There is a live grant for the same partner, contract and purpose, which was accepted before.
    Duplicate,
    /// As many grants are live as may be.
    TooManyGrants,
    /// The contract's own time is over.
    ContractEnded,
    /// The contract's own time has yet to come.
    NotYet,
    /// A stage is being opened.
    Opening,
    /// What is wanted is open.
    Open,
    /// Waiting for time to pass.
    WaitingForTime,
    /// It was closed and opened again so often that opening it waits.
    Interrupted,
    /// Access is closed by `spec.suspend`.
    Suspended,
    /// What was agreed isn't what stands any more.
    PolicyChanged,
    /// A namespace of the wanted name exists and isn't Comity's.
    NamespaceConflict,
    /// A certificate is waited for.
    CertificatePending,
    /// Certificates are refused.
    CertificateRefused,
    /// The quota isn't in force yet.
    QuotaPending,
    /// Comity's own admission policies aren't all in force.
    Unguarded,
    /// Its time is over.
    Expired,
    /// It is being closed and cleared.
    Closing,
    /// Nothing is open, and nothing can open any more.
    Ended,
    /// No stage is to be open now.
    NotOpened,
    /// The journal contradicts itself.
    JournalBroken,
    /// The API server refuses what Comity has to write.
    Refused,
    /// People are asked, and have yet to agree.
    ConsentPending,
    /// People refused, or nobody answered in time.
    ConsentRefused,
    /// Enough people agree.
    ConsentGiven,
    /// Nobody has to agree.
    ConsentNotNeeded,
    /// It has yet to be rehearsed.
    RehearsalPending,
    /// A rehearsal came out otherwise than it had to.
    RehearsalFailed,
    /// Not all of it can be rehearsed here, and the contract asks for all of it.
    RehearsalIncomplete,
    /// A rehearsal came out as it had to.
    Rehearsed,
    /// Access is closed until somebody releases it.
    Quarantined,
    /// There is nothing to do.
    Settled,
    /// A decision is in the journal, and took effect.
    Taken,
    /// A decision is about a grant that isn't there, or isn't there any more.
    UnknownGrant,
    /// A decision is about a digest that isn't today's, or it came too late to count.
    OutOfDate,
    /// Who decided asked for it, or wrote what it depends on.
    OwnRequest,
    /// Who decided has said the same before: one person counts once.
    Repeated,
    /// Who decided has decided so much about the grant lately that this is taken later.
    TooOften,
    /// There is nothing that waits for such a decision.
    NothingToDecide,
    /// Nothing acts on decisions of this kind yet.
    NotSupported,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{self:?}")
    }
}

/// A condition before it has a time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What it speaks of.
    pub condition: ConditionType,
    /// Whether it holds.
    pub holds: bool,
    /// Why, in a word.
    pub reason: Reason,
    /// Why, and what to do about it, for people.
    pub message: String,
}

impl Finding {
    /// A condition that holds.
    pub fn yes(condition: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self { condition, holds: true, reason, message: message.into() }
    }

    /// A condition that doesn't hold.
    pub fn no(condition: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self { condition, holds: false, reason, message: message.into() }
    }
}

/// The conditions that `findings` make, keeping the time of the last change where nothing changed.
pub fn merge(
    old: &[Condition],
    findings: &[Finding],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    findings
        .iter()
        .map(|finding| {
            let status = if finding.holds { "True" } else { "False" };
            let since = old
                .iter()
                .find(|condition| condition.type_ == finding.condition.as_str() && condition.status == status)
                .map_or_else(|| Time(whole_seconds(now)), |condition| condition.last_transition_time.clone());
            Condition {
                type_: finding.condition.as_str().to_owned(),
                status: status.to_owned(),
                reason: finding.reason.to_string(),
                message: cut(&finding.message, 4096),
                last_transition_time: since,
                observed_generation: generation,
            }
        })
        .collect()
}

/// `moment` without its fraction of a second, as the API stores times.
pub fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// The first `limit` bytes of `text`, cut between characters.
pub fn cut(text: &str, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
