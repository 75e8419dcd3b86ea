//! Variants of the core that are broken on purpose, each in one way: what somebody could have built
//! instead, and others did build. Each has to be caught. They stand at the edge of the core: what it is
//! told, what it says, and what the API server holds it to; the code that ships knows nothing of them.

mod faults;

use std::rc::Rc;

use jiff::SignedDuration;

use super::cluster::{self, Refused, Request};
use super::core::Look;
use super::kept::Journals;
use super::sight::Sight;
use super::state::Id;
use super::story::{HOUR, Stands, at};
use crate::api::decision::DecisionAction;
use crate::api::{GrantDecision, Stage};
use crate::grant::decide::{Decision, Step};
use crate::plan::objects::{Kind, LiveObjects};
use faults::{
    access_before_record, ask_nobody, bound_first, count_anew, delete_at_once, first_end, for_each_policy,
    forget_writer, gate_shut_first, is_open, renew, reopen, take_for_in_force, take_up,
};

/// One way in which it could be broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    // P1 and P2: ends.
    /// The end is counted from when a process looks, as where it is saved late or not at all
    /// (jit-access-controller).
    EndCountedFromNow,
    /// Applying the grant again gives it its whole time again.
    EndRenewedAtApply,
    /// The namespace is made before the record that says until when (jit-access-controller).
    AccessBeforeRecord,
    /// What there is no template for is an error, and an error ends the pass before the end is looked
    /// at (argocd-ephemeral-access).
    ErrorBeforeEnd,
    /// Nobody asks to be woken at the end (argocd-ephemeral-access, kube-jit).
    NoAlarm,
    /// The first end cuts what was extended (TEAM).
    FirstEndCuts,
    /// Something is extended past the contract's end and the stage's ceiling.
    ExtendedPastContract,
    /// One person's word extends.
    ExtendedByOne,
    /// A journal that was lost is begun anew.
    LostJournalBegunAnew,
    /// The clock is believed, though it was set back.
    ClockBelieved,
    // P3: consent.
    /// Nobody is asked (argocd-ephemeral-access without its plugin).
    NobodyAsked,
    /// Approvals of what was asked for before count (Kargo).
    OldDigestCounts,
    /// Whoever asked for the grant may approve (kube-jit, pgroles).
    RequesterCounts,
    /// Whoever wrote the contract may approve.
    AuthorCounts,
    /// One person counts for two groups.
    OnePersonTwice,
    /// Who decides is believed, not stamped (kube-jit).
    TypedNameBelieved,
    /// An approval counts for ever.
    ApprovalNeverOld,
    /// A denial is forgotten once the object is deleted.
    DenialForgotten,
    /// A denial is one voice among others.
    DenialIgnored,
    /// Whoever quarantined may release.
    OwnRelease,
    // P4: change.
    /// A live grant keeps what was agreed to (EDC's snapshot).
    MeetIgnored,
    /// A contract that is gone is as it last was.
    GoneIgnored,
    /// Lowering the stage closes nothing (pgroles' removal of `use`).
    DemotionIgnored,
    /// A wider contract is taken up by what is open.
    WiderTakenUp,
    /// A quarantine is kept in the status alone.
    QuarantineForgotten,
    /// What somebody ended goes on.
    ExpireIgnored,
    /// A review that nobody answered ends nothing.
    ReviewIgnored,
    /// What weakens who is asked is used to open itself.
    WeakenedRuleUsed,
    /// What is wider opens in production at once.
    RehearsalSkipped,
    /// What was taken over from stays open.
    NothingGivesWay,
    // P5: order.
    /// People are bound before the place is closed off.
    BoundFirst,
    /// Pods are let in before the quota is in force.
    GateBeforeQuota,
    /// The gate is shut before the bindings go.
    GateShutFirst,
    /// A namespace is deleted as it stands, so that its default deny may go before its pods.
    PodsLeft,
    // P6.
    /// What has ended opens again (a tool that deletes what it ended, and Git).
    EndedOpensAgain,
    // P7 and the journal: what stopped processes still do.
    /// A late record takes the place of the one that is there.
    RecordOverwritten,
    /// A late request may take the mark of closing away.
    ClosingTakenBack,
    /// What is deleted isn't told from its namesake.
    NamesakeDeleted,
    // P8.
    /// Every process that starts writes once.
    NotQuiet,
}

impl Broken {
    pub const ALL: [Self; 39] = [
        Self::EndCountedFromNow,
        Self::EndRenewedAtApply,
        Self::AccessBeforeRecord,
        Self::ErrorBeforeEnd,
        Self::NoAlarm,
        Self::FirstEndCuts,
        Self::ExtendedPastContract,
        Self::ExtendedByOne,
        Self::LostJournalBegunAnew,
        Self::ClockBelieved,
        Self::NobodyAsked,
        Self::OldDigestCounts,
        Self::RequesterCounts,
        Self::AuthorCounts,
        Self::OnePersonTwice,
        Self::TypedNameBelieved,
        Self::ApprovalNeverOld,
        Self::DenialForgotten,
        Self::DenialIgnored,
        Self::OwnRelease,
        Self::MeetIgnored,
        Self::GoneIgnored,
        Self::DemotionIgnored,
        Self::WiderTakenUp,
        Self::QuarantineForgotten,
        Self::ExpireIgnored,
        Self::ReviewIgnored,
        Self::WeakenedRuleUsed,
        Self::RehearsalSkipped,
        Self::NothingGivesWay,
        Self::BoundFirst,
        Self::GateBeforeQuota,
        Self::GateShutFirst,
        Self::PodsLeft,
        Self::EndedOpensAgain,
        Self::RecordOverwritten,
        Self::ClosingTakenBack,
        Self::NamesakeDeleted,
        Self::NotQuiet,
    ];

    /// Changes what is looked at, of which `first` is what was agreed at first. `false`: nothing is decided at all.
    pub fn look(self, sight: &mut Sight, look: &Look, journals: &Journals, first: &Stands) -> bool {
        self.look_at_records(sight, look, journals);
        self.look_at_people(sight);
        self.look_at_contract(sight, look, first);
        if self == Self::GateBeforeQuota {
            take_for_in_force(Rc::make_mut(&mut sight.live));
            sight.live_id = Id::MAX - sight.live_id;
        }
        match self {
            Self::ErrorBeforeEnd => look.seen.contract.version.is_some(),
            _ => true,
        }
    }

    fn look_at_records(self, sight: &mut Sight, look: &Look, journals: &Journals) {
        let now = sight.now;
        if self == Self::LostJournalBegunAnew {
            sight.journal.clone_from(&journals.get(look.journal).folded);
        }
        let Ok(journal) = Rc::make_mut(&mut sight.journal) else { return };
        let openings = &mut journal.openings;
        match self {
            Self::EndCountedFromNow => openings.iter_mut().for_each(|one| count_anew(one, now)),
            Self::FirstEndCuts => openings.iter_mut().for_each(|one| one.end = first_end(one)),
            Self::ReviewIgnored => {
                let each = |seconds| now.checked_sub(SignedDuration::from_secs(seconds)).ok();
                journal.consents.attested = (0..1000).filter_map(each).collect();
            }
            Self::ExtendedByOne | Self::NobodyAsked | Self::WeakenedRuleUsed => {
                for_each_policy(openings, |policy| policy.approvals.clear());
            }
            Self::QuarantineForgotten if !look.seen.told => journal.consents.quarantined = None,
            Self::DenialForgotten | Self::DenialIgnored => journal.consents.denied.clear(),
            Self::EndedOpensAgain => reopen(journal),
            Self::ApprovalNeverOld => {
                journal.consents.approvals.iter_mut().for_each(|one| one.until = None);
            }
            _ => {}
        }
    }

    fn look_at_people(self, sight: &mut Sight) {
        match self {
            Self::DenialIgnored => {
                Rc::make_mut(&mut sight.decisions).retain(|one| one.spec.action != DecisionAction::Deny);
            }
            Self::ExpireIgnored => {
                Rc::make_mut(&mut sight.decisions).retain(|one| one.spec.action != DecisionAction::Expire);
            }
            _ => {}
        }
        let digest = sight.outlook.digest().map(str::to_owned);
        for decision in Rc::make_mut(&mut sight.decisions) {
            let mut changed = decision.as_ref().clone();
            self.hear(&mut changed, digest.as_deref());
            *decision = changed.into();
        }
    }

    fn hear(self, decision: &mut GrantDecision, digest: Option<&str>) {
        let stamp = decision.metadata.annotations.iter_mut().flatten();
        let stamp = stamp.map(|(_, by)| by).next();
        let (Some(stamp), spec) = (stamp, &mut decision.spec) else { return };
        match self {
            Self::OldDigestCounts if spec.digest.is_some() => spec.digest = digest.map(Into::into),
            Self::OwnRelease if spec.action == DecisionAction::Release => stamp.push_str(" again"),
            Self::OnePersonTwice => {
                if let Some(group) = &spec.on_behalf_of {
                    *stamp = format!("{stamp} of {}", group.0);
                }
            }
            Self::TypedNameBelieved => {
                if let Some(claimed) = spec.reason.0.strip_prefix("I am ") {
                    claimed.clone_into(stamp);
                }
            }
            _ => {}
        }
    }

    fn look_at_contract(self, sight: &mut Sight, look: &Look, first: &Stands) {
        match self {
            Self::MeetIgnored | Self::WiderTakenUp | Self::GoneIgnored => {
                self.keep_agreement(sight, look, first);
            }
            _ => {}
        }
        let Ok(agreement) = &mut Rc::make_mut(&mut sight.outlook).agreement else { return };
        match self {
            Self::RequesterCounts => forget_writer(agreement, "ada"),
            Self::AuthorCounts => forget_writer(agreement, "ben"),
            Self::NobodyAsked => ask_nobody(agreement),
            Self::RehearsalSkipped if first.digest() != Some(agreement.digest.as_str()) => {
                agreement.stages.remove(&Stage::Rehearsal);
                if let Ok(journal) = Rc::make_mut(&mut sight.journal) {
                    journal.rehearsals.pass(&agreement.digest);
                }
            }
            Self::NothingGivesWay => {
                let long = SignedDuration::from_hours(10_000);
                agreement.stages.values_mut().for_each(|terms| terms.overlap = long);
            }
            Self::ExtendedByOne if is_open(sight.journal.as_ref().as_ref().ok()) => ask_nobody(agreement),
            Self::ApprovalNeverOld => {
                agreement.stages.values_mut().for_each(|terms| terms.consent.valid_for = None);
            }
            Self::ExtendedPastContract => {
                agreement.not_after = at(10_000 * HOUR);
                let long = SignedDuration::from_hours(10_000);
                agreement.stages.values_mut().for_each(|terms| terms.ceiling = long);
            }
            _ => {}
        }
    }

    /// What is agreed, where something else than the contract is looked at.
    fn keep_agreement(self, sight: &mut Sight, look: &Look, first: &Stands) {
        let gone = look.seen.contract.version.is_none();
        if gone != (self == Self::GoneIgnored) {
            return;
        }
        let Ok(first) = &first.agreement else { return };
        match (self, &mut Rc::make_mut(&mut sight.outlook).agreement) {
            (Self::WiderTakenUp, Ok(agreement)) => {
                take_up(Rc::make_mut(&mut sight.journal).as_mut().ok(), agreement, first);
            }
            (Self::MeetIgnored, Ok(agreement)) => agreement.clone_from(first),
            (_, agreement) => *agreement = Ok(first.clone()),
        }
    }

    /// Changes what is done.
    pub fn act(self, sight: &Sight, steps: &mut Vec<Step>, decision: &mut Decision) {
        match self {
            Self::NoAlarm => decision.look_again.clear(),
            Self::EndRenewedAtApply => renew(sight, steps),
            Self::AccessBeforeRecord => access_before_record(sight, steps),
            Self::PodsLeft => delete_at_once(sight, steps),
            Self::GateShutFirst => gate_shut_first(sight, steps),
            Self::BoundFirst => bound_first(sight, steps),
            Self::NotQuiet if steps.is_empty() => {
                let object = sight.live.iter().find(|(key, _)| key.kind == Kind::Namespace);
                steps.extend(object.map(|(key, _)| Step::CreateNamespace(key.name.clone())));
            }
            _ => {}
        }
    }

    /// What the API server does, where it doesn't hold a process to what it should.
    pub fn change(
        self,
        live: &LiveObjects,
        request: &Request,
        stale: Option<&LiveObjects>,
    ) -> Result<LiveObjects, Refused> {
        let mut asked = request.clone();
        match (self, &mut asked) {
            (Self::ClosingTakenBack, Request::Apply(wanted)) if wanted.key.kind == Kind::Namespace => {
                let mut after = live.clone();
                after.remove(&wanted.key);
                return cluster::change(&after, request, stale);
            }
            (Self::NamesakeDeleted, Request::Delete(doomed)) => {
                let found = live.get(&doomed.key);
                if let Some(found) = found {
                    found.uid.clone_into(&mut doomed.uid);
                }
            }
            _ => {}
        }
        cluster::change(live, &asked, stale)
    }

    pub fn believes_the_clock(self) -> bool {
        self == Self::ClockBelieved
    }

    pub fn overwrites_records(self) -> bool {
        self == Self::RecordOverwritten
    }

    /// The stage that is asked for, as the core is told.
    pub fn ceiling(self, asked: Stage) -> Stage {
        if self == Self::DemotionIgnored { Stage::Production } else { asked }
    }
}
