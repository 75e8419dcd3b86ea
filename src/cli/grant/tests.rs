//! What is told of a grant, in the story of `examples/fraud-scoring/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::ResourceExt as _;

use super::*;
use crate::api::condition::{ConditionType, Finding, Reason, merge};
use crate::api::contract::Reviews;
use crate::api::enforcement::{EnforcedClause, EnforcementState, Enforcer};
use crate::api::grant::{OpeningState, OpeningStatus};
use crate::api::name::{self, ANNOTATION_AUTHORED_BY, ANNOTATION_REQUESTED_BY};
use crate::api::record::{GrantIdentity, RecordEvent, RecordReason, TakenDecision};
use crate::api::stage::Stage;
use crate::cli::moment::Watch;
use crate::cluster::caller::Identity;
use crate::cluster::reading::Reading;
use crate::journal::append::{Entry, next_record};
use crate::policy::testing::World;
use crate::policy::{Agreement, resolve::resolve};

/// Somebody's reading of a story that a test tells.
pub(in crate::cli) struct Told {
    pub(in crate::cli) reading: Reading,
}

impl Told {
    /// The story: nothing has happened yet, ada wrote it all, and olga of security may read all of it.
    pub(in crate::cli) fn story() -> Self {
        let mut world = World::story();
        let written = |metadata: &mut ObjectMeta, annotation: &str| {
            metadata.generation = Some(1);
            let list = (annotation.to_owned(), "1 ada@retail.example".to_owned());
            metadata.annotations.get_or_insert_default().extend([list]);
        };
        written(&mut world.grant.metadata, ANNOTATION_REQUESTED_BY);
        written(&mut world.contract.metadata, ANNOTATION_AUTHORED_BY);
        written(&mut world.partner.metadata, ANNOTATION_AUTHORED_BY);
        world.datasets.iter_mut().for_each(|found| written(&mut found.metadata, ANNOTATION_AUTHORED_BY));
        world.boundaries.iter_mut().for_each(|found| written(&mut found.metadata, ANNOTATION_AUTHORED_BY));
        let datasets = world.datasets.into_iter().map(|dataset| (dataset.name_any(), dataset));
        let reading = Reading {
            grant: world.grant,
            contract: Some(world.contract),
            partner: Some(world.partner),
            datasets: datasets.collect(),
            services: world.services,
            boundaries: world.boundaries,
            namespace_labels: BTreeMap::from([(name::LABEL_SHARES.to_owned(), name::YES.to_owned())]),
            records: Arc::default(),
            identity: Identity {
                name: "olga@retail.example".to_owned(),
                groups: vec!["security".to_owned()],
            },
            unread: Vec::new(),
            unreadable: Vec::new(),
            now: world.now,
        };
        let mut told = Self { reading };
        told.says(&[]);
        told
    }

    /// What is agreed.
    pub(in crate::cli) fn agreed(&self) -> Agreement {
        let operands = self.reading.operands().expect("all can be read");
        resolve(&operands, self.reading.now).expect("it is agreed")
    }

    /// Writes the next line of the journal.
    pub(in crate::cli) fn record(&mut self, entry: &Entry) {
        let (namespace, uid) = self.home();
        let journal = self.reading.records.journal(&namespace, &uid).expect("the journal holds");
        let grant =
            GrantIdentity { name: self.reading.grant.name_any().as_str().into(), uid: uid.as_str().into() };
        let record = next_record(&journal, entry, &grant, Some(1), self.reading.now);
        self.reading.records.put(&namespace, &name::record(&uid, record.sequence), record);
    }

    fn home(&self) -> (String, String) {
        let grant = &self.reading.grant;
        (grant.namespace().expect("a namespace"), grant.uid().expect("a UID"))
    }

    /// A stage opens, for so many hours.
    pub(in crate::cli) fn opens(&mut self, stage: Stage, hours: i64) {
        let agreed = self.agreed();
        let end = self.reading.now + SignedDuration::from_hours(hours);
        let revisions = agreed.authorship.iter().map(|written| written.revision.clone()).collect();
        let opened = Entry::opened(stage, &agreed.digest, end, &agreed.stages[&stage].policy);
        self.record(&Entry { revisions, ..opened });
        let (_, uid) = self.home();
        let namespace = name::stage_namespace(&self.reading.grant.name_any(), &uid, stage, &agreed.digest);
        let opening = OpeningStatus {
            stage,
            digest: agreed.digest,
            state: OpeningState::Open,
            namespace: namespace.as_str().into(),
            opened_at: Time(self.reading.now),
            expires_at: Time(end),
            narrowed: Vec::new(),
        };
        self.reading.grant.status.get_or_insert_default().openings.push(opening);
        self.reading.grant.status.get_or_insert_default().open_stages.push(stage);
    }

    /// A stage closes, because the next one opened.
    pub(in crate::cli) fn gives_way(&mut self, stage: Stage) {
        let (namespace, uid) = self.home();
        let journal = self.reading.records.journal(&namespace, &uid).expect("the journal holds");
        let opening = journal.opening(stage, &self.agreed().digest).expect("it was opened").clone();
        self.record(&Entry::of_opening(RecordEvent::Closed, &opening, RecordReason::Promoted, String::new()));
        let status = self.reading.grant.status.get_or_insert_default();
        status.open_stages.retain(|open| *open != stage);
        for told in status.openings.iter_mut().filter(|told| told.stage == stage) {
            told.state = OpeningState::Closed;
        }
    }

    /// People are asked for a stage.
    pub(in crate::cli) fn asks(&mut self, stage: Stage) {
        let request = Some((stage, self.agreed().digest));
        self.record(&Entry { stage: request, ..Entry::of_grant(RecordEvent::Requested, None, "") });
        let message = format!("{stage} waits for people, in Comity's words");
        self.says(&[
            Finding::yes(ConditionType::Ready, Reason::ConsentPending, message.as_str()),
            Finding::yes(ConditionType::Accepted, Reason::Accepted, "everything permits it"),
            Finding::no(ConditionType::Approved, Reason::ConsentPending, message),
        ]);
    }

    /// Somebody decided something of a stage, or of all, and it was taken up.
    pub(in crate::cli) fn decides(
        &mut self,
        by: &str,
        group: &str,
        event: RecordEvent,
        stage: Option<Stage>,
    ) {
        let (namespace, uid) = self.home();
        let journal = self.reading.records.journal(&namespace, &uid).expect("the journal holds");
        let decision = TakenDecision {
            name: format!("d{}", journal.next),
            uid: format!("uid-{}", journal.next),
            by: by.to_owned(),
            on_behalf_of: Some(group.into()),
            made: Time(self.reading.now),
            until: None,
        };
        let stage = stage.map(|stage| (stage, self.agreed().digest));
        self.record(&Entry { stage, decision: Some(decision), ..Entry::of_grant(event, None, "") });
    }

    /// Comity says this of the grant, and the digest of what is agreed.
    pub(in crate::cli) fn says(&mut self, findings: &[Finding]) {
        let digest = self.agreed().digest;
        let status = self.reading.grant.status.get_or_insert_default();
        status.request_digest = Some(digest);
        status.conditions = merge(&[], findings, Some(1), self.reading.now);
    }

    /// So many hours pass.
    pub(in crate::cli) fn pass(&mut self, hours: i64) {
        self.reading.now += SignedDuration::from_hours(hours);
    }

    /// `status`, as olga reads it in Stockholm.
    fn status(&self) -> String {
        let picture = Picture::of(&self.reading);
        tree(&GrantView::of(&picture), &stockholm(picture.now), "comity").text(false)
    }

    /// `explain`, as olga reads it.
    fn explained(&self) -> String {
        let picture = Picture::of(&self.reading);
        why(
            &GrantView::explained(&picture, vec!["approve", "deny"]),
            &stockholm(picture.now),
            "kubectl comity",
        )
        .text(false)
    }

    /// Production waits for people after sandbox and rehearsal, and per has agreed.
    pub(in crate::cli) fn at_the_last_gate() -> Self {
        let mut told = Self::story();
        told.opens(Stage::Sandbox, 168);
        told.pass(24);
        told.opens(Stage::Rehearsal, 48);
        told.gives_way(Stage::Sandbox);
        told.pass(24);
        told.asks(Stage::Production);
        told.pass(1);
        told.decides("per@retail.example", "data-owners", RecordEvent::Approved, Some(Stage::Production));
        told
    }
}

pub(in crate::cli) fn stockholm(now: Timestamp) -> Watch {
    Watch { now, zone: TimeZone::get("Europe/Stockholm").expect("a zone") }
}

#[test]
fn what_waits_for_people_is_told_with_who_can_give_it() {
    insta::assert_snapshot!(Told::at_the_last_gate().status());
}

#[test]
fn why_it_waits_is_explained() {
    let mut told = Told::at_the_last_gate();
    let clause = |clause: &str, by: Vec<_>, state, message: Option<&str>| EnforcedClause {
        clause: clause.to_owned(),
        by,
        state,
        message: message.map(str::to_owned),
    };
    told.reading.grant.status.get_or_insert_default().enforcement = vec![
        clause("destination.egress", vec![Enforcer::NetworkPolicy], EnforcementState::Enforced, None),
        clause("destination.dns", vec![Enforcer::NetworkPolicy], EnforcementState::Enforced, None),
        clause("rehearsal", vec![], EnforcementState::DeclaredOnly, Some("rehearsals aren't built yet")),
        clause("models", vec![], EnforcementState::NotUsed, None),
    ];
    insta::assert_snapshot!(told.explained());
}

#[test]
fn it_is_told_for_programs_too() {
    let told = Told::at_the_last_gate();
    let view = GrantView::of(&Picture::of(&told.reading));
    insta::assert_yaml_snapshot!(view);
}

#[test]
fn who_may_not_read_all_of_it_is_told_so_and_not_that_it_is_missing() {
    let mut told = Told::at_the_last_gate();
    told.reading.partner = None;
    told.reading.boundaries.clear();
    told.reading.unread = vec!["partners", "sharingboundaries"];
    let status = told.status();
    assert!(status.contains("you may not read partners, sharingboundaries"), "{status}");
    assert!(status.contains("it wasn't worked out here"), "{status}");
    assert!(status.contains("Production waits for people, in Comity's words"), "{status}");
    told.reading.unread.push("grantrecords");
    let status = told.status();
    assert!(status.contains("open until") && status.contains("Rehearsal"), "by the status: {status}");
}

#[test]
fn what_comity_says_is_compared_with_what_stands() {
    let mut told = Told::at_the_last_gate();
    assert_eq!(Picture::of(&told.reading).seen(), Seen::Same);
    let spec = &mut told.reading.contract.as_mut().expect("a contract").spec;
    spec.destination.egress.clear();
    let picture = Picture::of(&told.reading);
    assert!(matches!(picture.seen(), Seen::Differs(_)));
    assert!(told.status().contains("may not have seen the latest change"));
    told.reading.contract.as_mut().expect("a contract").spec.purposes.clear();
    assert!(matches!(Picture::of(&told.reading).seen(), Seen::NotAgreed(_)));
}

#[test]
fn a_lost_status_hides_nothing_that_was_opened() {
    let mut told = Told::story();
    told.opens(Stage::Sandbox, 168);
    told.reading.grant.status = None;
    let status = told.status();
    assert!(status.contains("Sandbox    open until 2026-12-08 01:00:00 CET (in 7 days)"), "{status}");
    assert!(status.contains("is comity run running?"), "{status}");
}

#[test]
fn a_broken_journal_is_said_first() {
    let told = Told::at_the_last_gate();
    let (namespace, uid) = told.home();
    let lost = told.reading.records.journal(&namespace, &uid).expect("it holds");
    assert!(lost.next > 2);
    let record = next_record(
        &lost,
        &Entry::of_grant(RecordEvent::Attested, None, ""),
        &GrantIdentity { name: "northpay-fraud".into(), uid: uid.as_str().into() },
        None,
        told.reading.now,
    );
    let forged = crate::api::record::GrantRecordSpec { previous: Some("sha256:0".to_owned()), ..record };
    told.reading.records.put(&namespace, &name::record(&uid, forged.sequence), forged);
    let status = told.status();
    assert!(
        status.lines().nth(1).is_some_and(|line| line.starts_with("its journal can't be trusted")),
        "{status}"
    );
}

#[test]
fn a_reason_from_the_cluster_draws_nothing() {
    let mut told = Told::at_the_last_gate();
    told.decides("eve\u{1b}[2J@retail.example", "security", RecordEvent::Quarantined, None);
    told.says(&[Finding::yes(ConditionType::Ready, Reason::Quarantined, "eve\u{1b}[2J\u{202e}")]);
    for text in [told.status(), told.explained()] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(text.contains("quarantined") && text.contains("eve\\u{1b}[2J"), "{text}");
    }
    assert!(told.explained().contains("somebody other than eve"));
}

/// A sandbox that has to be confirmed every so many hours and is closed a day after that, open for so many.
fn reviewed(every: &str, open: i64) -> Told {
    let mut told = Told::story();
    let reviews = Reviews { every: every.into(), grace: "24h".into() };
    told.reading.contract.as_mut().expect("a contract").spec.reviews = Some(reviews);
    told.says(&[]);
    told.opens(Stage::Sandbox, open);
    told.pass(1);
    told
}

fn to_be_confirmed(told: &Told) -> Option<Timestamp> {
    GrantView::of(&Picture::of(&told.reading)).to_be_confirmed()
}

#[test]
fn a_review_is_told_with_when_it_lapses_and_who_may_answer_it() {
    let mut told = reviewed("48h", 168);
    let lapse = told.reading.now + SignedDuration::from_hours(71);
    assert_eq!(to_be_confirmed(&told), Some(lapse));
    let status = told.status();
    let how = "by whoever may attest it (comity:reviewer) and doesn't ask for it: comity attest northpay-fraud --namespace";
    for words in ["closes 2026-12-04 01:00:00 CET (in 2 days 23 h) unless somebody confirms", how] {
        assert!(status.contains(words), "{status}");
    }
    assert!(told.explained().contains("confirm that it is still wanted, by whoever may attest it"));
    told.reading.identity.name = "ada@retail.example".to_owned();
    assert_eq!(to_be_confirmed(&told), None, "who asks for it can't confirm it");
    assert!(told.status().contains("not by you: ada@retail.example asks for this grant"));
    told.decides("per@retail.example", "data-owners", RecordEvent::Attested, None);
    assert!(told.status().contains("closes 2026-12-04 02:00:00 CET"), "{}", told.status());
}

#[test]
fn what_needs_no_answer_within_a_week_waits_for_nobody() {
    let far = reviewed("240h", 24 * 40);
    assert_eq!(to_be_confirmed(&far), None);
    assert!(far.status().contains("(in 10 days 23 h) unless somebody confirms"), "{}", far.status());
    assert!(!far.explained().contains("confirm that it is still wanted, by"));
    let ends_first = reviewed("48h", 50);
    assert!(!ends_first.status().contains("unless somebody confirms"), "its end comes first");
    let mut lapsed = reviewed("48h", 168);
    lapsed.pass(71);
    assert!(!lapsed.status().contains("unless somebody confirms"), "it is too late");
    let mut unread = reviewed("48h", 168);
    unread.reading.unread.push("grantrecords");
    assert!(unread.status().contains("you may not read grantrecords") && to_be_confirmed(&unread).is_none());
}
