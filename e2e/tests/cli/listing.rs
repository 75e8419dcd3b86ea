//! `comity list` and `comity history`: what they tell of the grants and records of a real API server, and to
//! whom.

use comity::api::{GrantRecord, Stage, name};
use e2e::comity::command::Desk;
use e2e::comity::people::OLGA;
use e2e::{Explain as _, Result};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::Value;

use super::looking::waiting_for_olga;
use super::story::{Story, Wish, ensure};

#[tokio::test]
async fn grants_are_listed_by_what_ends_soonest_and_for_whom_they_wait() -> Result<()> {
    let (story, olga) = waiting_for_olga().await?;
    let all = olga.hears(&["list"], 0, &["GRANT", "northpay", "Rehearsal", "ConsentPending"]).await?.out;
    ensure(!all.contains('\u{1b}'), || all.clone())?;
    olga.hears(&["list", "--ending-within", "1s"], 0, &["no grant is like that"]).await?;
    olga.hears(&["list", "--waiting-for", "me"], 0, &["WAITS FOR", "northpay", "Production"]).await?;
    olga.hears(&["list", "--waiting-for", "data-owners"], 0, &["northpay"]).await?;
    olga.hears(&["list", "--waiting-for", "nobody-asked"], 0, &["no grant is like that"]).await?;
    let told = olga.hears(&["list", "-A", "--ending-within", "9999d", "-o", "json"], 0, &[]).await?.out;
    let told: Value = serde_json::from_str(&told)?;
    let here = |row: &&Value| row["namespace"] == story.namespace.as_str() && row["open"][0].is_string();
    ensure(told["rows"].as_array().is_some_and(|rows| rows.iter().find(here).is_some()), || {
        told.to_string()
    })?;
    let ada = Desk::of_groups(&story.cluster, "ada@retail.example", &["looks"], &story.namespace).await?;
    ada.hears(&["list"], 6, &["forbidden", "comity:viewer"]).await.map(drop)
}

#[tokio::test]
async fn a_review_that_is_due_is_listed_to_who_may_answer_it() -> Result<()> {
    let reviews = "\n  reviews: {every: 20m, grace: 10m}\n  approvals:";
    let story = Story::begin_where(&[("\n  approvals:", reviews)]).await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    story.opened(&wish, Stage::Sandbox).await?;
    let olga = Desk::of(&story.cluster, OLGA, &story.namespace).await?;
    let how = format!("comity attest northpay --namespace {}", story.namespace);
    olga.hears(&["status", "northpay"], 0, &["unless somebody confirms", &how]).await?;
    olga.hears(&["list", "--waiting-for", "me"], 0, &["WAITS FOR", "northpay", "attest before"])
        .await
        .map(drop)
}

#[tokio::test]
async fn a_journal_is_told_as_a_timeline_and_where_it_breaks() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Rehearsal);
    let grant = story.ask(&wish).await?;
    story.opened(&wish, Stage::Rehearsal).await?;
    let olga = Desk::of(&story.cluster, OLGA, &story.namespace).await?;
    let words = ["the chain holds", "Requested", "Opened      Sandbox", "Opened      Rehearsal", "until"];
    olga.hears(&["history", "northpay"], 0, &words).await?;
    let records = story.journal(&grant).await?.len();
    let told = olga.hears(&["history", "northpay", "-o", "json"], 0, &[]).await?.out;
    let told: Value = serde_json::from_str(&told)?;
    let journal = &told["journals"][0];
    let as_many = journal["records"].as_array().is_some_and(|lines| lines.len() >= records);
    ensure(journal["holds"] == true && journal["isThere"] == true && as_many, || told.to_string())?;
    olga.hears(&["history", "northpai"], 1, &["there is no journal of a grant northpai"]).await?;
    let second = name::record(&grant.uid().unwrap_or_default(), 2);
    let gone = story.api::<GrantRecord>().delete(&second, &DeleteParams::default()).await;
    gone.explain("who may override takes a record away")?;
    let words = ["the chain breaks: record 2 is missing", "what follows can't be trusted", "doesn't hold"];
    olga.hears(&["history", "northpay"], 1, &words).await.map(drop)
}
