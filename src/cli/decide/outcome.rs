//! What came of a decision: from its own status, and from what became of its grant. Pure.

use jiff::Timestamp;

use super::wish::Choice;
use crate::api::condition::{ConditionType, Reason};
use crate::api::decision::DecisionAction;
use crate::api::grant::{OpeningState, OpeningStatus, PartnerGrantStatus};
use crate::api::{GrantDecision, PartnerGrant};
use crate::cli::moment::Watch;

/// What Comity made of a decision.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    /// It is in the journal.
    Taken {
        /// The number of the record.
        record: Option<i64>,
    },
    /// It changes nothing.
    Unheard {
        /// Why, in a word.
        reason: String,
        /// Why, for people.
        message: String,
    },
}

/// What Comity says of a decision; `None`: nothing yet.
pub(super) fn heard(decision: &GrantDecision) -> Option<Heard> {
    let status = decision.status.as_ref()?;
    let taken = status.conditions.iter().find(|said| said.type_ == ConditionType::Taken.as_str())?;
    match taken.status.as_str() {
        "True" => Some(Heard::Taken { record: status.record }),
        _ if [Reason::ConsentPending, Reason::TooOften]
            .map(|later| later.to_string())
            .contains(&taken.reason) =>
        {
            None
        }
        _ => Some(Heard::Unheard { reason: taken.reason.clone(), message: taken.message.clone() }),
    }
}

/// What is waited for, in words.
pub(super) fn awaited(choice: &Choice) -> String {
    use DecisionAction::{Approve, Expire, Extend, Quarantine, Release, Shorten};
    let stage = choice.stage.map_or_else(|| "everything".to_owned(), |stage| stage.to_string());
    match choice.action {
        Approve => format!("{stage} to open"),
        Extend | Shorten => format!("{stage} to have its new end"),
        Expire => format!("{stage} to be closed"),
        Quarantine => "access to be closed".to_owned(),
        Release => "access to be given again".to_owned(),
        _ => "the grant to say so".to_owned(),
    }
}

/// What became of the grant once a decision was taken, in words; `None`: it hasn't taken effect yet.
pub(super) fn effect(choice: &Choice, grant: &PartnerGrant, watch: &Watch) -> Option<String> {
    use DecisionAction::{Approve, Expire, Extend, Quarantine, Release, Shorten};
    let status = grant.status.as_ref()?;
    match choice.action {
        Approve => opened(choice, status, watch),
        Extend => moved(choice, status, watch, |end, wanted| end >= wanted),
        Shorten => moved(choice, status, watch, |end, wanted| end <= wanted),
        Expire => {
            let left = meant(choice, status).any(is_open);
            (!left).then(|| "access is closed; what was made for it is being cleared".to_owned())
        }
        Quarantine => {
            let message = said(status, Reason::Quarantined)?;
            let left = status.openings.iter().any(|opening| opening.state == OpeningState::Open);
            (!left).then_some(message)
        }
        Release => {
            let (reason, message) = ready(status)?;
            let settled = is(status, ConditionType::Active) || !is(status, ConditionType::Reconciling);
            (settled && reason != Reason::Quarantined.to_string()).then_some(message)
        }
        _ => Some(String::new()),
    }
}

/// The stage is open, or waits for nobody.
fn opened(choice: &Choice, status: &PartnerGrantStatus, watch: &Watch) -> Option<String> {
    let open = meant(choice, status).find(|opening| opening.state == OpeningState::Open);
    if let Some(open) = open {
        return Some(format!(
            "{} is open until {}, in {}",
            open.stage,
            watch.tell(open.expires_at.0),
            open.namespace
        ));
    }
    [Reason::WaitingForTime, Reason::NotYet, Reason::Interrupted, Reason::ConsentRefused]
        .into_iter()
        .find_map(|reason| said(status, reason))
}

/// The stage has its new end.
fn moved(
    choice: &Choice,
    status: &PartnerGrantStatus,
    watch: &Watch,
    is_there: impl Fn(Timestamp, Timestamp) -> bool,
) -> Option<String> {
    let wanted = choice.end?;
    let mut openings =
        meant(choice, status).filter(|opening| opening.state != OpeningState::Closed).peekable();
    let Some(first) = openings.peek() else {
        return Some("it is over".to_owned());
    };
    let told = format!("{} ends {}", first.stage, watch.tell(first.expires_at.0));
    openings.all(|opening| is_there(opening.expires_at.0, wanted)).then_some(told)
}

/// The openings that a decision is about.
fn meant<'a>(choice: &'a Choice, status: &'a PartnerGrantStatus) -> impl Iterator<Item = &'a OpeningStatus> {
    status.openings.iter().filter(|opening| {
        choice.stage.is_none_or(|stage| stage == opening.stage)
            && choice.digest.as_ref().is_none_or(|digest| *digest == opening.digest)
    })
}

fn is_open(opening: &OpeningStatus) -> bool {
    matches!(opening.state, OpeningState::Opening | OpeningState::Open | OpeningState::Held)
}

/// The reason and message of `Ready`.
fn ready(status: &PartnerGrantStatus) -> Option<(String, String)> {
    let ready = status.conditions.iter().find(|said| said.type_ == ConditionType::Ready.as_str())?;
    Some((ready.reason.clone(), ready.message.clone()))
}

/// Whether a condition holds.
fn is(status: &PartnerGrantStatus, condition: ConditionType) -> bool {
    status.conditions.iter().any(|said| said.type_ == condition.as_str() && said.status == "True")
}

/// The message of `Ready`, if it is for this reason.
fn said(status: &PartnerGrantStatus, reason: Reason) -> Option<String> {
    ready(status).filter(|(said, _)| *said == reason.to_string()).map(|(_, message)| message)
}
