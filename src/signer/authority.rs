//! The authorities that the signer holds: read from its own namespace, made where there was none,
//! refused where there was one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use tokio::sync::Mutex as AsyncMutex;

use super::build;
use super::custody::{Chest, Custody, Demand, Refusal, custody};
use super::error::SignError;
use super::opening::Opening;
use super::talk::Talk;
use crate::pki::Authority;

/// How long what was read counts as live, so that many stages of one contract don't read it each.
const FRESH: SignedDuration = SignedDuration::from_secs(3);
/// Making an authority takes three looks. More means that somebody else writes it, too.
const LOOKS: usize = 6;

/// What a chest holds: an authority that may sign, or why nothing may.
pub type Standing = Result<Arc<Authority>, Refusal>;

/// All authorities, each behind a lock of its own so that it is made once.
pub struct Authorities {
    talk: Talk,
    system: String,
    trust_domain: String,
    chests: Mutex<BTreeMap<Chest, Arc<AsyncMutex<Option<Looked>>>>>,
}

struct Looked {
    at: Timestamp,
    demand: Demand,
    standing: Standing,
}

impl Authorities {
    /// Keeps authorities in the namespace `system`, for this trust domain.
    pub fn new(talk: Talk, system: &str, trust_domain: &str) -> Self {
        Self {
            talk,
            system: system.to_owned(),
            trust_domain: trust_domain.to_owned(),
            chests: Mutex::default(),
        }
    }

    /// The authority of an opening, read no longer than a moment ago.
    pub async fn of(&self, opening: &Opening, now: Timestamp) -> Result<Standing, SignError> {
        let (chest, demand) = (Chest::of(opening), Demand::of(opening, &self.trust_domain)?);
        let slot = self.slot(&chest);
        let mut slot = slot.lock().await;
        if let Some(looked) = slot.as_ref().filter(|looked| looked.is_fresh(&demand, now)) {
            return Ok(looked.standing.clone());
        }
        *slot = None;
        let standing = self.settle(opening, &chest, &demand, now).await?;
        *slot = Some(Looked { at: now, demand, standing: standing.clone() });
        Ok(standing)
    }

    /// Forgets authorities that no stage in `wanted` asks for any more, keys and all.
    pub fn retain(&self, wanted: &dyn Fn(&Chest) -> bool) {
        self.chests.lock().unwrap_or_else(PoisonError::into_inner).retain(|chest, _| wanted(chest));
    }

    fn slot(&self, chest: &Chest) -> Arc<AsyncMutex<Option<Looked>>> {
        let mut chests = self.chests.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(chests.entry(chest.clone()).or_default())
    }

    /// Reads, and writes what is missing, until what is read is what is wanted.
    async fn settle(
        &self,
        opening: &Opening,
        chest: &Chest,
        demand: &Demand,
        now: Timestamp,
    ) -> Result<Standing, SignError> {
        for _ in 0..LOOKS {
            // The marker first: it is written last, so where it is, the key must be.
            let marker: Option<ConfigMap> = self.talk.get(&self.system, &chest.marker).await?;
            let secret: Option<Secret> = self.talk.get(&self.system, &chest.secret).await?;
            match custody(chest, secret.as_ref(), marker.as_ref(), demand) {
                Custody::Ready(authority) => return Ok(Ok(Arc::new(authority))),
                Custody::Refuse(refusal) => return Ok(Err(refusal)),
                Custody::Create => {
                    let lifetime = demand.lifetime(now, None);
                    let made = Authority::create(&demand.id, &build::common_name(opening), lifetime)?;
                    self.store(opening, &made, None).await?;
                }
                Custody::CertifyAnew(authority) => {
                    let before = authority.anchor().lifetime();
                    let anew = authority.certify_anew(demand.lifetime(now, Some(before)))?;
                    self.store(opening, &anew, secret.as_ref()).await?;
                }
                Custody::Mark(authority) => {
                    let wanted = build::authority_marker(&self.system, opening, authority.anchor());
                    lost_races_are_fine(self.talk.put(&wanted, marker.as_ref()).await)?;
                }
            }
        }
        Err(SignError::Unsettled { secret: chest.secret.clone() })
    }

    async fn store(
        &self,
        opening: &Opening,
        authority: &Authority,
        read: Option<&Secret>,
    ) -> Result<(), SignError> {
        let secret = build::authority_secret(&self.system, opening, authority);
        lost_races_are_fine(self.talk.put(&secret, read).await)
    }
}

impl Looked {
    fn is_fresh(&self, demand: &Demand, now: Timestamp) -> bool {
        self.demand == *demand && self.at <= now && now.duration_since(self.at) < FRESH
    }
}

/// Somebody else was faster: what they wrote is read next.
fn lost_races_are_fine(written: Result<(), SignError>) -> Result<(), SignError> {
    match written {
        Err(error) if error.code() == Some(409) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::testing::{TRUST_DOMAIN, now, opening};
    use crate::testing::api::FakeApi;

    const SYSTEM: &str = "comity-system";

    fn paths() -> (String, String) {
        let chest = Chest::of(&opening());
        let at = format!("/api/v1/namespaces/{SYSTEM}");
        (format!("{at}/secrets/{}", chest.secret), format!("{at}/configmaps/{}", chest.marker))
    }

    fn authorities(api: &FakeApi) -> Authorities {
        Authorities::new(Talk::new(api.client()), SYSTEM, TRUST_DOMAIN)
    }

    async fn refusal(api: &FakeApi) -> &'static str {
        authorities(api).of(&opening(), now()).await.unwrap().unwrap_err().word()
    }

    #[tokio::test]
    async fn the_key_is_stored_before_the_marker_and_then_found_again() {
        let api = FakeApi::default();
        let first = authorities(&api).of(&opening(), now()).await.unwrap().unwrap();
        let at = format!("/api/v1/namespaces/{SYSTEM}");
        assert_eq!(api.writes(), [format!("POST {at}/secrets"), format!("POST {at}/configmaps")]);
        let again = authorities(&api).of(&opening(), now()).await.unwrap().unwrap();
        assert!(api.writes().is_empty(), "a restart writes nothing");
        assert_eq!(again.anchor(), first.anchor());
    }

    #[tokio::test]
    async fn many_stages_make_one_authority_and_read_it_once() {
        let api = FakeApi::default();
        let authorities = authorities(&api);
        let opening = opening();
        let all = (0..20).map(|_| authorities.of(&opening, now()));
        let all = futures::future::try_join_all(all).await.unwrap();
        let first = all.first().unwrap().as_ref().unwrap().anchor().fingerprint();
        assert!(all.iter().all(|one| one.as_ref().unwrap().anchor().fingerprint() == first));
        let requests = api.requests();
        assert_eq!(requests.iter().filter(|request| request.starts_with("POST")).count(), 2);
        assert_eq!(requests.len(), 8, "{requests:?}");
        authorities.of(&opening, now() + FRESH).await.unwrap().unwrap();
        assert_eq!(api.requests().len(), 2, "a moment later it is read again");
    }

    #[tokio::test]
    async fn a_crash_between_key_and_marker_loses_nothing() {
        let api = FakeApi::default();
        api.fail("POST /api/v1/namespaces/comity-system/configmaps", 500, 1);
        let error = authorities(&api).of(&opening(), now()).await.unwrap_err();
        assert_eq!(error.code(), Some(500));
        let (secret, marker) = paths();
        let before = api.get(&secret).unwrap();
        assert!(api.get(&marker).is_none());
        api.requests();
        authorities(&api).of(&opening(), now()).await.unwrap().unwrap();
        assert_eq!(api.writes(), ["POST /api/v1/namespaces/comity-system/configmaps"]);
        assert_eq!(api.get(&secret), Some(before), "the key is the same");
    }

    #[tokio::test]
    async fn a_lost_or_corrupted_key_is_never_replaced() {
        let api = FakeApi::default();
        authorities(&api).of(&opening(), now()).await.unwrap().unwrap();
        let (secret, _) = paths();
        let good = api.get(&secret).unwrap();
        api.requests();
        api.remove(&secret);
        assert_eq!(refusal(&api).await, "AuthorityLost");
        let mut bad = good.clone();
        bad["data"]["tls.key"] = serde_json::Value::from("AAAA");
        api.put(&secret, bad);
        assert_eq!(refusal(&api).await, "AuthorityUnusable");
        let other = FakeApi::default();
        authorities(&other).of(&opening(), now()).await.unwrap().unwrap();
        api.put(&secret, other.get(&secret).unwrap());
        assert_eq!(refusal(&api).await, "AuthorityReplaced");
        assert!(api.writes().is_empty());
        api.put(&secret, good);
        assert!(authorities(&api).of(&opening(), now()).await.unwrap().is_ok(), "a backup heals it");
    }

    #[tokio::test]
    async fn a_prolonged_contract_keeps_its_key() {
        let api = FakeApi::default();
        let first = authorities(&api).of(&opening(), now()).await.unwrap().unwrap();
        let mut longer = opening();
        longer.contract_end += SignedDuration::from_hours(10_000);
        api.requests();
        let second = authorities(&api).of(&longer, now()).await.unwrap().unwrap();
        assert!(second.anchor().same_authority(first.anchor()));
        assert!(second.anchor().lifetime().not_after() > longer.contract_end);
        let (secret, marker) = paths();
        assert_eq!(api.writes(), [format!("PUT {secret}"), format!("PUT {marker}")]);
    }

    #[tokio::test]
    async fn an_answer_that_can_not_be_read_is_not_repeated() {
        let api = FakeApi::default();
        authorities(&api).of(&opening(), now()).await.unwrap().unwrap();
        let (secret, _) = paths();
        api.change(&secret, |secret| secret["type"] = serde_json::json!({"oh": "no, hunter2"}));
        let error = authorities(&api).of(&opening(), now()).await.unwrap_err();
        assert_eq!(error.word(), "Unreadable");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
