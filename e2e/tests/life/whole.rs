//! A whole life: sandbox, rehearsal, production, the end, and what comes after the end.

use std::time::Duration;

use comity::api::condition::{ConditionType, Reason};
use comity::api::grant::OpeningStatus;
use comity::api::record::{RecordEvent, RecordReason};
use comity::api::stamp::Writers;
use comity::api::{PartnerGrant, Stage, name};
use e2e::cluster::Write;
use e2e::{Error, Result, throughout};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::access::{cleared, engineers, usable};
use super::order::{first, last, writes};
use super::story::{Story, Wish, ensure, over, told};

/// For how long after a stage was closed its namespace waits for certificates to be taken back.
const WAITS_FOR_CERTIFICATES: SignedDuration = SignedDuration::from_secs(5);

#[tokio::test]
async fn a_partner_walks_from_sandbox_to_the_end() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish { times: ["1h", "1h", "30s"], ..Wish::up_to(Stage::Sandbox) };
    let grant = story.ask(&wish).await?;
    let sandbox = stage(&story, &wish, Stage::Sandbox).await?;

    story.ask(&wish.but(Stage::Rehearsal)).await?;
    let rehearsal = stage(&story, &wish, Stage::Rehearsal).await?;
    cleared(&story, &sandbox.namespace.0).await?;

    let last_wish = wish.but(Stage::Production);
    story.ask(&last_wish).await?;
    let production = stage(&story, &wish, Stage::Production).await?;
    cleared(&story, &rehearsal.namespace.0).await?;

    over(production.expires_at.0).await?;
    story.told(&wish, ConditionType::Ready, true, Reason::Ended).await?;
    story.told(&wish, ConditionType::Active, false, Reason::Expired).await?;
    cleared(&story, &production.namespace.0).await?;
    closed_in_order(&story, &grant, &production).await?;
    nobody_is_let_in(&story, &[&sandbox, &rehearsal, &production]).await?;
    whole_journal(&story, &grant).await?;
    only_people_asked(&story, &wish).await?;
    ended_is_final(&story, &last_wish, &[&sandbox, &rehearsal, &production]).await
}

/// Comity put its finalizer on and took it off, and wrote status: none of it asks for anything.
async fn only_people_asked(story: &Story, wish: &Wish) -> Result<()> {
    let grant = story.api::<PartnerGrant>().get(&wish.name).await?;
    let asked = grant.annotations().get(name::ANNOTATION_REQUESTED_BY).map(String::as_str);
    let asked = asked.and_then(Writers::parse).unwrap_or_default();
    let (users, last): (Vec<_>, Vec<_>) =
        asked.iter().map(|writer| (writer.user.as_str(), writer.generation)).unzip();
    assert!(users.len() == 1 && !users[0].contains("comity"), "{users:?}");
    assert_eq!(last, [grant.metadata.generation.unwrap_or_default()]);
    Ok(())
}

/// A stage, once it is open: what it is made of, and in which order that came.
async fn stage(story: &Story, wish: &Wish, stage: Stage) -> Result<OpeningStatus> {
    let opening = match stage {
        Stage::Production => story.agreed(wish, stage).await?,
        _ => story.opened(wish, stage).await?,
    };
    certificate_ends_in_time(story, &opening).await?;
    opened_in_order(story, &opening)?;
    if stage != Stage::Production {
        usable(story, &opening.namespace.0).await?;
    }
    Ok(opening)
}

/// The workload has a certificate of its own, with its name and no longer than the stage.
pub async fn certificate_ends_in_time(story: &Story, opening: &OpeningStatus) -> Result<()> {
    let place = &opening.namespace.0;
    let secret = story.in_namespace::<Secret>(place).get("comity-tls-scorer").await?;
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/tls"));
    let data = secret.data.unwrap_or_default();
    let trust = story.in_namespace::<ConfigMap>(place).get(name::TRUST_CONFIG_MAP).await?;
    let anchor = trust.data.unwrap_or_default().remove("ca.crt").unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(&data["ca.crt"].0), anchor, "workloads trust what is published");
    let (_, pem) = x509_parser::pem::parse_x509_pem(&data["tls.crt"].0).expect("a certificate");
    let (_, certificate) = X509Certificate::from_der(&pem.contents).expect("a certificate");
    let names = certificate.subject_alternative_name().unwrap().expect("names").value.general_names.clone();
    let id = format!("/grant/{}/northpay/{}/", story.namespace, opening.stage.lower());
    assert!(
        matches!(names[..], [GeneralName::URI(uri)] if uri.starts_with("spiffe://") && uri.contains(&id)),
        "{names:?}"
    );
    let ends = certificate.validity().not_after.timestamp();
    assert!(ends <= opening.expires_at.0.as_second(), "the certificate outlives its stage");
    Ok(())
}

/// Promise P5, on the way in.
fn opened_in_order(story: &Story, opening: &OpeningStatus) -> Result<()> {
    let place = opening.namespace.0.as_str();
    let all = writes(story, &[place])?;
    let record = |write: &Write| write.resource == "grantrecords" && write.namespace == story.namespace;
    let begins = first(&all, &format!("create namespaces {place}")).expect("the namespace is made");
    let recorded = all[..begins].iter().rposition(record).expect("a record comes before the namespace");
    let before = all[recorded..begins].iter().filter(|write| write.namespace == place).count();
    ensure(before == 0, || format!("something is written before the namespace: {all:?}"))?;
    // Who rehearses is let in once there is all to try.
    let here = |write: &Write| write.namespace == place && write.name != name::REHEARSER_BINDING;
    let place_writes: Vec<Write> =
        all.into_iter().filter(|write| here(write) || write.name == place).collect();
    let order = [
        "create namespaces",
        "create networkpolicies comity-default-deny",
        "create networkpolicies comity-allow-within",
        "create resourcequotas",
        "create serviceaccounts workload-scorer",
        "create secrets",
        "create configmaps",
        "patch namespaces",
        "create rolebindings comity-role-model-engineer",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|step| first(&place_writes, step)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} of {place_writes:#?}");
    assert_eq!(places.last().copied().flatten(), Some(place_writes.len() - 1), "the binding is last of all");
    Ok(())
}

/// Promise P5, on the way out. Both processes begin at once, and `comity run` waits for certificates to
/// be taken back, but not for long.
async fn closed_in_order(story: &Story, grant: &PartnerGrant, opening: &OpeningStatus) -> Result<()> {
    let place = opening.namespace.0.as_str();
    let all = writes(story, &[place])?;
    let here: Vec<Write> =
        all.into_iter().filter(|write| write.namespace == place || write.name == place).collect();
    let by_run = [
        "delete rolebindings comity-role-model-engineer",
        "patch namespaces",
        "delete networkpolicies comity-allow-within",
        "delete namespaces",
    ];
    let by_sign =
        ["delete secrets comity-tls-scorer", "delete configmaps comity-trust-stage", "delete namespaces"];
    let waited = has_waited(story, grant, &here).await?;
    for order in if waited { vec![&by_run[..]] } else { vec![&by_run[..], &by_sign] } {
        let places: Vec<Option<usize>> = order.iter().map(|step| last(&here, step)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} of {here:#?}");
    }
    let kept = first(&here, "delete networkpolicies comity-default-deny");
    assert_eq!(kept, None, "default deny goes with the namespace");
    Ok(())
}

/// Whether `comity run` waited for certificates for as long as it does, as on a machine that is too busy
/// for `comity sign`.
async fn has_waited(story: &Story, grant: &PartnerGrant, writes: &[Write]) -> Result<bool> {
    let journal = story.journal(grant).await?;
    let closed = journal.iter().rfind(|line| line.event == RecordEvent::Closed).map(|line| line.at.0);
    let cleared = last(writes, "delete namespaces").map(|place| writes[place].at.parse::<Timestamp>());
    let cleared = cleared.transpose().map_err(|error| Error::Failed(error.to_string()))?;
    Ok(closed.zip(cleared).is_some_and(|(closed, cleared)| cleared >= closed + WAITS_FOR_CERTIFICATES))
}

async fn nobody_is_let_in(story: &Story, openings: &[&OpeningStatus]) -> Result<()> {
    for opening in openings {
        let place = opening.namespace.0.as_str();
        let can = story.cluster.can(&engineers(place), "list", "pods", Some(place)).await?;
        ensure(!can, || format!("the partner can still list pods in {place}"))?;
    }
    Ok(())
}

/// The journal tells the whole life, and the finalizer is gone.
async fn whole_journal(story: &Story, grant: &PartnerGrant) -> Result<()> {
    use RecordEvent::{Approved, Closed, Ended, Opened, Rehearsed, Requested};
    use RecordReason::{Decided, Expired, NothingLeft, Promoted};
    let journal = story.recorded(grant, Ended, Some(NothingLeft)).await?;
    let life = [
        (Requested, None, None),
        (Opened, Some(Stage::Sandbox), None),
        (Opened, Some(Stage::Rehearsal), None),
        (Closed, Some(Stage::Sandbox), Some(Promoted)),
        (Rehearsed, Some(Stage::Rehearsal), None),
        (Requested, Some(Stage::Production), None),
        (Approved, Some(Stage::Production), Some(Decided)),
        (Approved, Some(Stage::Production), Some(Decided)),
        (Opened, Some(Stage::Production), None),
        (Closed, Some(Stage::Rehearsal), Some(Promoted)),
        (Closed, Some(Stage::Production), Some(Expired)),
        (Ended, None, Some(NothingLeft)),
    ];
    assert_eq!(told(&journal), life);
    let now = story.api::<PartnerGrant>().get(&grant.name_any()).await?;
    assert_eq!(now.finalizers(), [] as [&str; 0], "whoever may delete it can");
    Ok(())
}

/// Promise P6: neither the same file nor a changed one opens anything.
async fn ended_is_final(story: &Story, wish: &Wish, openings: &[&OpeningStatus]) -> Result<()> {
    let places: Vec<&str> = openings.iter().map(|opening| opening.namespace.0.as_str()).collect();
    let before = writes(story, &places)?.len();
    let grant = story.ask(wish).await?;
    throughout("quiet", Duration::from_secs(2), async || {
        let now = writes(story, &places)?.len();
        ensure(now == before, || format!("{} writes after the end", now - before))
    })
    .await?;
    let journal = story.journal(&grant).await?.len();
    let changed = Wish { purpose: "model-quality", ..wish.clone() };
    story.ask(&changed).await?;
    let message = story.told(&changed, ConditionType::Accepted, false, Reason::Ended).await?;
    assert!(message.contains("make a new grant"), "{message}");
    assert_eq!(story.journal(&grant).await?.len(), journal, "nothing is added to what has ended");
    Ok(())
}
