//! The watches that fill the catalogue, and tell of each change.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

pub mod doors;
mod watching;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::reflector::store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::watching::Watching;
pub(super) use self::watching::complain;
use super::admission::Admission;
use super::catalogue::{Catalogue, Turns};
use super::clock::Clock;
use super::concern::{Concerned, Queues, Word, queues};
use super::docket::Docket;
use super::objects::Objects;
use super::readable::{News, Readable};
use super::records::Records;
use super::reflection::Reflection;
use super::reports::{self, Reports};
use super::services::Services;
use super::watch::Watches;
use crate::api::{GrantRecord, RehearsalReport, name};
use crate::generate::admission::force::Part;
use crate::plan::objects::{Key, Kind};

/// How many objects a list asks for at once.
const PAGE: u32 = 100;

/// The watches of a process.
#[derive(Debug)]
pub struct Feeds {
    /// What they tell.
    pub catalogue: Arc<Catalogue>,
    watching: Watching,
}

/// What a process watches beyond what every process does.
#[derive(Debug)]
pub struct Watched<'a> {
    /// These kinds of what Comity makes.
    pub kinds: &'a [Kind],
    /// The `RoleBindings` of this name, which let a process into a stage's namespace, and no others.
    pub doors: Option<&'static str>,
    /// Comity's own admission policies, as far as this requires any.
    pub admission: Admission,
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
            docket: Docket::default(),
            turns: Turns::default(),
            records: Records::default(),
            reports: Reports::default(),
            objects: Objects::default(),
            services: Services::default(),
            admission: asked.admission,
            said: Arc::default(),
        });
        let watching = Watching::new(clock, watches);
        let mut feeds = Self { catalogue: Arc::clone(&catalogue), watching };
        let (senders, queues) = queues();
        let told = Concerned { catalogue, senders };
        feeds.reflect("PartnerGrant", client, grant_writer, told.clone());
        feeds.reflect("SharingContract", client, contract_writer, told.clone());
        feeds.reflect("Partner", client, partner_writer, told.clone());
        feeds.reflect("Dataset", client, dataset_writer, told.clone());
        feeds.reflect("SharingBoundary", client, boundary_writer, told.clone());
        feeds.reflect("GrantDecision", client, decision_writer, told.clone());
        feeds.the_rest(client, (asked.kinds, asked.doors), &told);
        (feeds, queues)
    }

    /// Starts the watches on all that isn't one of the kinds that people write.
    fn the_rest(&mut self, client: &Client, (kinds, doors): (&[Kind], Option<&str>), told: &Concerned) {
        self.records(client, told.clone());
        self.reports(client, told.clone());
        self.services(client, told.clone());
        for kind in kinds {
            self.objects(client, (*kind, chosen(*kind)), told.clone());
        }
        if let Some(door) = doors {
            let only = config().fields(&format!("metadata.name={door}"));
            self.objects(client, (Kind::RoleBinding, only), told.clone());
        }
        for part in told.catalogue.admission.parts() {
            self.admission(client, part, told.clone());
        }
    }

    /// Waits until every watch has told of everything once.
    pub async fn filled(&mut self) {
        self.watching.filled().await;
    }

    /// Watches a kind that people write, into a store.
    fn reflect<K>(&mut self, kind: &'static str, client: &Client, writer: Writer<K>, told: Concerned)
    where
        K: Word + DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let api: Api<Readable<K>> = Api::all(client.clone());
        let mut reflection = Reflection::new(writer, told);
        self.watching.follow(kind, watcher(api, config()), move |news| reflection.take(news));
    }

    fn records(&mut self, client: &Client, told: Concerned) {
        let api: Api<Readable<GrantRecord>> = Api::all(client.clone());
        self.watching.follow("GrantRecord", watcher(api, config()), move |news| {
            let records = &told.catalogue.records;
            match news {
                News::Begin => records.begin(),
                News::End => {
                    for (namespace, grant) in records.end() {
                        told.journal(&namespace, &grant);
                    }
                }
                News::There(record) => {
                    let (namespace, name) = (record.namespace().unwrap_or_default(), record.name_any());
                    let is_news = records.put(&namespace, &name, record.spec.clone());
                    told.record(&record, is_news);
                }
                News::Gone(record) => {
                    let (namespace, name) = (record.namespace().unwrap_or_default(), record.name_any());
                    records.remove(&namespace, &name, &record.spec);
                    told.record(&record, true);
                }
                News::Unreadable(record) => {
                    let (namespace, name) = record.key();
                    if let Some(uid) = records.spoil(&namespace, &name) {
                        told.journal_of(&namespace, &uid);
                    }
                }
                News::UnreadableGone(record) => {
                    let (namespace, name) = record.key();
                    if let Some(uid) = records.forget(&namespace, &name) {
                        told.journal_of(&namespace, &uid);
                    }
                }
            }
        });
    }

    fn reports(&mut self, client: &Client, told: Concerned) {
        let api: Api<Readable<RehearsalReport>> = Api::all(client.clone());
        self.watching.follow("RehearsalReport", watcher(api, config()), move |news| {
            let known = &told.catalogue.reports;
            match news {
                News::Begin | News::End => {}
                News::There(report) => {
                    known.put(&report);
                    told.report(&report);
                }
                // What the journal took stays taken.
                News::Gone(report) => known.remove(&reports::key(&report)),
                News::Unreadable(report) | News::UnreadableGone(report) => known.remove(&report.key()),
            }
        });
    }

    fn services(&mut self, client: &Client, told: Concerned) {
        let api: Api<Readable<Service>> = Api::all(client.clone());
        self.watching.follow("Service", watcher(api, config()), move |news| match news {
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
                told.catalogue.services.remove(&service.metadata);
                told.service(service.metadata.namespace.as_deref());
            }
            News::Unreadable(service) | News::UnreadableGone(service) => {
                told.catalogue.services.remove(&service.metadata);
                told.service(service.metadata.namespace.as_deref());
            }
        });
    }

    /// Watches what holds everybody to the rules. Only what Comity's own says is kept.
    fn admission(&mut self, client: &Client, part: Part, told: Concerned) {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", part.kind());
        let resource = ApiResource::from_gvk_with_plural(&kind, part.plural());
        let api: Api<Readable<DynamicObject>> = Api::all_with(client.clone(), &resource);
        self.watching.follow(part.kind(), watcher(api, config()), move |news| {
            let admission = &told.catalogue.admission;
            let matters = match news {
                News::Begin => {
                    admission.begin(part);
                    false
                }
                News::End => admission.end(part),
                News::There(object) => admission.put(part, &object.name_any(), &object.data),
                News::Gone(object) => admission.remove(part, &object.name_any()),
                News::Unreadable(object) | News::UnreadableGone(object) => {
                    admission.remove(part, &object.key().1)
                }
            };
            if matters {
                told.admission();
            }
        });
    }

    /// Watches a kind of what Comity makes, as far as `config` asks for it.
    fn objects(&mut self, client: &Client, (kind, config): (Kind, watcher::Config), told: Concerned) {
        let api: Api<Readable<DynamicObject>> = Api::all_with(client.clone(), &resource(kind));
        self.watching.follow(kind.api().kind, watcher(api, config), move |news| {
            let objects = &told.catalogue.objects;
            match news {
                News::Begin => objects.begin(kind),
                News::End => {
                    for (key, labels) in objects.end(kind) {
                        told.object(&key, &labels);
                    }
                }
                News::There(object) => {
                    let (key, labels) = known_by(kind, &object.metadata);
                    if objects.put(kind, to_value(object)) {
                        told.object(&key, &labels);
                    }
                }
                News::Gone(object) => {
                    let (key, labels) = known_by(kind, &object.metadata);
                    objects.remove(kind, &to_value(object));
                    told.object(&key, &labels);
                }
                News::Unreadable(object) | News::UnreadableGone(object) => {
                    let (key, labels) = known_by(kind, &object.metadata);
                    objects.remove(kind, &object.value());
                    told.object(&key, &labels);
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

/// What is watched of a kind of what Comity makes.
fn chosen(kind: Kind) -> watcher::Config {
    match kind {
        Kind::ConfigMap => config().fields(&format!("metadata.name={}", name::TRUST_CONFIG_MAP)),
        Kind::Namespace | Kind::NetworkPolicy => config(),
        _ => config().labels(name::LABEL_GRANT_UID),
    }
}

/// By what an object is known, and whose it is.
fn known_by(kind: Kind, metadata: &ObjectMeta) -> (Key, BTreeMap<String, String>) {
    let name = metadata.name.clone().unwrap_or_default();
    let namespace = metadata.namespace.clone().unwrap_or_else(|| name.clone());
    (Key { kind, namespace, name }, metadata.labels.clone().unwrap_or_default())
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

#[cfg(test)]
mod tests;
