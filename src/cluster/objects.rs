//! What stands of the objects that Comity makes, by grant, and of namespaces and foreign
//! network policies. Fed by watches, and at once by what was just written.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::api::name;
use crate::plan::objects::{Key, Kind, Live, LiveObjects};

/// The objects that stand.
#[derive(Debug, Default)]
pub struct Objects {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What carries a grant's UID, by that UID.
    by_grant: HashMap<String, LiveObjects>,
    /// By namespace: the UID of the grant under which what is in it is kept.
    homes: HashMap<String, String>,
    /// The same for what is in a namespace where others have something too: at a dataset.
    guests: HashMap<Key, String>,
    /// Every namespace, by name.
    namespaces: BTreeMap<String, Live>,
    /// Network policies that isolate pods for ingress and aren't Comity's, by namespace.
    isolation: HashMap<String, BTreeMap<String, Isolation>>,
    /// UIDs of objects that were deleted and whose deletion a watch has yet to tell.
    buried: HashSet<String>,
    /// What a relist of a kind has told so far.
    relisted: HashMap<Kind, HashSet<Key>>,
}

/// A network policy that isolates pods for ingress.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Isolation {
    /// Labels that pods must have to be selected; `None` where the selector says more than that.
    pub match_labels: Option<BTreeMap<String, String>>,
}

impl Objects {
    /// Everything that carries this grant's UID.
    pub fn of_grant(&self, uid: &str) -> LiveObjects {
        self.read(|inner| inner.by_grant.get(uid).cloned().unwrap_or_default())
    }

    /// The namespaces that carry this grant's UID.
    pub fn places(&self, uid: &str) -> Vec<String> {
        self.read(|inner| {
            let all = inner.by_grant.get(uid).into_iter().flat_map(BTreeMap::keys);
            all.filter(|key| key.kind == Kind::Namespace).map(|key| key.name.clone()).collect()
        })
    }

    /// The namespaces of every stage of every grant.
    pub fn stages(&self) -> Vec<String> {
        self.read(|inner| {
            let all = inner.by_grant.values().flat_map(BTreeMap::keys);
            all.filter(|key| key.kind == Kind::Namespace).map(|key| key.name.clone()).collect()
        })
    }

    /// A namespace, whoever's it is.
    pub fn namespace(&self, name: &str) -> Option<Live> {
        self.read(|inner| inner.namespaces.get(name).cloned())
    }

    /// Whether anything is known of an object of that name, as far as it is Comity's or a namespace.
    pub fn is_known(&self, key: &Key) -> bool {
        self.read(|inner| inner.known(key).is_some())
    }

    /// The UIDs of all grants of which something is there.
    pub fn grants(&self) -> Vec<String> {
        self.read(|inner| inner.by_grant.keys().cloned().collect())
    }

    /// Whether pods with these labels are isolated for ingress by a policy that isn't Comity's.
    pub fn is_isolated(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        let selects = |isolation: &Isolation| {
            isolation
                .match_labels
                .as_ref()
                .is_some_and(|wanted| wanted.iter().all(|(label, value)| labels.get(label) == Some(value)))
        };
        self.read(|inner| {
            inner.isolation.get(namespace).is_some_and(|policies| policies.values().any(selects))
        })
    }

    /// Takes what a watch or a write has told of an object. Whether that was news: what is older than
    /// what is known is left, and what was just written is known when a watch tells of it.
    pub fn put(&self, kind: Kind, mut object: Value) -> bool {
        let Some(key) = key_of(kind, &object) else { return false };
        if kind == Kind::ConfigMap {
            forget_certificates(&mut object);
        }
        self.write(|inner| inner.put(key, object))
    }

    /// Takes that an object is gone.
    pub fn remove(&self, kind: Kind, object: &Value) {
        let Some(key) = key_of(kind, object) else { return };
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        self.write(|inner| {
            inner.buried.remove(uid);
            inner.forget(&key, Some(uid));
        });
    }

    /// Takes that an object was just deleted, before a watch tells.
    pub fn bury(&self, key: &Key, uid: &str) {
        self.write(|inner| {
            inner.buried.insert(uid.to_owned());
            inner.forget(key, Some(uid));
        });
    }

    /// A watch begins to tell of all objects of a kind anew.
    pub fn begin(&self, kind: Kind) {
        self.write(|inner| {
            inner.relisted.insert(kind, HashSet::new());
        });
    }

    /// A watch has told of all objects of a kind: what it didn't tell of is gone. Gives what that
    /// was, with its labels as far as they are known.
    pub fn end(&self, kind: Kind) -> Vec<(Key, BTreeMap<String, String>)> {
        let mut gone = Vec::new();
        self.write(|inner| {
            let Some(told) = inner.relisted.remove(&kind) else { return };
            let owned = inner.by_grant.values().flat_map(BTreeMap::keys);
            let owned = owned.filter(|key| key.kind == kind).cloned();
            let known: BTreeSet<Key> = owned.chain(inner.foreign(kind)).collect();
            for key in known.into_iter().filter(|key| !told.contains(key)) {
                let labels = inner.known(&key).map(|live| live.labels.as_ref().clone()).unwrap_or_default();
                inner.forget(&key, None);
                gone.push((key, labels));
            }
        });
        gone
    }

    fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn put(&mut self, key: Key, object: Value) -> bool {
        if let Some(told) = self.relisted.get_mut(&key.kind) {
            told.insert(key.clone());
        }
        let grant = label(&object, name::LABEL_GRANT_UID);
        if key.kind == Kind::NetworkPolicy {
            self.note_isolation(&key, Some(&object).filter(|_| grant.is_none()));
        }
        let mut live = Live::from_value(object);
        if self.buried.contains(&live.uid) && !live.terminating {
            return false;
        }
        let known = self.known(&key);
        if known.is_some_and(|known| known.uid == live.uid && known.version > live.version) {
            return false;
        }
        let is_news = known.is_none_or(|known| !known.says_the_same(&live));
        if let Some(grant) = &grant {
            live.labels = self.shared(grant, live.labels);
        }
        if key.kind == Kind::Namespace {
            self.namespaces.insert(key.name.clone(), live.clone());
        }
        if self.owner(&key).is_some_and(|owner| grant.as_ref() != Some(owner)) {
            self.disown(&key);
        }
        if let Some(grant) = grant {
            self.own(grant, key, live);
        }
        is_news
    }

    /// These labels as another object of the grant has them already, if one has.
    fn shared(&self, grant: &str, labels: Arc<BTreeMap<String, String>>) -> Arc<BTreeMap<String, String>> {
        let others = self.by_grant.get(grant).into_iter().flat_map(BTreeMap::values);
        others.map(|live| &live.labels).find(|known| **known == labels).map_or(labels, Arc::clone)
    }

    /// Keeps an object under a grant that no other one has.
    fn own(&mut self, grant: String, key: Key, live: Live) {
        if *self.homes.entry(key.namespace.clone()).or_insert_with(|| grant.clone()) != grant {
            self.guests.insert(key.clone(), grant.clone());
        }
        self.by_grant.entry(grant).or_default().insert(key, live);
    }

    /// The UID of the grant under which an object is kept.
    fn owner(&self, key: &Key) -> Option<&String> {
        let has = |grant: &&String| self.by_grant.get(*grant).is_some_and(|all| all.contains_key(key));
        self.guests.get(key).or_else(|| self.homes.get(&key.namespace)).filter(has)
    }

    /// What is known of an object.
    fn known(&self, key: &Key) -> Option<&Live> {
        let owned = self.owner(key).and_then(|grant| self.by_grant.get(grant)?.get(key));
        owned.or_else(|| self.namespaces.get(&key.name).filter(|_| key.kind == Kind::Namespace))
    }

    fn forget(&mut self, key: &Key, uid: Option<&str>) {
        if key.kind == Kind::Namespace
            && let Some(known) = self.namespaces.get(&key.name)
            && uid.is_none_or(|uid| uid == known.uid)
        {
            self.namespaces.remove(&key.name);
        }
        if key.kind == Kind::NetworkPolicy
            && let Some(policies) = self.isolation.get_mut(&key.namespace)
        {
            policies.remove(&key.name);
        }
        let known = self.owner(key).and_then(|grant| self.by_grant.get(grant)?.get(key));
        if known.is_some_and(|known| uid.is_none_or(|uid| uid == known.uid)) {
            self.disown(key);
        }
    }

    fn disown(&mut self, key: &Key) {
        let Some(grant) = self.owner(key).cloned() else { return };
        let is_guest = self.guests.remove(key).is_some();
        let Some(all) = self.by_grant.get_mut(&grant) else { return };
        all.remove(key);
        let is_left = |other: &Key| other.namespace == key.namespace && !self.guests.contains_key(other);
        if !is_guest && !all.keys().any(is_left) {
            self.homes.remove(&key.namespace);
        }
        if all.is_empty() {
            self.by_grant.remove(&grant);
        }
    }

    /// What is known of a kind and isn't Comity's.
    fn foreign(&self, kind: Kind) -> Vec<Key> {
        let key = |namespace: &str, name: &str| Key {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let keys: Vec<Key> = match kind {
            Kind::Namespace => self.namespaces.keys().map(|name| key(name, name)).collect(),
            Kind::NetworkPolicy => {
                let all = self.isolation.iter();
                all.flat_map(|(place, policies)| policies.keys().map(|name| key(place, name))).collect()
            }
            _ => Vec::new(),
        };
        keys.into_iter().filter(|key| self.owner(key).is_none()).collect()
    }

    /// Keeps whom a policy that isn't Comity's isolates for ingress; `None`: it is Comity's.
    fn note_isolation(&mut self, key: &Key, policy: Option<&Value>) {
        let isolates = |policy: &&Value| {
            let types = policy.pointer("/spec/policyTypes").and_then(Value::as_array);
            types.is_none_or(|types| types.iter().any(|kind| kind == "Ingress"))
        };
        let Some(policy) = policy.filter(isolates) else {
            if let Some(policies) = self.isolation.get_mut(&key.namespace) {
                policies.remove(&key.name);
            }
            return;
        };
        let selector = policy.pointer("/spec/podSelector").cloned().unwrap_or_default();
        let says_more = selector.get("matchExpressions").is_some();
        let labels =
            selector.get("matchLabels").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let match_labels = if says_more { None } else { serde_json::from_value(labels).ok() };
        let policies = self.isolation.entry(key.namespace.clone()).or_default();
        policies.insert(key.name.clone(), Isolation { match_labels });
    }
}

/// Keeps of what `comity sign` published which certificates there are, and why it refuses any: the
/// certificates themselves `comity run` never looks at.
fn forget_certificates(published: &mut Value) {
    let data = published.get_mut("data").and_then(Value::as_object_mut);
    let published = data.into_iter().flatten().filter(|(name, _)| *name != name::TRUST_REFUSED);
    published.for_each(|(_, certificate)| *certificate = Value::from(""));
}

fn label(object: &Value, label: &str) -> Option<String> {
    object.get("metadata")?.get("labels")?.get(label)?.as_str().map(str::to_owned)
}

fn key_of(kind: Kind, object: &Value) -> Option<Key> {
    let metadata = object.get("metadata")?;
    let name = metadata.get("name")?.as_str()?.to_owned();
    let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or(&name).to_owned();
    Some(Key { kind, namespace, name })
}

#[cfg(test)]
mod tests;
