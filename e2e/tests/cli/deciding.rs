//! The commands by which people decide: what each does to a grant that lives, whom it refuses, and with
//! which exit code.

use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use comity::api::record::{RecordEvent, RecordReason};
use comity::api::{GrantDecision, Stage};
use e2e::comity::command::Desk;
use e2e::comity::people::{Decider, OLGA, PER};
use e2e::{Error, Result};
use kube::api::ListParams;

use super::looking::let_see;
use super::story::{Story, Wish, ensure};

/// What every decision of these stories ends with.
const SAID: [&str; 4] = ["--yes", "--reason", "the story asks for it", "--timeout=90s"];

/// A command with what it ends with.
fn said<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().chain(SAID).collect()
}

/// Somebody with the rights of their group, who may read what is in no namespace too.
async fn desk(story: &Story, who: Decider) -> Result<Desk> {
    let_see(story, "sees").await?;
    Desk::of_groups(&story.cluster, who.name, &[who.group, "sees"], &story.namespace).await
}

/// A grant that waits for people's approval of production.
async fn asked() -> Result<(Story, Wish)> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Production);
    story.ask(&wish).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
    Ok((story, wish))
}

/// A grant with an open sandbox.
async fn open() -> Result<(Story, Wish)> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    story.opened(&wish, Stage::Sandbox).await?;
    Ok((story, wish))
}

/// How many decisions were written.
async fn written(story: &Story) -> Result<usize> {
    Ok(story.api::<GrantDecision>().list(&ListParams::default()).await?.items.len())
}

#[tokio::test]
async fn two_people_approve_and_production_opens() -> Result<()> {
    let (story, wish) = asked().await?;
    let (olga, per) = (desk(&story, OLGA).await?, Desk::of(&story.cluster, PER, &story.namespace).await?);
    let silent = olga.hears(&["approve", "northpay"], 2, &["no terminal", "--yes and --reason TEXT"]);
    ensure(silent.await?.out.is_empty(), || "nothing is shown before that".to_owned())?;
    let shown = [
        "What it allows, since Production was never opened before",
        "for security",
        "1 more person, of them at least 1 from data-owners",
    ];
    let answer = olga.hears(&said(&["approve", "northpay"]), 0, &shown).await?;
    ensure(answer.out.contains("is taken up as record"), || answer.out.clone())?;
    ensure(answer.out.contains("It waits for 1 more person"), || answer.out.clone())?;
    let again = ["Not needed: olga@retail.example agrees already"];
    olga.hears(&said(&["approve", "northpay"]), 0, &again).await?;
    ensure(written(&story).await? == 1, || "what isn't needed is written all the same".to_owned())?;
    let blind = ["you may not read partners, sharingboundaries", "is taken up as record"];
    per.hears(&said(&["approve", "northpay", "production"]), 0, &blind).await?;
    story.opened(&wish, Stage::Production).await?;
    story.told(&wish, ConditionType::Approved, true, Reason::ConsentGiven).await?;
    olga.hears(&["status", "northpay"], 0, &["Production open until"]).await.map(drop)
}

#[tokio::test]
async fn who_asked_is_refused_before_and_by_comity() -> Result<()> {
    let (story, _) = asked().await?;
    let admin = Decider { name: "admin", group: "security" };
    let own = ["admin wrote PartnerGrant northpay", "somebody else has to agree", "nothing was written"];
    desk(&story, admin).await?.hears(&said(&["approve", "northpay"]), 6, &own).await?;
    ensure(written(&story).await? == 0, || "it was written all the same".to_owned())?;
    let blind = Desk::of(&story.cluster, admin, &story.namespace).await?;
    let refused = ["admin wrote PartnerGrant northpay", "OwnRequest", "changes nothing"];
    blind.hears(&said(&["approve", "northpay"]), 6, &refused).await?;
    let olga = desk(&story, OLGA).await?;
    let foreign = said(&["approve", "northpay", "--on-behalf-of", "data-owners"]);
    olga.hears(&foreign, 6, &["isn't in group data-owners", "nothing was written"]).await?;
    let pinned = said(&["approve", "northpay", "--digest", "v1:sha256:0"]);
    olga.hears(&pinned, 6, &["what is asked for now is v1:sha256:"]).await?;
    let stranger =
        Desk::of_groups(&story.cluster, "vera@retail.example", &["sees"], &story.namespace).await?;
    stranger
        .hears(&said(&["approve", "northpay"]), 6, &["you may not approve northpay", "comity:approver"])
        .await?;
    stranger.hears(&said(&["release", "northpay"]), 6, &["comity:responder"]).await.map(drop)
}

#[tokio::test]
async fn a_refusal_is_final() -> Result<()> {
    let (story, wish) = asked().await?;
    let olga = desk(&story, OLGA).await?;
    olga.hears(&said(&["deny", "northpay"]), 0, &["for good", "is taken up as record"]).await?;
    story.told(&wish, ConditionType::Approved, false, Reason::ConsentRefused).await?;
    let again = said(&["deny", "northpay", "production"]);
    olga.hears(&again, 0, &["Not needed: Production was refused with this digest"]).await?;
    let too_late = said(&["approve", "northpay", "production"]);
    desk(&story, PER).await?.hears(&too_late, 6, &["was refused with this digest, for good"]).await?;
    olga.hears(&said(&["approve", "northpay"]), 2, &["no stage waits for people now"]).await.map(drop)
}

#[tokio::test]
async fn quarantine_release_and_the_ends() -> Result<()> {
    let (story, wish) = open().await?;
    let (olga, per) = (desk(&story, OLGA).await?, desk(&story, PER).await?);
    olga.hears(&said(&["quarantine", "northpay"]), 0, &["until somebody else releases it", "Certificates"])
        .await?;
    olga.hears(&["status", "northpay"], 0, &["quarantined", "closed for now; its end stands"]).await?;
    olga.hears(&["explain", "northpay"], 0, &["somebody other than olga@retail.example"]).await?;
    olga.hears(&said(&["release", "northpay"]), 6, &["somebody else has to release it"]).await?;
    per.hears(&said(&["release", "northpay"]), 0, &["Now Sandbox is open until"]).await?;
    let before = story.opened(&wish, Stage::Sandbox).await?;
    let ambiguous = ["you are in security, sees: say for which it counts"];
    olga.hears(&said(&["extend", "northpay", "--by", "1h"]), 2, &ambiguous).await?;
    let extend = said(&["extend", "northpay", "--by", "1h", "--on-behalf-of", "security"]);
    olga.hears(&extend, 0, &["ends now", "ends then", "Now Sandbox ends"]).await?;
    let later = story.opened(&wish, Stage::Sandbox).await?;
    let moved = later.expires_at.0.duration_since(before.expires_at.0).as_secs();
    ensure(moved == 3600, || format!("its end moved by {moved} s"))?;
    let far = said(&["extend", "northpay", "--by", "700d", "--on-behalf-of", "security"]);
    olga.hears(&far, 6, &["can be open until", "BeyondContract"]).await?;
    per.hears(&said(&["shorten", "northpay", "sandbox", "--in", "30m"]), 0, &["Now Sandbox ends"]).await?;
    let sooner = story.opened(&wish, Stage::Sandbox).await?;
    ensure(sooner.expires_at.0 < before.expires_at.0, || format!("{sooner:?}"))?;
    per.hears(&said(&["attest", "northpay"]), 0, &["is taken up as record"]).await?;
    per.hears(&said(&["expire", "northpay"]), 0, &["nothing of this grant opens again", "access is closed"])
        .await?;
    let grant = story.api::<comity::api::PartnerGrant>().get("northpay").await?;
    story.recorded(&grant, RecordEvent::Ended, Some(RecordReason::NothingLeft)).await?;
    per.hears(&said(&["expire", "northpay"]), 0, &["Not needed: the grant ended"]).await?;
    per.hears(&said(&["attest", "northpay"]), 6, &["what has ended stays so"]).await.map(drop)
}

#[tokio::test]
async fn at_a_terminal_one_is_asked_why_and_whether() -> Result<()> {
    let (story, wish) = open().await?;
    let olga = desk(&story, OLGA).await?;
    let no = olga.types(&["quarantine", "northpay"], "strange requests\nno\n").await?;
    ensure(no.code == 8 && no.out.contains("nothing was written"), || format!("{no:?}"))?;
    ensure(no.out.contains("Why (it stays in the journal): "), || no.out.clone())?;
    ensure(written(&story).await? == 0, || "it was written all the same".to_owned())?;
    let yes = olga.types(&["quarantine", "northpay"], "strange requests\nyes\n").await?;
    ensure(yes.code == 0 && yes.out.contains("Type yes to go on: "), || format!("{yes:?}"))?;
    ensure(yes.out.contains("\u{1b}[31m"), || format!("a terminal has colours: {yes:?}"))?;
    story.told(&wish, ConditionType::Active, false, Reason::Quarantined).await?;
    let plain = olga.types(&["status", "northpay", "--no-color"], "").await?;
    ensure(plain.code == 0 && !plain.out.contains('\u{1b}'), || format!("{plain:?}"))
}

#[tokio::test]
async fn nothing_is_waited_for_but_for_so_long() -> Result<()> {
    let (story, _) = open().await?;
    let olga = desk(&story, OLGA).await?;
    let written = olga.hears(
        &["quarantine", "northpay", "--no-wait", "--yes", "--reason", "later"],
        0,
        &["Written as northpay-quarantine-", "comity status northpay"],
    );
    written.await?;
    let decisions = story.api::<GrantDecision>().list(&ListParams::default()).await?;
    let made = decisions.items.first().ok_or_else(|| Error::Failed("nothing was written".to_owned()))?;
    ensure(made.spec.action == DecisionAction::Quarantine, || format!("{:?}", made.spec))?;
    ensure(made.spec.reason.0 == "later", || format!("{:?}", made.spec))
}
