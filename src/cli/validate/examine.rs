//! Everything that there is to find in some files: first of each object by itself, as the API server
//! looks at it, then of all of them beside each other, as Comity does. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::definition::{Definition, definition, kinds};
use super::finding::{Fault, Finding, KIND, NOT_EVALUATED, SYNTAX, Severity, TWICE};
use super::judge::judge;
use super::rule::Rules;
use super::{metadata, schema};
use crate::api::{GROUP, VERSION};
use crate::cli::files::document::{Document, Unreadable, documents};
use crate::cli::files::each::each;
use crate::cli::files::place::{Map, Place};
use crate::cli::files::read::Source;
use crate::cli::files::world::{Identity, World};

/// How files are looked at.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Look<'a> {
    /// The namespace of objects that name none.
    pub(in crate::cli) namespace: &'a str,
    /// The instant at which they are judged.
    pub(in crate::cli) now: Timestamp,
    /// Whether what can't be judged is an error.
    pub(in crate::cli) strict: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(in crate::cli) struct Examination {
    /// What was found, by file and line.
    pub(in crate::cli) findings: Vec<Finding>,
    /// How many objects of Comity's there are.
    pub(super) objects: usize,
    /// How many others, of which only Services, Namespaces and network policies are looked at.
    pub(super) others: usize,
    /// The objects that stand.
    pub(in crate::cli) world: World,
    /// Every object as it is written.
    documents: Vec<Document>,
}

impl Examination {
    /// How many findings of a severity there are.
    pub(in crate::cli) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Looks at everything in some texts.
    pub(in crate::cli) fn of(sources: &[Source], look: Look<'_>) -> Self {
        let (documents, unreadable) = documents(sources);
        let mut examiner = Examiner {
            look,
            sources,
            documents: &documents,
            rules: Rules::new(),
            looked: each(&documents, Rules::new, |rules, document| alone(rules, &document.value)),
            taken: BTreeMap::new(),
            found: Vec::new(),
            identities: vec![None; documents.len()],
            result: Self::default(),
        };
        (0..documents.len()).for_each(|document| examiner.document(document));
        examiner.result.world.settle(look.now);
        let judged = judge(&examiner.result.world, look.now, look.strict);
        examiner.found.extend(judged);
        let examination = examiner.finish(unreadable);
        Self { documents, ..examination }
    }

    /// The file that a document is in, of those that were looked at, and where in it stands what is at `path`.
    pub(in crate::cli) fn find<'a>(
        &self,
        sources: &'a [Source],
        document: usize,
        path: &str,
    ) -> Option<(&'a str, Place)> {
        let document = self.documents.get(document)?;
        let source = sources.get(document.source)?;
        Some((&source.name, Map::of(source, document)?.find(path)))
    }
}

/// What stands of an object that was looked at before, should another one have its identity.
struct Taken {
    document: usize,
    is_sound: bool,
}

struct Examiner<'a> {
    look: Look<'a>,
    sources: &'a [Source],
    documents: &'a [Document],
    rules: Rules,
    /// What is wrong with each document by itself.
    looked: Vec<Vec<Fault>>,
    taken: BTreeMap<Identity, Taken>,
    found: Vec<(usize, Fault)>,
    identities: Vec<Option<Identity>>,
    result: Examination,
}

fn word<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with an object of Comity's by itself.
fn alone(rules: &Rules, value: &Value) -> Vec<Fault> {
    let is_ours = word(value, "/apiVersion") == format!("{GROUP}/{VERSION}");
    let definition = definition(word(value, "/kind")).filter(|_| is_ours);
    definition.map(|definition| of_kind(rules, definition, value, None)).unwrap_or_default()
}

/// What is wrong with an object by the definition of its kind.
fn of_kind(rules: &Rules, definition: &Definition, value: &Value, before: Option<&Value>) -> Vec<Fault> {
    let schema::Shape { mut faults, is_blocking } = schema::shape(definition, value);
    if is_blocking {
        let message =
            "its rules (CEL) weren't looked at, since it isn't well-formed: correct that first".to_owned();
        let rule = NOT_EVALUATED.to_owned();
        faults.push(Fault { severity: Severity::Note, rule, path: String::new(), message });
    } else {
        faults.extend(rules.broken(definition, value, before));
    }
    faults
}

impl Examiner<'_> {
    /// Looks at one document.
    fn document(&mut self, document: usize) {
        let Some(Document { value, source, .. }) = self.documents.get(document) else { return };
        let (version, kind) = (word(value, "/apiVersion"), word(value, "/kind"));
        let is_named = self.sources.get(*source).is_some_and(|source| source.is_named);
        match version.split_once('/') {
            _ if version.is_empty() || kind.is_empty() => {
                // A folder may hold other things than objects.
                if is_named {
                    let message = "it has no apiVersion and kind, so it isn't an object of Kubernetes";
                    self.found.push((document, Fault::error(SYNTAX, "", message)));
                }
            }
            Some((group, version)) if group == GROUP => self.own(document, version, kind, value),
            None if version == "v1" && matches!(kind, "Service" | "Namespace") => {
                self.neighbour(document, kind, value);
            }
            Some(("networking.k8s.io", "v1")) if kind == "NetworkPolicy" => {
                self.neighbour(document, kind, value);
            }
            _ => self.result.others += 1,
        }
    }

    /// Looks at an object that isn't Comity's: only as far as others depend on it.
    fn neighbour(&mut self, document: usize, kind: &str, value: &Value) {
        self.result.others += 1;
        let identity = self.identity(kind, kind != "Namespace", value);
        let mut faults = metadata::faults(value);
        if let Err(error) = self.result.world.take(&identity, document, value) {
            faults.push(Fault::error(SYNTAX, "", format!("it isn't a whole {kind}: {error}")));
        }
        self.note(document, identity, faults);
    }

    /// Looks at an object of Comity's own.
    fn own(&mut self, document: usize, version: &str, kind: &str, value: &Value) {
        self.result.objects += 1;
        let Some(definition) = definition(kind).filter(|_| version == VERSION) else {
            let known = kinds().join(", ");
            let message =
                format!("{GROUP}/{version} {kind} isn't known; this comity knows {GROUP}/{VERSION} {known}");
            self.found.push((document, Fault::error(KIND, "apiVersion", message)));
            return;
        };
        let identity = self.identity(kind, definition.namespaced, value);
        let before = self.before(&identity);
        let mut faults = metadata::faults(value);
        faults.extend(match before {
            Some(_) => of_kind(&self.rules, definition, value, before),
            None => self.looked.get_mut(document).map(std::mem::take).unwrap_or_default(),
        });
        let mut is_sound = !faults.iter().any(|fault| fault.severity == Severity::Error);
        if is_sound && let Err(error) = self.result.world.take(&identity, document, value) {
            faults.push(Fault::error(SYNTAX, "", format!("it isn't a whole {kind}: {error}")));
            is_sound = false;
        }
        if !is_sound {
            self.result.world.refuse(identity.clone());
        }
        // What gets its name from the API server is another one each time.
        if !identity.name.is_empty() {
            faults.extend(self.twice(&identity));
            self.taken.insert(identity.clone(), Taken { document, is_sound });
        }
        self.note(document, identity, faults);
    }

    fn identity(&self, kind: &str, namespaced: bool, value: &Value) -> Identity {
        let namespace = match (namespaced, word(value, "/metadata/namespace")) {
            (false, _) => "",
            (true, "") => self.look.namespace,
            (true, namespace) => namespace,
        };
        Identity::new(kind, namespace, word(value, "/metadata/name"))
    }

    /// What an object of the same identity said before in the files, where the API server would take it.
    fn before(&self, identity: &Identity) -> Option<&Value> {
        let taken = self.taken.get(identity).filter(|taken| taken.is_sound)?;
        self.documents.get(taken.document).map(|document| &document.value)
    }

    /// That an object was given before.
    fn twice(&self, identity: &Identity) -> Option<Fault> {
        let before = self.documents.get(self.taken.get(identity)?.document)?;
        let source = self.sources.get(before.source)?;
        let line = Map::of(source, before).map_or(1, |map| map.start().line);
        let message = format!("{identity} is given twice: it is in {} at line {line} too", source.name);
        Some(Fault::error(TWICE, "metadata.name", message))
    }

    fn note(&mut self, document: usize, identity: Identity, faults: Vec<Fault>) {
        if let Some(known) = self.identities.get_mut(document) {
            *known = Some(identity);
        }
        self.found.extend(faults.into_iter().map(|fault| (document, fault)));
    }

    /// Finds the place of everything that was found.
    fn finish(mut self, unreadable: Vec<Unreadable>) -> Examination {
        let mut by_document: BTreeMap<usize, Vec<Fault>> = BTreeMap::new();
        for (document, fault) in std::mem::take(&mut self.found) {
            by_document.entry(document).or_default().push(fault);
        }
        for (index, faults) in by_document {
            let Some(document) = self.documents.get(index) else { continue };
            let Some(source) = self.sources.get(document.source) else { continue };
            let map = Map::of(source, document);
            let object = self.identities.get(index).cloned().flatten();
            for fault in faults {
                let place = map.as_ref().map_or(Place { line: 1, column: 1 }, |map| map.find(&fault.path));
                self.result.findings.push(fault.at(object.clone(), &source.name, place));
            }
        }
        for Unreadable { source, line, column, message } in unreadable {
            let name = self.sources.get(source).map_or("", |source| source.name.as_str());
            let fault = Fault::error(SYNTAX, "", message);
            self.result.findings.push(fault.at(None, name, Place { line, column }));
        }
        self.result.findings.sort_by(|one, other| one.order().cmp(&other.order()));
        self.result
    }
}
