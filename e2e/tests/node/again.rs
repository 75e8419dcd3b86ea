//! What is made again under the same name is somebody else: a pod, a ServiceAccount, a grant, a whole
//! namespace. Identities are bound to UIDs, and don't carry over.

use std::sync::Arc;

use comity::api::condition::{ConditionType, Reason};
use comity::api::grant::OpeningStatus;
use comity::api::{PartnerGrant, Stage};
use e2e::cluster::{await_gone, await_object};
use e2e::comity::people::OLGA;
use e2e::node::{NAME, Node};
use e2e::{Error, Result, eventually};
use k8s_openapi::api::certificates::v1beta1::{PodCertificateRequest, PodCertificateRequestStatus};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Api, ResourceExt as _};

use super::door::{Verdict, certified, credential, serve, with_keys_of_nodes};
use super::ground::while_nothing_signs;
use super::story::{SOON, Story, Wish, ensure};

/// A sandbox, and the node that runs its pods.
struct Again {
    node: Arc<Node>,
    story: Story,
    wish: Wish,
    opening: OpeningStatus,
}

pub async fn identities_dont_carry_over(node: Arc<Node>) -> Result<()> {
    let story = with_keys_of_nodes(&node, 3).await?;
    let wish = Wish { times: ["6h", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
    story.ask(&wish).await?;
    let opening = story.opened(&wish, Stage::Sandbox).await?;
    let again = Again { node, story, wish, opening };
    again.another_pod().await?;
    again.another_account().await?;
    again.another_grant().await?;
    again.another_namespace().await
}

impl Again {
    fn place(&self) -> &str {
        &self.opening.namespace.0
    }

    fn requests(&self) -> Api<PodCertificateRequest> {
        self.story.in_namespace(self.place())
    }

    /// A pod of the name that another had while that one's request was waiting: the one that is gone gets
    /// nothing, not even if its node asks once more; the one that is there gets a key of its own.
    async fn another_pod(&self) -> Result<()> {
        self.node.run(self.place(), &certified(&self.node, "scorer", &["serve", "8443"])).await?;
        let pods = self.story.in_namespace::<Pod>(self.place());
        let first = self.issued(&self.request(&pods.get("scorer").await?).await?).await?;
        self.node.end(self.place(), "scorer").await?;

        let (kept, other) = while_nothing_signs(&self.node, async || {
            let waiting = self.waits("scorer").await?;
            // Its own goes with the pod; one that nobody owns stays.
            let kept = self.asks_for(&waiting).await?;
            self.node.end(self.place(), "scorer").await?;
            let other = self.waits("scorer").await?;
            match self.asks_for(&waiting).await {
                Err(error) if error.to_string().contains("differs from running pod") => Ok((kept, other)),
                other => Err(Error::Failed(format!("a node asked for a pod that is gone: {other:?}"))),
            }
        })
        .await?;
        self.denied(&kept, "NotThisPod").await?;
        let second = self.issued(&other).await?;
        self.node.address(self.place(), "scorer").await?;
        ensure(first.certificate_chain != second.certificate_chain, || format!("{second:?}"))?;
        self.requests().delete(&kept.name_any(), &DeleteParams::default()).await?;
        self.node.end(self.place(), "scorer").await
    }

    /// Comity makes the account again that somebody deleted, and it is another one.
    async fn another_account(&self) -> Result<()> {
        let accounts = self.story.in_namespace::<ServiceAccount>(self.place());
        let name = "workload-scorer";
        let before = accounts.get(name).await?.uid();
        let waiting = while_nothing_signs(&self.node, async || {
            let waiting = self.waits("scorer").await?;
            accounts.delete(name, &DeleteParams::default()).await?;
            eventually("the account to be made again", SOON, async || match accounts.get_opt(name).await {
                Ok(Some(now)) if now.uid() != before => Ok(waiting.clone()),
                other => Err(format!("{other:?}")),
            })
            .await
        })
        .await?;
        self.denied(&waiting, "NotThisServiceAccount").await?;
        self.node.end(self.place(), "scorer").await?;
        let waiting = self.waits("scorer").await?;
        self.issued(&waiting).await.map(drop)
    }

    /// One of the same name, under the same contract and authority: who had the other's is somebody else.
    async fn another_grant(&self) -> Result<()> {
        let before = credential(&self.story, &self.opening).await?;
        let grants = self.story.api::<PartnerGrant>();
        grants.delete(&self.wish.name, &DeleteParams::default()).await?;
        await_gone(&grants, &self.wish.name, 2 * SOON).await?;
        self.story.ask(&self.wish).await?;
        // Somebody has to agree to one that comes back, at every stage.
        self.story.told(&self.wish, ConditionType::Approved, false, Reason::ConsentPending).await?;
        let grant = grants.get(&self.wish.name).await?;
        OLGA.decide(self.node.cluster(), &OLGA.approval(&grant, Stage::Sandbox)?).await?;
        let after = credential(&self.story, &self.story.opened(&self.wish, Stage::Sandbox).await?).await?;
        ensure(before.anchor == after.anchor, || "it has another authority".to_owned())?;
        let doors = [("8443", &after.id), ("9443", &before.id)];
        let server = serve(&self.node, &self.story, Stage::Sandbox, &after.anchor, &doors).await?;
        server.judges(8443, Some(&after.own), Verdict::LetIn).await?;
        server.judges(8443, Some(&before.own), Verdict::SomebodyElse).await?;
        server.judges(9443, Some(&after.own), Verdict::SomebodyElse).await
    }

    /// All of it, made again as it was: it has another authority.
    async fn another_namespace(&self) -> Result<()> {
        let opening = self.story.opened(&self.wish, Stage::Sandbox).await?;
        let before = credential(&self.story, &opening).await?;
        let namespaces = self.story.everywhere::<Namespace>();
        namespaces.delete(&self.story.namespace, &DeleteParams::default()).await?;
        await_gone(&namespaces, &self.story.namespace, 3 * SOON).await?;
        let story = Story::called(self.node.cluster(), &self.story.namespace).await?;
        story.ask(&self.wish).await?;
        let after = credential(&story, &story.opened(&self.wish, Stage::Sandbox).await?).await?;
        let doors = [("8443", &after.id), ("9443", &before.id)];
        let server = serve(&self.node, &story, Stage::Sandbox, &after.anchor, &doors).await?;
        server.judges(8443, Some(&after.own), Verdict::LetIn).await?;
        server.judges(8443, Some(&before.own), Verdict::NotBelieved).await?;
        server.judges(9443, Some(&before.own), Verdict::NotBelieved).await
    }

    /// Makes a pod that waits for its certificate; its node's request.
    async fn waits(&self, name: &str) -> Result<PodCertificateRequest> {
        let pod = certified(&self.node, name, &["serve", "8443"]);
        let pod = self.node.make(self.place(), &pod).await?;
        self.request(&pod).await
    }

    /// What a pod's node asks for.
    async fn request(&self, pod: &Pod) -> Result<PodCertificateRequest> {
        let uid = pod.uid().unwrap_or_default();
        eventually(&format!("a request for pod {uid}"), SOON, async || {
            let all =
                self.requests().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let mine = all.items.into_iter().find(|request| request.spec.pod_uid == uid);
            mine.ok_or("none yet".to_owned())
        })
        .await
    }

    /// The node asks for the same in a request that nobody owns.
    async fn asks_for(&self, request: &PodCertificateRequest) -> Result<PodCertificateRequest> {
        let node = self.node.cluster().as_user(&format!("system:node:{NAME}"), &["system:nodes"])?.client();
        let metadata = ObjectMeta { generate_name: Some("once-more-".to_owned()), ..ObjectMeta::default() };
        let request = PodCertificateRequest { metadata, spec: request.spec.clone(), status: None };
        let requests = Api::<PodCertificateRequest>::namespaced(node, self.place());
        Ok(requests.create(&PostParams::default(), &request).await?)
    }

    async fn answered(&self, request: &PodCertificateRequest) -> Result<PodCertificateRequestStatus> {
        await_object(&self.requests(), &request.name_any(), "an answer", SOON, |request| {
            let status = request.status.clone().unwrap_or_default();
            let is_answered = status.conditions.as_ref().is_some_and(|all| !all.is_empty());
            if is_answered { Ok(status) } else { Err("none yet".to_owned()) }
        })
        .await
    }

    async fn issued(&self, request: &PodCertificateRequest) -> Result<PodCertificateRequestStatus> {
        let status = self.answered(request).await?;
        match status.certificate_chain {
            Some(_) => Ok(status),
            None => Err(Error::Failed(format!("nothing was issued: {status:?}"))),
        }
    }

    async fn denied(&self, request: &PodCertificateRequest, reason: &str) -> Result<()> {
        let status = self.answered(request).await?;
        let condition = status.conditions.iter().flatten().next();
        let is_denied = condition.is_some_and(|one| one.type_ == "Denied" && one.reason == reason);
        ensure(is_denied, || format!("not denied with {reason}: {status:?}"))
    }
}
