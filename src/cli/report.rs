//! `comity report`: what the newest rehearsal of a grant tried and saw, and whether the journal took it.

mod tell;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Args;
use kube::ResourceExt as _;

use super::Failure;
use super::format::Format;
use super::person::{FAILED, Person, REFUSED, Stop, to_its_end, watch};
use crate::api::{GrantRecord, PartnerGrant, RehearsalReport, SharingContract};
use crate::cli::grant::clusterroles_to_read;
use crate::cluster::caller::{CallError, Caller};
use crate::cluster::readable::Readable;
pub(super) use tell::{Beside, Order, Told};

/// Show what the newest rehearsal of a grant tried and saw
///
/// Cases that failed come first, then those that nothing can execute here, then those that passed. Whether the
/// grant's journal took just this report is told too: comity history shows whether the journal holds.
///
/// Exits with 0 if production opens by it as far as it goes, 9 if it doesn't: a case failed, or one couldn't be executed
/// and the contract asks for all of them. Exits with 1 if there is no report.
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
        let Some(told) = Told::newest(&self.grant, &reports?, &beside) else {
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

/// What is read beside reports of a grant.
pub(super) async fn beside(caller: &Caller, grant: &str) -> Beside {
    let (records, grant) = futures::join!(records(caller), caller.get::<Readable<PartnerGrant>>(grant));
    let grant = grant.ok().and_then(|grant| grant.0.ok());
    let contract = match &grant {
        Some(grant) => caller.get::<Readable<SharingContract>>(&grant.spec.contract_ref.name.0).await.ok(),
        None => None,
    };
    let rule = contract.and_then(|contract| contract.0.ok()).map(|contract| contract.spec.rehearsal);
    Beside {
        living: grant.and_then(|grant| grant.uid()),
        records,
        require: rule.map(|rule| rule.map_or_else(Default::default, |rule| rule.require)),
    }
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

/// Every record of the namespace that can be read; `None` where none may be.
async fn records(caller: &Caller) -> Option<Vec<GrantRecord>> {
    let records = caller.list::<Readable<GrantRecord>>().await.ok()?;
    Some(records.into_iter().filter_map(|record| record.0.ok()).collect())
}
