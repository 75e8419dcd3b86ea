//! The contract changes under what is live: what is less is less at once, and what is more waits.
//! Then a reviewer ends it.

use std::time::Duration;

use comity::api::{SharingContract, decision::DecisionAction, name, stage::Stage};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    SUBJECT,
    consent::grant,
    seen::Seen,
    story::{OPEN_WITHIN, Story},
};
use crate::{Cluster, Error, Result, cluster::await_gone, comity::people::PER, eventually};

/// How long a narrower contract may take to be in force.
const NARROWED_WITHIN: Duration = Duration::from_secs(20);

/// How long a reviewer leaves until the end.
const NOTICE: SignedDuration = SignedDuration::from_secs(4);

impl Story<'_> {
    /// The contract is narrowed, then widened, under what is live.
    pub(super) async fn change(&mut self) {
        let (cluster, watching) = (self.cluster, self.watching);
        let place = self.namespaces.last().map(|(_, namespace)| namespace.clone()).unwrap_or_default();
        let narrowed = async {
            let less = json!({"dns": "None", "egress": [destination("192.0.2.0/29")]});
            change(cluster, &less).await?;
            let paths: Api<NetworkPolicy> = Api::namespaced(cluster.client(), &place);
            await_gone(&paths, name::ALLOW_DNS, NARROWED_WITHIN).await?;
            reaches(&paths, "192.0.2.0/29", "192.0.2.0/28").await?;
            watching.until("it to be told what was lost", OPEN_WITHIN, lost).await
        };
        let what = "the contract loses DNS and half of its destinations: so does production, at once";
        self.ledger.expect(what, narrowed).await;
        let waits = async {
            let both = [destination("192.0.2.0/29"), destination("192.0.2.64/28")];
            change(cluster, &json!({"dns": "None", "egress": both})).await?;
            let told = watching.until("it to be told what waits", OPEN_WITHIN, pending).await?;
            let paths: Api<NetworkPolicy> = Api::namespaced(cluster.client(), &place);
            reaches(&paths, "192.0.2.0/29", "192.0.2.64/28").await?;
            Ok(told)
        };
        let what = "the contract gains a destination: that waits for a rehearsal, and for people";
        self.ledger.expect(what, waits).await;
    }

    /// A reviewer brings the end forward; nobody can move it back alone.
    pub(super) async fn review(&mut self) -> Result<()> {
        let (cluster, watching) = (self.cluster, self.watching);
        let shortened = async {
            let end = (Timestamp::now() + NOTICE).round(jiff::Unit::Second);
            let end = end.map_err(|error| Error::Failed(error.to_string()))?;
            let mut decision = PER.decision(&grant(cluster).await?, DecisionAction::Shorten);
            decision.spec.stage = Some(Stage::Production);
            decision.spec.expires_at = Some(Time(end));
            decision.spec.reason = "the project was called off".into();
            PER.decide(cluster, &decision).await?;
            let is_recorded = |seen: &Seen| {
                let recorded = seen.opening(Stage::Production).map(|opening| opening.end);
                if recorded == Some(end) { Ok(()) } else { Err(format!("{recorded:?}")) }
            };
            watching.until("the earlier end to be recorded", OPEN_WITHIN, is_recorded).await
        };
        self.ledger
            .step("per, a reviewer, ends it: in four seconds, and not when it was to end", shortened)
            .await
    }
}

fn destination(cidr: &str) -> Value {
    json!({"cidr": cidr, "ports": [{"port": 443, "protocol": "TCP"}], "reason": "score return"})
}

/// Changes what the contract says of destinations.
async fn change(cluster: &Cluster, destination: &Value) -> Result<()> {
    let contracts: Api<SharingContract> = Api::namespaced(cluster.client(), SUBJECT.namespace);
    let patch = Patch::Merge(json!({"spec": {"destination": destination}}));
    contracts.patch("fraud-scoring", &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Awaits that the stored policies reach one network and not the other.
async fn reaches(paths: &Api<NetworkPolicy>, this: &str, not: &str) -> Result<()> {
    eventually(&format!("{this} to be reached, and not {not}"), NARROWED_WITHIN, async || {
        let path = paths.get(name::ALLOW_DESTINATIONS).await.map_err(|error| error.to_string())?;
        let rules = path.spec.and_then(|spec| spec.egress).unwrap_or_default();
        let blocks = rules.iter().flat_map(|rule| rule.to.iter().flatten());
        let cidrs: Vec<&String> = blocks.filter_map(|to| Some(&to.ip_block.as_ref()?.cidr)).collect();
        let has = |cidr: &str| cidrs.iter().any(|known| *known == cidr);
        if has(this) && !has(not) { Ok(()) } else { Err(format!("{cidrs:?}")) }
    })
    .await
}

/// What the status says was lost of production.
fn lost(seen: &Seen) -> Result<String, String> {
    let status = seen.grant.as_ref().and_then(|grant| grant.status.as_ref()).ok_or("no status")?;
    let live = status.openings.iter().find(|opening| opening.stage == Stage::Production).ok_or("not open")?;
    let lost: Vec<&str> = live.narrowed.iter().map(|line| line.0.as_str()).collect();
    if lost.is_empty() { Err("nothing".to_owned()) } else { Ok(lost.join("; ")) }
}

/// What the status says that waits.
fn pending(seen: &Seen) -> Result<String, String> {
    let status = seen.grant.as_ref().and_then(|grant| grant.status.as_ref()).ok_or("no status")?;
    let pending = status.pending.as_ref().ok_or("nothing waits")?;
    let changes: Vec<&str> = pending.changes.iter().map(|line| line.0.as_str()).collect();
    Ok(format!("{}: {} would open next for it", changes.join("; "), pending.next))
}
