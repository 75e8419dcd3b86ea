//! Certificates that are renewed while who has them asks all the time, and nobody is refused: in the
//! ordinary course, and when what signs was away for as long as it could be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use comity::api::Stage;
use comity::api::grant::OpeningStatus;
use e2e::node::Node;
use e2e::node::tls::{Identity, LET_IN};
use e2e::{Result, eventually};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::door::{Verdict, believing, credential, delivered, nobody_was_refused, prints, serve};
use super::ground::while_nothing_signs;
use super::story::{Story, Wish, ensure};

/// How long a credential may live here.
const TTL: SignedDuration = SignedDuration::from_secs(75);
/// How long before the first certificate ends what signs is back: a kubelet looks every 8 seconds.
const BACK: SignedDuration = SignedDuration::from_secs(25);
/// By when all have been renewed at the latest, by the rule, and as long again for a busy machine.
const SOON: Duration = Duration::from_secs(100);
/// As many workloads as a grant may have: one asks, and the others are for the herd.
const WORKLOADS: usize = 16;

/// The certificates of a stage, by their Secrets.
type Generation = BTreeMap<String, Identity>;

/// A stage whose certificates are short, and somebody who asks with one of them.
struct Renewal {
    node: Arc<Node>,
    story: Story,
    opening: OpeningStatus,
}

pub async fn nobody_is_refused_while_certificates_are_renewed(node: Arc<Node>) -> Result<()> {
    let renewal = Renewal::begin(node).await?;
    let first = renewal.generation().await?;
    let second = renewal.renewed(&first).await?;
    spread("renewed", &second)?;

    let ends = second.values().map(|one| Ok(one.times()?[1])).collect::<Result<Vec<Timestamp>>>()?;
    let end = ends.into_iter().min().unwrap_or_default();
    while_nothing_signs(&renewal.node, async || {
        eventually("the time to renew to pass", SOON, async || {
            let left = (end - BACK).duration_since(Timestamp::now());
            if left.is_negative() { Ok(()) } else { Err(format!("{left:#} left")) }
        })
        .await?;
        let meanwhile = renewal.generation().await?;
        ensure(same(&meanwhile, &second), || "something was renewed while nothing signs".to_owned())
    })
    .await?;
    let third = renewal.renewed(&second).await?;
    let late = end.duration_since(Timestamp::now());
    ensure(late.is_positive(), || format!("one had ended {late:#} before all were renewed"))?;
    println!(
        "after {WORKLOADS} certificates waited for what signs, all were renewed {late:#} before the first end"
    );

    spread("renewed after that", &renewal.renewed(&third).await?)?;
    let told = nobody_was_refused(&renewal.node, &renewal.opening.namespace.0, "asking")?;
    ensure(told > 500, || format!("only {told} handshakes"))
}

impl Renewal {
    async fn begin(node: Arc<Node>) -> Result<Self> {
        let story = Story::without_ground(node.cluster()).await?;
        let ttl = format!("credentialTTL: {}s", TTL.as_secs());
        story.cluster.apply_yaml(&story.ground().replace("credentialTTL: 1h", &ttl)).await?;
        let wish = Wish::up_to(Stage::Sandbox);
        let mut grant = wish.grant(&story);
        let names = (1..WORKLOADS).map(|number| format!("beside-{number}"));
        let all = ["scorer".to_owned()].into_iter().chain(names);
        grant["spec"]["workloads"] =
            all.map(|name| json!({"name": name, "operations": ["Infer"]})).collect::<Value>();
        story.cluster.apply_yaml(&grant.to_string()).await?;
        let opening = story.opened(&wish, Stage::Sandbox).await?;
        let own = credential(&story, &opening).await?;
        let server = serve(&node, &story, Stage::Sandbox, &own.anchor, &[("8443", &own.id)]).await?;
        server.judges(8443, Some(&own.own), Verdict::LetIn).await?;
        let asking = delivered(&node, "asking", &["ask", "/tls", &server.door(8443).to_string()]);
        node.run(&opening.namespace.0, &believing(asking, &server)).await?;
        prints(&node, &opening.namespace.0, "asking", &format!("told {LET_IN}")).await?;
        Ok(Self { node, story, opening })
    }

    /// The certificates as they are now.
    async fn generation(&self) -> Result<Generation> {
        let secrets = self.story.in_namespace::<Secret>(&self.opening.namespace.0);
        let secrets = secrets.list(&ListParams::default()).await?.items.into_iter();
        let mine = secrets.filter(|secret| secret.name_any().starts_with("comity-tls-"));
        let read = |secret: Secret| {
            let chain = secret.data.as_ref().and_then(|data| data.get("tls.crt"));
            let chain = String::from_utf8_lossy(&chain.cloned().unwrap_or_default().0).into_owned();
            (secret.name_any(), Identity { chain, key: String::new() })
        };
        Ok(mine.map(read).collect())
    }

    /// Awaits that each is another one than before.
    async fn renewed(&self, before: &Generation) -> Result<Generation> {
        eventually("all certificates to be renewed", SOON, async || {
            let now = self.generation().await.map_err(|error| error.to_string())?;
            let kept =
                now.iter().filter(|(name, one)| before.get(*name).is_some_and(|old| is_same(old, one)));
            let kept = kept.count();
            if kept == 0 && now.len() == WORKLOADS {
                Ok(now)
            } else {
                Err(format!("{kept} of {}", now.len()))
            }
        })
        .await
    }
}

fn is_same(one: &Identity, other: &Identity) -> bool {
    one.chain == other.chain
}

fn same(some: &Generation, others: &Generation) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| is_same(one.1, other.1))
}

/// Makes sure that these weren't all made at once: by the rule it's over a tenth of their life.
fn spread(what: &str, all: &Generation) -> Result<()> {
    let mut seconds = BTreeMap::<Timestamp, usize>::new();
    for one in all.values() {
        *seconds.entry(one.times()?[0]).or_default() += 1;
    }
    let busiest = seconds.values().copied().max().unwrap_or_default();
    let counts: Vec<usize> = seconds.values().copied().collect();
    println!("{} certificates, {what} within {} different seconds: {counts:?}", all.len(), seconds.len());
    ensure(seconds.len() >= 4 && busiest * 2 <= all.len(), || format!("{what} as a herd: {counts:?}"))
}
