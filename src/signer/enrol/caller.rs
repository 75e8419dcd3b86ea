//! Who calls with a certificate: one that was signed here for a workload on the partner's side, or one of the
//! partner's own. Nobody is anybody before the chain of their certificate was verified, and nothing is asked of
//! the API server for that: anchors are what the watches last told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::runtime::reflector::Store;

use super::answer::Refusal;
use crate::pki::profile::Purpose;
use crate::pki::{Belief, Leaf, Trust};
use crate::signer::ca::{Chest, Ledger};

/// Somebody who showed a certificate that was signed here, and that is believed.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The certificate.
    pub leaf: Leaf,
    /// Where the authority is kept that signed it.
    pub chest: Chest,
    /// All that is believed beside that.
    pub trust: Arc<Trust>,
}

/// The anchors of all stages.
pub struct Anchors {
    kept: Store<ConfigMap>,
    /// What was read of each ledger, by its name: its version, and what it says.
    read: Mutex<HashMap<String, Read>>,
}

/// A version of a ledger, and what is believed by it.
type Read = (String, Option<Arc<Trust>>);

impl Anchors {
    /// Those of the ledgers that a watch tells of.
    pub fn new(kept: Store<ConfigMap>) -> Self {
        Self { kept, read: Mutex::default() }
    }

    /// Who shows this certificate. It has to be one for a workload on the partner's side: those of pods and of
    /// Secrets end with what they were made for.
    pub fn caller(&self, der: &[u8], now: Timestamp) -> Result<Caller, Refusal> {
        let leaf = Leaf::read(der, Purpose::Calling).map_err(|_discarded| Refusal::Unknown)?;
        let lifetime = leaf.lifetime();
        if now < lifetime.not_before() || lifetime.not_after() <= now {
            return Err(Refusal::Unknown);
        }
        for ledger in self.kept.state() {
            let Some(trust) = self.trust(&ledger) else { continue };
            // Signatures are computed only where the key is one of its own.
            if !trust.has_key(leaf.authority_key()) {
                continue;
            }
            let found = Chest::of_ledger(&ledger.name_any()).zip(trust.belief(&leaf));
            return match found {
                Some((chest, Belief::Full)) => Ok(Caller { leaf, chest, trust }),
                // Whoever has its key could have made the certificate.
                Some((_, Belief::GivenUp)) => Err(Refusal::GivenUp),
                None => Err(Refusal::Unknown),
            };
        }
        Err(Refusal::Unknown)
    }

    fn trust(&self, ledger: &ConfigMap) -> Option<Arc<Trust>> {
        let (name, version) = (ledger.name_any(), ledger.resource_version().unwrap_or_default());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, trust)) = read.get(&name)
            && *known == version
        {
            return trust.clone();
        }
        let trust = Ledger::found(ledger).map(|ledger| Arc::new(ledger.trust()));
        read.insert(name, (version, trust.clone()));
        trust
    }

    /// Forgets ledgers that are gone.
    pub fn sweep(&self) {
        let there: std::collections::HashSet<String> =
            self.kept.state().iter().map(|ledger| ledger.name_any()).collect();
        self.read.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| there.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use kube::runtime::reflector::store;
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::api::name;
    use crate::pki::requested::RequestedKey;
    use crate::pki::testing::at_once;
    use crate::pki::{Authority, Lifetime, certify, certify_caller};
    use crate::signer::ca::{Phase, Slot};
    use crate::signer::testing::{TRUST_DOMAIN, authority, now, opening};

    /// Anchors of one stage, of which the authority is in this phase.
    fn anchors(authority: &Authority, phase: Phase) -> Anchors {
        let (opening, (reader, mut writer)) = (opening(), store());
        let anchor = authority.anchor().clone();
        let mut ledger = Ledger::first(opening.owner(), opening.need(), anchor, Slot::First, now());
        ledger.authorities[0].phase = phase;
        let mut kept = ledger.kept("comity-system", &opening.chest());
        kept.metadata.resource_version = Some("1".to_owned());
        writer.apply_watcher_event(&Event::Apply(kept));
        Anchors::new(reader)
    }

    fn certificate(authority: &Authority, is_pods: bool) -> Vec<u8> {
        let id = opening().identity(TRUST_DOMAIN, "scorer").unwrap();
        let key = RequestedKey::of_public_key(&crate::pki::testing::requested()[1]).unwrap();
        let anchor = authority.anchor().lifetime();
        let lifetime = Lifetime::of_leaf(now(), opening().ttl, opening().end, anchor).unwrap();
        let certified = if is_pods {
            at_once(certify(authority, &id, &key, lifetime))
        } else {
            at_once(certify_caller(authority, &id, &key, lifetime))
        };
        crate::pki::testing::der(&certified.unwrap().certificate)
    }

    fn word(anchors: &Anchors, der: &[u8], now: Timestamp) -> &'static str {
        anchors.caller(der, now).map_or_else(|refusal| refusal.word(), |_| "Known")
    }

    #[test]
    fn who_was_certified_here_is_known_until_the_certificate_ends() {
        let authority = authority();
        let (anchors, own) = (anchors(&authority, Phase::Active), certificate(&authority, false));
        assert_eq!(word(&anchors, &own, now()), "Known");
        let caller = anchors.caller(&own, now()).unwrap();
        assert_eq!(caller.chest, opening().chest());
        assert_eq!(caller.leaf.id(), &opening().identity(TRUST_DOMAIN, "scorer").unwrap());
        assert_eq!(word(&anchors, &own, now() + opening().ttl), "Unknown", "it is over");
        assert_eq!(
            word(&anchors, &own, now() - SignedDuration::from_hours(1)),
            "Unknown",
            "it isn't valid yet"
        );
        assert_eq!(word(&anchors, b"certificate", now()), "Unknown");
    }

    #[test]
    fn who_was_certified_by_somebody_else_or_for_a_pod_is_nobody() {
        let (authority, stranger) = (authority(), authority());
        let anchors = anchors(&authority, Phase::Active);
        assert_eq!(word(&anchors, &certificate(&stranger, false), now()), "Unknown");
        assert_eq!(
            word(&anchors, &certificate(&authority, true), now()),
            "Unknown",
            "a pod's ends with its pod"
        );
        assert_eq!(word(&anchors, authority.anchor().der(), now()), "Unknown");
    }

    #[test]
    fn an_authority_that_was_given_up_vouches_for_nobody() {
        let authority = authority();
        let own = certificate(&authority, false);
        assert_eq!(word(&anchors(&authority, Phase::Tainted), &own, now()), "AuthorityGivenUp");
        assert_eq!(word(&anchors(&authority, Phase::Retired), &own, now()), "Unknown");
        assert_eq!(name::LEDGER, "ledger");
    }
}
