//! `comity enrol`: a one-time token, by which a workload on the partner's side enrols. It is made here, shown
//! once, and only its SHA-256 leaves this program.

use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;

use super::conduct::{Manner, conduct};
use super::wish::{Choice, Enrolling, Wish};
use super::{Common, Failure, to_its_end};
use crate::api::decision::{DecisionAction, Enrolment};
use crate::api::name;
use crate::api::stage::Stage;
use crate::cli::grant::Picture;
use crate::cli::page::{Page, Style};
use crate::cli::{moment, value};
use crate::cluster::caller::Caller;
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

    /// The namespace that Comity is installed in, which says where partners enrol
    #[arg(long, value_name = "NAME", default_value = name::DEFAULT_SYSTEM_NAMESPACE, value_parser = value::name)]
    system_namespace: String,

    #[command(flatten)]
    common: Common,
}

impl EnrolArguments {
    /// Lets it enrol.
    pub(in crate::cli) fn enrol(self) -> Result<ExitCode, Failure> {
        let Self { grant, workload, stage, within, system_namespace: system, common } = self;
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
        to_its_end(conduct(
            person,
            grant,
            wish,
            Manner { said, timeout, shown: Some(Secret { token, system }) },
        ))
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

/// A token that is shown once, to who had it made.
#[derive(Debug)]
pub(super) struct Secret {
    token: Token,
    system: String,
}

/// Where the endpoint is, and the anchor of its certificate.
struct Endpoint {
    url: String,
    anchor: String,
}

impl Secret {
    /// The token, and what the partner does with it.
    pub(super) async fn shown(&self, caller: &Caller, picture: &Picture<'_>, choice: &Choice) -> Page {
        let published: Result<ConfigMap, _> =
            caller.within(&self.system).get(name::ENROLMENT_CONFIG_MAP).await;
        let data = published.ok().and_then(|published| published.data).unwrap_or_default();
        let part = |key: &str| data.get(key).cloned();
        let endpoint = part("url").zip(part("ca.crt")).map(|(url, anchor)| Endpoint { url, anchor });
        let mut page = Page::default();
        page.styled(Style::Strong, "The token, shown this once:").gap();
        page.line(format!("  {}", self.token.reveal())).gap();
        let grant = &picture.reading.grant;
        let place = format!("{}/{}", grant.namespace().unwrap_or_default(), grant.name_any());
        if let (Some(stage), Some(enrolment)) = (choice.stage, &choice.enrolment) {
            recipe(
                &mut page,
                &format!("{place}/{}/{}", stage.lower(), enrolment.workload),
                endpoint.as_ref(),
            );
        }
        page
    }
}

/// What the partner runs, where their key stays.
fn recipe(page: &mut Page, target: &str, endpoint: Option<&Endpoint>) {
    let url = endpoint.map_or("https://ENDPOINT", |endpoint| endpoint.url.as_str());
    page.line("What the partner runs, beside the file ca.crt below. Their key stays with them:").gap();
    for line in [
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem".to_owned(),
        "openssl req -new -key key.pem -subj / -out request.pem".to_owned(),
        "read -r -s -p 'Token: ' TOKEN".to_owned(),
        "printf 'Authorization: Bearer %s' \"$TOKEN\" | curl --fail-with-body --cacert ca.crt --header @- \\"
            .to_owned(),
        format!("  --data-binary @request.pem --output enrolled.json {url}/v1/enrol/{target}"),
    ] {
        page.line(format!("  {line}"));
    }
    page.gap();
    if let Some(endpoint) = endpoint {
        page.line("ca.crt:");
        for line in endpoint.anchor.lines() {
            page.line(line);
        }
        page.gap();
    } else {
        let said = "Where that is can't be read: nothing serves enrolment, or its ConfigMap is in another namespace \
                    (--system-namespace).";
        page.styled(Style::Warn, said).gap();
    }
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
    fn a_partner_is_told_what_to_run_and_no_token_stands_in_it() {
        let told = |endpoint: Option<&Endpoint>| {
            let mut page = Page::default();
            recipe(&mut page, "risk-data/northpay-fraud/production/scorer", endpoint);
            page.text(false)
        };
        let (url, anchor) =
            ("https://enrol.example".to_owned(), "-----BEGIN CERTIFICATE-----\nMII=\n".to_owned());
        let text = told(Some(&Endpoint { url, anchor }));
        let ends = " https://enrol.example/v1/enrol/risk-data/northpay-fraud/production/scorer\n";
        assert!(
            text.contains(ends) && text.contains("\nMII=\n") && !text.contains("comity-enrol-"),
            "{text}"
        );
        assert!(told(None).contains("nothing serves enrolment"));
    }
}
