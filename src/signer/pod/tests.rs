//! Answering requests, request by request, against a fake API server: what is said is final, and our own
//! trouble is never said.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::observe::Lookout;
use super::pace::Pace;
use super::reconcile::{Context, reconcile};
use crate::api::{Stage, name};
use crate::cluster::event::Events;
use crate::pki::testing::at_once;
use crate::pki::{Authority, Lifetime, SpiffeId};
use crate::plan::objects::Kind;
use crate::plan::retry;
use crate::signer::build;
use crate::signer::ca::{Chest, Ledger, Need, Owner, Slot};
use crate::signer::error::SignError;
use crate::signer::observe::Observer;
use crate::signer::reconcile::{self as signing, Memory, Meter};
use crate::signer::stage::Tender;
use crate::signer::talk::Talk;
use crate::signer::testing::{Story, TRUST_DOMAIN, terms};
use crate::testing::api::FakeApi;
use crate::testing::known::Known;

const SYSTEM: &str = "comity-system";

struct Nothing;

impl Meter for Nothing {
    fn answered(&self, _: &'static str) {}

    fn issued(&self, _took: Duration) {}
    fn refused(&self) {}
}

/// A sandbox that is open, a pod of it, and what its node asks for.
struct Desk {
    api: FakeApi,
    context: Arc<Context>,
    place: String,
    /// How many seconds after it was asked something is read.
    late: Arc<AtomicI64>,
}

impl Desk {
    fn new() -> Self {
        let desk = Self::without_authority();
        desk.has_authority();
        desk.publishes();
        desk
    }

    /// An authority that signs, as it is kept.
    fn has_authority(&self) {
        let story = Story::with_open(Stage::Sandbox);
        let (now, ttl) = (story.world.now, SignedDuration::from_hours(24));
        let owner = Owner {
            namespace: "risk-data".to_owned(),
            contract: "fraud-scoring".to_owned(),
            stage: Stage::Sandbox,
        };
        let id = SpiffeId::of_trust_domain(TRUST_DOMAIN).unwrap();
        let lifetime = Lifetime::of_authority(now, ttl, now + terms().lifetime);
        let authority = at_once(Authority::create(&id, &owner.common_name(1), lifetime)).unwrap();
        let chest = Chest::of(&story.world.contract.metadata.uid.unwrap(), Stage::Sandbox);
        let home = format!("/api/v1/namespaces/{SYSTEM}");
        let name = chest.secret(Slot::First);
        let secret = build::authority_secret(SYSTEM, &owner, &name, 1, &authority);
        self.api.put(&format!("{home}/secrets/{name}"), secret);
        let need = Need { ttl, until: now + SignedDuration::from_hours(100_000) };
        let ledger = Ledger::first(owner, need, authority.anchor().clone(), Slot::First, now);
        self.api.put(&format!("{home}/configmaps/{}", chest.ledger()), ledger.kept(SYSTEM, &chest));
    }

    /// What verifiers at the stage are given.
    fn publishes(&self) {
        let contract = Story::with_open(Stage::Sandbox).world.contract.metadata.uid.unwrap();
        let ledger = Chest::of(&contract, Stage::Sandbox).ledger();
        let ledger = self.api.get(&format!("/api/v1/namespaces/{SYSTEM}/configmaps/{ledger}")).unwrap();
        let data = json!({"ca.crt": ledger["data"]["ca.crt"]});
        let published = json!({"metadata": {"name": name::TRUST_CONFIG_MAP}, "data": data});
        self.api.put(&self.core("configmaps/comity-trust-stage"), published);
    }

    fn without_authority() -> Self {
        let (api, mut known) = (FakeApi::default(), Known::story());
        let mut story = Story::with_open(Stage::Sandbox);
        story.world.grant = Known::grant(Stage::Sandbox);
        let place = story.journal.openings[0].namespace.clone();
        let late = Arc::new(AtomicI64::new(0));
        let desk = Self { context: context(&api, &known, story.world.now, &late), api, place, late };
        desk.stands(&story);
        desk.is_told(&story, &mut known);
        desk
    }

    /// All that is read live.
    fn stands(&self, story: &Story) {
        let world = &story.world;
        let at =
            |kind: &str, name: &str| format!("/apis/comity.dev/v1alpha1/namespaces/risk-data/{kind}/{name}");
        self.api.put(&at("partnergrants", "northpay-fraud"), &world.grant);
        self.api.put(&at("sharingcontracts", "fraud-scoring"), &world.contract);
        self.api.put("/apis/comity.dev/v1alpha1/partners/northpay", &world.partner);
        for dataset in &world.datasets {
            self.api.put(&at("datasets", dataset.metadata.name.as_deref().unwrap()), dataset);
        }
        for boundary in &world.boundaries {
            let path = "/apis/comity.dev/v1alpha1/sharingboundaries";
            self.api.put(&format!("{path}/{}", boundary.metadata.name.as_deref().unwrap()), boundary);
        }
        let services = include_str!("../../../examples/fraud-scoring/01-services.yaml");
        for service in serde_saphyr::from_multiple::<Value>(services).unwrap() {
            if service["kind"] == "Service" {
                let name = service["metadata"]["name"].as_str().unwrap();
                self.api.put(&format!("/api/v1/namespaces/risk-data/services/{name}"), &service);
            }
        }
        let home = json!({"metadata": {"name": "risk-data", "labels": world.namespace_labels}});
        self.api.put("/api/v1/namespaces/risk-data", home);
        self.api.put(&format!("/api/v1/namespaces/{}", self.place), self.namespace(story));
        let spec = json!({"serviceAccountName": "workload-scorer", "nodeName": "node", "containers": []});
        let metadata = json!({"name": "scorer", "uid": "pod"});
        let pod = json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}});
        self.api.put(&self.core("pods/scorer"), pod);
        let account = json!({"metadata": {"name": "workload-scorer", "uid": "account"}});
        self.api.put(&self.core("serviceaccounts/workload-scorer"), account);
    }

    /// All that the watches told.
    fn is_told(&self, story: &Story, known: &mut Known) {
        known.tell(&story.world.grant);
        let uid = story.world.grant.metadata.uid.clone().unwrap();
        for record in &story.records {
            known.catalogue.records.put("risk-data", &name::record(&uid, record.sequence), record.clone());
        }
        known.catalogue.objects.put(Kind::Namespace, self.namespace(story));
    }

    fn namespace(&self, story: &Story) -> Value {
        let labels = json!({
            name::LABEL_GRANT_UID: story.world.grant.metadata.uid,
            name::LABEL_GRANT: "northpay-fraud",
            name::LABEL_GRANT_NAMESPACE: "risk-data",
            name::LABEL_STAGE: "sandbox",
            name::LABEL_PODS: name::PODS_OPEN,
        });
        let metadata = json!({"name": self.place, "uid": "place", "labels": labels, "resourceVersion": "1"});
        json!({"metadata": metadata})
    }

    fn core(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/{rest}", self.place)
    }

    fn status(&self) -> String {
        format!(
            "/apis/certificates.k8s.io/v1beta1/namespaces/{}/podcertificaterequests/req-1/status",
            self.place
        )
    }

    /// Leaves a request, in which something is changed.
    fn asked(&self, change: impl Fn(&mut PodCertificateRequest)) {
        let [stub, _] = crate::pki::testing::requested();
        let mut request = PodCertificateRequest::default();
        request.metadata.name = Some("req-1".to_owned());
        request.metadata.namespace = Some(self.place.clone());
        let spec = &mut request.spec;
        spec.signer_name = super::SIGNER.to_owned();
        (spec.pod_name, spec.pod_uid) = ("scorer".to_owned(), "pod".to_owned());
        (spec.service_account_name, spec.service_account_uid) =
            ("workload-scorer".to_owned(), "account".to_owned());
        spec.stub_pkc_s10_request = ByteString(stub);
        spec.node_name = "node".to_owned();
        change(&mut request);
        self.api.put(&self.status(), &request);
    }

    /// One pass over what was left. Gives what it writes, Events aside.
    async fn pass(&self) -> (Result<Action, SignError>, Vec<String>) {
        let request = serde_json::from_value(self.api.get(&self.status()).unwrap()).unwrap();
        self.api.requests();
        let result = reconcile::<PodCertificateRequest>(Arc::new(request), Arc::clone(&self.context)).await;
        let writes = self.api.writes().into_iter().filter(|write| !write.contains("/events"));
        (result, writes.collect())
    }

    /// The answer: its type and its reason.
    fn answer(&self) -> Option<(String, String)> {
        let condition = &self.api.get(&self.status())?["status"]["conditions"][0];
        Some((condition["type"].as_str()?.to_owned(), condition["reason"].as_str()?.to_owned()))
    }
}

fn context(api: &FakeApi, known: &Known, now: Timestamp, late: &Arc<AtomicI64>) -> Arc<Context> {
    let talk = Talk::new(api.client());
    let observer = Observer::new(talk.clone(), Arc::clone(&known.catalogue), SYSTEM);
    let late = Arc::clone(late);
    let read_at = move || now + SignedDuration::from_secs(late.load(Ordering::SeqCst));
    let now: crate::signer::Now = Arc::new(move || now);
    let signing = signing::Context {
        observer: observer.clone(),
        tender: Tender::new(talk.clone(), terms(), Arc::clone(&now)),
        talk: talk.clone(),
        now,
        events: Events::start(api.client(), name::SIGN, Box::new(|_| ())),
        meter: Box::new(Nothing),
        memory: Memory::default(),
    };
    let lookout = Lookout::new(talk, observer, Arc::new(read_at));
    let trust_domain = TRUST_DOMAIN.to_owned();
    Arc::new(Context { signing: Arc::new(signing), lookout, trust_domain, pace: Pace::default() })
}

#[tokio::test]
async fn what_is_read_later_is_judged_as_of_then() {
    let desk = Desk::new();
    desk.asked(|_| ());
    desk.late.store(100 * 365 * 86_400, Ordering::SeqCst);
    let (_, writes) = desk.pass().await;
    assert!(desk.answer().is_none_or(|(type_, _)| type_ != "Issued"), "{writes:?}");
    desk.late.store(0, Ordering::SeqCst);
    desk.asked(|_| ());
    desk.pass().await.0.unwrap();
    assert_eq!(desk.answer().unwrap().0, "Issued", "it is for what was read that nothing was issued");
}

fn settled() -> Action {
    Action::requeue(retry::LONGEST.unsigned_abs())
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let desk = Desk::without_authority();
    desk.asked(|_| ());
    let (result, writes) = desk.pass().await;
    let home = format!("/api/v1/namespaces/{SYSTEM}");
    assert_eq!(writes, [format!("POST {home}/secrets"), format!("POST {home}/configmaps")]);
    assert_eq!(result.unwrap(), Action::requeue(Duration::from_secs(2)), "nobody could verify it yet");
    desk.publishes();
    let (result, writes) = desk.pass().await;
    assert_eq!(result.unwrap(), settled());
    assert_eq!(writes, [format!("PUT {}", desk.status())], "the authority first, then the answer");
    assert_eq!(desk.answer().unwrap().0, "Issued");
    let (result, writes) = desk.pass().await;
    assert_eq!((result.unwrap(), writes), (settled(), vec![]), "and then left alone");
}

#[tokio::test]
async fn what_may_not_be_had_is_refused_and_nothing_is_made_for_it() {
    type Change = fn(&mut PodCertificateRequest);
    let changes: [(&str, Change); 5] = [
        ("NotThisNode", |request| request.spec.node_name = "another".to_owned()),
        ("NotThisPod", |request| request.spec.pod_uid = "another".to_owned()),
        ("NotThisServiceAccount", |request| request.spec.service_account_uid = "another".to_owned()),
        ("NotAWorkload", |request| request.spec.service_account_name = "default".to_owned()),
        ("UnsupportedKeyType", |request| request.spec.stub_pkc_s10_request = ByteString(Vec::new())),
    ];
    for (reason, change) in changes {
        let desk = Desk::new();
        desk.asked(change);
        let (result, writes) = desk.pass().await;
        assert_eq!(result.unwrap(), settled());
        assert_eq!(writes, [format!("PUT {}", desk.status())], "{reason}");
        assert_eq!(desk.answer(), Some(("Denied".to_owned(), reason.to_owned())));
    }
}

#[tokio::test]
async fn whoever_asks_elsewhere_or_as_another_node_uses_up_nothing_of_a_pod() {
    let desk = Desk::new();
    let elsewhere = |request: &mut PodCertificateRequest| {
        request.metadata.namespace = Some("elsewhere".to_owned());
    };
    let another = |request: &mut PodCertificateRequest| request.spec.node_name = "another".to_owned();
    for _ in 0..100 {
        desk.asked(elsewhere);
        desk.pass().await.0.unwrap();
        desk.asked(another);
        desk.pass().await.0.unwrap();
    }
    desk.asked(|_| ());
    assert_eq!(desk.pass().await.0.unwrap(), settled());
    assert_eq!(desk.answer().unwrap().0, "Issued");
}

#[tokio::test]
async fn a_pod_that_is_over_gets_none_and_one_that_runs_keeps_what_it_has() {
    for (phase, answer) in [("Pending", Some("PodOver")), ("Running", None)] {
        let desk = Desk::new();
        desk.api.change(&desk.core("pods/scorer"), |pod| {
            pod["metadata"]["deletionTimestamp"] = json!(crate::signer::testing::now());
            pod["status"]["phase"] = json!(phase);
        });
        desk.asked(|_| ());
        desk.pass().await.0.unwrap();
        assert_eq!(desk.answer().map(|(_, reason)| reason).as_deref(), answer, "{phase}");
    }
}

/// Whoever may write an object may say in it who set which field, and when.
#[tokio::test]
async fn whoever_set_which_field_of_what_stands_nobody_is_kept_waiting() {
    let desk = Desk::new();
    let home = "/apis/comity.dev/v1alpha1/namespaces/risk-data";
    for path in [
        desk.core("pods/scorer"),
        desk.core("serviceaccounts/workload-scorer"),
        format!("/api/v1/namespaces/{}", desk.place),
        "/api/v1/namespaces/risk-data".to_owned(),
        format!("{home}/partnergrants/northpay-fraud"),
        format!("{home}/sharingcontracts/fraud-scoring"),
        format!("{home}/datasets/transactions"),
        "/apis/comity.dev/v1alpha1/partners/northpay".to_owned(),
    ] {
        desk.api.change(&path, |object| {
            object["metadata"]["managedFields"] = json!([{"manager": "x", "time": "9999-12-31T23:59:59Z"}]);
        });
    }
    desk.asked(|_| ());
    desk.pass().await.0.unwrap();
    assert_eq!(desk.answer().unwrap().0, "Issued");
}

#[tokio::test]
async fn our_own_trouble_is_never_said_and_tried_again() {
    let reads = [
        "GET /api/v1/namespaces/comity-",
        "/partnergrants/",
        "/sharingcontracts/",
        "/pods/",
        "/serviceaccounts/",
    ];
    let faults = reads.into_iter().chain(["/secrets", "PUT "]);
    for fault in faults {
        for code in [403, 500, 503] {
            let desk = Desk::new();
            desk.asked(|_| ());
            desk.api.fail(fault, code, 1);
            let (result, _) = desk.pass().await;
            assert_eq!(result.unwrap_err().code(), Some(code), "{fault}");
            assert_eq!(desk.answer(), None, "{fault}");
            desk.pass().await.0.unwrap();
            assert_eq!(desk.answer().unwrap().0, "Issued", "{fault}: it heals");
        }
    }
}

#[tokio::test]
async fn who_was_slower_or_came_too_late_has_nothing_to_say() {
    for code in [404, 409] {
        let desk = Desk::new();
        desk.asked(|_| ());
        desk.api.fail("PUT ", code, 1);
        assert_eq!(desk.pass().await.0.unwrap(), settled());
    }
}

#[tokio::test]
async fn without_its_authority_a_request_waits() {
    let desk = Desk::new();
    desk.asked(|_| ());
    desk.pass().await.0.unwrap();
    let contract = Story::with_open(Stage::Sandbox).world.contract.metadata.uid.unwrap();
    desk.api.remove(&format!(
        "/api/v1/namespaces/{SYSTEM}/secrets/{}",
        name::ca_secret(&name::ca(&contract, Stage::Sandbox), false)
    ));
    desk.asked(|_| ());
    // As if by another process, which remembers no key.
    desk.context.signing.tender.authorities().retain(&|_| false);
    let (result, writes) = desk.pass().await;
    assert_eq!(result.unwrap(), Action::requeue(Duration::from_secs(30)));
    assert!(writes.is_empty() && desk.answer().is_none(), "{writes:?}");
}
