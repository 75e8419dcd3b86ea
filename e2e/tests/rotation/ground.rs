//! What these stories stand on: Comity with CAs that live for minutes, credentials that live for seconds, and
//! somebody who looks after CAs.

use std::time::Duration;

use comity::api::{SharingContract, Stage, name};
use comity::signer::ca::{Chest, Entry, Ledger, Phase, Slot};
use e2e::cluster::await_object;
use e2e::comity::command::Desk;
use e2e::{Cluster, Comity, Error, Result};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::sync::OnceCell;

use super::story::{Story, Wish};

/// How long credentials live: long enough that a slow machine renews them in time, and short enough that a CA is old
/// before the one after the next is made.
pub const TTL: Duration = Duration::from_secs(30);
/// How long anything about CAs takes at most here.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// The group of those who look after CAs.
const CUSTODIANS: &str = "custodians";
/// Where Comity is.
pub const SYSTEM: &str = name::DEFAULT_SYSTEM_NAMESPACE;

/// The cluster that these stories share, and the Comity beside it.
pub async fn shared() -> Result<(Cluster, &'static Comity)> {
    static SHARED: OnceCell<Comity> = OnceCell::const_new();
    let cluster = Cluster::shared().await?;
    let start = || async {
        let comity = Comity::start_signing(&cluster, &["--ca-lifetime=5m"]).await?;
        appoint(&cluster).await?;
        Ok::<_, Error>(comity)
    };
    let comity = SHARED.get_or_try_init(start).await?;
    Ok((cluster, comity))
}

/// Lets somebody look after CAs.
pub async fn appoint(cluster: &Cluster) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    let role = json!({"apiGroup": group, "kind": "ClusterRole", "name": "comity:custodian"});
    let subject = json!({"apiGroup": group, "kind": "Group", "name": CUSTODIANS});
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "roleRef": role, "subjects": [subject],
        "metadata": {"name": "custodians", "namespace": SYSTEM}});
    cluster.apply_yaml(&binding.to_string()).await.map(drop)
}

/// A contract with credentials that live for seconds, and nothing open yet.
pub struct Ground {
    /// What it stands on.
    pub story: Story,
    /// What is asked for.
    pub wish: Wish,
    /// Where the CAs of its sandbox are kept.
    pub chest: Chest,
    /// Somebody who looks after CAs.
    pub custodian: Desk,
}

impl Ground {
    /// Lays it.
    pub async fn lay() -> Result<Self> {
        let (cluster, _) = shared().await?;
        let story = Story::without_ground(&cluster).await?;
        let ttl = format!("credentialTTL: {}s", TTL.as_secs());
        cluster.apply_yaml(&story.ground().replace("credentialTTL: 1h", &ttl)).await?;
        Self::of(story, Wish::up_to(Stage::Sandbox)).await
    }

    /// The same of a story whose contract stands.
    pub async fn of(story: Story, wish: Wish) -> Result<Self> {
        let contract = story.api::<SharingContract>().get("fraud-scoring").await?.uid().unwrap_or_default();
        let chest = Chest::of(&contract, Stage::Sandbox);
        let who = ("carin@retail.example", [CUSTODIANS]);
        let custodian = Desk::of_groups(&story.cluster, who.0, &who.1, &story.namespace).await?;
        Ok(Self { story, wish, chest, custodian })
    }

    /// Lays it, and opens the sandbox. Gives its namespace.
    pub async fn open() -> Result<(Self, String)> {
        let ground = Self::lay().await?;
        ground.story.ask(&ground.wish).await?;
        let place = ground.story.opened(&ground.wish, Stage::Sandbox).await?.namespace.0;
        Ok((ground, place))
    }

    /// The Secrets with keys.
    pub fn keys(&self) -> Api<Secret> {
        self.story.in_namespace(SYSTEM)
    }

    /// The Secret in a slot.
    pub fn key(&self, slot: Slot) -> String {
        self.chest.secret(slot)
    }

    /// Gives an order that ends with this code, and says these words.
    pub async fn orders(&self, words: &[&str], code: i32, says: &[&str]) -> Result<String> {
        let [action, more @ ..] = words else { return Err(Error::Failed("no order".to_owned())) };
        let end = ["--yes", "--reason", "the story asks for it", "--timeout=90s"];
        let line = [&["ca", action, "fraud-scoring", "sandbox"], more, &end].concat();
        Ok(self.custodian.hears(&line, code, says).await?.out)
    }

    /// Awaits that the CAs stand like this.
    pub async fn stands(&self, wanted: &[(u32, Phase)]) -> Result<Ledger> {
        let what = format!("CAs that stand like {wanted:?}");
        self.until(&what, |ledger| {
            let phases: Vec<_> = ledger.authorities.iter().map(|entry| (entry.number, entry.phase)).collect();
            if phases == wanted { Ok(()) } else { Err(format!("{phases:?}")) }
        })
        .await
    }

    /// Awaits that somebody finds in the ledger what they look for.
    pub async fn until(&self, what: &str, look: impl Fn(&Ledger) -> Result<(), String>) -> Result<Ledger> {
        let api = self.story.in_namespace::<ConfigMap>(SYSTEM);
        await_object(&api, &self.chest.ledger(), what, PATIENCE, |found: &ConfigMap| {
            let ledger = Ledger::found(found).ok_or_else(|| "no ledger".to_owned())?;
            look(&ledger).map(|()| ledger)
        })
        .await
    }

    /// Awaits that one of the CAs isn't believed any more.
    pub async fn is_over(&self, number: u32) -> Result<Ledger> {
        self.until(&format!("CA {number} to be over"), |ledger| {
            let is_over = ledger.authorities.iter().all(|entry| entry.number != number);
            if is_over { Ok(()) } else { Err(format!("{} are believed", ledger.authorities.len())) }
        })
        .await
    }

    /// Whether there is no such Secret.
    pub async fn has_no_key(&self, name: &str) -> Result<(), String> {
        let key = self.keys().get_opt(name).await.map_err(|error| error.to_string())?;
        key.map_or(Ok(()), |key| Err(format!("{} is there", key.name_any())))
    }

    /// One of the CAs, as it stands now.
    pub async fn entry(&self, number: u32) -> Result<Entry> {
        let found = self.story.in_namespace::<ConfigMap>(SYSTEM).get(&self.chest.ledger()).await?;
        let ledger = Ledger::found(&found).ok_or_else(|| Error::Failed("no ledger".to_owned()))?;
        let entry = ledger.authorities.into_iter().find(|entry| entry.number == number);
        entry.ok_or_else(|| Error::Failed(format!("no CA {number}")))
    }
}
