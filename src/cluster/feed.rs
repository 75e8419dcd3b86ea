//! The watches that fill the catalogue, and whom each change concerns.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Service;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::catalogue::Catalogue;
use super::objects::Objects;
use super::records::Records;
use super::services::Services;
use crate::api::contract::SharingContract;
use crate::api::record::RecordEvent;
use crate::api::{Dataset, GrantRecord, Partner, PartnerGrant, SharingBoundary, name};
use crate::plan::objects::Kind;

/// Which grant has to be looked at.
pub type GrantRef = ObjectRef<PartnerGrant>;

/// The watches of a process.
#[derive(Debug)]
pub struct Feeds {
    /// What they tell.
    pub catalogue: Arc<Catalogue>,
    /// The watches themselves; they run until this is dropped.
    pub tasks: JoinSet<()>,
    ready: Vec<watch::Receiver<bool>>,
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
    /// Starts the watches: on what people write, on records, Services and namespaces, and on
    /// `kinds` of what Comity makes. `concerned` is told which grants to look at.
    pub fn start(client: &Client, kinds: &[Kind], concerned: &UnboundedSender<GrantRef>) -> Self {
        let (grants, grant_writer) = store();
        let (contracts, contract_writer) = store();
        let (partners, partner_writer) = store();
        let (datasets, dataset_writer) = store();
        let (boundaries, boundary_writer) = store();
        let catalogue = Arc::new(Catalogue {
            grants,
            contracts,
            partners,
            datasets,
            boundaries,
            records: Records::default(),
            objects: Objects::default(),
            services: Services::default(),
        });
        let mut feeds = Self { catalogue: catalogue.clone(), tasks: JoinSet::new(), ready: Vec::new() };
        let told = Concerned { catalogue, grants: concerned.clone() };
        feeds.reflect(client, grant_writer, told.clone(), |told, grant: &PartnerGrant| told.grant(grant));
        feeds.reflect(client, contract_writer, told.clone(), Concerned::of_contract);
        feeds.reflect(client, partner_writer, told.clone(), Concerned::of_partner);
        feeds.reflect(client, dataset_writer, told.clone(), |told, dataset: &Dataset| {
            told.in_namespace(dataset.namespace().as_deref());
        });
        feeds.reflect(client, boundary_writer, told.clone(), |told, _: &SharingBoundary| {
            told.where_grant(|_| true);
        });
        feeds.records(client, told.clone());
        feeds.services(client, told.clone());
        for kind in kinds {
            feeds.objects(client, *kind, told.clone());
        }
        feeds
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
    fn reflect<K>(
        &mut self,
        client: &Client,
        mut writer: Writer<K>,
        told: Concerned,
        concerns: impl Fn(&Concerned, &K) + Send + 'static,
    ) where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
        K::DynamicType: Eq + Hash + Clone,
    {
        let api: Api<K> = Api::all(client.clone());
        let stream = watcher(api, watcher::Config::default());
        self.follow(stream, move |event| {
            writer.apply_watcher_event(&event);
            if let watcher::Event::Apply(object)
            | watcher::Event::InitApply(object)
            | watcher::Event::Delete(object) = &event
            {
                concerns(&told, object);
            }
        });
    }

    fn records(&mut self, client: &Client, told: Concerned) {
        let api: Api<GrantRecord> = Api::all(client.clone());
        self.follow(watcher(api, watcher::Config::default()), move |event| {
            let records = &told.catalogue.records;
            match News::from(event) {
                News::Begin => records.begin(),
                News::End => records.end(),
                News::There(record) => {
                    records.put(record.spec.clone());
                    told.record(&record);
                }
                News::Gone(record) => {
                    records.remove(&record.spec);
                    told.record(&record);
                }
            }
        });
    }

    fn services(&mut self, client: &Client, told: Concerned) {
        let api: Api<Service> = Api::all(client.clone());
        self.follow(watcher(api, watcher::Config::default()), move |event| match News::from(event) {
            News::Begin => told.catalogue.services.begin(),
            News::End => told.catalogue.services.end(),
            News::There(service) => {
                if told.catalogue.services.put(&service) {
                    told.in_namespace(service.metadata.namespace.as_deref());
                }
            }
            News::Gone(service) => {
                told.catalogue.services.remove(&service);
                told.in_namespace(service.metadata.namespace.as_deref());
            }
        });
    }

    /// Watches a kind of what Comity makes.
    fn objects(&mut self, client: &Client, kind: Kind, told: Concerned) {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind));
        let config = match kind {
            Kind::ConfigMap => {
                watcher::Config::default().fields(&format!("metadata.name={}", name::TRUST_CONFIG_MAP))
            }
            Kind::Namespace | Kind::NetworkPolicy => watcher::Config::default(),
            _ => watcher::Config::default().labels(name::LABEL_GRANT_UID),
        };
        self.follow(watcher(api, config), move |event| {
            let objects = &told.catalogue.objects;
            match News::from(event) {
                News::Begin => objects.begin(kind),
                News::End => objects.end(kind),
                News::There(object) => {
                    objects.put(kind, to_value(object.clone()));
                    told.object(kind, &object);
                }
                News::Gone(object) => {
                    objects.remove(kind, &to_value(object.clone()));
                    told.object(kind, &object);
                }
            }
        });
    }

    /// Follows a watch until the process ends. Errors are told and tried again, ever more slowly.
    fn follow<K, S>(&mut self, stream: S, mut handle: impl FnMut(watcher::Event<K>) + Send + 'static)
    where
        K: Send + 'static,
        S: Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    {
        let (filled, ready) = watch::channel(false);
        self.ready.push(ready);
        self.tasks.spawn(async move {
            let mut stream = std::pin::pin!(stream.default_backoff());
            while let Some(event) = stream.next().await {
                match event {
                    Ok(event) => {
                        let is_done = matches!(event, watcher::Event::InitDone);
                        handle(event);
                        if is_done {
                            filled.send_replace(true);
                        }
                    }
                    Err(error) => tracing::warn!(%error, "a watch failed and is started again"),
                }
            }
        });
    }
}

/// Tells which grants a change concerns.
#[derive(Clone, Debug)]
struct Concerned {
    catalogue: Arc<Catalogue>,
    grants: UnboundedSender<GrantRef>,
}

impl Concerned {
    fn tell(&self, name: &str, namespace: &str) {
        // Nobody listens any more when the process goes down.
        drop(self.grants.unbounded_send(ObjectRef::new(name).within(namespace)));
    }

    fn grant(&self, grant: &PartnerGrant) {
        self.tell(&grant.name_any(), &grant.namespace().unwrap_or_default());
    }

    fn where_grant(&self, matches: impl Fn(&PartnerGrant) -> bool) {
        self.catalogue
            .grants
            .state()
            .iter()
            .filter(|grant| matches(grant))
            .for_each(|grant| self.grant(grant));
    }

    /// A contract concerns the grants under it.
    fn of_contract(&self, contract: &SharingContract) {
        self.where_grant(|grant| {
            grant.namespace() == contract.namespace()
                && Some(&grant.spec.contract_ref.name.0) == contract.metadata.name.as_ref()
        });
    }

    /// A partner concerns the grants that name it.
    fn of_partner(&self, partner: &Partner) {
        self.where_grant(|grant| Some(&grant.spec.partner_ref.name.0) == partner.metadata.name.as_ref());
    }

    fn in_namespace(&self, namespace: Option<&str>) {
        self.where_grant(|grant| grant.metadata.namespace.as_deref() == namespace);
    }

    /// A record concerns its grant; the end of a grant may make room for others beside it.
    fn record(&self, record: &GrantRecord) {
        let namespace = record.metadata.namespace.as_deref();
        self.tell(&record.spec.grant.name.0, namespace.unwrap_or_default());
        if record.spec.event == RecordEvent::Ended {
            self.in_namespace(namespace);
        }
    }

    /// An object concerns the grant that its labels name; a namespace also the grants in it.
    fn object(&self, kind: Kind, object: &DynamicObject) {
        let labels = object.labels();
        if let (Some(grant), Some(namespace)) =
            (labels.get(name::LABEL_GRANT), labels.get(name::LABEL_GRANT_NAMESPACE))
        {
            self.tell(grant, namespace);
        } else if kind == Kind::Namespace {
            self.in_namespace(object.metadata.name.as_deref());
            self.waiting_for_namespace(&object.name_any());
        } else if kind == Kind::NetworkPolicy {
            self.in_namespace(object.metadata.namespace.as_deref());
        }
    }

    /// A namespace that isn't Comity's may stand in the way of a grant whose name it looks like.
    fn waiting_for_namespace(&self, namespace: &str) {
        if namespace.starts_with(name::NAMESPACE_PREFIX) {
            self.where_grant(|grant| namespace.contains(&readable(grant)));
        }
    }
}

/// The part of a grant's name that its namespaces begin with, at its shortest.
fn readable(grant: &PartnerGrant) -> String {
    grant.name_any().chars().take(35).collect::<String>().trim_end_matches('-').to_owned()
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
