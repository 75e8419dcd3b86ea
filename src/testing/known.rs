//! What the watches would have told of the story of `examples/fraud-scoring/`, without watches.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, store};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use crate::api::record::GrantIdentity;
use crate::api::{GrantDecision, PartnerGrant, Stage, name};
use crate::cluster::admission::Admission;
use crate::cluster::catalogue::{Catalogue, Turns};
use crate::cluster::docket::Docket;
use crate::cluster::objects::Objects;
use crate::cluster::records::Records;
use crate::cluster::reports::Reports;
use crate::cluster::services::Services;
use crate::plan::objects::Kind;
use crate::policy::testing::World;
use crate::testing::rehearsed::{self, Observed};

/// A catalogue that a test tells what stands.
pub struct Known {
    /// What it was told.
    pub catalogue: Arc<Catalogue>,
    grants: Writer<PartnerGrant>,
    told: i64,
}

impl Known {
    /// All of the story but the grant.
    pub fn story() -> Self {
        Self::changed(|_| ())
    }

    /// The same, with something changed.
    pub fn changed(change: impl FnOnce(&mut World)) -> Self {
        let mut world = World::story();
        change(&mut world);
        let (grant_store, grants) = store();
        let catalogue = Catalogue { grants: grant_store, ..Self::without_ground(world) };
        for object in documents(include_str!("../../examples/fraud-scoring/01-services.yaml")) {
            if object["kind"] == "Service" {
                catalogue.services.put(&serde_json::from_value::<Service>(object).unwrap());
            } else {
                catalogue.objects.put(Kind::NetworkPolicy, object);
            }
        }
        for mut namespace in documents(include_str!("../../examples/fraud-scoring/00-namespace.yaml")) {
            namespace["metadata"]["uid"] = json!("home");
            catalogue.objects.put(Kind::Namespace, namespace);
        }
        Self { catalogue: Arc::new(catalogue), grants, told: 0 }
    }

    /// The same, without Services, namespaces and policies.
    pub fn unshared() -> Catalogue {
        Self::without_ground(World::story())
    }

    fn without_ground(world: World) -> Catalogue {
        Catalogue {
            grants: filled([]),
            contracts: filled([world.contract]),
            partners: filled([world.partner]),
            datasets: filled(world.datasets),
            boundaries: filled(world.boundaries),
            decisions: filled([]),
            docket: Docket::default(),
            turns: Turns::default(),
            records: Records::default(),
            reports: Reports::default(),
            objects: Objects::default(),
            services: Services::default(),
            admission: Admission::default(),
            said: Arc::default(),
        }
    }

    /// The story's grant, up to a stage.
    pub fn grant(ceiling: Stage) -> PartnerGrant {
        let mut grant = World::story().grant;
        grant.spec.stage = ceiling;
        grant.metadata.generation = Some(1);
        grant.metadata.resource_version = Some("1".to_owned());
        grant
    }

    /// That olga confirms a grant, so many seconds after the story's time.
    pub fn decision(name: &str, grant: &PartnerGrant, made: i64) -> GrantDecision {
        let about = &grant.metadata;
        let identity = json!({"name": about.name, "uid": about.uid});
        let spec = json!({"grantRef": identity, "action": "Attest", "reason": "It is in use"});
        let mut decision = GrantDecision::new(name, serde_json::from_value(spec).unwrap());
        let metadata = &mut decision.metadata;
        metadata.namespace.clone_from(&about.namespace);
        metadata.uid = Some(format!("decision-{name}"));
        metadata.creation_timestamp = Some(Time(now() + SignedDuration::from_secs(made)));
        metadata.annotations = Some([(name::ANNOTATION_DECIDED_BY.to_owned(), "olga".to_owned())].into());
        decision
    }

    /// Tells of the grant as it is stored now.
    pub fn tell(&mut self, grant: &PartnerGrant) -> Arc<PartnerGrant> {
        self.grants.apply_watcher_event(&Event::Apply(grant.clone()));
        Arc::new(grant.clone())
    }

    /// What the quota controller and `comity sign` do in a stage's namespace, as watches tell of it.
    pub fn others_act(&mut self, uid: &str, workload: &str) {
        for (key, live) in self.catalogue.objects.of_grant(uid) {
            if key.kind == Kind::ResourceQuota {
                let mut quota = live.value();
                quota["metadata"]["uid"] = json!(live.uid);
                quota["metadata"]["name"] = json!(key.name);
                quota["metadata"]["namespace"] = json!(key.namespace);
                quota["status"]["hard"] = quota["spec"]["hard"].clone();
                self.put(key.kind, quota);
            }
            if key.kind == Kind::Namespace {
                let labels = json!({name::LABEL_GRANT_UID: uid});
                let metadata = json!({"name": name::TRUST_CONFIG_MAP, "namespace": key.name, "uid": "trust", "labels": labels});
                let data = json!({"ca.crt": "anchor", name::trust_key(workload): "chain"});
                self.put(Kind::ConfigMap, json!({"metadata": metadata, "data": data}));
            }
        }
    }

    /// What `comity rehearse` does for the story's grant, where everything comes out as it has to.
    pub fn rehearse(&mut self, grant: &PartnerGrant) {
        let metadata = &grant.metadata;
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
        let identity = GrantIdentity { name: text(&metadata.name), uid: text(&metadata.uid) };
        let Ok(journal) = self.catalogue.journal(grant) else { return };
        for report in rehearsed::reports(&journal, &identity, &Observed::Allowed) {
            self.catalogue.reports.put(&report);
        }
    }

    /// Takes back what `comity sign` published.
    pub fn certificates_go(&mut self, place: &str) {
        let metadata = json!({"name": name::TRUST_CONFIG_MAP, "namespace": place, "uid": "trust"});
        self.catalogue.objects.remove(Kind::ConfigMap, &json!({"metadata": metadata}));
    }

    /// Tells of an object, in a version after all others.
    fn put(&mut self, kind: Kind, mut object: Value) {
        self.told += 1;
        object["metadata"]["resourceVersion"] = json!((1_000_000 + self.told).to_string());
        self.catalogue.objects.put(kind, object);
    }
}

/// The time of the story.
pub fn now() -> Timestamp {
    World::story().now
}

fn filled<K>(objects: impl IntoIterator<Item = K>) -> kube::runtime::reflector::Store<K>
where
    K: Lookup<DynamicType = ()> + Clone + 'static,
{
    let (store, mut writer) = store();
    objects.into_iter().for_each(|object| writer.apply_watcher_event(&Event::Apply(object)));
    store
}

fn documents(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}
