//! The story's grant with its conductor, and the API server in memory that it talks to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use crate::api::{PartnerGrant, Stage, name};
use crate::cluster::apply::Writer;
use crate::cluster::clock::Clock;
use crate::cluster::event::Events;
use crate::cluster::pace::Pace;
use crate::cluster::status::Statuses;
use crate::grant::build::Installation;
use crate::grant::memory::Memory;
use crate::grant::reconcile::{Appended, Context, Halted, Meter, OpenNow, reconcile};
use crate::testing::api::FakeApi;
use crate::testing::known::{Known, now};

pub(super) const GRANT: &str = "/apis/comity.dev/v1alpha1/namespaces/risk-data/partnergrants/northpay-fraud";

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>, Arc<Mutex<BTreeMap<String, Vec<OpenNow>>>>);

impl Counts {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    pub(super) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// How many decisions were heard, each as often as it was.
    pub(super) fn heard(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }
}

impl Meter for Counts {
    fn open_now(&self, grant: &str, openings: &[OpenNow]) {
        let before = self.2.lock().unwrap().insert(grant.to_owned(), openings.to_vec()).unwrap_or_default();
        if before != openings {
            let told = openings.iter().map(|opening| format!("{} until {}", opening.stage, opening.until));
            self.note(format!("open [{}]", told.collect::<Vec<_>>().join(", ")));
        }
    }

    fn expired(&self, _: Duration) {
        self.note("expired".to_owned());
    }

    fn heard(&self, decisions: u64) {
        self.1.fetch_add(decisions, Ordering::Relaxed);
    }

    fn appended(&self, outcome: Appended) {
        self.note(format!("{outcome:?}"));
    }
}

/// The story's grant, its conductor, and the API server that it talks to.
pub(crate) struct Play {
    pub(crate) api: FakeApi,
    pub(crate) known: Known,
    pub(crate) grant: PartnerGrant,
    pub(crate) context: Arc<Context>,
    pub(crate) counts: Counts,
}

impl Play {
    pub(crate) fn new() -> Self {
        Self::of(Known::story())
    }

    /// The same, with something changed of what the grant stands on.
    pub(crate) fn of(known: Known) -> Self {
        let (api, grant) = (FakeApi::default(), Known::grant(Stage::Sandbox));
        api.put(GRANT, &grant);
        Self::at(api, grant, known)
    }

    /// The same with an API server that stands already.
    pub(crate) fn at(api: FakeApi, grant: PartnerGrant, known: Known) -> Self {
        let (clock, counts) = (Clock::standing(), Counts::default());
        clock.saw(now());
        let context = Context {
            catalogue: Arc::clone(&known.catalogue),
            writer: Writer::new(api.client(), Arc::clone(&known.catalogue)),
            statuses: Statuses::new(api.client(), &known.catalogue.said),
            clock,
            events: Events::start(api.client(), name::RUN, Box::new(|_| ())),
            installation: Installation::default(),
            pace: Pace::per_second(1000),
            meter: Box::new(counts.clone()),
            memory: Memory::default(),
        };
        Self { api, known, grant, context: Arc::new(context), counts }
    }

    /// One pass. Gives the requests that it made, Events aside.
    pub(crate) async fn pass(&mut self) -> Vec<String> {
        self.try_pass().await.unwrap();
        let requests = self.api.requests().into_iter().filter(|request| !request.contains("/events"));
        let place = self.place().unwrap_or_else(|| "none".to_owned());
        let ingress = name::dataset_ingress_policy(&place, "transactions");
        requests
            .map(|request| request.replace(&place, "STAGE").replace(&ingress, "comity-from-STAGE"))
            .collect()
    }

    /// One pass, whatever comes of it.
    pub(crate) async fn try_pass(&mut self) -> Result<Action, Halted> {
        let grant = self.known.tell(&self.grant);
        reconcile(grant, Arc::clone(&self.context)).await
    }

    /// The stage's namespace, once it was opened.
    pub(crate) fn place(&self) -> Option<String> {
        let journal =
            self.context.catalogue.records.journal(&self.grant.namespace()?, &self.grant.uid()?).ok()?;
        journal.openings.last().map(|opening| opening.namespace.clone())
    }

    pub(crate) fn forward(&self, seconds: i64) {
        self.context.clock.saw(self.context.clock.now() + SignedDuration::from_secs(seconds));
    }

    /// Another process starts, and knows nothing but what stands.
    pub(crate) fn restart(&mut self) {
        let status = self.api.get(&format!("{GRANT}/status")).unwrap()["status"].take();
        self.grant.status = serde_json::from_value(status).unwrap();
        let context = Arc::get_mut(&mut self.context).unwrap();
        (context.memory, context.statuses) =
            (Memory::default(), Statuses::new(self.api.client(), &Arc::default()));
    }

    pub(crate) fn others_act(&mut self) {
        let uid = self.grant.uid().unwrap();
        self.known.others_act(&uid, "scorer");
        self.known.rehearse(&self.grant);
    }

    /// Opens the sandbox. Gives the requests that it took.
    pub(crate) async fn open(&mut self) -> Vec<String> {
        let mut requests = self.pass().await;
        requests.push("(the quota comes into force, and comity sign publishes)".to_owned());
        self.grant.metadata.finalizers = Some(vec![name::FINALIZER.to_owned()]);
        self.others_act();
        requests.extend(self.pass().await);
        requests
    }
}
