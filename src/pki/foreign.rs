//! Certificates that others sign, for their own workloads: whether a bundle that somebody declared vouches for
//! one, at this moment.

use jiff::Timestamp;
use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::inspect::time;
use super::spiffe::SpiffeId;

/// No bundle and no chain has more certificates.
const MOST: usize = 16;

/// The SPIFFE ID of who shows this chain, the certificate first, if a bundle in PEM vouches for it at `now` and it
/// is of this trust domain; `None`: nobody that is known. (X509-SVID, section 5; RFC 5280, section 6.)
///
/// An anchor that has expired vouches for nobody, although verifiers needn't look at that.
pub fn vouched(bundle: &str, trust_domain: &str, chain: &[Vec<u8>], now: Timestamp) -> Option<SpiffeId> {
    let (leaf, between) = chain.split_first().filter(|_| chain.len() <= MOST)?;
    let bundle: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(bundle.as_bytes()).take(MOST).collect::<Result<_, _>>().ok()?;
    let valid = bundle.iter().filter(|anchor| is_authority(anchor, now));
    let anchors: Vec<TrustAnchor<'_>> =
        valid.filter_map(|anchor| anchor_from_trusted_cert(anchor).ok()).collect();
    let der = CertificateDer::from(leaf.as_slice());
    let between: Vec<CertificateDer<'_>> =
        between.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(now.as_second()).ok()?));
    let usage = KeyUsage::client_auth();
    let checked = EndEntityCert::try_from(&der).ok()?;
    checked.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &between, at, usage, None, None).ok()?;
    named(leaf).filter(|id| id.root() == format!("spiffe://{trust_domain}"))
}

/// Whether a certificate is an authority's that is valid at this moment.
fn is_authority(der: &CertificateDer<'_>, now: Timestamp) -> bool {
    let Ok(([], certificate)) = X509Certificate::from_der(der) else { return false };
    let validity = certificate.validity();
    let valid = time(validity.not_before).is_ok_and(|from| from <= now)
        && time(validity.not_after).is_ok_and(|until| now < until);
    valid && certificate.is_ca()
}

/// The one SPIFFE ID of a workload that a certificate says, and no other URI (X509-SVID, section 2).
fn named(der: &[u8]) -> Option<SpiffeId> {
    let Ok(([], certificate)) = X509Certificate::from_der(der) else { return None };
    if certificate.is_ca() {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let (Some(only), None) = (uris.next(), uris.next()) else { return None };
    SpiffeId::workload(only).ok()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::pki::testing::{self, der, now};
    use crate::pki::{Authority, Lifetime};

    #[test]
    fn who_is_under_the_bundle_and_of_the_domain_is_known() {
        let (authority, stranger) = (testing::authority(), testing::authority());
        let chain = [der(&testing::leaf(&authority).certificate)];
        let bundle = authority.anchor().pem();
        let over = now() + testing::ttl() + SignedDuration::from_secs(1);
        let both = format!("{}{bundle}", stranger.anchor().pem());
        for bundle in [bundle, &both] {
            assert_eq!(vouched(bundle, "comity.local", &chain, now()), Some(testing::id()));
        }
        assert_eq!(
            vouched(stranger.anchor().pem(), "comity.local", &chain, now()),
            None,
            "another authority"
        );
        assert_eq!(vouched(bundle, "other.example", &chain, now()), None, "another trust domain");
        assert_eq!(vouched(bundle, "comity.local", &chain, over), None, "it is over");
        assert_eq!(vouched("", "comity.local", &chain, now()), None);
        assert_eq!(vouched(bundle, "comity.local", &[], now()), None);
        assert_eq!(vouched(bundle, "comity.local", &[authority.anchor().der().to_vec()], now()), None);
    }

    #[test]
    fn an_anchor_that_has_expired_vouches_for_nobody_and_neither_does_a_leaf() {
        let id = crate::pki::SpiffeId::of_trust_domain("comity.local").unwrap();
        let short =
            Lifetime::read(now() - SignedDuration::from_hours(2), now() + SignedDuration::from_hours(12));
        let authority = testing::at_once(Authority::create(&id, "short", short.unwrap())).unwrap();
        let leaf = testing::leaf(&authority);
        let chain = [der(&leaf.certificate)];
        assert!(vouched(authority.anchor().pem(), "comity.local", &chain, now()).is_some());
        assert_eq!(vouched(&leaf.certificate, "comity.local", &chain, now()), None, "it is nobody's anchor");
        let over = now() + SignedDuration::from_hours(12);
        assert!(!is_authority(&CertificateDer::from(authority.anchor().der()), over));
        assert!(is_authority(&CertificateDer::from(authority.anchor().der()), now()));
    }
}
