//! CAs that are broken: a next one that can't sign, a key of another, one that has expired, one that is given up.

use comity::api::Stage;
use comity::api::condition::{ConditionType, Reason};
use comity::pki::{Authority, Lifetime, SpiffeId};
use comity::signer::ca::{Owner, Phase, Slot};
use e2e::Result;
use e2e::attempt::create;
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::ground::{Ground, SYSTEM, shared};
use super::story::ensure;
use super::witness::Witness;

#[tokio::test]
async fn a_next_ca_that_can_not_sign_takes_nothing_from_the_one_that_does() -> Result<()> {
    let (ground, place) = Ground::open().await?;
    let (cluster, _) = shared().await?;
    let witness = Witness::begin(&cluster, &place);
    ground.orders(&["prepare"], 0, &["Done"]).await?;
    let garbage = Patch::Merge(json!({"data": {"tls.key": "bm8ga2V5"}}));
    ground.keys().patch(&ground.key(Slot::Second), &PatchParams::default(), &garbage).await?;
    ground.orders(&["activate", "--now"], 6, &["authority 2 can't be used: prepare another one"]).await?;
    let before = ground.entry(1).await?.issued_until;
    ground
        .until("the first CA to sign on", |ledger| {
            let until =
                ledger.active().filter(|active| active.number == 1).and_then(|active| active.issued_until);
            if until > before { Ok(()) } else { Err(format!("{until:?}")) }
        })
        .await?;
    ground.orders(&["prepare"], 0, &["Done: authority 2 can't be used and makes way"]).await?;
    ground.stands(&[(1, Phase::Active), (3, Phase::Prepared)]).await?;
    let seen = witness.end().await?;
    ensure(seen.leaves.len() >= 2, || format!("{seen:?}"))
}

#[tokio::test]
async fn a_key_that_is_not_its_certificates_and_a_ca_that_has_expired_are_refused_and_said() -> Result<()> {
    tokio::try_join!(anothers(), expired()).map(drop)
}

/// An authority that lives from and until then, seen from now.
async fn authority(from: i64, until: i64) -> Authority {
    let at = |seconds| Timestamp::now() + SignedDuration::from_secs(seconds);
    let life = Lifetime::read(at(from), at(until)).expect("a lifetime");
    let id = SpiffeId::of_trust_domain(e2e::comity::TRUST_DOMAIN).expect("a trust domain");
    Authority::create(&id, "Comity sandbox fraud-scoring", life).await.expect("an authority")
}

/// Stores a certificate and a key as the CA of a sandbox.
async fn store(ground: &Ground, certificate: &Authority, key: &Authority) -> Result<()> {
    let parts = json!({"tls.crt": certificate.anchor().pem(), "tls.key": key.stored().reveal()});
    let secret = json!({"metadata": {"name": ground.key(Slot::First)}, "type": "kubernetes.io/tls", "stringData": parts});
    create(&format!("/api/v1/namespaces/{SYSTEM}/secrets"), secret)
        .do_as(&ground.story.cluster)
        .await
        .map(drop)
}

async fn refused(ground: &Ground, words: &str) -> Result<()> {
    ground.story.ask(&ground.wish).await?;
    let told =
        ground.story.told(&ground.wish, ConditionType::Ready, false, Reason::CertificateRefused).await?;
    ensure(told.contains(words), || told.clone())
}

async fn anothers() -> Result<()> {
    let ground = Ground::lay().await?;
    let (one, other) = (authority(-60, 6_000).await, authority(-60, 6_000).await);
    store(&ground, &one, &other).await?;
    refused(&ground, "the private key is not the one of the certificate").await
}

/// It is said, and another one is made that signs once it is known.
async fn expired() -> Result<()> {
    let ground = Ground::lay().await?;
    let old = authority(-6_000, -60).await;
    store(&ground, &old, &old).await?;
    refused(&ground, "expired at").await?;
    let ledger = ground.until("another CA to sign", |ledger| {
        let signs = ledger.active().is_some_and(|active| active.number == 2);
        if signs { Ok(()) } else { Err("not yet".to_owned()) }
    });
    let owner: Owner = ledger.await?.owner;
    ground.story.opened(&ground.wish, Stage::Sandbox).await?;
    ensure(owner.contract == "fraud-scoring", || format!("{owner:?}"))
}

#[tokio::test]
async fn a_ca_that_is_given_up_signs_nothing_more_and_what_it_signed_is_made_anew() -> Result<()> {
    let (ground, place) = Ground::open().await?;
    let (cluster, _) = shared().await?;
    ground.orders(&["prepare"], 0, &["Done"]).await?;
    let witness = Witness::begin(&cluster, &place);
    ground
        .until("the next CA to be known", |ledger| {
            let known = ledger.prepared().is_some_and(|next| {
                Timestamp::now().duration_since(next.published_at) >= SignedDuration::from_secs(80)
            });
            // A renewal writes what was signed until when, so there is always something to look at.
            if known { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await?;
    ground.orders(&["taint"], 0, &["Done: authority 1 signs nothing any more", "CA 2"]).await?;
    ground
        .until("the next CA to sign", |ledger| {
            let signs = ledger.active().is_some_and(|active| active.number == 2);
            if signs { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await?;
    let key = ground.keys().get_opt(&ground.key(Slot::First)).await?;
    ensure(key.is_none(), || "the key that was given up is still there".to_owned())?;
    ground
        .until("nothing to live that it signed", |ledger| {
            let is_over = ledger.authorities.iter().all(|entry| entry.number > 1);
            if is_over { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await?;
    witness.end().await.map(drop)
}
