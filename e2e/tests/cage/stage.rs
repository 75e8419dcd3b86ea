//! A stage as `comity run` and `comity sign` make it, made by acting as they do: with the tokens of
//! their accounts, and no more than `install.yaml` gives them.

use std::time::Duration;

use e2e::{Cluster, Error, Result, eventually};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use e2e::attempt::{Attempt, apply, attempts, create, patch};

/// How long the API server may take to see what it was told.
pub const SOON: Duration = Duration::from_secs(60);
/// Where Comity is installed.
pub const SYSTEM: &str = "comity-system";

/// The identities of a cluster in which Comity is installed, and none of it runs.
#[derive(Clone)]
pub struct Caged {
    /// The administrator.
    pub admin: Cluster,
    /// The bearer of `comity run`'s token.
    pub run: Cluster,
    /// The bearer of `comity sign`'s token.
    pub sign: Cluster,
    /// The bearer of `comity rehearse`'s token.
    pub rehearse: Cluster,
}

impl Caged {
    /// The cluster that stories share.
    pub async fn shared() -> Result<Self> {
        static TOKENS: OnceCell<[String; 3]> = OnceCell::const_new();
        let admin = Cluster::shared().await?;
        let tokens = TOKENS.get_or_try_init(|| install(&admin)).await?;
        Self::of(admin, tokens)
    }

    /// A cluster of one's own.
    pub async fn on(admin: Cluster) -> Result<Self> {
        let tokens = install(&admin).await?;
        Self::of(admin, &tokens)
    }

    fn of(admin: Cluster, [run, sign, rehearse]: &[String; 3]) -> Result<Self> {
        let (run, sign, rehearse) = (admin.as_token(run)?, admin.as_token(sign)?, admin.as_token(rehearse)?);
        Ok(Self { admin, run, sign, rehearse })
    }

    /// Makes a stage of its own for a story; pods are let in.
    pub async fn stage(&self, kind: &str) -> Result<Stage> {
        let unique = self.admin.unique("story");
        let hash = unique.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let namespace = format!("comity-{unique}-{kind}-{hash:08x}");
        let stage = Stage { caged: self.clone(), namespace, kind: kind.to_owned() };
        stage.make().await?;
        Ok(stage)
    }
}

/// A stage's namespace and what is in it.
#[derive(Clone)]
pub struct Stage {
    /// Who is who.
    pub caged: Caged,
    /// Its namespace.
    pub namespace: String,
    kind: String,
}

impl Stage {
    /// The path of a resource of the core in the stage's namespace.
    pub fn core(&self, resource: &str) -> String {
        format!("/api/v1/namespaces/{}/{resource}", self.namespace)
    }

    /// The path of the namespace itself.
    pub fn itself(&self) -> String {
        format!("/api/v1/namespaces/{}", self.namespace)
    }

    /// The partner's people in this role, as the access proxy impersonates them.
    pub fn person(&self, role: &str) -> Result<Cluster> {
        self.caged.admin.as_service_account(&self.namespace, &format!("role-{role}"))
    }

    /// Sets a label on the namespace as `comity run` does.
    pub async fn label(&self, label: &str, value: &str) -> Result<()> {
        patch(&self.itself(), json!({"metadata": {"labels": {label: value}}})).do_as(&self.caged.run).await?;
        Ok(())
    }

    /// Lets who rehearses in, as `comity run` does.
    pub async fn rehearsed(&self) -> Result<()> {
        let path = format!(
            "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings/comity-rehearse",
            self.namespace
        );
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "comity-rehearse"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "comity:rehearser"},
            "subjects": [{"kind": "ServiceAccount", "name": "comity-rehearse", "namespace": SYSTEM}],
        });
        apply(&path, binding).do_as(&self.caged.run).await.map(drop)
    }

    /// Attempts of a file, at this stage.
    pub fn attempts(&self, text: &str) -> Result<Vec<Attempt>> {
        attempts(text, &[("STAGE", &self.namespace), ("KIND", &self.kind)])
    }

    async fn make(&self) -> Result<()> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": {
            "app.kubernetes.io/managed-by": "comity",
            "comity.dev/grant-uid": self.namespace,
            "comity.dev/stage": self.kind,
            "comity.dev/pods": "Closed",
            "pod-security.kubernetes.io/enforce": "restricted",
        }}});
        apply(&self.itself(), namespace).do_as(&self.caged.run).await?;
        for attempt in self.attempts(include_str!("stage.yaml"))? {
            attempt.do_as(&self.caged.run).await?;
        }
        for attempt in self.attempts(include_str!("published.yaml"))? {
            // RBAC sees the signer's binding a moment late.
            eventually(&attempt.what, SOON, || attempt.do_as(&self.caged.sign)).await?;
        }
        self.label("comity.dev/pods", "Open").await?;
        let attempt = create(&self.core("pods"), pod()?);
        eventually("pods to be let in", SOON, || attempt.try_as(&self.caged.admin)).await?;
        Ok(())
    }
}

/// A pod as the guard lets it in.
pub fn pod() -> Result<Value> {
    serde_saphyr::from_str(include_str!("pod.yaml")).map_err(|error| Error::Failed(error.to_string()))
}

/// Installs Comity and gives the tokens of its processes.
async fn install(admin: &Cluster) -> Result<[String; 3]> {
    e2e::comity::install(admin).await?;
    let token = async |account: &str| admin.token(SYSTEM, account).await;
    let tokens = [token("comity-run").await?, token("comity-sign").await?, token("comity-rehearse").await?];
    in_force(admin, &admin.as_token(&tokens[0])?).await?;
    Ok(tokens)
}

/// Awaits every policy to be in force. The API server sees them in the order in which they were
/// made, so the last of `install.yaml` stands for all: it is that of the roles' accounts.
async fn in_force(admin: &Cluster, run: &Cluster) -> Result<()> {
    let path = "/api/v1/namespaces/comity-probe-sandbox-00000000";
    let labels = json!({"comity.dev/grant-uid": "probe", "comity.dev/stage": "sandbox", "pod-security.kubernetes.io/enforce": "restricted"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "comity-probe-sandbox-00000000", "labels": labels}});
    let make = apply(path, namespace);
    eventually("comity run to be let in", SOON, || make.do_as(run)).await?;
    let account = json!({"metadata": {"name": "role-auditor"}});
    let attempt = create(&format!("{path}/serviceaccounts"), account);
    eventually("the policies to be in force", SOON, || attempt.refused(admin, &["comity-role-accounts"]))
        .await
}
