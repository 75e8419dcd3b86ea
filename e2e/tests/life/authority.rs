//! A certificate authority whose key is lost or spoilt: nothing is signed, it is said why, and no
//! other authority takes its place. A backup of the key heals it.

use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::{SharingContract, Stage, name};
use e2e::{Result, cluster::await_object};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::access::usable;
use super::story::{Story, Wish, ensure};

/// Each stage's certificates are looked at once a minute.
const WITHIN_A_MINUTE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_lost_or_spoilt_key_is_never_replaced_in_silence() -> Result<()> {
    tokio::try_join!(lost(), spoilt()).map(drop)
}

async fn lost() -> Result<()> {
    let chest = Chest::begin().await?;
    chest.secrets().delete(&chest.secret, &DeleteParams::default()).await?;
    chest.is_refused("is lost").await?;
    let none = chest.secrets().get_opt(&chest.secret).await?.is_none();
    ensure(none, || "another key took its place".to_owned())?;
    let mut backup = chest.backup.clone();
    backup.metadata = kube::api::ObjectMeta {
        name: backup.metadata.name,
        labels: backup.metadata.labels,
        annotations: backup.metadata.annotations,
        ..kube::api::ObjectMeta::default()
    };
    chest.secrets().create(&PostParams::default(), &backup).await?;
    chest.is_healed().await
}

async fn spoilt() -> Result<()> {
    let chest = Chest::begin().await?;
    let garbage = Patch::Merge(json!({"data": {"tls.key": "bm8ga2V5"}}));
    chest.secrets().patch(&chest.secret, &PatchParams::default(), &garbage).await?;
    chest.is_refused("can't be used").await?;
    let now = chest.secrets().get(&chest.secret).await?;
    let data = now.data.unwrap_or_default();
    assert_eq!(data["tls.key"].0, b"no key", "what is there is left for people to look at");
    let back = Patch::Merge(json!({"data": chest.backup.data}));
    chest.secrets().patch(&chest.secret, &PatchParams::default(), &back).await?;
    chest.is_healed().await
}

/// The authority of a contract's sandbox, while a grant's sandbox is open.
struct Chest {
    story: Story,
    wish: Wish,
    /// The sandbox's namespace.
    place: String,
    secret: String,
    marker: String,
    backup: Secret,
    /// What the marker published.
    anchor: Option<String>,
}

impl Chest {
    async fn begin() -> Result<Self> {
        let story = Story::begin().await?;
        let wish = Wish::up_to(Stage::Sandbox);
        story.ask(&wish).await?;
        let place = story.opened(&wish, Stage::Sandbox).await?.namespace.0;
        let contract = story.api::<SharingContract>().get("fraud-scoring").await?.uid().unwrap_or_default();
        let ca = name::ca(&contract, Stage::Sandbox);
        let (secret, marker) = (name::ca_secret(&ca, false), name::ca_config_map(&ca));
        let system = name::DEFAULT_SYSTEM_NAMESPACE;
        let backup = story.in_namespace::<Secret>(system).get(&secret).await?;
        let mut chest = Self { story, wish, place, secret, marker, backup, anchor: None };
        chest.anchor = chest.published().await?;
        Ok(chest)
    }

    fn secrets(&self) -> kube::Api<Secret> {
        self.story.in_namespace(name::DEFAULT_SYSTEM_NAMESPACE)
    }

    /// The anchor that the marker shows to everybody.
    async fn published(&self) -> Result<Option<String>> {
        let markers = self.story.in_namespace::<ConfigMap>(name::DEFAULT_SYSTEM_NAMESPACE);
        Ok(markers.get(&self.marker).await?.data.and_then(|mut data| data.remove("ca.crt")))
    }

    /// It is said why, the anchor stays, and whoever has access keeps it until its certificate ends;
    /// a new stage doesn't open.
    async fn is_refused(&self, why: &str) -> Result<()> {
        let trust = self.story.in_namespace::<ConfigMap>(&self.place);
        let looks = |trust: &ConfigMap| match trust.data.iter().find_map(|data| data.get(name::TRUST_REFUSED))
        {
            Some(told) if told.contains(why) && told.contains(&self.secret) => Ok(()),
            told => Err(format!("{told:?}")),
        };
        await_object(&trust, name::TRUST_CONFIG_MAP, "a refusal", WITHIN_A_MINUTE, looks).await?;
        usable(&self.story, &self.place).await?;
        let other = self.other();
        self.story.ask(&other).await?;
        let told = self.story.told(&other, ConditionType::Ready, false, Reason::CertificateRefused).await?;
        assert!(told.contains(why), "{told}");
        self.story.told(&other, ConditionType::Active, false, Reason::CertificateRefused).await?;
        assert_eq!(self.published().await?, self.anchor, "the authority is the one that it was");
        Ok(())
    }

    async fn is_healed(&self) -> Result<()> {
        let other = self.other();
        let trust = self.story.in_namespace::<ConfigMap>(&self.place);
        await_object(&trust, name::TRUST_CONFIG_MAP, "certificates", WITHIN_A_MINUTE, |trust: &ConfigMap| {
            let data = trust.data.clone().unwrap_or_default();
            let healed = data.contains_key("scorer.crt") && !data.contains_key(name::TRUST_REFUSED);
            if healed { Ok(()) } else { Err(format!("{:?}", data.keys())) }
        })
        .await?;
        assert_eq!(self.published().await?, self.anchor, "the authority is the one that it was");
        let opened = self.story.opened(&other, Stage::Sandbox).await?;
        usable(&self.story, &opened.namespace.0).await
    }

    fn other(&self) -> Wish {
        Wish { purpose: "model-quality", ..self.wish.called("other") }
    }
}
