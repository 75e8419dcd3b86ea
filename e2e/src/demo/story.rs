//! The story: one partner, three stages, and the end. Every tick comes from something that was seen.

use std::{path::PathBuf, time::Duration};

use comity::api::{
    condition::{ConditionType, Reason},
    grant::OpeningState,
    name,
    stage::Stage,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, ResourceExt as _, api::DeleteParams};

#[cfg(target_os = "linux")]
use super::live::Live;
use super::{
    act::{Place, ROLE},
    ledger::{Ledger, unless},
    seen::{Deed, Seen, in_order},
    target::Target,
    watch::{Subject, Watching},
};
use crate::{Cluster, Result, comity::repository, eventually};

/// The grant of the example.
pub(super) const SUBJECT: Subject = Subject { namespace: "risk-data", name: "northpay-fraud" };

/// What the platform, the data owner and the partner's sponsor apply before the grant.
pub(super) const BEFORE: [&str; 8] = [
    "00-namespace.yaml",
    "01-services.yaml",
    "02-boundary.yaml",
    "03-partner.yaml",
    "04-dataset.yaml",
    "demo/05-contract.yaml",
    "demo/01-runtime-class.yaml",
    "07-people.yaml",
];

/// The grant, and its next versions.
const SANDBOX: &str = "demo/06-grant.yaml";
const REHEARSAL: &str = "demo/promotions/grant-2-rehearsal.yaml";
/// The last version of the grant.
pub(super) const PRODUCTION: &str = "demo/promotions/grant-3-production.yaml";

/// How long a stage may take to open, once it may.
pub(super) const OPEN_WITHIN: Duration = Duration::from_secs(20);

/// How long what somebody took away may be missing.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// What the story is told with.
pub(super) struct Story<'a> {
    /// Where it takes place.
    pub(super) target: &'a Target,
    /// The cluster, as its administrator sees it.
    pub(super) cluster: &'a Cluster,
    /// What is seen of the grant.
    pub(super) watching: &'a Watching,
    /// Where it is told.
    pub(super) ledger: &'a mut Ledger,
    /// The stages that were opened, and their namespaces.
    pub(super) namespaces: Vec<(Stage, String)>,
    /// The partner's workload, while it runs.
    #[cfg(target_os = "linux")]
    pub(super) live: Option<Live>,
}

/// A file of the example.
pub(super) fn example(file: &str) -> PathBuf {
    repository().join("examples/fraud-scoring").join(file)
}

impl Story<'_> {
    /// Tells it up to where production is open.
    pub(super) async fn promote(&mut self) -> Result<()> {
        self.ledger.screen().heading("Sandbox: made-up data");
        self.open(Stage::Sandbox, SANDBOX).await?;
        self.certificate(Stage::Sandbox).await;
        self.act(
            Stage::Sandbox,
            include_str!("tries/sandbox-may.yaml"),
            include_str!("tries/sandbox-not.yaml"),
        )
        .await?;
        self.ledger.screen().heading("Rehearsal: masked data, everything else as in production");
        self.forget().await?;
        self.open(Stage::Rehearsal, REHEARSAL).await?;
        self.rehearsed().await?;
        self.soak().await;
        self.act(
            Stage::Rehearsal,
            include_str!("tries/rehearsal-may.yaml"),
            include_str!("tries/rehearsal-not.yaml"),
        )
        .await?;
        self.ledger.screen().heading("Production: the real thing");
        self.consent().await?;
        self.open(Stage::Production, PRODUCTION).await?;
        #[cfg(target_os = "linux")]
        self.deploy().await?;
        self.isolation().await;
        self.act(
            Stage::Production,
            include_str!("tries/production-may.yaml"),
            include_str!("tries/production-not.yaml"),
        )
        .await?;
        self.drift().await;
        #[cfg(target_os = "linux")]
        self.runs().await;
        self.ledger.screen().heading("The contract changes under it");
        self.change().await;
        self.review().await
    }

    /// A stage that somebody acts in.
    pub(super) fn place(&self, stage: Stage) -> Place {
        Place { cluster: self.cluster.clone(), stage, namespaces: self.namespaces.clone() }
    }

    async fn act(&mut self, stage: Stage, may: &str, not: &str) -> Result<()> {
        self.place(stage).act(self.ledger, may, not).await
    }

    /// Applies the grant's next version, and awaits that the stage is open; checks the order in
    /// which it was made.
    async fn open(&mut self, stage: Stage, file: &str) -> Result<()> {
        let (cluster, watching) = (self.cluster, self.watching);
        let opened = async {
            cluster.apply(&example(file)).await?;
            let what = format!("{stage} to be open");
            watching.until(&what, OPEN_WITHIN, |seen| is_open(seen, stage)).await
        };
        let what = format!("{file} is applied: {stage} opens");
        let namespace = self.ledger.step(&what, opened).await?;
        self.namespaces.push((stage, namespace));
        let what = "everything that it is made of";
        let ordered = watching.until(what, BACK_WITHIN, |seen| check_order(seen, stage));
        let what = format!("{stage}: its end was recorded first, and the partner's binding came last");
        self.ledger.expect(&what, ordered).await;
        Ok(())
    }

    /// The workload's certificate ends with the stage, whatever happens to Comity.
    async fn certificate(&mut self, stage: Stage) {
        let watching = self.watching;
        let within = async {
            let seen = watching.seen();
            let end = seen.opening(stage).map(|opening| opening.end);
            let published = seen.certificates.iter().rev().find(|published| published.stage == stage);
            let (Some(published), Some(end)) = (published, end) else {
                unless(false, || "no certificate was published".to_owned())?;
                return Ok(String::new());
            };
            let certificate = &published.certificate;
            unless(certificate.not_after <= end, || format!("it ends at {}", certificate.not_after))?;
            unless(certificate.is_signed_by(&published.anchor)?, || "its anchor didn't sign it".to_owned())?;
            Ok(certificate.identity.clone())
        };
        let what = "comity sign gave the workload a certificate that doesn't outlive the stage";
        self.ledger.expect(what, within).await;
    }

    /// Asks for production at once, and is told what it waits for.
    async fn soak(&mut self) {
        let (cluster, watching) = (self.cluster, self.watching);
        let waits = async {
            cluster.apply(&example(PRODUCTION)).await?;
            let waiting = |seen: &Seen| {
                let ready = condition(seen, ConditionType::Ready).ok_or("no condition")?;
                // On a slow machine the soak is over by now: then people are asked already.
                let told = [Reason::WaitingForTime, Reason::ConsentPending].map(|reason| reason.to_string());
                if told.contains(&ready.reason) {
                    Ok(ready.message)
                } else {
                    Err(format!("{}: {}", ready.reason, ready.message))
                }
            };
            watching.until("the grant to say what it waits for", OPEN_WITHIN, waiting).await
        };
        let what = format!("{PRODUCTION} is applied too early: it waits, and says for what");
        self.ledger.expect(&what, waits).await;
    }

    /// Nothing made in the sandbox can act in production.
    async fn isolation(&mut self) {
        let watching = self.watching;
        let apart = async {
            let what = "production's certificate";
            let of = |seen: &Seen, stage: Stage| {
                let found = seen.certificates.iter().find(|published| published.stage == stage).cloned();
                found.ok_or_else(|| format!("{stage} has none"))
            };
            let both = |seen: &Seen| Ok((of(seen, Stage::Sandbox)?, of(seen, Stage::Production)?));
            let (sandbox, production) = watching.until(what, OPEN_WITHIN, both).await?;
            let trusted = sandbox.certificate.is_signed_by(&production.anchor)?;
            unless(!trusted, || "production's anchor vouches for the sandbox's certificate".to_owned())?;
            Ok("each stage has an authority of its own, which the others don't trust".to_owned())
        };
        self.ledger.expect("the sandbox's certificate is worth nothing in production", apart).await;
    }

    /// Somebody with every right takes the default deny away; it is back at once.
    async fn drift(&mut self) {
        let place = self.namespaces.last().map(|(_, namespace)| namespace.clone()).unwrap_or_default();
        let api = Api::<NetworkPolicy>::namespaced(self.cluster.client(), &place);
        let back = async {
            let old = api.get(name::DEFAULT_DENY).await?.uid();
            api.delete(name::DEFAULT_DENY, &DeleteParams::default()).await?;
            eventually("the default deny to be back", BACK_WITHIN, async || {
                let now = api.get(name::DEFAULT_DENY).await.map_err(|error| error.to_string())?;
                if now.uid() == old { Err("it isn't gone yet".to_owned()) } else { Ok(()) }
            })
            .await?;
            Ok(String::new())
        };
        self.ledger.expect("an administrator deletes the default-deny policy: it is put back", back).await;
    }
}

/// The namespace of a stage that is open, by the grant's status.
fn is_open(seen: &Seen, stage: Stage) -> Result<String, String> {
    let status = seen.grant.as_ref().and_then(|grant| grant.status.clone()).ok_or("no status")?;
    let opening = status.openings.iter().find(|opening| opening.stage == stage);
    let opened = opening.filter(|opening| opening.state == OpeningState::Open);
    let active = condition(seen, ConditionType::Active).is_some_and(|active| active.status == "True");
    match opened {
        Some(opening) if active && status.open_stages == [stage] => Ok(opening.namespace.0.clone()),
        _ => {
            let ready = condition(seen, ConditionType::Ready);
            Err(ready.map_or_else(|| "no condition".to_owned(), |ready| ready.message))
        }
    }
}

/// A condition of the grant, if it speaks of the spec that stands.
pub(super) fn condition(seen: &Seen, wanted: ConditionType) -> Option<Condition> {
    let grant = seen.grant.as_ref()?;
    let conditions = &grant.status.as_ref()?.conditions;
    let found = conditions.iter().find(|condition| condition.type_ == wanted.as_str())?;
    (found.observed_generation == grant.metadata.generation).then(|| found.clone())
}

/// Whether the end was recorded before anything was made, and the partner's binding was made last;
/// in which order everything was made.
fn check_order(seen: &Seen, stage: Stage) -> Result<String, String> {
    let recorded = seen.recorded(stage).ok_or("its end isn't recorded")?;
    // What lets `comity rehearse` in comes after all that it tries.
    let rehearser = format!("RoleBinding {}", name::REHEARSER_BINDING);
    let made = seen.deeds(stage, Deed::Made);
    let made: Vec<_> = made.into_iter().filter(|deed| deed.what != rehearser).collect();
    let (Some(first), Some(last)) = (made.first(), made.last()) else { return Err("nothing".to_owned()) };
    let binding = format!("RoleBinding {}", name::role_binding(ROLE.kebab()));
    if recorded >= first.version {
        return Err(format!("{} was made before the end was recorded", first.what));
    }
    if last.what != binding {
        return Err(format!("{} was made after {binding}", last.what));
    }
    Ok(in_order(&made))
}
