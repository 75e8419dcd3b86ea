//! The watches that fill the catalogue, and tell of each change.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Service;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::admission::Admission;
use super::catalogue::Catalogue;
use super::clock::Clock;
use super::concern::{Concerned, Queues, Word, queues};
use super::objects::Objects;
use super::records::Records;
use super::services::Services;
use super::watch::Watches;
use crate::api::{GrantRecord, name};
use crate::generate::admission::force::Part;
use crate::plan::objects::{Key, Kind};

/// How many objects a list asks for at once.
const PAGE: u32 = 100;

/// The annotation in which `kubectl apply` keeps what it applied.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The watches of a process.
#[derive(Debug)]
pub struct Feeds {
    /// What they tell.
    pub catalogue: Arc<Catalogue>,
    /// The watches themselves; they run until this is dropped.
    pub tasks: JoinSet<()>,
    ready: Vec<watch::Receiver<bool>>,
    clock: Clock,
    watches: Watches,
}

/// What a process watches beyond what every process does.
#[derive(Debug)]
pub struct Watched<'a> {
    /// These kinds of what Comity makes.
    pub kinds: &'a [Kind],
    /// What people decide.
    pub decisions: bool,
    /// Comity's own admission policies, as far as this requires any.
    pub admission: Admission,
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
}

impl<K> From<watcher::Event<K>> for News<K> {
    fn from(event: watcher::Event<K>) -> Self {
        match event {
            watcher::Event::Init => Self::Begin,
            watcher::Event::InitDone => Self::End,
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => Self::There(object),
            watcher::Event::Delete(object) => Self::Gone(object),
        }
    }
}

impl Feeds {
    /// Starts the watches: on what people write, on records, Services and namespaces, and on what
    /// else is asked for. What has to be looked at comes out of the queues, and how the watches fare
    /// is told to `watches`.
    pub fn start(
        client: &Client,
        asked: Watched<'_>,
        (clock, watches): (&Clock, &Watches),
    ) -> (Self, Queues) {
        let (grants, grant_writer) = store();
        let (contracts, contract_writer) = store();
        let (partners, partner_writer) = store();
        let (datasets, dataset_writer) = store();
        let (boundaries, boundary_writer) = store();
        let (decisions, decision_writer) = store();
        let catalogue = Arc::new(Catalogue {
            grants,
            contracts,
            partners,
            datasets,
            boundaries,
            decisions,
            records: Records::default(),
            objects: Objects::default(),
            services: Services::default(),
            admission: asked.admission,
        });
        let mut feeds = Self::none(&catalogue, clock, watches);
        let (senders, queues) = queues();
        let told = Concerned { catalogue, senders };
        feeds.reflect("PartnerGrant", client, grant_writer, told.clone());
        feeds.reflect("SharingContract", client, contract_writer, told.clone());
        feeds.reflect("Partner", client, partner_writer, told.clone());
        feeds.reflect("Dataset", client, dataset_writer, told.clone());
        feeds.reflect("SharingBoundary", client, boundary_writer, told.clone());
        if asked.decisions {
            feeds.reflect("GrantDecision", client, decision_writer, told.clone());
        }
        feeds.the_rest(client, asked.kinds, &told);
        (feeds, queues)
    }

    /// No watch yet.
    fn none(catalogue: &Arc<Catalogue>, clock: &Clock, watches: &Watches) -> Self {
        let (clock, watches) = (clock.clone(), watches.clone());
        Self { catalogue: Arc::clone(catalogue), tasks: JoinSet::new(), ready: Vec::new(), clock, watches }
    }

    /// Starts the watches on all that isn't one of the kinds that people write.
    fn the_rest(&mut self, client: &Client, kinds: &[Kind], told: &Concerned) {
        self.records(client, told.clone());
        self.services(client, told.clone());
        for kind in kinds {
            self.objects(client, *kind, told.clone());
        }
        if told.catalogue.admission.is_required() {
            for part in Part::ALL {
                self.admission(client, part, told.clone());
            }
        }
    }

    /// Waits until every watch has told of everything once.
    pub async fn filled(&mut self) {
        for ready in &mut self.ready {
            // A watch that has ended can't become ready: the process is going down.
            if ready.wait_for(|ready| *ready).await.is_err() {
                return;
            }
        }
    }

    /// Watches a kind that people write, into a store.
    fn reflect<K>(&mut self, kind: &'static str, client: &Client, mut writer: Writer<K>, told: Concerned)
    where
        K: Word + DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let api: Api<K> = Api::all(client.clone());
        let store = writer.as_reader();
        let mut before = Vec::new();
        self.follow(kind, watcher(api, config()).modify(Word::brief), move |event| {
            if matches!(event, watcher::Event::Init) {
                before = store.state();
            }
            let known = match &event {
                watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                    store.get(&ObjectRef::from_obj(object))
                }
                _ => None,
            };
            writer.apply_watcher_event(&event);
            match &event {
                watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                    told.changed(known.as_deref(), object);
                }
                watcher::Event::Delete(object) => told.changed(None, object),
                watcher::Event::InitDone => gone_meanwhile(&std::mem::take(&mut before), &store, &told),
                watcher::Event::Init => (),
            }
        });
    }

    fn records(&mut self, client: &Client, told: Concerned) {
        let api: Api<GrantRecord> = Api::all(client.clone());
        self.follow("GrantRecord", watcher(api, config()), move |event| {
            let records = &told.catalogue.records;
            match News::from(event) {
                News::Begin => records.begin(),
                News::End => {
                    for (namespace, grant) in records.end() {
                        told.journal(&namespace, &grant);
                    }
                }
                News::There(record) => {
                    let (namespace, name) = (record.namespace().unwrap_or_default(), record.name_any());
                    if records.put(&namespace, &name, record.spec.clone()) {
                        told.record(&record);
                    }
                }
                News::Gone(record) => {
                    let (namespace, name) = (record.namespace().unwrap_or_default(), record.name_any());
                    records.remove(&namespace, &name, &record.spec);
                    told.record(&record);
                }
            }
        });
    }

    fn services(&mut self, client: &Client, told: Concerned) {
        let api: Api<Service> = Api::all(client.clone());
        self.follow("Service", watcher(api, config()), move |event| match News::from(event) {
            News::Begin => told.catalogue.services.begin(),
            News::End => {
                for namespace in told.catalogue.services.end() {
                    told.service(Some(&namespace));
                }
            }
            News::There(service) => {
                if told.catalogue.services.put(&service) {
                    told.service(service.metadata.namespace.as_deref());
                }
            }
            News::Gone(service) => {
                told.catalogue.services.remove(&service);
                told.service(service.metadata.namespace.as_deref());
            }
        });
    }

    /// Watches what holds everybody to the rules. Only what Comity's own says is kept.
    fn admission(&mut self, client: &Client, part: Part, told: Concerned) {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", part.kind());
        let resource = ApiResource::from_gvk_with_plural(&kind, part.plural());
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        self.follow(part.kind(), watcher(api, config()), move |event| {
            let admission = &told.catalogue.admission;
            let matters = match News::from(event) {
                News::Begin => {
                    admission.begin(part);
                    false
                }
                News::End => admission.end(part),
                News::There(object) => admission.put(part, &object.name_any(), &object.data),
                News::Gone(object) => admission.remove(part, &object.name_any()),
            };
            if matters {
                told.admission();
            }
        });
    }

    /// Watches a kind of what Comity makes.
    fn objects(&mut self, client: &Client, kind: Kind, told: Concerned) {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind));
        let config = match kind {
            Kind::ConfigMap => config().fields(&format!("metadata.name={}", name::TRUST_CONFIG_MAP)),
            Kind::Namespace | Kind::NetworkPolicy => config(),
            _ => config().labels(name::LABEL_GRANT_UID),
        };
        self.follow(kind.api().kind, watcher(api, config), move |event| {
            let objects = &told.catalogue.objects;
            match News::from(event) {
                News::Begin => objects.begin(kind),
                News::End => {
                    for (key, labels) in objects.end(kind) {
                        told.object(&key, &labels);
                    }
                }
                News::There(object) => {
                    let (key, labels) = known_by(kind, &object);
                    if objects.put(kind, to_value(object)) {
                        told.object(&key, &labels);
                    }
                }
                News::Gone(object) => {
                    let (key, labels) = known_by(kind, &object);
                    objects.remove(kind, &to_value(object));
                    told.object(&key, &labels);
                }
            }
        });
    }

    /// Follows a watch until the process ends. Errors are told and tried again, ever more slowly.
    ///
    /// Who set which field, and what `kubectl` applied last, are as long as the object, and nobody
    /// asks: they aren't kept.
    fn follow<K, S>(
        &mut self,
        kind: &'static str,
        stream: S,
        mut handle: impl FnMut(watcher::Event<K>) + Send + 'static,
    ) where
        K: Resource + Send + 'static,
        S: Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    {
        let (filled, ready) = watch::channel(false);
        self.ready.push(ready);
        let (clock, watches) = (self.clock.clone(), self.watches.clone());
        watches.well(kind);
        self.tasks.spawn(async move {
            let mut stream = std::pin::pin!(stream.default_backoff().modify(|object| {
                object.meta_mut().managed_fields = None;
                object.annotations_mut().remove(APPLIED);
            }));
            while let Some(event) = stream.next().await {
                match event {
                    Ok(event) => {
                        let is_done = matches!(event, watcher::Event::InitDone);
                        watches.well(kind);
                        handle(event);
                        if is_done {
                            filled.send_replace(true);
                        }
                    }
                    Err(error) => {
                        watches.failed(kind, clock.now());
                        tracing::warn!(kind, %error, "a watch failed and is started again");
                    }
                }
            }
        });
    }
}

/// How a watch begins: by lists of few objects at once, so that a list of many doesn't take much
/// more memory for a moment than what is kept of it.
fn config() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// Tells of what was deleted while a watch was interrupted, of which it tells nothing itself.
fn gone_meanwhile<K: Word + 'static>(before: &[Arc<K>], store: &Store<K>, told: &Concerned) {
    let gone = before.iter().filter(|object| store.get(&ObjectRef::from_obj(object.as_ref())).is_none());
    gone.for_each(|object| told.changed(None, object.as_ref()));
}

/// By what an object is known, and whose it is.
fn known_by(kind: Kind, object: &DynamicObject) -> (Key, BTreeMap<String, String>) {
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_else(|| name.clone());
    (Key { kind, namespace, name }, object.labels().clone())
}

/// How a kind is called by the client.
pub fn resource(kind: Kind) -> ApiResource {
    let api = kind.api();
    ApiResource {
        group: api.group.to_owned(),
        version: api.version.to_owned(),
        api_version: api.api_version.to_owned(),
        kind: api.kind.to_owned(),
        plural: api.plural.to_owned(),
    }
}

/// An object as JSON.
pub fn to_value(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or(Value::Null)
}
