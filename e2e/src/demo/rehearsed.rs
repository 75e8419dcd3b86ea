//! A rehearsal that fails, says why, and passes once that is mended.

use std::time::Duration;

use comity::api::{
    RehearsalReport,
    condition::{ConditionType, Reason},
    decision::DecisionAction,
};
use kube::{Api, ResourceExt as _, api::ListParams};

use super::{
    SUBJECT,
    consent::grant,
    seen::Seen,
    story::{Story, condition, example},
};
use crate::{Cluster, Error, Result, comity::people::OLGA};

/// How long a rehearsal may take. What has to be allowed and isn't is tried again for two seconds.
const WITHIN: Duration = Duration::from_secs(60);

/// What runs the pods that the contract agrees to.
const RUNTIME_CLASS: &str = "demo/01-runtime-class.yaml";

/// What the cases of pods that are just as agreed are called.
const CONFORMING: &str = "pod-conforms";

impl Story<'_> {
    /// Takes away what production would miss, as if nobody had installed it on this cluster.
    pub(super) async fn forget(&mut self) -> Result<()> {
        let gone =
            async { self.cluster.delete_yaml(&std::fs::read_to_string(example(RUNTIME_CLASS))?).await };
        let what = "the runtime class that the contract names isn't installed here: somebody forgot it";
        self.ledger.step(what, gone).await
    }

    /// What is agreed is tried, and doesn't work; once it is mended, it is tried again, and does.
    pub(super) async fn rehearsed(&mut self) -> Result<()> {
        let (cluster, watching) = (self.cluster, self.watching);
        let failed =
            watching.until("the rehearsal to fail", WITHIN, |seen| told(seen, Reason::RehearsalFailed));
        let what = "comity rehearse tries what is agreed, each case by a request of its own: it fails";
        self.ledger.expect(what, failed).await;
        self.ledger.expect("its report says why", why(cluster)).await;
        self.ledger
            .step("the platform team installs what is missing", cluster.apply(&example(RUNTIME_CLASS)))
            .await?;
        self.ledger.step("olga, for security, has it tried again", again(cluster)).await?;
        let passed = watching.until("the rehearsal to pass", WITHIN, |seen| told(seen, Reason::Rehearsed));
        self.ledger.expect("now everything comes out as it has to", passed).await;
        Ok(())
    }
}

/// What is said of the rehearsal, once it is this.
fn told(seen: &Seen, reason: Reason) -> Result<String, String> {
    let rehearsed = condition(seen, ConditionType::Rehearsed).ok_or("no condition")?;
    if rehearsed.reason == reason.to_string() {
        Ok(rehearsed.message)
    } else {
        Err(format!("{}: {}", rehearsed.reason, rehearsed.message))
    }
}

/// What the API server said to a pod that is just as agreed, by the report.
async fn why(cluster: &Cluster) -> Result<String> {
    let all: Api<RehearsalReport> = Api::namespaced(cluster.client(), SUBJECT.namespace);
    let reports = all.list(&ListParams::default()).await?.items;
    let cases = reports.iter().flat_map(|report| &report.spec.statement.predicate.cases);
    let mut refused = cases.filter(|case| case.name.as_str().starts_with(CONFORMING));
    let refused = refused.find(|case| case.observed.contains("RuntimeClass"));
    let refused = refused.ok_or_else(|| Error::Failed(format!("no report says why {CONFORMING} failed")))?;
    Ok(format!("{}: {}", refused.name, refused.observed))
}

/// Somebody asks for another rehearsal of what is open.
async fn again(cluster: &Cluster) -> Result<()> {
    let grant = grant(cluster).await?;
    let digest = grant.status.as_ref().and_then(|status| status.request_digest.clone());
    let digest = digest.ok_or_else(|| Error::Failed(format!("{} says no digest", grant.name_any())))?;
    let mut decision = OLGA.decision(&grant, DecisionAction::Rehearse);
    decision.spec.digest = Some(digest.as_str().into());
    OLGA.decide(cluster, &decision).await.map(drop)
}
