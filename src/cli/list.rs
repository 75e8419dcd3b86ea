//! `comity list`: grants, what ends soonest first; or those that wait for somebody.

mod row;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;

use self::row::{List, Row};
use super::Failure;
use super::format::Format;
use super::grant::{GrantView, Picture, clusterroles_to_read};
use super::person::{Person, REFUSED, Stop, to_its_end, watch};
use crate::api::PartnerGrant;
use crate::api::decision::DecisionAction;
use crate::cluster::caller::{CallError, Caller};
use crate::cluster::readable::Readable;
use crate::cluster::survey::Survey;
use crate::generate::admission::cel::CONSENT_GROUP;

/// List grants: what ends soonest first, or what waits for you
///
/// A grant that can't be read is listed as such. Those that have ended are counted, and listed with --ended.
///
/// Ends are those of the grants' status. That access closes before its end where nobody answers a review is told by
/// --waiting-for me, and of each grant by comity status.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity list -n risk-data
  comity list --all-namespaces --ending-within 7d
  comity list -A --waiting-for me
  comity list -A --waiting-for security -o json")]
pub(super) struct Arguments {
    /// In every namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    /// Only what ends within this time: 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = super::moment::span)]
    ending_within: Option<SignedDuration>,

    /// Only what waits for the consent of this group; with `me`, for yours: what you may approve, are asked for,
    /// and haven't agreed to yet; and what closes within a week unless it is confirmed, and you may
    #[arg(long, value_name = "me|GROUP")]
    waiting_for: Option<String>,

    /// Those that have ended too
    #[arg(long)]
    ended: bool,

    /// How it is told
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    person: Person,
}

/// What stands for who asks.
const ME: &str = "me";

impl Arguments {
    /// Lists them.
    pub(super) fn list(self) -> Result<ExitCode, Failure> {
        to_its_end(self.tell())
    }

    async fn tell(self) -> Result<(), Failure> {
        let caller = self.person.connect().await?;
        let list = match &self.waiting_for {
            Some(whom) => Box::pin(waiting(&caller, self.all_namespaces, whom)).await?,
            None => List::of(&grants(&caller, self.all_namespaces).await?, caller.now()),
        };
        let list = list.narrowed(self.ending_within, self.ended);
        let text = || list.page(&watch(list.now), self.all_namespaces).text(self.person.is_coloured());
        self.output.tell(&list, text)
    }
}

/// Every grant. One that can't be read is told of as such.
async fn grants(caller: &Caller, everywhere: bool) -> Result<Vec<Readable<PartnerGrant>>, Failure> {
    let found = if everywhere { caller.list_everywhere().await } else { caller.list().await };
    found.map_err(|error| refused(error, everywhere))
}

fn refused(error: CallError, everywhere: bool) -> Failure {
    let CallError::Forbidden { message, .. } = error else { return error.into() };
    let role = clusterroles_to_read(&["partnergrants"]);
    let remedy =
        if everywhere { "without --all-namespaces one namespace is looked at" } else { role.as_str() };
    Stop::new(REFUSED, format!("{message}; {remedy}")).into()
}

/// The grants that wait for somebody, judged as `comity status` judges each.
async fn waiting(caller: &Caller, everywhere: bool, whom: &str) -> Result<List, Failure> {
    let survey =
        Box::pin(Survey::of(caller, everywhere)).await.map_err(|error| refused(error, everywhere))?;
    let mut list = List::of(&survey.grants, survey.now);
    let mut rows = Vec::new();
    for row in std::mem::take(&mut list.rows) {
        if row.unreadable.is_some() {
            rows.push(row);
            continue;
        }
        let is_meant = row.is_pending() || (whom == ME && row.is_live());
        let Some(grant) = survey.grant(&row.namespace, &row.name).filter(|_| is_meant) else {
            continue;
        };
        let reading = survey.reading(grant);
        let view = GrantView::of(&Picture::of(&reading));
        let row = if whom == ME {
            for_caller(caller, &view, row).await
        } else {
            row.asked_for(view.waits_for_group(whom))
        };
        rows.extend(Some(row).filter(Row::waits));
    }
    list.rows = rows;
    Ok(list)
}

/// A grant with what it waits for of the caller's.
async fn for_caller(caller: &Caller, view: &GrantView, row: Row) -> Row {
    let stages = if row.is_pending() { view.waits_for_caller() } else { Vec::new() };
    let may_approve = !stages.is_empty() && may(caller, DecisionAction::Approve, &row).await;
    let review = view.to_be_confirmed();
    let may_attest = review.is_some() && may(caller, DecisionAction::Attest, &row).await;
    let row = if may_approve { row.asked_for(stages) } else { row };
    if may_attest { row.reviewed_by(review) } else { row }
}

/// Whether the caller may decide so about a grant. What can't be told isn't claimed.
async fn may(caller: &Caller, action: DecisionAction, row: &Row) -> bool {
    let there = caller.within(&row.namespace);
    there.may(action.verb(), CONSENT_GROUP, "partnergrants", &row.name).await.unwrap_or(false)
}
