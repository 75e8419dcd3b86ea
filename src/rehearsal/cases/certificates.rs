//! What the workloads' certificates are worth: each verifies for its own identity against its own anchor, and
//! for nothing else. Pure: what is published was read before.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use pki_types::CertificateDer;
use pki_types::pem::PemObject as _;

use super::{Case, Ground};
use crate::api::contract::KeyDelivery;
use crate::api::name::{self, WorkloadIdentity};
use crate::api::stage::Stage;
use crate::pki::bundle;
use crate::pki::foreign::vouched;
use crate::pki::inspect::Leaf;
use crate::rehearsal::case::{Attempt, Expected, Observed};
use crate::rehearsal::judge::NOT_VERIFIED;

const CLAUSE: &str = "security.credentialTTL";
const REFUSED: Expected = Expected::Refused(NOT_VERIFIED);

/// What `comity sign` published, and by what it is looked at.
#[derive(Clone, Debug)]
pub struct Published<'a> {
    /// What stands in the stage's namespace.
    pub here: BTreeMap<String, String>,
    /// The anchors of the contract's other stages, as far as there are any.
    pub elsewhere: BTreeMap<Stage, String>,
    /// The trust domain of this installation.
    pub trust_domain: &'a str,
    /// The digest of what was opened.
    pub digest: &'a str,
    /// The UID of the grant.
    pub grant_uid: &'a str,
    /// The end of the stage.
    pub end: Timestamp,
    /// The time.
    pub now: Timestamp,
}

/// A few cases for each workload that gets its certificate as a Secret; of others the key, and with it the
/// certificate, is made where the workload runs.
pub fn cases(ground: &Ground<'_>, published: &Published<'_>) -> Vec<Case> {
    let kept = ground.policy.workloads_with(KeyDelivery::Secret);
    if kept.is_empty() && !ground.policy.certified().is_empty() {
        let why = "its key is made where the workload runs: no certificate is published";
        let attempt = Attempt::Nothing(why.to_owned());
        return vec![case("any-verifies", "its certificate", attempt, Expected::Allowed)];
    }
    kept.iter().flat_map(|workload| of_workload(ground, published, workload.name.as_str())).collect()
}

fn of_workload(ground: &Ground<'_>, published: &Published<'_>, workload: &str) -> Vec<Case> {
    let Some(chain) = published.here.get(&name::trust_key(workload)) else {
        let attempt = Attempt::Seen(Observed::Refused("comity sign has published none".to_owned()));
        return vec![case(&format!("{workload}-verifies"), "its certificate", attempt, Expected::Allowed)];
    };
    let look = |anchor: &str, stage, now| {
        let id = identity(ground, published, workload, stage);
        let verified = verify(chain, anchor, published.trust_domain, &id, now);
        Attempt::Seen(verified.map_or_else(Observed::Refused, |()| Observed::Allowed))
    };
    let own = published.here.get("ca.crt").map_or("", String::as_str);
    // A certificate is still valid in its last second (RFC 5280, section 4.1.2.5).
    let after = published.end.saturating_add(SignedDuration::from_secs(1)).unwrap_or(published.end);
    let mut cases = vec![
        case(
            &format!("{workload}-verifies"),
            "its certificate, for its own identity, against its own anchor",
            look(own, Stage::Rehearsal, published.now),
            Expected::Allowed,
        ),
        case(
            &format!("{workload}-ends-in-time"),
            "its certificate, after the end of the stage",
            look(own, Stage::Rehearsal, after),
            REFUSED,
        ),
        case(
            &format!("{workload}-lasts-as-agreed"),
            "its certificate, for no longer than is agreed",
            lasting(ground, chain),
            Expected::Allowed,
        ),
    ];
    cases.extend(elsewhere(published, workload, &look));
    cases
}

/// What a certificate is worth in the contract's other stages. `look` says what comes out against an anchor, as
/// the workload would be called at a stage, at a time.
fn elsewhere(
    published: &Published<'_>,
    workload: &str,
    look: &dyn Fn(&str, Stage, Timestamp) -> Attempt,
) -> Vec<Case> {
    let own = published.here.get("ca.crt").map_or("", String::as_str);
    let mut cases = Vec::new();
    for stage in [Stage::Sandbox, Stage::Production] {
        let name = format!("{workload}-is-nobody-in-{}", stage.lower());
        let tried = format!("its certificate, as if it were {stage}'s");
        cases.push(case(&name, &tried, look(own, stage, published.now), REFUSED));
        let attempt = match published.elsewhere.get(&stage) {
            // By what can't be read nothing verifies, whatever it is worth.
            Some(anchor) if bundle::end(anchor).is_err() => {
                Attempt::Seen(Observed::Refused(format!("the anchor of {stage} can't be read")))
            }
            Some(anchor) => look(anchor, Stage::Rehearsal, published.now),
            None => Attempt::Nothing(format!("the contract has no CA of {stage} yet")),
        };
        let name = format!("{workload}-is-not-believed-in-{}", stage.lower());
        cases.push(case(&name, &format!("its certificate, against the anchor of {stage}"), attempt, REFUSED));
    }
    cases
}

/// Whether a certificate lasts no longer than is agreed.
fn lasting(ground: &Ground<'_>, chain: &str) -> Attempt {
    let agreed = ground.policy.security.credential_ttl.as_ref();
    let Some((leaf, agreed)) = Leaf::parse(chain.as_bytes()).ok().zip(agreed) else {
        return Attempt::Seen(Observed::Refused("it is no certificate in PEM".to_owned()));
    };
    let exceeds = agreed.length().is_none_or(|agreed| leaf.lifetime().exceeds(agreed));
    Attempt::Seen(if exceeds {
        Observed::Refused(format!(
            "it ends at {}, and lasts for more than {agreed}",
            leaf.lifetime().not_after()
        ))
    } else {
        Observed::Allowed
    })
}

/// The SPIFFE ID that a workload would have at a stage.
fn identity(ground: &Ground<'_>, published: &Published<'_>, workload: &str, stage: Stage) -> String {
    let opening_hash = name::opening_hash(published.grant_uid, published.digest);
    let identity = WorkloadIdentity {
        partner: ground.policy.partner.as_str(),
        namespace: ground.grant_namespace,
        grant: ground.grant,
        stage,
        opening_hash: &opening_hash,
        workload,
    };
    name::spiffe_id(published.trust_domain, &identity)
}

/// Whether a chain verifies for an identity against an anchor, by rustls-webpki (X509-SVID, section 5).
fn verify(chain: &str, anchor: &str, trust_domain: &str, id: &str, now: Timestamp) -> Result<(), String> {
    let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .map(|der| der.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|_discarded| format!("{NOT_VERIFIED}: it is no certificate in PEM"))?;
    let vouched = vouched(anchor, trust_domain, &certificates, now);
    match vouched {
        Some(found) if found.as_str() == id => Ok(()),
        Some(found) => Err(format!("{NOT_VERIFIED}: it is {found}'s")),
        None => Err(format!("{NOT_VERIFIED} against that anchor at {now}{}", ends(chain))),
    }
}

/// When a certificate ends, for people.
fn ends(chain: &str) -> String {
    let leaf = Leaf::parse(chain.as_bytes());
    leaf.map_or_else(
        |_discarded| String::new(),
        |leaf| format!(" (it ends at {})", leaf.lifetime().not_after()),
    )
}

fn case(name: &str, tried: &str, attempt: Attempt, expected: Expected) -> Case {
    Case { name: format!("certificate-{name}"), clause: CLAUSE, tried: tried.to_owned(), attempt, expected }
}
