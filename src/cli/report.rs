//! `comity report`: what the newest rehearsal of a grant tried and saw, and whether the journal took it.

mod tell;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::Failure;
use super::format::Format;
use super::person::{FAILED, Person, REFUSED, Stop, to_its_end, watch};
use crate::api::{GrantRecord, RehearsalReport};
use crate::cli::grant::clusterroles_to_read;
use crate::cluster::caller::{CallError, Caller};
use crate::cluster::readable::Readable;
use crate::cluster::reading::{Reading, records_of};
use crate::cluster::records::Records;
use tell::{Beside, Today};
pub(super) use tell::{Order, Told};

/// Show what the newest rehearsal of a grant tried and saw
///
/// The newest of what is agreed now is shown; where there is none, the newest of whatever was agreed before. Cases that
/// failed come first, then those that nothing can execute here, then those that passed. Whether the grant's journal took
/// just this report is told too: comity history shows whether the journal holds.
///
/// Exits with 0 if production opens by it as far as it goes, 9 if it doesn't: a case failed, or one couldn't be executed
/// and the contract asks for all of them; or what is agreed now is another revision, or nothing; or the journal doesn't
/// hold, took no such report, or asks for another rehearsal. What you may not read of these isn't looked at, which is told.
/// Exits with 1 if there is no report.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity report northpay-fraud -n risk-data
  comity report northpay-fraud -n risk-data -o json | jq '.report.statement'")]
pub(super) struct Arguments {
    /// The grant; it may be gone
    grant: String,

    /// How it is told
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    person: Person,
}

impl Arguments {
    /// Shows it.
    pub(super) fn report(self) -> Result<ExitCode, Failure> {
        to_its_end(self.tell())
    }

    async fn tell(self) -> Result<(), Failure> {
        let caller = self.person.connect().await?;
        let (reports, beside) = futures::join!(reports(&caller), beside(&caller, &self.grant));
        let Some(told) = Told::newest(&self.grant, &reports?, &beside?) else {
            let namespace = &caller.namespace;
            let message =
                format!("there is no report of a rehearsal of {} in namespace {namespace}", self.grant);
            return Err(Stop::new(FAILED, message).into());
        };
        let text = || told.page(&watch(caller.now()), Order::FailedFirst).text(self.person.is_coloured());
        self.output.tell(&told, text)?;
        told.fault().map_or(Ok(()), |stop| Err(stop.into()))
    }
}

/// What is read beside reports of a grant. What can't be had for another reason than the caller's rights is no answer.
pub(super) async fn beside(caller: &Caller, grant: &str) -> Result<Beside, Failure> {
    let today = match Box::pin(Reading::of(caller, grant)).await {
        Ok(reading) => return Ok(Beside::of(&reading)),
        Err(CallError::Absent { .. }) => Today::Gone,
        Err(CallError::Forbidden { .. }) => Today::Unread,
        Err(error) => return Err(error.into()),
    };
    Ok(Beside { today, records: records(caller).await?, ..Beside::default() })
}

/// Every report of the namespace that can be read.
async fn reports(caller: &Caller) -> Result<Vec<RehearsalReport>, Failure> {
    let reports = caller.list::<Readable<RehearsalReport>>().await.map_err(|error| match error {
        CallError::Forbidden { message, .. } => {
            let role = clusterroles_to_read(&["rehearsalreports"]);
            Failure::from(Stop::new(REFUSED, format!("{message}; {role}")))
        }
        error => error.into(),
    })?;
    Ok(reports.into_iter().filter_map(|report| report.0.ok()).collect())
}

/// The journals of the namespace; `None` where they may not be read.
async fn records(caller: &Caller) -> Result<Option<Arc<Records>>, Failure> {
    match caller.list::<Readable<GrantRecord>>().await {
        Ok(told) => Ok(Some(Arc::new(records_of(told)))),
        Err(CallError::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
