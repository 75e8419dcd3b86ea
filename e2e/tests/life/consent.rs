//! What people decide, on a real API server: what opens by it, what closes, and what it can't.

use comity::api::{
    GrantDecision, PartnerGrant, Stage,
    condition::{ConditionType, Reason},
    decision::DecisionAction,
    record::{RecordEvent, RecordReason},
};
use e2e::{
    Result,
    cluster::await_object,
    comity::people::{Decider, OLGA, PER},
};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use crate::story::{Story, Wish, ensure, told};

/// A story with people in it, and a grant for which people are asked.
pub async fn asked() -> Result<(Story, Wish, PartnerGrant)> {
    asked_under(&[]).await
}

/// The same, where the ground says something else in places.
pub async fn asked_under(changes: &[(&str, &str)]) -> Result<(Story, Wish, PartnerGrant)> {
    let story = Story::begin_where(changes).await?;
    let wish = Wish::up_to(Stage::Production);
    story.ask(&wish).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
    Ok((story, wish, grant))
}

/// Decides, and awaits what came of it.
pub async fn decided(
    story: &Story,
    who: Decider,
    decision: &GrantDecision,
    reason: Reason,
) -> Result<String> {
    let made = who.decide(&story.cluster, decision).await?;
    let what = format!("{:?} to be {reason}", decision.spec.action);
    let patience = std::time::Duration::from_secs(60);
    await_object(
        &story.api::<GrantDecision>(),
        &made.name_any(),
        &what,
        patience,
        |decision: &GrantDecision| {
            let conditions = decision.status.iter().flat_map(|status| &status.conditions);
            let taken =
                conditions.into_iter().find(|found| found.type_ == "Taken").ok_or("nothing is said yet")?;
            if taken.reason == reason.to_string() {
                Ok(taken.message.clone())
            } else {
                Err(format!("{taken:?}"))
            }
        },
    )
    .await
}

#[tokio::test]
async fn production_opens_when_two_others_agree() -> Result<()> {
    let (story, wish, grant) = asked().await?;
    let admin = Decider { name: "admin", group: "security" };
    let own = admin.approval(&grant, Stage::Production)?;
    let why = decided(&story, admin, &own, Reason::OwnRequest).await?;
    ensure(why.contains("admin wrote PartnerGrant"), || why.clone())?;
    let approval = OLGA.approval(&grant, Stage::Production)?;
    decided(&story, OLGA, &approval, Reason::Taken).await?;
    decided(&story, OLGA, &approval, Reason::Repeated).await?;
    let missing = story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    ensure(missing.contains("1 more person, of them at least 1 from data-owners"), || missing.clone())?;
    decided(&story, PER, &PER.approval(&grant, Stage::Production)?, Reason::Taken).await?;
    story.opened(&wish, Stage::Production).await?;
    story.told(&wish, ConditionType::Approved, true, Reason::ConsentGiven).await?;
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_final_for_its_digest_and_leaves_what_is_open() -> Result<()> {
    let (story, wish, grant) = asked().await?;
    let mut denial = OLGA.approval(&grant, Stage::Production)?;
    denial.spec.action = DecisionAction::Deny;
    denial.metadata.generate_name = Some("deny-".to_owned());
    decided(&story, OLGA, &denial, Reason::Taken).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentRefused).await?;
    decided(&story, PER, &PER.approval(&grant, Stage::Production)?, Reason::Repeated).await?;
    story.opened(&wish, Stage::Rehearsal).await?;
    Ok(())
}

#[tokio::test]
async fn quarantine_and_release_by_somebody_else_and_the_end_stands() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let before = story.opened(&wish, Stage::Sandbox).await?;
    decided(&story, OLGA, &OLGA.decision(&grant, DecisionAction::Quarantine), Reason::Taken).await?;
    let told_so = story.told(&wish, ConditionType::Active, false, Reason::Quarantined).await?;
    ensure(told_so.contains(OLGA.name) && told_so.contains("connections"), || told_so.clone())?;
    decided(&story, OLGA, &OLGA.decision(&grant, DecisionAction::Release), Reason::OwnRequest).await?;
    decided(&story, PER, &PER.decision(&grant, DecisionAction::Release), Reason::Taken).await?;
    let after = story.opened(&wish, Stage::Sandbox).await?;
    ensure(before.expires_at == after.expires_at, || format!("{before:?}, {after:?}"))
}

#[tokio::test]
async fn an_end_moves_later_by_consent_and_earlier_by_one_person() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let before = story.opened(&wish, Stage::Sandbox).await?;
    let later = |seconds| Time(before.expires_at.0 + SignedDuration::from_secs(seconds));
    let mut shorten = OLGA.decision(&grant, DecisionAction::Shorten);
    shorten.spec.stage = Some(Stage::Sandbox);
    shorten.spec.expires_at = Some(later(10));
    decided(&story, OLGA, &shorten, Reason::NothingToDecide).await?;
    shorten.spec.expires_at = Some(later(-5));
    decided(&story, OLGA, &shorten, Reason::Taken).await?;
    let expire = OLGA.decision(&grant, DecisionAction::Expire);
    decided(&story, OLGA, &expire, Reason::Taken).await?;
    let journal = story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    let shortened = journal.iter().filter(|line| line.event == RecordEvent::Shortened).count();
    ensure(shortened == 2, || format!("{:?}", told(&journal)))
}
