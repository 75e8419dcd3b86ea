//! The decision that would be written, and what Comity would make of it: looked at by the very code that
//! Comity looks at it by, before anybody is asked. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::wish::Choice;
use crate::api::condition::{Reason, whole_seconds};
use crate::api::decision::{DecisionAction, GrantDecisionSpec};
use crate::api::record::GrantIdentity;
use crate::api::value::Text;
use crate::api::{GrantDecision, name};
use crate::cli::grant::Picture;
use crate::grant::hear::{Hearing, Unheard};
use crate::journal::append::{Entry, next_record};
use crate::journal::forum::Forum;
use crate::policy::consent::Missing;

/// The longest part of a grant's name in that of a decision.
const LONGEST_STEM: usize = 40;

/// The decision, to be written.
///
/// It carries who decides, as the API server calls them. Where admission stamps decisions that changes
/// nothing: what stands there is overwritten by the same. Where it can't, it compares, and would refuse
/// a decision without it.
pub(super) fn decision(picture: &Picture<'_>, choice: &Choice, reason: Text) -> GrantDecision {
    let grant = &picture.reading.grant;
    let grant_ref = GrantIdentity {
        name: grant.name_any().as_str().into(),
        uid: grant.uid().unwrap_or_default().as_str().into(),
    };
    let spec = GrantDecisionSpec {
        grant_ref,
        action: choice.action,
        stage: choice.stage,
        digest: choice.digest.as_deref().map(Into::into),
        on_behalf_of: choice.group.as_deref().map(Into::into),
        expires_at: choice.end.map(Time),
        enrolment: choice.enrolment.clone(),
        reason,
    };
    let mut decision = GrantDecision::new("", spec);
    let stem: String = grant.name_any().chars().take(LONGEST_STEM).collect();
    decision.metadata.name = None;
    decision.metadata.generate_name =
        Some(format!("{}-{}-", stem.trim_end_matches('-'), choice.action.verb()));
    decision.metadata.namespace = grant.namespace();
    let who = &picture.reading.identity.name;
    if !who.is_empty() {
        decision.annotations_mut().insert(name::ANNOTATION_DECIDED_BY.to_owned(), who.clone());
    }
    decision
}

/// The line that Comity would write, or why it would write none. `None`: what it goes by may not be read, or
/// it stands without a line.
pub(super) fn foresee(picture: &Picture<'_>, decision: &GrantDecision) -> Option<Result<Entry, Unheard>> {
    use DecisionAction::{Enrol, Expire, Quarantine, Release, Shorten};
    let journal = picture.sound_journal()?;
    let by_journal = matches!(decision.spec.action, Enrol | Expire | Quarantine | Release | Shorten);
    let nothing = Err(Vec::new());
    let agreement = match &picture.agreement {
        Some(agreement) => agreement,
        None if by_journal => &nothing,
        None => return None,
    };
    let mut made = decision.clone();
    made.metadata.creation_timestamp = Some(Time(picture.now));
    made.metadata.uid = Some("to-be-made".to_owned());
    made.metadata.name = Some("to-be-made".to_owned());
    // What is decided now comes after everything else that was.
    let quarantined_again = None;
    let Picture { made_again, now, .. } = *picture;
    let hearing = Hearing { journal, agreement, made_again, quarantined_again, now };
    if made.spec.action == Enrol {
        // It adds no line.
        return hearing.enrolment(&made).err().map(Err);
    }
    Some(hearing.hear(&made))
}

/// Whether why a decision changes nothing is that what it asks for is so already.
pub(super) fn is_needless(picture: &Picture<'_>, choice: &Choice, reason: &str) -> bool {
    use DecisionAction::{Approve, Attest, Deny, Expire, Extend, Quarantine, Release, Shorten, Sponsor};
    let is = |known: Reason| reason == known.to_string();
    let denied = choice.stage.zip(choice.digest.clone()).is_some_and(|request| {
        picture.sound_journal().is_some_and(|journal| journal.consents.denied.contains(&request))
    });
    let offered = choice.stage.is_some_and(|stage| picture.offered().contains(&stage));
    match choice.action {
        Approve => !denied && offered && (is(Reason::Repeated) || is(Reason::NothingToDecide)),
        Extend => !denied && is(Reason::Repeated),
        Deny | Quarantine | Sponsor | Attest => is(Reason::Repeated),
        Release | Shorten => is(Reason::NothingToDecide),
        Expire => is(Reason::NothingToDecide) || is(Reason::Ended),
        _ => false,
    }
}

/// What becomes of a decision once it is taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum After {
    /// It takes effect.
    Effect,
    /// It waits for more people.
    Waits(Missing),
    /// That can't be told before.
    Unknown,
}

/// What becomes of a decision once it is taken; `entry` is the line that it will add to the journal.
pub(super) fn after(picture: &Picture<'_>, choice: &Choice, entry: Option<&Entry>) -> After {
    if !matches!(choice.action, DecisionAction::Approve | DecisionAction::Extend) {
        return After::Effect;
    }
    entry.and_then(|entry| agreed(picture, choice, entry)).unwrap_or(After::Unknown)
}

/// What becomes of an agreement once it is in the journal; `None`: that can't be told.
fn agreed(picture: &Picture<'_>, choice: &Choice, entry: &Entry) -> Option<After> {
    let (forum, stage) = (picture.forum()?, choice.stage?);
    let mut journal = forum.journal.clone();
    let grant = GrantIdentity { name: "x".into(), uid: "x".into() };
    let record = next_record(&journal, entry, &grant, None, whole_seconds(picture.now));
    journal.take(&record).ok()?;
    let then = Forum { journal: &journal, ..forum };
    let missing = match choice.end {
        None if then.lacks_sponsor(stage) => return None,
        None => then.opening(stage),
        Some(end) => then.extension(stage, end),
    };
    Some(missing.map_or_else(After::Waits, |()| After::Effect))
}
