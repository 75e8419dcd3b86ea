//! After the end: that nothing is left, and that nothing comes back.

use std::time::Duration;

use comity::api::{
    condition::{ConditionType, Reason},
    name,
    stage::Stage,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::ListParams};

use super::{
    ledger::unless,
    seen::{Seen, in_order},
    story::{PRODUCTION, Story, condition, example},
};
use crate::{Cluster, Error, Result, cluster::identity::service_account_user, eventually, throughout};

/// How long the partner may have access past the recorded end before it counts as a failure. The
/// figure itself is told.
const OUT_WITHIN: Duration = Duration::from_secs(20);

/// How long clearing may take: the namespace controller works for seconds.
const CLEARED_WITHIN: Duration = Duration::from_secs(30);

/// The same where pods run: it waits for as long as they may take to end.
const CLEARED_OF_PODS_WITHIN: Duration = Duration::from_secs(90);

/// How long a certificate is valid by the example's contract: as long it may outlive an end that was
/// brought forward.
const CREDENTIAL_TTL: Duration = Duration::from_secs(15);

/// How long nothing happens where Comity is at rest.
const REST: Duration = Duration::from_secs(1);

/// For how long it is watched that nothing comes back.
const WATCHED_FOR: Duration = Duration::from_secs(2);

impl Story<'_> {
    /// Waits for the end of production, and proves that it was one.
    pub(super) async fn end(&mut self) -> Result<()> {
        self.ledger.screen().heading("The end, by the clock: nobody does anything");
        let (watching, place) = (self.watching, self.place(Stage::Production));
        let end = watching.seen().opening(Stage::Production).map(|opening| opening.end);
        let end = end.ok_or_else(|| Error::Failed("production has no recorded end".to_owned()))?;
        let (cluster, user) = (self.cluster, place.user());
        let namespace = place.namespace(Stage::Production).to_owned();
        let out = until_out(cluster, &user, &namespace, end);
        self.ledger.expect("a SubjectAccessReview said yes up to the end, and says no now", out).await;
        self.certificates().await;
        self.cleared().await;
        #[cfg(target_os = "linux")]
        self.is_gone(end).await;
        self.journal().await;
        self.again().await;
        Ok(())
    }

    /// Every certificate that was ever published has ended, by itself.
    async fn certificates(&mut self) {
        let watching = self.watching;
        let ended = async {
            let (count, last) = {
                let seen = watching.seen();
                let ends = seen.certificates.iter().map(|published| published.certificate.not_after);
                (seen.certificates.len(), ends.max())
            };
            let last = last.ok_or_else(|| Error::Failed("no certificate was published".to_owned()))?;
            // Nobody can take back one that was given before its end was brought forward.
            eventually("the last certificate to expire", CREDENTIAL_TTL, async || {
                if last <= Timestamp::now() { Ok(()) } else { Err(format!("one is valid until {last}")) }
            })
            .await?;
            let last = last.strftime("%H:%M:%SZ");
            Ok(format!("{count} were issued in all; the last was valid until {last}"))
        };
        self.ledger.expect("every certificate has expired by itself", ended).await;
    }

    /// The namespaces and everything in them are gone.
    async fn cleared(&mut self) {
        let (cluster, watching) = (self.cluster, self.watching);
        let within = if self.target.runs_pods() { CLEARED_OF_PODS_WITHIN } else { CLEARED_WITHIN };
        let gone = async {
            let none = |seen: &Seen| {
                let left: usize = Stage::ALL.map(|stage| seen.count(stage)).iter().sum();
                if left == 0 { Ok(()) } else { Err(format!("{left} objects are left")) }
            };
            watching.until("everything to be gone", within, none).await?;
            // A live look, beside what the watches say.
            let ours = ListParams::default().labels(name::LABEL_GRANT_UID);
            let left = Api::<Namespace>::all(cluster.client()).list(&ours).await?.items;
            unless(left.is_empty(), || format!("{} namespaces are left", left.len()))?;
            Ok(in_order(&watching.seen().taken_at_last(Stage::Production)))
        };
        self.ledger.expect("every object of the grant is gone, the namespaces too", gone).await;
    }

    /// The journal says so, for good, and its chain is whole.
    async fn journal(&mut self) {
        let watching = self.watching;
        let ended = async {
            let told = |seen: &Seen| {
                let journal = seen.journal().map_err(|broken| broken.to_string())?;
                journal.ended.ok_or("it hasn't ended")?;
                Ok(seen.records.len())
            };
            let lines = watching.until("the journal to say that it ended", CLEARED_WITHIN, told).await?;
            Ok(format!("{lines} lines, each with the digest of the one before: recomputed here"))
        };
        self.ledger.expect("the journal says Ended, and its chain is whole", ended).await;
    }

    /// Applying the same file again opens nothing, and makes Comity write nothing.
    async fn again(&mut self) {
        let (cluster, watching) = (self.cluster, self.watching);
        let nothing = async {
            let settled = |seen: &Seen| match condition(seen, ConditionType::Ready) {
                Some(ready) if ready.reason == Reason::Ended.to_string() => Ok(()),
                other => Err(format!("{other:?}")),
            };
            watching.until("the grant to say that it ended", CLEARED_WITHIN, settled).await?;
            let stands = || {
                let seen = watching.seen();
                settled(&seen).map(|()| (seen.changes.len(), seen.records.len()))
            };
            let look = || Ok((stands()?, writes(cluster).map_err(|error| error.to_string())?));
            // Its last words may still be on their way.
            let before = eventually("Comity to be at rest", CLEARED_WITHIN, || at_rest(&look)).await?;
            cluster.apply(&example(PRODUCTION)).await?;
            throughout("nothing", WATCHED_FOR, async || {
                let now = look()?;
                if now == before { Ok(()) } else { Err(format!("{before:?} became {now:?}")) }
            })
            .await?;
            let audited = "not one write by comity run or comity sign, by the API server's audit log";
            Ok(before.1.map_or_else(String::new, |_| audited.to_owned()))
        };
        let what = format!("{PRODUCTION} is applied once more: nothing opens");
        self.ledger.expect(&what, nothing).await;
    }
}

/// Awaits that `user` may nothing any more; an error where that was so before the end, or is
/// so too late.
async fn until_out(cluster: &Cluster, user: &str, namespace: &str, end: Timestamp) -> Result<String> {
    let left = Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default();
    let refused_at = eventually("the partner to be out", left + OUT_WITHIN, async || {
        match cluster.can(user, "list", "pods", Some(namespace)).await {
            Ok(false) => Ok(Timestamp::now()),
            Ok(true) => Err("a SubjectAccessReview says yes".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    let late = refused_at.as_millisecond() - end.as_millisecond();
    unless(late >= 0, || format!("it said no {} ms before the end", -late))?;
    Ok(format!("no longer than {late} ms after the end that was recorded"))
}

/// What `look` sees, once that doesn't change for a while.
async fn at_rest<T: PartialEq>(look: impl Fn() -> Result<T, String>) -> Result<T, String> {
    let first = look()?;
    let same = throughout("rest", REST, async || match look() {
        Ok(seen) if seen == first => Ok(()),
        Ok(_) => Err("something changed".to_owned()),
        Err(error) => Err(error),
    });
    same.await.map_err(|error| error.to_string())?;
    Ok(first)
}

/// How many writes Comity has made so far, where the audit log can be read.
fn writes(cluster: &Cluster) -> Result<Option<usize>> {
    if cluster.control_plane().is_none() {
        return Ok(None);
    }
    let mut count = 0;
    for account in [name::RUN, name::SIGN, name::REHEARSE] {
        let user = service_account_user(name::DEFAULT_SYSTEM_NAMESPACE, account);
        count += cluster.audit_writes(&user)?.len();
    }
    Ok(Some(count))
}
