//! Objects as they are told of, or answered: one that can't be read is told of as such, instead of hiding
//! all others of its list, or what became of it.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor,
};
use serde_json::{Map, Value};

/// An object, or by what it is known if it can't be read.
#[derive(Clone, Debug)]
pub struct Readable<K>(pub Result<K, Unreadable>);

/// An object that can't be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// By what it is known.
    pub metadata: ObjectMeta,
    /// Why it can't be read.
    pub error: String,
}

/// Something that a watch told.
#[derive(Debug)]
pub enum News<K> {
    /// It begins to tell of everything anew.
    Begin,
    /// It has told of everything.
    End,
    /// An object is there, or was there when the watch began.
    There(K),
    /// An object is gone.
    Gone(K),
    /// An object is there and can't be read: what was known of it isn't so any more.
    Unreadable(Unreadable),
    /// An object is gone that couldn't be read.
    UnreadableGone(Unreadable),
}

impl<K> From<watcher::Event<Readable<K>>> for News<K> {
    fn from(event: watcher::Event<Readable<K>>) -> Self {
        match event {
            watcher::Event::Init => Self::Begin,
            watcher::Event::InitDone => Self::End,
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                object.0.map_or_else(Self::Unreadable, Self::There)
            }
            watcher::Event::Delete(object) => object.0.map_or_else(Self::UnreadableGone, Self::Gone),
        }
    }
}

impl Unreadable {
    /// Its namespace, and its name.
    pub fn key(&self) -> (String, String) {
        (self.metadata.namespace.clone().unwrap_or_default(), self.metadata.name.clone().unwrap_or_default())
    }

    /// As a store of its kind knows it.
    pub fn reference<K: Resource<DynamicType = ()>>(&self) -> ObjectRef<K> {
        let (namespace, name) = self.key();
        let reference = ObjectRef::new(&name);
        if namespace.is_empty() { reference } else { reference.within(&namespace) }
    }

    /// What is known of it, as an object.
    pub fn value(&self) -> Value {
        serde_json::json!({"metadata": self.metadata})
    }
}

/// Reads an answer of the API server. Why it can't be read isn't told in the words of the reader, which
/// quote what it stumbled over.
pub fn read<T: DeserializeOwned>(answer: &str) -> Result<T, kube::Error> {
    serde_json::from_str(answer).map_err(|_discarded| unread())
}

impl<K> Readable<K> {
    /// The object, where it can be read.
    pub fn found(self) -> Result<K, kube::Error> {
        self.0.map_err(|_discarded| unread())
    }
}

fn unread() -> kube::Error {
    kube::Error::SerdeError(serde::de::Error::custom("the answer can't be read"))
}

/// An object as JSON, without its `metadata.managedFields`, whatever they are.
///
/// Who set which field nobody here asks, and whoever may write an object may write there what can't be
/// read: a time beyond all time, or what is nested deeper than any reader goes. So they are passed over.
#[derive(Clone, Debug)]
pub struct Unmanaged(pub Value);

impl<'de> Deserialize<'de> for Unmanaged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Part::Object.deserialize(deserializer).map(Self)
    }
}

/// A part of an object that is read in a way of its own.
#[derive(Clone, Copy)]
enum Part {
    Object,
    Metadata,
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(field) = map.next_key::<String>()? {
            let value = match (self, field.as_str()) {
                (Self::Metadata, "managedFields") => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                (Self::Object, "metadata") => map.next_value_seed(Self::Metadata)?,
                _ => map.next_value()?,
            };
            read.insert(field, value);
        }
        Ok(Value::Object(read))
    }
}

/// A status is Comity's own word: without it, it is said anew.
impl<'de, K: DeserializeOwned> Deserialize<'de> for Readable<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unmanaged(mut value) = Unmanaged::deserialize(deserializer)?;
        let read = K::deserialize(&value).or_else(|error| {
            let had_status = value.as_object_mut().and_then(|fields| fields.remove("status"));
            had_status.and_then(|_| K::deserialize(&value).ok()).ok_or(error)
        });
        Ok(Self(read.map_err(|error| Unreadable { metadata: known_by(&value), error: error.to_string() })))
    }
}

/// By what an object is known, whatever else it says.
fn known_by(object: &Value) -> ObjectMeta {
    let metadata = &object["metadata"];
    let text = |field: &str| metadata[field].as_str().map(str::to_owned);
    ObjectMeta {
        name: text("name"),
        namespace: text("namespace"),
        uid: text("uid"),
        resource_version: text("resourceVersion"),
        generation: metadata["generation"].as_i64(),
        labels: Deserialize::deserialize(&metadata["labels"]).ok(),
        ..ObjectMeta::default()
    }
}

impl<K: Resource> Resource for Readable<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }

    fn group(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }

    fn version(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }

    fn plural(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut unreadable.metadata, K::meta_mut)
    }
}
