//! The commands by which people decide about a grant: each shows what it opens or closes, asks, writes
//! one `GrantDecision`, and says what came of it.

pub(super) mod ask;
mod conduct;
mod enrol;
mod foresee;
mod outcome;
mod preview;
mod rehearse;
mod rehearsed;
mod request;
#[cfg(test)]
mod tests;
mod wish;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::person::{Person, to_its_end};
use super::{Failure, moment, value};
use crate::api::decision::DecisionAction;
use crate::api::stage::Stage;
use crate::api::value::Text;
use ask::Said;
use conduct::{Manner, conduct};
pub(super) use enrol::EnrolArguments;
pub(super) use rehearse::RehearseArguments;
use wish::{EndWish, Wish};

/// What every decision is given with.
#[derive(Args, Clone, Debug)]
pub(super) struct Common {
    /// Why: it stays in the journal; without it, you are asked
    #[arg(long, value_name = "TEXT", value_parser = ask::reason)]
    reason: Option<Text>,

    /// Don't ask whether it is meant
    #[arg(short, long, requires = "reason")]
    yes: bool,

    /// Write it, and don't wait for what comes of it
    #[arg(long)]
    no_wait: bool,

    /// How long to wait for what comes of it
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = moment::span)]
    #[arg(conflicts_with = "no_wait")]
    timeout: SignedDuration,

    #[command(flatten)]
    person: Person,
}

impl Common {
    /// Who, what was said, and how long to wait; `None`: not at all.
    pub(super) fn parts(self) -> (Person, Said, Option<std::time::Duration>) {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let said = Said { reason: self.reason, yes: self.yes, terminal };
        let timeout = (!self.no_wait).then(|| self.timeout.unsigned_abs());
        (self.person, said, timeout)
    }

    /// Decides.
    fn decide(self, grant: String, wish: Wish) -> Result<ExitCode, Failure> {
        let (person, said, timeout) = self.parts();
        to_its_end(conduct(person, grant, wish, Manner { said, timeout, shown: None }))
    }
}

/// What is agreed to, or not.
#[derive(Args, Clone, Debug)]
struct Request {
    /// The grant
    grant: String,

    /// The stage: sandbox, rehearsal or production; without it, the one that waits for people, or that is open
    #[arg(value_parser = value::stage)]
    stage: Option<Stage>,

    /// The group of yours that it counts for; without it, the only one of those that are asked
    #[arg(long, value_name = "GROUP", value_parser = value::name)]
    on_behalf_of: Option<String>,

    /// Only this revision: with another one, nothing is written
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,

    #[command(flatten)]
    common: Common,
}

impl Request {
    fn decide(self, action: DecisionAction, end: Option<EndWish>) -> Result<ExitCode, Failure> {
        let Self { grant, stage, on_behalf_of: group, digest, common } = self;
        common.decide(grant, Wish { action, stage, end, group, digest, enrolment: None })
    }
}

/// Something about the whole grant.
#[derive(Args, Clone, Debug)]
struct Whole {
    /// The grant
    grant: String,

    #[command(flatten)]
    common: Common,
}

impl Whole {
    fn decide(self, action: DecisionAction) -> Result<ExitCode, Failure> {
        let wish = Wish { action, stage: None, end: None, group: None, digest: None, enrolment: None };
        self.common.decide(self.grant, wish)
    }
}

/// A new end.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct NewEnd {
    /// The new end, as a moment: 2026-12-01T12:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = moment::absolute)]
    until: Option<Timestamp>,

    /// How far its end moves: 24h, 90m, 7d
    #[arg(long, value_name = "DURATION", value_parser = moment::span)]
    by: Option<SignedDuration>,

    /// The new end, from now on: 24h, 90m, 7d
    #[arg(long, value_name = "DURATION", value_parser = moment::span)]
    r#in: Option<SignedDuration>,
}

impl NewEnd {
    fn wish(&self) -> Option<EndWish> {
        let until = self.until.map(EndWish::At);
        until.or(self.by.map(EndWish::By)).or(self.r#in.map(EndWish::In))
    }
}

/// Agree that a stage opens, with exactly what is shown
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity approve northpay-fraud -n risk-data
  comity approve northpay-fraud production -n risk-data --on-behalf-of security \\
      --digest v1:sha256:… --yes --reason 'Rehearsal report read, no failed cases'")]
pub(super) struct ApproveArguments {
    #[command(flatten)]
    request: Request,
}

impl ApproveArguments {
    /// Approves.
    pub(super) fn approve(self) -> Result<ExitCode, Failure> {
        self.request.decide(DecisionAction::Approve, None)
    }
}

/// Refuse that a stage opens with this revision, for good
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity deny northpay-fraud production -n risk-data --reason 'The retention is too long'")]
pub(super) struct DenyArguments {
    #[command(flatten)]
    request: Request,
}

impl DenyArguments {
    /// Denies.
    pub(super) fn deny(self) -> Result<ExitCode, Failure> {
        self.request.decide(DecisionAction::Deny, None)
    }
}

/// Agree that what is open ends later; it takes those whom opening took
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity extend northpay-fraud production -n risk-data --by 24h
  comity extend northpay-fraud -n risk-data --until 2026-12-01T00:00:00Z")]
pub(super) struct ExtendArguments {
    #[command(flatten)]
    end: NewEnd,

    #[command(flatten)]
    request: Request,
}

impl ExtendArguments {
    /// Extends.
    pub(super) fn extend(self) -> Result<ExitCode, Failure> {
        let end = self.end.wish();
        self.request.decide(DecisionAction::Extend, end)
    }
}

/// Have what is open end earlier
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity shorten northpay-fraud production -n risk-data --in 2h
  comity shorten northpay-fraud -n risk-data --until 2026-12-01T00:00:00Z")]
pub(super) struct ShortenArguments {
    /// The grant
    grant: String,

    /// The stage: sandbox, rehearsal or production; without it, the one that is open
    #[arg(value_parser = value::stage)]
    stage: Option<Stage>,

    #[command(flatten)]
    end: NewEnd,

    #[command(flatten)]
    common: Common,
}

impl ShortenArguments {
    /// Shortens.
    pub(super) fn shorten(self) -> Result<ExitCode, Failure> {
        let end = self.end.wish();
        let wish = Wish {
            action: DecisionAction::Shorten,
            stage: self.stage,
            end,
            group: None,
            digest: None,
            enrolment: None,
        };
        self.common.decide(self.grant, wish)
    }
}

/// End a stage now, or the whole grant, for good
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity expire northpay-fraud -n risk-data
  comity expire northpay-fraud rehearsal -n risk-data --yes --reason 'The trial is over'")]
pub(super) struct ExpireArguments {
    /// The grant
    grant: String,

    /// The stage: sandbox, rehearsal or production; without it, all of the grant
    #[arg(value_parser = value::stage)]
    stage: Option<Stage>,

    #[command(flatten)]
    common: Common,
}

impl ExpireArguments {
    /// Ends it.
    pub(super) fn expire(self) -> Result<ExitCode, Failure> {
        let wish = Wish {
            action: DecisionAction::Expire,
            stage: self.stage,
            end: None,
            group: None,
            digest: None,
            enrolment: None,
        };
        self.common.decide(self.grant, wish)
    }
}

/// Close access at once, until somebody else releases it; its end stands
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity quarantine northpay-fraud -n risk-data --yes --reason 'INC-4711: strange requests'")]
pub(super) struct QuarantineArguments {
    #[command(flatten)]
    whole: Whole,
}

impl QuarantineArguments {
    /// Closes access.
    pub(super) fn quarantine(self) -> Result<ExitCode, Failure> {
        self.whole.decide(DecisionAction::Quarantine)
    }
}

/// Give access again that somebody else quarantined
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity release northpay-fraud -n risk-data --reason 'INC-4711: a test of theirs, told beforehand'")]
pub(super) struct ReleaseArguments {
    #[command(flatten)]
    whole: Whole,
}

impl ReleaseArguments {
    /// Releases it.
    pub(super) fn release(self) -> Result<ExitCode, Failure> {
        self.whole.decide(DecisionAction::Release)
    }
}

/// Confirm that it is still wanted: the answer to a review
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity attest northpay-fraud -n risk-data --reason 'Used daily, see RISK-2214'")]
pub(super) struct AttestArguments {
    #[command(flatten)]
    whole: Whole,
}

impl AttestArguments {
    /// Confirms it.
    pub(super) fn attest(self) -> Result<ExitCode, Failure> {
        self.whole.decide(DecisionAction::Attest)
    }
}

/// Take responsibility for a request that automation made
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity sponsor northpay-fraud -n risk-data --reason 'I asked for it in RISK-2214'")]
pub(super) struct SponsorArguments {
    /// The grant
    grant: String,

    /// Only this revision: with another one, nothing is written
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,

    #[command(flatten)]
    common: Common,
}

impl SponsorArguments {
    /// Sponsors it.
    pub(super) fn sponsor(self) -> Result<ExitCode, Failure> {
        let digest = self.digest;
        let wish = Wish {
            action: DecisionAction::Sponsor,
            stage: None,
            end: None,
            group: None,
            digest,
            enrolment: None,
        };
        self.common.decide(self.grant, wish)
    }
}
