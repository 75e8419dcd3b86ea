//! What is decided, shown and foreseen, in the story of `examples/fraud-scoring/`.

use super::foresee::{After, after, decision, foresee, is_needless};
use super::outcome::{Heard, effect, heard};
use super::preview::preview;
use super::request::rules;
use super::wish::{Choice, EndWish, Wish, choose};
use super::*;
use crate::api::GrantDecision;
use crate::api::condition::{ConditionType, Finding, Reason, merge};
use crate::api::decision::GrantDecisionStatus;
use crate::api::grant::OpeningState;
use crate::api::name::ANNOTATION_DECIDED_BY;
use crate::api::record::RecordEvent;
use crate::cli::grant::Picture;
use crate::cli::grant::tests::{Told, stockholm};
use crate::cli::page::Page;
use crate::cli::person::{MISUSED, REFUSED, UNCHANGED};
use crate::journal::append::Entry;

use DecisionAction::{
    Approve, Attest, Deny, Expire, Extend, Quarantine, Rehearse, Release, Shorten, Sponsor,
};

fn wish(action: DecisionAction) -> Wish {
    Wish { action, stage: None, end: None, group: None, digest: None, enrolment: None }
}

fn of(action: DecisionAction, stage: Stage) -> Wish {
    Wish { stage: Some(stage), ..wish(action) }
}

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

/// What is chosen, or the code and words that it ends with.
fn chosen(told: &Told, wish: &Wish) -> Result<Choice, (u8, String)> {
    choose(&Picture::of(&told.reading), wish).map_err(|stop| (stop.code(), stop.to_string()))
}

/// It ends with this code and these words.
#[track_caller]
fn ends(told: &Told, wish: &Wish, code: u8, words: &str) {
    let (ended, said) = chosen(told, wish).expect_err(words);
    assert!(ended == code && said.contains(words), "{ended}: {said}");
}

/// What is shown before it is made, and what is foreseen.
fn shown(told: &Told, wish: &Wish) -> String {
    let picture = Picture::of(&told.reading);
    let choice = choose(&picture, wish).expect("it can be chosen");
    let foreseen = foresee(&picture, &decision(&picture, &choice, "why".into()));
    let told = match &foreseen {
        Some(Ok(entry)) => format!("{:?} will be written", entry.event),
        Some(Err(unheard)) => format!("{}: {}", unheard.reason, unheard.message),
        None => "that can't be foreseen".to_owned(),
    };
    let page = preview(&picture, &choice, foreseen.and_then(Result::ok).as_ref(), &stockholm(picture.now));
    format!("{}---\n{told}\n", page.text(false))
}

#[test]
fn an_approval_is_of_what_waits_for_the_group_that_is_asked() {
    let told = Told::at_the_last_gate();
    let choice = chosen(&told, &wish(Approve)).expect("it can be chosen");
    assert_eq!((choice.stage, choice.group.as_deref()), (Some(Stage::Production), Some("security")));
    assert_eq!(choice.digest, Some(told.agreed().digest));
    let picture = Picture::of(&told.reading);
    let made = decision(&picture, &choice, "why".into());
    assert_eq!(made.metadata.generate_name.as_deref(), Some("northpay-fraud-approve-"));
    assert_eq!(made.metadata.annotations.expect("a stamp")[ANNOTATION_DECIDED_BY], "olga@retail.example");
    let entry = foresee(&picture, &decision(&picture, &choice, "why".into())).expect("all can be read");
    assert_eq!(after(&picture, &choice, Some(&entry.expect("it counts"))), After::Effect, "it opens");
    assert_eq!(after(&picture, &choice, None), After::Unknown);
}

#[test]
fn what_the_first_opening_of_a_stage_allows_is_shown_whole_although_an_earlier_stage_had_it() {
    let text = shown(&Told::at_the_last_gate(), &wish(Approve));
    for line in [
        "+ field device_hash of transactions\n",
        "+ operation Infer\n",
        "+ person ana@northpay.example ModelEngineer\n",
        "+ workload scorer\n",
        "+ quota of pods: 20\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_an_approval_opens_is_shown_against_what_was_opened_of_this_stage_before() {
    let mut told = Told::at_the_last_gate();
    told.opens(Stage::Production, 720);
    told.reading.contract.as_mut().expect("a contract").spec.data_scope.datasets[0].fields.pop();
    told.asks(Stage::Production);
    insta::assert_snapshot!(shown(&told, &of(Approve, Stage::Production)));
}

#[test]
fn where_no_stage_has_to_come_before_it_is_said_so() {
    let told = Told::story();
    let mut agreed = told.agreed();
    agreed.stages.retain(|stage, _| *stage == Stage::Production);
    let (mut page, terms) = (Page::default(), &agreed.stages[&Stage::Production]);
    rules(&mut page, Stage::Production, terms, &agreed, &stockholm(told.reading.now));
    let text = page.text(false);
    assert!(text.contains("comes after nothing: the contract offers no earlier stage"), "{text}");
}

#[test]
fn what_is_opened_first_is_shown_whole() {
    insta::assert_snapshot!(shown(&Told::story(), &of(Approve, Stage::Sandbox)));
}

#[test]
fn what_closes_is_shown_with_what_outlives_it() {
    let told = Told::at_the_last_gate();
    let later = Wish { end: Some(EndWish::By(hours(5))), ..wish(Shorten) };
    let all = [wish(Expire), later, wish(Quarantine), wish(Deny)];
    insta::assert_snapshot!(all.map(|wish| shown(&told, &wish)).join("\n"));
}

#[test]
fn a_new_end_is_a_moment_before_anybody_is_asked() {
    let told = Told::at_the_last_gate();
    let now = told.reading.now;
    let end = |action, end| {
        chosen(&told, &Wish { end: Some(end), ..wish(action) })
            .expect("it can be chosen")
            .end
            .expect("an end")
    };
    let stands = now + hours(23);
    assert_eq!(end(Extend, EndWish::By(hours(24))), stands + hours(24));
    assert_eq!(end(Shorten, EndWish::By(hours(5))), stands - hours(5));
    assert_eq!(end(Extend, EndWish::In(hours(30))), now + hours(30));
    assert_eq!(end(Shorten, EndWish::At(now)), now);
}

#[test]
fn what_is_not_sure_is_asked_back() {
    let mut told = Told::at_the_last_gate();
    let by = |stage| Wish { end: Some(EndWish::By(hours(1))), stage, ..wish(Extend) };
    ends(&told, &by(Some(Stage::Production)), REFUSED, "Production isn't open");
    ends(
        &told,
        &Wish { digest: Some("v1:sha256:0".to_owned()), ..wish(Approve) },
        REFUSED,
        "not v1:sha256:0",
    );
    told.reading.identity.groups =
        vec!["staff".to_owned(), "risk".to_owned(), "system:authenticated".to_owned()];
    ends(&told, &wish(Approve), MISUSED, "you are in staff, risk: say for which");
    let enough = vec!["staff".to_owned(), "data-owners".to_owned()];
    told.reading.identity.groups = enough;
    let choice = chosen(&told, &wish(Approve)).expect("it can be chosen");
    assert_eq!(choice.group.as_deref(), Some("data-owners"), "asked for, though nobody of it is missing");
    told.reading.identity.groups = vec!["system:authenticated".to_owned()];
    ends(&told, &wish(Approve), REFUSED, "asked are data-owners, security");
    let quiet = Told::story();
    ends(&quiet, &wish(Approve), MISUSED, "no stage waits for people now");
    ends(&quiet, &by(None), REFUSED, "nothing is open");
    let mut both = Told::story();
    both.opens(Stage::Sandbox, 24);
    both.opens(Stage::Rehearsal, 24);
    ends(&both, &by(None), MISUSED, "Sandbox and Rehearsal are open: name one");
}

#[test]
fn nothing_is_agreed_to_that_is_not_what_was_read() {
    let mut told = Told::at_the_last_gate();
    told.reading.contract.as_mut().expect("a contract").spec.destination.egress.clear();
    ends(&told, &wish(Approve), REFUSED, "somebody has just changed it");
    told.reading.contract.as_mut().expect("a contract").spec.purposes.clear();
    ends(&told, &wish(Approve), REFUSED, "there is nothing to agree to");
    let mut told = Told::at_the_last_gate();
    told.says(&[Finding::no(ConditionType::Accepted, Reason::Duplicate, "another grant is for the same")]);
    ends(&told, &wish(Approve), REFUSED, "another grant is for the same");
}

#[test]
fn who_may_not_read_it_all_is_shown_so_and_may_decide_all_the_same() {
    let mut told = Told::at_the_last_gate();
    told.reading.partner = None;
    told.reading.unread = vec!["partners"];
    let text = shown(&told, &wish(Approve));
    assert!(text.contains("you may not read partners, so what this revision is made of"), "{text}");
    assert!(text.contains("comity:viewer") && text.contains("in Comity's words"), "{text}");
    assert!(text.ends_with("that can't be foreseen\n"), "{text}");
    assert!(
        shown(&told, &wish(Quarantine)).contains("Quarantined will be written"),
        "that takes the journal only"
    );
}

#[test]
fn what_comity_would_refuse_is_refused_before() {
    let mut told = Told::at_the_last_gate();
    told.reading.identity.name = "ada@retail.example".to_owned();
    assert!(shown(&told, &wish(Approve)).contains("OwnRequest: ada@retail.example wrote PartnerGrant"));
    told.reading.identity.name = "per@retail.example".to_owned();
    told.reading.identity.groups = vec!["data-owners".to_owned()];
    assert!(shown(&told, &wish(Approve)).contains("Repeated: per@retail.example agrees already"));
    let far = Wish { end: Some(EndWish::By(hours(9000))), ..wish(Extend) };
    assert!(shown(&told, &far).contains("BeyondContract: Rehearsal can be open until"));
}

#[test]
fn a_rehearsal_is_of_what_is_asked_for_now() {
    let told = Told::at_the_last_gate();
    let choice = chosen(&told, &wish(Rehearse)).expect("it can be chosen");
    assert_eq!((choice.stage, choice.digest), (None, Some(told.agreed().digest)));
    let pinned = Wish { digest: Some("v1:sha256:00".to_owned()), ..wish(Rehearse) };
    ends(&told, &pinned, REFUSED, "look at what has changed");
    assert!(shown(&told, &wish(Rehearse)).contains("nothing that is open closes"));
}

#[test]
fn what_is_so_already_needs_nothing() {
    let mut told = Told::at_the_last_gate();
    let needless = |told: &Told, wish: &Wish, reason: Reason| {
        let picture = Picture::of(&told.reading);
        let choice = choose(&picture, wish).expect("it can be chosen");
        is_needless(&picture, &choice, &reason.to_string())
    };
    assert!(needless(&told, &wish(Approve), Reason::Repeated));
    assert!(needless(&told, &wish(Release), Reason::NothingToDecide));
    assert!(!needless(&told, &wish(Approve), Reason::OwnRequest));
    assert!(!needless(&told, &wish(Deny), Reason::NothingToDecide), "it is open: that has to be ended");
    assert!(!needless(&told, &wish(Attest), Reason::OwnRequest));
    let request = Wish { stage: Some(Stage::Production), ..wish(Approve) };
    told.decides("eve@retail.example", "security", RecordEvent::Denied, Some(Stage::Production));
    assert!(!needless(&told, &request, Reason::Repeated), "it was refused, for good");
    told.record(&Entry::of_grant(RecordEvent::Ended, None, ""));
    ends(&told, &wish(Expire), UNCHANGED, "what has ended stays so");
    ends(&told, &wish(Sponsor), REFUSED, "make a new grant");
}

#[test]
fn what_came_of_it_is_read_from_the_decision() {
    let told = Told::at_the_last_gate();
    let picture = Picture::of(&told.reading);
    let choice = choose(&picture, &wish(Quarantine)).expect("it can be chosen");
    let mut decision: GrantDecision = decision(&picture, &choice, "why".into());
    assert_eq!(heard(&decision), None);
    let mut says = |holds: bool, reason: Reason| {
        let finding = Finding { condition: ConditionType::Taken, holds, reason, message: "why".to_owned() };
        let conditions = merge(&[], &[finding], Some(1), Timestamp::UNIX_EPOCH);
        decision.status =
            Some(GrantDecisionStatus { record: Some(7), conditions, ..GrantDecisionStatus::default() });
        heard(&decision)
    };
    assert_eq!(says(false, Reason::ConsentPending), None, "it is about to be taken");
    assert_eq!(says(true, Reason::Taken), Some(Heard::Taken { record: Some(7) }));
    let unheard = Heard::Unheard { reason: "OwnRequest".to_owned(), message: "why".to_owned() };
    assert_eq!(says(false, Reason::OwnRequest), Some(unheard));
}

#[test]
fn what_became_of_the_grant_is_waited_for() {
    let mut told = Told::at_the_last_gate();
    let moments = stockholm(told.reading.now);
    let became = |told: &Told, wish: &Wish| {
        let choice = choose(&Picture::of(&told.reading), wish).expect("it can be chosen");
        effect(&choice, &told.reading.grant, &moments)
    };
    let (open, shorter) = (wish(Approve), Wish { end: Some(EndWish::By(hours(5))), ..wish(Shorten) });
    assert_eq!(became(&told, &open), None, "it still waits, as it did before");
    assert_eq!(became(&told, &shorter), None);
    assert_eq!(became(&told, &wish(Expire)), None);
    assert_eq!(became(&told, &wish(Quarantine)), None);
    assert_eq!(became(&told, &wish(Deny)).as_deref(), Some(""), "that it was taken is all");
    told.says(&[Finding::yes(ConditionType::Ready, Reason::Quarantined, "olga quarantined it")]);
    assert_eq!(became(&told, &wish(Quarantine)), None, "it is said, and access is open still");
    assert_eq!(became(&told, &wish(Release)), None);
    for opening in &mut told.reading.grant.status.as_mut().expect("a status").openings {
        opening.state = OpeningState::Held;
    }
    assert_eq!(became(&told, &wish(Quarantine)).as_deref(), Some("olga quarantined it"));
    told.says(&[
        Finding::no(ConditionType::Ready, Reason::CertificatePending, "waiting for certificates"),
        Finding::yes(ConditionType::Reconciling, Reason::CertificatePending, "waiting for certificates"),
    ]);
    assert_eq!(became(&told, &wish(Release)), None, "released, and not open again yet");
    told.says(&[Finding::yes(ConditionType::Ready, Reason::Suspended, "spec.suspend is true")]);
    assert_eq!(
        became(&told, &wish(Release)).as_deref(),
        Some("spec.suspend is true"),
        "that is all there is to wait for"
    );
    told.says(&[Finding::no(ConditionType::Ready, Reason::Closing, "it is being cleared")]);
    for opening in &mut told.reading.grant.status.as_mut().expect("a status").openings {
        opening.state = OpeningState::Closing;
    }
    assert!(became(&told, &wish(Expire)).is_some_and(|said| said.contains("access is closed")));
}
