//! A node asks again when it is told to, and the pod goes on with what it gets, which another CA signed
//! meanwhile, without a refusal.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use comity::api::Stage;
use comity::pki::rotation;
use comity::signer::ca::{Entry, Phase};
use e2e::node::Node;
use e2e::node::tls::LET_IN;
use e2e::{Result, eventually};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::door::{
    Credential, Server, Verdict, believing, certified, credential, nobody_was_refused, prints, published,
    serve_as_told, with_keys_of_nodes,
};
use super::ground::SOON;
use super::rotating::{Ground, appoint};
use super::story::{Wish, ensure};
use super::takeover::{past, signed};

/// The shortest certificate that a pod can have lives for an hour, and is renewed at two thirds of it at
/// the latest; a node may be 10 minutes late.
const REFRESHED_WITHIN: Duration = Duration::from_secs(55 * 60);
/// How late a node may be.
const LATE: SignedDuration = SignedDuration::from_mins(10);

/// A stage whose pods have keys that their node made, and who talks there.
struct Refresh {
    node: Arc<Node>,
    ground: Ground,
    own: Credential,
    /// A workload that others ask.
    serving: IpAddr,
}

pub async fn nodes_ask_again_when_they_are_told_to(node: Arc<Node>) -> Result<()> {
    let refresh = Refresh::begin(node).await?;
    let place = &refresh.own.place;
    let before = refresh.shown().await?;
    let requests = refresh.ground.story.in_namespace::<PodCertificateRequest>(place);
    let asking = issued(&requests, "asking", None).await?;
    let first = issued(&requests, "serving", None).await?;
    let (told, next) = (told(&first), refresh.another_ca().await?);
    let second = issued(&requests, "serving", Some(&first)).await?;
    let asked = second.metadata.creation_timestamp.as_ref().map_or(Timestamp::MIN, |at| at.0);
    let late = asked.duration_since(told);
    println!("the node asked again {late:#} after it was to, without waiting more than {LATE:#}");
    ensure(!late.is_negative() && late < LATE, || format!("it asked {late:#} after it was to"))?;
    let shown = eventually("what is shown to be the new certificate", SOON, async || {
        let now = refresh.shown().await.map_err(|error| error.to_string())?;
        if now == before { Err("it is the old one".to_owned()) } else { Ok(now) }
    })
    .await?;
    ensure(!signed(&before, &next)? && signed(&shown, &next)?, || "the other CA didn't sign it".to_owned())?;
    // Who asks gets theirs in the same time, and goes on with it.
    let asking = issued(&requests, "asking", Some(&asking)).await?;
    let chain = asking.status.and_then(|status| status.certificate_chain).unwrap_or_default();
    ensure(signed(&chain, &next)?, || "who asks has a certificate of the old CA".to_owned())?;
    nobody_was_refused(&refresh.node, place, "asking").map(drop)
}

impl Refresh {
    async fn begin(node: Arc<Node>) -> Result<Self> {
        appoint(node.cluster()).await?;
        let story = with_keys_of_nodes(&node, 2).await?;
        let wish = Wish { times: ["6h", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
        let ground = Ground::of(story, wish).await?;
        let story = &ground.story;
        story.ask(&ground.wish).await?;
        let opening = story.opened(&ground.wish, Stage::Sandbox).await?;
        let place = &opening.namespace.0;
        let own = credential(story, &opening).await?;
        let dataset = serve_as_told(&node, story, place, &own.anchor, &[("8443", &own.id)]).await?;
        dataset.judges(8443, Some(&own.own), Verdict::LetIn).await?;
        let asking = certified(&node, "asking", &["ask", "/tls", &dataset.door(8443).to_string()]);
        node.run(place, &believing(asking, &dataset)).await?;
        prints(&node, place, "asking", &format!("told {LET_IN}")).await?;
        let serving =
            node.run(place, &certified(&node, "serving", &["tls", "/tls", "8443", &own.id])).await?;
        let refresh = Self { node, ground, own, serving };
        refresh.serving().await?.judges(8443, Some(&refresh.own.own), Verdict::LetIn).await?;
        Ok(refresh)
    }

    /// What the workload shows now, which openssl believes by what is published now.
    async fn shown(&self) -> Result<String> {
        self.serving().await?.shows(8443, &self.own.own)
    }

    /// The workload that others ask, and by what it is believed now.
    async fn serving(&self) -> Result<Server> {
        let anchor = published(&self.ground.story, &self.own.place).await?;
        let id = Some(self.own.id.clone());
        Ok(Server { certificate: anchor.clone(), anchor, id, address: self.serving })
    }

    /// Another CA signs, as soon as those know it who read what is published all the time.
    async fn another_ca(&self) -> Result<Entry> {
        self.ground.orders(&["prepare"], 0, &["Done"]).await?;
        self.ground.stands(&[(1, Phase::Active), (2, Phase::Prepared)]).await?;
        let next = self.ground.entry(2).await?;
        past(rotation::later(next.published_at, rotation::margin(next.certificate.lifetime()))).await?;
        self.ground.orders(&["activate", "--now"], 0, &["Done", "authority 2 signs"]).await?;
        Ok(next)
    }
}

/// When a node is told to ask again.
fn told(request: &PodCertificateRequest) -> Timestamp {
    let told = request.status.as_ref().and_then(|status| status.begin_refresh_at.clone());
    told.map_or(Timestamp::MAX, |at| at.0)
}

/// What was issued for a pod, after this one.
async fn issued(
    requests: &Api<PodCertificateRequest>,
    pod: &str,
    after: Option<&PodCertificateRequest>,
) -> Result<PodCertificateRequest> {
    eventually(&format!("a certificate for {pod}"), REFRESHED_WITHIN, async || {
        let all = requests.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let mine = all.into_iter().find(|request| {
            let is_another = after.is_none_or(|after| after.name_any() != request.name_any());
            let chain = request.status.as_ref().and_then(|status| status.certificate_chain.as_ref());
            request.spec.pod_name == pod && is_another && chain.is_some()
        });
        mine.ok_or("none yet".to_owned())
    })
    .await
}
