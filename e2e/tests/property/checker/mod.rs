//! Whether the promises hold, by what was seen from outside, and by nobody's word but the objects' own.
//!
//! This is a second reading of the promises: nothing of what Comity decides with is used here. Who
//! decided and who wrote is known from who did it, not from stamps; what objects give is read from the
//! objects as the API server and a network plugin would.
//!
//! What holds of one write holds at once, in the order in which the API server took them. What Comity
//! has to do when something changes it has [`GRACE`] for, counted anew when it comes back to life.

mod allowed;
mod book;
mod certificate;
mod complaints;
mod consent;
mod decided;
mod operands;
mod order;
mod reading;
mod records;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use comity::api::Stage;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::history::{Deed, Kind, Seen, What, in_order, list, moment, text};
use super::step::Process;
use book::Book;
use certificate::Issued;
use complaints::Complaint;
use decided::Decided;

/// How long Comity may take for what it does at once. On a machine of its own that is less than half a
/// second. Here it isn't optimised and shares the processors with the API server, etcd, and whoever else
/// tests: a run tells how long it took, and on two busy ones that was three seconds. Slower ones get four times that.
pub const GRACE: SignedDuration = SignedDuration::from_secs(12);

/// A promise that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which.
    pub promise: &'static str,
    /// When it was seen.
    pub at: Timestamp,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}: {}", self.at, self.promise, self.what)
    }
}

/// What came of looking.
#[derive(Debug, Default)]
pub struct Report {
    /// What was broken.
    pub violations: Vec<Violation>,
    /// What stands that has to go yet.
    pub complaints: Vec<String>,
    /// How much there was to look at: what never opens breaks no promise.
    pub tally: BTreeMap<String, usize>,
    /// The namespaces of every opening that was recorded.
    pub places: BTreeSet<String>,
    /// The latest end of what was opened.
    pub latest_end: Option<Timestamp>,
    /// The longest that something stood that had to go, while Comity could have seen to it.
    pub slowest: SignedDuration,
}

/// Looks at everything that was seen until a moment.
pub fn judge(history: &[Seen], until: Timestamp) -> Report {
    let mut checker = Checker { deeds: Deeds::of(history), ..Checker::default() };
    for seen in in_order(history, until) {
        checker.take(&seen);
    }
    checker.report()
}

type Holds = Result<(), String>;

/// Nothing to say, unless `broken`.
fn unless(broken: bool, what: impl FnOnce() -> String) -> Holds {
    if broken { Err(what()) } else { Ok(()) }
}

/// What was done, by what it was done to.
#[derive(Debug, Default)]
struct Deeds {
    /// Who made a decision.
    decided: BTreeMap<String, (String, Vec<&'static str>)>,
    /// Who wrote which generation of an object.
    wrote: BTreeMap<(String, i64), String>,
    /// What somebody deleted.
    deleted: BTreeSet<String>,
}

impl Deeds {
    fn of(history: &[Seen]) -> Self {
        let mut deeds = Self::default();
        for seen in history {
            match &seen.what {
                What::Did(Deed::Decided { uid, who, groups }) => {
                    deeds.decided.insert(uid.clone(), (who.clone(), groups.clone()));
                }
                What::Did(Deed::Wrote { uid, generation, who }) => {
                    deeds.wrote.insert((uid.clone(), *generation), who.clone());
                }
                What::Did(Deed::Deleted { uid }) => drop(deeds.deleted.insert(uid.clone())),
                _ => {}
            }
        }
        deeds
    }
}

/// Everything that stands, by kind, namespace and name.
type Objects = BTreeMap<(Kind, String, String), Arc<Value>>;

/// Whoever looks.
#[derive(Debug, Default)]
struct Checker {
    deeds: Deeds,
    now: Timestamp,
    /// Everything that stands.
    objects: Objects,
    /// Every generation that was seen of what people write, by UID.
    written: BTreeMap<(String, i64), Arc<Value>>,
    /// Every decision that was seen, in that order, also where it is gone.
    decisions: Vec<Decided>,
    /// The journals, by the UID of the grant.
    books: BTreeMap<String, Book>,
    /// Since when a process works; not there where it doesn't.
    works: BTreeMap<Process, Timestamp>,
    /// When somebody last deleted something in a stage's namespace.
    meddled: BTreeMap<String, Timestamp>,
    /// What stands that has to go, since when.
    complaints: BTreeMap<Complaint, Timestamp>,
    slowest: SignedDuration,
    issued: BTreeMap<Vec<u8>, Issued>,
    violations: Vec<Violation>,
}

impl Checker {
    fn take(&mut self, seen: &Seen) {
        self.now = seen.at;
        match &seen.what {
            What::Stands(kind, object) => self.stands(*kind, object),
            What::Gone(kind, object) => self.is_gone(*kind, object),
            What::Did(Deed::Works(process, true)) => drop(self.works.insert(*process, seen.at)),
            What::Did(Deed::Works(process, false)) => drop(self.works.remove(process)),
            What::Did(Deed::Meddled { namespace }) => drop(self.meddled.insert(namespace.clone(), seen.at)),
            What::Did(_) => {}
            What::Tick => self.look_around(),
        }
    }

    fn stands(&mut self, kind: Kind, object: &Arc<Value>) {
        let key = key(kind, object);
        let before = self.objects.get(&key).cloned();
        match kind {
            Kind::GrantRecord => self.recorded(object, before.as_deref()),
            Kind::GrantDecision if before.is_none() => self.decisions.push(Decided::of(object, self)),
            Kind::ConfigMap | Kind::Secret => self.certified(object),
            Kind::PartnerGrant => self.shown(object),
            _ => {}
        }
        self.in_order_of_opening(kind, object, before.as_deref());
        let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
        self.written.insert((uid(object).to_owned(), generation), object.clone());
        let place = key.1.clone();
        self.objects.insert(key, object.clone());
        self.is_as_agreed(&place);
    }

    fn is_gone(&mut self, kind: Kind, object: &Value) {
        let is_wanted = self.deeds.deleted.contains(uid(object));
        let name = text(&object["metadata"]["name"]);
        if kind == Kind::GrantRecord && !is_wanted {
            self.broken("P9 records stay", format!("the record {name} is gone"));
        }
        if kind == Kind::PartnerGrant && !is_wanted {
            self.broken("P6 ended is final", format!("the grant {name} is gone, and nobody deleted it"));
        }
        self.in_order_of_closing(kind, object);
        self.objects.remove(&key(kind, object));
    }

    /// A status says no later end than the journal did, at any time that it could have been read.
    fn shown(&mut self, grant: &Value) {
        let Some(book) = self.books.get(uid(grant)) else { return };
        let late = list(&grant["status"]["openings"]).iter().find_map(|shown| {
            let opening = book.of_namespace(text(&shown["namespace"]))?;
            let latest = opening.latest_end_since(self.now - GRACE);
            (moment(&shown["expiresAt"])? > latest).then(|| {
                format!(
                    "the status says that {} ends at {}, the journal {latest}",
                    opening, shown["expiresAt"]
                )
            })
        });
        if let Some(what) = late {
            self.broken("P1 nothing without a recorded end", what);
        }
    }

    fn broken(&mut self, promise: &'static str, what: String) {
        let known = self.violations.iter().any(|known| known.promise == promise && known.what == what);
        if !known {
            self.violations.push(Violation { promise, at: self.now, what });
        }
    }

    /// Since when Comity could have acted on something that is so since then; `None`: it can't now.
    fn due_since(&self, since: Timestamp) -> Option<Timestamp> {
        self.works.get(&Process::Run).map(|works| since.max(*works))
    }

    fn object(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&(kind, namespace.to_owned(), name.to_owned())).map(AsRef::as_ref)
    }

    /// The objects of a kind in a namespace.
    fn objects_in<'a>(&'a self, kind: Kind, namespace: &'a str) -> impl Iterator<Item = &'a Value> {
        let from = (kind, namespace.to_owned(), String::new());
        let all = self.objects.range(from..);
        let here = all.take_while(move |((of, place, _), _)| *of == kind && place == namespace);
        here.map(|(_, object)| object.as_ref())
    }

    fn report(self) -> Report {
        let mut tally: BTreeMap<String, usize> = BTreeMap::new();
        let lines = self.books.values().flat_map(|book| &book.lines);
        for line in lines {
            let stage = line.stage.map(|stage| format!(" {stage}")).unwrap_or_default();
            let why = if line.event == "Closed" { format!(" {}", line.reason) } else { String::new() };
            *tally.entry(format!("{}{stage}{why}", line.event)).or_default() += 1;
        }
        tally.insert("certificates".to_owned(), self.issued.len());
        let openings = || self.books.values().flat_map(|book| &book.openings);
        Report {
            complaints: self.complaints.keys().map(ToString::to_string).collect(),
            tally,
            places: openings().map(|opening| opening.namespace.clone()).collect(),
            latest_end: openings().map(|opening| opening.end).max(),
            slowest: self.slowest,
            violations: self.violations,
        }
    }
}

/// Where an object stands. What has no namespace is kept under its own name.
fn key(kind: Kind, object: &Value) -> (Kind, String, String) {
    let metadata = &object["metadata"];
    let name = text(&metadata["name"]).to_owned();
    let namespace = metadata["namespace"].as_str().map_or_else(|| name.clone(), str::to_owned);
    (kind, namespace, name)
}

fn uid(object: &Value) -> &str {
    text(&object["metadata"]["uid"])
}

/// The stage that an object speaks of.
fn stage(value: &Value) -> Option<Stage> {
    serde_json::from_value(value.clone()).ok()
}
