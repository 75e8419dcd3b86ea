//! What the states speak of by number, kept once: journals, sets of objects, plans.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use super::ledger::Ledger;
use super::state::Id;
use crate::api::record::GrantRecordSpec;
use crate::journal::{Broken, Journal};
use crate::plan::objects::{Key, Live, LiveObjects};

/// Things by number, each kept once.
pub struct Kept<K, T> {
    index: HashMap<K, Id>,
    items: Vec<Rc<T>>,
}

impl<K: Eq + Hash, T> Default for Kept<K, T> {
    fn default() -> Self {
        Self { index: HashMap::new(), items: Vec::new() }
    }
}

impl<K: Eq + Hash, T> Kept<K, T> {
    pub fn known(&self, key: &K) -> Option<Id> {
        self.index.get(key).copied()
    }

    pub fn keep(&mut self, key: K, item: T) -> Id {
        if let Some(known) = self.index.get(&key) {
            return *known;
        }
        let id = Id::try_from(self.items.len()).expect("not that many");
        self.index.insert(key, id);
        self.items.push(Rc::new(item));
        id
    }

    pub fn get(&self, id: Id) -> Rc<T> {
        Rc::clone(&self.items[id as usize])
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }
}

/// A journal: its records, what the real fold makes of them, and what they say to the invariants.
pub struct Lines {
    pub records: Vec<GrantRecordSpec>,
    pub folded: Rc<Result<Journal, Broken>>,
    pub ledger: Ledger,
}

/// Every journal that was ever written.
#[derive(Default)]
pub struct Journals {
    kept: Kept<(Id, String), Lines>,
}

impl Journals {
    /// The one without records.
    pub fn empty(&mut self) -> Id {
        let none =
            Lines { records: Vec::new(), folded: Rc::new(Ok(Journal::empty())), ledger: Ledger::default() };
        self.kept.keep((0, String::new()), none)
    }

    pub fn get(&self, id: Id) -> Rc<Lines> {
        self.kept.get(id)
    }

    /// The journal with one more record.
    pub fn append(&mut self, journal: Id, record: &GrantRecordSpec) -> Id {
        let key = (journal, serde_json::to_string(record).expect("a record"));
        if let Some(known) = self.kept.known(&key) {
            return known;
        }
        let before = self.get(journal);
        let mut records = before.records.clone();
        records.push(record.clone());
        let taken = |mut journal: Journal| journal.take(record).map(|()| journal);
        let folded = Rc::new(before.folded.as_ref().clone().and_then(taken));
        let mut ledger = before.ledger.clone();
        ledger.take(record);
        self.kept.keep(key, Lines { records, folded, ledger })
    }
}

/// Every set of objects that ever stood.
#[derive(Default)]
pub struct Lives {
    objects: HashMap<(Key, String), Id>,
    sets: Kept<Vec<Id>, LiveObjects>,
}

impl Lives {
    pub fn get(&self, id: Id) -> Rc<LiveObjects> {
        self.sets.get(id)
    }

    pub fn keep(&mut self, live: LiveObjects) -> Id {
        let mut names = Vec::with_capacity(live.len());
        for (key, object) in &live {
            let next = Id::try_from(self.objects.len()).expect("not that many");
            let Live { uid, terminating, labels, body, version: _ } = object;
            let said = format!("{uid} {terminating} {labels:?} {body}");
            names.push(*self.objects.entry((key.clone(), said)).or_insert(next));
        }
        self.sets.keep(names, live)
    }
}
