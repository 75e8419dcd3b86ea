//! One side of a comparison: every object in some files that can be compared, and where each stands. Pure but for
//! reading the files.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::object::{Object, ObjectError};
use crate::api::name::LABEL_NAMESPACE_NAME;
use crate::api::{SharingBoundary, SharingContract};
use crate::cli::files::document::{Document, documents};
use crate::cli::files::each::each;
use crate::cli::files::place::{Map, Place};
use crate::cli::files::read::{Source, sources};
use crate::cli::files::world::Identity;
use crate::policy::boundary::matching;

/// How files are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    /// Whether folders in a folder are looked into.
    pub(super) recursive: bool,
    /// The namespace of objects that name none.
    pub(super) namespace: &'a str,
}

/// An object that can be compared.
#[derive(Debug)]
pub(super) struct Entry {
    /// Which one it is.
    pub(super) identity: Identity,
    /// Which of its side's documents it is.
    pub(super) document: usize,
    /// What it says.
    pub(super) object: Object,
}

/// Everything in some files.
#[derive(Debug, Default)]
pub(super) struct Side {
    sources: Vec<Source>,
    documents: Vec<Document>,
    /// What can be compared, in the order of the files.
    pub(super) entries: Vec<Entry>,
    /// Where among those each is.
    places: BTreeMap<Identity, usize>,
    /// The labels of the namespaces that are among the files.
    labels: BTreeMap<String, BTreeMap<String, String>>,
}

impl Side {
    /// What is in a file, in a folder, or comes from standard input. What is wrong is told with the file's name.
    pub(super) fn read(path: &Path, reading: Reading<'_>) -> Result<Self, String> {
        Self::of(sources(&[path.to_owned()], reading.recursive)?, reading.namespace)
    }

    /// What some texts hold.
    pub(super) fn of(sources: Vec<Source>, namespace: &str) -> Result<Self, String> {
        let (documents, unreadable) = documents(&sources);
        let name = |source: usize| sources.get(source).map_or("", |source| source.name.as_str());
        if let Some(fault) = unreadable.first() {
            return Err(format!("{}:{}:{}: {}", name(fault.source), fault.line, fault.column, fault.message));
        }
        let read = each(&documents, || (), |(), document| Object::of(&document.value));
        let mut side = Self { labels: labels(&documents), ..Self::default() };
        let mut other = None;
        for (index, (found, document)) in read.into_iter().zip(&documents).enumerate() {
            match found {
                Ok(object) => {
                    let identity = object.identity(namespace);
                    if side.places.insert(identity.clone(), side.entries.len()).is_some() {
                        return Err(format!(
                            "{}: {identity} is given twice: give it once",
                            name(document.source)
                        ));
                    }
                    side.entries.push(Entry { identity, document: index, object });
                }
                // Beside what is shared stand a namespace, bindings, and whatever else is applied with it.
                Err(error @ ObjectError::Kind(_)) => {
                    other.get_or_insert_with(|| format!("{}: {error}", name(document.source)));
                }
                Err(error) => return Err(format!("{}: {error}", name(document.source))),
            }
        }
        if side.entries.is_empty() {
            let nothing = || format!("{}: {}", name(0), ObjectError::Nothing);
            return Err(other.unwrap_or_else(nothing));
        }
        (side.sources, side.documents) = (sources, documents);
        Ok(side)
    }

    /// The object that is called so.
    pub(super) fn get(&self, identity: &Identity) -> Option<&Entry> {
        self.entries.get(*self.places.get(identity)?)
    }

    /// The only object, if there is but one.
    pub(super) fn only(&self) -> Option<&Entry> {
        let [only] = self.entries.as_slice() else { return None };
        Some(only)
    }

    /// The contract of this name.
    pub(super) fn contract(&self, namespace: &str, name: &str) -> Option<&SharingContract> {
        let found = self.get(&Identity::new("SharingContract", namespace, name))?;
        let Object::Contract(contract) = &found.object else { return None };
        Some(contract)
    }

    /// The boundaries among the files that select a namespace; `None` where that can't be told.
    pub(super) fn boundaries_of(&self, namespace: &str) -> Option<Vec<&SharingBoundary>> {
        let all: Vec<&SharingBoundary> =
            self.entries.iter().filter_map(|entry| entry.object.boundary()).collect();
        let labels = match self.labels.get(namespace) {
            Some(labels) => labels.clone(),
            // The API server gives each namespace this one.
            None => [(LABEL_NAMESPACE_NAME.to_owned(), namespace.to_owned())].into(),
        };
        let selecting = matching(&all, namespace, &labels);
        // Of a namespace that isn't among the files it isn't known which boundaries select it besides.
        let is_known = self.labels.contains_key(namespace) || selecting.len() == all.len();
        (is_known && !selecting.is_empty()).then_some(selecting)
    }

    /// The file that an object is in, and where in it stands what is at `path`.
    pub(super) fn find(&self, entry: &Entry, path: &str) -> (&str, Place) {
        let beginning = Place { line: 1, column: 1 };
        let document = self.documents.get(entry.document);
        let source = document.and_then(|document| self.sources.get(document.source));
        let (Some(document), Some(source)) = (document, source) else { return ("", beginning) };
        (&source.name, Map::of(source, document).map_or(beginning, |map| map.find(path)))
    }
}

/// The labels of every namespace, as the API server would have them.
fn labels(documents: &[Document]) -> BTreeMap<String, BTreeMap<String, String>> {
    let word =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let namespaces = documents.iter().map(|document| &document.value).filter(|value| {
        word(value, "/apiVersion").as_deref() == Some("v1")
            && word(value, "/kind").as_deref() == Some("Namespace")
    });
    let labelled = namespaces.filter_map(|value| {
        let name = word(value, "/metadata/name")?;
        let labels = value.pointer("/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let mut labels: BTreeMap<String, String> =
            labels.filter_map(|(label, value)| Some((label.clone(), value.as_str()?.to_owned()))).collect();
        labels.insert(LABEL_NAMESPACE_NAME.to_owned(), name.clone());
        Some((name, labels))
    });
    labelled.collect()
}
