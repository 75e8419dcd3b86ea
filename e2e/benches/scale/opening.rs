//! Grants from apply to Active, seen by a watch that isn't Comity's.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    time::{Duration, Instant},
};

use comity::api::PartnerGrant;
use e2e::{Error, Explain as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};

use super::world::World;

/// How many grants are applied at once, as a pipeline would.
const APPLIED_AT_ONCE: usize = 8;

/// How long all of them may take.
const OPEN_WITHIN: Duration = Duration::from_secs(900);

/// A grant that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The grant's name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The namespace of its stage.
    pub namespace: String,
    /// The recorded end.
    pub ends: jiff::Timestamp,
    /// When it was applied, and seen Active, in seconds since the first was applied.
    pub applied: f64,
    /// See `applied`.
    pub active: f64,
}

/// Applies grants and awaits that every one is Active.
pub async fn open(world: &World, grants: &[PartnerGrant]) -> Result<Vec<Opened>> {
    let began = Instant::now();
    let create = async |grant: &PartnerGrant| {
        let applied = began.elapsed().as_secs_f64();
        let made = world.create(grant).await?;
        Ok::<_, Error>((made.name_any(), applied))
    };
    let applying = stream::iter(grants).map(create).buffered(APPLIED_AT_ONCE).try_collect::<HashMap<_, _>>();
    let watching = tokio::time::timeout(OPEN_WITHIN, watch(world, grants, began));
    let watching = async { watching.await.explain("await that all grants are Active")? };
    let (applied, mut opened) = tokio::try_join!(applying, watching)?;
    for grant in &mut opened {
        grant.applied = applied.get(&grant.name).copied().unwrap_or_default();
    }
    opened.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(opened)
}

/// Watches until every one of `grants` was seen Active.
async fn watch(world: &World, grants: &[PartnerGrant], began: Instant) -> Result<Vec<Opened>> {
    let mut awaited: HashSet<String> = grants.iter().map(kube::ResourceExt::name_any).collect();
    let mut seen = Vec::new();
    let mut changes =
        pin!(watcher(world.api(), watcher::Config::default()).default_backoff().applied_objects());
    while !awaited.is_empty() {
        let Some(grant) = changes.try_next().await.explain("watch the grants")? else { break };
        let Some(opened) = active(&grant, began) else { continue };
        if awaited.remove(&opened.name) {
            seen.push(opened);
        }
    }
    Ok(seen)
}

/// What is to be known of a grant that is Active.
fn active(grant: &PartnerGrant, began: Instant) -> Option<Opened> {
    let grant_value = serde_json::to_value(grant).ok()?;
    let status = &grant_value["status"];
    let conditions = status["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == "Active" && condition["status"] == "True")?;
    let opening = status["openings"].as_array()?.first()?;
    Some(Opened {
        name: grant.name_any(),
        uid: grant.uid()?,
        namespace: opening["namespace"].as_str()?.to_owned(),
        ends: opening["expiresAt"].as_str()?.parse().ok()?,
        applied: 0.0,
        active: began.elapsed().as_secs_f64(),
    })
}
