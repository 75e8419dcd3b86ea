//! What these stories stand on: a control plane, Comity beside it with enrolment switched on, and a sandbox
//! whose contract lets workloads enrol and nothing else.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use comity::api::decision::{DecisionAction, Enrolment};
use comity::api::grant::OpeningStatus;
use comity::api::{GrantDecision, PartnerGrant, Stage, name};
use comity::generate::rbac::process;
use comity::pki::Token;
use e2e::comity::people::OLGA;
use e2e::{Cluster, Comity, Error, Result, controlplane::Settings, eventually};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, ListParams};
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;
use tokio::sync::OnceCell;

use super::access::usable;
use super::partner::Partner;
use super::story::{SOON, Story, Wish};

/// Where Comity is installed.
pub const SYSTEM: &str = name::DEFAULT_SYSTEM_NAMESPACE;

/// A cluster, the Comity beside it, and where it serves enrolment.
pub struct Shared {
    pub cluster: Cluster,
    pub comity: Comity,
    pub port: u16,
}

/// The one that these stories share.
pub async fn shared() -> Result<(Cluster, &'static Shared)> {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let shared = SHARED.get_or_try_init(start).await?;
    // A client belongs to the runtime of the test that made it.
    Ok((shared.cluster.anew()?, shared))
}

/// One that nobody else uses, for who restarts it.
async fn alone() -> Result<(Cluster, &'static Shared)> {
    static ALONE: OnceCell<Shared> = OnceCell::const_new();
    let alone = ALONE.get_or_try_init(start).await?;
    Ok((alone.cluster.anew()?, alone))
}

/// A port that is free, and below those that are given out to whoever asks for any (`ip_local_port_range`): nobody takes
/// it before Comity does.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 10_000).unwrap_or_default();
    let first = 10_000 + own + NEXT.fetch_add(1, Ordering::Relaxed);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (first..30_000).find(is_free).ok_or_else(|| Error::Failed("no port is free".to_owned()))
}

async fn start() -> Result<Shared> {
    let cluster = Cluster::start(Settings::default()).await?;
    let port = free_port()?;
    let (listen, url) =
        (format!("--enrol-listen=127.0.0.1:{port}"), format!("--enrol-url=https://localhost:{port}"));
    let rights: Vec<String> = process::enrolment(SYSTEM).iter().map(ToString::to_string).collect();
    cluster
        .apply_yaml(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}).to_string(),
        )
        .await?;
    cluster.apply_yaml(&rights.join("\n---\n")).await?;
    let comity = Comity::start_signing(&cluster, &[&listen, &url]).await?;
    Ok(Shared { cluster, comity, port })
}

/// A sandbox that is open.
pub struct Ground {
    pub story: Story,
    pub wish: Wish,
    pub grant: PartnerGrant,
    pub opened: OpeningStatus,
    pub shared: &'static Shared,
}

impl Ground {
    /// A sandbox that is open for an hour.
    pub async fn begin() -> Result<Self> {
        let (cluster, shared) = shared().await?;
        Self::on(cluster, shared, "").await
    }

    /// The same for a partner who declared this bundle, of the trust domain `northpay.example`.
    pub async fn with_bundle(bundle: &str) -> Result<Self> {
        let (cluster, shared) = shared().await?;
        let lines = bundle.trim_end().replace('\n', "\n      ");
        let identity = format!("    trustDomain: northpay.example\n    trustBundle: |\n      {lines}\n");
        Self::on(cluster, shared, &identity).await
    }

    /// The same beside a Comity that nobody else uses.
    pub async fn alone() -> Result<Self> {
        let (cluster, shared) = alone().await?;
        Self::on(cluster, shared, "").await
    }

    async fn on(cluster: Cluster, shared: &'static Shared, identity: &str) -> Result<Self> {
        let story = Story::without_ground(&cluster).await?;
        let ground =
            story.ground().replace("keyDelivery: [Secret]", "keyDelivery: [CertificateSigningRequest]");
        let ground = ground.replace("  identity:\n", &format!("  identity:\n{identity}"));
        cluster.apply_yaml(&ground).await?;
        let requesters = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "requesters", "namespace": story.namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "comity:requester"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": OLGA.group}],
        });
        cluster.apply_yaml(&requesters.to_string()).await?;
        let wish = Wish::up_to(Stage::Sandbox);
        let grant = story.ask(&wish).await?;
        let opened = story.opened(&wish, Stage::Sandbox).await?;
        usable(&story, &opened.namespace.0).await?;
        Ok(Self { story, wish, grant, opened, shared })
    }

    /// The partner, who has the endpoint's anchor.
    pub async fn partner(&self) -> Result<Partner> {
        let maps: Api<ConfigMap> = self.story.in_namespace(SYSTEM);
        let published = maps.get(name::ENROLMENT_CONFIG_MAP).await?.data.unwrap_or_default();
        let anchor = published.get("ca.crt").cloned();
        Partner::new(self.shared.port, &anchor.ok_or_else(|| Error::Failed(format!("{published:?}")))?)
    }

    /// Where the workload `scorer` of the sandbox enrols.
    pub fn path(&self) -> String {
        self.path_of("sandbox", "scorer")
    }

    /// Where another one would.
    pub fn path_of(&self, stage: &str, workload: &str) -> String {
        format!("/v1/enrol/{}/{}/{stage}/{workload}", self.story.namespace, self.wish.name)
    }

    /// A token for `scorer`, that can be used for so long from now on, and its decision once it is known.
    pub async fn token(&self, within: SignedDuration) -> Result<(Token, GrantDecision)> {
        let token = Token::make().expect("a token");
        let mut decision = OLGA.decision(&self.grant, DecisionAction::Enrol);
        decision.spec.stage = Some(Stage::Sandbox);
        decision.spec.digest = Some(self.opened.digest.as_str().into());
        decision.spec.enrolment = Some(Enrolment {
            workload: "scorer".into(),
            token_digest: token.digest().as_str().into(),
            expires_at: Time(Timestamp::now() + within),
        });
        let made = OLGA.decide(&self.story.cluster, &decision).await?;
        let api = self.story.api::<GrantDecision>();
        let made = eventually("the decision to be taken up", SOON, async || {
            let found = api.get(&made.name_any()).await.map_err(|error| error.to_string())?;
            let said: Vec<_> = found.status.iter().flat_map(|status| &status.conditions).collect();
            let is_taken = said.iter().any(|said| said.type_ == "Taken" && said.status == "True");
            if is_taken { Ok(found) } else { Err(format!("{said:?}")) }
        });
        Ok((token, made.await?))
    }

    /// The requests for certificates that were filed for this story.
    pub async fn filed(&self) -> Result<Vec<CertificateSigningRequest>> {
        let all = self.story.everywhere::<CertificateSigningRequest>().list(&ListParams::default()).await?;
        let own = format!("{}/", self.story.namespace);
        let is_own = |one: &CertificateSigningRequest| {
            one.meta().annotations.as_ref().is_some_and(|all| {
                all.get(name::ANNOTATION_ENROLS).is_some_and(|whose| whose.starts_with(&own))
            })
        };
        Ok(all.items.into_iter().filter(is_own).collect())
    }
}
