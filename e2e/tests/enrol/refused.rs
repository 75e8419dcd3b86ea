//! Bad input: refused for what it is, before anything else happens. And what somebody files by hand.

use comity::api::name;
use e2e::attempt::{create, replace};
use e2e::{Error, Explain as _, Result};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::Api;
use serde_json::json;

use super::ground::Ground;
use super::story::ensure;
use super::token::HOUR;

/// What is sent, by its file, and what is said of it.
const BAD: [(&str, &str); 10] = [
    ("rsa-1024", "an RSA key of 1024 bits"),
    ("rsa-8192", "an RSA key of 8192 bits"),
    ("p-224", "an elliptic curve that isn't"),
    ("wrong-signature", "isn't signed with the key that it holds"),
    ("subject", "a subject of its own"),
    ("own-name", "names or extensions of its own"),
    ("second-uri", "names or extensions of its own"),
    ("authority", "names or extensions of its own"),
    ("unknown-extension", "names or extensions of its own"),
    ("certificate", "can't be read as one PKCS #10 request"),
];

#[tokio::test]
async fn a_bad_request_is_refused_for_what_it_is_before_anything_else_happens() -> Result<()> {
    let ground = Ground::begin().await?;
    let partner = ground.partner().await?;
    let (token, _) = ground.token(HOUR).await?;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/enrol/bad");
    for (name, says) in BAD {
        let answer =
            partner.enrols(&ground.path(), Some(&token), &folder.join(format!("{name}.pem"))).await?;
        answer.is(400, "RequestRefused")?;
        let said = answer.body["message"].as_str().unwrap_or_default();
        ensure(said.contains(says), || format!("{name}: {said}"))?;
    }
    let huge = partner.directory().join("huge");
    std::fs::write(&huge, vec![b'a'; 1 << 20])?;
    // Who goes on sending may be hung up on before they listen.
    let answer = partner.enrols(&ground.path(), Some(&token), &huge).await?;
    ensure(answer.status == 413 || answer.status == 0, || format!("{answer:?}"))?;
    let header = ["--header".to_owned(), format!("X-Long: {}", "a".repeat(64 * 1024))];
    let answer = partner.asks(&ground.path(), None, &header).await?;
    ensure(answer.status == 431 || answer.status == 0, || format!("{answer:?}"))?;
    ensure(ground.filed().await?.is_empty(), || "something was filed".to_owned())?;
    // And the token is as good as before.
    let good = partner.request("own").await?;
    partner.enrols(&ground.path(), Some(&token), &good).await?.certificate().map(drop)
}

#[tokio::test]
async fn what_somebody_files_by_hand_is_never_signed() -> Result<()> {
    let ground = Ground::begin().await?;
    let partner = ground.partner().await?;
    let request = std::fs::read(partner.request("by-hand").await?).explain("read the request")?;
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let by_hand = ground.story.namespace.clone();
    let filed = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": by_hand, "annotations": {name::ANNOTATION_ENROLS: "x"}},
        "spec": {"signerName": "comity.dev/external-workload", "usages": ["digital signature", "client auth"],
            "request": k8s_openapi::ByteString(request)},
    });
    let mut stored = create(path, filed).do_as(&ground.story.cluster).await?;
    let approved =
        json!({"type": "Approved", "status": "True", "reason": "ByHand", "message": "by an admin"});
    stored["status"] = json!({"conditions": [approved]});
    replace(&format!("{path}/{by_hand}/approval"), stored).do_as(&ground.story.cluster).await?;
    // Another one is signed after it.
    let (token, _) = ground.token(HOUR).await?;
    let good = partner.request("own").await?;
    partner.enrols(&ground.path(), Some(&token), &good).await?.certificate()?;
    let requests: Api<CertificateSigningRequest> = ground.story.everywhere();
    let status = requests.get(&by_hand).await?.status.unwrap_or_default();
    if status.certificate.is_some() {
        return Err(Error::Failed(format!("it was signed: {status:?}")));
    }
    Ok(())
}
