//! Keeping authorities, request by request, against a fake API server.

use super::*;
use crate::signer::ca::{Action, Order, Phase};
use crate::signer::testing::{TRUST_DOMAIN, now, opening, terms};
use crate::testing::api::FakeApi;

pub(super) const SYSTEM: &str = "comity-system";

pub(super) fn paths() -> [String; 3] {
    let chest = opening().chest();
    let at = format!("/api/v1/namespaces/{SYSTEM}");
    let [first, second] = Slot::BOTH.map(|slot| format!("{at}/secrets/{}", chest.secret(slot)));
    [first, second, format!("{at}/configmaps/{}", chest.ledger())]
}

fn authorities(api: &FakeApi) -> Authorities {
    Authorities::new(Talk::new(api.client()), terms())
}

async fn issuer(authorities: &Authorities, now: Timestamp) -> Arc<Issuer> {
    authorities.of(&opening(), now).await.unwrap().issuer.unwrap()
}

async fn refusal(api: &FakeApi) -> &'static str {
    authorities(api).of(&opening(), now()).await.unwrap().issuer.unwrap_err().word()
}

pub(super) fn ledger(api: &FakeApi) -> Ledger {
    let [_, _, ledger] = paths();
    Ledger::found(&serde_json::from_value(api.get(&ledger).unwrap()).unwrap()).unwrap()
}

/// What somebody wants done, as it is found.
pub(super) fn ordered(api: &FakeApi, action: Action) -> ConfigMap {
    let chest = opening().chest();
    let order = Order { uid: String::new(), by: "olga".to_owned(), reason: "why".to_owned(), action };
    let path = format!("/api/v1/namespaces/{SYSTEM}/configmaps/{}", chest.order());
    api.put(&path, order.written(SYSTEM, &chest));
    serde_json::from_value(api.get(&path).unwrap()).unwrap()
}

async fn keep(
    api: &FakeApi,
    order: Option<&ConfigMap>,
    now: Timestamp,
) -> Result<Option<Timestamp>, SignError> {
    authorities(api).keep(&opening().chest(), opening().owner(), order, now).await
}

#[tokio::test]
async fn the_key_is_stored_before_it_is_written_down_and_then_found_again() {
    let api = FakeApi::default();
    let first = issuer(&authorities(&api), now()).await;
    let at = format!("/api/v1/namespaces/{SYSTEM}");
    assert_eq!(api.writes(), [format!("POST {at}/secrets"), format!("POST {at}/configmaps")]);
    let again = issuer(&authorities(&api), now()).await;
    assert!(api.writes().is_empty(), "a restart writes nothing");
    assert_eq!(again.authority.anchor(), first.authority.anchor());
}

#[tokio::test]
async fn many_stages_make_one_authority_and_read_it_once() {
    let api = FakeApi::default();
    let authorities = authorities(&api);
    let opening = opening();
    let all = (0..20).map(|_| authorities.of(&opening, now()));
    let all = futures::future::try_join_all(all).await.unwrap();
    let fingerprints: std::collections::BTreeSet<_> =
        all.iter().map(|one| one.issuer.as_ref().unwrap().authority.anchor().fingerprint()).collect();
    assert_eq!(fingerprints.len(), 1);
    let requests = api.requests();
    assert_eq!(requests.iter().filter(|request| request.starts_with("POST")).count(), 2);
    assert_eq!(requests.len(), 11, "{requests:?}");
    issuer(&authorities, now() + FRESH).await;
    assert_eq!(api.requests().len(), 3, "a moment later it is read again");
}

#[tokio::test]
async fn a_crash_between_key_and_ledger_loses_nothing() {
    let api = FakeApi::default();
    api.fail("POST /api/v1/namespaces/comity-system/configmaps", 500, 1);
    let error = authorities(&api).of(&opening(), now()).await.unwrap_err();
    assert_eq!(error.code(), Some(500));
    let [secret, _, ledger] = paths();
    let before = api.get(&secret).unwrap();
    assert!(api.get(&ledger).is_none());
    api.requests();
    issuer(&authorities(&api), now()).await;
    assert_eq!(api.writes(), ["POST /api/v1/namespaces/comity-system/configmaps"]);
    assert_eq!(api.get(&secret), Some(before), "the key is the same");
}

#[tokio::test]
async fn a_lost_or_corrupted_key_is_never_replaced() {
    let api = FakeApi::default();
    issuer(&authorities(&api), now()).await;
    let [secret, _, _] = paths();
    let good = api.get(&secret).unwrap();
    api.requests();
    api.remove(&secret);
    assert_eq!(refusal(&api).await, "AuthorityLost");
    let mut bad = good.clone();
    bad["data"]["tls.key"] = serde_json::Value::from("AAAA");
    api.put(&secret, bad);
    assert_eq!(refusal(&api).await, "AuthorityUnusable");
    let other = FakeApi::default();
    issuer(&authorities(&other), now()).await;
    api.put(&secret, other.get(&secret).unwrap());
    assert_eq!(refusal(&api).await, "AuthorityReplaced");
    assert!(api.writes().is_empty());
    api.put(&secret, good);
    assert!(authorities(&api).of(&opening(), now()).await.unwrap().issuer.is_ok(), "a backup heals it");
}

#[tokio::test]
async fn a_ledger_that_is_lost_or_spoilt_is_told_from_none() {
    let api = FakeApi::default();
    let first = issuer(&authorities(&api), now()).await;
    let [_, second, ledger] = paths();
    let good = api.get(&ledger).unwrap();
    api.change(&ledger, |ledger| ledger["data"]["authorities.json"] = "{}".into());
    assert_eq!(refusal(&api).await, "AuthorityMarkerUnreadable");
    api.remove(&ledger);
    let again = issuer(&authorities(&api), now()).await;
    assert_eq!(again.authority.anchor(), first.authority.anchor(), "there is one key only");
    api.remove(&ledger);
    let other = FakeApi::default();
    issuer(&authorities(&other), now()).await;
    let [stray, _, _] = paths();
    api.put(&second, other.get(&stray).unwrap());
    assert_eq!(refusal(&api).await, "AuthorityMarkerLost");
    api.put(&ledger, good);
    assert!(authorities(&api).of(&opening(), now()).await.unwrap().issuer.is_ok());
}

#[tokio::test]
async fn another_trust_domain_is_refused() {
    let api = FakeApi::default();
    issuer(&authorities(&api), now()).await;
    let other = Terms { trust_domain: "elsewhere.example".to_owned(), ..terms() };
    let other = Authorities::new(Talk::new(api.client()), other);
    let refusal = other.of(&opening(), now()).await.unwrap().issuer.unwrap_err();
    assert_eq!(refusal.word(), "AuthorityOfOtherTrustDomain");
    assert!(refusal.to_string().contains(TRUST_DOMAIN));
}

#[tokio::test]
async fn what_is_signed_later_than_was_written_down_is_written_down_first() {
    let api = FakeApi::default();
    let authorities = authorities(&api);
    let first = issuer(&authorities, now()).await;
    let [_, _, path] = paths();
    api.requests();
    let opening = opening();
    let ttl = opening.ttl;
    let cover = |until, at| authorities.cover(&opening, first.number, until, at);
    assert!(cover(now() + ttl, now()).await.unwrap());
    assert!(api.requests().is_empty(), "what is asked for at first is written down with it");
    let later = now() + ttl;
    assert!(cover(later + ttl, later).await.unwrap());
    assert_eq!(api.writes(), [format!("PUT {path}")]);
    assert!(cover(later + ttl + ttl / 3, later + ttl / 3).await.unwrap());
    assert!(api.writes().is_empty(), "and ahead of that");
    assert!(ledger(&api).active().unwrap().issued_until >= Some(later + ttl + ttl / 3));
    assert!(!authorities.cover(&opening, 7, later, later).await.unwrap(), "another one signs");
}

#[tokio::test]
async fn a_crash_at_every_request_of_a_rotation_ends_in_the_same_place() {
    let margin = SignedDuration::from_mins(6);
    let rotate = async |api: &FakeApi, order: &ConfigMap| keep(api, Some(order), now() + margin).await;
    let prepared = async || {
        let api = FakeApi::default();
        issuer(&authorities(&api), now()).await;
        let order = ordered(&api, Action::Prepare);
        keep(&api, Some(&order), now()).await.unwrap();
        let order = ordered(&api, Action::Activate { now: true });
        api.requests();
        (api, order)
    };
    let whole = {
        let (api, order) = prepared().await;
        rotate(&api, &order).await.unwrap();
        api.requests().len()
    };
    for crash in 0..whole {
        let (api, order) = prepared().await;
        api.crash_after(crash);
        assert!(rotate(&api, &order).await.is_err(), "{crash}");
        api.heal();
        rotate(&api, &order).await.unwrap();
        let phases: Vec<_> = ledger(&api).authorities.iter().map(|entry| entry.phase).collect();
        assert_eq!(phases, [Phase::Retiring, Phase::Active], "{crash}");
        let [first, second, _] = paths();
        assert!(api.get(&first).is_none() && api.get(&second).is_some(), "{crash}");
        api.requests();
        keep(&api, None, now() + margin).await.unwrap();
        assert!(api.writes().is_empty(), "{crash}");
    }
}

#[tokio::test]
async fn what_can_not_be_read_of_the_next_one_is_none_of_the_current_ones_business() {
    let api = FakeApi::default();
    let first = issuer(&authorities(&api), now()).await;
    let order = ordered(&api, Action::Prepare);
    keep(&api, Some(&order), now()).await.unwrap();
    let [_, second, _] = paths();
    api.change(&second, |secret| secret["type"] = serde_json::json!({"oh": "no, hunter2"}));
    let again = issuer(&authorities(&api), now()).await;
    assert_eq!(again.number, first.number);
    let standing = authorities(&api).of(&opening(), now()).await.unwrap();
    assert_eq!(standing.trust.unwrap().pem().matches("BEGIN").count(), 2, "and it stays published");
}

#[tokio::test]
async fn a_key_that_somebody_holds_on_to_takes_nothing_from_the_one_that_signs() {
    let api = FakeApi::default();
    let first = issuer(&authorities(&api), now()).await;
    let order = ordered(&api, Action::Prepare);
    keep(&api, Some(&order), now()).await.unwrap();
    let [_, second, _] = paths();
    api.keep_what_is_deleted(&second);
    let order = ordered(&api, Action::Taint { number: Some(2) });
    let again = keep(&api, Some(&order), now()).await.unwrap();
    assert!(again.is_some_and(|again| again <= now() + STUCK), "{again:?}");
    assert_eq!(issuer(&authorities(&api), now()).await.number, first.number);
    api.remove(&second);
    keep(&api, None, now()).await.unwrap();
    assert_eq!(ledger(&api).authorities.len(), 1, "and then it is over");
}

#[tokio::test]
async fn an_order_that_was_taken_back_is_not_followed_and_an_old_one_breaks_nothing() {
    let api = FakeApi::default();
    issuer(&authorities(&api), now()).await;
    let order = ordered(&api, Action::Prepare);
    let path = format!("/api/v1/namespaces/{SYSTEM}/configmaps/{}", opening().chest().order());
    api.remove(&path);
    keep(&api, Some(&order), now()).await.unwrap();
    assert_eq!(ledger(&api).last, 1);
    let order = ordered(&api, Action::Prepare);
    keep(&api, Some(&order), now()).await.unwrap();
    let order = ordered(&api, Action::Activate { now: true });
    let given = now();
    api.change(&path, |order| order["metadata"]["creationTimestamp"] = serde_json::json!(given));
    keep(&api, Some(&order), given + SignedDuration::from_mins(61)).await.unwrap();
    let answer = ledger(&api).answer.unwrap();
    assert!(answer.message.contains("give it again"), "{answer:?}");
    assert_eq!(issuer(&authorities(&api), given).await.number, 1);
}
