//! The walk over two policies, clause by clause: it writes down what differs, and gives what
//! allows only what both allow. Each way of ordering a clause is one method here.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Comparison, Difference};
use super::measure::{Level, Measure};
use super::show::Show;

/// A clause: its path below where the walk stands, and what people call what it holds.
pub(super) type Clause = (&'static str, &'static str);

/// Where the walk stands, and what it has found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    path: String,
    of: String,
    changes: Vec<Change>,
    contradictions: Vec<String>,
}

impl Walk {
    /// What differs, in the order in which it was found.
    pub(super) fn changes(self) -> Vec<Change> {
        self.changes
    }

    /// The clauses that can't hold at once, so that nothing is allowed by both.
    pub(super) fn contradictions(self) -> Vec<String> {
        self.contradictions
    }

    /// Looks below `step`; `of` says for people what it belongs to.
    pub(super) fn under<R>(&mut self, step: &str, of: &str, look: impl FnOnce(&mut Self) -> R) -> R {
        let (path, before) = (self.path.len(), self.of.len());
        self.path = self.at(step);
        if !of.is_empty() {
            self.of = format!(" {of}{}", self.of);
        }
        let found = look(self);
        self.path.truncate(path);
        self.of = self.of.split_off(self.of.len().saturating_sub(before));
        found
    }

    /// The path of something below where the walk stands.
    fn at(&self, step: &str) -> String {
        match (self.path.is_empty(), step.is_empty()) {
            (_, true) => self.path.clone(),
            (true, _) => step.to_owned(),
            _ => format!("{}.{step}", self.path),
        }
    }

    /// Writes down a change.
    pub(super) fn note(&mut self, (step, noun): Clause, item: &str, how: Difference, effect: Comparison) {
        let gap = if item.is_empty() || noun.is_empty() { "" } else { " " };
        let what = format!("{noun}{gap}{item}{}", self.of);
        self.changes.push(Change { clause: self.at(step), what, how, effect });
    }

    /// Writes down that `old` became `new`, unless that changes nothing.
    pub(super) fn became(&mut self, clause: Clause, old: String, new: String, effect: Comparison) {
        if effect != Comparison::Equal {
            self.note(clause, "", Difference::Became { old, new }, effect);
        }
    }

    /// Writes down what was removed, at a loss, and added, at a gain.
    pub(super) fn swapped(&mut self, clause: Clause, gone: &[String], come: &[String], asks: bool) {
        let (loss, gain) = if asks {
            (Comparison::Wider, Comparison::Narrower)
        } else {
            (Comparison::Narrower, Comparison::Wider)
        };
        for item in gone {
            self.note(clause, item, Difference::Removed, loss);
        }
        for item in come {
            self.note(clause, item, Difference::Added, gain);
        }
    }

    /// Words that allow nothing by themselves: what they become is told, and no more.
    pub(super) fn words<T: Show + PartialEq>(&mut self, clause: Clause, old: &T, new: &T) {
        if old != new {
            let how = Difference::Became { old: old.show(), new: new.show() };
            self.note(clause, "", how, Comparison::Equal);
        }
    }

    /// Something that has no order: another value is something else, and both at once are nothing.
    pub(super) fn same<T: Show + PartialEq + Clone>(&mut self, clause: Clause, old: &T, new: &T) -> T {
        if old != new {
            self.became(clause, old.show(), new.show(), Comparison::Both);
            self.contradictions.push(self.at(clause.0));
        }
        old.clone()
    }

    /// Something that has to be just so, where anything is asked for at all.
    pub(super) fn same_if_asked<T: Show + PartialEq + Clone>(
        &mut self,
        clause: Clause,
        old: Option<&T>,
        new: Option<&T>,
    ) -> Option<T> {
        match (old, new) {
            (Some(old), Some(new)) => return Some(self.same(clause, old, new)),
            (Some(_), None) => self.became(clause, old.show(), new.show(), Comparison::Wider),
            (None, Some(_)) => self.became(clause, old.show(), new.show(), Comparison::Narrower),
            (None, None) => {}
        }
        old.or(new).cloned()
    }

    /// What is allowed: fewer are narrower.
    pub(super) fn allowed<T: Show + Ord + Clone>(&mut self, clause: Clause, old: &[T], new: &[T]) -> Vec<T> {
        let (old, new): (BTreeSet<&T>, BTreeSet<&T>) = (old.iter().collect(), new.iter().collect());
        self.swapped(clause, &shown(old.difference(&new)), &shown(new.difference(&old)), false);
        old.intersection(&new).map(|item| (*item).clone()).collect()
    }

    /// What is asked for: more is narrower.
    pub(super) fn required<T: Show + Ord + Clone>(&mut self, clause: Clause, old: &[T], new: &[T]) -> Vec<T> {
        let (old, new): (BTreeSet<&T>, BTreeSet<&T>) = (old.iter().collect(), new.iter().collect());
        self.swapped(clause, &shown(old.difference(&new)), &shown(new.difference(&old)), true);
        old.union(&new).map(|item| (*item).clone()).collect()
    }

    /// The most of something: less is narrower. None: there is no limit. What can't be read
    /// allows nothing.
    pub(super) fn at_most<T: Measure>(
        &mut self,
        clause: Clause,
        old: Option<&T>,
        new: Option<&T>,
    ) -> Option<T> {
        self.at_most_or("no limit", clause, old, new)
    }

    /// The same, where none is somebody else's limit, which isn't known here.
    pub(super) fn at_most_or<T: Measure>(
        &mut self,
        none: &str,
        clause: Clause,
        old: Option<&T>,
        new: Option<&T>,
    ) -> Option<T> {
        let limit = |limit: Option<&T>| limit.map_or_else(|| none.to_owned(), Show::show);
        let most = |limit: Option<&T>| {
            limit.map_or(Level::Highest, |limit| limit.rank().map_or(Level::Lowest, Level::At))
        };
        let ordering = most(new).cmp(&most(old));
        self.became(clause, limit(old), limit(new), ordering.into());
        if ordering.then_with(|| new.show().cmp(&old.show())).is_lt() { new.cloned() } else { old.cloned() }
    }

    /// The least of something: more is narrower. None: any will do. What can't be read asks for
    /// more than there is.
    pub(super) fn at_least<T: Measure>(
        &mut self,
        clause: Clause,
        old: Option<&T>,
        new: Option<&T>,
    ) -> Option<T> {
        let least = |limit: Option<&T>| {
            limit.map_or(Level::Lowest, |limit| limit.rank().map_or(Level::Highest, Level::At))
        };
        let ordering = least(new).cmp(&least(old));
        self.became(clause, old.show(), new.show(), Comparison::from(ordering).reversed());
        if ordering.then_with(|| new.show().cmp(&old.show())).is_gt() { new.cloned() } else { old.cloned() }
    }

    /// One of a few words, of which each allows what those before it do.
    pub(super) fn chain<T: Show + PartialEq + Copy>(
        &mut self,
        clause: Clause,
        narrowest_first: &[T],
        old: T,
        new: T,
    ) -> T {
        let place = |word: T| narrowest_first.iter().position(|known| *known == word);
        let (Some(before), Some(after)) = (place(old), place(new)) else {
            return self.same(clause, &old, &new);
        };
        self.became(clause, old.show(), new.show(), after.cmp(&before).into());
        if after < before { new } else { old }
    }

    /// What is allowed by name, each in its own way: what isn't named isn't allowed. `look` gives
    /// what both allow of one name, if anything.
    pub(super) fn family<T: Clone, K: Show + Ord>(
        &mut self,
        clause: Clause,
        (old, new): (&[T], &[T]),
        key: impl Fn(&T) -> K,
        mut look: impl FnMut(&mut Self, &T, &T) -> Option<T>,
    ) -> Vec<T> {
        let (old, new) = (by_key(old, &key), by_key(new, &key));
        self.swapped(clause, &only(&old, &new), &only(&new, &old), false);
        let both = old.iter().filter_map(|(name, one)| Some((name, one, new.get(name)?)));
        both.filter_map(|(name, one, other)| self.each(clause, name, |walk| look(walk, one, other))).collect()
    }

    /// What is asked for by name, each in its own way: what isn't named isn't asked for. `look`
    /// gives what asks for both of one name.
    pub(super) fn requirements<T: Clone, K: Show + Ord>(
        &mut self,
        clause: Clause,
        (old, new): (&[T], &[T]),
        key: impl Fn(&T) -> K,
        mut look: impl FnMut(&mut Self, &T, &T) -> T,
    ) -> Vec<T> {
        let (old, new) = (by_key(old, &key), by_key(new, &key));
        self.swapped(clause, &only(&old, &new), &only(&new, &old), true);
        let names: BTreeSet<&K> = old.keys().chain(new.keys()).collect();
        let asked = names.into_iter().filter_map(|name| match (old.get(name), new.get(name)) {
            (Some(one), Some(other)) => Some(self.each(clause, name, |walk| look(walk, one, other))),
            (one, other) => one.or(other).map(|only| (*only).clone()),
        });
        asked.collect()
    }

    /// Looks at one of many, by its name.
    fn each<R>(&mut self, (step, _): Clause, name: &impl Show, look: impl FnOnce(&mut Self) -> R) -> R {
        let name = name.short();
        self.under(&format!("{step}[{name}]"), &format!("of {name}"), look)
    }
}

fn shown<'a, T: Show + 'a>(items: impl Iterator<Item = &'a &'a T>) -> Vec<String> {
    items.map(Show::show).collect()
}

fn by_key<'a, T, K: Ord>(items: &'a [T], key: &impl Fn(&T) -> K) -> BTreeMap<K, &'a T> {
    items.iter().map(|item| (key(item), item)).collect()
}

/// The names that only the first has.
fn only<T, K: Show + Ord>(one: &BTreeMap<K, &T>, other: &BTreeMap<K, &T>) -> Vec<String> {
    one.keys().filter(|name| !other.contains_key(name)).map(Show::show).collect()
}
