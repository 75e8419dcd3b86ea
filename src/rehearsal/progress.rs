//! How far a rehearsal is, for who waits for it. Pure.

use std::fmt::{Display, Formatter, Result};

use super::judge::outcome;
use super::statement::Tried;
use crate::api::report::CaseOutcome;

/// The reason of the Events that tell it.
pub const REHEARSING: &str = "Rehearsing";

/// What is told at once, before it is known what the cases are and a probe has dialled.
pub const BEGUN: &str = "what is agreed is being tried";

/// How many cases that failed are named.
const NAMED: usize = 8;

/// How many cases are through, and which of them failed.
#[derive(Clone, Debug)]
pub struct Progress {
    all: usize,
    tried: usize,
    failed: Vec<String>,
}

impl Progress {
    /// At the beginning of so many cases.
    pub const fn of(all: usize) -> Self {
        Self { all, tried: 0, failed: Vec::new() }
    }

    /// Takes that a case is through.
    pub fn take(&mut self, (case, observed, _): &Tried) {
        self.tried += 1;
        if outcome(case, observed) == CaseOutcome::Failed {
            self.failed.push(case.name.clone());
        }
    }

    /// Whether a case has failed.
    pub const fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

impl Display for Progress {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(out, "{} of {} cases are through, {} failed", self.tried, self.all, self.failed.len())?;
        if let Some(named) = self.failed.get(..self.failed.len().min(NAMED)).filter(|some| !some.is_empty()) {
            write!(out, ": {}", named.join(", "))?;
        }
        let more = self.failed.len().saturating_sub(NAMED);
        if more > 0 { write!(out, " and {more} more") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::case::{Attempt, Case, Expected, Observed};

    fn tried(name: &str, observed: Observed) -> Tried {
        let attempt = Attempt::Nothing(String::new());
        let case = Case {
            name: name.to_owned(),
            clause: "x",
            tried: String::new(),
            attempt,
            expected: Expected::Allowed,
        };
        (case, observed, 0)
    }

    #[test]
    fn what_failed_is_named_as_far_as_there_is_room() {
        let mut progress = Progress::of(12);
        assert_eq!(progress.to_string(), "0 of 12 cases are through, 0 failed");
        progress.take(&tried("passes", Observed::Allowed));
        progress.take(&tried("waits", Observed::Untried("not here".to_owned())));
        assert!(!progress.has_failed());
        for number in 1..=NAMED {
            progress.take(&tried(&format!("fails-{number}"), Observed::Refused("no".to_owned())));
        }
        let text = progress.to_string();
        assert!(text.starts_with("10 of 12 cases are through, 8 failed: fails-1, fails-2, "), "{text}");
        assert!(text.ends_with("fails-8") && progress.has_failed(), "{text}");
        progress.take(&tried("fails-9", Observed::Refused("no".to_owned())));
        assert!(progress.to_string().ends_with("fails-8 and 1 more"), "{progress}");
    }
}
