//! Renewal by the certificate itself, until the end and not past it, whoever else calls meanwhile.

use comity::api::PartnerGrant;
use comity::api::decision::DecisionAction;
use e2e::comity::people::OLGA;
use e2e::{Result, eventually};
use jiff::Timestamp;
use serde_json::json;

use super::ground::Ground;
use super::partner::{Answer, Partner};
use super::story::{SOON, ensure};
use super::token::HOUR;

/// A partner whose workload is enrolled, as the file `own`.
async fn enrolled(ground: &Ground) -> Result<(Partner, Answer)> {
    let partner = ground.partner().await?;
    let (token, _) = ground.token(HOUR).await?;
    let first = partner.enrolled(&ground.path(), &token, "own").await?;
    Ok((partner, first))
}

#[tokio::test]
async fn a_certificate_is_renewed_by_itself_and_by_nothing_else() -> Result<()> {
    let ground = Ground::begin().await?;
    let (partner, first) = enrolled(&ground).await?;
    let next = partner.request("next").await?;
    let renewed = partner.shows("/v1/renew", "own", Some(&next)).await?;
    std::fs::write(partner.directory().join("next.crt"), renewed.certificate()?)?;
    ensure(renewed.body["spiffeId"] == first.body["spiffeId"], || format!("{renewed:?}"))?;
    let ends: Timestamp = renewed.body["notAfter"].as_str().unwrap_or_default().parse().expect("a time");
    ensure(ends <= ground.opened.expires_at.0, || format!("{ends} is after the end"))?;
    // The next one serves as well, and by it is told whom to believe.
    let trust = partner.shows("/v1/trust", "next", None).await?;
    ensure(trust.status == 200 && trust.body["trust"] == first.body["trust"], || format!("{trust:?}"))?;
    partner.asks("/v1/trust", None, &[]).await?.is(401, "Unknown")?;
    // Who says that they are somebody, by a certificate of their own making, is nobody.
    let id = first.body["spiffeId"].as_str().unwrap_or_default();
    let forged = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout forged.key -out forged.crt \\
        -subj / -days 1 -addext 'subjectAltName=critical,URI:{id}' -addext 'extendedKeyUsage=clientAuth' \\
        -addext 'keyUsage=critical,digitalSignature' -addext 'basicConstraints=critical,CA:FALSE' 2>/dev/null"
    );
    partner.runs(&forged, "").await?;
    partner.shows("/v1/renew", "forged", Some(&next)).await?.is(401, "Unknown")?;
    partner
        .asks("/v1/renew", None, &["--request".to_owned(), "POST".to_owned()])
        .await?
        .is(401, "Unknown")?;
    let seen = partner.runs("openssl x509 -in next.crt -noout -ext extendedKeyUsage", "").await?;
    ensure(seen.contains("TLS Web Client") && !seen.contains("Server"), || {
        format!("it only calls in: {seen}")
    })
}

#[tokio::test]
async fn what_is_held_or_over_is_renewed_for_nobody() -> Result<()> {
    let ground = Ground::begin().await?;
    let (partner, _) = enrolled(&ground).await?;
    let next = partner.request("next").await?;
    let suspend = |yes: bool| json!({"spec": {"suspend": yes}});
    ground.story.change::<PartnerGrant>(&ground.wish.name, suspend(true)).await?;
    refused(&partner, &next, &["AccessHeld"]).await?;
    ground.story.change::<PartnerGrant>(&ground.wish.name, suspend(false)).await?;
    eventually("access to be given again", SOON, async || {
        let answer = partner.shows("/v1/renew", "own", Some(&next)).await;
        answer.and_then(|answer| answer.certificate()).map_err(|error| error.to_string())
    })
    .await?;
    OLGA.decide(&ground.story.cluster, &OLGA.decision(&ground.grant, DecisionAction::Expire)).await?;
    refused(&partner, &next, &["StageOver", "StageNotOpen"]).await
}

/// Awaits that renewal is refused for one of these reasons.
async fn refused(partner: &Partner, request: &std::path::Path, reasons: &[&str]) -> Result<()> {
    eventually("renewal to be refused", SOON, async || {
        let answer =
            partner.shows("/v1/renew", "own", Some(request)).await.map_err(|error| error.to_string())?;
        let said = answer.body["reason"].as_str().unwrap_or_default();
        if reasons.contains(&said) { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
}

#[tokio::test]
async fn a_flood_of_guesses_keeps_nobody_from_renewing_not_even_behind_the_same_address() -> Result<()> {
    let ground = Ground::begin().await?;
    let (partner, _) = enrolled(&ground).await?;
    let next = partner.request("next").await?;
    // As many as it takes: on a slow machine they come so slowly that more of them are heard.
    let flood = "refused=0; for number in $(seq 400); do
        code=$(curl --silent --output /dev/null --write-out '%{http_code}' --cacert ca.crt --request POST \\
            --header 'Authorization: Bearer guess' \"$ENDPOINT\")
        if [ \"$code\" = 429 ]; then refused=$((refused + 1)); fi
        if [ $refused -ge 10 ]; then break; fi; done; echo \"refused $refused\"";
    let endpoint = format!("ENDPOINT=https://localhost:{}{}; ", ground.shared.port, ground.path());
    let seen = partner.runs(&format!("{endpoint}{flood}"), "").await?;
    ensure(seen.contains("refused 10"), || seen.clone())?;
    partner.shows("/v1/renew", "own", Some(&next)).await?.certificate().map(drop)
}
