//! Status that is lost, or restored from an old backup, and a journal that was tampered with:
//! what is true is the journal, and without it nothing is open.

use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use comity::api::grant::{OpeningState, PartnerGrantStatus};
use comity::api::record::RecordEvent;
use comity::api::{GrantRecord, PartnerGrant, Stage, name};
use e2e::comity::people::OLGA;
use e2e::{Result, eventually, refused, throughout};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::access::{cleared, shut, shut_and_kept, usable};
use super::consent::decided;
use super::story::{SOON, Story, Wish, ensure};

#[tokio::test]
async fn a_lost_status_is_rebuilt_and_changes_nothing() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let lines = story.journal(&grant).await?.len();
    let before = story.api::<PartnerGrant>().get(&wish.name).await?.status.unwrap();
    set_status(&story, &wish, None).await?;
    eventually("the status to be rebuilt", SOON, async || {
        let now = story.api::<PartnerGrant>().get(&wish.name).await.map_err(|error| error.to_string())?;
        let now = now.status.ok_or("no status")?;
        let same = now.openings == before.openings && now.enforcement == before.enforcement;
        if same && now.expires_at == before.expires_at { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await?;
    usable(&story, &opened.namespace.0).await?;
    assert_eq!(story.journal(&grant).await?.len(), lines, "nothing was opened anew");
    Ok(())
}

#[tokio::test]
async fn an_old_status_reopens_nothing() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let old = story.api::<PartnerGrant>().get(&wish.name).await?.status;
    decided(&story, OLGA, &OLGA.decision(&grant, DecisionAction::Expire), Reason::Taken).await?;
    story.told(&wish, ConditionType::Ready, true, Reason::Ended).await?;
    cleared(&story, &opened.namespace.0).await?;
    let lines = story.journal(&grant).await?.len();

    set_status(&story, &wish, old).await?;
    story.told(&wish, ConditionType::Ready, true, Reason::Ended).await?;
    story.opening(&wish, Stage::Sandbox, OpeningState::Closed).await?;
    throughout("the place to be gone", Duration::from_secs(1), async || {
        let now = story.everywhere::<k8s_openapi::api::core::v1::Namespace>();
        let there = now.get_opt(&opened.namespace.0).await?.is_some();
        ensure(!there, || "it was made again".to_owned())
    })
    .await?;
    assert_eq!(story.journal(&grant).await?.len(), lines);
    Ok(())
}

#[tokio::test]
async fn nobody_else_writes_status() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    story.opened(&wish, Stage::Sandbox).await?;
    let rules = json!([{"apiGroups": ["comity.dev"], "resources": ["*"], "verbs": ["*"]}]);
    let group = "rbac.authorization.k8s.io";
    let user = format!("owner-{}", story.namespace);
    let role = json!({"apiVersion": format!("{group}/v1"), "kind": "Role",
        "metadata": {"name": "owner", "namespace": story.namespace}, "rules": rules});
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
        "metadata": {"name": "owner", "namespace": story.namespace},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "owner"},
        "subjects": [{"kind": "User", "apiGroup": group, "name": user}]});
    for object in [role, binding] {
        story.cluster.apply_yaml(&object.to_string()).await?;
    }
    let owner = story.cluster.as_user(&user, &[])?;
    let grants: kube::Api<PartnerGrant> = kube::Api::namespaced(owner.client(), &story.namespace);
    eventually("the owner to be let in", SOON, async || grants.get(&wish.name).await).await?;
    let change = json!({"status": {"openStages": ["Production"]}});
    let answer = grants.patch_status(&wish.name, &PatchParams::default(), &Patch::Merge(change)).await;
    let message = refused(answer)?;
    assert!(message.contains("only Comity writes status"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_journal_with_a_gap_opens_nothing_until_it_is_mended() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let first = name::record(&grant.uid().unwrap_or_default(), 1);
    let records = story.api::<GrantRecord>();
    let line = records.get(&first).await?;
    records.delete(&first, &DeleteParams::default()).await?;
    story.told(&wish, ConditionType::Stalled, true, Reason::JournalBroken).await?;
    shut_and_kept(&story, &opened.namespace.0).await?;
    records.create(&PostParams::default(), &GrantRecord::new(&first, line.spec)).await?;
    let again = story.opened(&wish, Stage::Sandbox).await?;
    assert_eq!(again.expires_at, opened.expires_at);
    usable(&story, &opened.namespace.0).await
}

#[tokio::test]
async fn a_grant_whose_journal_is_broken_can_be_deleted() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let first = name::record(&grant.uid().unwrap_or_default(), 1);
    story.api::<GrantRecord>().delete(&first, &DeleteParams::default()).await?;
    shut(&story, &opened.namespace.0).await?;
    story.api::<PartnerGrant>().delete(&wish.name, &DeleteParams::default()).await?;
    e2e::cluster::await_gone(&story.api::<PartnerGrant>(), &wish.name, SOON).await?;
    cleared(&story, &opened.namespace.0).await?;
    let events: Vec<RecordEvent> = story.journal(&grant).await?.iter().map(|line| line.event).collect();
    assert!(!events.contains(&RecordEvent::Ended), "nothing is added to a journal that is broken");
    Ok(())
}

#[tokio::test]
async fn a_grant_that_lost_its_whole_journal_isnt_begun_anew() -> Result<()> {
    let story = Story::begin().await?;
    let open = Wish::up_to(Stage::Sandbox);
    let over = Wish { purpose: "model-quality", times: ["5s", "1h", "1h"], ..open.called("over") };
    let grant = story.ask(&open).await?;
    let ended = story.ask(&over).await?;
    let opened = story.opened(&open, Stage::Sandbox).await?;
    story.told(&over, ConditionType::Ready, true, Reason::Ended).await?;
    for (wish, grant) in [(&open, &grant), (&over, &ended)] {
        lose_journal(&story, grant).await?;
        // While they go one by one it is a gap first.
        eventually("the loss of all records to be told", SOON, async || {
            let why = story.told(wish, ConditionType::Stalled, true, Reason::JournalBroken).await;
            let why = why.map_err(|error| error.to_string())?;
            if why.contains("make a new one") { Ok(()) } else { Err(why) }
        })
        .await?;
    }
    shut_and_kept(&story, &opened.namespace.0).await?;
    throughout("nothing to be written down", Duration::from_secs(1), async || {
        let lines = story.journal(&grant).await?.len() + story.journal(&ended).await?.len();
        ensure(lines == 0, || format!("{lines} records"))
    })
    .await?;
    story.api::<PartnerGrant>().delete(&open.name, &DeleteParams::default()).await?;
    e2e::cluster::await_gone(&story.api::<PartnerGrant>(), &open.name, SOON).await?;
    cleared(&story, &opened.namespace.0).await?;
    story.ask(&open).await?;
    let again = story.opened(&open, Stage::Sandbox).await?;
    usable(&story, &again.namespace.0).await
}

/// Deletes every record of a grant until none comes any more.
async fn lose_journal(story: &Story, grant: &PartnerGrant) -> Result<()> {
    let uid = grant.uid().unwrap_or_default();
    let records = story.api::<GrantRecord>();
    for line in story.journal(grant).await? {
        records.delete(&name::record(&uid, line.sequence), &DeleteParams::default()).await?;
    }
    Ok(())
}

/// Puts a status in the place of the one that stands, as who restores a backup does.
async fn set_status(story: &Story, wish: &Wish, status: Option<PartnerGrantStatus>) -> Result<()> {
    eventually("the status to be put in place", SOON, async || {
        let mut grant = story.api::<PartnerGrant>().get(&wish.name).await?;
        grant.status.clone_from(&status);
        story.api::<PartnerGrant>().replace_status(&wish.name, &PostParams::default(), &grant).await
    })
    .await?;
    Ok(())
}
