//! Whether the signer may sign: the rule by which a lost key is told from a first one.
//!
//! The authority's key is stored first, then a public ConfigMap that marks that it exists, and
//! only then is anything signed. So a marker without its key means that the key was lost, and a
//! new one would be a quiet replacement of what others already trust. That is for people to do.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::opening::Opening;
use super::witness::Doubt;
use crate::api::name;
use crate::pki::{Anchor, Authority, Lifetime, PkiError, SpiffeId};

/// What is asked of an authority.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Demand {
    /// The trust domain that it has to speak for.
    pub id: SpiffeId,
    /// How long the certificates live that it signs.
    pub ttl: SignedDuration,
    /// Until when it will be needed.
    pub until: Timestamp,
}

impl Demand {
    /// What an opening asks of its authority.
    pub fn of(opening: &Opening, trust_domain: &str) -> Result<Self, PkiError> {
        Ok(Self {
            id: SpiffeId::of_trust_domain(trust_domain)?,
            ttl: opening.ttl,
            until: opening.contract_end.max(opening.end),
        })
    }

    /// The lifetime of an authority that is made for this, or certified anew.
    pub fn lifetime(&self, now: Timestamp, before: Option<Lifetime>) -> Lifetime {
        // Never shorter than it was, so that two demands can't take turns.
        let until = before.map_or(self.until, |before| before.not_after().max(self.until));
        Lifetime::of_authority(now, self.ttl, until)
    }
}

/// What to do before anything is signed.
#[derive(Debug)]
pub enum Custody {
    /// Make the authority: neither key nor marker exist.
    Create,
    /// Mark it, or mark its newer certificate; then it is ready.
    Mark(Authority),
    /// Certify it anew, with the same key, before it signs: it wouldn't last long enough.
    CertifyAnew(Authority),
    /// Sign.
    Ready(Authority),
    /// Don't.
    Refuse(Refusal),
}

/// Why nothing is signed, of which authority. What it says ends with what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Where the authority is kept.
    pub chest: Chest,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong with an authority, or with what asks for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// It was marked, and its key is gone.
    Lost,
    /// Its key is there, but can't be used.
    Unusable(PkiError),
    /// The marker can't be read, so nobody can say which authority it speaks of.
    MarkerUnreadable,
    /// Another key than the one that was marked.
    Replaced,
    /// The journal isn't believed by which a stage is open.
    Doubted(Doubt),
    /// The trust domain was changed since it was made.
    OtherTrustDomain {
        /// What it speaks for.
        found: String,
        /// What it should speak for.
        wanted: String,
    },
}

impl Refusal {
    /// One word, for Events and metrics.
    pub const fn word(&self) -> &'static str {
        match self.cause {
            Cause::Lost => "AuthorityLost",
            Cause::Unusable(_) => "AuthorityUnusable",
            Cause::MarkerUnreadable => "AuthorityMarkerUnreadable",
            Cause::Replaced => "AuthorityReplaced",
            Cause::Doubted(_) => "JournalDoubted",
            Cause::OtherTrustDomain { .. } => "AuthorityOfOtherTrustDomain",
        }
    }

    /// What is published of it in the namespace of the stage, where the partner's people read it.
    pub fn published(&self) -> String {
        match &self.cause {
            Cause::Doubted(doubt) => doubt.in_general(),
            _ => self.to_string(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Chest { secret, marker } = &self.chest;
        match &self.cause {
            Cause::Doubted(doubt) => return write!(out, "{doubt}"),
            Cause::Lost => write!(
                out,
                "the key of this authority is lost: Secret {secret} doesn't exist, though ConfigMap {marker} says that it did. "
            ),
            Cause::Unusable(error) => {
                write!(out, "the key of this authority can't be used: Secret {secret}: {error}. ")
            }
            Cause::MarkerUnreadable => {
                write!(out, "ConfigMap {marker} doesn't hold the certificate of an authority. ")
            }
            Cause::Replaced => write!(
                out,
                "Secret {secret} holds another authority than the one that ConfigMap {marker} speaks of. "
            ),
            Cause::OtherTrustDomain { found, wanted } => write!(
                out,
                "this authority speaks for {found}, and Comity was told to speak for {wanted}: set trustDomain back. Or "
            ),
        }?;
        if !matches!(self.cause, Cause::OtherTrustDomain { .. }) {
            out.write_str("Restore it from a backup; or ")?;
        }
        write!(
            out,
            "delete Secret {secret} and ConfigMap {marker} (whichever exist), and a new authority makes all certificates anew"
        )
    }
}

/// Where an authority is kept: the names of its Secret and its marker.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Chest {
    /// The Secret with its key.
    pub secret: String,
    /// The public ConfigMap that marks that it exists.
    pub marker: String,
}

impl Chest {
    /// Where the authority of an opening is kept.
    pub fn of(opening: &Opening) -> Self {
        Self {
            secret: name::ca_secret(&opening.contract_uid, opening.stage),
            marker: name::ca_config_map(&opening.contract_uid, opening.stage),
        }
    }
}

/// Looks at what is kept, and says what to do before anything is signed.
pub fn custody(
    chest: &Chest,
    secret: Option<&Secret>,
    marker: Option<&ConfigMap>,
    demand: &Demand,
) -> Custody {
    look(secret, marker, demand)
        .unwrap_or_else(|cause| Custody::Refuse(Refusal { chest: chest.clone(), cause }))
}

fn look(secret: Option<&Secret>, marker: Option<&ConfigMap>, demand: &Demand) -> Result<Custody, Cause> {
    let Some(secret) = secret else {
        return marker.map_or(Ok(Custody::Create), |_| Err(Cause::Lost));
    };
    let authority = stored(secret).map_err(Cause::Unusable)?;
    let found = authority.anchor();
    if found.id() != &demand.id {
        let (found, wanted) = (found.id().to_string(), demand.id.to_string());
        return Err(Cause::OtherTrustDomain { found, wanted });
    }
    let anchor = marker.map(|marker| published(marker).ok_or(Cause::MarkerUnreadable)).transpose()?;
    if anchor.as_ref().is_some_and(|anchor| !anchor.same_authority(found)) {
        return Err(Cause::Replaced);
    }
    Ok(if !found.lifetime().suffices(demand.ttl, demand.until) {
        Custody::CertifyAnew(authority)
    } else if anchor.as_ref() == Some(found) {
        Custody::Ready(authority)
    } else {
        Custody::Mark(authority)
    })
}

fn stored(secret: &Secret) -> Result<Authority, PkiError> {
    let part = |key: &str| {
        secret
            .data
            .as_ref()
            .and_then(|data| data.get(key))
            .map(|value| value.0.as_slice())
            .unwrap_or_default()
    };
    Authority::parse(part("tls.crt"), part("tls.key"))
}

fn published(marker: &ConfigMap) -> Option<Anchor> {
    let pem = marker.data.as_ref()?.get("ca.crt")?;
    Anchor::parse(pem.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::{build, testing};
    use k8s_openapi::ByteString;

    struct Kept {
        secret: Secret,
        marker: ConfigMap,
    }

    fn kept() -> Kept {
        let (opening, authority) = (testing::opening(), testing::authority());
        Kept {
            secret: build::authority_secret("comity-system", &opening, &authority),
            marker: build::authority_marker("comity-system", &opening, authority.anchor()),
        }
    }

    fn look_at(secret: Option<&Secret>, marker: Option<&ConfigMap>) -> Custody {
        let opening = testing::opening();
        custody(&Chest::of(&opening), secret, marker, &testing::demand())
    }

    fn word(custody: &Custody) -> &'static str {
        match custody {
            Custody::Create => "Create",
            Custody::Mark(_) => "Mark",
            Custody::CertifyAnew(_) => "CertifyAnew",
            Custody::Ready(_) => "Ready",
            Custody::Refuse(refusal) => refusal.word(),
        }
    }

    #[test]
    fn an_authority_is_made_only_where_there_never_was_one() {
        let (one, other) = (kept(), kept());
        let (secret, marker) = (Some(&one.secret), Some(&one.marker));
        assert_eq!(word(&look_at(None, None)), "Create");
        assert_eq!(word(&look_at(secret, None)), "Mark");
        assert_eq!(word(&look_at(secret, marker)), "Ready");
        assert_eq!(word(&look_at(None, marker)), "AuthorityLost");
        assert_eq!(word(&look_at(Some(&other.secret), marker)), "AuthorityReplaced");
    }

    #[test]
    fn what_was_corrupted_is_refused_with_or_without_a_marker() {
        let good = kept();
        for key in ["tls.crt", "tls.key"] {
            for value in
                [None, Some(""), Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
            {
                let mut secret = good.secret.clone();
                let data = secret.data.get_or_insert_default();
                match value {
                    None => drop(data.remove(key)),
                    Some(text) => drop(data.insert(key.to_owned(), ByteString(text.into()))),
                }
                assert_eq!(word(&look_at(Some(&secret), Some(&good.marker))), "AuthorityUnusable");
                assert_eq!(word(&look_at(Some(&secret), None)), "AuthorityUnusable");
            }
        }
        let mut marker = good.marker.clone();
        marker.data = None;
        assert_eq!(word(&look_at(Some(&good.secret), Some(&marker))), "AuthorityMarkerUnreadable");
        assert_eq!(word(&look_at(None, Some(&marker))), "AuthorityLost");
    }

    #[test]
    fn another_trust_domain_is_refused() {
        let good = kept();
        let opening = testing::opening();
        let demand = Demand::of(&opening, "elsewhere.example").unwrap();
        let custody = custody(&Chest::of(&opening), Some(&good.secret), Some(&good.marker), &demand);
        assert_eq!(word(&custody), "AuthorityOfOtherTrustDomain");
    }

    #[test]
    fn a_prolonged_contract_has_its_authority_certified_anew_once() {
        let good = kept();
        let mut opening = testing::opening();
        opening.contract_end += SignedDuration::from_hours(10_000);
        let (chest, demand) = (Chest::of(&opening), Demand::of(&opening, "comity.local").unwrap());
        let first = custody(&chest, Some(&good.secret), Some(&good.marker), &demand);
        let Custody::CertifyAnew(authority) = first else { panic!("{}", word(&first)) };
        let before = authority.anchor().lifetime();
        let anew = authority.certify_anew(demand.lifetime(testing::now(), Some(before))).unwrap();
        let secret = build::authority_secret("comity-system", &opening, &anew);
        // Crashed before it was marked: the marker still holds the older certificate of the same key.
        assert_eq!(word(&custody(&chest, Some(&secret), Some(&good.marker), &demand)), "Mark");
        let marker = build::authority_marker("comity-system", &opening, anew.anchor());
        assert_eq!(word(&custody(&chest, Some(&secret), Some(&marker), &demand)), "Ready");
        // And the shorter demand of before is satisfied with it, too.
        assert_eq!(word(&look_at(Some(&secret), Some(&marker))), "Ready");
    }

    #[test]
    fn a_refusal_says_what_to_do_and_nothing_of_the_key() {
        let good = kept();
        let mut secret = good.secret.clone();
        let data = secret.data.get_or_insert_default();
        let key = data.get("tls.key").unwrap().0.clone();
        data.insert("tls.key".to_owned(), ByteString(key.iter().rev().copied().collect()));
        let Custody::Refuse(refusal) = look_at(Some(&secret), Some(&good.marker)) else { panic!() };
        let text = format!("{refusal} {refusal:?}");
        assert!(text.contains("Restore it from a backup"), "{text}");
        let line = String::from_utf8(key).unwrap().lines().nth(1).unwrap().to_owned();
        assert!(!text.contains(&line), "{text}");
    }
}
