//! What somebody at the command line hears of a rehearsal that goes on: how far it is, and its report.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Event;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Config, watcher};
use kube::{Api, ResourceExt as _};

use super::caller::{CallError, Caller, is_final};
use super::readable::Readable;
use crate::api::{RehearsalReport, name};

/// How long to wait after a watch that failed.
const AFTER_TROUBLE: Duration = Duration::from_millis(500);

impl Caller {
    /// The first report of what this record of a grant's journal asks for, or a later one, that is of this digest: who
    /// asked meanwhile is answered by one that is later. It is awaited.
    pub async fn report(&self, uid: &str, asked: i64, digest: &str) -> Result<RehearsalReport, CallError> {
        let what = || "the reports of rehearsals".to_owned();
        // Reports are long, and their names say enough.
        let api: Api<PartialObjectMeta<RehearsalReport>> =
            Api::namespaced(self.client.clone(), &self.namespace);
        let mut seen = pin!(watcher(api, Config::default()));
        loop {
            let found = match seen.next().await {
                Some(Ok(watcher::Event::Apply(found) | watcher::Event::InitApply(found))) => found.name_any(),
                Some(Ok(_)) => continue,
                Some(Err(error)) if is_final(&error) => return Err(refused(what(), error)),
                Some(Err(_)) => {
                    tokio::time::sleep(AFTER_TROUBLE).await;
                    continue;
                }
                None => return Err(CallError::Absent { what: what() }),
            };
            if cause(uid, &found).is_none_or(|cause| cause < asked) {
                continue;
            }
            let report = self.get::<Readable<RehearsalReport>>(&found).await?;
            let is_it = |report: &RehearsalReport| report.spec.digest.as_str() == digest;
            if let Some(report) = report.0.ok().filter(is_it) {
                return Ok(report);
            }
        }
    }

    /// Gives what Events of this reason say of an object from now on, each time that it is something else, for as long
    /// as it is awaited. Who may not read Events is given nothing.
    pub async fn hear(&self, uid: &str, reason: &str, mut each: impl FnMut(&str)) {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let about = Config::default().fields(&format!("involvedObject.uid={uid},reason={reason}"));
        let mut seen = pin!(watcher(api, about));
        let mut last = String::new();
        while let Some(event) = seen.next().await {
            match event {
                Ok(watcher::Event::Apply(event)) => {
                    let said = event.message.unwrap_or_default();
                    if said != last {
                        each(&said);
                        last = said;
                    }
                }
                Ok(_) => {}
                Err(error) if is_final(&error) => break,
                Err(_) => tokio::time::sleep(AFTER_TROUBLE).await,
            }
        }
        std::future::pending::<()>().await;
    }
}

/// The record that asks for the report of this name, if that is one of this grant's.
fn cause(uid: &str, report: &str) -> Option<i64> {
    let cause = report.strip_prefix(uid)?.strip_prefix('-')?.parse().ok()?;
    (name::report(uid, cause) == report).then_some(cause)
}

/// A watch that isn't let, as the refusal that it is.
fn refused(what: String, error: watcher::Error) -> CallError {
    match error {
        watcher::Error::InitialListFailed(source) | watcher::Error::WatchStartFailed(source) => {
            CallError::of(what, source)
        }
        source => CallError::Watch { what, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_in_its_name_who_asked_for_it() {
        let uid = "6f0c1a2b-0000-4000-8000-000000000001";
        assert_eq!(cause(uid, &name::report(uid, 7)), Some(7));
        assert_eq!(cause(uid, &name::report(uid, 1_234_567)), Some(1_234_567));
        for stranger in
            ["", "mine", uid, &format!("{uid}-7"), &format!("{uid}-+00007"), &format!("{uid}x-000007")]
        {
            assert_eq!(cause(uid, stranger), None, "{stranger}");
        }
    }
}
