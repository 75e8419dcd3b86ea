//! Files that are deleted in Git, all of them, in whatever order the pipeline takes: access is closed, everything
//! is cleared, nothing is left but the journal, and nobody waits for anybody.

use comity::api::record::{GrantRecordSpec, RecordEvent, RecordReason};
use comity::api::{GrantRecord, PartnerGrant, Stage, name};
use e2e::cluster::await_gone;
use e2e::{Comity, Result};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt as _};

use super::access::{cleared, usable};
use super::pipeline::{Located, Pace, Pipeline, agreed, directory};
use super::story::{SOON, Story, Wish, ensure, told};

/// What Comity makes in the namespaces of stages and of datasets.
const MADE: [(&str, &str, &str); 9] = [
    ("", "v1", "Namespace"),
    ("", "v1", "Secret"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "ResourceQuota"),
    ("", "v1", "LimitRange"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("comity.dev", "v1alpha1", "StagePolicy"),
];

#[tokio::test]
async fn a_directory_that_is_pruned_from_its_first_file_on_ends_the_grant() -> Result<()> {
    pruned(Stage::Production, |_| {}).await
}

#[tokio::test]
async fn a_directory_that_is_pruned_from_its_last_file_on_ends_the_grant() -> Result<()> {
    pruned(Stage::Sandbox, |files| files.reverse()).await
}

#[tokio::test]
async fn a_directory_whose_contract_goes_first_ends_the_grant() -> Result<()> {
    pruned(Stage::Rehearsal, |files| first(files, &["SharingContract", "Dataset", "Partner"])).await
}

#[tokio::test]
async fn a_directory_whose_services_and_dataset_go_first_ends_the_grant() -> Result<()> {
    pruned(Stage::Sandbox, |files| first(files, &["Service", "Dataset", "NetworkPolicy", "PartnerGrant"]))
        .await
}

#[tokio::test]
async fn a_directory_that_goes_with_its_namespace_leaves_nothing_at_all() -> Result<()> {
    let (story, wish, mut pipeline) = begun(Stage::Sandbox).await?;
    let place = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
    let mut files = pipeline.own().located(&directory(&story, &wish)).await?;
    first(&mut files, &["Namespace"]);
    pipeline.stop();
    delete(&files).await?;
    gone(&files).await?;
    cleared(&story, &place).await?;
    let left: Vec<GrantRecord> = story.api().list(&ListParams::default()).await?.items;
    ensure(left.is_empty(), || format!("{} records are left", left.len()))
}

/// Puts objects of these kinds before all others, in this order.
fn first(files: &mut [Located], kinds: &[&str]) {
    let place = |(_, object): &Located| {
        let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
        kinds.iter().position(|known| *known == kind).unwrap_or(kinds.len())
    };
    files.sort_by_key(place);
}

/// What is in Git, with a stage that is open and used.
async fn begun(stage: Stage) -> Result<(Story, Wish, Pipeline)> {
    let (cluster, _) = Comity::shared().await?;
    let story = Story::without_ground(&cluster).await?;
    let pipeline = Pipeline::of(&story, Pace::Once).await?;
    let wish = Wish::up_to(stage);
    pipeline.merge(&directory(&story, &wish)).await?;
    let opened = match stage {
        Stage::Production => agreed(&story, &wish, stage).await?,
        _ => story.opened(&wish, stage).await?,
    };
    usable(&story, &opened.namespace.0).await?;
    Ok((story, wish, pipeline))
}

/// Deletes everything that was in Git but the namespace, in this order and without waiting.
async fn pruned(stage: Stage, order: impl FnOnce(&mut Vec<Located>)) -> Result<()> {
    let (story, wish, mut pipeline) = begun(stage).await?;
    let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
    let place = story.opened(&wish, stage).await?.namespace.0;
    let mut files = pipeline.own().located(&directory(&story, &wish)).await?;
    files.retain(|(_, object)| object.types.as_ref().is_some_and(|types| types.kind != "Namespace"));
    order(&mut files);
    pipeline.stop();
    delete(&files).await?;
    gone(&files).await?;
    cleared(&story, &place).await?;
    let journal = story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::Deleted)).await?;
    closed_once(&journal, stage)?;
    let left = left(&story, &grant).await?;
    ensure(left.is_empty(), || format!("what is left: {left:?}"))
}

async fn delete(files: &[Located]) -> Result<()> {
    for (api, object) in files {
        match api.delete(&object.name_any(), &DeleteParams::background()).await {
            // What was in a namespace that is gone is gone.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            answer => drop(answer?),
        }
    }
    Ok(())
}

async fn gone(files: &[Located]) -> Result<()> {
    for (api, object) in files {
        await_gone(api, &object.name_any(), SOON).await?;
    }
    Ok(())
}

/// The journal tells that the stage was closed, since the grant was deleted or what it stands on went before.
fn closed_once(journal: &[GrantRecordSpec], stage: Stage) -> Result<()> {
    let closed = journal.iter().filter(|line| line.event == RecordEvent::Closed && line.stage == Some(stage));
    ensure(closed.count() == 1, || format!("{:?}", told(journal)))
}

/// What was made for a grant and is still there.
async fn left(story: &Story, grant: &PartnerGrant) -> Result<Vec<String>> {
    let uid = grant.uid().unwrap_or_default();
    let (own, remembered) = (format!("{}={uid}", name::LABEL_GRANT_UID), name::consent_config_map(&uid));
    let mut left = Vec::new();
    for (group, version, kind) in MADE {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::all_with(story.cluster.client(), &resource);
        for object in api.list(&ListParams::default().labels(&own)).await? {
            // What `comity sign` remembers of consents it forgets the next time that it looks at any grant.
            if object.name_any() != remembered {
                left.push(format!("{kind} {}", object.name_any()));
            }
        }
    }
    Ok(left)
}
