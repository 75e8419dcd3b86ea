//! One contract narrowed under grants that are live: until every stage has the narrowed objects, seen
//! by watches that aren't Comity's, beside a bare loop that changes the same objects alike.

use std::{
    collections::HashMap,
    fmt::Debug,
    time::{Duration, Instant},
};

use comity::api::{SharingContract, Stage};
use e2e::{Comity, Error, Explain as _, Result};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::{core::v1::ResourceQuota, networking::v1::NetworkPolicy};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};

use super::{
    floor,
    processor::Times,
    recorded,
    world::{NAMESPACE, World, contract_names},
};

/// How long every object may take to be seen as it should be.
const WITHIN: Duration = Duration::from_secs(300);

/// How many pods a stage may have less.
const FEWER_PODS: &str = "9";

/// How long it took, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Narrowing {
    /// From the change of the contract until every stage has the narrowed objects.
    pub comity: f64,
    /// From the bare loop's first request until every stage has them.
    pub bare: f64,
    /// How many requests the bare loop sent for that.
    pub requests: usize,
    /// What each process took, by Comity and by the bare loop.
    pub processor: [Times; 2],
}

/// Narrows the contract of the grants whose rehearsals are open here, and puts everything back.
pub async fn measure(
    world: &World,
    comity: &Comity,
    batch: &str,
    places: &[String],
    workers: usize,
) -> Result<Narrowing> {
    let mut sight = Sight::begin(world, places);
    sight.await_all(false).await?;
    let before = Times::read(&world.admin, Some(comity))?;
    let since = Timestamp::now();
    let began = Instant::now();
    change(world, batch, places.len(), "None", FEWER_PODS).await?;
    sight.await_all(true).await?;
    let seconds = began.elapsed().as_secs_f64();
    let processor = Times::read(&world.admin, Some(comity))?.since(before);
    let loads = recorded::changes(&world.admin, places, since)?;
    change(world, batch, places.len(), "Cluster", "10").await?;
    sight.await_all(false).await?;
    super::stop(comity).await?;
    let before = Times::read(&world.admin, None)?;
    let began = Instant::now();
    let floor = floor::send_all(world, loads, workers).await?;
    sight.await_all(true).await?;
    let bare = began.elapsed().as_secs_f64();
    let processor = [processor, Times::read(&world.admin, None)?.since(before)];
    // Whoever changes these objects, Comity puts them back.
    super::start(comity).await?;
    sight.await_all(false).await?;
    Ok(Narrowing { comity: seconds, bare, requests: floor.requests, processor })
}

/// Changes the contract that the grants of a batch are under: whether names are resolved, and how many
/// pods a rehearsal may have.
async fn change(world: &World, batch: &str, grants: usize, dns: &str, pods: &str) -> Result<()> {
    let contracts: Api<SharingContract> = Api::namespaced(world.admin.client(), NAMESPACE);
    for name in contract_names(batch, grants) {
        let contract = serde_json::to_value(contracts.get(&name).await?)?;
        let mut stages = contract["spec"]["stages"].clone();
        let rehearsal = stages.as_array_mut().into_iter().flatten();
        for stage in rehearsal.filter(|stage| stage["stage"] == json!(Stage::Rehearsal)) {
            stage["quota"]["hard"]["pods"] = json!(pods);
        }
        let change = json!({"spec": {"destination": {"dns": dns}, "stages": stages}});
        contracts.patch(&name, &PatchParams::default(), &Patch::Merge(change)).await?;
    }
    Ok(())
}

/// What is seen: of an object in a namespace whether it is narrowed.
type Seen = ((String, &'static str), bool);

/// All that is looked at, as watches tell of it.
struct Sight {
    narrowed: HashMap<(String, &'static str), Option<bool>>,
    told: UnboundedReceiver<Seen>,
    watches: Vec<JoinHandle<()>>,
}

impl Sight {
    /// Begins to look at these namespaces.
    fn begin(world: &World, places: &[String]) -> Self {
        let (tell, told) = unbounded_channel();
        let objects = ["path", "quota"];
        let of_each = |place: &String| objects.map(|object| ((place.clone(), object), None));
        let narrowed = places.iter().flat_map(of_each).collect();
        let client = world.admin.client();
        let paths = Api::<NetworkPolicy>::all(client.clone());
        let quotas = Api::<ResourceQuota>::all(client);
        let watches = vec![
            tokio::spawn(watch(paths, "comity-allow-dns", "path", |_| false, tell.clone())),
            tokio::spawn(watch(quotas, "comity", "quota", has_fewer_pods, tell)),
        ];
        Self { narrowed, told, watches }
    }

    /// Awaits that every object is narrowed, or that none is.
    async fn await_all(&mut self, narrowed: bool) -> Result<()> {
        timeout(WITHIN, self.look_until(narrowed)).await.explain(format!("await narrowed={narrowed}"))?
    }

    async fn look_until(&mut self, narrowed: bool) -> Result<()> {
        let mut awaited = self.narrowed.values().filter(|seen| **seen != Some(narrowed)).count();
        while awaited > 0 {
            let told = self.told.recv().await;
            let (object, is_narrowed) = told.ok_or_else(|| Error::Failed("a watch has ended".to_owned()))?;
            let Some(seen) = self.narrowed.get_mut(&object) else { continue };
            let before = seen.replace(is_narrowed) == Some(narrowed);
            awaited = awaited + usize::from(before) - usize::from(is_narrowed == narrowed);
        }
        Ok(())
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

fn has_fewer_pods(quota: &ResourceQuota) -> bool {
    let hard = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
    hard.and_then(|hard| hard.get("pods")).is_some_and(|pods| pods.0 == FEWER_PODS)
}

/// Tells of every object of that name, everywhere, whether it is narrowed; one that is gone is.
async fn watch<K>(
    api: Api<K>,
    name: &'static str,
    object: &'static str,
    is_narrowed: impl Fn(&K) -> bool + Send,
    tell: UnboundedSender<Seen>,
) where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let named = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut changes = Box::pin(watcher(api, named).default_backoff());
    while let Ok(Some(change)) = changes.try_next().await {
        let (found, narrowed) = match &change {
            watcher::Event::Apply(found) | watcher::Event::InitApply(found) => (found, is_narrowed(found)),
            watcher::Event::Delete(found) => (found, true),
            watcher::Event::Init | watcher::Event::InitDone => continue,
        };
        let place = found.namespace().unwrap_or_default();
        if tell.send(((place, object), narrowed)).is_err() {
            break;
        }
    }
}
