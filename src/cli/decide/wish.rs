//! From what somebody asks for to exactly what is to be decided: about which stage, with which digest,
//! until when, and for which group. What can't be told for sure is asked back. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use crate::api::condition::{ConditionType, whole_seconds};
use crate::api::decision::{DecisionAction, Enrolment};
use crate::api::stage::Stage;
use crate::cli::grant::{Picture, Seen};
use crate::cli::person::{MISUSED, REFUSED, Stop, UNCHANGED};
use crate::cli::value;
use crate::policy::consent::ConsentRule;

/// What somebody asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) struct Wish {
    pub(in crate::cli) action: DecisionAction,
    pub(in crate::cli) stage: Option<Stage>,
    pub(in crate::cli) end: Option<EndWish>,
    pub(in crate::cli) group: Option<String>,
    pub(in crate::cli) digest: Option<String>,
    pub(in crate::cli) enrolment: Option<Enrolling>,
}

/// Who is to enrol.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) struct Enrolling {
    /// The workload.
    pub(in crate::cli) workload: String,
    /// The SHA-256 of the token.
    pub(in crate::cli) token_digest: String,
    /// For how long the token may be used.
    pub(in crate::cli) within: SignedDuration,
}

impl Enrolling {
    /// As a decision says it that is made now.
    pub(super) fn said(&self, now: Timestamp) -> Enrolment {
        let until = now.checked_add(self.within).unwrap_or(now);
        Enrolment {
            workload: self.workload.as_str().into(),
            token_digest: self.token_digest.as_str().into(),
            expires_at: Time(whole_seconds(until)),
        }
    }
}

/// When something is to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli) enum EndWish {
    /// At this moment.
    At(Timestamp),
    /// So much later, or earlier, than it ends now.
    By(SignedDuration),
    /// So long from now on.
    In(SignedDuration),
}

/// Exactly what is to be decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Choice {
    pub(super) action: DecisionAction,
    pub(super) stage: Option<Stage>,
    pub(super) digest: Option<String>,
    pub(super) end: Option<Timestamp>,
    pub(super) group: Option<String>,
    pub(super) enrolment: Option<Enrolment>,
}

/// What is said of what nobody decides at a command line.
const NO_COMMAND: &str = "there is no command for this kind of decision";

/// Works out what is to be decided.
pub(super) fn choose(picture: &Picture<'_>, wish: &Wish) -> Result<Choice, Stop> {
    use DecisionAction::{
        Approve, Attest, Deny, Enrol, Expire, Extend, Quarantine, Rehearse, Release, Shorten, Sponsor,
    };
    is_alive(picture, wish.action)?;
    let mut choice = Choice {
        action: wish.action,
        stage: wish.stage,
        digest: None,
        end: None,
        group: wish.group.clone(),
        enrolment: wish.enrolment.as_ref().map(|enrolling| enrolling.said(picture.now)),
    };
    match wish.action {
        Approve | Deny => {
            choice.digest = Some(todays(picture, wish)?);
            choice.stage = Some(wish.stage.map_or_else(|| the_waiting(picture), Ok)?);
        }
        Extend => {
            choice.digest = Some(todays(picture, wish)?);
            choice.stage = Some(the_open(picture, wish)?);
        }
        Shorten => choice.stage = Some(the_open(picture, wish)?),
        Sponsor | Rehearse => choice.digest = Some(todays(picture, wish)?),
        Enrol => {
            let stage = the_open(picture, wish)?;
            (choice.stage, choice.digest) = (Some(stage), Some(the_newest(picture, stage)?));
        }
        Expire if picture.live().is_empty() && wish.stage.is_some() => {
            return Err(Stop::new(UNCHANGED, "nothing of that stage is open"));
        }
        Expire | Quarantine | Release | Attest => {}
        DecisionAction::Countersign => return Err(Stop::new(MISUSED, NO_COMMAND)),
    }
    choice.end = wish.end.map(|end| moved(picture, &choice, end)).transpose()?;
    if let (Approve | Extend, Some(stage), None) = (wish.action, choice.stage, &choice.group) {
        choice.group = Some(the_group(picture, stage)?);
    }
    Ok(choice)
}

/// Nothing is decided about what has ended, or by a journal that can't be trusted.
fn is_alive(picture: &Picture<'_>, action: DecisionAction) -> Result<(), Stop> {
    if let Some(Err(broken)) = &picture.journal {
        let message =
            format!("the journal of the grant can't be trusted, so nothing is decided by it: {broken}");
        return Err(Stop::new(REFUSED, message));
    }
    let Some(ending) = picture.sound_journal().and_then(|journal| journal.ended) else { return Ok(()) };
    let code = if action == DecisionAction::Expire { UNCHANGED } else { REFUSED };
    let message = format!("the grant ended at {}, and what has ended stays so: make a new grant", ending.at);
    Err(Stop::new(code, message))
}

/// The digest of what would be opened next: as Comity says, and as it is worked out from what was read.
fn todays(picture: &Picture<'_>, wish: &Wish) -> Result<String, Stop> {
    let accepted = picture.condition(ConditionType::Accepted);
    if let Some(refused) = accepted.filter(|accepted| accepted.status == "False") {
        let message =
            format!("the grant isn't accepted, so there is nothing to agree to: {}", refused.message);
        return Err(Stop::new(REFUSED, message));
    }
    let Some(today) = picture.digest() else {
        return Err(Stop::new(REFUSED, "Comity hasn't said yet what would be opened: see comity status"));
    };
    match picture.seen() {
        Seen::Same | Seen::Unread => {}
        Seen::Differs(worked_out) => {
            let message = format!(
                "Comity says that {today} would be opened, but what stands now is {worked_out}: somebody has just \
                 changed it, so look at it again"
            );
            return Err(Stop::new(REFUSED, message));
        }
        Seen::NotAgreed(why) => {
            return Err(Stop::new(REFUSED, format!("there is nothing to agree to: {why}")));
        }
    }
    match &wish.digest {
        Some(pinned) if pinned != today => {
            let message = format!("what is asked for now is {today}, not {pinned}: look at what has changed");
            Err(Stop::new(REFUSED, message))
        }
        _ => Ok(today.to_owned()),
    }
}

/// The only stage that waits for people.
fn the_waiting(picture: &Picture<'_>) -> Result<Stage, Stop> {
    let waiting: Vec<Stage> = picture.waiting().into_iter().map(|(stage, _)| stage).collect();
    match waiting.as_slice() {
        [only] => Ok(*only),
        [] => {
            let ready = picture.condition(ConditionType::Ready);
            let stands = ready.map_or_else(String::new, |ready| format!(" ({})", ready.message));
            let message =
                format!("no stage waits for people now{stands}: name one to decide about it ahead of time");
            Err(Stop::new(MISUSED, message))
        }
        several => Err(Stop::new(MISUSED, format!("{} wait for people: name one", listed(several)))),
    }
}

/// The stage that is named, or the only one that is open.
fn the_open(picture: &Picture<'_>, wish: &Wish) -> Result<Stage, Stop> {
    let mut open: Vec<Stage> = picture.live().into_iter().map(|live| live.stage).collect();
    open.dedup();
    match (wish.stage, open.as_slice()) {
        (Some(stage), open) if open.contains(&stage) => Ok(stage),
        (None, [only]) => Ok(*only),
        (Some(stage), _) => {
            Err(Stop::new(REFUSED, format!("{stage} isn't open, and what is over has no other end")))
        }
        (None, []) => Err(Stop::new(REFUSED, "nothing is open, and what is over has no other end")),
        (None, several) => Err(Stop::new(MISUSED, format!("{} are open: name one", listed(several)))),
    }
}

/// The digest that a stage was opened with last.
fn the_newest(picture: &Picture<'_>, stage: Stage) -> Result<String, Stop> {
    let live = picture.live().into_iter().rfind(|live| live.stage == stage);
    live.map(|live| live.digest).ok_or_else(|| Stop::new(REFUSED, format!("{stage} isn't open")))
}

/// The new end, as a moment.
fn moved(picture: &Picture<'_>, choice: &Choice, wish: EndWish) -> Result<Timestamp, Stop> {
    let today = |digest: &str| choice.digest.as_ref().is_none_or(|meant| meant == digest);
    let live = picture.live();
    let of_stage = live.iter().filter(|live| Some(live.stage) == choice.stage);
    let now = of_stage.filter(|live| today(&live.digest)).map(|live| live.end).max();
    let end = match (wish, now) {
        (EndWish::At(end), _) => Some(end),
        (EndWish::In(span), _) => picture.now.checked_add(span).ok(),
        (EndWish::By(span), Some(now)) if choice.action == DecisionAction::Shorten => {
            now.checked_sub(span).ok()
        }
        (EndWish::By(span), Some(now)) => now.checked_add(span).ok(),
        (EndWish::By(_), None) => None,
    };
    let end = end.map(whole_seconds);
    end.ok_or_else(|| Stop::new(REFUSED, "nothing is open with today's digest whose end could be moved"))
}

/// The only group of the caller's that is asked for a stage, or their only group. Groups of which
/// somebody is missing go before those of which enough people agree.
fn the_group(picture: &Picture<'_>, stage: Stage) -> Result<String, Stop> {
    let own = &picture.reading.identity.groups;
    let asked = asked_groups(picture, stage);
    let person = |group: &&String| !group.starts_with("system:") && value::name(group).is_ok();
    let any: Vec<String> = own.iter().filter(person).cloned().collect();
    let tiers = [missing_groups(picture, stage), asked.clone(), any];
    let of_them = |tier: &Vec<String>| -> Vec<String> {
        tier.iter().filter(|group| own.contains(group)).cloned().collect()
    };
    let candidates = tiers.iter().map(of_them).find(|candidates| !candidates.is_empty()).unwrap_or_default();
    match candidates.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let asked =
                if asked.is_empty() { String::new() } else { format!("; asked are {}", asked.join(", ")) };
            let message =
                format!("it counts for one of your groups, and you are in none that it could{asked}");
            Err(Stop::new(REFUSED, message))
        }
        several => {
            let message =
                format!("you are in {}: say for which it counts with --on-behalf-of", several.join(", "));
            Err(Stop::new(MISUSED, message))
        }
    }
}

/// The groups of which somebody is missing before a stage opens.
fn missing_groups(picture: &Picture<'_>, stage: Stage) -> Vec<String> {
    let missing = picture.forum().and_then(|forum| forum.opening(stage).err());
    missing.into_iter().flat_map(|missing| missing.groups.into_keys()).collect()
}

/// The groups that are asked for a stage; where that can't be worked out, those that the contract asks.
fn asked_groups(picture: &Picture<'_>, stage: Stage) -> Vec<String> {
    if let Some(forum) = picture.forum() {
        return forum.rule(stage).into_iter().flat_map(|rule| rule.groups.into_keys()).collect();
    }
    let contract = picture.reading.contract.iter().flat_map(|contract| &contract.spec.approvals);
    let rules = contract.filter(|approval| approval.stage == stage).filter_map(ConsentRule::of_approval);
    rules.flat_map(|rule| rule.groups.into_keys()).collect()
}

fn listed(stages: &[Stage]) -> String {
    stages.iter().map(Stage::to_string).collect::<Vec<_>>().join(" and ")
}

/// The grant in a sentence.
pub(super) fn subject(picture: &Picture<'_>) -> String {
    let grant = &picture.reading.grant;
    let (name, namespace) = (grant.name_any(), grant.namespace().unwrap_or_default());
    format!(
        "{name} in {namespace}, for {} under {}",
        grant.spec.partner_ref.name, grant.spec.contract_ref.name
    )
}
