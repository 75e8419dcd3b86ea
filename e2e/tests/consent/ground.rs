//! The people of the stories, the grant that they decide about, and Comity's policies in force.

use std::time::Duration;

use e2e::{
    Cluster, Result,
    attempt::{Attempt, attempts, create},
    comity::install,
    eventually,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// How long the API server may take to see what it was told.
pub const SOON: Duration = Duration::from_secs(20);
/// The digest that decisions are about.
const DIGEST: &str = "\"v1:sha256:0000000000000000000000000000000000000000000000000000000000000000\"";

/// A namespace in which people decide.
pub struct Ground {
    /// The administrator.
    pub admin: Cluster,
    /// The namespace.
    pub namespace: String,
    /// The UID of the grant `live`.
    uid: String,
}

impl Ground {
    /// On the cluster that stories share, where Comity is installed and none of it runs.
    pub async fn shared() -> Result<Self> {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let admin = Cluster::shared().await?;
        INSTALLED.get_or_try_init(|| install(&admin)).await?;
        let ground = Self::on(admin).await?;
        ground.in_force().await?;
        let mut decided = ground.decision("Deny");
        decided["metadata"]["name"] = json!("decided");
        let decided = create(&ground.decisions(), decided);
        let olga = ground.admin.as_user("olga", &["security"])?;
        // RBAC sees the bindings a moment late.
        eventually("olga to be let in", SOON, || decided.do_as(&olga)).await?;
        // Each kind is seen in its order: once the last Role and the last binding are, all are.
        let wanda = ground.admin.as_user("wanda", &[])?;
        let live = Attempt::reading(&format!("{}/live", ground.path("partnergrants")));
        eventually("wanda to be let in", SOON, || live.do_as(&wanda)).await?;
        Ok(ground)
    }

    /// On a cluster of one's own, where Comity's kinds are served.
    pub async fn on(admin: Cluster) -> Result<Self> {
        let namespace = admin.namespace("grants", &[("comity.dev/shares", "true")]).await?;
        admin.apply_yaml(&include_str!("ground.yaml").replace("GRANTS", &namespace)).await?;
        let live = format!("/apis/comity.dev/v1alpha1/namespaces/{namespace}/partnergrants/live");
        let live = Attempt::reading(&live).do_as(&admin).await?;
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        Ok(Self { admin, namespace, uid })
    }

    /// Awaits the policies that compare to be in force, whether anything stamps or not.
    pub async fn in_force(&self) -> Result<()> {
        let everybody = self.admin.as_user("?", &["system:masters"])?;
        let partner = json!({"apiVersion": "comity.dev/v1alpha1", "kind": "Partner", "metadata": {"name": "probe"}, "spec": {"organisation": {"legalName": "x", "jurisdictions": ["SE"]}}});
        let wrote = create("/apis/comity.dev/v1alpha1/partners", partner);
        eventually("comity-writers", SOON, || wrote.refused(&everybody, &["comity-writers"])).await?;
        let decided = create(&self.decisions(), self.decision("Approve"));
        eventually("comity-decisions", SOON, || decided.refused(&self.admin, &["comity-decisions"])).await
    }

    /// The path of a resource in the namespace.
    pub fn path(&self, resource: &str) -> String {
        format!("/apis/comity.dev/v1alpha1/namespaces/{}/{resource}", self.namespace)
    }

    /// The path of the decisions.
    pub fn decisions(&self) -> String {
        self.path("grantdecisions")
    }

    /// A decision about the grant.
    pub fn decision(&self, action: &str) -> Value {
        let digest = DIGEST.trim_matches('"');
        let spec = json!({
            "grantRef": {"name": "live", "uid": self.uid}, "action": action, "stage": "Production",
            "digest": digest, "onBehalfOf": "security", "reason": "It is time",
        });
        json!({"apiVersion": "comity.dev/v1alpha1", "kind": "GrantDecision", "metadata": {"generateName": "d-"}, "spec": spec})
    }

    /// The attempts of a file, aimed.
    pub fn attempts(&self, text: &str) -> Result<Vec<Attempt>> {
        let long = "a".repeat(8193);
        let names =
            [("GRANTS", self.namespace.as_str()), ("DIGEST", DIGEST), ("UID", &self.uid), ("LONG", &long)];
        attempts(text, &names)
    }
}
