//! Stories of who decides, from the other side: what the API server itself holds people, automation
//! and Comity to, before anything of Comity's has looked at a decision.

#[path = "consent/ground.rs"]
mod ground;
#[path = "consent/written.rs"]
mod written;

use comity::api::name::ANNOTATION_DECIDED_BY;
use e2e::{
    Cluster, Error, Result,
    attempt::{Attempt, all_let_through, all_refused, create},
    comity::command::Desk,
    controlplane::Settings,
};
use ground::Ground;
use serde_json::json;
use written::{KINDS, Kept};

#[tokio::test]
async fn a_decision_takes_a_person_their_group_and_the_verb_on_that_grant() -> Result<()> {
    let ground = Ground::shared().await?;
    all_refused(&ground.admin, &ground.attempts(include_str!("consent/tries/refused.yaml"))?, &[]).await?;
    all_let_through(&ground.admin, &ground.attempts(include_str!("consent/tries/let.yaml"))?).await
}

#[tokio::test]
async fn a_forged_stamp_is_overwritten() -> Result<()> {
    let ground = Ground::shared().await?;
    let olga = ground.admin.as_user("olga", &["security"])?;
    for forged in [json!({}), json!({ANNOTATION_DECIDED_BY: "rita"}), json!({ANNOTATION_DECIDED_BY: ""})] {
        let mut decision = ground.decision("Deny");
        decision["metadata"]["annotations"] = forged.clone();
        let stored = create(&ground.decisions(), decision).do_as(&olga).await?;
        assert_eq!(stored["metadata"]["annotations"][ANNOTATION_DECIDED_BY], "olga", "{forged}");
    }
    Ok(())
}

#[tokio::test]
async fn a_reason_of_a_megabyte_is_refused() -> Result<()> {
    let ground = Ground::shared().await?;
    let olga = ground.admin.as_user("olga", &["security"])?;
    let mut decision = ground.decision("Deny");
    decision["spec"]["reason"] = json!("a".repeat(1 << 20));
    let attempt = create(&ground.decisions(), decision);
    attempt.refused(&olga, &["spec.reason: Too long"]).await.map_err(Error::Failed)
}

#[tokio::test]
async fn who_wrote_what_is_kept_however_it_is_written() -> Result<()> {
    let ground = Ground::shared().await?;
    for kind in KINDS {
        let kept = Kept::make(&ground, kind).await?;
        kept.through_every_way_to_write().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_full_list_takes_nobody_else() -> Result<()> {
    let ground = Ground::shared().await?;
    let kept = Kept::make(&ground, &KINDS[0]).await?;
    kept.until_it_is_full().await
}

/// Somebody at the command line writes a decision that only a stamp lets in. Nothing of Comity's runs
/// here, so nothing comes of it.
async fn the_command_line_signs(ground: &Ground) -> Result<()> {
    let rob = Desk::of_groups(&ground.admin, "rob", &[], &ground.namespace).await?;
    let said = ["quarantine", "live", "--yes", "--reason", "strange requests", "--timeout", "3s"];
    let answer =
        rob.hears(&said, 7, &["stands, and hadn't taken effect", "waiting for Comity to take it up"]).await?;
    let name = answer.err.split_whitespace().find(|word| word.starts_with("live-quarantine-"));
    let name = name.ok_or_else(|| Error::Failed(answer.err.clone()))?;
    let stored = Attempt::reading(&format!("{}/{name}", ground.decisions())).do_as(&ground.admin).await?;
    assert_eq!(stored["metadata"]["annotations"][ANNOTATION_DECIDED_BY], "rob");
    Ok(())
}

/// On a control plane of its own: here nothing stamps at first.
#[tokio::test]
async fn where_nothing_stamps_the_client_does_and_is_compared() -> Result<()> {
    let admin = Cluster::start(Settings::default()).await?;
    let text = e2e::comity::manifest()?;
    let documents = |without: &[&str]| {
        let is_one =
            |document: &&str| !without.iter().any(|kind| document.contains(&format!("\nkind: {kind}")));
        text.split("\n---\n").filter(is_one).collect::<Vec<_>>().join("\n---\n")
    };
    let (stamps, compares) = ("MutatingAdmissionPolicy", "ValidatingAdmissionPolicy");
    admin.apply_yaml(&documents(&[stamps, compares])).await?;
    let ground = Ground::on(admin).await?;
    let elder = Kept::make_unstamped(&ground, &KINDS[0]).await?;

    ground.admin.apply_yaml(&documents(&[stamps])).await?;
    ground.in_force().await?;
    written::the_client_fills(&ground).await?;
    written::the_client_signs(&ground).await?;
    the_command_line_signs(&ground).await?;

    e2e::comity::install(&ground.admin).await?;
    elder.nobody_knows_who_wrote_it_before().await
}
