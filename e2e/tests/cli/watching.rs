//! `comity status --watch`: how a grant stands is told once, again whenever it changes, and not when nothing does.

use std::time::Duration;

use comity::api::{PartnerGrant, Stage};
use e2e::comity::command::Desk;
use e2e::comity::people::OLGA;
use e2e::process::Process;
use e2e::{Error, Result, eventually, throughout};
use kube::api::DeleteParams;
use serde_json::Value;

use super::looking::let_see;
use super::story::{SOON, Story, Wish, ensure};

#[tokio::test]
async fn a_grant_is_watched_from_open_to_suspended_until_it_is_gone() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    story.opened(&wish, Stage::Sandbox).await?;
    let_see(&story, "watches").await?;
    let olga = Desk::of_groups(&story.cluster, OLGA.name, &["security", "watches"], &story.namespace).await?;
    let log = |format: &str| story.cluster.log_file(&format!("{}-{format}", story.namespace));
    let mut text = olga.begins(&["status", "northpay", "--watch"], &log("text"))?;
    let mut json = olga.begins(&["status", "northpay", "--watch", "-o", "json"], &log("json"))?;
    told(&mut text, "Sandbox    open until").await?;
    told(&mut json, "Sandbox").await?;
    let timeless =
        |text: &str| text.lines().filter(|line| !line.contains("(in ")).collect::<Vec<_>>().join("\n");
    eventually("it to be told as it stands", SOON, async || {
        let now = olga.says(&["status", "northpay"]).await?.out;
        let log = text.log();
        ensure(timeless(&log).ends_with(&timeless(&now)), || format!("{now} isn't told: {log}"))
    })
    .await?;
    let before = (at_rest(&mut text).await?, at_rest(&mut json).await?);

    story.ask(&Wish { suspend: true, ..wish.clone() }).await?;
    told(&mut text, "\nat ").await?;
    told(&mut text, "closed for now; its end stands").await?;
    let after = (at_rest(&mut text).await?, at_rest(&mut json).await?);
    let lines: Vec<Value> = after.1.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure(lines.len() > before.1.lines().count(), || after.1.clone())?;
    ensure(lines.windows(2).all(|pair| pair[0] != pair[1]), || "the same is told twice".to_owned())?;
    ensure(!after.0.contains('\u{1b}'), || "no colours where there is no terminal".to_owned())?;

    story.api::<PartnerGrant>().delete(&wish.name, &DeleteParams::default()).await?;
    for watching in [&mut text, &mut json] {
        let status = ended(watching).await?;
        ensure(status == Some(1), || format!("it ended with {status:?}: {}", watching.last_words()))?;
        ensure(watching.log().contains("the grant northpay is gone"), || watching.last_words())?;
    }
    Ok(())
}

/// Awaits that these words were printed.
async fn told(watching: &mut Process, words: &str) -> Result<()> {
    let what = format!("{} to say {words:?}", watching.name());
    eventually(&what, SOON, async || {
        let log = watching.log();
        if log.contains(words) { Ok(()) } else { Err(log) }
    })
    .await
}

/// Awaits that nothing more is printed for a while; gives what was.
async fn at_rest(watching: &mut Process) -> Result<String> {
    eventually("nothing more to be told", SOON, async || {
        watching.check()?;
        let before = watching.log();
        throughout("silence", Duration::from_secs(1), async || {
            ensure(watching.log() == before, || "something is told".to_owned())
        })
        .await?;
        Ok::<_, Error>(before)
    })
    .await
}

/// Awaits that a command ends; gives its exit code.
async fn ended(watching: &mut Process) -> Result<Option<i32>> {
    eventually("the command to end", SOON, async || {
        watching.exited().map(|status| status.code()).ok_or("it goes on")
    })
    .await
}
