//! CAs that take over from one another: because somebody says so, with `comity sign` killed in between, and
//! because half of a life is over; and who may say so.

use comity::signer::ca::{Phase, Slot};
use e2e::attempt::create;
use e2e::comity::command::Desk;
use e2e::comity::people::OLGA;
use e2e::{Error, Result, eventually};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::ground::{Ground, PATIENCE, SYSTEM, shared};
use super::story::{SOON, ensure};
use super::witness::Witness;

#[tokio::test]
async fn a_ca_takes_over_on_demand_and_nothing_that_is_seen_fails_to_verify() -> Result<()> {
    let (ground, place) = Ground::open().await?;
    let (cluster, comity) = shared().await?;
    let witness = Witness::begin(&cluster, &place);
    ground.orders(&["prepare"], 0, &["Done", "CA 2", "is published, and signs nothing yet"]).await?;
    ground.orders(&["prepare"], 0, &["Not needed: authority 2 is published already"]).await?;
    ground.orders(&["activate"], 6, &["signs nothing before", "nothing was changed"]).await?;
    let told = status(&ground).await?;
    ensure(told["signs"] == 1 && told["authorities"].as_array().is_some_and(|all| all.len() == 2), || {
        told.to_string()
    })?;
    // Once everybody knows it. Killed meanwhile, the signer goes on where it was.
    comity.sign().restart().await?;
    eventually("the next CA to be ripe", PATIENCE, async || {
        let order = ["ca", "activate", "fraud-scoring", "sandbox", "--yes", "--reason", "ripe"];
        let answer = ground.custodian.says(&order).await.map_err(|error| error.to_string())?;
        if answer.code == 0 { Ok(()) } else { Err(answer.err) }
    })
    .await?;
    let old = ground.entry(1).await?;
    ensure(old.phase == Phase::Retiring, || format!("{old:?}"))?;
    let key = ground.key(Slot::First);
    eventually("the old key to be destroyed", SOON, async || ground.has_no_key(&key).await).await?;
    ground.orders(&["retire", "--authority", "1"], 6, &["it is taken out by itself then"]).await?;
    comity.sign().restart().await?;
    ground.is_over(1).await?;
    let over = old.ends_in_others().is_some_and(|end| end <= Timestamp::now());
    ensure(over, || "it is gone although something may live that it signed".to_owned())?;
    let seen = witness.end().await?;
    ensure(seen.leaves.len() >= 4 && seen.bundles.len() >= 2, || format!("{seen:?}"))?;
    let signed = |entry: &comity::signer::ca::Entry| {
        let mut leaves = seen.leaves.keys().filter_map(|leaf| comity::pki::Leaf::parse(leaf.as_bytes()).ok());
        leaves.any(|leaf| leaf.signed_by(&entry.certificate))
    };
    ensure(signed(&old) && signed(&ground.entry(2).await?), || "not both signed what was seen".to_owned())
}

#[tokio::test]
async fn a_ca_takes_over_by_half_of_its_life_and_nothing_that_is_seen_fails_to_verify() -> Result<()> {
    let (ground, place) = Ground::open().await?;
    let (cluster, _) = shared().await?;
    let witness = Witness::begin(&cluster, &place);
    ground.stands(&[(1, Phase::Active)]).await?;
    let told = status(&ground).await?;
    ensure(told["next"][0]["what"] == "the next CA is made and published", || told.to_string())?;
    ground.stands(&[(1, Phase::Active), (2, Phase::Prepared)]).await?;
    // The one after it may be made at once.
    ground
        .until("the next CA to sign", |ledger| {
            let signs = ledger.active().is_some_and(|active| active.number == 2);
            if signs { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await?;
    ground.is_over(1).await?;
    let seen = witness.end().await?;
    ensure(seen.leaves.len() >= 8, || format!("{seen:?}"))
}

/// What `comity ca status` says of the only CAs in a namespace.
async fn status(ground: &Ground) -> Result<Value> {
    let told = ground.custodian.hears(&["ca", "status", "-o", "json"], 0, &[]).await?.out;
    let told: Value = serde_json::from_str(&told)?;
    match told["authorities"].as_array().map(Vec::as_slice) {
        Some([one]) => Ok(one.clone()),
        _ => Err(Error::Failed(told.to_string())),
    }
}

#[tokio::test]
async fn only_who_may_rotates_and_in_their_own_name() -> Result<()> {
    let (ground, _) = Ground::open().await?;
    let (cluster, comity) = shared().await?;
    let olga = Desk::of(&cluster, OLGA, &ground.story.namespace).await?;
    let says = ["comity:custodian", "bound by a RoleBinding in namespace comity-system"];
    olga.hears(&["ca", "status"], 6, &says).await?;
    ground
        .custodian
        .hears(
            &["ca", "taint", "other", "sandbox", "--yes", "--reason", "x"],
            1,
            &["there are those of fraud-scoring sandbox"],
        )
        .await?;
    let order = |by: &str, labels: &Value, finalizers: &[&str]| {
        let data = json!({"by": by, "reason": "x", "action": "taint"});
        let metadata = json!({"name": ground.chest.order(), "labels": labels, "finalizers": finalizers});
        create(
            &format!("/api/v1/namespaces/{SYSTEM}/configmaps"),
            json!({"metadata": metadata, "data": data}),
        )
    };
    let labels = json!({"comity.dev/authority": "order"});
    let carin = cluster.as_user("carin@retail.example", &["custodians"])?;
    let refused = async |who: &e2e::Cluster, by: &str, words: &[&str]| {
        order(by, &labels, &[]).refused(who, words).await.map_err(Error::Failed)
    };
    refused(&carin, "olga@retail.example", &["you are carin@retail.example"]).await?;
    // Nobody would see it, or nobody could take it away: neither keeps later ones from being given.
    let ledger = json!({"comity.dev/authority": "ledger"});
    for (labels, finalizers) in [(&ledger, &[][..]), (&labels, &["example.com/held"])] {
        let order = order("carin@retail.example", labels, finalizers);
        order.refused(&carin, &["an order is labelled"]).await.map_err(Error::Failed)?;
    }
    for process in [comity.run(), comity.sign()] {
        let own = process.identity(&cluster)?;
        refused(&own, &process.user(), &["is forbidden", "held to", "only comity-ca-"]).await?;
    }
    unheard(&ground).await
}

/// Where nobody listens an order waits, and says so.
async fn unheard(ground: &Ground) -> Result<()> {
    let (_, comity) = shared().await?;
    let before = ground.entry(1).await?;
    comity.sign().pause()?;
    let late = ["ca", "prepare", "fraud-scoring", "sandbox", "--yes", "--reason", "x", "--timeout=2s"];
    let waited = ground.custodian.hears(&late, 7, &["comity sign hadn't taken it up"]).await;
    let second = ground.custodian.hears(&late, 6, &["another order waits still"]).await;
    comity.sign().resume()?;
    waited.and(second)?;
    ground.stands(&[(1, Phase::Active), (2, Phase::Prepared)]).await?;
    let maps = ground.story.in_namespace::<k8s_openapi::api::core::v1::ConfigMap>(SYSTEM);
    eventually("the order to be taken away", SOON, async || {
        let left = maps.get_opt(&ground.chest.order()).await.map_err(|error| error.to_string())?;
        left.map_or(Ok(()), |left| Err(left.name_any()))
    })
    .await?;
    ensure(before.certificate == ground.entry(1).await?.certificate, || "another CA signs".to_owned())
}
