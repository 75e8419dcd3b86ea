//! What these stories stand on: a control plane that takes the requests of nodes, Comity beside it, and
//! a contract that lets nodes make keys.

use comity::api::grant::OpeningStatus;
use comity::api::{PartnerGrant, Stage};
use e2e::attempt::Attempt;
use e2e::{Cluster, Comity, Result, controlplane::Settings};
use tokio::sync::OnceCell;

use super::access::usable;
use super::node::Node;
use super::story::{Story, Wish};

/// How long a credential may live in these stories.
pub const TTL_HOURS: i64 = 3;

/// A control plane that takes the requests of nodes.
pub fn settings() -> Result<Settings> {
    Settings::with_pod_certificates()
}

/// The cluster that these stories share, and the Comity beside it.
pub async fn shared() -> Result<(Cluster, &'static Comity)> {
    static SHARED: OnceCell<(Cluster, Comity)> = OnceCell::const_new();
    let start = || async {
        let cluster = Cluster::start(settings()?).await?;
        let comity = Comity::start(&cluster).await?;
        Ok::<_, e2e::Error>((cluster, comity))
    };
    let (cluster, comity) = SHARED.get_or_try_init(start).await?;
    // A client belongs to the runtime of the test that made it.
    Ok((cluster.anew()?, comity))
}

/// A grant whose sandbox is open, and a node for its pods.
pub struct Ground {
    /// What it stands on.
    pub story: Story,
    /// What was asked for.
    pub wish: Wish,
    /// What was stored.
    pub grant: PartnerGrant,
    /// The sandbox.
    pub opened: OpeningStatus,
    /// A node.
    pub node: Node,
}

impl Ground {
    /// A sandbox that is open for so long, under a contract that lets nodes make keys and nobody else.
    pub async fn begin(time: &'static str) -> Result<Self> {
        let (cluster, _) = shared().await?;
        Self::on(&cluster, time, "[PodCertificate]").await
    }

    /// The same on this cluster, where keys are delivered in these ways.
    pub async fn on(cluster: &Cluster, time: &'static str, ways: &str) -> Result<Self> {
        let story = Story::without_ground(cluster).await?;
        let ttl = format!("credentialTTL: {TTL_HOURS}h");
        let ground = story.ground().replace("credentialTTL: 1h", &ttl);
        let ground = ground.replace("keyDelivery: [Secret]", &format!("keyDelivery: {ways}"));
        cluster.apply_yaml(&ground).await?;
        let wish = Wish { times: [time, "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
        let grant = story.ask(&wish).await?;
        let opened = story.opened(&wish, Stage::Sandbox).await?;
        usable(&story, &opened.namespace.0).await?;
        let node = Node::join(cluster).await?;
        Ok(Self { story, wish, grant, opened, node })
    }

    /// The sandbox's namespace.
    pub fn place(&self) -> &str {
        &self.opened.namespace.0
    }
}

/// Fails unless the API server refuses to let `who` try this, in words of which one is among `words`.
pub async fn refused(attempt: &Attempt, who: &Cluster, words: &[&str]) -> Result<()> {
    attempt.refused(who, words).await.map_err(e2e::Error::Failed)
}
