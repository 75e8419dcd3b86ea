//! Whether a pod gets the certificate that its node asks for: an ordered list of named checks, each
//! with a refusal that a person understands; the first that finds something decides.
//!
//! What is asked is attacker-controlled; what stands was read from the API server. A refusal is final
//! for its pod, and makes its node drop the certificate that still works: so a pod that has one is
//! never refused for what stands, but left waiting, and what it has ends by itself.

pub mod outside;

use jiff::{SignedDuration, Timestamp};

use super::lifetime::{Lifetime, SHORTEST_OF_POD, SHORTEST_TTL_OF_POD};
use super::requested::{KeyRefusal, RequestedKey};

/// How soon something is looked at again that waits for people, or for the clock.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// How much of a name that somebody else chose is quoted.
const QUOTED: usize = 80;

/// An object, by its name and which one of that name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// What is asked for a pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// The key that its node made.
    pub key: Result<RequestedKey, KeyRefusal>,
    /// The keys of the annotations that whoever made the pod wrote.
    pub annotations: Vec<String>,
    /// The pod.
    pub pod: Named,
    /// The ServiceAccount that it runs as.
    pub account: Named,
    /// The node that asks.
    pub node: String,
    /// For how long a certificate is asked for at most.
    pub longest: SignedDuration,
}

/// How the stage stands in whose namespace the pod is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// It can be used.
    Open,
    /// Nobody can use it for the time being.
    Held,
    /// It is closed, or its time is over.
    Over,
}

/// The stage in whose namespace the pod is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stage {
    /// How it stands.
    pub phase: Phase,
    /// Why the journal isn't believed by which it is open.
    pub doubt: Option<String>,
    /// Whether the contract lets nodes make keys.
    pub delivers: bool,
    /// Whether it lets workloads on the partner's side enrol, with keys of their own.
    pub enrols: bool,
    /// Of which ServiceAccount its workloads are, each.
    pub accounts: Vec<String>,
    /// How long a credential may live.
    pub ttl: SignedDuration,
    /// The recorded end.
    pub end: Timestamp,
}

/// A pod as it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pod {
    /// Which one of its name.
    pub uid: String,
    /// The ServiceAccount that it runs as.
    pub account: String,
    /// The node that it runs on; empty: none yet.
    pub node: String,
    /// Whether it has started, which it can't without its certificate.
    pub has_started: bool,
    /// Whether it has ended, or is being deleted.
    pub is_over: bool,
}

/// What stands, read at this moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The stage; `None`: the namespace isn't a stage's.
    pub stage: Option<Stage>,
    /// The pod; `None`: there is none of that name.
    pub pod: Option<Pod>,
    /// The UID of the ServiceAccount; `None`: there is none of that name.
    pub account: Option<String>,
}

/// What to do about a wish.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Certify this key for so long.
    Issue {
        /// The key.
        key: RequestedKey,
        /// For how long.
        lifetime: Lifetime,
        /// Why.
        why: Why,
    },
    /// Refuse, which is final for the pod.
    Deny(Denial),
    /// Say nothing, and look again at this moment at the latest.
    Wait(Delay, Timestamp),
}

/// Why a certificate is issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// The pod has none yet.
    First,
    /// The one that it has will end.
    Refresh,
}

impl Why {
    /// One word, for logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "First",
            Self::Refresh => "Refresh",
        }
    }
}

/// Why a pod gets no certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denial {
    /// A key that isn't certified.
    #[error("{0}")]
    Key(#[from] KeyRefusal),
    /// Something that only the pod's maker vouches for.
    #[error(
        "the pod gives the annotation {0}: comity.dev/workload knows none, since identities follow from the grant \
         and from nothing that a pod says"
    )]
    Annotation(String),
    /// Nothing that Comity answers for.
    #[error(
        "the pod isn't in the namespace of a stage: comity.dev/workload certifies the workloads of grants, and \
         nobody else"
    )]
    NoStage,
    /// The stage can't be used, and won't be.
    #[error("the stage is closed, or its time is over")]
    Over,
    /// The contract doesn't allow it.
    #[error(
        "the contract doesn't let nodes make keys: PodCertificate isn't in security.keyDelivery of what was agreed"
    )]
    NotDelivered,
    /// The account is nobody's workload.
    #[error("ServiceAccount {0} isn't that of a workload of the grant ({1})")]
    NoWorkload(String, String),
    /// There is another pod of that name, or none.
    #[error("there is no pod {0} of the UID that was asked for")]
    OtherPod(String),
    /// Another node asks than the one that has the pod.
    #[error("the pod doesn't run on node {0}: only the node that a pod runs on gets its certificate")]
    OtherNode(String),
    /// The pod needs none any more.
    #[error("the pod has ended, or is being deleted: it gets no certificate any more")]
    PodOver,
    /// The pod runs as somebody else.
    #[error("the pod doesn't run as ServiceAccount {0}")]
    OtherAccount(String),
    /// There is another account of that name, or none.
    #[error(
        "there is no ServiceAccount {0} of the UID that was asked for: one that was made again is another identity"
    )]
    NewAccount(String),
    /// A certificate would be renewed too seldom or not at all.
    #[error(
        "credentials may live for {} here: a pod's certificate lives for an hour less, and the API server takes \
         none that lives for less than an hour, so security.credentialTTL must be {} or more",
        hours(*.0), hours(SHORTEST_TTL_OF_POD)
    )]
    ShortTtl(SignedDuration),
    /// Too little time is left.
    #[error(
        "the stage ends at {0}, which is in less than an hour, and the API server takes no certificate that lives \
         for less than an hour"
    )]
    NearTheEnd(Timestamp),
}

impl Denial {
    /// One word, as a condition's reason. Those that Kubernetes knows are its own.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Key(_) => "UnsupportedKeyType",
            Self::Annotation(_) => "InvalidUnverifiedUserAnnotations",
            Self::NoStage => "NotInAStage",
            Self::Over => "StageOver",
            Self::NotDelivered => "KeyDeliveryNotAllowed",
            Self::NoWorkload(..) => "NotAWorkload",
            Self::OtherPod(_) => "NotThisPod",
            Self::OtherNode(_) => "NotThisNode",
            Self::PodOver => "PodOver",
            Self::OtherAccount(_) | Self::NewAccount(_) => "NotThisServiceAccount",
            Self::ShortTtl(_) => "CredentialTTLTooShort",
            Self::NearTheEnd(_) => "TooCloseToTheEnd",
        }
    }
}

/// Why nothing is said for now.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Delay {
    /// Access is closed for the time being.
    #[error("access is held for the time being")]
    Held,
    /// The journal isn't believed.
    #[error("{0}")]
    Doubted(String),
    /// The pod has a certificate, which a refusal would take away.
    #[error("not renewed, what the pod has ends by itself: {0}")]
    Keeps(Denial),
    /// So many are asked for this pod.
    #[error("too many requests for one pod")]
    Pace,
    /// The caches don't know of it yet.
    #[error("not known yet")]
    Unknown,
    /// The authority can't sign.
    #[error("the authority can't sign: {0}")]
    Authority(String),
}

/// What a check goes by.
struct Case<'a> {
    wish: &'a Wish,
    stage: &'a Stage,
    standing: &'a Standing,
    now: Timestamp,
}

/// Checks of what is asked alone.
const OF_THE_WISH: [fn(&Wish) -> Option<Denial>; 2] = [key, annotations];

/// Checks against what stands, in the order in which [`Denial`] lists them.
const OF_WHAT_STANDS: [fn(&Case<'_>) -> Option<Denial>; 9] =
    [over, delivery, workload, node, pod_over, account, account_uid, ttl, end];

/// What can be said without reading anything anew, of a stage as the watches last told; `None`: read.
///
/// What is refused here is so for what the wish says itself, which never changes.
pub fn glance(wish: &Wish, stage: Option<&Stage>, now: Timestamp) -> Option<Decision> {
    let denial = OF_THE_WISH.iter().find_map(|check| check(wish));
    denial.map(Decision::Deny).or_else(|| held(stage?, now))
}

/// Decides about a wish, of what stands at this moment.
pub fn decide(wish: &Wish, standing: &Standing, now: Timestamp) -> Decision {
    if let Some(decision) = glance(wish, standing.stage.as_ref(), now) {
        return decision;
    }
    let pod = standing.pod.as_ref().filter(|pod| pod.uid == wish.pod.uid);
    let Some(stage) = &standing.stage else {
        // A namespace that lost its label gets it back: until then, what a pod has goes on.
        let keeps = || Decision::Wait(Delay::Keeps(Denial::NoStage), later(now));
        return pod.filter(|pod| pod.has_started).map_or(Decision::Deny(Denial::NoStage), |_| keeps());
    };
    let Some(pod) = pod else { return Decision::Deny(Denial::OtherPod(quoted(&wish.pod.name))) };
    let case = Case { wish, stage, standing, now };
    match OF_WHAT_STANDS.iter().find_map(|check| check(&case)) {
        Some(denial) if pod.has_started => Decision::Wait(Delay::Keeps(denial), later(now)),
        Some(denial) => Decision::Deny(denial),
        None => issue(&case, pod),
    }
}

fn issue(case: &Case<'_>, pod: &Pod) -> Decision {
    let Case { wish, stage, now, .. } = *case;
    let lifetime = Lifetime::of_pod(now, stage.ttl, stage.end, wish.longest);
    match (&wish.key, lifetime) {
        (Ok(key), Some(lifetime)) => {
            let why = if pod.has_started { Why::Refresh } else { Why::First };
            Decision::Issue { key: key.clone(), lifetime, why }
        }
        (Err(refusal), _) => Decision::Deny(Denial::Key(refusal.clone())),
        (_, None) if pod.has_started => {
            Decision::Wait(Delay::Keeps(Denial::NearTheEnd(stage.end)), later(now))
        }
        (_, None) => Decision::Deny(Denial::NearTheEnd(stage.end)),
    }
}

fn held(stage: &Stage, now: Timestamp) -> Option<Decision> {
    let delay = match (&stage.doubt, stage.phase) {
        (_, Phase::Held) => Delay::Held,
        (Some(doubt), Phase::Open) => Delay::Doubted(doubt.clone()),
        _ => return None,
    };
    Some(Decision::Wait(delay, later(now)))
}

fn key(wish: &Wish) -> Option<Denial> {
    wish.key.as_ref().err().cloned().map(Denial::Key)
}

fn annotations(wish: &Wish) -> Option<Denial> {
    wish.annotations.first().map(|name| Denial::Annotation(quoted(name)))
}

fn over(case: &Case<'_>) -> Option<Denial> {
    let is_over = case.stage.phase == Phase::Over || case.stage.end <= case.now;
    is_over.then_some(Denial::Over)
}

fn delivery(case: &Case<'_>) -> Option<Denial> {
    (!case.stage.delivers).then_some(Denial::NotDelivered)
}

fn workload(case: &Case<'_>) -> Option<Denial> {
    let accounts = &case.stage.accounts;
    let account = &case.wish.account.name;
    (!accounts.contains(account)).then(|| Denial::NoWorkload(quoted(account), accounts.join(", ")))
}

/// The API server holds a node to its own pods only where it is told to (`NodeRestriction`).
fn node(case: &Case<'_>) -> Option<Denial> {
    let (pod, node) = (case.standing.pod.as_ref()?, &case.wish.node);
    (node.is_empty() || pod.node != *node).then(|| Denial::OtherNode(quoted(node)))
}

fn pod_over(case: &Case<'_>) -> Option<Denial> {
    case.standing.pod.as_ref()?.is_over.then_some(Denial::PodOver)
}

fn account(case: &Case<'_>) -> Option<Denial> {
    let pod = case.standing.pod.as_ref()?;
    let account = &case.wish.account.name;
    (pod.account != *account).then(|| Denial::OtherAccount(quoted(account)))
}

fn account_uid(case: &Case<'_>) -> Option<Denial> {
    let account = &case.wish.account;
    let is_same = case.standing.account.as_ref() == Some(&account.uid);
    (!is_same).then(|| Denial::NewAccount(quoted(&account.name)))
}

fn ttl(case: &Case<'_>) -> Option<Denial> {
    (case.stage.ttl < SHORTEST_TTL_OF_POD).then_some(Denial::ShortTtl(case.stage.ttl))
}

fn end(case: &Case<'_>) -> Option<Denial> {
    let left = case.stage.end.duration_since(case.now);
    (left < SHORTEST_OF_POD).then_some(Denial::NearTheEnd(case.stage.end))
}

/// When to look again at what waits for people, or for the clock.
pub fn later(now: Timestamp) -> Timestamp {
    now.checked_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX)
}

/// A name that somebody else chose, cut to a readable length, in printable characters.
fn quoted(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(QUOTED).collect()
}

fn hours(length: SignedDuration) -> String {
    let minutes = length.as_mins();
    if minutes % 60 == 0 { format!("{}h", minutes / 60) } else { format!("{minutes}m") }
}

#[cfg(test)]
mod tests;
