//! Access that is closed for the time being: by `suspend`, by a lower stage, and by whatever the
//! grant depends on. The end doesn't move, and what heals heals without touching the grant.

use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::grant::{OpeningState, OpeningStatus};
use comity::api::record::{RecordEvent, RecordReason};
use comity::api::{Dataset, GrantRecord, Partner, PartnerGrant, SharingBoundary, SharingContract, Stage};
use e2e::{Result, throughout};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::access::{cleared, shut, shut_and_kept, usable};
use super::live::Live;
use super::story::{Story, Wish, ensure, told};

#[tokio::test]
async fn suspending_closes_access_and_keeps_the_place_and_the_end() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    usable(&story, &opened.namespace.0).await?;

    story.ask(&Wish { suspend: true, ..wish.clone() }).await?;
    let held = story.opening(&wish, Stage::Sandbox, OpeningState::Held).await?;
    shut_and_kept(&story, &opened.namespace.0).await?;
    story.told(&wish, ConditionType::Ready, true, Reason::Suspended).await?;
    story.told(&wish, ConditionType::Active, false, Reason::Suspended).await?;
    same_end(&opened, &held)?;

    story.ask(&wish).await?;
    let resumed = story.opened(&wish, Stage::Sandbox).await?;
    same_end(&opened, &resumed)?;
    usable(&story, &opened.namespace.0).await?;
    let events: Vec<RecordEvent> = story.journal(&grant).await?.iter().map(|line| line.event).collect();
    assert_eq!(
        events,
        [RecordEvent::Requested, RecordEvent::Opened, RecordEvent::Suspended, RecordEvent::Resumed]
    );
    Ok(())
}

#[tokio::test]
async fn lowering_the_stage_closes_and_raising_it_opens_within_the_recorded_end() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Rehearsal);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Rehearsal).await?;

    story.ask(&wish.but(Stage::Sandbox)).await?;
    cleared(&story, &opened.namespace.0).await?;
    let sandbox = story.opened(&wish, Stage::Sandbox).await?;
    usable(&story, &sandbox.namespace.0).await?;

    story.ask(&wish).await?;
    let again = story.opened(&wish, Stage::Rehearsal).await?;
    usable(&story, &again.namespace.0).await?;
    same_end(&opened, &again)?;
    cleared(&story, &sandbox.namespace.0).await?;
    let journal = story.journal(&grant).await?;
    let ends = journal.iter().filter(|line| line.stage == Some(Stage::Rehearsal));
    let ends: Vec<_> = ends.filter_map(|line| line.expires_at.as_ref().map(|end| end.0)).collect();
    assert_eq!(ends, [opened.expires_at.0; 2], "both records name the same end: {:?}", told(&journal));
    Ok(())
}

#[tokio::test]
async fn a_contract_that_leaves_nothing_closes_access_and_putting_it_back_heals() -> Result<()> {
    let ground = Live::begin().await?;
    let fewer = json!({"spec": {"purposes": ["model-quality"]}});
    ground.story.change::<SharingContract>("fraud-scoring", fewer).await?;
    ground.is_held(ConditionType::Accepted, Reason::BeyondContract).await?;
    ground.is_healed_by_the_ground().await
}

#[tokio::test]
async fn a_contract_or_dataset_that_is_gone_closes_access() -> Result<()> {
    let ground = Live::begin().await?;
    let now = DeleteParams::default();
    ground.story.api::<Dataset>().delete("transactions", &now).await?;
    ground.is_held(ConditionType::Accepted, Reason::UnknownDataset).await?;
    ground.is_healed_by_the_ground().await?;
    ground.story.api::<SharingContract>().delete("fraud-scoring", &now).await?;
    ground.is_held(ConditionType::Accepted, Reason::UnknownContract).await?;
    ground.is_healed_by_the_ground().await
}

#[tokio::test]
async fn a_partner_that_is_gone_or_shuts_us_out_closes_access() -> Result<()> {
    let ground = Live::begin().await?;
    let elsewhere = json!({"spec": {"allowedNamespaces": {"names": ["elsewhere"]}}});
    ground.cluster_wide::<Partner>(elsewhere).await?;
    ground.is_held(ConditionType::Accepted, Reason::PartnerNotAllowed).await?;
    ground.is_healed_by_the_ground().await?;
    let (story, now) = (&ground.story, DeleteParams::default());
    story.everywhere::<Partner>().delete(&story.namespace, &now).await?;
    ground.is_held(ConditionType::Accepted, Reason::UnknownPartner).await?;
    ground.is_healed_by_the_ground().await
}

#[tokio::test]
async fn a_boundary_that_is_gone_closes_access() -> Result<()> {
    let ground = Live::begin().await?;
    let (story, now) = (&ground.story, DeleteParams::default());
    story.everywhere::<SharingBoundary>().delete(&story.namespace, &now).await?;
    ground.is_held(ConditionType::Accepted, Reason::NoBoundary).await?;
    ground.is_healed_by_the_ground().await
}

#[tokio::test]
async fn what_a_grant_needs_may_come_in_any_order() -> Result<()> {
    let cluster = e2e::Comity::shared().await?.0;
    let story = Story::without_ground(&cluster).await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    story.told(&wish, ConditionType::Accepted, false, Reason::UnknownContract).await?;
    let ground = story.ground();
    let mut newest = 0;
    for document in ground.split("\n---\n").collect::<Vec<_>>().iter().rev() {
        // Comity may see each alone.
        throughout("nothing to be open", Duration::from_millis(300), async || {
            let now = story.api::<PartnerGrant>().get(&wish.name).await?;
            let openings = now.status.map(|status| status.openings).unwrap_or_default();
            ensure(openings.is_empty(), || format!("{openings:?}"))
        })
        .await?;
        let applied = story.cluster.apply_yaml(document).await?;
        newest = applied.iter().map(version).max().unwrap_or(newest);
    }
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    let records = story.api::<GrantRecord>().list(&ListParams::default()).await?.items;
    let first = records.iter().find(|record| record.spec.event == RecordEvent::Opened).map(version);
    ensure(first.is_some_and(|first| first > newest), || {
        format!("{first:?}, and the last came as {newest}")
    })?;
    usable(&story, &opened.namespace.0).await
}

/// The API server's number of how an object stands. One store holds all of them, so it says what came first.
fn version(object: &impl ResourceExt) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// Anybody who may write grants may write any number that nobody accepts.
#[tokio::test]
async fn a_grant_that_nobody_accepted_stands_in_nobodys_way() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let reserve = wish.called("reserve");
    let longer = Wish { times: ["13h", "1h", "1h"], ..reserve.clone() };
    let elder = story.ask(&longer).await?;
    story.told(&longer, ConditionType::Accepted, false, Reason::BeyondContract).await?;
    story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Sandbox).await?;
    story.ask(&reserve).await?;
    story.told(&reserve, ConditionType::Accepted, false, Reason::Duplicate).await?;
    usable(&story, &opened.namespace.0).await?;
    let left = story.api::<PartnerGrant>().get(&reserve.name).await?;
    assert_eq!((left.metadata.finalizers, story.journal(&elder).await?.len()), (None, 0));
    // Nor does it wait for anything when it goes, and when the live one does, its turn has come: as the
    // second one for the same, it needs somebody to agree.
    story.api::<PartnerGrant>().delete(&wish.name, &DeleteParams::default()).await?;
    let opened = story.agreed(&reserve, Stage::Sandbox).await?;
    usable(&story, &opened.namespace.0).await
}

impl Live {
    /// Changes what has no namespace and the story's name.
    async fn cluster_wide<K>(&self, change: Value) -> Result<()>
    where
        K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        let api = self.story.everywhere::<K>();
        api.patch(&self.story.namespace, &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    /// Access is closed for this reason, the place is kept, and so is the end.
    async fn is_held(&self, condition: ConditionType, reason: Reason) -> Result<String> {
        shut(&self.story, &self.opened.namespace.0).await?;
        let message = self.story.told(&self.wish, condition, false, reason).await?;
        self.story.told(&self.wish, ConditionType::Active, false, reason).await?;
        let held = self.story.opening(&self.wish, Stage::Sandbox, OpeningState::Held).await?;
        same_end(&self.opened, &held)?;
        shut_and_kept(&self.story, &self.opened.namespace.0).await?;
        let journal = self.story.journal(&self.grant).await?;
        let last = journal.last().map(|line| (line.event, line.reason));
        let why = [Some(RecordReason::PolicyChanged), Some(RecordReason::NotAccepted)];
        ensure(
            last.is_some_and(|(event, reason)| event == RecordEvent::Suspended && why.contains(&reason)),
            || format!("{:?}", told(&journal)),
        )?;
        Ok(message)
    }

    /// What the grant stands on is put back, and nobody touches the grant.
    async fn is_healed_by_the_ground(&self) -> Result<()> {
        self.story.lay_ground().await?;
        let again = self.story.opened(&self.wish, Stage::Sandbox).await?;
        same_end(&self.opened, &again)?;
        usable(&self.story, &self.opened.namespace.0).await
    }
}

fn same_end(before: &OpeningStatus, now: &OpeningStatus) -> Result<()> {
    ensure(before.expires_at == now.expires_at && before.namespace == now.namespace, || {
        format!("the opening was {before:?} and is {now:?}")
    })
}
