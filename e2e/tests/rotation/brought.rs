//! CAs that the platform brings: as the first one, as the next one, and not where they aren't what they have to be.

use comity::api::condition::{ConditionType, Reason};
use comity::api::{Stage, name};
use comity::pki::{Authority, Leaf, Lifetime, SpiffeId};
use comity::signer::ca::{Maker, Phase, Slot};
use e2e::attempt::{create, patch};
use e2e::{Result, eventually};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::ground::{Ground, PATIENCE, SYSTEM, shared};
use super::story::{SOON, ensure};
use super::witness::Witness;

/// A CA that the platform made, which calls it as it likes.
async fn platforms() -> Authority {
    let at = |seconds| Timestamp::now() + SignedDuration::from_secs(seconds);
    let life = Lifetime::read(at(-60), at(3_000)).expect("a lifetime");
    let id = SpiffeId::of_trust_domain(e2e::comity::TRUST_DOMAIN).expect("a trust domain");
    Authority::create(&id, "Retail Bank issuing CA 7", life).await.expect("an authority")
}

/// The Secret that brings it.
fn secret(name: &str, certificate: &Authority, key: &Authority) -> Value {
    let parts = json!({"tls.crt": certificate.anchor().pem(), "tls.key": key.stored().reveal()});
    let metadata = json!({"name": name, "labels": {name::LABEL_AUTHORITY: name::BROUGHT}});
    json!({"metadata": metadata, "type": "kubernetes.io/tls", "stringData": parts})
}

async fn bring(ground: &Ground, name: &str, authority: &Authority) -> Result<()> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/secrets");
    create(&path, secret(name, authority, authority)).do_as(&ground.story.cluster).await.map(drop)
}

/// Into which Secret the next one is brought.
async fn place(ground: &Ground) -> Result<String> {
    let asks = ["ca", "where", "fraud-scoring", "sandbox"];
    let told = eventually("the custodian to be let in", SOON, async || {
        let answer = ground.custodian.says(&asks).await.map_err(|error| error.to_string())?;
        if answer.code == 0 { Ok(answer.out) } else { Err(answer.err) }
    });
    Ok(told.await?.trim().to_owned())
}

/// Lets those who look after CAs read contracts here.
async fn let_read(ground: &Ground) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": {"name": "custodians"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "comity:viewer"},
        "subjects": [{"kind": "Group", "apiGroup": group, "name": "custodians"}],
    });
    let path = format!("/apis/{group}/v1/namespaces/{}/rolebindings", ground.story.namespace);
    create(&path, binding).do_as(&ground.story.cluster).await.map(drop)
}

#[tokio::test]
async fn what_the_platform_brings_signs_and_so_does_the_next_one_that_it_brings() -> Result<()> {
    let ground = Ground::lay().await?;
    let_read(&ground).await?;
    let first = place(&ground).await?;
    ensure(first == ground.key(Slot::First), || first.clone())?;
    let (one, two) = (platforms().await, platforms().await);
    bring(&ground, &first, &one).await?;
    ground.story.ask(&ground.wish).await?;
    let at = ground.story.opened(&ground.wish, Stage::Sandbox).await?.namespace.0;
    let (cluster, _) = shared().await?;
    let witness = Witness::begin(&cluster, &at);
    let ledger = ground.stands(&[(1, Phase::Active)]).await?;
    ensure(ledger.maker == Maker::Platform && ledger.authorities[0].certificate == *one.anchor(), || {
        format!("{ledger:?}")
    })?;
    ground.custodian.hears(&["ca", "status"], 0, &["brought by the platform", "has to be brought"]).await?;
    let second = place(&ground).await?;
    ensure(second == ground.key(Slot::Second), || second.clone())?;
    ground.orders(&["prepare"], 6, &["is brought, not made", &second]).await?;
    bring(&ground, &second, &two).await?;
    ground.stands(&[(1, Phase::Active), (2, Phase::Prepared)]).await?;
    eventually("the next CA to be ripe", PATIENCE, async || {
        let order = ["ca", "activate", "fraud-scoring", "sandbox", "--yes", "--reason", "ripe"];
        let answer = ground.custodian.says(&order).await.map_err(|error| error.to_string())?;
        if answer.code == 0 { Ok(()) } else { Err(answer.err) }
    })
    .await?;
    eventually("the old key to be destroyed", SOON, async || ground.has_no_key(&first).await).await?;
    ground.is_over(1).await?;
    let seen = witness.end().await?;
    let signed = |authority: &Authority| {
        let mut leaves = seen.leaves.keys().filter_map(|leaf| Leaf::parse(leaf.as_bytes()).ok());
        leaves.any(|leaf| leaf.signed_by(authority.anchor()))
    };
    ensure(signed(&one) && signed(&two), || "not both signed what was seen".to_owned())
}

#[tokio::test]
async fn a_key_that_another_contract_has_signs_for_none_but_that_one() -> Result<()> {
    let (ground, other) = (Ground::lay().await?, Ground::lay().await?);
    let authority = platforms().await;
    bring(&ground, &ground.key(Slot::First), &authority).await?;
    bring(&other, &other.key(Slot::First), &authority).await?;
    ground.story.ask(&ground.wish).await?;
    ground.story.opened(&ground.wish, Stage::Sandbox).await?;
    refused(&other, "its key is used for another contract or stage").await?;
    // Another one heals it.
    let own = platforms().await;
    let parts = secret("", &own, &own)["stringData"].clone();
    let path = format!("/api/v1/namespaces/{SYSTEM}/secrets/{}", other.key(Slot::First));
    patch(&path, json!({"stringData": parts})).do_as(&other.story.cluster).await?;
    other.story.opened(&other.wish, Stage::Sandbox).await.map(drop)
}

async fn refused(ground: &Ground, words: &str) -> Result<()> {
    ground.story.ask(&ground.wish).await?;
    let told =
        ground.story.told(&ground.wish, ConditionType::Ready, false, Reason::CertificateRefused).await?;
    ensure(told.contains(words), || told.clone())
}

#[tokio::test]
async fn a_key_that_is_swapped_signs_nothing_until_it_is_put_back() -> Result<()> {
    let ground = Ground::lay().await?;
    let (own, swapped) = (platforms().await, platforms().await);
    let key = ground.key(Slot::First);
    bring(&ground, &key, &own).await?;
    ground.story.ask(&ground.wish).await?;
    let at = ground.story.opened(&ground.wish, Stage::Sandbox).await?.namespace.0;
    let put = async |certificate: &Authority, key_of: &Authority| {
        let parts = secret("", certificate, key_of)["stringData"].clone();
        let path = format!("/api/v1/namespaces/{SYSTEM}/secrets/{key}");
        patch(&path, json!({"stringData": parts})).do_as(&ground.story.cluster).await
    };
    let says = async |words: &str| {
        let maps = ground.story.in_namespace::<ConfigMap>(&at);
        e2e::cluster::await_object(&maps, name::TRUST_CONFIG_MAP, words, PATIENCE, |map: &ConfigMap| {
            let why = map.data.as_ref().and_then(|data| data.get(name::TRUST_REFUSED));
            let why = why.map(String::as_str).unwrap_or_default();
            let is_said = if words.is_empty() { why.is_empty() } else { why.contains(words) };
            if is_said { Ok(()) } else { Err(why.to_owned()) }
        })
        .await
    };
    put(&swapped, &swapped).await?;
    says("holds another authority").await?;
    put(&own, &swapped).await?;
    says("the private key is not the one of the certificate").await?;
    put(&own, &own).await?;
    says("").await?;
    ground.stands(&[(1, Phase::Active)]).await.map(drop)
}

#[tokio::test]
async fn who_writes_secrets_beside_comity_and_is_not_the_platform_brings_no_ca() -> Result<()> {
    let ground = Ground::lay().await?;
    let (cluster, comity) = shared().await?;
    let group = "rbac.authorization.k8s.io";
    let at = format!("/apis/{group}/v1/namespaces/{SYSTEM}");
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]);
    create(&format!("{at}/roles"), json!({"metadata": {"name": "secrets"}, "rules": rules}))
        .do_as(&cluster)
        .await?;
    let binding = json!({
        "metadata": {"name": "secrets"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "secrets"},
        "subjects": [{"kind": "User", "apiGroup": group, "name": "sam@retail.example"}],
    });
    create(&format!("{at}/rolebindings"), binding).do_as(&cluster).await?;
    let sam = cluster.as_user("sam@retail.example", &[])?;
    let authority = platforms().await;
    let secrets = format!("/api/v1/namespaces/{SYSTEM}/secrets");
    let brings = create(&secrets, secret(&ground.key(Slot::First), &authority, &authority));
    eventually("sam to be let as far as admission", SOON, || brings.refused(&sam, &["only Comity"])).await?;
    // With comity run's own account neither.
    let run = comity.run().identity(&cluster)?;
    brings.refused(&run, &["is forbidden", "held to"]).await.map_err(e2e::Error::Failed)
}
