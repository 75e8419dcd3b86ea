//! Histories, made by hand.
#![expect(clippy::needless_pass_by_value, reason = "what is told is written where it is told")]

use std::sync::Arc;

use comity::api::{Stage, name};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::super::super::cast::Person;
use super::super::super::ground::{Ground, whole};
use super::super::super::history::{Deed, Kind, Seen, What};
use super::super::super::step::{Process, Wish};
use super::super::book::Line;
use super::super::uid;

pub const STORY: &str = "run";
pub const GRANT: &str = "uid-grant";
pub const DIGEST: &str = "v1:sha256:one";

/// A history.
pub struct Telling {
    pub history: Vec<Seen>,
    pub now: Timestamp,
    revision: u64,
    /// The digest of the newest line, and how many there are.
    last: Option<String>,
    lines: i64,
    pub wish: Wish,
}

impl Telling {
    /// Comity works, the ground is laid by Ben, and Ada has asked for production.
    pub fn begin() -> Self {
        let now = "2026-11-22T10:00:00Z".parse().expect("a time");
        let wish =
            Wish { ceiling: Stage::Production, suspend: false, seconds: [600, 600, 600], auditor: false };
        let mut telling = Self { history: Vec::new(), now, revision: 1, last: None, lines: 0, wish };
        telling.did(Deed::Works(Process::Run, true));
        telling.did(Deed::Works(Process::Sign, true));
        for document in whole(STORY).split("\n---\n") {
            telling.write(document, 1, Person::Ben);
        }
        telling.apply(1);
        telling.line("Requested", json!({"digest": DIGEST}));
        telling
    }

    /// A grant whose sandbox is open.
    pub fn sandbox(&mut self) -> String {
        self.open(Stage::Sandbox, 600)
    }

    /// A grant that was promoted to production by Olga and Per.
    pub fn production(&mut self) -> String {
        self.sandbox();
        self.open(Stage::Rehearsal, 600);
        self.approve(Person::Olga, "security");
        self.approve(Person::Per, "data-owners");
        self.open(Stage::Production, 600)
    }

    /// All of it: three stages, an extension, a narrowing, a quarantine, and the end.
    pub fn whole_life() -> Self {
        let mut telling = Self::begin();
        let place = telling.production();
        telling.close(Stage::Sandbox, "Promoted");
        telling.close(Stage::Rehearsal, "Promoted");
        for (person, group) in [(Person::Olga, "security"), (Person::Per, "data-owners")] {
            telling.extend(person, group, 700);
        }
        let end = telling.end(700);
        telling.line("Extended", json!({"stage": "Production", "digest": DIGEST, "expiresAt": end}));
        telling.certify(&place, 690);
        telling.pass(SignedDuration::from_secs(5));
        telling.decide_and_take(Person::Olga, "Quarantine", json!({}), "Quarantined");
        telling.shut(&place, false);
        telling.pass(SignedDuration::from_secs(60));
        telling.decide_and_take(Person::Per, "Release", json!({}), "Released");
        telling.fill(&place, Stage::Production);
        telling.pass(SignedDuration::from_secs(636));
        telling.close(Stage::Production, "Expired");
        telling.line("Ended", json!({"reason": "NothingLeft"}));
        telling.pass(SignedDuration::from_secs(30));
        telling
    }

    /// A time, so many seconds after the history began.
    pub fn end(&self, seconds: i64) -> String {
        let begun = self.history[0].at;
        (begun + SignedDuration::from_secs(seconds)).to_string()
    }

    pub fn pass(&mut self, span: SignedDuration) {
        self.now += span;
    }

    pub fn did(&mut self, deed: Deed) {
        self.now += SignedDuration::from_millis(10);
        self.history.push(Seen { at: self.now, revision: None, what: What::Did(deed) });
    }

    fn saw(&mut self, what: What) {
        self.now += SignedDuration::from_millis(10);
        self.revision += 1;
        self.history.push(Seen { at: self.now, revision: Some(self.revision), what });
    }

    pub fn stands(&mut self, kind: Kind, object: Value) {
        self.saw(What::Stands(kind, Arc::new(object)));
    }

    pub fn gone(&mut self, kind: Kind, namespace: &str, name: &str, uid: &str) {
        let object = json!({"metadata": {"name": name, "namespace": namespace, "uid": uid}});
        self.saw(What::Gone(kind, Arc::new(object)));
    }

    /// Somebody writes a document of the ground.
    pub fn write(&mut self, document: &str, generation: i64, who: Person) {
        let mut object: Value = serde_saphyr::from_str(document).expect("YAML");
        let kind = match object["kind"].as_str().expect("a kind") {
            "SharingContract" => Kind::SharingContract,
            "SharingBoundary" => Kind::SharingBoundary,
            "Partner" => Kind::Partner,
            "Dataset" => Kind::Dataset,
            "Service" => Kind::Service,
            _ => return,
        };
        object["metadata"]["uid"] = json!(format!("uid-{kind:?}"));
        object["metadata"]["generation"] = json!(generation);
        let uid = uid(&object).to_owned();
        self.did(Deed::Wrote { uid, generation, who: who.name(STORY) });
        self.stands(kind, object);
    }

    pub fn rewrite(&mut self, ground: Ground, who: Person) {
        self.write(&ground.document(STORY), 2, who);
    }

    /// The grant as it is wished for, applied by Ada.
    pub fn apply(&mut self, generation: i64) {
        let mut grant = self.wish.grant(STORY, "g", "fraud-detection");
        grant["metadata"]["uid"] = json!(GRANT);
        grant["metadata"]["generation"] = json!(generation);
        self.did(Deed::Wrote { uid: GRANT.to_owned(), generation, who: Person::Ada.name(STORY) });
        self.stands(Kind::PartnerGrant, grant);
    }

    /// The next line of the journal.
    pub fn line(&mut self, event: &str, more: Value) {
        self.lines += 1;
        let mut spec = json!({
            "grant": {"name": "g", "uid": GRANT}, "sequence": self.lines, "at": self.now.to_string(), "event": event,
        });
        if let Some(last) = &self.last {
            spec["previous"] = json!(last);
        }
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        let name = format!("{GRANT}-{:06}", self.lines);
        let record = json!({"metadata": {"name": name, "namespace": STORY, "uid": name}, "spec": spec});
        self.last = Line::read(&record).map(|line| line.seal());
        self.stands(Kind::GrantRecord, record);
    }

    /// Whoever writes the next line doesn't know the one before it.
    pub fn forget_the_last_line(&mut self) {
        self.last = Some("sha256:another".to_owned());
    }

    /// Whoever writes the next line leaves one out.
    pub fn leave_out_a_line(&mut self) {
        self.lines += 1;
    }

    /// What a record says of something that opens as everything stood first.
    pub fn opened(&self, stage: Stage, seconds: i64) -> Value {
        let service = ["tx-synthetic", "tx-masked", "tx-real"][stage as usize];
        let kinds = ["PartnerGrant", "SharingContract", "Partner", "Dataset", "SharingBoundary"];
        let revisions = kinds.map(|kind| {
            let uid = if kind == "PartnerGrant" { GRANT.to_owned() } else { format!("uid-{kind}") };
            json!({"kind": kind, "name": "x", "uid": uid, "generation": 1})
        });
        let end = whole_second(self.now + SignedDuration::from_secs(seconds)).to_string();
        let served = json!({"namespace": STORY, "service": service, "selector": {"part-of": "transactions", "app": service},
            "target": {"number": 8443, "protocol": "TCP"}});
        json!({"stage": stage, "digest": DIGEST, "expiresAt": end, "revisions": revisions, "policy": {
            "partner": STORY, "contract": "fraud-scoring", "purpose": "fraud-detection",
            "people": [{"name": "ana@northpay.example", "role": "ModelEngineer"}],
            "workloads": [{"name": "scorer"}],
            "datasets": [{"name": "transactions", "endpoint": served}],
            "destination": {"dns": "Cluster", "egress": [{"cidr": "192.0.2.0/28", "ports": [{"port": 443, "protocol": "TCP"}]}],
                "compute": {"registries": ["registry.example/partners"]}},
            "quota": {"hard": {"pods": if stage == Stage::Production { "20" } else { "10" }}},
        }})
    }

    /// Opens a stage as everything stood first, and fills its namespace.
    pub fn open(&mut self, stage: Stage, seconds: i64) -> String {
        let opened = self.opened(stage, seconds);
        self.line("Opened", opened);
        let place = place(stage);
        self.gate(&place, "Closed", json!({}));
        self.fill(&place, stage);
        place
    }

    /// A namespace with its gate, and what else is said of it.
    pub fn gate(&mut self, place: &str, pods: &str, more: Value) {
        let mut metadata = json!({"name": place, "uid": place, "labels": {name::LABEL_GRANT_UID: GRANT, name::LABEL_PODS: pods}});
        for (field, value) in more.as_object().into_iter().flatten() {
            match value {
                Value::Object(labels) => {
                    labels.iter().for_each(|(label, value)| metadata[field][label] = value.clone());
                }
                value => metadata[field] = value.clone(),
            }
        }
        self.stands(Kind::Namespace, json!({"metadata": metadata}));
    }

    /// Something of ours in a stage's namespace.
    pub fn ours(&mut self, kind: Kind, place: &str, name: &str, more: Value) {
        let labels = json!({name::LABEL_GRANT_UID: GRANT});
        let uid = format!("{place}-{kind:?}-{name}");
        let mut object =
            json!({"metadata": {"name": name, "namespace": place, "uid": uid, "labels": labels}});
        for (field, value) in more.as_object().into_iter().flatten() {
            object[field] = value.clone();
        }
        self.stands(kind, object);
    }

    /// All that a stage is made of, in its order.
    pub fn fill(&mut self, place: &str, stage: Stage) {
        self.confine(place, stage);
        self.ours(Kind::ConfigMap, place, name::TRUST_CONFIG_MAP, json!({"data": {"ca.crt": "anchor"}}));
        self.gate(place, "Open", json!({}));
        self.bind(place, "model-engineer");
    }

    /// What closes a stage off, and its paths.
    pub fn confine(&mut self, place: &str, stage: Stage) {
        let hard = json!({"pods": if stage == Stage::Production { "20" } else { "10" }});
        self.ours(
            Kind::ResourceQuota,
            place,
            name::QUOTA,
            json!({"spec": {"hard": hard}, "status": {"hard": hard}}),
        );
        let rules = json!({"purpose": "fraud-detection", "registries": ["registry.example/partners"], "workloads": [{"name": "scorer"}]});
        self.ours(Kind::StagePolicy, place, name::STAGE_POLICY, json!({"spec": rules}));
        self.deny(place);
        self.path(place, name::ALLOW_WITHIN, json!([{"to": [{"podSelector": {}}]}]));
        self.path(
            place,
            name::ALLOW_DNS,
            json!([{"to": [{"namespaceSelector": named("kube-system")}], "ports": [{"port": 53}]}]),
        );
    }

    pub fn deny(&mut self, place: &str) {
        let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
        self.ours(Kind::NetworkPolicy, place, name::DEFAULT_DENY, json!({ "spec": spec }));
    }

    /// A path out of a stage.
    pub fn path(&mut self, place: &str, name: &str, egress: Value) {
        let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": egress});
        self.ours(Kind::NetworkPolicy, place, name, json!({ "spec": spec }));
    }

    pub fn bind(&mut self, place: &str, role: &str) {
        let subjects =
            json!([{"kind": "ServiceAccount", "name": format!("role-{role}"), "namespace": place}]);
        self.ours(Kind::RoleBinding, place, &format!("comity-role-{role}"), json!({ "subjects": subjects }));
    }

    /// Shuts a stage, in its order; for good where it is closing.
    pub fn shut(&mut self, place: &str, closing: bool) {
        self.gone(Kind::RoleBinding, place, "comity-role-model-engineer", "");
        self.gate(
            place,
            "Closed",
            if closing { json!({"labels": {name::LABEL_CLOSING: "true"}}) } else { json!({}) },
        );
        for path in [name::ALLOW_WITHIN, name::ALLOW_DNS] {
            self.gone(Kind::NetworkPolicy, place, path, "");
        }
    }

    /// Closes a stage and clears it, and says so.
    pub fn close(&mut self, stage: Stage, reason: &str) {
        let place = place(stage);
        self.shut(&place, true);
        self.line("Closed", json!({"stage": stage, "digest": DIGEST, "reason": reason}));
        self.gate(
            &place,
            "Closed",
            json!({"labels": {name::LABEL_CLOSING: "true"}, "deletionTimestamp": self.now.to_string()}),
        );
        self.gone(Kind::NetworkPolicy, &place, name::DEFAULT_DENY, "");
        self.gone(Kind::ResourceQuota, &place, name::QUOTA, "");
        self.gone(Kind::StagePolicy, &place, name::STAGE_POLICY, "");
        let namespace = json!({"metadata": {"name": place, "uid": place}});
        self.saw(What::Gone(Kind::Namespace, Arc::new(namespace)));
    }

    /// Somebody decides something; the UID of the decision.
    pub fn decide(&mut self, who: Person, action: &str, more: Value) -> String {
        let uid = format!("uid-decision-{}", self.revision);
        let made = whole_second(self.now).to_string();
        let annotations = json!({"comity.dev/decided-by": who.name(STORY)});
        let mut spec = json!({"grantRef": {"name": "g", "uid": GRANT}, "action": action});
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        let metadata = json!({"name": uid, "namespace": STORY, "uid": uid, "creationTimestamp": made, "annotations": annotations});
        self.stands(Kind::GrantDecision, json!({"metadata": metadata, "spec": spec}));
        self.did(Deed::Decided { uid: uid.clone(), who: who.name(STORY), groups: who.groups().to_vec() });
        uid
    }

    /// Somebody decides something, and it is taken.
    pub fn decide_and_take(&mut self, who: Person, action: &str, spec: Value, event: &str) {
        let uid = self.decide(who, action, spec.clone());
        let mut line = spec;
        line["decision"] = json!({"name": uid, "uid": uid, "by": who.name(STORY)});
        self.line(event, line);
    }

    /// Somebody agrees to production.
    pub fn approve(&mut self, who: Person, group: &str) {
        let spec = json!({"stage": "Production", "digest": DIGEST, "onBehalfOf": group});
        self.decide_and_take(who, "Approve", spec, "Approved");
    }

    /// Somebody agrees that production ends so many seconds after the history began.
    pub fn extend(&mut self, who: Person, group: &str, seconds: i64) {
        let end = self.end(seconds);
        let spec = json!({"stage": "Production", "digest": DIGEST, "onBehalfOf": group, "expiresAt": end});
        self.decide_and_take(who, "Extend", spec, "Approved");
    }

    /// A certificate that is valid until so many seconds after the history began.
    pub fn certify(&mut self, place: &str, seconds: i64) {
        let mut params = CertificateParams::default();
        let at = |at: Timestamp| {
            rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(at.as_second().unsigned_abs())
        };
        params.not_before = at(self.now);
        params.not_after = at(self.history[0].at + SignedDuration::from_secs(seconds));
        let key = KeyPair::generate().expect("a key");
        let chain = params.self_signed(&key).expect("a certificate").pem();
        let data = json!({"tls.crt": ByteString(chain.into_bytes()), "ca.crt": "anchor"});
        self.ours(Kind::Secret, place, "comity-tls-scorer", json!({ "data": data }));
    }
}

/// Where a stage is opened.
pub fn place(stage: Stage) -> String {
    name::stage_namespace("g", GRANT, stage, DIGEST)
}

pub fn named(namespace: &str) -> Value {
    json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}})
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("a time")
}
