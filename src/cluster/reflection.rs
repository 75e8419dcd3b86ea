//! A store of a kind that people write, kept as a watch tells, and who is told of what changes.

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
                self.gone_meanwhile();
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
        let known = self.store.get(&ObjectRef::from_obj(&object));
        let event = if self.before.is_some() { Event::InitApply(object) } else { Event::Apply(object) };
        self.writer.apply_watcher_event(&event);
        if let Event::InitApply(object) | Event::Apply(object) = &event {
            self.told.changed(known.as_deref(), object);
        }
    }

    fn gone(&mut self, object: K) {
        let event = Event::Delete(object);
        self.writer.apply_watcher_event(&event);
        if let Event::Delete(object) = &event {
            self.told.changed(None, object);
        }
    }

    /// Forgets what was known of an object, which can't be read now.
    fn forget(&mut self, unreadable: &Unreadable) {
        if let Some(known) = self.store.get(&unreadable.reference()) {
            self.gone(known.as_ref().clone());
        }
    }

    /// Tells of what was deleted while a watch was interrupted, of which it tells nothing itself.
    fn gone_meanwhile(&mut self) {
        let before = self.before.take().unwrap_or_default();
        let is_gone = |object: &&Arc<K>| self.store.get(&ObjectRef::from_obj(object.as_ref())).is_none();
        before.iter().filter(is_gone).for_each(|object| self.told.changed(None, object.as_ref()));
    }
}
