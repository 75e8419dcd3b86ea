//! Awaiting what becomes of an object.

use std::{fmt::Debug, time::Duration};

use kube::Api;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Result, eventually};

/// Awaits that `look` finds in an object what it looks for; its `Err` says what it saw instead.
pub async fn await_object<K, T>(
    api: &Api<K>,
    name: &str,
    what: &str,
    within: Duration,
    look: impl Fn(&K) -> Result<T, String>,
) -> Result<T>
where
    K: Clone + Debug + DeserializeOwned,
{
    eventually(&format!("{name}: {what}"), within, async || {
        let live = api.get(name).await.map_err(|error| error.to_string())?;
        look(&live)
    })
    .await
}

/// Awaits that a condition of an object has this status (`True`, `False`, `Unknown`) for its
/// newest generation, and returns the condition.
pub async fn await_condition<K>(
    api: &Api<K>,
    name: &str,
    condition: &str,
    status: &str,
    within: Duration,
) -> Result<Value>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    await_object(api, name, &format!("condition {condition}={status}"), within, |object| {
        let object = serde_json::to_value(object).map_err(|error| error.to_string())?;
        let generation = &object["metadata"]["generation"];
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|candidate| candidate["type"] == condition);
        match found {
            Some(found) if found["status"] == status && is_current(found, generation) => Ok(found.clone()),
            Some(found) => Err(format!("{found}, at generation {generation}")),
            None => Err(format!("no such condition in {conditions:?}")),
        }
    })
    .await
}

/// Awaits that an object is gone.
pub async fn await_gone<K>(api: &Api<K>, name: &str, within: Duration) -> Result<()>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    eventually(&format!("{name} to be gone"), within, async || match api.get_opt(name).await {
        Ok(None) => Ok(()),
        Ok(Some(object)) => Err(serde_json::to_string(&object).unwrap_or_default()),
        Err(error) => Err(error.to_string()),
    })
    .await
}

/// Whether a condition speaks of the generation that stands; one without generation does.
fn is_current(condition: &Value, generation: &Value) -> bool {
    let observed = &condition["observedGeneration"];
    observed.is_null() || observed == generation
}
