//! Decisions that count for nothing, or for no more than they should, told so by Comity itself; and what
//! was decided, which nobody can undo by taking the decision away.

use comity::api::{
    GrantDecision, PartnerGrant, SharingContract, Stage,
    condition::{ConditionType, Reason},
    decision::DecisionAction,
    grant::OpeningState,
    record::RecordEvent,
};
use e2e::{
    Result,
    cluster::await_gone,
    comity::people::{Decider, OLGA, PER},
};
use jiff::{SignedDuration, Timestamp};
use kube::{ResourceExt as _, api::DeleteParams};
use serde_json::json;

use super::consent::{asked, asked_under, decided};
use super::story::{SOON, Story, Wish, ensure, over};

/// A digest of nothing.
const OTHER: &str = "v1:sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Awaits that this is told of what is missing.
async fn waits_for(story: &Story, wish: &Wish, missing: &str) -> Result<()> {
    story
        .look(wish, missing, |grant| {
            let conditions = grant.status.iter().flat_map(|status| &status.conditions);
            let waits = conditions.into_iter().find(|found| found.type_ == ConditionType::Approved.as_str());
            let message = waits.map(|found| found.message.clone()).unwrap_or_default();
            if message.contains(missing) { Ok(()) } else { Err(message) }
        })
        .await
}

#[tokio::test]
async fn what_is_about_another_grant_or_digest_changes_nothing() -> Result<()> {
    let (story, wish, grant) = asked().await?;
    let mut elsewhere = OLGA.approval(&grant, Stage::Production)?;
    elsewhere.spec.grant_ref.uid = "00000000-0000-4000-8000-000000000000".into();
    decided(&story, OLGA, &elsewhere, Reason::UnknownGrant).await?;
    let mut nowhere = OLGA.approval(&grant, Stage::Production)?;
    nowhere.spec.grant_ref.name = "nobody-asked".into();
    decided(&story, OLGA, &nowhere, Reason::UnknownGrant).await?;
    let mut old = OLGA.approval(&grant, Stage::Production)?;
    old.spec.digest = Some(OTHER.into());
    let why = decided(&story, OLGA, &old, Reason::OutOfDate).await?;
    ensure(why.contains(OTHER), || why.clone())?;

    // What was agreed to before what is asked for changed is about something else too.
    decided(&story, OLGA, &OLGA.approval(&grant, Stage::Production)?, Reason::Taken).await?;
    let before = grant.status.as_ref().and_then(|status| status.request_digest.clone());
    story.change::<PartnerGrant>(&wish.name, json!({"spec": {"ticket": "RISK-9999"}})).await?;
    let changed = story
        .look(&wish, "another digest", |grant| {
            let now = grant.status.as_ref().and_then(|status| status.request_digest.clone());
            if now == before { Err(format!("{now:?}")) } else { Ok(grant.clone()) }
        })
        .await?;
    decided(&story, PER, &PER.approval(&grant, Stage::Rehearsal)?, Reason::OutOfDate).await?;
    decided(&story, OLGA, &OLGA.approval(&changed, Stage::Rehearsal)?, Reason::Taken).await?;
    waits_for(&story, &wish, "Production waits for 2 more people").await
}

#[tokio::test]
async fn one_person_in_two_groups_counts_once_for_one_of_them() -> Result<()> {
    let (story, wish, grant) = asked().await?;
    let [one, other] = ["security", "data-owners"].map(|group| Decider { name: "zoe@retail.example", group });
    decided(&story, one, &one.approval(&grant, Stage::Production)?, Reason::Taken).await?;
    let why = decided(&story, other, &other.approval(&grant, Stage::Production)?, Reason::Repeated).await?;
    ensure(why.contains("agrees already, for security"), || why.clone())?;
    let why =
        decided(&story, OLGA, &OLGA.approval(&grant, Stage::Production)?, Reason::NothingToDecide).await?;
    ensure(why.contains("no closer"), || why.clone())?;
    waits_for(&story, &wish, "1 more person, of them at least 1 from data-owners").await
}

#[tokio::test]
async fn what_took_effect_stays_when_the_decision_is_deleted() -> Result<()> {
    let (story, wish, grant) = asked().await?;
    let taken = async |who: Decider, decision: GrantDecision| {
        decided(&story, who, &decision, Reason::Taken).await?;
        let api = story.api::<GrantDecision>();
        for made in api.list(&kube::api::ListParams::default()).await? {
            api.delete(&made.name_any(), &DeleteParams::default()).await?;
            await_gone(&api, &made.name_any(), SOON).await?;
        }
        Ok::<(), e2e::Error>(())
    };
    taken(OLGA, OLGA.approval(&grant, Stage::Production)?).await?;
    taken(PER, PER.approval(&grant, Stage::Production)?).await?;
    story.opened(&wish, Stage::Production).await?;
    taken(OLGA, OLGA.decision(&grant, DecisionAction::Quarantine)).await?;
    story.opening(&wish, Stage::Production, OpeningState::Held).await?;
    // Something else makes Comity look again: what is told is told of the newest of these.
    for suspend in [true, false] {
        story.change::<PartnerGrant>(&wish.name, json!({"spec": {"suspend": suspend}})).await?;
    }
    story.told(&wish, ConditionType::Active, false, Reason::Quarantined).await?;
    taken(PER, PER.decision(&grant, DecisionAction::Release)).await?;
    story.opened(&wish, Stage::Production).await.map(drop)
}

#[tokio::test]
async fn an_approval_counts_for_its_time_and_no_longer() -> Result<()> {
    let (story, wish, grant) = asked_under(&[("validFor: 1h", "validFor: 20s")]).await?;
    decided(&story, OLGA, &OLGA.approval(&grant, Stage::Production)?, Reason::Taken).await?;
    over(Timestamp::now() + SignedDuration::from_secs(21)).await?;
    decided(&story, PER, &PER.approval(&grant, Stage::Production)?, Reason::Taken).await?;
    waits_for(&story, &wish, "from security").await?;
    e2e::comity::people::agree(&story.cluster, &grant, Stage::Production).await?;
    story.opened(&wish, Stage::Production).await.map(drop)
}

#[tokio::test]
async fn a_grant_that_self_heal_makes_again_is_another_and_asks_for_every_stage() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let first = story.ask(&wish).await?;
    story.opened(&wish, Stage::Sandbox).await?;
    story.api::<PartnerGrant>().delete(&wish.name, &DeleteParams::default()).await?;
    await_gone(&story.api::<PartnerGrant>(), &wish.name, SOON).await?;
    let again = story.ask(&wish).await?;
    ensure(again.uid() != first.uid(), || "it is the same".to_owned())?;
    let message = story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    ensure(message.contains("Sandbox waits for 1 more person"), || message.clone())?;
    let again = story.api::<PartnerGrant>().get(&wish.name).await?;
    ensure(again.status.as_ref().is_some_and(|status| status.openings.is_empty()), || format!("{again:?}"))?;
    let mut late = OLGA.approval(&again, Stage::Sandbox)?;
    late.spec.grant_ref.uid = first.uid().unwrap_or_default().as_str().into();
    decided(&story, OLGA, &late, Reason::UnknownGrant).await?;
    decided(&story, OLGA, &OLGA.approval(&again, Stage::Sandbox)?, Reason::Taken).await?;
    story.opened(&wish, Stage::Sandbox).await.map(drop)
}

#[tokio::test]
async fn approvals_that_were_weakened_are_agreed_to_under_the_old_rule() -> Result<()> {
    let (story, wish, grant) = asked().await?;
    e2e::comity::people::agree(&story.cluster, &grant, Stage::Production).await?;
    let before = story.opened(&wish, Stage::Production).await?;
    let weaker = json!({"spec": {
        "approvals": [{"stage": "Production", "required": 1}],
        "destination": {"egress": [{"cidr": "192.0.2.0/28", "reason": "score return",
            "ports": [{"port": 443, "protocol": "TCP"}, {"port": 8443, "protocol": "TCP"}]}]},
    }});
    story.change::<SharingContract>("fraud-scoring", weaker).await?;
    waits_for(&story, &wish, "Rehearsal waits for 1 more person").await?;
    let current = story.api::<PartnerGrant>().get(&wish.name).await?;
    decided(&story, PER, &PER.approval(&current, Stage::Rehearsal)?, Reason::Taken).await?;
    let old = "Production waits for 2 more people, of them at least 1 from data-owners and 1 from security";
    waits_for(&story, &wish, old).await?;
    decided(&story, PER, &PER.approval(&current, Stage::Production)?, Reason::Taken).await?;
    waits_for(&story, &wish, "1 more person, of them at least 1 from security").await?;
    let openings = story.api::<PartnerGrant>().get(&wish.name).await?.status.unwrap_or_default().openings;
    let live = openings.iter().filter(|opening| opening.stage == Stage::Production);
    assert_eq!(live.map(|opening| &opening.digest).collect::<Vec<_>>(), [&before.digest]);
    decided(&story, OLGA, &OLGA.approval(&current, Stage::Production)?, Reason::Taken).await?;
    let journal = story.journal(&grant).await?;
    let approved = journal.iter().filter(|line| line.event == RecordEvent::Approved).count();
    ensure(approved == 5, || format!("{:?}", super::story::told(&journal)))
}
