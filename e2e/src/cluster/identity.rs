//! Being somebody else: by token, and by impersonation.

use std::path::PathBuf;

use k8s_openapi::{
    ByteString,
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::ServiceAccount,
    },
};
use kube::{Api, Client, api::PostParams, config::AuthInfo};
use serde_json::json;

use super::Cluster;
use crate::{Error, Explain as _, Result};

impl Cluster {
    /// The cluster as the bearer of `token` sees it.
    pub fn as_token(&self, token: &str) -> Result<Self> {
        let mut config = self.connection.admin.clone();
        config.auth_info = serde_json::from_value(json!({"token": token}))?;
        Self::seen_by(self.connection.clone(), config)
    }

    /// The cluster as `user` in `groups` sees it, by impersonation; `system:authenticated` is
    /// among the groups without saying so.
    pub fn as_user(&self, user: &str, groups: &[&str]) -> Result<Self> {
        let groups = groups.iter().copied().chain(["system:authenticated"]).map(str::to_owned);
        let mut config = self.connection.admin.clone();
        config.auth_info = AuthInfo {
            impersonate: Some(user.to_owned()),
            impersonate_groups: Some(groups.collect()),
            ..config.auth_info
        };
        Self::seen_by(self.connection.clone(), config)
    }

    /// The cluster as a ServiceAccount sees it, by impersonation: it needn't exist.
    pub fn as_service_account(&self, namespace: &str, name: &str) -> Result<Self> {
        let groups = service_account_groups(namespace);
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        self.as_user(&service_account_user(namespace, name), &groups)
    }

    /// A client for the bearer of `token`.
    pub fn client_for_token(&self, token: &str) -> Result<Client> {
        Ok(self.as_token(token)?.client())
    }

    /// A client that impersonates `user` in `groups`.
    pub fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client> {
        Ok(self.as_user(user, groups)?.client())
    }

    /// A token for a ServiceAccount that exists, valid for a day.
    pub async fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(86_400), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        let token = answer.status.and_then(|status| status.token);
        token.ok_or_else(|| Error::Failed(format!("the API server gave {account} no token")))
    }

    /// Writes a kubeconfig file for `user` in `groups`, by impersonation: what somebody at a command
    /// line has. `namespace` is its context's.
    pub fn kubeconfig_for_user(&self, user: &str, groups: &[&str], namespace: &str) -> Result<PathBuf> {
        let text =
            std::fs::read_to_string(self.kubeconfig()).explain("read the administrator's kubeconfig")?;
        let mut kubeconfig: serde_json::Value = serde_saphyr::from_str(&text)
            .map_err(|error| Error::Failed(format!("the administrator's kubeconfig: {error}")))?;
        let groups: Vec<&str> = groups.iter().copied().chain(["system:authenticated"]).collect();
        for entry in kubeconfig["users"].as_array_mut().into_iter().flatten() {
            entry["user"]["as"] = json!(user);
            entry["user"]["as-groups"] = json!(groups);
        }
        for entry in kubeconfig["contexts"].as_array_mut().into_iter().flatten() {
            entry["context"]["namespace"] = json!(namespace);
        }
        let path = self.directory().join(format!("{}.kubeconfig", self.unique("person")));
        std::fs::write(&path, serde_json::to_vec_pretty(&kubeconfig)?).explain("write a kubeconfig")?;
        Ok(path)
    }

    /// Writes a kubeconfig file for the bearer of `token`; `name` is its name and the user's.
    pub fn kubeconfig_for_token(&self, name: &str, token: &str) -> Result<PathBuf> {
        let admin = &self.connection.admin;
        let authority: String = admin.root_cert.iter().flatten().map(|der| pem(der)).collect();
        let mut cluster = json!({"server": admin.cluster_url.to_string()});
        if !authority.is_empty() {
            cluster["certificate-authority-data"] = json!(ByteString(authority.into_bytes()));
        }
        if admin.accept_invalid_certs {
            cluster["insecure-skip-tls-verify"] = json!(true);
        }
        if let Some(server_name) = &admin.tls_server_name {
            cluster["tls-server-name"] = json!(server_name);
        }
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "comity-e2e", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "comity-e2e", "context": {"cluster": "comity-e2e", "user": name}}],
            "current-context": "comity-e2e",
        });
        let path = self.directory().join(format!("{name}.kubeconfig"));
        std::fs::write(&path, serde_json::to_vec_pretty(&kubeconfig)?).explain("write a kubeconfig")?;
        Ok(path)
    }
}

/// What the API server calls a ServiceAccount.
pub fn service_account_user(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// The groups of every ServiceAccount of a namespace, less `system:authenticated`.
pub(super) fn service_account_groups(namespace: &str) -> [String; 2] {
    ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
}

/// A certificate in PEM.
fn pem(der: &[u8]) -> String {
    let encoded = json!(ByteString(der.to_vec()));
    let encoded = encoded.as_str().unwrap_or_default().as_bytes();
    let lines: Vec<_> = encoded.chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
