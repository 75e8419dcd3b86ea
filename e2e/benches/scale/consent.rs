//! What people decide, and how soon it holds: an approval until it is in the journal, a commit until
//! what it asks for is open, a quarantine until a SubjectAccessReview says no.

use std::{collections::HashMap, time::Duration};

use comity::api::grant::{OpeningState, OpeningStatus};
use comity::api::record::RecordEvent;
use comity::api::{GrantDecision, GrantRecord, PartnerGrant, Stage, decision::DecisionAction};
use e2e::{
    Cluster, Error, Explain as _, Result,
    cluster::identity::service_account_user,
    comity::people::{Decider, OLGA, PER},
    eventually,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::time::{Instant, interval, timeout};

use super::{
    spread,
    world::{NAMESPACE, World},
};

/// How much time passes from one decision to the next: shorter, and throughput is measured too.
pub const DECIDED_EVERY: Duration = Duration::from_millis(400);

/// How much time passes from one commit to the next. Each opens a stage and clears another one, in which
/// Kubernetes looks for every kind that there is: sooner, and only that would be measured.
pub const PROMOTED_EVERY: Duration = Duration::from_millis(1200);

/// How long all rehearsals may take to open, and to be tried.
const OPEN_WITHIN: Duration = Duration::from_secs(900);

/// How many approvals are given at once where nobody measures them.
const AT_ONCE: usize = 8;

/// How often it is asked whether access is over; one look takes about as long.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long access may go on after it was quarantined before the watcher gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was measured of each act, in milliseconds and in rising order.
#[derive(Clone, Debug, Default)]
pub struct Consent {
    /// From the last approval that is missing until it is in the journal.
    pub approval: Vec<f64>,
    /// From the commit until Production is open.
    pub promotion: Vec<f64>,
    /// From a quarantine until a SubjectAccessReview says no.
    pub quarantine: Vec<f64>,
}

/// Measures each act, for each of the grants whose names begin with `batch` and a rehearsal is open.
pub async fn measure(world: &World, batch: &str, count: usize) -> Result<Consent> {
    rehearsing(world, batch, count).await?;
    let grants = grants(world, batch).await?;
    let names: Vec<String> = grants.keys().cloned().collect();
    let [olga, per] = [deciding(world, OLGA)?, deciding(world, PER)?];
    let agree = async |(decider, api): (Decider, Api<GrantDecision>), name: &str| {
        decide(&api, decider.approval(&grants[name], Stage::Production)?).await
    };
    let first = |name| agree((OLGA, olga.clone()), name);
    stream::iter(&names).map(|name| first(name)).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
    let records = Api::<GrantRecord>::namespaced(world.cluster.client(), NAMESPACE);
    let last = async |name: &str| agree((PER, per.clone()), name).await;
    let approval = spread::until_seen(records, &names, DECIDED_EVERY, last, agreed).await?;

    let promoted = |grant: &PartnerGrant| opened(grant, Stage::Production).map(|_| grant.name_any());
    let commit = async |name: &str| {
        let commit = Patch::Merge(json!({"spec": {"stage": Stage::Production}}));
        world.api().patch(name, &PatchParams::default(), &commit).await?;
        Ok(())
    };
    let promotion = spread::until_seen(world.api(), &names, PROMOTED_EVERY, commit, promoted).await?;
    let quarantine = quarantine(world, batch, &names).await?;
    Ok(Consent { approval, promotion, quarantine })
}

/// Awaits that the rehearsal of each grant is open and tried, and nothing is left of what came before: the
/// names of the namespaces.
pub async fn rehearsing(world: &World, batch: &str, count: usize) -> Result<Vec<String>> {
    let places = eventually("every rehearsal to be open", OPEN_WITHIN, async || {
        let grants = grants(world, batch).await.map_err(|error| error.to_string())?;
        let open = grants.values().filter_map(agreed_rehearsal);
        let places: Vec<String> = open.map(|opening| opening.namespace.0.clone()).collect();
        if places.len() == count { Ok(places) } else { Err(format!("{} of {count}", places.len())) }
    })
    .await?;
    world.await_one_namespace_each(batch, count).await?;
    Ok(places)
}

/// The rehearsal of a grant, where it is open for just what its status says is asked for, and was tried: what
/// people agree to is that.
fn agreed_rehearsal(grant: &PartnerGrant) -> Option<&OpeningStatus> {
    let asked = grant.status.as_ref()?.request_digest.as_ref()?;
    opened(grant, Stage::Rehearsal).filter(|opening| opening.digest == *asked && holds(grant, "Rehearsed"))
}

/// The grants as they stand, by name.
async fn grants(world: &World, batch: &str) -> Result<HashMap<String, PartnerGrant>> {
    let all = world.api().list(&ListParams::default()).await?;
    let named = all.items.into_iter().map(|grant| (grant.name_any(), grant));
    Ok(named.filter(|(name, _)| name.starts_with(batch)).collect())
}

/// Decisions, as one person makes them, with one client.
fn deciding(world: &World, decider: Decider) -> Result<Api<GrantDecision>> {
    let own = world.admin.as_user(decider.name, &[decider.group])?;
    Ok(Api::namespaced(own.client(), NAMESPACE))
}

async fn decide(api: &Api<GrantDecision>, decision: GrantDecision) -> Result<()> {
    api.create(&PostParams::default(), &decision).await?;
    Ok(())
}

/// The grant of which a record says that the last approval was given.
fn agreed(record: &GrantRecord) -> Option<String> {
    let decision = record.spec.decision.as_ref()?;
    let is_last = record.spec.event == RecordEvent::Approved && decision.by == PER.name;
    is_last.then(|| record.spec.grant.name.0.clone())
}

/// The opening of a stage, where the grant is Active and it is open.
fn opened(grant: &PartnerGrant, stage: Stage) -> Option<&OpeningStatus> {
    let status = grant.status.as_ref().filter(|_| holds(grant, "Active"))?;
    status.openings.iter().find(|opening| opening.stage == stage && opening.state == OpeningState::Open)
}

/// Whether a condition of a grant is true.
fn holds(grant: &PartnerGrant, condition: &str) -> bool {
    let mut conditions = grant.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|found| found.type_ == condition && found.status == "True")
}

/// Quarantines each of the grants, one after the other.
async fn quarantine(world: &World, batch: &str, names: &[String]) -> Result<Vec<f64>> {
    let grants = grants(world, batch).await?;
    let api = deciding(world, OLGA)?;
    let act = async |name: &str| {
        let grant = &grants[name];
        let opening = opened(grant, Stage::Production)
            .ok_or_else(|| Error::Failed(format!("{name} isn't open any more")))?;
        let user = service_account_user(&opening.namespace.0, "role-model-engineer");
        let seen = over(&world.cluster, &user, &opening.namespace.0);
        if !world.cluster.can(&user, "get", "pods", Some(&opening.namespace.0)).await? {
            return Err(Error::Failed(format!("{name} couldn't be used before it was quarantined")));
        }
        let began = Instant::now();
        let decision = OLGA.decision(grant, DecisionAction::Quarantine);
        let seen = async { timeout(PATIENCE, seen).await.explain(format!("await the end of {name}"))? };
        let ((), seen) = tokio::try_join!(decide(&api, decision), seen)?;
        Ok(seen.duration_since(began).as_secs_f64() * 1000.0)
    };
    let mut late = spread::evenly(names, DECIDED_EVERY, Instant::now(), act).await?;
    late.sort_by(f64::total_cmp);
    Ok(late)
}

/// When access was over.
async fn over(cluster: &Cluster, user: &str, namespace: &str) -> Result<Instant> {
    let mut looks = interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        if !cluster.can(user, "get", "pods", Some(namespace)).await? {
            return Ok(Instant::now());
        }
    }
}
