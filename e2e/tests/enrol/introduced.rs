//! A partner who declared what their own workloads are verified against: those enrol by what they have.

use e2e::Result;

use super::ground::Ground;
use super::partner::Partner;
use super::story::ensure;

/// An authority of the partner's, and three certificates: of their scorer, of another workload of theirs, and of a
/// scorer by another authority that is called the same.
const MAKES: &str = "
openssl() { command openssl \"$@\" 2>/dev/null; }
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.crt \\
  -subj /CN=Northpay -days 7 -addext 'keyUsage=critical,keyCertSign' -addext 'basicConstraints=critical,CA:TRUE'; }
leaf() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj /;
  openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -days 1 -out $1.crt -extfile <(printf '%s\\n' \\
  \"subjectAltName=critical,URI:spiffe://northpay.example/ml/$3\" keyUsage=critical,digitalSignature \\
  extendedKeyUsage=clientAuth basicConstraints=critical,CA:FALSE); }
authority theirs; authority stranger; leaf scorer theirs scorer; leaf other theirs miner; leaf forged stranger scorer
cat theirs.crt";

#[tokio::test]
async fn a_partners_own_certificate_enrols_the_workload_that_it_names() -> Result<()> {
    let maker = Partner::new(1, "")?;
    let bundle = maker.runs(MAKES, "").await?;
    let ground = Ground::with_bundle(&bundle).await?;
    let partner = ground.partner().await?;
    for name in ["scorer", "other", "forged"] {
        for end in ["key", "crt"] {
            let file = format!("{name}.{end}");
            std::fs::copy(maker.directory().join(&file), partner.directory().join(&file))?;
        }
    }
    let request = partner.request("own").await?;
    let path = ground.path();
    partner.shows(&path, "forged", Some(&request)).await?.is(401, "Unknown")?;
    partner.shows(&path, "other", Some(&request)).await?.is(403, "CertificateForAnother")?;
    partner
        .shows(&ground.path_of("production", "scorer"), "scorer", Some(&request))
        .await?
        .is(403, "StageNotOpen")?;
    ensure(ground.filed().await?.is_empty(), || "something was filed".to_owned())?;
    let enrolled = partner.shows(&path, "scorer", Some(&request)).await?;
    std::fs::write(partner.directory().join("own.crt"), enrolled.certificate()?)?;
    let next = partner.request("next").await?;
    partner.shows("/v1/renew", "own", Some(&next)).await?.certificate()?;
    // Their own certificate is no stage's, and another partner's grant knows nothing of it.
    partner.shows("/v1/renew", "scorer", Some(&next)).await?.is(401, "Unknown")?;
    let another = Ground::begin().await?;
    partner.shows(&another.path(), "scorer", Some(&next)).await?.is(401, "Unknown")
}
