//! How an object as a whole stands, in one word and one sentence, and the conditions that say so
//! in the words that `kubectl wait`, Flux and Argo CD understand.

use crate::api::condition::{ConditionType, Finding, Reason};
use crate::policy::Problem;

/// How an object as a whole stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Situation {
    /// Who has to do something, if anybody has.
    pub kind: SituationKind,
    /// In a word.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

/// Who has to do something about an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SituationKind {
    /// Nobody: it is as it can be now.
    Settled,
    /// Comity, or whoever has something that it waits for.
    Moving,
    /// Whoever wrote it.
    Stuck,
}

impl Situation {
    /// As it can be now.
    pub fn settled(reason: Reason, message: impl Into<String>) -> Self {
        Self { kind: SituationKind::Settled, reason, message: message.into() }
    }

    /// It waits for something else than itself to change.
    pub fn moving(reason: Reason, message: impl Into<String>) -> Self {
        Self { kind: SituationKind::Moving, reason, message: message.into() }
    }

    /// It has to be changed itself.
    pub fn stuck(reason: Reason, message: impl Into<String>) -> Self {
        Self { kind: SituationKind::Stuck, reason, message: message.into() }
    }

    /// The conditions that say so, around `accepted`.
    pub fn findings(&self, accepted: Finding) -> Vec<Finding> {
        let Self { kind, reason, message } = self;
        let holds = *kind == SituationKind::Settled;
        vec![
            Finding { condition: ConditionType::Ready, holds, reason: *reason, message: message.clone() },
            accepted,
            self.flag(ConditionType::Reconciling, SituationKind::Moving),
            self.flag(ConditionType::Stalled, SituationKind::Stuck),
        ]
    }

    /// A condition that says nothing more where it doesn't hold.
    fn flag(&self, condition: ConditionType, of: SituationKind) -> Finding {
        if self.kind == of {
            Finding::yes(condition, self.reason, &self.message)
        } else {
            Finding::no(condition, Reason::Settled, "")
        }
    }
}

/// `Accepted`, by what is to be said against it: the first problem's word, and all their sentences.
pub fn accepted(problems: &[Problem], good: &str) -> Finding {
    let Some(first) = problems.first() else {
        return Finding::yes(ConditionType::Accepted, Reason::Accepted, good);
    };
    let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    Finding::no(ConditionType::Accepted, first.reason, told.join(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(findings: &[Finding]) -> Vec<ConditionType> {
        findings.iter().filter(|finding| finding.holds).map(|finding| finding.condition).collect()
    }

    #[test]
    fn kstatus_reads_each_situation_for_what_it_is() {
        use ConditionType::{Accepted, Ready, Reconciling, Stalled};
        let yes = || accepted(&[], "fine");
        assert_eq!(holding(&Situation::settled(Reason::Accepted, "").findings(yes())), [Ready, Accepted]);
        assert_eq!(holding(&Situation::moving(Reason::Opening, "").findings(yes())), [Accepted, Reconciling]);
        assert_eq!(holding(&Situation::stuck(Reason::Invalid, "").findings(yes())), [Accepted, Stalled]);
    }

    #[test]
    fn every_problem_is_told_and_the_first_gives_the_word() {
        let problem = |reason, message: &str| Problem {
            reason,
            clause: String::new(),
            message: message.to_owned(),
            until: None,
        };
        let both = [problem(Reason::NoBoundary, "one"), problem(Reason::Invalid, "other")];
        let finding = accepted(&both, "fine");
        assert!(!finding.holds);
        assert_eq!((finding.reason, finding.message.as_str()), (Reason::NoBoundary, "one. other"));
    }
}
