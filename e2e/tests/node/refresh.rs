//! A node asks again when it is told to, and the pod goes on with what it gets, without a refusal.

use std::sync::Arc;
use std::time::Duration;

use comity::api::Stage;
use e2e::node::Node;
use e2e::node::tls::LET_IN;
use e2e::{Result, eventually};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::door::{
    Server, Verdict, believing, certified, credential, nobody_was_refused, prints, serve, with_keys_of_nodes,
};
use super::ground::SOON;
use super::story::{Wish, ensure};

/// The shortest certificate that a pod can have lives for an hour, and is renewed at two thirds of it at
/// the latest; a node may be 10 minutes late.
const REFRESHED_WITHIN: Duration = Duration::from_secs(55 * 60);
/// How late a node may be.
const LATE: SignedDuration = SignedDuration::from_mins(10);

pub async fn nodes_ask_again_when_they_are_told_to(node: Arc<Node>) -> Result<()> {
    let story = with_keys_of_nodes(&node, 2).await?;
    let wish = Wish { times: ["6h", "1h", "1h"], ..Wish::up_to(Stage::Sandbox) };
    story.ask(&wish).await?;
    let opening = story.opened(&wish, Stage::Sandbox).await?;
    let place = &opening.namespace.0;
    let own = credential(&story, &opening).await?;
    let dataset = serve(&node, &story, Stage::Sandbox, &own.anchor, &[("8443", &own.id)]).await?;
    dataset.judges(8443, Some(&own.own), Verdict::LetIn).await?;
    let asking = certified(&node, "asking", &["ask", "/tls", &dataset.door(8443).to_string()]);
    node.run(place, &believing(asking, &dataset)).await?;
    prints(&node, place, "asking", &format!("told {LET_IN}")).await?;
    let address = node.run(place, &certified(&node, "serving", &["tls", "/tls", "8443", &own.id])).await?;
    let (certificate, anchor) = (own.anchor.clone(), own.anchor.clone());
    let serving = Server { certificate, anchor, id: Some(own.id.clone()), address };
    serving.judges(8443, Some(&own.own), Verdict::LetIn).await?;
    let before = serving.shows(8443, &own.own)?;

    let requests = story.in_namespace::<PodCertificateRequest>(place);
    let first = issued(&requests, "serving", None).await?;
    let told = first.status.as_ref().and_then(|status| status.begin_refresh_at.clone());
    let told = told.map_or(Timestamp::MAX, |at| at.0);
    let second = issued(&requests, "serving", Some(&first)).await?;
    let asked = second.metadata.creation_timestamp.as_ref().map_or(Timestamp::MIN, |at| at.0);
    let late = asked.duration_since(told);
    println!("the node asked again {late:#} after it was to, without waiting more than {LATE:#}");
    ensure(!late.is_negative() && late < LATE, || format!("it asked {late:#} after it was to"))?;
    eventually("what is shown to be the new certificate", SOON, async || {
        let now = serving.shows(8443, &own.own).map_err(|error| error.to_string())?;
        if now == before { Err("it is the old one".to_owned()) } else { Ok(()) }
    })
    .await?;
    nobody_was_refused(&node, place, "asking").map(drop)
}

/// What was issued for a pod, after this one.
async fn issued(
    requests: &Api<PodCertificateRequest>,
    pod: &str,
    after: Option<&PodCertificateRequest>,
) -> Result<PodCertificateRequest> {
    eventually(&format!("a certificate for {pod}"), REFRESHED_WITHIN, async || {
        let all = requests.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let mine = all.into_iter().find(|request| {
            let is_another = after.is_none_or(|after| after.name_any() != request.name_any());
            let chain = request.status.as_ref().and_then(|status| status.certificate_chain.as_ref());
            request.spec.pod_name == pod && is_another && chain.is_some()
        });
        mine.ok_or("none yet".to_owned())
    })
    .await
}
