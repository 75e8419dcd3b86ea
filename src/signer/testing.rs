//! Test only: one opening of a stage, its authority, and its namespace as it would stand.

use jiff::{SignedDuration, Timestamp};

use super::authority::Terms;
use super::opening::Makers;
use super::{Opening, Place, Site, build};
use crate::api::name;
use crate::api::record::{GrantIdentity, GrantRecordSpec, RecordEvent, RecordReason};
use crate::api::stage::Stage;
use crate::journal::Journal;
use crate::journal::append::{Entry, next_record};
use crate::journal::rehearsal::Told;
use crate::pki::testing::at_once;
use crate::pki::{Authority, Lifetime, SpiffeId, Trust, issue};
use crate::policy::testing::World;
use crate::testing::rehearsed::{self, Observed};

/// The trust domain of every test.
pub const TRUST_DOMAIN: &str = "comity.local";

/// The time of every test.
pub fn now() -> Timestamp {
    "2026-12-01T12:00:00Z".parse().unwrap()
}

/// An open sandbox with two workloads.
pub fn opening() -> Opening {
    Opening {
        namespace: "risk-data".to_owned(),
        grant: "northpay-fraud".to_owned(),
        grant_uid: "6f0c2a1e-0000-4000-8000-000000000001".to_owned(),
        partner: "northpay".to_owned(),
        contract: "fraud-scoring".to_owned(),
        contract_uid: "6f0c2a1e-0000-4000-8000-000000000002".to_owned(),
        stage: Stage::Sandbox,
        digest: "v1:sha256:00".to_owned(),
        end: now() + SignedDuration::from_hours(168),
        contract_end: now() + SignedDuration::from_hours(1000),
        ttl: SignedDuration::from_hours(2),
        workloads: vec!["scorer".to_owned(), "trainer".to_owned()],
        every_workload: vec!["scorer".to_owned(), "trainer".to_owned()],
        makers: Makers { nodes: true, partner: true },
        open: true,
        over: false,
        doubt: None,
        compared: None,
    }
}

/// The terms on which authorities are kept.
pub fn terms() -> Terms {
    Terms {
        system: "comity-system".to_owned(),
        trust_domain: TRUST_DOMAIN.to_owned(),
        lifetime: SignedDuration::from_hours(90 * 24),
    }
}

/// An authority with a new key.
pub fn authority() -> Authority {
    let (owner, need) = (opening().owner(), opening().need());
    let lifetime = Lifetime::of_authority(now(), need.ttl, now() + terms().lifetime);
    let id = SpiffeId::of_trust_domain(TRUST_DOMAIN).unwrap();
    at_once(Authority::create(&id, &owner.common_name(1), lifetime)).unwrap()
}

/// The namespace of an opening.
pub fn site(opening: &Opening) -> Site {
    let mut labels = opening.labels();
    labels.insert(name::LABEL_PODS.to_owned(), name::PODS_CLOSED.to_owned());
    Site { name: opening.place(), uid: "place".to_owned(), labels, terminating: false }
}

/// The namespace of an opening, with nothing in it.
pub fn place(opening: &Opening) -> Place {
    Place { site: Some(site(opening)), ..Place::default() }
}

/// Puts into a place what the signer would have.
pub fn fill(place: &mut Place, opening: &Opening, authority: &Authority) {
    let trust = Trust::only(authority.anchor());
    let mut chains = std::collections::BTreeMap::new();
    for workload in &opening.workloads {
        let id = opening.identity(TRUST_DOMAIN, workload).unwrap();
        let issued = at_once(issue(authority, &id, now(), opening.ttl, opening.end)).unwrap();
        let mut secret = build::workload_secret(opening, workload, &issued, &trust);
        secret.metadata.uid = Some(format!("uid-{workload}"));
        place.secrets.insert(workload.clone(), secret);
        chains.insert(workload.clone(), issued.certificate);
    }
    let mut published = build::trust(opening, &trust, &chains, None);
    published.metadata.uid = Some("uid-trust".to_owned());
    place.trust = Some(published);
}

/// The story of `examples/fraud-scoring/` with a journal.
#[derive(Clone)]
pub struct Story {
    /// What people wrote.
    pub world: World,
    /// What the records come to.
    pub journal: Journal,
    /// The records.
    pub records: Vec<GrantRecordSpec>,
    /// What rehearsals showed.
    pub told: Vec<Told>,
}

impl Story {
    /// With one stage open.
    pub fn with_open(stage: Stage) -> Self {
        let mut story =
            Self { world: World::story(), journal: Journal::empty(), records: Vec::new(), told: Vec::new() };
        story.open(stage);
        story
    }

    /// Opens a stage, or opens it again.
    pub fn open(&mut self, stage: Stage) {
        let agreement = self.world.agreed();
        let terms = &agreement.stages[&stage];
        let end = self.world.now + terms.duration;
        self.append(&Entry::opened(stage, &agreement.digest, end, &terms.policy));
        self.rehearse();
    }

    /// Whatever has to be rehearsed is, and everything comes out as it has to.
    pub fn rehearse(&mut self) {
        for told in rehearsed::told(&self.journal, &self.identity(), &Observed::Allowed) {
            self.append(&told.entry());
            self.told.push(told);
        }
    }

    /// Closes a stage.
    pub fn close(&mut self, stage: Stage, reason: RecordReason) {
        self.record(stage, RecordEvent::Closed, reason);
    }

    /// Writes down that something happened to a stage.
    pub fn record(&mut self, stage: Stage, event: RecordEvent, reason: RecordReason) {
        let opening = self.journal.openings.iter().find(|opening| opening.stage == stage).unwrap();
        let entry = Entry::of_opening(event, opening, reason, String::new());
        self.append(&entry);
    }

    /// Appends to the journal.
    pub fn append(&mut self, entry: &Entry) {
        let record = next_record(&self.journal, entry, &self.identity(), Some(1), self.world.now);
        self.journal.take(&record).unwrap();
        self.records.push(record);
    }

    fn identity(&self) -> GrantIdentity {
        let metadata = &self.world.grant.metadata;
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
        GrantIdentity { name: text(&metadata.name), uid: text(&metadata.uid) }
    }
}
