//! Whether a workload on the partner's side gets the certificate that it asks for: the same kind of list, for
//! who has shown who they are. Nobody is left waiting: they are told, and ask again.

use jiff::Timestamp;

use super::{Phase, Stage, quoted};

/// What is asked, and how the stage stands that it is asked for, read at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The ServiceAccount of the workload.
    pub account: &'a str,
    /// The stage; `None`: its namespace isn't one.
    pub stage: Option<&'a Stage>,
    /// The time.
    pub now: Timestamp,
}

/// Why a workload on the partner's side gets no certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Its namespace isn't there.
    #[error("the stage isn't open")]
    NoStage,
    /// The stage can't be used, and won't be.
    #[error("the stage is closed, or its time is over")]
    Over,
    /// Access is closed for the time being.
    #[error("access is suspended or quarantined: ask again once it is given again")]
    Held,
    /// The journal isn't believed by which it is open.
    #[error("the data owner has to look at the grant before anything is signed for it: ask them")]
    Doubted,
    /// The contract doesn't allow it.
    #[error(
        "the contract doesn't let workloads enrol: CertificateSigningRequest isn't in security.keyDelivery of what \
         was agreed"
    )]
    NotDelivered,
    /// Nobody agreed to such a workload.
    #[error("{0} isn't that of a workload of the grant any more")]
    NoWorkload(String),
}

impl Refusal {
    /// One of each, for who lists them.
    pub fn every() -> [Self; 6] {
        let nobody = Self::NoWorkload(String::new());
        [Self::NoStage, Self::Over, Self::Held, Self::Doubted, Self::NotDelivered, nobody]
    }

    /// One word, for programs and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoStage => "StageNotOpen",
            Self::Over => "StageOver",
            Self::Held => "AccessHeld",
            Self::Doubted => "JournalDoubted",
            Self::NotDelivered => "KeyDeliveryNotAllowed",
            Self::NoWorkload(_) => "NotAWorkload",
        }
    }
}

/// The checks, in the order in which they are made.
const CHECKS: [fn(&Case<'_>, &Stage) -> Option<Refusal>; 5] = [over, held, doubt, delivery, workload];

/// Decides, of what stands at this moment. How long a certificate lives follows from its authority, and is
/// for [`crate::pki::Lifetime::of_leaf`] to say.
pub fn decide(case: &Case<'_>) -> Result<(), Refusal> {
    let stage = case.stage.ok_or(Refusal::NoStage)?;
    CHECKS.iter().find_map(|check| check(case, stage)).map_or(Ok(()), Err)
}

fn over(case: &Case<'_>, stage: &Stage) -> Option<Refusal> {
    (stage.phase == Phase::Over || stage.end <= case.now).then_some(Refusal::Over)
}

fn held(_: &Case<'_>, stage: &Stage) -> Option<Refusal> {
    (stage.phase == Phase::Held).then_some(Refusal::Held)
}

fn doubt(_: &Case<'_>, stage: &Stage) -> Option<Refusal> {
    stage.doubt.is_some().then_some(Refusal::Doubted)
}

fn delivery(_: &Case<'_>, stage: &Stage) -> Option<Refusal> {
    (!stage.enrols).then_some(Refusal::NotDelivered)
}

fn workload(case: &Case<'_>, stage: &Stage) -> Option<Refusal> {
    let is_one = stage.accounts.iter().any(|account| account == case.account);
    (!is_one).then(|| Refusal::NoWorkload(quoted(case.account)))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::pki::testing;

    fn stage() -> Stage {
        Stage {
            phase: Phase::Open,
            doubt: None,
            delivers: false,
            enrols: true,
            accounts: vec!["workload-scorer".to_owned()],
            ttl: SignedDuration::from_mins(10),
            end: testing::now() + SignedDuration::from_hours(1),
        }
    }

    fn word(account: &str, stage: Option<&Stage>) -> &'static str {
        let case = Case { account, stage, now: testing::now() };
        decide(&case).map_or_else(|refusal| refusal.word(), |()| "Issue")
    }

    #[test]
    fn a_workload_of_an_open_stage_gets_one_and_any_other_a_reason() {
        type Change = fn(&mut Stage);
        assert_eq!(word("workload-scorer", Some(&stage())), "Issue");
        assert_eq!(word("workload-miner", Some(&stage())), "NotAWorkload");
        assert_eq!(word("workload-scorer", None), "StageNotOpen");
        let changes: [(&str, Change); 5] = [
            ("StageOver", |stage| stage.phase = Phase::Over),
            ("StageOver", |stage| stage.end = testing::now()),
            ("AccessHeld", |stage| stage.phase = Phase::Held),
            ("JournalDoubted", |stage| stage.doubt = Some("why".to_owned())),
            ("KeyDeliveryNotAllowed", |stage| stage.enrols = false),
        ];
        for (expected, change) in changes {
            let mut other = stage();
            change(&mut other);
            assert_eq!(word("workload-scorer", Some(&other)), expected);
        }
    }

    #[test]
    fn whoever_asks_isnt_told_what_is_doubted_and_by_whom() {
        let doubted = Stage { doubt: Some("record 7 by ada".to_owned()), ..stage() };
        let case = Case { account: "workload-scorer", stage: Some(&doubted), now: testing::now() };
        let refusal = decide(&case).expect_err("it is doubted");
        assert!(!refusal.to_string().contains("ada"), "{refusal}");
    }
}
