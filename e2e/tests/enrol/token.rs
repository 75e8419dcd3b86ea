//! A token: shown once, used once, and good for one workload of one stage.

use comity::api::GrantDecision;
use comity::api::decision::DecisionAction;
use e2e::comity::command::Desk;
use e2e::comity::people::OLGA;
use e2e::{Error, Result, cluster::await_gone, eventually};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Event};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;
use x509_parser::pem::parse_x509_pem;

use super::ground::{Ground, SYSTEM};
use super::story::{SOON, ensure};

/// An hour.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What `comity enrol` prints: the token, and what the partner runs.
fn printed(out: &str) -> Result<(String, String, String)> {
    let missing = || Error::Failed(out.to_owned());
    let token =
        out.lines().map(str::trim).find(|line| line.starts_with("comity-enrol-")).ok_or_else(missing)?;
    let (_, rest) = out.split_once("What the partner runs").ok_or_else(missing)?;
    let (script, rest) = rest.split_once("ca.crt:\n").ok_or_else(missing)?;
    let script = script.lines().skip(2).map(str::trim_start).collect::<Vec<_>>().join("\n");
    let end = "-----END CERTIFICATE-----";
    let (anchor, _) = rest.split_once(end).ok_or_else(missing)?;
    Ok((token.to_owned(), script, format!("{anchor}{end}\n")))
}

#[tokio::test]
async fn what_comity_enrol_prints_is_all_that_a_partner_needs() -> Result<()> {
    let ground = Ground::begin().await?;
    let olga = Desk::of(&ground.story.cluster, OLGA, &ground.story.namespace).await?;
    let said = ["enrol", "northpay", "--workload", "scorer", "--yes", "--reason", "their new cluster"];
    let words = ["The token, shown this once:", "is taken up", "once, about a key of their own"];
    let answer = olga.hears(&said, 0, &words).await?;
    let (token, script, anchor) = printed(&answer.out)?;
    let partner = ground.partner().await?;
    std::fs::write(partner.directory().join("ca.crt"), anchor)?;
    partner.runs(&script, &format!("{token}\n")).await?;
    let files = "jq -r .certificate enrolled.json > chain.pem; jq -r .trust enrolled.json > trust.crt
        openssl verify -x509_strict -no-CApath -no-CAstore -purpose sslclient -CAfile trust.crt chain.pem
        cmp <(openssl x509 -in chain.pem -noout -pubkey) <(openssl pkey -in key.pem -pubout)
        openssl x509 -in chain.pem -noout -ext subjectAltName; jq -r .spiffeId enrolled.json";
    let seen = partner.runs(files, "").await?;
    let hash = ground.opened.namespace.0.rsplit('-').next().unwrap_or_default().to_owned();
    let home = &ground.story.namespace;
    let id = format!("spiffe://comity.local/partner/{home}/grant/{home}/northpay/sandbox/{hash}/scorer");
    ensure(seen.matches(&id).count() == 2, || seen.clone())?;
    // What is shown once stands nowhere.
    let log = ground.shared.comity.sign().log();
    ensure(!log.contains(&token) && log.contains("a certificate was signed for a workload"), || log.clone())?;
    let all = ground.story.api::<GrantDecision>().list(&ListParams::default()).await?;
    let stored = serde_json::to_string(&all)?;
    ensure(!stored.contains(&token) && stored.contains("tokenDigest"), || stored.clone())
}

#[tokio::test]
async fn a_token_is_used_once_and_an_answer_that_was_lost_is_given_again_to_the_same_key() -> Result<()> {
    let ground = Ground::alone().await?;
    let partner = ground.partner().await?;
    let (token, decision) = ground.token(HOUR).await?;
    let (own, other) = (partner.request("own").await?, partner.request("other").await?);
    let first = partner.enrols(&ground.path(), Some(&token), &own).await?;
    within_its_bounds(&ground, &first.certificate()?)?;
    partner.enrols(&ground.path(), Some(&token), &other).await?.is(409, "TokenUsed")?;
    let again = partner.enrols(&ground.path(), Some(&token), &own).await?;
    ensure(again.certificate()? != first.certificate()?, || {
        "another certificate about the same key".to_owned()
    })?;
    let kept: Api<ConfigMap> = ground.story.in_namespace(SYSTEM);
    let name = format!("comity-trust-enrolled-{}", decision.uid().unwrap_or_default());
    let data = kept.get(&name).await?.data.unwrap_or_default();
    ensure(data.get("workload").is_some_and(|workload| workload == "scorer"), || format!("{data:?}"))?;
    // It is known by what is written down, and not only by who wrote it.
    ground.shared.comity.sign().restart().await?;
    partner.enrols(&ground.path(), Some(&token), &other).await?.is(409, "TokenUsed")?;
    told_of(&ground, 2).await
}

/// A certificate ends with its stage at the latest, and lives for as long as a credential may.
fn within_its_bounds(ground: &Ground, certificate: &str) -> Result<()> {
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).expect("PEM");
    let validity = pem.parse_x509().expect("a certificate").validity().clone();
    let ends = Timestamp::from_second(validity.not_after.timestamp()).expect("a time");
    let (end, ttl) = (ground.opened.expires_at.0, HOUR);
    ensure(ends <= end && ends <= Timestamp::now() + ttl, || format!("{ends} after {end}"))
}

/// Every certificate stands in a request that was answered, and in an Event about the grant.
async fn told_of(ground: &Ground, count: usize) -> Result<()> {
    let filed = ground.filed().await?;
    let is_answered = |status: &k8s_openapi::api::certificates::v1::CertificateSigningRequestStatus| {
        status.certificate.is_some()
    };
    let answered = filed.iter().filter(|one| one.status.as_ref().is_some_and(is_answered)).count();
    ensure((filed.len(), answered) == (count, count), || {
        format!("{} filed, {answered} answered", filed.len())
    })?;
    eventually("Events about them", SOON, async || {
        let events = ground.story.api::<Event>().list(&ListParams::default()).await;
        let events = events.map_err(|error| error.to_string())?.items;
        let told = events.iter().filter(|event| event.reason.as_deref() == Some("WorkloadEnrolled"));
        let told: i32 = told.map(|event| event.count.unwrap_or(1).max(1)).sum();
        if told >= 1 { Ok(()) } else { Err(format!("{} Events", events.len())) }
    })
    .await
}

#[tokio::test]
async fn a_token_is_good_for_what_it_was_made_for_and_for_nothing_else() -> Result<()> {
    let ground = Ground::begin().await?;
    let partner = ground.partner().await?;
    let (token, decision) = ground.token(HOUR).await?;
    let request = partner.request("own").await?;
    let elsewhere = ground.path_of("sandbox", "trainer");
    partner.enrols(&elsewhere, Some(&token), &request).await?.is(403, "TokenForAnother")?;
    let elsewhere = ground.path_of("production", "scorer");
    partner.enrols(&elsewhere, Some(&token), &request).await?.is(403, "TokenForAnother")?;
    let another = Ground::begin().await?;
    partner.enrols(&another.path(), Some(&token), &request).await?.is(401, "Unknown")?;
    let stranger = comity::pki::Token::make().expect("a token");
    partner.enrols(&ground.path(), Some(&stranger), &request).await?.is(401, "Unknown")?;
    partner.enrols(&ground.path(), None, &request).await?.is(401, "Unknown")?;
    let in_the_path = format!("{}?token={}", ground.path(), token.reveal());
    partner.enrols(&in_the_path, None, &request).await?.is(401, "Unknown")?;
    let (ended, _) = ground.token(SignedDuration::from_secs(-60)).await?;
    partner.enrols(&ground.path(), Some(&ended), &request).await?.is(403, "TokenEnded")?;
    ensure(ground.filed().await?.is_empty(), || "something was filed".to_owned())?;
    // Whoever deletes the decision takes the token back.
    let decisions = ground.story.api::<GrantDecision>();
    decisions.delete(&decision.name_any(), &DeleteParams::default()).await?;
    await_gone(&decisions, &decision.name_any(), SOON).await?;
    partner.enrols(&ground.path(), Some(&token), &request).await?.is(401, "Unknown")
}

#[tokio::test]
async fn what_is_held_or_over_is_refused_in_words_and_a_token_isnt_used_up_by_that() -> Result<()> {
    let ground = Ground::begin().await?;
    let partner = ground.partner().await?;
    let (token, _) = ground.token(HOUR).await?;
    let request = partner.request("own").await?;
    let suspend = |yes: bool| json!({"spec": {"suspend": yes}});
    let grants = &ground.wish.name;
    ground.story.change::<comity::api::PartnerGrant>(grants, suspend(true)).await?;
    let held = async || {
        let answer = partner.enrols(&ground.path(), Some(&token), &request).await;
        answer.map_err(|error| error.to_string())?.is(403, "AccessHeld").map_err(|error| error.to_string())
    };
    eventually("access to be held", SOON, held).await?;
    ground.story.change::<comity::api::PartnerGrant>(grants, suspend(false)).await?;
    eventually("access to be given again", SOON, async || {
        let answer = partner.enrols(&ground.path(), Some(&token), &request).await;
        answer.and_then(|answer| answer.certificate()).map_err(|error| error.to_string())
    })
    .await?;
    let (late, _) = ground.token(HOUR).await?;
    let quarantine = OLGA.decision(&ground.grant, DecisionAction::Quarantine);
    OLGA.decide(&ground.story.cluster, &quarantine).await?;
    eventually("the quarantine to be heeded", SOON, async || {
        let answer = partner.enrols(&ground.path(), Some(&late), &request).await;
        answer.map_err(|error| error.to_string())?.is(403, "AccessHeld").map_err(|error| error.to_string())
    })
    .await?;
    OLGA.decide(&ground.story.cluster, &OLGA.decision(&ground.grant, DecisionAction::Expire)).await?;
    eventually("the end to be heeded", SOON, async || {
        let answer = partner.enrols(&ground.path(), Some(&late), &request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let over = answer.is(403, "StageOver").or_else(|_| answer.is(403, "StageNotOpen"));
        over.map_err(|error| error.to_string())
    })
    .await
}
