//! Whom a change concerns: what each controller is told to look at when something else changes,
//! so that mending one object heals all that depend on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::api::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt as _};

use super::catalogue::Catalogue;
use super::readable::Unreadable;
use super::status::Brief;
use crate::api::boundary::{NamespaceChoice, NamespaceScope, SharingBoundarySpec};
use crate::api::condition::Reason;
use crate::api::decision::DecisionAction;
use crate::api::record::{GrantIdentity, RecordEvent};
use crate::api::{
    Dataset, GrantDecision, GrantRecord, Partner, PartnerGrant, SharingBoundary, SharingContract, name,
};
use crate::plan::objects::{Key, Kind};

/// Objects of one kind that have to be looked at.
pub type Queue<K> = UnboundedReceiver<ObjectRef<K>>;

/// For each kind that people write, the objects that have to be looked at. A process that has no
/// controller for a kind drops its queue.
#[derive(Debug)]
pub struct Queues {
    /// Grants.
    pub grants: Queue<PartnerGrant>,
    /// Contracts.
    pub contracts: Queue<SharingContract>,
    /// Partners.
    pub partners: Queue<Partner>,
    /// Datasets.
    pub datasets: Queue<Dataset>,
    /// Boundaries.
    pub boundaries: Queue<SharingBoundary>,
    /// Decisions.
    pub decisions: Queue<GrantDecision>,
    /// Something may be left behind of a grant that is gone.
    pub leftovers: UnboundedReceiver<()>,
}

impl Queues {
    /// That of grants. The others are dropped, so that nobody fills them.
    pub fn only_grants(self) -> Queue<PartnerGrant> {
        self.grants
    }
}

/// Where changes are told of.
#[derive(Clone, Debug)]
pub struct Senders {
    grants: UnboundedSender<ObjectRef<PartnerGrant>>,
    contracts: UnboundedSender<ObjectRef<SharingContract>>,
    partners: UnboundedSender<ObjectRef<Partner>>,
    datasets: UnboundedSender<ObjectRef<Dataset>>,
    boundaries: UnboundedSender<ObjectRef<SharingBoundary>>,
    decisions: UnboundedSender<ObjectRef<GrantDecision>>,
    leftovers: UnboundedSender<()>,
}

/// Both ends.
pub fn queues() -> (Senders, Queues) {
    let (grants, told_grants) = unbounded();
    let (contracts, told_contracts) = unbounded();
    let (partners, told_partners) = unbounded();
    let (datasets, told_datasets) = unbounded();
    let (boundaries, told_boundaries) = unbounded();
    let (decisions, told_decisions) = unbounded();
    let (leftovers, told_leftovers) = unbounded();
    let queues = Queues {
        grants: told_grants,
        contracts: told_contracts,
        partners: told_partners,
        datasets: told_datasets,
        boundaries: told_boundaries,
        decisions: told_decisions,
        leftovers: told_leftovers,
    };
    (Senders { grants, contracts, partners, datasets, boundaries, decisions, leftovers }, queues)
}

/// Tells which objects a change concerns.
#[derive(Clone, Debug)]
pub struct Concerned {
    /// What stands.
    pub catalogue: Arc<Catalogue>,
    /// Where changes are told of.
    pub senders: Senders,
}

/// A kind that people write.
pub trait Word: Resource<DynamicType = ()> + Clone {
    /// Tells that this object itself has to be looked at.
    fn itself(&self, told: &Concerned);
    /// Tells that what depends on it has to be looked at.
    fn dependants(&self, told: &Concerned);
    /// Forgets what of its status nobody asks for.
    fn brief(&mut self) {}
    /// Keeps it where it is looked for otherwise than by its name.
    fn file(_: &Arc<Self>, _: &Catalogue) {}
    /// Takes it away from there.
    fn unfile(&self, _: &Catalogue) {}
    /// Whether it says that it waits for another one like it to go.
    fn waits_for_room(&self) -> bool {
        false
    }
    /// Whether decisions are judged by it. `before` says whether it was there already.
    fn judges(&self, _before: bool) -> bool {
        true
    }
    /// What stands for an object that can't be read. Without what people write less is permitted,
    /// so nothing does.
    fn stand_in(_: &Unreadable) -> Option<Self> {
        None
    }
}

impl Word for PartnerGrant {
    fn itself(&self, told: &Concerned) {
        send(&told.senders.grants, self);
    }

    /// A grant that is gone, or live and for something else than before, makes room for others; what
    /// is gone may leave something. One that was never accepted takes no room.
    fn dependants(&self, told: &Concerned) {
        let (name, namespace) = (self.name_any(), self.namespace().unwrap_or_default());
        told.decisions_about(&namespace, &name);
        let is_gone = told.is_gone(&name, &namespace, self.metadata.uid.as_deref());
        if is_gone {
            told.left_behind();
        }
        if is_gone || told.catalogue.live_since(self).is_some() {
            told.room_was_made();
        }
    }

    fn brief(&mut self) {
        self.status = self.status.take().map(Brief::brief);
    }

    fn waits_for_room(&self) -> bool {
        let conditions = self.status.iter().flat_map(|status| &status.conditions);
        let waits = [Reason::Duplicate, Reason::TooManyGrants].map(|reason| reason.to_string());
        conditions.into_iter().any(|condition| waits.contains(&condition.reason))
    }
}

impl Word for GrantDecision {
    fn itself(&self, told: &Concerned) {
        send(&told.senders.decisions, self);
    }

    /// A decision concerns the grant that it is about.
    fn dependants(&self, told: &Concerned) {
        told.grant(&self.spec.grant_ref.name.0, &self.namespace().unwrap_or_default());
    }

    fn file(decision: &Arc<Self>, catalogue: &Catalogue) {
        catalogue.docket.put(Arc::clone(decision));
    }

    fn unfile(&self, catalogue: &Catalogue) {
        catalogue.docket.remove(self);
    }

    /// By a quarantine others are: whoever closed last has closed.
    fn judges(&self, before: bool) -> bool {
        !before && self.spec.action == DecisionAction::Quarantine
    }
}

impl Word for SharingContract {
    fn itself(&self, told: &Concerned) {
        send(&told.senders.contracts, self);
    }

    /// A contract concerns the grants under it.
    fn dependants(&self, told: &Concerned) {
        told.where_grant(|grant| {
            grant.namespace() == self.namespace()
                && Some(&grant.spec.contract_ref.name.0) == self.metadata.name.as_ref()
        });
    }
}

impl Word for Partner {
    fn itself(&self, told: &Concerned) {
        send(&told.senders.partners, self);
    }

    /// A partner concerns the grants that name it.
    fn dependants(&self, told: &Concerned) {
        told.where_grant(|grant| Some(&grant.spec.partner_ref.name.0) == self.metadata.name.as_ref());
    }
}

impl Word for Dataset {
    fn itself(&self, told: &Concerned) {
        send(&told.senders.datasets, self);
    }

    /// A dataset concerns what shares from its namespace.
    fn dependants(&self, told: &Concerned) {
        told.sharing_from(self.metadata.namespace.as_deref());
    }
}

impl Word for SharingBoundary {
    fn itself(&self, told: &Concerned) {
        send(&told.senders.boundaries, self);
    }

    /// A boundary concerns everything that is shared: which namespaces it selects may have changed.
    fn dependants(&self, told: &Concerned) {
        each(&told.catalogue.contracts, |_| true, &told.senders.contracts);
        told.where_grant(|_| true);
    }

    /// Without one of several boundaries more would be permitted. Whom it selects can't be read
    /// either: nobody has anything that is within it.
    fn stand_in(unreadable: &Unreadable) -> Option<Self> {
        let namespaces = NamespaceScope { from: NamespaceChoice::All, ..NamespaceScope::default() };
        let spec = SharingBoundarySpec { namespaces, ..SharingBoundarySpec::default() };
        Some(Self { metadata: unreadable.metadata.clone(), spec, status: None })
    }
}

impl Concerned {
    /// Tells of a change of an object that people write. Its status alone concerns nobody else.
    pub fn changed<K: Word>(&self, before: Option<&K>, now: &K) {
        if now.judges(before.is_some()) {
            self.catalogue.turns.note();
        }
        if !before.is_some_and(|before| self.is_echo(before, now)) {
            now.itself(self);
        }
        let same = before.is_some_and(|before| {
            let (before, now) = (before.meta(), now.meta());
            before.uid == now.uid
                && before.generation == now.generation
                && before.deletion_timestamp == now.deletion_timestamp
                && before.finalizers == now.finalizers
        });
        if !same {
            now.dependants(self);
        }
    }

    /// Whether all that changed of an object is the status that Comity itself has just written, and has
    /// looked at all the rest for. Whoever made room meanwhile may have missed one that waits for it.
    fn is_echo<K: Word>(&self, before: &K, now: &K) -> bool {
        let asked =
            |meta: &ObjectMeta| ObjectMeta { resource_version: None, managed_fields: None, ..meta.clone() };
        self.catalogue.said.is_echo(now) && !now.waits_for_room() && asked(before.meta()) == asked(now.meta())
    }

    /// A Service concerns the datasets that it may serve, and what shares them.
    pub fn service(&self, namespace: Option<&str>) {
        self.catalogue.turns.note();
        each(&self.catalogue.datasets, |dataset| is_in(dataset, namespace), &self.senders.datasets);
        self.sharing_from(namespace);
    }

    /// A record concerns its grant; the end of a grant may make room for others beside it. What Comity wrote
    /// itself is no news to it, but whoever decided waits for it.
    pub fn record(&self, record: &GrantRecord, is_news: bool) {
        let namespace = record.metadata.namespace.as_deref().unwrap_or_default();
        let (grant, is_over) = (&record.spec.grant, record.spec.event == RecordEvent::Ended);
        if is_over {
            self.grant(&grant.name.0, namespace);
            self.room_was_made();
        }
        if is_news && !is_over {
            return self.journal(namespace, grant);
        }
        self.decisions_about(namespace, &grant.name.0);
    }

    /// A journal concerns its grant, also where it lost lines.
    pub fn journal(&self, namespace: &str, grant: &GrantIdentity) {
        self.catalogue.turns.note();
        self.grant(&grant.name.0, namespace);
        self.decisions_about(namespace, &grant.name.0);
        if self.is_gone(&grant.name.0, namespace, Some(&grant.uid.0)) {
            self.left_behind();
        }
    }

    /// The journal of the grant with this UID, whatever it is called.
    pub fn journal_of(&self, namespace: &str, uid: &str) {
        self.catalogue.turns.note();
        let grants = self.catalogue.grants.state();
        let is_its = |grant: &&Arc<PartnerGrant>| {
            is_in(grant.as_ref(), Some(namespace)) && grant.metadata.uid.as_deref() == Some(uid)
        };
        let Some(grant) = grants.iter().find(is_its) else { return self.left_behind() };
        self.grant(&grant.name_any(), namespace);
        self.decisions_about(namespace, &grant.name_any());
    }

    /// An object concerns the grant that its labels name; a namespace also what is shared from it.
    pub fn object(&self, key: &Key, labels: &BTreeMap<String, String>) {
        self.catalogue.turns.note();
        if let (Some(grant), Some(namespace)) =
            (labels.get(name::LABEL_GRANT), labels.get(name::LABEL_GRANT_NAMESPACE))
        {
            self.grant(grant, namespace);
            if self.is_gone(grant, namespace, labels.get(name::LABEL_GRANT_UID).map(String::as_str)) {
                self.left_behind();
            }
        } else if key.kind == Kind::Namespace {
            self.sharing_from(Some(&key.name));
            self.waiting_for_namespace(&key.name);
        } else if key.kind == Kind::NetworkPolicy {
            self.where_grant(|grant| is_in(grant, Some(&key.namespace)));
        }
    }

    /// Comity's own admission policies concern every grant.
    pub fn admission(&self) {
        self.where_grant(|_| true);
    }

    pub(super) fn grant(&self, name: &str, namespace: &str) {
        // Nobody listens any more when the process goes down.
        drop(self.senders.grants.unbounded_send(ObjectRef::new(name).within(namespace)));
    }

    /// Whether there is no grant of that name and UID, as far as the watches have told.
    fn is_gone(&self, grant: &str, namespace: &str, uid: Option<&str>) -> bool {
        let found = self.catalogue.grants.get(&ObjectRef::new(grant).within(namespace));
        found.is_none_or(|found| found.metadata.uid.as_deref() != uid)
    }

    fn left_behind(&self) {
        // A process that clears nothing doesn't listen.
        drop(self.senders.leftovers.unbounded_send(()));
    }

    /// Tells the grants that wait for another one to end.
    fn room_was_made(&self) {
        self.where_grant(Word::waits_for_room);
    }

    /// What people decided about a grant of that name may come to something, or to nothing any more.
    pub fn decisions_about(&self, namespace: &str, grant: &str) {
        self.catalogue.turns.note();
        for decision in self.catalogue.docket.of_name(namespace, grant) {
            // A process that judges nothing doesn't listen.
            drop(self.senders.decisions.unbounded_send(decision));
        }
    }

    fn where_grant(&self, concerns: impl Fn(&PartnerGrant) -> bool) {
        each(&self.catalogue.grants, concerns, &self.senders.grants);
    }

    /// The contracts and the grants of a namespace.
    fn sharing_from(&self, namespace: Option<&str>) {
        each(&self.catalogue.contracts, |contract| is_in(contract, namespace), &self.senders.contracts);
        self.where_grant(|grant| is_in(grant, namespace));
    }

    /// A namespace that isn't Comity's may stand in the way of a grant whose name it looks like.
    fn waiting_for_namespace(&self, namespace: &str) {
        if namespace.starts_with(name::NAMESPACE_PREFIX) {
            self.where_grant(|grant| namespace.contains(&readable(grant)));
        }
    }
}

/// Tells of every object of a store that `concerns` picks.
fn each<K>(store: &Store<K>, concerns: impl Fn(&K) -> bool, told: &UnboundedSender<ObjectRef<K>>)
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store.state().iter().filter(|object| concerns(object)).for_each(|object| send(told, object.as_ref()));
}

/// Tells of one object. Where nobody listens, there is no controller for the kind.
fn send<K: Resource<DynamicType = ()>>(told: &UnboundedSender<ObjectRef<K>>, object: &K) {
    drop(told.unbounded_send(ObjectRef::from_obj(object)));
}

fn is_in<K: Resource>(object: &K, namespace: Option<&str>) -> bool {
    object.meta().namespace.as_deref() == namespace
}

/// The part of a grant's name that its namespaces begin with, at its shortest.
fn readable(grant: &PartnerGrant) -> String {
    grant.name_any().chars().take(35).collect::<String>().trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests;
