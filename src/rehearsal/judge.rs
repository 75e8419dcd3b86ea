//! Whether what came out of a case is what had to. Pure.

use super::case::{Case, Expected, Observed};
use crate::api::report::CaseOutcome;

/// What is said by whoever refuses what no admission looks at.
pub const NO_ACCESS: &str = "no right to it";

/// What is said of a certificate that doesn't verify.
pub const NOT_VERIFIED: &str = "it doesn't verify";

/// What is said of a connection that doesn't pass.
pub const SHUT: &str = "shut";

/// What quota says.
pub const QUOTA: &str = "exceeded quota";

/// The outcome of a case. What is refused for another reason than it had to be wasn't refused by what it tries,
/// and shows nothing.
pub fn outcome(case: &Case, observed: &Observed) -> CaseOutcome {
    match (case.expected, observed) {
        (_, Observed::Untried(_)) => CaseOutcome::NotExecutable,
        (Expected::Allowed, Observed::Allowed | Observed::AllowedBy(_)) => CaseOutcome::Passed,
        (Expected::Refused(words), Observed::Refused(said)) if says(said, words) => CaseOutcome::Passed,
        _ => CaseOutcome::Failed,
    }
}

/// Whether somebody says these words, whatever the line breaks.
fn says(said: &str, words: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    plain(said).contains(&plain(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::case::Attempt;

    fn case(expected: Expected) -> Case {
        let attempt = Attempt::Nothing(String::new());
        Case { name: "one".to_owned(), clause: "purposes", tried: String::new(), attempt, expected }
    }

    #[test]
    fn only_what_is_refused_for_the_right_reason_shows_anything() {
        let refused = case(Expected::Refused("isn't from a registry"));
        let said = |words: &str| Observed::Refused(words.to_owned());
        let right = said("pods \"x\" is forbidden: image y isn't\n from a registry that the contract names");
        assert_eq!(outcome(&refused, &right), CaseOutcome::Passed);
        assert_eq!(outcome(&refused, &said("exceeded quota")), CaseOutcome::Failed);
        assert_eq!(outcome(&case(Expected::Allowed), &right), CaseOutcome::Failed);
        let by = Observed::AllowedBy("isn't from a registry".to_owned());
        for allowed in [&Observed::Allowed, &by] {
            assert_eq!(outcome(&case(Expected::Allowed), allowed), CaseOutcome::Passed);
            assert_eq!(outcome(&refused, allowed), CaseOutcome::Failed);
        }
        let untried = Observed::Untried("nothing runs here".to_owned());
        for expected in [Expected::Allowed, Expected::Refused("")] {
            assert_eq!(outcome(&case(expected), &untried), CaseOutcome::NotExecutable);
        }
    }
}
