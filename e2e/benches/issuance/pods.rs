//! The first way: keys that nodes make. A node without a kubelet asks for its pods, each for as many certificates as
//! a pod may ask for at once.

use std::time::{Duration, Instant};

use comity::api::Stage;
use comity::pki::{Authority, Certified, Lifetime, SpiffeId, certify};
use comity::signer::pod::request::{Answer, Asked as _};
use e2e::{Cluster, Comity, Error, Explain as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::PostParams};
use rcgen::KeyPair;

use super::{
    Extent,
    floor::{Floor, pace},
    node::{Ask, Node},
    sight::Sight,
    story::{Story, Wish},
    wave::{Before, Taken, Wave},
};

/// How many requests a node has under way.
const AT_ONCE: usize = 16;
/// How long all that is outstanding may take.
const WITHIN: Duration = Duration::from_secs(180);
/// How many requests come before any is counted.
const BEFORE: usize = 8;
/// How long a credential may live here, in hours: nodes are served from two on.
const TTL: i64 = 3;

/// Pods that wait for certificates.
pub struct Pods {
    node: Node,
    /// What is asked for each of them.
    requests: Vec<PodCertificateRequest>,
    sight: Sight,
    next: usize,
}

impl Pods {
    /// So many sandboxes with so many pods each.
    pub async fn wait(admin: &Cluster, extent: &Extent) -> Result<Self> {
        let node = Node::join(admin).await?;
        let key = KeyPair::generate().explain("make a key")?;
        let mut requests = Vec::new();
        for _ in 0..extent.sandboxes {
            let place = sandbox(admin).await?;
            for number in 0..extent.pods {
                let pod: Pod = node.pod(&place, &format!("scorer-{number}")).await?;
                requests.push(node.request(&Ask::ordinary(&pod, &key)).await?);
            }
        }
        let sight = Sight::of(Api::<PodCertificateRequest>::all(admin.client()), issued);
        Ok(Self { node, requests, sight, next: 0 })
    }

    /// What each of these many outstanding took.
    pub async fn measure(&mut self, at: (&Cluster, &Comity), extent: &Extent) -> Result<Vec<Wave>> {
        self.one_wave(at, BEFORE).await?;
        let mut waves = Vec::new();
        for (outstanding, times) in extent.waves() {
            let mut wave = Wave::of(outstanding);
            for _ in 0..times {
                wave.add(&self.one_wave(at, outstanding).await?);
            }
            waves.push(wave);
        }
        Ok(waves)
    }

    /// When each was asked for, and when it was there. Of several, all stand before the first is answered.
    async fn one_wave(&mut self, at: (&Cluster, &Comity), outstanding: usize) -> Result<Taken> {
        let (admin, comity) = at;
        let mut before = Before::read(admin, comity).await?;
        let mut asked = Instant::now();
        if outstanding > 1 {
            comity.sign().pause()?;
        }
        let names = self.ask(outstanding).await?.iter().map(named).collect::<Vec<_>>();
        if outstanding > 1 {
            before = Before::read(admin, comity).await?;
            asked = Instant::now();
            comity.sign().resume()?;
        }
        let there = self.sight.all(&names, asked, WITHIN).await?;
        before.taken(at, there.into_iter().map(|there| (asked, there)).collect()).await
    }

    /// Makes so many requests, for one pod after the other.
    async fn ask(&mut self, count: usize) -> Result<Vec<PodCertificateRequest>> {
        let all = (self.next..self.next + count).map(|number| &self.requests[number % self.requests.len()]);
        let client = self.node.own.client();
        let create = async |request: &PodCertificateRequest| {
            let api: Api<PodCertificateRequest> =
                Api::namespaced(client.clone(), &request.namespace().unwrap_or_default());
            Ok::<_, Error>(api.create(&PostParams::default(), request).await?)
        };
        let made = stream::iter(all).map(create).buffer_unordered(AT_ONCE).try_collect().await?;
        self.next += count;
        Ok(made)
    }

    /// How many bare answers of `comity sign`'s the API server takes, so many at once. It mustn't run.
    pub async fn floor(&mut self, sign: &Cluster, count: usize, at_once: usize) -> Result<Floor> {
        let now = Timestamp::now();
        let authority = authority(now).await?;
        let asked = self.ask(count).await?;
        let answer = async |request| answered(request, &authority, now).await;
        let answers: Vec<_> = stream::iter(asked).map(answer).buffered(1).try_collect().await?;
        let client = sign.client();
        let put = async |answer: PodCertificateRequest| {
            let api: Api<PodCertificateRequest> =
                Api::namespaced(client.clone(), &answer.namespace().unwrap_or_default());
            api.replace_status(&answer.name_any(), &PostParams::default(), &answer).await?;
            Ok(())
        };
        pace("status of a PodCertificateRequest", answers, at_once, put).await
    }
}

/// A sandbox that is open, under a contract that lets nodes make keys.
async fn sandbox(admin: &Cluster) -> Result<String> {
    let story = Story::without_ground(admin).await?;
    let ground = story.ground().replace("credentialTTL: 1h", &format!("credentialTTL: {TTL}h"));
    let ground = ground.replace("keyDelivery: [Secret]", "keyDelivery: [PodCertificate]");
    admin.apply_yaml(&ground).await?;
    let wish = Wish { times: ["12h", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
    story.ask(&wish).await?;
    Ok(story.opened(&wish, Stage::Sandbox).await?.namespace.0)
}

/// What a request is known by, and that it is answered with a certificate.
fn issued(request: &PodCertificateRequest) -> Option<(String, String)> {
    let conditions = request.status.as_ref()?.conditions.as_ref()?;
    let is_issued = conditions.iter().any(|condition| condition.type_ == "Issued");
    is_issued.then(|| (named(request), "Issued".to_owned()))
}

fn named(request: &PodCertificateRequest) -> String {
    format!("{}/{}", request.namespace().unwrap_or_default(), request.name_any())
}

/// An authority that nobody believes: the API server looks at what it signs all the same.
async fn authority(now: Timestamp) -> Result<Authority> {
    let id = SpiffeId::of_trust_domain("comity.local").explain("name an authority")?;
    let lifetime = Lifetime::of_authority(now, SignedDuration::from_hours(24), now);
    Authority::create(&id, "bare loop", lifetime).await.explain("make an authority")
}

/// A request with its certificate, as `comity sign` would answer it.
async fn answered(
    request: PodCertificateRequest,
    authority: &Authority,
    now: Timestamp,
) -> Result<PodCertificateRequest> {
    let id = SpiffeId::workload("spiffe://comity.local/bare/loop").explain("name a workload")?;
    let wish = request.wish();
    let key = wish.key.explain("read what a node asks for")?;
    let end = now + SignedDuration::from_hours(12);
    let lifetime = Lifetime::of_pod(now, SignedDuration::from_hours(TTL), end, wish.longest);
    let lifetime = lifetime.ok_or_else(|| Error::Failed("no time is left for a certificate".to_owned()))?;
    let certified = certify(authority, &id, &key, lifetime).await;
    let Certified { certificate, leaf } = certified.explain("sign a certificate")?;
    let refresh = lifetime.refresh(id.as_str(), leaf.serial(), end);
    Ok(request.answered(&Answer::Issued { chain: certificate, lifetime, refresh }, now))
}
