//! What whoever has the token of `comity run` writes into a journal beside what people decided.

use super::*;

#[test]
fn what_was_agreed_to_opens_nothing_wider() {
    for seen in [true, false] {
        let mut tale = Tale::agreed();
        if seen {
            tale.is_seen();
        }
        let agreed = tale.story.world.agreed();
        tale.story.world.contract.spec.purposes.push("model-quality".into());
        let wider = tale.story.world.agreed();
        let terms = &wider.stages[&Stage::Production];
        let mut policy = terms.policy.clone();
        policy.operations.clear();
        let end = tale.story.world.now + terms.duration;
        tale.story.append(&Entry::opened(Stage::Production, &agreed.digest, end, &policy));
        tale.is_doubted(if seen { "by other terms" } else { "hadn't seen" });
    }
}

#[test]
fn stricter_rules_leave_what_was_opened_by_the_old_ones() {
    let mut tale = Tale::begin();
    let before = tale.is_believed();
    let mut rule = tale.story.world.contract.spec.approvals[0].clone();
    rule.stage = Stage::Sandbox;
    tale.story.world.contract.spec.approvals.push(rule);
    assert_eq!(tale.looked(&before), (before.clone(), None), "it was compared by those");
    tale.is_doubted("opens Sandbox");
}

#[test]
fn a_stage_that_was_opened_too_early_isnt_believed() {
    let soak = Tale::begin().story.world.agreed().stages[&Stage::Rehearsal].soak;
    assert!(soak > SignedDuration::from_secs(60), "{soak}");
    let mut hasty = Tale::begin();
    hasty.story.journal = Journal::empty();
    hasty.story.records.clear();
    hasty.approve("olga", OWNER);
    hasty.approve("per", SECURITY);
    hasty.open();
    hasty.is_doubted("opens Production too early: Production waits until Rehearsal has been open");
    let mut unsoaked = hasty.clone();
    unsoaked.story.journal = Journal::empty();
    unsoaked.story.records.clear();
    unsoaked.story.told.clear();
    unsoaked.decisions.clear();
    unsoaked.story.open(Stage::Sandbox);
    unsoaked.forward(soak);
    unsoaked.story.open(Stage::Rehearsal);
    unsoaked.forward(soak - SignedDuration::from_secs(2));
    unsoaked.approve("olga", OWNER);
    unsoaked.approve("per", SECURITY);
    unsoaked.open();
    unsoaked.is_doubted(
        "opens Production too early: Production waits until Rehearsal has been open for its soak",
    );
}

#[test]
fn a_record_that_is_older_than_it_was_stored_isnt_believed() {
    let mut tale = Tale::agreed();
    let before = tale.is_believed();
    tale.open();
    let written = tale.story.world.now;
    tale.forward(SignedDuration::from_hours(100));
    tale.stored = Some(written + SignedDuration::from_secs(1));
    assert_eq!(tale.looked(&before).1, None, "it is old, and was stored then");
    tale.stored = Some(tale.story.world.now);
    let doubt = tale.looked(&before).1.expect("nobody knows when it was written").to_string();
    assert!(doubt.contains("and was stored later"), "{doubt}");
}

#[test]
fn what_people_close_isnt_written_down_as_something_else() {
    let told = |action: DecisionAction, event: RecordEvent, change: &dyn Fn(&mut Entry, Timestamp)| {
        let mut tale = Tale::begin();
        let taken = tale.decide("rosa", action, None);
        let mut entry = Entry::of_grant(event, Some(RecordReason::Decided), "");
        entry.decision = Some(taken);
        if event == RecordEvent::Shortened {
            entry.end = Some(tale.story.world.now);
        }
        change(&mut entry, tale.story.world.now);
        tale.story.append(&entry);
        tale.looked(&Testimony::default()).1.map(|doubt| doubt.what)
    };
    let as_it_is = |_: &mut Entry, _| ();
    assert_eq!(told(DecisionAction::Quarantine, RecordEvent::Quarantined, &as_it_is), None);
    assert_eq!(told(DecisionAction::Expire, RecordEvent::Shortened, &as_it_is), None);
    let late = |entry: &mut Entry, now| entry.end = Some(now + SignedDuration::from_hours(1));
    let of_one = |entry: &mut Entry, _| entry.only_stage = Some(Stage::Sandbox);
    for misquoted in [
        told(DecisionAction::Expire, RecordEvent::Shortened, &late),
        told(DecisionAction::Expire, RecordEvent::Shortened, &of_one),
        told(DecisionAction::Quarantine, RecordEvent::Shortened, &as_it_is),
        told(DecisionAction::Expire, RecordEvent::Quarantined, &as_it_is),
    ] {
        assert!(misquoted.is_some_and(|what| what.starts_with("doesn't close what GrantDecision")));
    }
}

#[test]
fn what_closed_is_believed_although_its_decision_was_deleted_before_anybody_looked() {
    use DecisionAction::{Expire, Quarantine, Shorten};
    for (action, event) in [
        (Quarantine, RecordEvent::Quarantined),
        (Shorten, RecordEvent::Shortened),
        (Expire, RecordEvent::Shortened),
    ] {
        let mut tale = Tale::agreed();
        tale.open();
        let taken = tale.decide("rosa", action, None);
        tale.decisions.pop();
        let later = tale.story.world.now + SignedDuration::from_mins(10);
        let end = (event == RecordEvent::Shortened).then_some(later);
        let entry = Entry::of_grant(event, Some(RecordReason::Decided), "");
        let only_stage = end.map(|_| Stage::Rehearsal);
        tale.story.append(&Entry { decision: Some(taken), end, only_stage, ..entry });
        if action == Quarantine {
            tale.forward(SECOND);
            let taken = tale.decide("sven", DecisionAction::Release, None);
            tale.take(RecordEvent::Released, taken);
        }
        tale.is_believed();
        let World { grant, now, .. } = &tale.story.world;
        let derived =
            crate::signer::derive::derive(grant, &tale.story.journal, &tale.story.world.outlook(), *now);
        let production = derived.openings.iter().find(|opening| opening.stage == Stage::Production);
        assert!(production.is_some_and(|opening| opening.open), "{action:?}: it is signed for again");
    }
}

#[test]
fn a_rehearsal_that_nobody_reported_isnt_believed() {
    let begun = Tale::agreed();
    let mut unreported = begun.clone();
    unreported.open();
    unreported.is_believed();
    unreported.story.told.clear();
    unreported.is_doubted("there is no RehearsalReport");
    let mut better = begun.clone();
    better.open();
    for told in &mut better.story.told {
        told.taken.counts.failed = 1;
    }
    better.is_doubted("doesn't say what RehearsalReport");
    let mut of_another = begun;
    of_another.open();
    for told in &mut of_another.story.told {
        told.digest = "v1:sha256:another".to_owned();
    }
    of_another.is_doubted("doesn't say what RehearsalReport");
}
