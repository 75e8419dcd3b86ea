//! What is issued: for every kind of key, by every way of asking, within every bound.

use comity::api::Stage;
use comity::api::name::{self, WorkloadIdentity};
use e2e::Result;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rcgen::{KeyPair, RsaKeySize};

use super::ground::{Ground, TTL_HOURS, shared};
use super::node::{Answer, Ask, Form};
use super::story::{SOON, ensure};
use super::witness::{anchor, everybody_believes};

/// Every kind of key that a pod may have.
fn keys() -> Vec<(&'static str, KeyPair)> {
    let made = |algorithm| KeyPair::generate_for(algorithm).expect("a key");
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).expect("a key");
    vec![
        ("ECDSAP256", made(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("ECDSAP384", made(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("ECDSAP521", made(&rcgen::PKCS_ECDSA_P521_SHA512)),
        ("ED25519", made(&rcgen::PKCS_ED25519)),
        ("RSA3072", rsa(RsaKeySize::_3072)),
        ("RSA4096", rsa(RsaKeySize::_4096)),
    ]
}

/// The SPIFFE ID of the workload `scorer` in the sandbox.
fn id(ground: &Ground) -> String {
    let uid = ground.grant.uid().unwrap_or_default();
    let hash = ground.place().rsplit('-').next().unwrap_or_default().to_owned();
    let identity = WorkloadIdentity {
        partner: &ground.story.namespace,
        namespace: &ground.story.namespace,
        grant: &ground.wish.name,
        stage: Stage::Sandbox,
        opening_hash: &hash,
        workload: "scorer",
    };
    assert!(!uid.is_empty());
    name::spiffe_id("comity.local", &identity)
}

#[tokio::test]
async fn every_kind_of_key_is_certified_and_everybody_believes_it() -> Result<()> {
    let ground = Ground::begin("12h").await?;
    let anchor = anchor(&ground).await?;
    let pod = ground.node.pod(ground.place(), "scorer").await?;
    for (kind, key) in keys() {
        let request = ground.node.ask(&Ask::ordinary(&pod, &key)).await?;
        let answer = ground.node.answer(&request).await?;
        let [not_before, _, not_after] = answer.times()?;
        everybody_believes(
            (answer.chain()?, &key),
            &anchor,
            &id(&ground),
            not_before + SignedDuration::from_mins(2),
        )?;
        ends_as_it_must(&answer, &ground, 86_400)?;
        let ordinary = SignedDuration::from_hours(TTL_HOURS - 1) + SignedDuration::from_secs(60);
        ensure(not_after.duration_since(not_before) == ordinary, || format!("{kind}: {answer:?}"))?;
    }
    nothing_was_made_here(&ground).await?;
    told_of(&ground, 6).await
}

/// Keys are made by nodes here, so there are no Secrets.
async fn nothing_was_made_here(ground: &Ground) -> Result<()> {
    let secrets: Api<Secret> = ground.story.in_namespace(ground.place());
    let secrets = secrets.list(&ListParams::default()).await?;
    ensure(secrets.items.is_empty(), || {
        format!("{:?}", secrets.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>())
    })
}

/// Every certificate is told of: in the log of `comity sign`, and in an Event about the grant, several in one where
/// they come fast.
async fn told_of(ground: &Ground, count: usize) -> Result<()> {
    let (_, comity) = shared().await?;
    let uid = ground.grant.uid().unwrap_or_default();
    let log = comity.sign().log();
    let lines = log.lines().filter(|line| line.contains("signed for a pod") && line.contains(ground.place()));
    ensure(lines.count() == count, || "not every certificate is in the log".to_owned())?;
    let events: Api<Event> = ground.story.in_namespace(&ground.story.namespace);
    e2e::eventually("events about certificates", SOON, async || {
        let all = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let about = |event: &&Event| {
            event.involved_object.uid.as_ref() == Some(&uid)
                && event.reason.as_deref() == Some("PodCertificateIssued")
                && event.message.as_ref().is_some_and(|message| message.contains(&id(ground)))
        };
        let found: usize = all.items.iter().filter(about).map(told_in).sum();
        if found == count { Ok(()) } else { Err(format!("events about {found}")) }
    })
    .await
}

/// Of how many certificates an Event tells.
fn told_in(event: &Event) -> usize {
    let several = event.message.as_deref().and_then(|message| message.split_once(" more; the last: "));
    several.and_then(|(count, _)| count.parse().ok()).unwrap_or(1)
}

/// All that holds of every certificate of a pod.
fn ends_as_it_must(answer: &Answer, ground: &Ground, longest: i64) -> Result<()> {
    let [not_before, refresh, not_after] = answer.times()?;
    let margin = SignedDuration::from_mins(10);
    let length = not_after.duration_since(not_before);
    let holds = not_after <= ground.opened.expires_at.0
        && length >= SignedDuration::from_hours(1)
        && length <= SignedDuration::from_secs(longest)
        && not_before + margin <= refresh
        && refresh <= not_after - margin;
    ensure(holds, || format!("{answer:?}, of a stage that ends at {:?}", ground.opened.expires_at))
}

#[tokio::test]
async fn nodes_that_are_older_and_pods_that_ask_for_less_get_what_they_can_have() -> Result<()> {
    let ground = Ground::begin("12h").await?;
    let pod = ground.node.pod(ground.place(), "scorer").await?;
    let of_older = |kind: &str| ground.node.is_older() && matches!(kind, "ECDSAP256" | "ED25519");
    for (_, key) in keys().into_iter().filter(|(kind, _)| of_older(kind)) {
        let ask = Ask { form: Form::PublicKey, ..Ask::ordinary(&pod, &key) };
        let answer = ground.node.answer(&ground.node.ask(&ask).await?).await?;
        everybody_believes((answer.chain()?, &key), &anchor(&ground).await?, &id(&ground), Timestamp::now())?;
    }
    let key = KeyPair::generate().expect("a key");
    let ask = Ask { longest: 3_600, ..Ask::ordinary(&pod, &key) };
    let answer = ground.node.answer(&ground.node.ask(&ask).await?).await?;
    answer.chain()?;
    ends_as_it_must(&answer, &ground, 3_600)
}

#[tokio::test]
async fn near_the_end_it_lasts_until_the_end_and_no_longer() -> Result<()> {
    let ground = Ground::begin("2h").await?;
    let pod = ground.node.pod(ground.place(), "scorer").await?;
    ground.node.runs(&pod).await?;
    for (_, key) in keys() {
        let answer = ground.node.answer(&ground.node.ask(&Ask::ordinary(&pod, &key)).await?).await?;
        let [_, _, not_after] = answer.times()?;
        let end = ground.opened.expires_at.0;
        ensure(not_after == end, || format!("until {not_after}, of a stage that ends at {end}"))?;
        ends_as_it_must(&answer, &ground, 86_400)?;
    }
    Ok(())
}
