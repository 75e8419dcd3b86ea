//! A store of a kind that people write, kept as a watch tells, and who is told of what changes.

use std::collections::HashMap;
use std::sync::Arc;

use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;

use super::concern::{Concerned, Word};
use super::readable::{News, Unreadable};

/// A store, and who is told.
#[derive(Debug)]
pub struct Reflection<K: Word + 'static> {
    writer: Writer<K>,
    store: Store<K>,
    told: Concerned,
    /// While the watch tells of everything anew: what was there before.
    before: Option<Vec<Arc<K>>>,
}

impl<K: Word + 'static> Reflection<K> {
    /// Nothing is known yet.
    pub fn new(writer: Writer<K>, told: Concerned) -> Self {
        Self { store: writer.as_reader(), writer, told, before: None }
    }

    /// Takes what the watch told.
    pub fn take(&mut self, news: News<K>) {
        match news {
            News::Begin => {
                self.before = Some(self.store.state());
                self.writer.apply_watcher_event(&Event::Init);
            }
            News::End => {
                self.writer.apply_watcher_event(&Event::InitDone);
                self.told_anew();
            }
            News::There(object) => self.there(object),
            News::Gone(object) => self.gone(object),
            News::Unreadable(unreadable) => match K::stand_in(&unreadable) {
                Some(stand_in) => self.there(stand_in),
                None => self.forget(&unreadable),
            },
            News::UnreadableGone(unreadable) => self.forget(&unreadable),
        }
    }

    fn there(&mut self, mut object: K) {
        object.brief();
        let about = ObjectRef::from_obj(&object);
        if self.before.is_some() {
            // Nobody finds it in the store before all of them are there, so nobody is told before.
            self.writer.apply_watcher_event(&Event::InitApply(object));
            return;
        }
        let known = self.store.get(&about);
        self.writer.apply_watcher_event(&Event::Apply(object));
        if let Some(now) = self.store.get(&about) {
            self.changed(known.as_deref(), &now);
        }
    }

    fn changed(&self, known: Option<&K>, now: &Arc<K>) {
        if let Some(namesake) = known.filter(|known| known.meta().uid != now.meta().uid) {
            namesake.unfile(&self.told.catalogue);
        }
        K::file(now, &self.told.catalogue);
        self.told.changed(known, now.as_ref());
    }

    fn gone(&mut self, object: K) {
        let event = Event::Delete(object);
        self.writer.apply_watcher_event(&event);
        if let Event::Delete(object) = &event {
            object.unfile(&self.told.catalogue);
            self.told.changed(None, object);
        }
    }

    /// Forgets what was known of an object, which can't be read now.
    fn forget(&mut self, unreadable: &Unreadable) {
        if let Some(known) = self.store.get(&unreadable.reference()) {
            self.gone(known.as_ref().clone());
        }
    }

    /// Tells of everything once all of it is there, also of what was deleted while a watch was
    /// interrupted, of which it tells nothing itself.
    fn told_anew(&mut self) {
        let before = self.before.take().unwrap_or_default();
        let known = before.iter().map(|object| (ObjectRef::from_obj(object.as_ref()), object));
        let mut known: HashMap<ObjectRef<K>, &Arc<K>> = known.collect();
        for object in self.store.state() {
            let known = known.remove(&ObjectRef::from_obj(object.as_ref()));
            self.changed(known.map(AsRef::as_ref), &object);
        }
        for object in known.into_values() {
            object.unfile(&self.told.catalogue);
            self.told.changed(None, object.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;
    use kube::runtime::reflector::store;

    use super::*;
    use crate::api::{GrantDecision, Stage};
    use crate::cluster::concern::queues;
    use crate::testing::known::Known;

    #[test]
    fn what_is_told_anew_is_told_of_once_it_can_be_found() {
        let (decisions, writer) = store::<GrantDecision>();
        let mut known = Known::unshared();
        known.decisions = decisions;
        let catalogue = Arc::new(known);
        let (senders, mut queues) = queues();
        let told = Concerned { catalogue: Arc::clone(&catalogue), senders };
        let mut reflection = Reflection::new(writer, told);
        let grant = Known::grant(Stage::Sandbox);
        let filed = || {
            let filed = catalogue.docket.about(&grant, 0).decisions;
            filed.iter().map(|decision| decision.name_any()).collect::<Vec<_>>()
        };
        let decided = |name: &str, made| News::There(Known::decision(name, &grant, made));
        for news in [News::Begin, decided("old", 1), News::End, decided("next", 2)] {
            reflection.take(news);
        }
        assert_eq!(filed(), ["old", "next"]);
        while queues.decisions.try_recv().is_ok() {}
        reflection.take(News::Begin);
        reflection.take(decided("next", 2));
        reflection.take(decided("meanwhile", 3));
        assert!(queues.decisions.try_recv().is_err(), "nobody would find it");
        reflection.take(News::End);
        let mut told: Vec<String> = std::iter::from_fn(|| queues.decisions.try_recv().ok())
            .filter(|told| told.name != "next")
            .map(|told| told.name)
            .collect();
        told.sort();
        assert_eq!(told, ["meanwhile", "old"], "and of what is gone");
        assert_eq!(filed(), ["next", "meanwhile"]);
    }
}
