//! Authorities that the platform brings, request by request, against a fake API server.

use serde_json::json;

use super::tests::{SYSTEM, ledger, paths};
use super::*;
use crate::api::stage::Stage;
use crate::signer::ca::Claim;
use crate::signer::testing::{TRUST_DOMAIN, authority, now, opening, terms};
use crate::testing::api::FakeApi;

fn authorities(api: &FakeApi) -> Authorities {
    Authorities::new(Talk::new(api.client()), terms())
}

/// Puts an authority into the first Secret of an opening, as the platform does.
fn bring(api: &FakeApi, opening: &Opening, certificate: &Authority, key: &Authority) {
    let name = opening.chest().secret(Slot::First);
    let mut secret = build::authority_secret(SYSTEM, &opening.owner(), &name, 1, certificate);
    let key = k8s_openapi::ByteString(key.stored().reveal().as_bytes().to_vec());
    secret.data.get_or_insert_default().insert("tls.key".to_owned(), key);
    let mut secret = serde_json::to_value(&secret).unwrap();
    secret["metadata"]["labels"] = json!({"comity.dev/authority": "brought"});
    secret["metadata"]["annotations"] = json!({});
    api.put(&format!("/api/v1/namespaces/{SYSTEM}/secrets/{name}"), secret);
}

fn claim(authority: &Authority) -> String {
    format!("/api/v1/namespaces/{SYSTEM}/configmaps/{}", Claim::called(authority.anchor()))
}

async fn issuer(api: &FakeApi, opening: &Opening) -> Result<Arc<Issuer>, Refusal> {
    authorities(api).of(opening, now()).await.unwrap().issuer
}

#[tokio::test]
async fn the_first_one_is_what_was_brought_and_nothing_is_made() {
    let (api, platforms) = (FakeApi::default(), authority());
    bring(&api, &opening(), &platforms, &platforms);
    let signs = issuer(&api, &opening()).await.unwrap();
    assert_eq!(signs.authority.anchor(), platforms.anchor());
    let at = format!("POST /api/v1/namespaces/{SYSTEM}/configmaps");
    assert_eq!(api.writes(), [at.clone(), at], "whose it is first, and then that it signs");
    assert!(api.get(&claim(&platforms)).is_some());
    assert_eq!(ledger(&api).authorities[0].maker, crate::signer::ca::Maker::Platform);
    let text = api.objects().into_iter().filter(|(path, _)| path.contains("configmaps"));
    assert!(text.into_iter().all(|(_, object)| !object.to_string().contains("PRIVATE")));
    issuer(&api, &opening()).await.unwrap();
    assert!(api.writes().is_empty(), "a restart writes nothing");
    let [first, _, _] = paths();
    api.remove(&first);
    assert_eq!(issuer(&api, &opening()).await.unwrap_err().word(), "AuthorityLost");
    assert!(api.writes().is_empty(), "none is made in its place");
}

#[tokio::test]
async fn a_key_that_is_not_its_certificates_is_refused_until_it_is() {
    let (api, platforms) = (FakeApi::default(), authority());
    bring(&api, &opening(), &platforms, &authority());
    let refusal = issuer(&api, &opening()).await.unwrap_err();
    assert_eq!(refusal.word(), "AuthorityUnfit");
    assert!(refusal.to_string().contains("not the one of the certificate"), "{refusal}");
    assert!(api.writes().is_empty());
    bring(&api, &opening(), &platforms, &platforms);
    assert!(issuer(&api, &opening()).await.is_ok());
}

#[tokio::test]
async fn two_that_are_brought_the_same_key_at_once_do_not_both_sign_with_it() {
    let (api, platforms) = (FakeApi::default(), authority());
    let other = Opening { contract_uid: "another".to_owned(), ..opening() };
    let production = Opening { stage: Stage::Production, ..opening() };
    for opening in [&opening(), &other, &production] {
        bring(&api, opening, &platforms, &platforms);
    }
    let (one, two) = (opening(), other);
    let all = futures::join!(issuer(&api, &one), issuer(&api, &two), issuer(&api, &production));
    let all = [all.0, all.1, all.2];
    let refused: Vec<&Refusal> = all.iter().filter_map(|one| one.as_ref().err()).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused.iter().all(|one| one.to_string().contains("another contract or stage")), "{refused:?}");
}

#[tokio::test]
async fn a_key_that_comity_made_for_one_is_brought_to_no_other() {
    let api = FakeApi::default();
    let own = issuer(&api, &opening()).await.unwrap();
    let other = Opening { contract_uid: "another".to_owned(), ..opening() };
    bring(&api, &other, &own.authority, &own.authority);
    let refusal = issuer(&api, &other).await.unwrap_err();
    assert!(refusal.to_string().contains("another contract or stage"), "{refusal}");
    assert!(issuer(&api, &opening()).await.is_ok());
}

#[tokio::test]
async fn a_crash_at_every_request_ends_in_the_same_place() {
    let whole = {
        let (api, platforms) = (FakeApi::default(), authority());
        bring(&api, &opening(), &platforms, &platforms);
        issuer(&api, &opening()).await.unwrap();
        api.requests().len()
    };
    for crash in 0..whole {
        let (api, platforms) = (FakeApi::default(), authority());
        bring(&api, &opening(), &platforms, &platforms);
        api.crash_unheard_after(crash);
        assert!(authorities(&api).of(&opening(), now()).await.is_err(), "{crash}");
        api.heal();
        let signs = issuer(&api, &opening()).await.unwrap();
        assert_eq!(signs.authority.anchor(), platforms.anchor(), "{crash}");
    }
}

#[tokio::test]
async fn whose_a_key_is_that_cannot_be_read_is_somebody_elses() {
    for said in [json!({}), json!({"chest": "../../x", "authority": "1"}), json!({"chest": "nobodys"})] {
        let (api, platforms) = (FakeApi::default(), authority());
        bring(&api, &opening(), &platforms, &platforms);
        let name = Claim::called(platforms.anchor());
        api.put(&claim(&platforms), json!({"metadata": {"name": name, "namespace": SYSTEM}, "data": said}));
        let refusal = issuer(&api, &opening()).await.unwrap_err();
        assert!(refusal.to_string().contains("another contract or stage"), "{refusal}");
    }
    assert_eq!(terms().trust_domain, TRUST_DOMAIN);
}
