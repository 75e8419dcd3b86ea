//! Who is let in by certificates of Comity: the workload of the very grant and stage, with the key that
//! its node made, and nobody else.

use std::sync::Arc;

use comity::api::Stage;
use comity::api::grant::OpeningStatus;
use e2e::node::Node;
use e2e::node::tls::{Identity, LET_IN};
use e2e::{Error, Explain as _, Result, eventually};
use jiff::Timestamp;
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
use kube::api::ListParams;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};

use super::door::{
    Credential, Server, Verdict, believing, certified, credential, prints, serve, with_keys_of_nodes,
};
use super::ground::SOON;
use super::story::{Story, Wish, ensure};

pub async fn only_the_very_workload_is_let_in(node: Arc<Node>) -> Result<()> {
    let story = with_keys_of_nodes(&node, 3).await?;
    let short = ["90s", "1h", "1h"];
    let other =
        Wish { purpose: "model-quality", times: short, ..Wish::up_to(Stage::Sandbox).called("other") };
    let wish = Wish { times: ["1h", "1h", "4h"], ..Wish::up_to(Stage::Sandbox) };
    story.ask(&other).await?;
    story.ask(&wish).await?;
    let others = story.opened(&other, Stage::Sandbox).await?;
    let ended = others.expires_at.0;
    let others = credential(&story, &others).await?;
    let sandbox = credential(&story, &story.opened(&wish, Stage::Sandbox).await?).await?;
    ensure(others.anchor == sandbox.anchor, || {
        "two grants of a contract and stage have two authorities".into()
    })?;

    let doors = [("8443", &sandbox.id), ("9443", &others.id)];
    let server = serve(&node, &story, Stage::Sandbox, &sandbox.anchor, &doors).await?;
    server.judges(8443, Some(&sandbox.own), Verdict::LetIn).await?;
    server.judges(8443, Some(&others.own), Verdict::SomebodyElse).await?;
    server.judges(9443, Some(&others.own), Verdict::LetIn).await?;

    story.ask(&wish.but(Stage::Rehearsal)).await?;
    story.opened(&wish, Stage::Rehearsal).await?;
    story.ask(&wish.but(Stage::Production)).await?;
    let opening = story.agreed(&wish, Stage::Production).await?;
    in_production(&node, &story, &opening, &[&sandbox.own, &others.own]).await?;

    eventually("the other's certificate to end", 4 * SOON, async || {
        let left = ended.duration_since(Timestamp::now());
        if left.is_negative() { Ok(()) } else { Err(format!("{left:#} left")) }
    })
    .await?;
    server.judges(9443, Some(&others.own), Verdict::NotBelieved).await
}

/// What serves production's data lets production's workload in, from its pods, and nobody else; and so
/// does a pod that serves others of its workload.
async fn in_production(
    node: &Node,
    story: &Story,
    opening: &OpeningStatus,
    strangers: &[&Identity],
) -> Result<()> {
    let place = &opening.namespace.0;
    let production = credential(story, opening).await?;
    let Credential { anchor, id, .. } = &production;
    let server = serve(node, story, Stage::Production, anchor, &[("8443", id)]).await?;
    let asking = certified(node, "asking", &["ask", "/tls", &server.door(8443).to_string()]);
    node.run(place, &believing(asking, &server)).await?;
    prints(node, place, "asking", &format!("told {LET_IN} {id}")).await?;

    let serving = node.run(place, &certified(node, "serving", &["tls", "/tls", "8443", id])).await?;
    let serving = Server {
        certificate: anchor.clone(),
        anchor: anchor.clone(),
        id: Some(id.clone()),
        address: serving,
    };
    let peer = certified(node, "peer", &["ask", "/tls", &serving.door(8443).to_string(), id]);
    node.run(place, &peer).await?;
    prints(node, place, "peer", &format!("told {LET_IN} {id}")).await?;

    let by_the_partner = by_the_partner(id)?;
    for server in [&server, &serving] {
        server.judges(8443, Some(&production.own), Verdict::LetIn).await?;
        for stranger in strangers.iter().copied().chain([&by_the_partner]) {
            server.judges(8443, Some(stranger), Verdict::NotBelieved).await?;
        }
        server.judges(8443, None, Verdict::NotBelieved).await?;
    }
    is_its_own(story, opening, &serving.shows(8443, &production.own)?, &production).await
}

/// What a pod shows is what was certified for it at its node's request, and in no Secret.
async fn is_its_own(story: &Story, opening: &OpeningStatus, shown: &str, secret: &Credential) -> Result<()> {
    let requests = story.in_namespace::<PodCertificateRequest>(&opening.namespace.0);
    let requests = requests.list(&ListParams::default()).await?.items;
    let mine = requests.into_iter().find(|request| request.spec.pod_name == "serving");
    let issued = mine.and_then(|request| request.status);
    let issued = issued.ok_or_else(|| Error::Failed("its node asked for nothing".to_owned()))?;
    let chain = issued.certificate_chain.unwrap_or_default();
    let first = |chain: &str| chain.lines().take_while(|line| !line.contains("END")).collect::<String>();
    ensure(!shown.is_empty() && first(&chain) == first(shown), || format!("{shown} isn't {chain}"))?;
    ensure(first(&secret.own.chain) != first(shown), || "it is that of the Secret".to_owned())?;
    let own = Identity { chain: shown.to_owned(), key: String::new() };
    let (id, end) = (own.spiffe_id()?, issued.not_after.map(|end| end.0));
    ensure(id.as_ref() == Some(&secret.id), || format!("{id:?}"))?;
    ensure(end.is_some_and(|end| end <= opening.expires_at.0), || format!("it lasts until {end:?}"))
}

/// A certificate with this SPIFFE ID from an authority that the partner made.
fn by_the_partner(id: &str) -> Result<Identity> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Northpay");
    let issuer = Issuer::new(authority, KeyPair::generate().explain("make a key")?);
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![SanType::URI(id.try_into().explain("name it")?)];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().explain("make a key")?;
    let certificate = leaf.signed_by(&key, &issuer).explain("sign it")?;
    Ok(Identity { chain: certificate.pem(), key: key.serialize_pem() })
}
