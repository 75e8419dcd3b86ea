//! SPIFFE IDs, held to the letter of the standard (SPIFFE-ID, sections 2.1 to 2.4): what doesn't
//! parse here is never signed.

use super::error::PkiError;

/// The longest ID that the standard lets anyone rely on.
const LONGEST: usize = 2048;
/// The longest trust domain.
const LONGEST_TRUST_DOMAIN: usize = 255;
/// How much of a refused ID is quoted.
const QUOTED: usize = 80;

/// A SPIFFE ID that keeps every rule of the standard.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SpiffeId {
    whole: String,
    /// How many bytes of `whole` are the scheme and the trust domain.
    root: usize,
}

impl SpiffeId {
    /// The ID of a workload: with a path.
    pub fn workload(id: &str) -> Result<Self, PkiError> {
        let parsed = Self::parse(id)?;
        if parsed.root == parsed.whole.len() {
            return Err(refusal(id, "it has no path, so it names a trust domain and no workload"));
        }
        Ok(parsed)
    }

    /// The ID of an authority: its trust domain, without a path.
    pub fn trust_domain(id: &str) -> Result<Self, PkiError> {
        let parsed = Self::parse(id)?;
        if parsed.root != parsed.whole.len() {
            return Err(refusal(id, "it has a path, so it names a workload and no trust domain"));
        }
        Ok(parsed)
    }

    /// The ID of the authorities of the trust domain of this name.
    pub fn of_trust_domain(name: &str) -> Result<Self, PkiError> {
        Self::trust_domain(&format!("spiffe://{name}"))
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The part that names the trust domain: `spiffe://…` without a path.
    pub fn root(&self) -> &str {
        self.whole.get(..self.root).unwrap_or_default()
    }

    fn parse(id: &str) -> Result<Self, PkiError> {
        if id.len() > LONGEST {
            return Err(refusal(id, "it is longer than 2048 bytes"));
        }
        let rest = id.strip_prefix("spiffe://").ok_or_else(|| refusal(id, "it must begin with spiffe://"))?;
        let domain = rest.split('/').next().unwrap_or_default();
        if domain.is_empty() || domain.len() > LONGEST_TRUST_DOMAIN {
            return Err(refusal(id, "its trust domain must be of 1 to 255 characters"));
        }
        if !domain.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_')) {
            return Err(refusal(id, "its trust domain may hold a-z, 0-9, '.', '-' and '_' only"));
        }
        let path = rest.get(domain.len()..).unwrap_or_default();
        if !path.is_empty() && !path.split('/').skip(1).all(is_segment) {
            return Err(refusal(
                id,
                "each part of its path must be of a-z, A-Z, 0-9, '.', '-' and '_', and not '.' or '..'",
            ));
        }
        Ok(Self { root: id.len() - path.len(), whole: id.to_owned() })
    }
}

impl std::fmt::Display for SpiffeId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.whole)
    }
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn refusal(id: &str, why: &'static str) -> PkiError {
    PkiError::NotSpiffe { id: id.chars().take(QUOTED).collect(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::name::{self, WorkloadIdentity};
    use crate::api::stage::Stage;
    use proptest::prelude::*;

    #[test]
    fn what_the_standard_forbids_is_refused() {
        for bad in [
            "",
            "https://comity.local/a",
            "spiffe://",
            "spiffe:///a",
            "spiffe://Comity.local/a",
            "spiffe://comity.local:8443/a",
            "spiffe://user@comity.local/a",
            "spiffe://comity.local/",
            "spiffe://comity.local/a/",
            "spiffe://comity.local//a",
            "spiffe://comity.local/a/../b",
            "spiffe://comity.local/./b",
            "spiffe://comity.local/a%20b",
            "spiffe://comity.local/a?b",
            "spiffe://comity.local/a#b",
            "spiffe://comity.local/ä",
            "spiffe://comity.local/a\0",
        ] {
            assert!(SpiffeId::parse(bad).is_err(), "{bad}");
        }
        assert!(SpiffeId::parse(&format!("spiffe://d/{}", "a".repeat(LONGEST))).is_err());
        assert!(SpiffeId::of_trust_domain(&"a".repeat(256)).is_err());
    }

    #[test]
    fn workloads_have_a_path_and_authorities_none() {
        assert!(SpiffeId::workload("spiffe://comity.local").is_err());
        assert!(SpiffeId::trust_domain("spiffe://comity.local/a").is_err());
        let id = SpiffeId::workload("spiffe://comity.local/a/b").unwrap();
        assert_eq!(id.root(), SpiffeId::of_trust_domain("comity.local").unwrap().as_str());
    }

    proptest! {
        #[test]
        fn every_name_that_kubernetes_allows_makes_an_id(
            partner in "[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?",
            grant in "[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?",
            workload in "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        ) {
            // Two dots side by side are refused by Kubernetes itself; a segment of dots alone can't arise.
            let id = name::spiffe_id("comity.local", &WorkloadIdentity {
                partner: &partner, namespace: "risk-data", grant: &grant, stage: Stage::Sandbox,
                opening_hash: "1a2b3c4d", workload: &workload,
            });
            let parsed = SpiffeId::workload(&id).unwrap();
            prop_assert_eq!(parsed.as_str(), id);
        }
    }
}
