//! What a journal gives has to be what people decided, whoever wrote it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::*;
use crate::api::name::{ANNOTATION_AUTHORED_BY, ANNOTATION_REQUESTED_BY};
use crate::api::record::RecordReason;
use crate::journal::append::Entry;
use crate::policy::testing::World;
use crate::signer::testing::Story;

mod forged;

const OWNER: &str = "data-owners";
const SECURITY: &str = "security";

/// Of whom and what nobody hears who reads in the namespace of a stage.
const NAMES: [&str; 8] = ["rita", "olga", "paul", "per", "rosa", "fraud-scoring", OWNER, SECURITY];

/// A journal, and what people decided.
#[derive(Clone)]
struct Tale {
    story: Story,
    decisions: Vec<Arc<GrantDecision>>,
    /// What was agreed while people decided about it.
    seen: Vec<Arc<Agreement>>,
    /// When every record was stored; `None`: nobody asks.
    stored: Option<Timestamp>,
}

impl Tale {
    /// Rita asks for the story's grant, and wrote all that it stands on. It has been rehearsed.
    fn begin() -> Self {
        let mut world = World::story();
        let by_rita = |meta: &mut ObjectMeta, annotation: &str| {
            meta.generation = Some(1);
            meta.annotations.get_or_insert_default().insert(annotation.to_owned(), "1 rita".to_owned());
        };
        by_rita(&mut world.grant.metadata, ANNOTATION_REQUESTED_BY);
        by_rita(&mut world.contract.metadata, ANNOTATION_AUTHORED_BY);
        by_rita(&mut world.partner.metadata, ANNOTATION_AUTHORED_BY);
        by_rita(&mut world.dataset().metadata, ANNOTATION_AUTHORED_BY);
        by_rita(&mut world.boundary().metadata, ANNOTATION_AUTHORED_BY);
        let mut story = Story { world, journal: Journal::empty(), records: Vec::new(), told: Vec::new() };
        for stage in [Stage::Sandbox, Stage::Rehearsal] {
            story.open(stage);
            story.world.now += story.world.agreed().stages[&stage].soak;
        }
        Self { story, decisions: Vec::new(), seen: Vec::new(), stored: None }
    }

    /// Whoever looks has seen what is agreed now.
    fn is_seen(&mut self) {
        self.seen.push(Arc::new(self.story.world.agreed()));
    }

    /// Time goes on.
    fn forward(&mut self, length: SignedDuration) {
        self.story.world.now += length;
    }

    /// Two people agree to production.
    fn agreed() -> Self {
        let mut tale = Self::begin();
        tale.approve("olga", OWNER);
        tale.approve("per", SECURITY);
        tale
    }

    fn digest(&self) -> String {
        self.story.world.agreed().digest
    }

    /// Somebody decides, and nothing is recorded yet.
    fn decide(&mut self, by: &str, action: DecisionAction, group: Option<&str>) -> TakenDecision {
        let uid = format!("decision-{}", self.story.records.len() + self.decisions.len());
        let mut decision = GrantDecision::new(
            &uid,
            serde_json::from_value(serde_json::json!({
                "grantRef": {"name": "northpay-fraud", "uid": self.story.world.grant.metadata.uid},
                "action": action, "onBehalfOf": group, "reason": "because",
            }))
            .unwrap(),
        );
        if matches!(action, DecisionAction::Approve | DecisionAction::Sponsor) {
            decision.spec.digest = Some(self.digest().as_str().into());
        }
        decision.spec.stage = (action == DecisionAction::Approve).then_some(Stage::Production);
        decision.metadata.uid = Some(uid.clone());
        decision.metadata.creation_timestamp = Some(Time(self.story.world.now));
        decision.metadata.annotations = Some([(ANNOTATION_DECIDED_BY.to_owned(), by.to_owned())].into());
        self.decisions.push(Arc::new(decision));
        let on_behalf_of = group.map(Into::into);
        let made = Time(self.story.world.now);
        TakenDecision { name: uid.clone(), uid, by: by.to_owned(), on_behalf_of, made, until: None }
    }

    /// Writes down that somebody agreed.
    fn take_approval(&mut self, taken: TakenDecision) {
        let valid = self.story.world.now + SignedDuration::from_hours(72);
        let taken = TakenDecision { until: Some(Time(valid)), ..taken };
        let entry = Entry::of_grant(RecordEvent::Approved, Some(RecordReason::Decided), "");
        let stage = Some((Stage::Production, self.digest()));
        self.story.append(&Entry { stage, decision: Some(taken), ..entry });
    }

    fn approve(&mut self, by: &str, group: &str) {
        let taken = self.decide(by, DecisionAction::Approve, Some(group));
        self.take_approval(taken);
    }

    fn open(&mut self) {
        self.story.open(Stage::Production);
    }

    fn take(&mut self, event: RecordEvent, taken: TakenDecision) {
        let entry = Entry::of_grant(event, Some(RecordReason::Decided), "");
        self.story.append(&Entry { decision: Some(taken), ..entry });
    }

    fn looked(&self, before: &Testimony) -> (Testimony, Option<Doubt>) {
        let agreement = self.story.world.resolve().ok();
        let find = |uid: &str| {
            let mut all = self.decisions.iter();
            all.find(|decision| decision.metadata.uid.as_deref() == Some(uid)).cloned()
        };
        let report = |name: &str| self.story.told.iter().find(|told| told.taken.name == name).cloned();
        let stored = |_| self.stored;
        let witness = Witness {
            decision: &find,
            report: &report,
            agreement: agreement.as_ref(),
            agreed: &self.seen,
            stored: self.stored.as_ref().map(|_| &stored as &dyn Fn(i64) -> Option<Timestamp>),
            made_again: false,
            now: self.story.world.now,
        };
        witness.look(&self.story.records, before)
    }

    #[track_caller]
    fn is_believed(&self) -> Testimony {
        let (testimony, doubt) = self.looked(&Testimony::default());
        assert_eq!(doubt, None);
        assert_eq!(
            (testimony.through, &testimony.head),
            (self.story.journal.next - 1, &self.story.journal.head)
        );
        testimony
    }

    #[track_caller]
    fn is_doubted(&self, why: &str) {
        let (_, doubt) = self.looked(&Testimony::default());
        let doubt = doubt.expect("this isn't what anybody decided");
        assert!(doubt.to_string().contains(why), "{why:?} isn't in {doubt}");
        let general = doubt.in_general();
        let mut words = general.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        let named = words.find(|word| NAMES.contains(word) || word.starts_with("decision-"));
        assert_eq!(named, None, "the partner's people read it: {general}");
    }
}

#[test]
fn what_two_people_agreed_to_is_believed() {
    let mut tale = Tale::agreed();
    tale.open();
    tale.is_believed();
}

#[test]
fn a_stage_that_nobody_agreed_to_isnt_believed() {
    let mut nobody = Tale::begin();
    nobody.open();
    nobody.is_doubted("opens Production, but that takes 2 more people");
    let mut one = Tale::begin();
    one.approve("olga", OWNER);
    one.open();
    one.is_doubted("1 more person, of them at least 1 from security");
    let mut asking = Tale::begin();
    asking.approve("olga", OWNER);
    asking.approve("rita", SECURITY);
    asking.open();
    asking.is_doubted("1 more person");
}

#[test]
fn an_approval_that_nobody_gave_isnt_believed() {
    let forge = |change: &dyn Fn(&mut Tale, &mut TakenDecision)| {
        let mut tale = Tale::begin();
        let mut taken = tale.decide("olga", DecisionAction::Approve, Some(OWNER));
        change(&mut tale, &mut taken);
        tale.take_approval(taken);
        tale
    };
    forge(&|_, _| ()).is_believed();
    forge(&|tale, _| tale.decisions.clear()).is_doubted("there is no GrantDecision decision-");
    forge(&|_, taken| taken.by = "per".to_owned()).is_doubted("doesn't say what GrantDecision");
    forge(&|_, taken| taken.on_behalf_of = Some(SECURITY.into())).is_doubted("doesn't say what");
    for action in [DecisionAction::Deny, DecisionAction::Sponsor, DecisionAction::Attest] {
        let change = |tale: &mut Tale, taken: &mut TakenDecision| {
            *taken = tale.decide("olga", action, Some(OWNER));
        };
        forge(&change).is_doubted("doesn't say what");
    }
    let spoil = |spoil: &dyn Fn(&mut GrantDecision)| {
        forge(&|tale, _| tale.decisions.iter_mut().for_each(|decision| spoil(Arc::make_mut(decision))))
    };
    spoil(&|decision| decision.spec.stage = Some(Stage::Rehearsal)).is_doubted("doesn't say what");
    spoil(&|decision| decision.spec.digest = Some("v1:sha256:00".into())).is_doubted("doesn't say what");
    spoil(&|decision| decision.metadata.annotations = None).is_doubted("doesn't say what");
    let long_ago = |decision: &mut GrantDecision| {
        decision.metadata.creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    };
    spoil(&long_ago).is_doubted("doesn't say what");
    let all_long_ago = |tale: &mut Tale, taken: &mut TakenDecision| {
        tale.decisions.iter_mut().for_each(|decision| long_ago(Arc::make_mut(decision)));
        taken.made = Time(Timestamp::UNIX_EPOCH);
    };
    forge(&all_long_ago).is_doubted("lets the word of olga count for longer than it does");
}

#[test]
fn a_revision_that_nobody_wrote_lets_nobody_agree_to_what_they_write_next() {
    let mut tale = Tale::agreed();
    let agreement = tale.story.world.agreed();
    let terms = &agreement.stages[&Stage::Production];
    let end = tale.story.world.now + terms.duration;
    let mut entry = Entry::opened(Stage::Production, &agreement.digest, end, &terms.policy);
    entry.revisions = agreement.authorship.iter().map(|written| written.revision.clone()).collect();
    let mut forged = tale.clone();
    tale.story.append(&entry);
    tale.is_believed();
    entry.revisions[1].generation += 1;
    tale.story.append(&entry);
    tale.is_doubted("names a revision of SharingContract fraud-scoring that there isn't");
    forged.story.append(&entry);
    forged.is_doubted("names a revision of");
}

#[test]
fn what_automation_asks_for_takes_a_sponsor() {
    let mut tale = Tale::agreed();
    let robot = "1 system:serviceaccount:flux-system:kustomize-controller".to_owned();
    let annotations = &mut tale.story.world.grant.metadata.annotations;
    annotations.get_or_insert_default().insert(ANNOTATION_REQUESTED_BY.to_owned(), robot);
    let mut sponsored = tale.clone();
    tale.open();
    tale.is_doubted("for automation that nobody has taken responsibility for");
    let taken = sponsored.decide("sven", DecisionAction::Sponsor, None);
    let digest = Some(sponsored.digest());
    let entry = Entry::of_grant(RecordEvent::Sponsored, Some(RecordReason::Decided), "");
    sponsored.story.append(&Entry { digest, decision: Some(taken), ..entry });
    sponsored.open();
    sponsored.is_believed();
}

#[test]
fn what_was_refused_isnt_opened() {
    let mut tale = Tale::agreed();
    let entry = Entry::of_grant(RecordEvent::Denied, Some(RecordReason::Decided), "");
    tale.story.append(&Entry { stage: Some((Stage::Production, tale.digest())), ..entry });
    tale.open();
    tale.is_doubted("which was refused");
}

#[test]
fn an_end_that_nobody_agreed_to_isnt_believed() {
    let mut longer = Tale::agreed();
    let agreement = longer.story.world.agreed();
    let terms = &agreement.stages[&Stage::Production];
    let end = longer.story.world.now + terms.duration + SignedDuration::from_secs(2);
    longer.story.append(&Entry::opened(Stage::Production, &agreement.digest, end, &terms.policy));
    longer.is_doubted("for longer than the contract does");

    let mut ahead = Tale::agreed();
    let now = ahead.story.world.now;
    ahead.story.world.now = now + SignedDuration::from_mins(2);
    ahead.open();
    ahead.story.world.now = now;
    ahead.is_doubted("for longer than the contract does");

    let mut moved = Tale::agreed();
    moved.open();
    let end = moved.story.journal.openings[2].end + SignedDuration::from_secs(60);
    let entry = Entry::of_grant(RecordEvent::Extended, None, "");
    let stage = Some((Stage::Production, moved.digest()));
    moved.story.append(&Entry { stage, end: Some(end), ..entry });
    moved.is_doubted("moves the end of Production");
}

#[test]
fn who_closed_access_doesnt_release_it_and_nobody_else_does_unasked() {
    let quarantined = || {
        let mut tale = Tale::agreed();
        tale.open();
        let taken = tale.decide("rosa", DecisionAction::Quarantine, None);
        tale.take(RecordEvent::Quarantined, taken);
        tale
    };
    let mut released = quarantined();
    let taken = released.decide("sven", DecisionAction::Release, None);
    released.take(RecordEvent::Released, taken);
    released.is_believed();
    let mut own = quarantined();
    let taken = own.decide("rosa", DecisionAction::Release, None);
    own.take(RecordEvent::Released, taken);
    own.is_doubted("releases what rosa closed");
    let mut forged = quarantined();
    let taken = forged.decide("sven", DecisionAction::Release, None);
    forged.decisions.pop();
    forged.take(RecordEvent::Released, taken);
    forged.is_doubted("there is no GrantDecision");
}

#[test]
fn who_asks_for_a_grant_doesnt_confirm_it() {
    let confirmed = |by: &str| {
        let mut tale = Tale::agreed();
        tale.open();
        let taken = tale.decide(by, DecisionAction::Attest, None);
        tale.take(RecordEvent::Attested, taken);
        tale
    };
    confirmed("sven").is_believed();
    confirmed("rita").is_doubted("has rita confirm what rita asks for");
}

#[test]
fn what_was_compared_once_holds_when_the_decisions_are_gone() {
    let mut tale = Tale::agreed();
    tale.open();
    let before = tale.is_believed();
    tale.decisions.clear();
    tale.is_doubted("there is no GrantDecision");
    assert_eq!(tale.looked(&before), (before.clone(), None));
    tale.story.record(Stage::Production, RecordEvent::Suspended, RecordReason::Suspended);
    tale.open();
    let (after, doubt) = tale.looked(&before);
    assert_eq!((after.through, doubt), (before.through + 2, None), "opened again, it takes nobody");
    let taken = tale.decide("sven", DecisionAction::Attest, None);
    tale.decisions.clear();
    tale.take(RecordEvent::Attested, taken);
    assert!(tale.looked(&after).1.is_some(), "what comes later has to be compared");
}

#[test]
fn a_journal_that_isnt_the_one_that_was_compared_isnt_believed() {
    let mut tale = Tale::agreed();
    tale.open();
    let before = tale.is_believed();
    let other = Testimony { head: Some("sha256:00".to_owned()), ..before.clone() };
    let told = |before: &Testimony| tale.looked(before).1.map(|doubt| doubt.what);
    assert_eq!(told(&other).as_deref(), Some(ANOTHER));
    let mut shorter = tale.clone();
    shorter.story.records.pop();
    assert_eq!(shorter.looked(&before).1.map(|doubt| doubt.what).as_deref(), Some(GONE));
}

#[test]
fn what_was_opened_for_what_isnt_agreed_any_more_is_believed_if_it_was_seen_while_it_was() {
    let widen = |tale: &mut Tale| tale.story.world.contract.spec.purposes.push("model-quality".into());
    let mut tale = Tale::agreed();
    tale.is_seen();
    tale.open();
    widen(&mut tale);
    tale.is_believed();
    let mut nobody = Tale::begin();
    nobody.is_seen();
    nobody.open();
    widen(&mut nobody);
    nobody.is_doubted("that takes 2 more people");
    let mut unseen = Tale::agreed();
    unseen.open();
    widen(&mut unseen);
    unseen.is_doubted("comity sign hadn't seen while it stood");
    unseen.story.world.contract.spec.partners.clear();
    unseen.is_doubted("nothing stands now");
}

#[test]
fn where_nobody_is_asked_nothing_is_compared() {
    let mut tale = Tale::begin();
    tale.story.journal = Journal::empty();
    tale.story.records.clear();
    let agreement = tale.story.world.agreed();
    let is_asked = |tale: &Tale, made_again| is_asked(&tale.story.journal, Some(&agreement), &|| made_again);
    assert!(!is_asked(&tale, true), "nothing is given yet");
    tale.story.open(Stage::Sandbox);
    assert!(!is_asked(&tale, false) && is_asked(&tale, true));
    let mut again = tale.clone();
    let terms = &agreement.stages[&Stage::Sandbox];
    let end = again.story.world.now + terms.duration;
    again.story.append(&Entry::opened(Stage::Sandbox, "v1:sha256:00", end, &terms.policy));
    assert!(is_asked(&again, false), "a second opening takes somebody");
    again.is_doubted("opens Sandbox");
    tale.story.open(Stage::Production);
    assert!(is_asked(&tale, false));
    assert!(is_asked(&Tale::agreed(), false), "somebody decided something");
}
