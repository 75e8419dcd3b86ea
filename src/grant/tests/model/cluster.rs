//! What the API server does with a request, as its own rules and Comity's admission policies have it,
//! and what the other controllers do. Everything here is a function of what stands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::api::name;
use crate::grant::check::Doomed;
use crate::journal::append::Entry;
use crate::plan::objects::{Key, Kind, Live, LiveObjects, Wanted};

/// One request of `comity run`.
#[derive(Clone, Debug)]
pub enum Request {
    /// Puts the finalizer on, or takes it off.
    Finalizer(bool),
    Record(Box<Entry>),
    CreateNamespace(Wanted),
    Apply(Wanted),
    Delete(Doomed),
    /// Looks for pods, or deletes them. No partner's pod is in this world, so none is left.
    Pods(String),
}

/// Why the API server refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused;

/// What stands after a request that is about an object. `stale` is what a stopped process holds: what
/// is made anew is told by its UID from what that one knows.
pub fn change(
    live: &LiveObjects,
    request: &Request,
    stale: Option<&LiveObjects>,
) -> Result<LiveObjects, Refused> {
    let mut after = live.clone();
    match request {
        Request::CreateNamespace(wanted) if live.contains_key(&wanted.key) => return Err(Refused),
        Request::Apply(wanted) if !is_admitted(live, wanted) => return Err(Refused),
        Request::CreateNamespace(wanted) | Request::Apply(wanted) => store(&mut after, wanted, stale),
        Request::Delete(doomed) => delete(&mut after, doomed),
        Request::Finalizer(_) | Request::Record(_) | Request::Pods(_) => {}
    }
    Ok(after)
}

/// Whether the API server lets an object be applied: never where its namespace is closing, nothing
/// new where it is going, and a namespace that is closing stays so (the cage).
fn is_admitted(live: &LiveObjects, wanted: &Wanted) -> bool {
    let place = live.get(&Key::namespace(&wanted.key.namespace));
    let is_closing = |live: &Live| live.label(name::LABEL_CLOSING).is_some();
    if wanted.key.kind == Kind::Namespace {
        let labels = &wanted.body["metadata"]["labels"];
        return place.is_none_or(|place| !is_closing(place) || labels.get(name::LABEL_CLOSING).is_some());
    }
    if !wanted.key.namespace.starts_with("comity-") {
        return true;
    }
    let is_new = !live.contains_key(&wanted.key);
    place.is_some_and(|place| !(is_closing(place) || place.terminating && is_new))
}

fn store(live: &mut LiveObjects, wanted: &Wanted, stale: Option<&LiveObjects>) {
    let known = live.get(&wanted.key);
    let remembered = stale.and_then(|stale| stale.get(&wanted.key)).map(|live| live.uid.as_str());
    let fresh = if remembered == Some("first") { "second" } else { "first" };
    let uid = known.map_or_else(|| fresh.to_owned(), |known| known.uid.clone());
    let terminating = known.is_some_and(|known| known.terminating);
    let mut body = wanted.body.clone();
    // What others say of it stays.
    if let Some(status) = known.and_then(|known| known.value().get("status").cloned()) {
        body["status"] = status;
    }
    body["metadata"]["uid"] = json!(uid);
    body["metadata"]["resourceVersion"] = json!("1");
    live.insert(wanted.key.clone(), Live { terminating, ..Live::from_value(body) });
}

/// Deletes an object if it is still the one that is meant. A namespace takes its time.
fn delete(live: &mut LiveObjects, doomed: &Doomed) {
    let Some(found) = live.get_mut(&doomed.key).filter(|found| found.uid == doomed.uid) else { return };
    if doomed.key.kind == Kind::Namespace {
        found.terminating = true;
    } else {
        live.remove(&doomed.key);
    }
}

/// What stands once the namespace controller and `comity sign` have done theirs, and then, once those
/// have nothing to do, the quota controller.
pub fn others_act(live: &LiveObjects) -> LiveObjects {
    let is_ending = |(key, live): &(&Key, &Live)| key.kind == Kind::Namespace && live.terminating;
    let ending: BTreeSet<String> = live.iter().filter(is_ending).map(|(key, _)| key.name.clone()).collect();
    let stays = live.iter().filter(|(key, _)| !ending.contains(&key.namespace));
    let mut after: LiveObjects = stays.map(|(key, live)| (key.clone(), live.clone())).collect();
    sign(&mut after);
    if after != *live {
        return after;
    }
    for (_, quota) in after.iter_mut().filter(|(key, _)| key.kind == Kind::ResourceQuota) {
        let mut body = quota.value();
        if body["status"]["hard"] != body["spec"]["hard"] {
            body["status"]["hard"] = body["spec"]["hard"].clone();
            quota.body = body.to_string().into();
        }
    }
    after
}

/// Publishes certificates where a stage's namespace isn't closing, and takes them back where it is.
fn sign(live: &mut LiveObjects) {
    let places = live.iter().filter(|(key, _)| key.kind == Kind::Namespace);
    let places: BTreeMap<String, bool> =
        places.map(|(key, live)| (key.name.clone(), live.label(name::LABEL_CLOSING).is_some())).collect();
    for (place, closing) in places {
        let (namespace, called) = (place.clone(), name::TRUST_CONFIG_MAP.to_owned());
        let trust = Key { kind: Kind::ConfigMap, namespace, name: called };
        let has_accounts = live.keys().any(|key| key.namespace == place && key.kind == Kind::ServiceAccount);
        if closing {
            live.remove(&trust);
        } else if has_accounts && !live.contains_key(&trust) {
            let data = json!({"ca.crt": "anchor", name::trust_key("scorer"): "chain"});
            let metadata =
                json!({"name": trust.name, "namespace": place, "uid": "first", "resourceVersion": "1"});
            let body: Value = json!({"metadata": metadata, "data": data});
            live.insert(trust, Live::from_value(body));
        }
    }
}

impl Request {
    /// The request in a few words.
    pub fn word(&self) -> String {
        let object = |key: &Key| {
            let place = key.namespace.rsplit('-').nth(1).unwrap_or_default();
            if key.kind == Kind::Namespace {
                format!("the namespace of {place}")
            } else {
                format!("{} {} in {place}", key.kind.api().kind, key.name)
            }
        };
        match self {
            Self::Finalizer(true) => "puts the finalizer on".to_owned(),
            Self::Finalizer(false) => "takes the finalizer off".to_owned(),
            Self::Record(entry) => {
                let stage = entry.stage.as_ref().map(|(stage, _)| format!(" {stage}")).unwrap_or_default();
                let why = entry.reason.map(|reason| format!(" ({reason:?})")).unwrap_or_default();
                format!("records {}{stage}{why}", entry.event.as_str())
            }
            Self::CreateNamespace(wanted) => format!("creates {}", object(&wanted.key)),
            Self::Apply(wanted) if wanted.key.kind == Kind::Namespace => {
                let labels = &wanted.body["metadata"]["labels"];
                let closing = if labels.get(name::LABEL_CLOSING).is_some() { ", closing" } else { "" };
                let gate = labels[name::LABEL_PODS].as_str().unwrap_or_default().to_owned();
                format!("sets the gate of {}: {gate}{closing}", object(&wanted.key))
            }
            Self::Apply(wanted) => format!("applies {}", object(&wanted.key)),
            Self::Delete(doomed) => format!("deletes {}", object(&doomed.key)),
            Self::Pods(_) => "looks for pods".to_owned(),
        }
    }
}
