//! `comity enrol`: a one-time token, by which a workload on the partner's side enrols. It is made here, shown
//! once, and only its SHA-256 leaves this program.

use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;

use super::conduct::{Manner, conduct};
use super::wish::{Enrolling, Wish};
use super::{Common, Failure, to_its_end};
use crate::api::decision::{DecisionAction, Enrolment};
use crate::api::stage::Stage;
use crate::cli::page::{Page, Style};
use crate::cli::{moment, value};
use crate::pki::Token;

/// Let a workload on the partner's side enrol once: makes a token, and shows it once
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity enrol northpay-fraud -n risk-data --stage production --workload scorer
  comity enrol northpay-fraud -n risk-data --workload scorer --for 15m --yes --reason 'RISK-2214: their new cluster'")]
pub(in crate::cli) struct EnrolArguments {
    /// The grant
    grant: String,

    /// The workload, as the grant names it
    #[arg(long, value_name = "NAME", value_parser = value::name)]
    workload: String,

    /// The stage: sandbox, rehearsal or production; without it, the one that is open
    #[arg(long, value_parser = value::stage)]
    stage: Option<Stage>,

    /// For how long the token can be used: 12h at the most
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = lifetime)]
    within: SignedDuration,

    #[command(flatten)]
    common: Common,
}

impl EnrolArguments {
    /// Lets it enrol.
    pub(in crate::cli) fn enrol(self) -> Result<ExitCode, Failure> {
        let Self { grant, workload, stage, within, common } = self;
        let token = Token::make()?;
        let enrolling = Enrolling { workload, token_digest: token.digest(), within };
        let wish = Wish {
            action: DecisionAction::Enrol,
            stage,
            end: None,
            group: None,
            digest: None,
            enrolment: Some(enrolling),
        };
        let (person, said, timeout) = common.parts();
        to_its_end(conduct(person, grant, wish, Manner { said, timeout, shown: Some(shown(&token)) }))
    }
}

/// How long a token lasts that somebody names.
fn lifetime(text: &str) -> Result<SignedDuration, String> {
    let within = moment::span(text)?;
    if within <= Enrolment::LONGEST {
        return Ok(within);
    }
    Err(format!("a token can be used for {} at the most", moment::length(Enrolment::LONGEST)))
}

/// The token, as it is shown.
fn shown(token: &Token) -> Page {
    let mut page = Page::default();
    page.styled(Style::Strong, "The token, shown this once:").gap();
    page.line(format!("  {}", token.reveal())).gap();
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lasts_no_longer_than_is_let() {
        assert_eq!(lifetime("12h"), Ok(SignedDuration::from_hours(12)));
        assert!(lifetime("12h1m").is_err_and(|wrong| wrong.contains("at the most")));
        assert!(lifetime("0s").is_err() && lifetime("soon").is_err());
    }

    #[test]
    fn the_token_is_shown_whole() {
        let token = Token::make().unwrap();
        assert!(shown(&token).text(false).contains(&format!("\n  {}\n", token.reveal())));
    }
}
