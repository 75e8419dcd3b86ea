//! Acts spread evenly over time, and how long each takes until its effect is seen.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
    pin::pin,
    time::Duration,
};

use e2e::{Error, Explain as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, interval_at, timeout};

/// How long after its beginning a watch has seen what there was before.
const LEAD: Duration = Duration::from_secs(2);

/// How long after the last act its effect may take before the watcher gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Does `act` for each of these names, one every `gap`: milliseconds from the beginning of each until
/// `effect` finds its name in an object that a watch tells of, in rising order.
pub async fn until_seen<K>(
    api: Api<K>,
    names: &[String],
    gap: Duration,
    act: impl AsyncFn(&str) -> Result<()>,
    effect: impl Fn(&K) -> Option<String>,
) -> Result<Vec<f64>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let began = Instant::now();
    let acting = async |name: &str| {
        let sent = Instant::now();
        act(name).await?;
        Ok((name.to_owned(), sent))
    };
    let long = LEAD + gap * u32::try_from(names.len()).unwrap_or(u32::MAX) + PATIENCE;
    let watching = timeout(long, watch(api, names, began + LEAD, effect));
    let watching = async { watching.await.explain("await every effect")? };
    let (acted, seen) = tokio::try_join!(evenly(names, gap, began + LEAD, acting), watching)?;
    let mut late = Vec::new();
    for (name, sent) in acted {
        let seen =
            seen.get(&name).ok_or_else(|| Error::Failed(format!("nobody saw what became of {name}")))?;
        late.push(seen.saturating_duration_since(sent).as_secs_f64() * 1000.0);
    }
    late.sort_by(f64::total_cmp);
    Ok(late)
}

/// Does `act` for each of these names, one every `gap` from `first` on.
pub async fn evenly<T>(
    names: &[String],
    gap: Duration,
    first: Instant,
    act: impl AsyncFn(&str) -> Result<T>,
) -> Result<Vec<T>> {
    let act = &act;
    let acts = (0_u32..).zip(names).map(|(number, name)| async move {
        interval_at(first + gap * number, gap).tick().await;
        act(name).await
    });
    stream::iter(acts).buffer_unordered(names.len().max(1)).try_collect().await
}

/// When each name was seen first. What is there before anybody acts is no effect.
async fn watch<K>(
    api: Api<K>,
    names: &[String],
    first: Instant,
    effect: impl Fn(&K) -> Option<String>,
) -> Result<HashMap<String, Instant>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut awaited: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut seen = HashMap::new();
    let mut changes = pin!(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
    while !awaited.is_empty() {
        let Some(object) = changes.try_next().await.explain("watch for effects")? else { break };
        let Some(name) = effect(&object) else { continue };
        if awaited.remove(name.as_str()) {
            if Instant::now() < first {
                return Err(Error::Failed(format!("{name} was as wanted before anybody acted")));
            }
            seen.insert(name, Instant::now());
        }
    }
    Ok(seen)
}
