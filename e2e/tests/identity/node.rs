//! A node without a kubelet: it has pods bound to it, says that they run, and asks for certificates, all
//! with the rights that nodes have.

use comity::cluster::asking::{Version, served};
use e2e::{Cluster, Error, Explain as _, Result, eventually};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1beta1::{
    PodCertificateRequest, PodCertificateRequestSpec, PodCertificateRequestStatus,
};
use k8s_openapi::api::core::v1::{Node as NodeObject, Pod, ServiceAccount};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use super::story::SOON;

/// The signer of workloads.
pub const SIGNER: &str = "comity.dev/workload";

/// What nodes make.
const KIND: &str = "PodCertificateRequest";
/// The same in paths.
const PLURAL: &str = "podcertificaterequests";
/// The group of it.
const GROUP: &str = "certificates.k8s.io";

/// A node.
pub struct Node {
    /// The cluster as its administrator sees it.
    admin: Cluster,
    /// The cluster as the node sees it.
    pub own: Cluster,
    name: String,
    uid: String,
    /// In which version it asks.
    version: Version,
}

/// How a key is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// As PKCS #10.
    Request,
    /// As a public key with a signature over the pod's UID: nodes before Kubernetes 1.36.
    PublicKey,
}

/// What a node asks for.
pub struct Ask<'a> {
    /// For which pod.
    pub pod: &'a Pod,
    /// For which key.
    pub key: &'a KeyPair,
    /// How the key is sent.
    pub form: Form,
    /// For how long at most.
    pub longest: i32,
    /// The annotations of the pod's volume.
    pub annotations: &'a [(&'a str, &'a str)],
    /// Of which signer.
    pub signer: &'a str,
}

impl<'a> Ask<'a> {
    /// What a node asks for that the pod says nothing special to.
    pub fn ordinary(pod: &'a Pod, key: &'a KeyPair) -> Self {
        Self { pod, key, form: Form::Request, longest: 86_400, annotations: &[], signer: SIGNER }
    }
}

impl Node {
    /// A new node.
    pub async fn join(admin: &Cluster) -> Result<Self> {
        let name = admin.unique("node");
        let node = NodeObject {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..NodeObject::default()
        };
        let node = Api::<NodeObject>::all(admin.client()).create(&PostParams::default(), &node).await?;
        let own = admin.as_user(&format!("system:node:{name}"), &["system:nodes"])?;
        let uid = node.uid().unwrap_or_default();
        let version = served(&admin.client()).await?;
        let version = version.ok_or_else(|| Error::Failed("nodes can't ask here".to_owned()))?;
        Ok(Self { admin: admin.clone(), own, name, uid, version })
    }

    /// Whether it may send a key without a request in PKCS #10, as nodes did before Kubernetes 1.36.
    pub fn is_older(&self) -> bool {
        self.version == Version::V1Beta1
    }

    const fn version(&self) -> &'static str {
        match self.version {
            Version::V1Beta1 => "v1beta1",
            Version::V1 => "v1",
        }
    }

    /// Makes a pod of the workload `scorer` and binds it to this node, where it waits for its volumes.
    pub async fn pod(&self, place: &str, name: &str) -> Result<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.admin.client(), place);
        let pod = pod(name, &json!([certificate()]))?;
        eventually(&format!("pod {name} to be let in"), SOON, async || {
            pods.create(&PostParams::default(), &pod).await.map_err(|error| error.to_string())
        })
        .await?;
        self.bind(place, name).await?;
        Ok(pods.get(name).await?)
    }

    /// Binds a pod to this node.
    pub async fn bind(&self, place: &str, name: &str) -> Result<()> {
        let target = json!({"apiVersion": "v1", "kind": "Node", "name": self.name});
        let binding = json!({"metadata": {"name": name}, "target": target});
        let path = format!("/api/v1/namespaces/{place}/pods/{name}/binding");
        e2e::attempt::create(&path, binding).do_as(&self.admin).await.map(drop)
    }

    /// Says that a pod runs.
    pub async fn runs(&self, pod: &Pod) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.own.client(), &pod.namespace().unwrap_or_default());
        let status = Patch::Merge(json!({"status": {"phase": "Running"}}));
        eventually("the node to know the pod", SOON, async || {
            pods.patch_status(&pod.name_any(), &PatchParams::default(), &status).await
        })
        .await
        .map(drop)
    }

    /// Asks for a certificate; the API server knows the pod a moment late.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<PodCertificateRequest> {
        let request = self.request(ask).await?;
        eventually("the node to be let ask", SOON, async || {
            self.send(&request).await.map_err(|error| error.to_string())
        })
        .await
    }

    /// Makes a request, once.
    pub async fn send(&self, request: &PodCertificateRequest) -> Result<PodCertificateRequest> {
        let written = serde_json::from_value(self.written(request)?)?;
        let api = self.requests(self.own.client(), request);
        read(api.create(&PostParams::default(), &written).await?)
    }

    /// A request as it is written in the version that the node asks in.
    pub fn written(&self, request: &PodCertificateRequest) -> Result<Value> {
        let mut written = serde_json::to_value(request)?;
        written["apiVersion"] = json!(format!("{GROUP}/{}", self.version()));
        Ok(written)
    }

    /// Where requests of a namespace are.
    pub fn path(&self, place: &str) -> String {
        format!("/apis/{GROUP}/{}/namespaces/{place}/{PLURAL}", self.version())
    }

    /// The request that a node would make.
    pub async fn request(&self, ask: &Ask<'_>) -> Result<PodCertificateRequest> {
        let place = ask.pod.namespace().unwrap_or_default();
        let account =
            ask.pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone()).unwrap_or_default();
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.client(), &place);
        let account_uid = accounts.get(&account).await?.uid().unwrap_or_default();
        let pod_uid = ask.pod.uid().unwrap_or_default();
        let annotations = ask.annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut spec = PodCertificateRequestSpec {
            signer_name: ask.signer.to_owned(),
            pod_name: ask.pod.name_any(),
            service_account_name: account,
            service_account_uid: account_uid,
            node_name: self.name.clone(),
            node_uid: self.uid.clone(),
            max_expiration_seconds: Some(ask.longest),
            unverified_user_annotations: Some(annotations.collect()),
            ..PodCertificateRequestSpec::default()
        };
        match ask.form {
            Form::Request => spec.stub_pkc_s10_request = stub(ask.key, |_| ())?,
            Form::PublicKey => {
                let proof = ask.key.sign(pod_uid.as_bytes()).explain("sign the pod's UID")?;
                spec.pkix_public_key = Some(ByteString(ask.key.subject_public_key_info()));
                spec.proof_of_possession = Some(ByteString(proof));
            }
        }
        spec.pod_uid = pod_uid;
        let metadata = ObjectMeta {
            generate_name: Some("req-".to_owned()),
            namespace: Some(place),
            ..ObjectMeta::default()
        };
        Ok(PodCertificateRequest { metadata, spec, status: None })
    }

    /// What a request says now.
    pub async fn look(&self, request: &PodCertificateRequest) -> Result<PodCertificateRequestStatus> {
        let found = self.requests(self.admin.client(), request).get(&request.name_any()).await?;
        Ok(read(found)?.status.unwrap_or_default())
    }

    /// The requests in the namespace of one.
    fn requests(&self, client: Client, request: &PodCertificateRequest) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(GROUP, self.version(), KIND);
        let kind = ApiResource::from_gvk_with_plural(&kind, PLURAL);
        Api::namespaced_with(client, &request.namespace().unwrap_or_default(), &kind)
    }

    /// Awaits an answer: its type, its reason, and the whole of it.
    pub async fn answer(&self, request: &PodCertificateRequest) -> Result<Answer> {
        eventually(&format!("{}: an answer", request.name_any()), SOON, async || {
            let status = self.look(request).await.map_err(|error| error.to_string())?;
            let condition = status.conditions.clone().unwrap_or_default().into_iter().next();
            let condition = condition.ok_or("none yet")?;
            Ok::<_, String>(Answer {
                type_: condition.type_,
                reason: condition.reason,
                message: condition.message,
                status,
            })
        })
        .await
    }
}

/// A request as the API server has it, in whichever version: the older one says all that the newer does.
fn read(found: DynamicObject) -> Result<PodCertificateRequest> {
    let mut found = serde_json::to_value(found)?;
    found["apiVersion"] = json!(format!("{GROUP}/v1beta1"));
    Ok(serde_json::from_value(found)?)
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `Issued`, `Denied` or `Failed`.
    pub type_: String,
    /// One word.
    pub reason: String,
    /// In words.
    pub message: String,
    /// All of it.
    pub status: PodCertificateRequestStatus,
}

impl Answer {
    /// The chain, if it was issued.
    pub fn chain(&self) -> Result<&str> {
        match (&*self.type_, &self.status.certificate_chain) {
            ("Issued", Some(chain)) => Ok(chain),
            _ => Err(Error::Failed(format!("{self:?}"))),
        }
    }

    /// From when, when to refresh, until when.
    pub fn times(&self) -> Result<[Timestamp; 3]> {
        let status = &self.status;
        let all = [&status.not_before, &status.begin_refresh_at, &status.not_after];
        let all: Option<Vec<Timestamp>> = all.iter().map(|time| Some(time.as_ref()?.0)).collect();
        all.and_then(|all| all.try_into().ok()).ok_or_else(|| Error::Failed(format!("{self:?}")))
    }

    /// Whether it was refused for this reason, in words that hold these.
    pub fn refused(&self, reason: &str, words: &str) -> Result<()> {
        if self.type_ == "Denied" && self.reason == reason && self.message.contains(words) {
            return Ok(());
        }
        Err(Error::Failed(format!("not refused with {reason} ({words}): {self:?}")))
    }
}

/// A volume's part in which a node puts a key and its certificate.
pub fn certificate() -> Value {
    json!({"podCertificate": {"signerName": SIGNER, "keyType": "ECDSAP256", "credentialBundlePath": "bundle.pem"}})
}

/// A pod of the workload `scorer` as the guard lets it in, with a volume of these parts.
pub fn pod(name: &str, parts: &Value) -> Result<Pod> {
    let image = format!("registry.example/partners/scorer@sha256:{}", "0".repeat(64));
    let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let container = json!({"name": "scorer", "image": image, "securityContext": context,
        "volumeMounts": [{"name": "identity", "mountPath": "/identity"}]});
    Ok(serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"comity.dev/purpose": "fraud-detection"}},
        "spec": {
            "serviceAccountName": "workload-scorer",
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "identity", "projected": {"sources": parts}}],
        },
    }))?)
}

/// A request for a key, with nothing but it unless `change` adds something.
pub fn stub(key: &KeyPair, change: impl Fn(&mut CertificateParams)) -> Result<ByteString> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    let request = params.serialize_request(key).explain("make a request")?;
    Ok(ByteString(request.der().to_vec()))
}
