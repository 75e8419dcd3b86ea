//! `comity history`: a grant's journal as a timeline, its chain verified anew: each record holds the digest
//! of the one before it, so what was changed or taken out shows.

mod line;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Args;
use kube::ResourceExt as _;

use self::line::History;
use super::Failure;
use super::format::Format;
use super::person::{Person, REFUSED, Stop, to_its_end, watch};
use crate::api::{GrantRecord, PartnerGrant};
use crate::cli::grant::clusterroles_to_read;
use crate::cluster::caller::{CallError, Caller};
use crate::cluster::readable::Readable;

/// What is answered where a journal doesn't hold, or where there is none.
const BROKEN: u8 = 1;

/// Show a grant's journal as a timeline, and whether its chain holds
///
/// Every record is told, also those of grants of that name that are gone, and those that can't be read. Where
/// the chain breaks is said, and what comes after it isn't trusted.
///
/// Exits with 0 if the chain holds, 1 if it breaks or there is no journal.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity history northpay-fraud -n risk-data
  comity history northpay-fraud -n risk-data --uid 6f0c1a2b-0000-4000-8000-000000000001
  comity history northpay-fraud -n risk-data -o json | jq '.journals[].records[].event'")]
pub(super) struct Arguments {
    /// The grant; it may be gone
    grant: String,

    /// Only the grant with this UID, where there were several of that name
    #[arg(long, value_name = "UID")]
    uid: Option<String>,

    /// How it is told
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    person: Person,
}

impl Arguments {
    /// Shows it.
    pub(super) fn history(self) -> Result<ExitCode, Failure> {
        to_its_end(self.tell())
    }

    async fn tell(self) -> Result<(), Failure> {
        let caller = self.person.connect().await?;
        let (records, living) = futures::join!(records(&caller), uid(&caller, &self.grant));
        let mut history = History::of(&caller.namespace, &self.grant, living.as_deref(), records?);
        if let Some(uid) = &self.uid {
            history.only(uid);
        }
        let text = || history.page(&watch(caller.now())).text(self.person.is_coloured());
        self.output.tell(&history, text)?;
        match history.fault() {
            Some(fault) => Err(Stop::new(BROKEN, fault).into()),
            None => Ok(()),
        }
    }
}

/// Every record of the namespace. One that can't be read is told of as such.
async fn records(caller: &Caller) -> Result<Vec<Readable<GrantRecord>>, Failure> {
    caller.list::<Readable<GrantRecord>>().await.map_err(|error| match error {
        CallError::Forbidden { message, .. } => {
            let role = clusterroles_to_read(&["grantrecords"]);
            Stop::new(REFUSED, format!("{message}; {role}")).into()
        }
        error => error.into(),
    })
}

/// The UID of the grant that has the name now, if there is one that may be read.
async fn uid(caller: &Caller, grant: &str) -> Option<String> {
    caller.get::<Readable<PartnerGrant>>(grant).await.ok().and_then(|grant| grant.uid())
}
