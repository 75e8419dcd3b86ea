//! `comity status` and `comity explain`: how a grant stands, and why.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt as _;

use super::format::Format;
use super::grant::{GrantView, Picture, tree, why};
use super::page::{Page, Style, lines, plain_json};
use super::person::{FAILED, Person, Stop, read, to_its_end, watch};
use super::{Failure, called};
use crate::api::PartnerGrant;
use crate::api::decision::DecisionAction;
use crate::cluster::caller::Caller;
use crate::generate::admission::cel::CONSENT_GROUP;

/// Show how a grant stands: what is open until when, what the next stage waits for, and who can give it
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity status northpay-fraud -n risk-data
  comity status northpay-fraud -n risk-data -o json
  comity status northpay-fraud -n risk-data --watch")]
pub(super) struct StatusArguments {
    #[command(flatten)]
    shown: Shown,

    /// Tell it again whenever it changes, until interrupted; as JSON one object a line
    #[arg(short, long)]
    watch: bool,
}

/// Explain why a grant stands as it does: conditions, consents, what holds each clause, what to do next
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity explain northpay-fraud -n risk-data
  comity explain northpay-fraud -n risk-data -o yaml")]
pub(super) struct ExplainArguments {
    #[command(flatten)]
    shown: Shown,
}

/// Which grant, and how it is shown.
#[derive(Args, Debug)]
struct Shown {
    /// The grant
    grant: String,

    /// How it is told
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    person: Person,
}

impl StatusArguments {
    /// Shows how it stands.
    pub(super) fn status(self) -> Result<ExitCode, Failure> {
        to_its_end(async move {
            if self.watch { self.shown.tell_on().await } else { self.shown.tell(false).await }
        })
    }
}

impl ExplainArguments {
    /// Explains why.
    pub(super) fn explain(self) -> Result<ExitCode, Failure> {
        to_its_end(self.shown.tell(true))
    }
}

impl Shown {
    async fn tell(self, explain: bool) -> Result<(), Failure> {
        let caller = self.person.connect().await?;
        let reading = read(&caller, &self.grant).await?;
        let picture = Picture::of(&reading);
        let view = if explain {
            GrantView::explained(&picture, may(&caller, &self.grant).await)
        } else {
            GrantView::of(&picture)
        };
        self.output.tell(&view, || {
            let watch = watch(picture.now);
            let page = if explain { why(&view, &watch, called()) } else { tree(&view, &watch, called()) };
            page.text(self.person.is_coloured())
        })
    }
}

impl Shown {
    /// Tells how it stands, and again whenever that changes, until the grant is gone.
    async fn tell_on(self) -> Result<(), Failure> {
        let caller = self.person.connect().await?;
        let mut told: Option<String> = None;
        loop {
            let reading = read(&caller, &self.grant).await?;
            let picture = Picture::of(&reading);
            let view = GrantView::of(&picture);
            let now = serde_json::to_string(&view)?;
            if told.as_ref() != Some(&now) {
                let text = self.again(&view, &now, picture.now, told.is_some())?;
                std::io::stdout().lock().write_all(text.as_bytes())?;
                told = Some(now);
            }
            let seen = reading.grant.resource_version();
            let look = |grant: Option<&PartnerGrant>| match grant {
                Some(grant) if grant.resource_version() == seen => None,
                found => Some(found.is_some()),
            };
            if !caller.until(&self.grant, look).await? {
                return Err(Stop::new(FAILED, format!("the grant {} is gone", self.grant)).into());
            }
        }
    }

    /// How it stands, told once more.
    fn again(&self, view: &GrantView, json: &str, now: Timestamp, before: bool) -> Result<String, Failure> {
        Ok(match self.output {
            Format::Text => {
                let watch = watch(now);
                let mut page = Page::default();
                if before {
                    page.gap().styled(Style::Faint, format!("at {}", watch.absolute(now)));
                }
                page.text(self.person.is_coloured())
                    + &tree(view, &watch, called()).text(self.person.is_coloured())
            }
            Format::Json => plain_json(json) + "\n",
            Format::Yaml => format!("---\n{}", lines(&serde_saphyr::to_string(view)?)),
        })
    }
}

/// What the caller may decide about a grant. What can't be told isn't claimed.
async fn may(caller: &Caller, grant: &str) -> Vec<&'static str> {
    let asked = DecisionAction::ALL.map(|action| async move {
        let may = caller.may(action.verb(), CONSENT_GROUP, "partnergrants", grant).await;
        may.unwrap_or(false).then(|| action.verb())
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}
