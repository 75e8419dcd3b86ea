//! A world in memory in which a grant lives: the real decisions and the real objects, without an
//! API server. A step can be taken, or lost in a crash; time goes forwards and backwards.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

pub use super::agreed::{agreement, spec, written};
use crate::api::contract::NarrowedPods;
use crate::api::record::{GrantIdentity, GrantRecordSpec};
use crate::api::{GrantDecision, PartnerGrant, Stage, name};
use crate::grant::build::Installation;
use crate::grant::build::namespace::{namespace, unrecorded};
use crate::grant::check::Inspected;
use crate::grant::decide::running::held_to;
use crate::grant::decide::{Decision, Pods, Records, Step, decide};
use crate::grant::foresee::Unwritten;
use crate::grant::hear::vain::Called;
use crate::grant::observe::{Aside, Names, Scene, once_had_records, remains_of};
use crate::grant::weigh::{Weighed, broken_by};
use crate::journal::append::next_record;
use crate::journal::rehearsal::Told;
use crate::journal::{Broken, Journal};
use crate::plan::objects::{Key, Kind, Live, LiveObjects, Wanted};
use crate::policy::standing::Outlook;
use crate::policy::{Agreement, Problem, StageTerms};
use crate::testing::rehearsed::{self, Observed};

/// A grant and all that stands of it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that may have happened")]
pub struct World {
    pub grant: PartnerGrant,
    pub agreement: Result<Agreement, Vec<Problem>>,
    pub standing: BTreeMap<Stage, StageTerms>,
    pub controls: BTreeMap<String, Timestamp>,
    pub records: Vec<GrantRecordSpec>,
    pub live: LiveObjects,
    pub finalized: bool,
    pub gone: bool,
    pub pods: BTreeMap<String, Pods>,
    pub running: Vec<Pod>,
    pub weighed: BTreeMap<String, Weighed>,
    pub unwritable: bool,
    pub lacking: Option<String>,
    pub decisions: Vec<Arc<GrantDecision>>,
    /// What was rehearsed and isn't in the journal yet.
    pub told: Vec<Told>,
    /// What comes of each case.
    pub rehearsal: Observed,
    pub refused: BTreeSet<String>,
    pub made_again: bool,
    pub aside: Aside,
    pub now: Timestamp,
    inspected: RefCell<Inspected>,
    installation: Installation,
    counter: u64,
}

/// The grant, as records name it.
fn identity() -> GrantIdentity {
    GrantIdentity { name: "northpay-fraud".into(), uid: UID.into() }
}

pub const UID: &str = "7448b863-1fcf-4cc2-9c11-4c7896babf15";

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
}

impl World {
    /// A grant that has just been asked for, up to `ceiling`, under a contract that permits it.
    pub fn new(ceiling: Stage) -> Self {
        let mut grant = PartnerGrant::new("northpay-fraud", spec(ceiling));
        grant.metadata.namespace = Some("risk-data".to_owned());
        grant.metadata.uid = Some(UID.to_owned());
        grant.metadata.generation = Some(1);
        Self {
            grant,
            agreement: Ok(agreement("v1:sha256:one")),
            standing: BTreeMap::new(),
            controls: BTreeMap::new(),
            records: Vec::new(),
            live: LiveObjects::new(),
            finalized: false,
            gone: false,
            pods: BTreeMap::new(),
            running: Vec::new(),
            weighed: BTreeMap::new(),
            unwritable: false,
            lacking: None,
            decisions: Vec::new(),
            told: Vec::new(),
            rehearsal: Observed::Allowed,
            refused: BTreeSet::new(),
            made_again: false,
            aside: Aside::default(),
            now: at(0),
            inspected: RefCell::default(),
            installation: Installation {
                system_namespace: name::DEFAULT_SYSTEM_NAMESPACE.to_owned(),
                cluster_networks: vec!["10.96.0.0/12".to_owned()],
                dns_namespace: "kube-system".to_owned(),
                dns_selector: BTreeMap::from([("k8s-app".to_owned(), "kube-dns".to_owned())]),
            },
            counter: 0,
        }
    }

    fn outlook(&self) -> Outlook {
        Outlook {
            agreement: self.agreement.clone(),
            standing: self.standing.clone(),
            controls: self.controls.clone(),
        }
    }

    /// What the records say, if anything can be made of them.
    fn known_journal(&self) -> Result<Journal, Broken> {
        let once = once_had_records(&self.grant, self.finalized, &self.live);
        Journal::fold(&self.records).and_then(|journal| journal.unless_lost(once))
    }

    /// What stands, as one pass sees it.
    pub fn scene(&self) -> Scene<'_> {
        let (outlook, journal) = (self.outlook(), self.known_journal());
        let records = if self.unwritable { Records::Refused } else { Records::Writable };
        let decisions: Vec<_> =
            self.decisions.iter().filter(|decision| decision.is_about(&self.grant)).cloned().collect();
        let unwritten = Unwritten { decisions: &decisions, refused: &self.refused, records };
        let foreseen =
            journal.as_ref().ok().and_then(|journal| unwritten.foresee(journal, &outlook, self.now));
        let mut scene = Scene {
            grant: &self.grant,
            installation: &self.installation,
            remains: journal.iter().flat_map(|journal| remains_of(&journal.openings, &outlook)).collect(),
            remains_by: None,
            outlook,
            journal,
            inspected: Inspected::default(),
            contract: None,
            live: self.live.clone(),
            ingress: BTreeSet::from(["transactions".to_owned()]),
            finalized: self.finalized,
            pods: self.pods.clone(),
            weighed: self.weighed.clone(),
            unweighed: BTreeMap::new(),
            records,
            lacking: self.lacking.clone(),
            foreseen,
            refused: self.refused.clone(),
            taken: 0,
            failed: BTreeSet::new(),
            conflict: None,
            decisions,
            told: self.told.clone(),
            called: Called::default(),
            made_again: self.made_again,
            aside: self.aside.clone(),
            now: self.now,
        };
        self.inspect(&mut scene);
        scene
    }

    /// Looks at the places, by what was seen of them before and without: it comes to the same.
    fn inspect(&self, scene: &mut Scene<'_>) {
        scene.inspected = self.inspected.take();
        scene.inspect();
        let known = std::mem::take(&mut scene.inspected);
        scene.inspect();
        for opening in scene.journal.iter().flat_map(|journal| &journal.openings) {
            let place = &opening.namespace;
            assert_eq!(known.standing(place), scene.inspected.standing(place), "{place}");
        }
        self.inspected.replace(known);
    }

    pub fn names(&self) -> Names {
        Names::of(&self.grant)
    }

    pub fn journal(&self) -> Journal {
        Journal::fold(&self.records).expect("the journal holds")
    }

    pub fn decide(&self) -> Decision {
        decide(&self.scene().view(&self.names()))
    }

    /// Decides and takes one step. `false`: there was none.
    pub fn step(&mut self) -> bool {
        if self.gone {
            return false;
        }
        let Some(step) = self.decide().step else { return false };
        self.take(&step);
        true
    }

    /// Takes steps until there is none left, while the other controllers do their part.
    pub fn settle(&mut self) {
        for _ in 0..200 {
            if self.step() {
                continue;
            }
            // A pass ends, and what it alone knew is forgotten.
            self.pods.clear();
            if !self.others_act() {
                return;
            }
        }
        panic!("it never comes to rest: {:?}", self.decide().step);
    }

    /// What `comity sign`, the quota controller and the namespace controller do.
    pub fn others_act(&mut self) -> bool {
        let before = self.live.clone();
        self.finish_namespaces();
        self.enforce_quotas();
        self.sign();
        let rehearsed = self.rehearse();
        before != self.live || rehearsed
    }

    /// What `comity rehearse` does, once it is let in.
    fn rehearse(&mut self) -> bool {
        let let_in = self.live.keys().any(|key| key.name == name::REHEARSER_BINDING);
        let journal = self.known_journal().ok().filter(|_| let_in);
        let told = journal.map(|journal| rehearsed::told(&journal, &identity(), &self.rehearsal));
        let before = std::mem::replace(&mut self.told, told.unwrap_or_default());
        before != self.told
    }

    pub fn forward(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).expect("in range");
    }

    /// Whether anybody can use anything: a binding, an open gate, a path.
    pub fn any_access(&self) -> bool {
        self.live.iter().any(|(key, live)| match key.kind {
            Kind::RoleBinding => key.name != name::SIGNER_BINDING,
            Kind::NetworkPolicy => key.name != name::DEFAULT_DENY,
            Kind::Namespace => {
                live.label(name::LABEL_PODS).as_deref() == Some(name::PODS_OPEN) && !live.terminating
            }
            _ => false,
        })
    }

    pub fn bindings(&self) -> usize {
        self.live
            .keys()
            .filter(|key| key.kind == Kind::RoleBinding && key.name != name::SIGNER_BINDING)
            .count()
    }

    pub fn namespaces(&self) -> Vec<String> {
        self.live.keys().filter(|key| key.kind == Kind::Namespace).map(|key| key.name.clone()).collect()
    }

    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Finalize => self.finalized = true,
            Step::Unfinalize => {
                self.finalized = false;
                self.gone = self.grant.metadata.deletion_timestamp.is_some();
            }
            Step::Record(entry) => {
                let identity = identity();
                let record =
                    next_record(&self.journal(), entry, &identity, self.grant.metadata.generation, self.now);
                self.records.push(record);
            }
            Step::CreateNamespace(name) => {
                self.make_namespace(name, crate::grant::build::namespace::Gate::Closed);
            }
            Step::SetGate(name, gate) => self.make_namespace(name, *gate),
            Step::Apply(objects) | Step::Confine(objects) => {
                for object in objects {
                    self.store(object);
                }
            }
            Step::Delete(doomed) => doomed.iter().for_each(|doomed| drop(self.live.remove(&doomed.key))),
            Step::CountPods(name) | Step::DeletePods(name) => {
                self.running.clear();
                self.pods.insert(name.clone(), Pods::Gone);
            }
            Step::Weigh(name) => self.weigh(name),
            Step::DeleteNamespace(name, _) => self.terminate(name),
        }
    }

    /// What the conductor does, where each pod goes as soon as it is deleted.
    fn weigh(&mut self, place: &str) {
        let (scene, names, journal) = (self.scene(), self.names(), self.journal());
        let opening = journal.openings.iter().find(|opening| opening.namespace == place).expect("an opening");
        let policy = scene.site(opening, &names).policy;
        let (against, fate) = (held_to(policy, opening), policy.unlawful_pods());
        let broken = |pod: &Pod| Some((pod.metadata.name.clone()?, broken_by(pod, &against)?.clause));
        let unlawful: Vec<_> = self.running.iter().filter_map(broken).collect();
        let weighed = Weighed::now(self.weighed.get(place), against.clone(), self.now, &unlawful);
        self.weighed.insert(place.to_owned(), weighed);
        if fate == NarrowedPods::Delete {
            self.running.retain(|pod| broken_by(pod, &against).is_none());
        }
    }

    fn make_namespace(&mut self, name: &str, gate: crate::grant::build::namespace::Gate) {
        let (scene, names) = (self.scene(), self.names());
        let journal = self.journal();
        let opening = journal.openings.iter().find(|opening| opening.namespace == name);
        let owner = BTreeMap::from([(name::LABEL_GRANT_UID.to_owned(), UID.to_owned())]);
        let wanted = opening.map_or_else(
            || unrecorded(name, &owner, gate),
            |opening| namespace(&scene.site(opening, &names), gate),
        );
        self.store(&wanted);
    }

    fn store(&mut self, wanted: &Wanted) {
        self.counter += 1;
        let mut body = wanted.body.clone();
        let known = self.live.get(&wanted.key);
        let uid = known.map_or_else(|| format!("uid-{}", self.counter), |live| live.uid.clone());
        body["metadata"]["uid"] = json!(uid);
        body["metadata"]["resourceVersion"] = json!(self.counter.to_string());
        self.live.insert(wanted.key.clone(), Live::from_value(body));
    }

    /// Marks a namespace as being deleted.
    pub fn terminate(&mut self, name: &str) {
        let key = Key { kind: Kind::Namespace, namespace: name.to_owned(), name: name.to_owned() };
        if let Some(live) = self.live.get_mut(&key) {
            live.terminating = true;
        }
    }

    fn finish_namespaces(&mut self) {
        let ends = |key: &Key, live: &Live| key.kind == Kind::Namespace && live.terminating;
        let ending: BTreeSet<String> =
            self.live.iter().filter(|(key, live)| ends(key, live)).map(|(key, _)| key.name.clone()).collect();
        self.live.retain(|key, _| !ending.contains(&key.namespace));
    }

    fn enforce_quotas(&mut self) {
        for (_, live) in self.live.iter_mut().filter(|(key, _)| key.kind == Kind::ResourceQuota) {
            let mut body = live.value();
            body["status"]["hard"] = body["spec"]["hard"].clone();
            live.body = body.to_string().into();
        }
    }

    /// Publishes certificates where a stage's namespace isn't closing, and takes them back where it is.
    fn sign(&mut self) {
        for name in self.namespaces() {
            let key = Key { kind: Kind::Namespace, namespace: name.clone(), name: name.clone() };
            let trust = Key {
                kind: Kind::ConfigMap,
                namespace: name.clone(),
                name: name::TRUST_CONFIG_MAP.to_owned(),
            };
            let closing = self.live.get(&key).is_some_and(|live| live.label(name::LABEL_CLOSING).is_some());
            if closing {
                self.live.remove(&trust);
            } else if self.live.keys().any(|key| key.namespace == name && key.kind == Kind::ServiceAccount) {
                let body = json!({"metadata": {"name": trust.name, "namespace": name, "uid": "t", "resourceVersion": "1"},
                    "data": {"ca.crt": "anchor", "scorer.crt": "chain"}});
                self.live.insert(trust, Live::from_value(body));
            }
        }
    }

    /// Somebody with `override` deletes or spoils the `n`-th object.
    pub fn meddle(&mut self, n: usize) {
        let keys: Vec<Key> = self.live.keys().filter(|key| key.kind != Kind::Namespace).cloned().collect();
        let Some(key) = keys.get(n % keys.len().max(1)) else { return };
        if n.is_multiple_of(2) {
            self.live.remove(key);
        } else if let Some(live) = self.live.get_mut(key) {
            let mut body: Value = live.value();
            body["spec"] = json!({});
            live.body = body.to_string().into();
        }
    }
}
