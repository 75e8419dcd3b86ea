//! The second way: keys that the partner makes. Workloads on the partner's side enrol by tokens, and renew by their
//! certificates, each from an address of its own. More than the endpoint has places for are hung up on and come again.

use std::{
    net::{Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

use comity::api::decision::{DecisionAction, Enrolment};
use comity::api::{GrantDecision, PartnerGrant, Stage, name};
use comity::generate::rbac::process;
use comity::pki::Token;
use e2e::{Cluster, Comity, Error, Result, comity::people::OLGA, eventually};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, ObjectMeta, PostParams},
};
use serde_json::{Value, json};

use super::{
    Extent,
    caller::Caller,
    floor::{Floor, pace},
    story::{SOON, Story, Wish},
    wave::{Before, Taken, Wave},
};

/// How many enrol at once, and how many tokens are made at once.
const AT_ONCE: usize = 4;
/// How long somebody may take who is hung up on, again and again, until it is their turn.
const WITHIN: Duration = Duration::from_secs(180);
/// How many workloads a grant may have.
const WORKLOADS: usize = 16;
/// Where Comity is installed.
const SYSTEM: &str = name::DEFAULT_SYSTEM_NAMESPACE;

/// Where enrolment is served.
pub struct Endpoint {
    port: u16,
}

impl Endpoint {
    /// A port that nobody else has, and the rights that serving takes.
    pub async fn prepare(admin: &Cluster) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let home = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}});
        admin.apply_yaml(&home.to_string()).await?;
        let rights: Vec<String> = process::enrolment(SYSTEM).iter().map(ToString::to_string).collect();
        admin.apply_yaml(&rights.join("\n---\n")).await?;
        Ok(Self { port })
    }

    /// What `comity sign` is told.
    pub fn flags(&self) -> [String; 2] {
        let Self { port } = self;
        [format!("--enrol-listen=127.0.0.1:{port}"), format!("--enrol-url=https://localhost:{port}")]
    }
}

/// Workloads on the partner's side.
pub struct Callers {
    callers: Vec<Caller>,
    next: usize,
}

impl Callers {
    /// Enrols every workload of so many grants.
    pub async fn enrol(admin: &Cluster, endpoint: &Endpoint, extent: &Extent) -> Result<Self> {
        let anchor = anchor(admin).await?;
        let mut callers = Vec::new();
        for grant in 0..extent.grants {
            let home = Home::make(admin).await?;
            let enrol = async |number: usize| {
                let workload = workload(number);
                let token = home.token(&workload).await?;
                // Each has an address of their own, as partners have.
                let address = u8::try_from(grant).unwrap_or(u8::MAX);
                let address = Ipv4Addr::new(127, 1, address, u8::try_from(number + 1).unwrap_or(u8::MAX));
                let mut caller = Caller::new(address, endpoint.port, &anchor)?;
                caller.enrol(&home.path(&workload), &token).await?;
                Ok::<_, Error>(caller)
            };
            let enrolled = stream::iter(0..WORKLOADS).map(enrol).buffer_unordered(AT_ONCE);
            callers.extend(enrolled.try_collect::<Vec<_>>().await?);
        }
        Ok(Self { callers, next: 0 })
    }

    /// What each of these many took who renew at the same time.
    pub async fn measure(&mut self, at: (&Cluster, &Comity), extent: &Extent) -> Result<Vec<Wave>> {
        let mut waves = Vec::new();
        for (outstanding, times) in extent.waves_of_callers() {
            let mut wave = Wave::of(outstanding);
            for _ in 0..times {
                wave.add(&self.one_wave(at, outstanding).await?);
            }
            waves.push(wave);
        }
        Ok(waves)
    }

    async fn one_wave(&mut self, at: (&Cluster, &Comity), outstanding: usize) -> Result<Taken> {
        let before = Before::read(at.0, at.1).await?;
        let all = self.next..self.next + outstanding;
        self.next = all.end;
        let asked = Instant::now();
        let renew = async |number: usize| {
            let caller = &self.callers[number % self.callers.len()];
            eventually("a certificate to be renewed", WITHIN, async || caller.renew().await).await?;
            Ok::<_, Error>((asked, Instant::now()))
        };
        let renewed = stream::iter(all).map(renew).buffer_unordered(outstanding).try_collect().await?;
        before.taken(at, renewed).await
    }
}

/// A grant whose workloads enrol, in its namespace.
struct Home {
    story: Story,
    wish: Wish,
    grant: PartnerGrant,
    digest: String,
}

impl Home {
    /// A sandbox that is open, of as many workloads as a grant may have.
    async fn make(admin: &Cluster) -> Result<Self> {
        let story = Story::without_ground(admin).await?;
        let ground = story.ground();
        let ground = ground.replace("keyDelivery: [Secret]", "keyDelivery: [CertificateSigningRequest]");
        admin.apply_yaml(&ground).await?;
        let group = "rbac.authorization.k8s.io";
        let requesters = json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
            "metadata": {"name": "requesters", "namespace": story.namespace},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "comity:requester"},
            "subjects": [{"apiGroup": group, "kind": "Group", "name": OLGA.group}],
        });
        admin.apply_yaml(&requesters.to_string()).await?;
        let wish = Wish { times: ["12h", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
        let mut grant = wish.grant(&story);
        let workloads =
            (0..WORKLOADS).map(|number| json!({"name": workload(number), "operations": ["Infer"]}));
        grant["spec"]["workloads"] = workloads.collect::<Value>();
        admin.apply_yaml(&grant.to_string()).await?;
        let opened = story.opened(&wish, Stage::Sandbox).await?;
        let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
        Ok(Self { story, wish, grant, digest: opened.digest.as_str().to_owned() })
    }

    fn path(&self, workload: &str) -> String {
        format!("/v1/enrol/{}/{}/sandbox/{workload}", self.story.namespace, self.wish.name)
    }

    /// A token for a workload, once it is known.
    async fn token(&self, workload: &str) -> Result<Token> {
        let token = Token::make().map_err(|error| Error::Failed(error.to_string()))?;
        let mut decision = OLGA.decision(&self.grant, DecisionAction::Enrol);
        decision.spec.stage = Some(Stage::Sandbox);
        decision.spec.digest = Some(self.digest.as_str().into());
        decision.spec.enrolment = Some(Enrolment {
            workload: workload.into(),
            token_digest: token.digest().as_str().into(),
            expires_at: Time(Timestamp::now() + SignedDuration::from_hours(1)),
        });
        let made = OLGA.decide(&self.story.cluster, &decision).await?;
        let api = self.story.api::<GrantDecision>();
        eventually("a decision to be taken up", SOON, async || {
            let found = api.get(&made.name_any()).await.map_err(|error| error.to_string())?;
            let said: Vec<_> = found.status.iter().flat_map(|status| &status.conditions).collect();
            let is_taken = said.iter().any(|said| said.type_ == "Taken" && said.status == "True");
            if is_taken { Ok(()) } else { Err(format!("{said:?}")) }
        })
        .await?;
        Ok(token)
    }
}

fn workload(number: usize) -> String {
    format!("workload-{number}")
}

/// The anchor of the endpoint.
async fn anchor(admin: &Cluster) -> Result<String> {
    let maps: Api<ConfigMap> = Api::namespaced(admin.client(), SYSTEM);
    let published = maps.get(name::ENROLMENT_CONFIG_MAP).await?.data.unwrap_or_default();
    published.get("ca.crt").cloned().ok_or_else(|| Error::Failed(format!("no anchor: {published:?}")))
}

/// How many bare writes of `comity sign`'s the API server takes for such requests: all three that each takes, and the
/// last of them alone, which answers it. It mustn't run.
pub async fn floors(admin: &Cluster, sign: &Cluster, count: usize, at_once: usize) -> Result<[Floor; 2]> {
    let api: Api<CertificateSigningRequest> = Api::all(admin.client());
    let all = api.list(&ListParams::default()).await?;
    let answered = |one: &CertificateSigningRequest| {
        one.status.as_ref().is_some_and(|status| status.certificate.is_some())
    };
    let found = all.items.into_iter().find(answered);
    let pattern = found.ok_or_else(|| Error::Failed("no request was answered".to_owned()))?;
    let api: Api<CertificateSigningRequest> = Api::all(sign.client());
    let send = async |(): ()| {
        let request = approved(&api, &pattern).await?;
        answer(&api, request, &pattern).await
    };
    let whole =
        pace("a CertificateSigningRequest, filed, approved, answered", vec![(); count], at_once, send);
    let whole = whole.await?;
    let approve = async |(): ()| approved(&api, &pattern).await;
    let requests = stream::iter(vec![(); count]).map(approve).buffer_unordered(at_once);
    let requests: Vec<_> = requests.try_collect().await?;
    let send = async |request| answer(&api, request, &pattern).await;
    let bare = pace("status of a CertificateSigningRequest", requests, at_once, send).await?;
    Ok([bare, whole])
}

/// Another request like this one, filed and approved.
async fn approved(
    api: &Api<CertificateSigningRequest>,
    pattern: &CertificateSigningRequest,
) -> Result<CertificateSigningRequest> {
    let metadata = ObjectMeta {
        generate_name: pattern.metadata.generate_name.clone(),
        labels: pattern.metadata.labels.clone(),
        annotations: pattern.metadata.annotations.clone(),
        ..ObjectMeta::default()
    };
    let mut spec = pattern.spec.clone();
    (spec.username, spec.uid, spec.groups, spec.extra) = (None, None, None, None);
    let filed = CertificateSigningRequest { metadata, spec, status: None };
    let mut filed = api.create(&PostParams::default(), &filed).await?;
    let mut status = pattern.status.clone().unwrap_or_default();
    status.certificate = None;
    filed.status = Some(status);
    Ok(api.replace_subresource("approval", &filed.name_any(), &PostParams::default(), &filed).await?)
}

/// Answers one as that was answered.
async fn answer(
    api: &Api<CertificateSigningRequest>,
    mut request: CertificateSigningRequest,
    pattern: &CertificateSigningRequest,
) -> Result<()> {
    request.status = pattern.status.clone();
    api.replace_status(&request.name_any(), &PostParams::default(), &request).await?;
    Ok(())
}
