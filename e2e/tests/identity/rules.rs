//! What the API server takes of an answer to a `PodCertificateRequest`, rule by rule: what Comity answers by. An answer
//! that is right is changed in one thing, refused for just that, and taken as it was
//! (kubernetes `pkg/apis/certificates/validation`, `ValidatePodCertificateRequestStatusUpdate`).

use std::time::Duration;

use e2e::attempt::{Attempt, replace};
use e2e::{Cluster, Explain as _, Result};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
use kube::ResourceExt as _;
use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData as _, SanType, date_time_ymd};
use serde_json::{Value, json};

use super::ground::{refused, shared};
use super::node::Node;
use super::stolen::of_another_signer;

/// How long a certificate lives here, in seconds.
const LIFE: i64 = 2 * 3600;
/// The most that is asked for, in seconds: what `Ask::ordinary` asks.
const MOST: i64 = 86_400;

/// What is wrong with an answer, and in which words it is refused.
type Wrong = (Value, &'static str);

/// Whoever answers.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    /// The key that is asked for.
    key: KeyPair,
    now: Timestamp,
}

impl Signer {
    fn new() -> Result<Self> {
        let key = KeyPair::generate().explain("make a key")?;
        let issuer = Issuer::new(CertificateParams::default(), KeyPair::generate().explain("make a key")?);
        let now = Timestamp::from_second(Timestamp::now().as_second()).explain("read the clock")?;
        Ok(Self { issuer, key, now })
    }

    /// A certificate for this key from so many seconds after now on, for so many seconds, with these names.
    fn leaf(&self, key: &KeyPair, (from, life): (i64, i64), names: Vec<SanType>) -> Result<String> {
        let at = |seconds: i64| {
            let since = self.now.as_second() + seconds;
            date_time_ymd(1970, 1, 1) + Duration::from_secs(since.unsigned_abs())
        };
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (at(from), at(from + life));
        params.subject_alt_names = names;
        let public = rcgen::SubjectPublicKeyInfo::from_der(&key.subject_public_key_info());
        let public = public.explain("read a public key")?;
        Ok(params.signed_by(&public, &self.issuer).explain("sign a certificate")?.pem())
    }

    /// An answer with a certificate of this span.
    fn over(&self, (from, life): (i64, i64)) -> Result<Value> {
        Ok(json!({
            "conditions": [condition("Issued")],
            "certificateChain": self.leaf(&self.key, (from, life), Vec::new())?,
            "notBefore": self.after(from),
            "beginRefreshAt": self.after(from + life / 2),
            "notAfter": self.after(from + life),
        }))
    }

    /// The answer that is right.
    fn right(&self) -> Result<Value> {
        self.over((0, LIFE))
    }

    /// The same, but for one thing.
    fn but(&self, part: &str, value: Value) -> Result<Value> {
        let mut answer = self.right()?;
        answer[part] = value;
        Ok(answer)
    }

    fn after(&self, seconds: i64) -> String {
        (self.now + SignedDuration::from_secs(seconds)).to_string()
    }

    /// What is wrong with the conditions.
    fn conditions(&self) -> Result<Vec<Wrong>> {
        let but = |field: &str, value: Value| {
            let mut condition = condition("Issued");
            condition[field] = value;
            self.but("conditions", json!([condition]))
        };
        let two = json!([condition("Issued"), condition("Denied")]);
        Ok(vec![
            (self.but("conditions", two)?, "There may be at most one condition"),
            (but("type", json!("Approved"))?, "Unsupported value: \"Approved\""),
            (but("status", json!("False"))?, "Unsupported value: \"False\""),
            (but("reason", json!(""))?, "status.conditions[0].reason"),
            (self.but("conditions", json!([]))?, "status is immutable unless transitioning"),
        ])
    }

    /// What is wrong with the chain.
    fn chains(&self) -> Result<Vec<Wrong>> {
        let (span, right) = ((0, LIFE), self.leaf(&self.key, (0, LIFE), Vec::new())?);
        let other = self.leaf(&KeyPair::generate().explain("make a key")?, span, Vec::new())?;
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
        let chains = [
            ("a".repeat(100 * 1024 + 1), "status.certificateChain: Too long"),
            ("nothing".to_owned(), "must contain at least one certificate"),
            (block("PUBLIC KEY"), "must consist entirely of CERTIFICATE PEM blocks"),
            (block("CERTIFICATE"), "leaf certificate does not parse as valid X.509"),
            (other, "was not issued to the requested public key"),
            (format!("{right}{}", block("PUBLIC KEY")), "must consist entirely of"),
            (format!("{right}{}", block("CERTIFICATE")), "intermediate certificate does not parse"),
        ];
        let wrong = |(chain, says): (String, _)| Ok((self.but("certificateChain", json!(chain))?, says));
        chains.into_iter().map(wrong).collect()
    }

    /// What is wrong with the names.
    fn names(&self) -> Result<Vec<Wrong>> {
        let names = [
            (SanType::DnsName(text("")?), "should not contain empty DNSName"),
            (SanType::DnsName(text("a..b")?), "DNSName should not contain '..'"),
            (SanType::DnsName(text(".a")?), "DNSName should not start or end with '.'"),
            (SanType::DnsName(text("a.")?), "DNSName should not start or end with '.'"),
            (SanType::Rfc822Name(text("nobody")?), "should not contain invalid EmailAddress"),
        ];
        let wrong = |(name, says)| {
            let leaf = self.leaf(&self.key, (0, LIFE), vec![name])?;
            Ok((self.but("certificateChain", json!(leaf))?, says))
        };
        names.into_iter().map(wrong).collect()
    }

    /// What is wrong with the times: a clock that is off by six minutes among it.
    fn times(&self) -> Result<Vec<Wrong>> {
        let off = |field, seconds| self.but(field, json!(self.after(seconds)));
        Ok(vec![
            (
                self.but("notBefore", Value::Null)?,
                "must be present and consistent with the issued certificate",
            ),
            (
                self.but("notAfter", Value::Null)?,
                "must be present and consistent with the issued certificate",
            ),
            (self.but("beginRefreshAt", Value::Null)?, "must be present and in the range"),
            (off("notBefore", 1)?, "must be set to the NotBefore time encoded in the leaf"),
            (off("notAfter", LIFE - 1)?, "must be set to the NotAfter time encoded in the leaf"),
            (self.over((-360, LIFE))?, "must be set to within 5 minutes of kube-apiserver's current time"),
            (self.over((1800, LIFE))?, "must be set to within 5 minutes of kube-apiserver's current time"),
            (self.over((0, 3599))?, "leaf certificate lifetime must be >= 1 hour"),
            (self.over((0, MOST + 1))?, "leaf certificate lifetime must be <= spec.maxExpirationSeconds"),
            (off("beginRefreshAt", 599)?, "must be at least 10 minutes after status.notBefore"),
            (off("beginRefreshAt", LIFE - 599)?, "must be at least 10 minutes before status.notAfter"),
        ])
    }
}

fn text<T: TryFrom<&'static str>>(text: &'static str) -> Result<T>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(text).explain("make a name")
}

fn condition(type_: &str) -> Value {
    json!({"type": type_, "status": "True", "reason": "Tried", "message": "tried",
        "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

/// Giving a request this status.
fn answering(node: &Node, request: &PodCertificateRequest, status: &Value) -> Result<Attempt> {
    let place = node.path(&request.namespace().unwrap_or_default());
    let path = format!("{place}/{}/status", request.name_any());
    let mut answered = node.written(request)?;
    answered["status"] = status.clone();
    Ok(replace(&path, answered))
}

#[tokio::test]
async fn an_answer_that_breaks_any_rule_of_the_api_server_is_refused_for_just_that() -> Result<()> {
    let (cluster, _) = shared().await?;
    let (node, signer) = (Node::join(&cluster).await?, Signer::new()?);
    let request = of_another_signer(&cluster, &node, &signer.key).await?;
    let wrong = [signer.conditions()?, signer.chains()?, signer.names()?, signer.times()?];
    for (status, says) in wrong.into_iter().flatten() {
        refused(&answering(&node, &request, &status)?, &cluster, &[says]).await?;
    }
    ends(&cluster, &node, &request, &signer.right()?).await
}

#[tokio::test]
async fn who_is_denied_or_failed_is_given_nothing_else() -> Result<()> {
    let (cluster, _) = shared().await?;
    let (node, signer) = (Node::join(&cluster).await?, Signer::new()?);
    for type_ in ["Denied", "Failed"] {
        let request = of_another_signer(&cluster, &node, &signer.key).await?;
        for field in ["certificateChain", "notBefore", "beginRefreshAt", "notAfter"] {
            let status = json!({"conditions": [condition(type_)], field: signer.right()?[field]});
            let says = "non-condition status fields must be empty";
            refused(&answering(&node, &request, &status)?, &cluster, &[says]).await?;
        }
        ends(&cluster, &node, &request, &json!({"conditions": [condition(type_)]})).await?;
    }
    Ok(())
}

/// The answer is taken, and is the last one.
async fn ends(cluster: &Cluster, node: &Node, request: &PodCertificateRequest, answer: &Value) -> Result<()> {
    let taken = answering(node, request, answer)?.do_as(cluster).await?;
    let mut request = request.clone();
    request.metadata.resource_version = taken["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    let mut another = answer.clone();
    another["conditions"][0]["message"] = json!("said otherwise");
    let says = "immutable after PodCertificateRequest is issued, denied, or failed";
    refused(&answering(node, &request, &another)?, cluster, &[says]).await
}
