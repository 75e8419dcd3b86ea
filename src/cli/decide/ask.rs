//! Asking somebody at a terminal: why, and whether they mean it. Whoever can't be asked has said both
//! before.

use std::io::{self, BufRead, Write};

use crate::api::value::Text;
use crate::cli::page::plain;
use crate::cli::person::{MISUSED, NOT_CONFIRMED, Stop};

/// The most characters that a reason has.
const LONGEST_REASON: usize = 1024;
/// How often somebody is asked for a reason.
const TRIES: usize = 3;

/// What was said on the command line.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Said {
    /// The reason.
    pub(in crate::cli) reason: Option<Text>,
    /// That it is meant.
    pub(in crate::cli) yes: bool,
    /// Whether somebody can be asked.
    pub(in crate::cli) terminal: bool,
}

impl Said {
    /// Refuses what would have to be asked where nobody can be.
    pub(in crate::cli) fn is_enough(&self) -> Result<(), Stop> {
        if self.terminal || (self.yes && self.reason.is_some()) {
            return Ok(());
        }
        Err(Stop::new(MISUSED, "there is no terminal to ask on: give --yes and --reason TEXT"))
    }
}

/// The reason, and that it is meant: as was said, else as somebody answers.
pub(in crate::cli) fn ask(
    said: Said,
    what: &str,
    from: &mut impl BufRead,
    to: &mut impl Write,
) -> Result<Text, Stop> {
    let unanswered =
        |_: io::Error| Stop::new(NOT_CONFIRMED, "the question couldn't be asked; nothing was written");
    let given = match said.reason {
        Some(reason) => reason,
        None => ask_why(from, to)?,
    };
    if said.yes {
        return Ok(given);
    }
    write!(to, "{}? Type yes to go on: ", plain(what)).and_then(|()| to.flush()).map_err(unanswered)?;
    let mut answer = String::new();
    from.read_line(&mut answer).map_err(unanswered)?;
    if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        Ok(given)
    } else {
        Err(Stop::new(NOT_CONFIRMED, "that isn't yes: nothing was written"))
    }
}

fn ask_why(from: &mut impl BufRead, to: &mut impl Write) -> Result<Text, Stop> {
    let unanswered =
        |_: io::Error| Stop::new(NOT_CONFIRMED, "the question couldn't be asked; nothing was written");
    for _ in 0..TRIES {
        write!(to, "Why (it stays in the journal): ").and_then(|()| to.flush()).map_err(unanswered)?;
        let mut answer = String::new();
        if from.read_line(&mut answer).map_err(unanswered)? == 0 {
            break;
        }
        match reason(&answer) {
            Ok(reason) => return Ok(reason),
            Err(wrong) => writeln!(to, "{wrong}").map_err(unanswered)?,
        }
    }
    Err(Stop::new(NOT_CONFIRMED, "every decision has a reason: nothing was written"))
}

/// A reason, as a decision takes it.
pub(in crate::cli) fn reason(text: &str) -> Result<Text, String> {
    let text = text.trim();
    let strange = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    if text.is_empty() {
        return Err("say why, for who reads the journal".to_owned());
    }
    if text.chars().count() > LONGEST_REASON {
        return Err(format!("say it in at most {LONGEST_REASON} characters"));
    }
    if text.chars().any(strange) {
        return Err("leave control characters out".to_owned());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_a_terminal(reason: Option<&str>, yes: bool, answers: &str) -> (Result<Text, String>, String) {
        let said = Said { reason: reason.map(Into::into), yes, terminal: true };
        let mut asked = Vec::new();
        let answer = ask(said, "Approve Production", &mut answers.as_bytes(), &mut asked);
        (answer.map_err(|stop| stop.to_string()), String::from_utf8(asked).expect("UTF-8"))
    }

    #[test]
    fn nobody_is_asked_where_nobody_can_be() {
        let said =
            |reason: Option<&str>, yes, terminal| Said { reason: reason.map(Into::into), yes, terminal };
        for (reason, yes) in [(None, false), (Some("why"), false), (None, true)] {
            let refused = said(reason, yes, false).is_enough().expect_err("nobody can be asked");
            assert!(refused.to_string().contains("--yes and --reason"), "{refused}");
            said(reason, yes, true).is_enough().expect("somebody can be asked");
        }
        said(Some("why"), true, false).is_enough().expect("all is said");
    }

    #[test]
    fn a_reason_and_a_yes_are_asked_for() {
        let (answer, asked) = at_a_terminal(None, false, "\n  report read \nyes\n");
        assert_eq!(answer.expect("yes").0, "report read");
        assert_eq!(asked.matches("Why").count(), 2, "{asked}");
        assert!(asked.ends_with("Approve Production? Type yes to go on: "), "{asked}");
        assert!(at_a_terminal(Some("known"), false, "Y\n").0.is_ok());
        assert_eq!(at_a_terminal(Some("known"), true, "").1, "", "all was said");
    }

    #[test]
    fn anything_but_yes_is_no() {
        for answers in ["why\n\n", "why\nno\n", "why\nyes please\n", "why\n", "", "\n\n\nyes\n"] {
            let refused = at_a_terminal(None, false, answers).0.expect_err(answers);
            assert!(refused.contains("nothing was written"), "{refused}");
        }
    }

    #[test]
    fn a_reason_fits_into_a_decision() {
        assert!(reason(&"a".repeat(1024)).is_ok());
        for wrong in ["", "  \n", &"a".repeat(1025), "a\u{1b}[2J"] {
            assert!(reason(wrong).is_err(), "{wrong:?}");
        }
    }
}
