//! A rehearsal that somebody asked for, followed to its end: how far it is, and then what came out.

use std::io::Write as _;
use std::time::Duration;

use kube::ResourceExt as _;

use super::conduct::Following;
use crate::api::condition::ConditionType;
use crate::api::{PartnerGrant, RehearsalReport};
use crate::cli::Failure;
use crate::cli::grant::clusterroles_to_read;
use crate::cli::page::plain;
use crate::cli::person::{REFUSED, Stop, watch};
use crate::cli::report::{Order, Told, beside};
use crate::cluster::caller::CallError;
use crate::rehearsal::progress::REHEARSING;

/// How long the journal may take to take a report that is there.
const GRACE: Duration = Duration::from_secs(10);

impl Following<'_> {
    /// Awaits the report that this record of the journal asks for, says meanwhile how far it is, and tells the report.
    pub(super) async fn rehearsed(&self, asked: i64) -> Result<(), Failure> {
        let grant = &self.picture.reading.grant;
        let (uid, digest) =
            (grant.uid().unwrap_or_default(), self.choice.digest.as_deref().unwrap_or_default());
        let report = tokio::select! {
            report = self.told.waiting("the cases to be tried", self.caller.report(&uid, asked, digest)) => report,
            () = self.caller.hear(&uid, REHEARSING, progress) => return Ok(()),
        };
        let report = report.map_err(|failure| self.unread(failure))?;
        // Where it isn't taken in time, what is told says so.
        let _taken_or_not = tokio::time::timeout(GRACE, self.taken(&report)).await;
        let name = grant.name_any();
        let beside = beside(self.caller, &name).await?;
        let Some(told) = Told::newest(&name, &[report], &beside) else {
            return Err(
                Stop::new(REFUSED, format!("{name} was made again meanwhile: it is another grant")).into()
            );
        };
        self.told.show(&told.page(&watch(self.caller.now()), Order::FailedLast))?;
        told.fault().map_or(Ok(()), |stop| Err(stop.into()))
    }

    /// Awaits that the journal has taken a report.
    async fn taken(&self, report: &RehearsalReport) -> Result<(), CallError> {
        let name = report.name_any();
        let is_named = |grant: &PartnerGrant| {
            let said = grant.status.iter().flat_map(|status| &status.conditions);
            let mut said = said.filter(|said| said.type_ == ConditionType::Rehearsed.as_str());
            said.any(|said| said.message.contains(&name))
        };
        let look = |grant: Option<&PartnerGrant>| grant.is_none_or(is_named).then_some(());
        self.caller.until(&self.picture.reading.grant.name_any(), look).await
    }

    /// Why what came out can't be told; it is tried all the same.
    fn unread(&self, failure: Failure) -> Failure {
        match failure.downcast_ref::<CallError>() {
            Some(CallError::Forbidden { message, .. }) => {
                let role = clusterroles_to_read(&["rehearsalreports"]);
                let made = self.made.name_any();
                Stop::new(
                    REFUSED,
                    format!("{made} stands, and you may not see what comes out: {message}; {role}"),
                )
                .into()
            }
            _ => failure,
        }
    }
}

/// Says how far it is, beside what is told in the end.
fn progress(said: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "{}", plain(said));
}
