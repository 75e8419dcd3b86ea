//! A grant as `comity status` and `comity explain` tell of it: for people by [`super::tree`] and
//! [`super::why`], for programs as it is here.

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::picture::{Picture, Seen};
use super::review::Review;
use crate::api::condition::{ConditionType, Reason};
use crate::api::enforcement::EnforcedClause;
use crate::api::grant::{OpeningState, OpeningStatus};
use crate::api::record::RecordReason;
use crate::api::stage::Stage;
use crate::journal::consent::Approved;
use crate::journal::{Opening, Recorded};

/// A grant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct GrantView {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) partner: String,
    pub(super) contract: String,
    pub(super) purpose: String,
    /// How far it may come.
    pub(super) wanted: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) justification: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<String>,
    /// The digest of what would be opened next, as Comity says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    /// Whether it is the digest of what was read.
    pub(super) digest_checked: Checked,
    /// How it stands as a whole: the condition `Ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ready: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quarantined: Option<Quarantined>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<Timestamp>,
    pub(super) stages: Vec<StageView>,
    /// Every request that waits for people.
    pub(super) waiting: Vec<WaitingView>,
    pub(super) journal: JournalView,
    /// Who asks.
    pub(super) you: You,
    /// What they may not read, so that it isn't told of here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unread: Vec<&'static str>,
    /// What they may read and can't be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unreadable: Vec<String>,
    /// With `explain`: every condition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) conditions: Vec<Said>,
    /// With `explain`: every clause of the contract, and what holds it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) enforcement: Vec<EnforcedClause>,
}

/// What came of working a digest out anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) enum Checked {
    Same,
    Differs,
    NotAgreed,
    Unread,
}

/// A condition.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    pub(super) condition: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) since: Timestamp,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Quarantined {
    pub(super) by: String,
    pub(super) since: Timestamp,
}

/// A stage, and every opening of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct StageView {
    pub(super) stage: Stage,
    /// Whether the grant reaches to it.
    pub(super) wanted: bool,
    pub(super) openings: Vec<OpeningView>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpeningView {
    pub(super) digest: String,
    pub(super) state: OpeningState,
    pub(super) namespace: String,
    pub(super) opened_at: Timestamp,
    pub(super) expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closed_for: Option<RecordReason>,
    /// Until when somebody has to confirm that it is still wanted; absent where nobody has to before its end, or
    /// where records can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) review: Option<Review>,
}

/// A request that waits for people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WaitingView {
    pub(super) stage: Stage,
    pub(super) since: Timestamp,
    /// What is missing, in Comity's words.
    pub(super) message: String,
    pub(super) approvals: Vec<ApprovalView>,
    /// How many people are missing; absent where it can't be worked out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) people_missing: Option<usize>,
    /// Of them from these groups.
    pub(super) groups_missing: Vec<GroupMissing>,
    /// Whether a person has to take responsibility for what automation asks for.
    pub(super) sponsor_missing: bool,
    /// Why who asks may not agree to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) you_may_not: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupMissing {
    pub(super) group: String,
    pub(super) at_least: usize,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApprovalView {
    pub(super) by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    /// The new end, where it is an extension that they agree to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new_end: Option<Timestamp>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct JournalView {
    /// How many records there are; absent where they can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<i64>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) broken: Option<String>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(super) struct You {
    pub(super) name: String,
    pub(super) groups: Vec<String>,
    /// With `explain`: what they may decide about the grant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) may: Vec<&'static str>,
}

impl GrantView {
    /// What `status` tells.
    pub(in crate::cli) fn of(picture: &Picture<'_>) -> Self {
        let (grant, identity) = (&picture.reading.grant, &picture.reading.identity);
        let journal = picture.sound_journal();
        let quarantined = journal.and_then(|journal| journal.consents.quarantined.clone());
        Self {
            namespace: grant.namespace().unwrap_or_default(),
            name: grant.name_any(),
            uid: grant.uid().unwrap_or_default(),
            partner: grant.spec.partner_ref.name.0.clone(),
            contract: grant.spec.contract_ref.name.0.clone(),
            purpose: grant.spec.purpose.0.clone(),
            wanted: grant.spec.stage,
            justification: grant.spec.justification.as_ref().map(|text| text.0.clone()),
            ticket: grant.spec.ticket.as_ref().map(|text| text.0.clone()),
            digest: picture.digest().map(str::to_owned),
            digest_checked: checked(picture),
            ready: said(picture).into_iter().find(|said| said.condition == "Ready"),
            quarantined: quarantined.map(|(by, since)| Quarantined { by, since }),
            ended_at: journal.and_then(|journal| journal.ended).map(|ending| ending.at),
            stages: picture.offered().into_iter().map(|stage| stage_view(picture, stage)).collect(),
            waiting: picture
                .waiting()
                .into_iter()
                .map(|(stage, since)| waiting(picture, stage, since))
                .collect(),
            journal: journal_view(picture),
            you: You { name: identity.name.clone(), groups: identity.groups.clone(), may: Vec::new() },
            unread: picture.reading.unread.clone(),
            unreadable: picture.reading.unreadable.clone(),
            conditions: Vec::new(),
            enforcement: Vec::new(),
        }
    }

    /// What `explain` tells beside that; `may` is what who asks may decide.
    pub(in crate::cli) fn explained(picture: &Picture<'_>, may: Vec<&'static str>) -> Self {
        let mut view = Self::of(picture);
        view.you.may = may;
        view.conditions = said(picture);
        view.enforcement.clone_from(&picture.status.enforcement);
        view
    }
}

impl GrantView {
    /// The stages for which who asks is waited for: their groups are asked for, nothing bars them, and they
    /// haven't agreed yet.
    pub(in crate::cli) fn waits_for_caller(&self) -> Vec<Stage> {
        let agreed =
            |waiting: &WaitingView| waiting.approvals.iter().any(|approval| approval.by == self.you.name);
        let counts = |waiting: &WaitingView| {
            let asked: usize = waiting.groups_missing.iter().map(|missing| missing.at_least).sum();
            let anybody = waiting.people_missing.is_none_or(|people| people > asked);
            let theirs = |missing: &GroupMissing| self.you.groups.contains(&missing.group);
            anybody || waiting.groups_missing.iter().any(theirs)
        };
        let asked =
            self.waiting.iter().filter(|waiting| waiting.you_may_not.is_none() && !waiting.sponsor_missing);
        asked.filter(|waiting| !agreed(waiting) && counts(waiting)).map(|waiting| waiting.stage).collect()
    }

    /// The reviews that lapse within a week.
    pub(super) fn reviews(&self) -> impl Iterator<Item = &Review> {
        let openings = self.stages.iter().flat_map(|stage| &stage.openings);
        openings.filter_map(|opening| opening.review.as_ref()).filter(|review| review.is_soon)
    }

    /// When the first of them lapses that nothing keeps who asks from answering, if they may attest at all.
    pub(in crate::cli) fn to_be_confirmed(&self) -> Option<Timestamp> {
        let theirs = self.reviews().filter(|review| review.you_may_not.is_none());
        theirs.map(|review| review.lapses_at).min()
    }

    /// The stages for which somebody of a group is waited for.
    pub(in crate::cli) fn waits_for_group(&self, group: &str) -> Vec<Stage> {
        let asks =
            |waiting: &&WaitingView| waiting.groups_missing.iter().any(|missing| missing.group == group);
        self.waiting.iter().filter(asks).map(|waiting| waiting.stage).collect()
    }
}

fn checked(picture: &Picture<'_>) -> Checked {
    match picture.seen() {
        Seen::Same => Checked::Same,
        Seen::Differs(_) => Checked::Differs,
        Seen::NotAgreed(_) => Checked::NotAgreed,
        Seen::Unread => Checked::Unread,
    }
}

fn said(picture: &Picture<'_>) -> Vec<Said> {
    let conditions = picture.status.conditions.iter();
    let told = conditions.map(|condition| Said {
        condition: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: condition.last_transition_time.0,
    });
    told.collect()
}

/// Every opening of a stage: as the journal has it where it can be read, since what it says stands
/// whatever became of the status.
fn stage_view(picture: &Picture<'_>, stage: Stage) -> StageView {
    let journal = picture.sound_journal().map(|journal| {
        let of_stage = journal.openings.iter().filter(|opening| opening.stage == stage);
        of_stage.map(|opening| recorded(picture, opening)).collect()
    });
    let by_status = || {
        let of_stage = picture.status.openings.iter().filter(|opening| opening.stage == stage);
        of_stage.map(told).collect()
    };
    let openings = journal.unwrap_or_else(by_status);
    StageView { stage, wanted: stage <= picture.reading.grant.spec.stage, openings }
}

/// An opening, as Comity says.
fn told(opening: &OpeningStatus) -> OpeningView {
    OpeningView {
        digest: opening.digest.clone(),
        state: opening.state,
        namespace: opening.namespace.0.clone(),
        opened_at: opening.opened_at.0,
        expires_at: opening.expires_at.0,
        closed_for: None,
        review: None,
    }
}

/// An opening, as the journal has it, and in the state that Comity says.
fn recorded(picture: &Picture<'_>, opening: &Opening) -> OpeningView {
    let told = picture.status.openings.iter().find(|told| told.namespace.0 == opening.namespace);
    let by_journal = match opening.state {
        Recorded::Open => OpeningState::Open,
        Recorded::Suspended { .. } => OpeningState::Held,
        Recorded::Closed { .. } => OpeningState::Closed,
    };
    OpeningView {
        digest: opening.digest.clone(),
        state: told.map_or(by_journal, |told| told.state),
        namespace: opening.namespace.clone(),
        opened_at: opening.opened_at,
        expires_at: opening.end,
        closed_for: opening.closed_for(),
        review: Review::of(picture, opening),
    }
}

fn waiting(picture: &Picture<'_>, stage: Stage, since: Timestamp) -> WaitingView {
    let forum = picture.forum();
    let missing = forum.as_ref().map(|forum| forum.opening(stage).err().unwrap_or_default());
    let digest = picture.digest().unwrap_or_default();
    let journal = picture.sound_journal();
    let agreeing =
        journal.into_iter().flat_map(|journal| journal.consents.agreeing(stage, digest, None, picture.now));
    let person = &picture.reading.identity.name;
    let groups = missing.iter().flat_map(|missing| &missing.groups);
    let pending = picture.condition(ConditionType::Approved);
    let pending = pending.filter(|approved| approved.reason == Reason::ConsentPending.to_string());
    WaitingView {
        stage,
        since,
        message: pending.map(|approved| approved.message.clone()).unwrap_or_default(),
        approvals: agreeing.map(approval).collect(),
        people_missing: missing.as_ref().map(|missing| missing.people),
        groups_missing: groups
            .map(|(group, least)| GroupMissing { group: group.clone(), at_least: *least })
            .collect(),
        sponsor_missing: forum.as_ref().is_some_and(|forum| forum.lacks_sponsor(stage)),
        you_may_not: forum.as_ref().and_then(|forum| forum.barred(person, stage)),
    }
}

fn approval(approved: &Approved) -> ApprovalView {
    ApprovalView {
        by: approved.person.clone(),
        group: approved.group.clone(),
        until: approved.until,
        new_end: approved.end,
    }
}

fn journal_view(picture: &Picture<'_>) -> JournalView {
    let broken = match &picture.journal {
        Some(Err(broken)) => Some(broken.to_string()),
        _ => None,
    };
    JournalView { records: picture.sound_journal().map(|journal| journal.next - 1), broken }
}
