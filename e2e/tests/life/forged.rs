//! A stolen token of `comity run`: whoever has it writes records, but not what people decide. And a
//! decision that took effect may be deleted.

use comity::api::condition::{ConditionType, Reason};
use comity::api::record::{GrantIdentity, RecordEvent};
use comity::api::{GrantDecision, GrantRecord, PartnerGrant, Stage, name};
use comity::journal::Journal;
use comity::journal::append::{Entry, next_record};
use e2e::cluster::await_object;
use e2e::{Error, Explain as _, Result, eventually};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, PostParams};

use super::access::usable;
use super::story::{SOON, Story, Wish, ensure};

#[tokio::test]
async fn what_nobody_agreed_to_is_never_signed_for_whoever_writes_the_journal() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Production);
    let grant = story.ask(&wish).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    let place = forge_production(&story, &grant).await?;
    let told = story.told(&wish, ConditionType::Ready, false, Reason::CertificateRefused).await?;
    ensure(told.contains("opens Production, and not as people agreed to"), || told.clone())?;
    let events = story.api::<Event>();
    eventually("an Event that says why", SOON, async || {
        let all = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let doubted = all.into_iter().filter(|event| event.reason.as_deref() == Some("JournalDoubted"));
        let notes: Vec<String> = doubted.filter_map(|event| event.message).collect();
        let says = |note: &String| note.contains("opens Production, but that takes 2 more people");
        if notes.iter().any(says) { Ok(()) } else { Err(format!("{notes:?}")) }
    })
    .await?;
    let trust = story.in_namespace::<ConfigMap>(&place);
    await_object(&trust, name::TRUST_CONFIG_MAP, "a refusal", SOON, |trust: &ConfigMap| {
        let told = trust.data.clone().unwrap_or_default();
        // The partner's people read it: whom and which groups it takes isn't theirs to know.
        let names_nobody = told.values().all(|why| !why.contains("people from") && !why.contains("at least"));
        if told.keys().eq([name::TRUST_REFUSED]) && names_nobody { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await?;
    let secrets = story.in_namespace::<Secret>(&place).list(&ListParams::default()).await?;
    ensure(secrets.items.is_empty(), || "a key was made for what nobody agreed to".to_owned())
}

/// Writes with the rights of `comity run` that production is open. Gives its namespace.
async fn forge_production(story: &Story, grant: &PartnerGrant) -> Result<String> {
    let records = story.journal(grant).await?;
    let journal = Journal::fold(&records).explain("read the journal")?;
    let asked = records.iter().rfind(|record| record.event == RecordEvent::Requested);
    let digest = asked.and_then(|record| record.digest.clone()).ok_or_else(|| nothing("asked for"))?;
    let before = journal.openings.last().ok_or_else(|| nothing("opened"))?;
    let now = journal.newest.ok_or_else(|| nothing("written"))?;
    let end = now + SignedDuration::from_mins(10);
    let entry = Entry::opened(Stage::Production, &digest, end, &before.policy);
    let uid = grant.uid().unwrap_or_default();
    let identity = GrantIdentity { name: grant.name_any().as_str().into(), uid: uid.as_str().into() };
    let record = next_record(&journal, &entry, &identity, grant.metadata.generation, now);
    let record = GrantRecord::new(&name::record(&uid, record.sequence), record);
    let thief = story.cluster.as_service_account(name::DEFAULT_SYSTEM_NAMESPACE, name::RUN)?;
    let records: Api<GrantRecord> = Api::namespaced(thief.client(), &story.namespace);
    records.create(&PostParams::default(), &record).await?;
    Ok(name::stage_namespace(&grant.name_any(), &uid, Stage::Production, &digest))
}

#[tokio::test]
async fn decisions_that_took_effect_may_be_deleted_and_certificates_are_made_all_the_same() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Production);
    story.ask(&wish).await?;
    let place = story.agreed(&wish, Stage::Production).await?.namespace.0;
    usable(&story, &place).await?;
    let all = ListParams::default();
    story.api::<GrantDecision>().delete_collection(&DeleteParams::default(), &all).await?;
    let secrets = story.in_namespace::<Secret>(&place);
    let tls = secrets
        .list(&all)
        .await?
        .items
        .first()
        .map(kube::ResourceExt::name_any)
        .ok_or_else(|| nothing("signed"))?;
    let before = secrets.get(&tls).await?.uid();
    secrets.delete(&tls, &DeleteParams::default()).await?;
    let patience = SOON + std::time::Duration::from_secs(60);
    await_object(&secrets, &tls, "another certificate", patience, |secret: &Secret| {
        if secret.uid() == before { Err("the one that is being deleted".to_owned()) } else { Ok(()) }
    })
    .await?;
    usable(&story, &place).await
}

fn nothing(was: &str) -> Error {
    Error::Failed(format!("nothing was {was}"))
}
