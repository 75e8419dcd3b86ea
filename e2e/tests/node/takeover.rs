//! One CA takes over from another while a workload asks all the time what serves the dataset, and another workload,
//! and nobody is refused. What serves the dataset believes what Comity says where the datasets are.
//!
//! By Secrets, whose certificates may live for seconds; those of nodes live for an hour at the least (`refresh.rs`).

use std::sync::Arc;
use std::time::Duration;

use comity::api::Stage;
use comity::pki::{Leaf, rotation};
use comity::signer::ca::{Entry, Phase};
use e2e::comity::Daemon;
use e2e::node::Node;
use e2e::node::tls::LET_IN;
use e2e::{Explain as _, Result, eventually};
use jiff::Timestamp;

use super::door::{
    Credential, Server, Verdict, believing, credential, delivered, handshakes, nobody_was_refused, prints,
    serve, serve_as_told,
};
use super::ground::while_nothing_signs;
use super::rotating::{Ground, PATIENCE, appoint};
use super::story::{Story, Wish, ensure};

/// How long a credential may live here.
const TTL: Duration = Duration::from_secs(75);
/// How many handshakes there have to be in all at least.
const THOUSANDS: usize = 2_000;
/// How often each is let in once more when the old CA is gone: long enough for the node to have told its pods.
const AFTERWARDS: usize = 400;
/// Who asks.
const ASKING: [&str; 2] = ["asking", "peer"];

/// The stage, and who talks there.
struct Takeover {
    node: Arc<Node>,
    ground: Ground,
    place: String,
    /// A workload that others ask.
    serving: std::net::IpAddr,
    /// Serves the dataset, and will never believe another CA than the first one.
    behind: Server,
}

/// CAs live for minutes meanwhile, so that it takes seconds until everybody knows the next one.
pub async fn nobody_is_refused_while_a_ca_takes_over(node: Arc<Node>) -> Result<()> {
    let sign = node.comity()?.sign().twin().told(&["--ca-lifetime=12m"]);
    while_nothing_signs(&node.clone(), async || {
        sign.start().await?;
        let played = played(node, &sign).await;
        sign.stop().await?;
        played
    })
    .await
}

async fn played(node: Arc<Node>, sign: &Daemon) -> Result<()> {
    let takeover = Takeover::begin(node).await?;
    let ground = &takeover.ground;
    ground.orders(&["prepare"], 0, &["Done", "CA 2", "signs nothing yet"]).await?;
    ground.orders(&["activate"], 6, &["signs nothing before", "nothing was changed"]).await?;
    let ledger = ground.stands(&[(1, Phase::Active), (2, Phase::Prepared)]).await?;
    let next = ground.entry(2).await?;
    let ripe = rotation::ripe_at(next.published_at, next.certificate.lifetime(), ledger.need.ttl);
    past(ripe).await?;
    takeover.shows(&ground.entry(1).await?).await?;
    ground.orders(&["activate"], 0, &["Done", "authority 2 signs"]).await?;
    takeover.shows(&next).await?;
    // Killed meanwhile, it goes on where it was.
    sign.restart().await?;
    ground.is_over(1).await?;
    takeover.goes_on().await?;
    takeover.shows(&next).await?;
    // Who was told nothing of it shows that it had been noticed.
    let now = takeover.credential().await?;
    takeover.behind.judges(8443, Some(&now.own), Verdict::NotBelieved).await?;
    let told = ASKING.map(|pod| nobody_was_refused(&takeover.node, &takeover.place, pod));
    let told: usize = told.into_iter().collect::<Result<Vec<_>>>()?.iter().sum();
    ensure(told > THOUSANDS, || format!("only {told} handshakes"))
}

/// Whether a certificate was signed by a CA.
pub fn signed(chain: &str, authority: &Entry) -> Result<bool> {
    let leaf = Leaf::parse(chain.as_bytes()).explain("read a certificate")?;
    Ok(leaf.signed_by(&authority.certificate))
}

/// Awaits a moment.
pub async fn past(time: Timestamp) -> Result<()> {
    eventually("the next CA to be known to everybody", PATIENCE, async || {
        let left = time.duration_since(Timestamp::now());
        if left.is_negative() { Ok(()) } else { Err(format!("{left:#} left")) }
    })
    .await
}

impl Takeover {
    async fn begin(node: Arc<Node>) -> Result<Self> {
        appoint(node.cluster()).await?;
        let story = Story::without_ground(node.cluster()).await?;
        let ttl = format!("credentialTTL: {}s", TTL.as_secs());
        story.cluster.apply_yaml(&story.ground().replace("credentialTTL: 1h", &ttl)).await?;
        let ground = Ground::of(story, Wish::up_to(Stage::Sandbox)).await?;
        let story = &ground.story;
        story.ask(&ground.wish).await?;
        let opening = story.opened(&ground.wish, Stage::Sandbox).await?;
        let place = opening.namespace.0.clone();
        let own = credential(story, &opening).await?;
        let doors = [("8443", &own.id)];
        let behind = serve(&node, story, Stage::Sandbox, &own.anchor, &doors).await?;
        let dataset = serve_as_told(&node, story, &place, &own.anchor, &doors).await?;
        let serving = delivered(&node, "serving", &["tls", "/tls", "8443", &own.id]);
        let serving = node.run(&place, &serving).await?;
        let asking = delivered(&node, "asking", &["ask", "/tls", &dataset.door(8443).to_string()]);
        node.run(&place, &believing(asking, &dataset)).await?;
        node.run(&place, &delivered(&node, "peer", &["ask", "/tls", &format!("{serving}:8443"), &own.id]))
            .await?;
        for pod in ASKING {
            prints(&node, &place, pod, &format!("told {LET_IN}")).await?;
        }
        // Fresh ones: some time has gone by.
        let own = credential(story, &opening).await?;
        for server in [&behind, &dataset] {
            server.judges(8443, Some(&own.own), Verdict::LetIn).await?;
        }
        Ok(Self { node, ground, place, serving, behind })
    }

    /// The certificate and the anchors as they are now.
    async fn credential(&self) -> Result<Credential> {
        let opening = self.ground.story.opened(&self.ground.wish, Stage::Sandbox).await?;
        credential(&self.ground.story, &opening).await
    }

    /// Awaits that what the workload shows was signed by a CA, and is believed by openssl.
    async fn shows(&self, authority: &Entry) -> Result<()> {
        eventually(&format!("what CA {} signed to be shown", authority.number), PATIENCE, async || {
            let look = async {
                let own = self.credential().await?;
                // The workload doesn't show earlier what isn't there yet.
                if !signed(&own.own.chain, authority)? {
                    return Ok(false);
                }
                let (certificate, anchor) = (own.anchor.clone(), own.anchor.clone());
                let address = self.serving;
                let serving = Server { certificate, anchor, id: Some(own.id), address };
                signed(&serving.shows(8443, &own.own)?, authority)
            };
            match look.await {
                Ok(true) => Ok(()),
                Ok(false) => Err("it is another one's".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// Awaits that who asks is let in some hundred times more.
    async fn goes_on(&self) -> Result<()> {
        let count = || ASKING.map(|pod| handshakes(&self.node, &self.place, pod));
        let before = count();
        eventually("those who ask to go on", PATIENCE, async || {
            let more: Vec<usize> = count().iter().zip(before).map(|(now, then)| now - then).collect();
            if more.iter().all(|more| *more >= AFTERWARDS) { Ok(()) } else { Err(format!("{more:?}")) }
        })
        .await
    }
}
