//! What people are asked, and what comes of it where nobody answers: reviews, requests, and what automation asks.

use comity::api::{
    GrantDecision, PartnerGrant, Stage,
    condition::{ConditionType, Reason},
    decision::DecisionAction,
    record::{RecordEvent, RecordReason},
};
use e2e::{
    Result,
    comity::people::{Decider, OLGA, PER},
};
use jiff::SignedDuration;

use super::consent::{asked_under, decided};
use super::story::{Story, Wish, ensure, told};

/// Somebody with every right.
const SVEN: Decider = Decider { name: "sven@retail.example", group: "system:masters" };

#[tokio::test]
async fn a_review_that_nobody_answers_ends_access_and_one_that_is_answered_does_not() -> Result<()> {
    let reviews = "\n  reviews: {every: 15s, grace: 15s}\n  approvals:";
    let story = Story::begin_where(&[("\n  approvals:", reviews)]).await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    story.opened(&wish, Stage::Sandbox).await?;
    decided(&story, PER, &PER.decision(&grant, DecisionAction::Attest), Reason::Taken).await?;
    let journal = story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    let at = |event| journal.iter().find(|line| line.event == event).map(|line| line.at.0);
    let (opened, answered) = (at(RecordEvent::Opened), at(RecordEvent::Attested));
    let closed = journal.iter().find(|line| line.event == RecordEvent::Closed).expect("it was closed");
    ensure(closed.reason == Some(RecordReason::ReviewLapsed), || format!("{:?}", told(&journal)))?;
    let (opened, answered) = (opened.expect("it was opened"), answered.expect("it was answered"));
    // Whoever was late, as a busy machine may be, hasn't put it off.
    let due = answered.min(opened + SignedDuration::from_secs(15)) + SignedDuration::from_secs(30);
    let late = closed.at.0.duration_since(due);
    ensure((0..60).contains(&late.as_secs()), || format!("{late} after it lapsed: {:?}", told(&journal)))
}

#[tokio::test]
async fn a_request_that_nobody_answers_ends_by_itself_and_another_one_is_asked_anew() -> Result<()> {
    let (story, wish, grant) = asked_under(&[("pendingFor: 1h", "pendingFor: 6s")]).await?;
    let why = story.told(&wish, ConditionType::Approved, false, Reason::ConsentRefused).await?;
    ensure(why.contains("nobody answered the request for Production in time"), || why.clone())?;
    story.recorded(&grant, RecordEvent::Denied, Some(RecordReason::Unanswered)).await?;
    decided(&story, OLGA, &OLGA.approval(&grant, Stage::Production)?, Reason::Repeated).await?;
    story.opened(&wish, Stage::Rehearsal).await?;
    let again = serde_json::json!({"spec": {"ticket": "RISK-2215"}});
    story.change::<PartnerGrant>(&wish.name, again).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await.map(drop)
}

#[tokio::test]
async fn what_automation_asks_for_takes_a_sponsor_who_then_asked_for_it() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Production);
    let flux = format!("system:serviceaccount:{}:flux", story.namespace);
    let git = story.cluster.as_user(&flux, &["system:masters"])?;
    git.apply_yaml(&wish.grant(&story).to_string()).await?;
    let missing = story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    ensure(missing.contains("a person who takes responsibility"), || missing.clone())?;
    let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
    let about = |action| {
        let digest = grant.status.as_ref().and_then(|status| status.request_digest.clone());
        let mut decision: GrantDecision = SVEN.decision(&grant, action);
        decision.spec.digest = digest.map(|digest| digest.as_str().into());
        decision
    };
    decided(&story, SVEN, &about(DecisionAction::Countersign), Reason::NotSupported).await?;
    decided(&story, SVEN, &about(DecisionAction::Sponsor), Reason::Taken).await?;
    let own = Decider { group: "security", ..SVEN };
    let own = decided(&story, own, &own.approval(&grant, Stage::Production)?, Reason::OwnRequest).await?;
    ensure(own.contains("sven@retail.example sponsors the request"), || own.clone())?;
    for who in [OLGA, PER] {
        decided(&story, who, &who.approval(&grant, Stage::Production)?, Reason::Taken).await?;
    }
    story.opened(&wish, Stage::Production).await.map(drop)
}
