//! What serves by TLS in these stories, and how it judges who comes: rustls decides, and `openssl` is a
//! witness that isn't ours.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use comity::api::grant::OpeningStatus;
use comity::api::{Stage, name};
use e2e::cluster::await_object;
use e2e::node::Node;
use e2e::node::tls::{self, BUNDLE, Identity, LET_IN, SERVER, Whom};
use e2e::{Explain as _, Result, eventually};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::ground::SOON;
use super::scene::serves;
use super::story::{Story, ensure};

/// What a client shows, and what is to come of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    LetIn,
    /// The authority is the right one, and the SPIFFE ID somebody else's.
    SomebodyElse,
    /// The authority isn't the right one, or what it said is over.
    NotBelieved,
}

/// A workload's certificate from its Secret, and the anchor that it is believed by.
pub struct Credential {
    pub own: Identity,
    pub anchor: String,
    pub id: String,
    /// The stage's namespace.
    pub place: String,
}

/// Something that serves by TLS.
pub struct Server {
    /// What its clients believe.
    pub certificate: String,
    /// Whom it believes.
    pub anchor: String,
    /// Its SPIFFE ID; `None`: it serves a dataset.
    pub id: Option<String>,
    pub address: IpAddr,
}

/// A story whose contract lets nodes make keys, and delivers some as Secrets too, which live for so long.
pub async fn with_keys_of_nodes(node: &Node, hours: u8) -> Result<Story> {
    let story = Story::without_ground(node.cluster()).await?;
    lay_ground(&story, hours).await?;
    Ok(story)
}

/// Applies what such a story stands on.
pub async fn lay_ground(story: &Story, hours: u8) -> Result<()> {
    let ground = story.ground().replace("credentialTTL: 1h", &format!("credentialTTL: {hours}h"));
    let ground = ground.replace("keyDelivery: [Secret]", "keyDelivery: [PodCertificate, Secret]");
    story.cluster.apply_yaml(&ground).await.map(drop)
}

/// The certificate that Comity made for the workload of an opening.
pub async fn credential(story: &Story, opening: &OpeningStatus) -> Result<Credential> {
    let place = opening.namespace.0.clone();
    let mut data =
        story.in_namespace::<Secret>(&place).get("comity-tls-scorer").await?.data.unwrap_or_default();
    let mut text = |key: &str| String::from_utf8_lossy(&data.remove(key).unwrap_or_default().0).into_owned();
    let own = Identity { chain: text("tls.crt"), key: text("tls.key") };
    let id = own.spiffe_id()?.unwrap_or_default();
    Ok(Credential { own, anchor: published(story, &place).await?, id, place })
}

/// The anchors that a stage is believed by now.
pub async fn published(story: &Story, place: &str) -> Result<String> {
    let trust = story.in_namespace::<ConfigMap>(place).get(name::TRUST_CONFIG_MAP).await?;
    Ok(trust.data.unwrap_or_default().remove("ca.crt").unwrap_or_default())
}

/// Runs what serves the dataset at a stage, with doors for these SPIFFE IDs. It believes one anchor for ever.
pub async fn serve(
    node: &Node,
    story: &Story,
    stage: Stage,
    anchor: &str,
    doors: &[(&str, &String)],
) -> Result<Server> {
    let certificate = known(story, serves(stage), anchor).await?;
    let volume = json!({"secret": {"secretName": serves(stage)}});
    let address = behind(node, story, (stage, serves(stage)), &volume, doors).await?;
    Ok(Server { certificate, anchor: anchor.to_owned(), id: None, address })
}

/// Runs what serves the dataset of the sandbox in `place` and believes what Comity says where the datasets are.
pub async fn serve_as_told(
    node: &Node,
    story: &Story,
    place: &str,
    anchor: &str,
    doors: &[(&str, &String)],
) -> Result<Server> {
    let group = "rbac.authorization.k8s.io";
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
        "metadata": {"name": "comity-sign", "namespace": story.namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name::PUBLISHER_CLUSTER_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": name::SIGN, "namespace": name::DEFAULT_SYSTEM_NAMESPACE}]});
    story.cluster.apply_yaml(&binding.to_string()).await?;
    let (called, maps) = ("tx-told", story.api::<ConfigMap>());
    await_object(&maps, &name::dataset_trust(place), "whom to believe", 3 * SOON, |_| Ok::<_, String>(()))
        .await?;
    let certificate = known(story, called, anchor).await?;
    let own = ["tls.crt", "tls.key"].map(|file| json!({"key": file, "path": file}));
    let volume = json!({"projected": {"sources": [
        {"secret": {"name": called, "items": own}},
        {"configMap": {"name": name::dataset_trust(place), "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]}});
    let address = behind(node, story, (Stage::Sandbox, called), &volume, doors).await?;
    Ok(Server { certificate, anchor: anchor.to_owned(), id: None, address })
}

/// Makes a Secret for what serves a dataset, with whom it believes beside that; the certificate in it.
async fn known(story: &Story, called: &str, anchor: &str) -> Result<String> {
    let key = KeyPair::generate().explain("make a key")?;
    let own = CertificateParams::new([SERVER.to_owned()]).explain("name it")?;
    let certificate = own.self_signed(&key).explain("sign it")?.pem();
    let files = BTreeMap::from([
        ("tls.crt", certificate.clone()),
        ("tls.key", key.serialize_pem()),
        ("ca.crt", anchor.to_owned()),
    ]);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": files,
        "metadata": {"name": called, "namespace": story.namespace}});
    story.cluster.apply_yaml(&secret.to_string()).await?;
    Ok(certificate)
}

/// Runs a pod that serves the dataset of a stage with what a volume holds.
async fn behind(
    node: &Node,
    story: &Story,
    (stage, called): (Stage, &str),
    volume: &Value,
    doors: &[(&str, &String)],
) -> Result<IpAddr> {
    let mut arguments = vec!["tls", "/tls"];
    arguments.extend(doors.iter().flat_map(|(port, id)| [*port, id.as_str()]));
    let labels = json!({"part-of": "transactions", "app": serves(stage)});
    let mut pod = node.pod(called, &labels, &arguments);
    mounting(&mut pod, volume);
    node.run(&story.namespace, &pod).await
}

/// A pod of the workload with a key that its node makes, its certificate, and the stage's anchor in `/tls`.
pub fn certified(node: &Node, name: &str, arguments: &[&str]) -> Value {
    let mut pod = node.pod(name, &json!({"comity.dev/purpose": "fraud-detection"}), arguments);
    pod["spec"]["serviceAccountName"] = json!("workload-scorer");
    let sources = json!([
        {"podCertificate": {"signerName": "comity.dev/workload", "keyType": "ECDSAP256",
            "credentialBundlePath": BUNDLE}},
        {"configMap": {"name": name::TRUST_CONFIG_MAP, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]);
    mounting(&mut pod, &json!({"projected": {"sources": sources}}));
    pod
}

/// The same with what Comity puts into a Secret.
pub fn delivered(node: &Node, name: &str, arguments: &[&str]) -> Value {
    let mut pod = certified(node, name, arguments);
    mounting(&mut pod, &json!({"secret": {"secretName": "comity-tls-scorer"}}));
    pod
}

/// Gives a pod's container a volume as `/tls`.
fn mounting(pod: &mut Value, volume: &Value) {
    let mut volume = volume.clone();
    volume["name"] = json!("tls");
    pod["spec"]["volumes"] = json!([volume]);
    let mounts = json!([{"name": "tls", "mountPath": "/tls", "readOnly": true}]);
    pod["spec"]["containers"][0]["volumeMounts"] = mounts;
}

/// Tells a pod which authority what serves the dataset has.
pub fn believing(mut pod: Value, server: &Server) -> Value {
    pod["spec"]["containers"][0]["env"] = json!([{"name": "SPEAKER_ANCHOR", "value": server.certificate}]);
    pod
}

/// Awaits that a pod prints this.
pub async fn prints(node: &Node, namespace: &str, pod: &str, wanted: &str) -> Result<()> {
    eventually(&format!("{namespace}/{pod} to say {wanted:?}"), SOON, async || {
        let printed = node.printed(namespace, pod);
        if printed.contains(wanted) { Ok(()) } else { Err(printed) }
    })
    .await
}

/// How often a pod that asks all the time was let in so far.
pub fn handshakes(node: &Node, namespace: &str, pod: &str) -> usize {
    let printed = node.printed(namespace, pod);
    printed.lines().filter(|line| line.contains(&format!("told {LET_IN}"))).count()
}

/// Makes sure that a pod that asks all the time was let in each time since the first; how often.
pub fn nobody_was_refused(node: &Node, namespace: &str, pod: &str) -> Result<usize> {
    let printed = node.printed(namespace, pod);
    let is_told = |line: &&str| line.contains(&format!("told {LET_IN}"));
    let (told, refused): (Vec<&str>, Vec<&str>) =
        printed.lines().skip_while(|line| !is_told(line)).partition(is_told);
    println!("{pod}: {} handshakes while certificates were renewed, {} failed", told.len(), refused.len());
    ensure(refused.is_empty(), || refused.join("\n"))?;
    Ok(told.len())
}

impl Server {
    pub fn door(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    /// Makes sure that a client is judged like this, by rustls and by openssl.
    pub async fn judges(&self, port: u16, own: Option<&Identity>, verdict: Verdict) -> Result<()> {
        let to = self.door(port);
        let wanted = verdict == Verdict::LetIn;
        let whom = self.id.as_deref().map_or(Whom::Dataset, Whom::Id);
        let client = tls::client(own, &self.certificate, whom)?;
        // The process in a pod that is running may not listen yet.
        eventually(&format!("{to} to answer {verdict:?}"), SOON, async || {
            let client = client.clone();
            let asked = tokio::task::spawn_blocking(move || tls::ask(client, to)).await;
            let asked = asked.map_err(|error| error.to_string())?;
            match &asked {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Err(error.to_string()),
                Ok(said) if said.starts_with(LET_IN) == wanted => Ok(()),
                Err(_) if !wanted => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
        self.openssl_agrees(to, own, verdict)
    }

    fn openssl_agrees(&self, to: SocketAddr, own: Option<&Identity>, verdict: Verdict) -> Result<()> {
        let files = tempfile::tempdir()?;
        if let Some(own) = own {
            let (chain, anchor) = (file(files.path(), "tls.crt", &own.chain)?, &self.anchor);
            let anchor = file(files.path(), "anchor.crt", anchor)?;
            let (_, believed) = openssl(&["verify", "-purpose", "sslclient", "-CAfile", &anchor, &chain])?;
            let wanted = verdict != Verdict::NotBelieved;
            ensure(believed == wanted, || format!("openssl verify believes it: {believed}"))?;
        }
        let (said, _) = self.openssl_asks(files.path(), to, own, &["-quiet"])?;
        let is_in = said.contains(LET_IN);
        ensure(is_in == (verdict == Verdict::LetIn), || format!("openssl was told {said:?}, {verdict:?}"))
    }

    /// The chain that is shown to openssl, which believes it.
    pub fn shows(&self, port: u16, own: &Identity) -> Result<String> {
        let files = tempfile::tempdir()?;
        let (said, believed) =
            self.openssl_asks(files.path(), self.door(port), Some(own), &["-showcerts"])?;
        ensure(believed, || format!("openssl doesn't believe what it was shown: {said}"))?;
        let begin = said.find("-----BEGIN CERTIFICATE-----").unwrap_or_default();
        let end = said.rfind("-----END CERTIFICATE-----\n").map_or(begin, |at| at + 26);
        Ok(said[begin..end].to_owned())
    }

    /// Connects by openssl, which doesn't go on with whom it doesn't believe.
    fn openssl_asks(
        &self,
        files: &Path,
        to: SocketAddr,
        own: Option<&Identity>,
        how: &[&str],
    ) -> Result<(String, bool)> {
        let (believed, to) = (file(files, "server.crt", &self.certificate)?, to.to_string());
        let mut client = vec!["s_client", "-verify_return_error", "-servername", SERVER];
        client.extend(["-CAfile", &believed, "-connect", &to]);
        client.extend(how);
        let (chain, key);
        if let Some(own) = own {
            (chain, key) = (file(files, "tls.crt", &own.chain)?, file(files, "tls.key", &own.key)?);
            client.extend(["-cert", &chain, "-key", &key]);
        }
        openssl(&client)
    }
}

fn file(directory: &Path, name: &str, content: &str) -> Result<String> {
    let path = directory.join(name);
    fs::write(&path, content)?;
    Ok(path.display().to_string())
}

/// What openssl printed, and whether it succeeded.
pub fn openssl(arguments: &[&str]) -> Result<(String, bool)> {
    let mut command = Command::new("timeout");
    command.args(["20", "openssl"]).args(arguments).stdin(Stdio::null());
    let output = command.output().explain("run openssl")?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success()))
}
