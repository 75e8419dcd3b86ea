//! Tending a stage, request by request, against a fake API server.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::*;
use crate::pki::check::Reason;
use crate::signer::ca::Slot;
use crate::signer::opening::Makers;
use crate::signer::testing::{self, now, opening};
use crate::signer::witness::Doubt;
use crate::testing::api::FakeApi;

const SYSTEM: &str = "comity-system";

struct Stage {
    api: FakeApi,
    tender: Tender,
    opening: Opening,
    confirmed: Cell<usize>,
}

impl Stage {
    fn new() -> Self {
        let api = FakeApi::default();
        Self { tender: tender(&api), api, opening: opening(), confirmed: Cell::new(0) }
    }

    /// A stage that has all that it needs, and whose requests so far are forgotten.
    async fn served() -> Self {
        let stage = Self::new();
        stage.tend(now()).await.unwrap();
        stage.api.requests();
        stage.confirmed.set(0);
        stage
    }

    async fn tend(&self, now: Timestamp) -> Result<Outcome, SignError> {
        self.tend_as(&self.opening, now).await
    }

    async fn tend_as(&self, opening: &Opening, now: Timestamp) -> Result<Outcome, SignError> {
        let site = testing::site(opening);
        let confirm = || async {
            self.confirmed.set(self.confirmed.get() + 1);
            Ok((opening.clone(), Some(site.clone())))
        };
        self.tender.tend(opening, &site, now, confirm).await
    }

    fn at(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/{rest}", self.opening.place())
    }

    fn secret(&self, workload: &str) -> String {
        self.at(&format!("secrets/comity-tls-{workload}"))
    }

    fn trust(&self) -> String {
        self.at("configmaps/comity-trust-stage")
    }

    fn published(&self) -> Value {
        self.api.get(&self.trust()).unwrap()["data"].clone()
    }
}

fn tender(api: &FakeApi) -> Tender {
    Tender::new(Talk::new(api.client()), testing::terms(), std::sync::Arc::new(now))
}

#[tokio::test]
async fn a_new_stage_is_served_in_order_and_then_left_alone() {
    let stage = Stage::new();
    let outcome = stage.tend(now()).await.unwrap();
    assert_eq!(outcome.issued.len(), 2);
    assert!(outcome.published && outcome.renew_at.is_some());
    let system = format!("/api/v1/namespaces/{SYSTEM}");
    let expected = [
        format!("POST {system}/secrets"),
        format!("POST {system}/configmaps"),
        format!("POST {}", stage.at("secrets")),
        format!("POST {}", stage.at("secrets")),
        format!("POST {}", stage.at("configmaps")),
    ];
    assert_eq!(stage.api.writes(), expected, "the authority and its marker come before what it signs");
    stage.confirmed.set(0);
    let again = stage.tend(now() + SignedDuration::from_mins(1)).await.unwrap();
    assert!(again.issued.is_empty() && !again.published);
    assert_eq!(again.renew_at, outcome.renew_at);
    assert!(stage.api.writes().is_empty());
    assert_eq!(stage.confirmed.get(), 0, "nothing is read again where nothing is done");
}

#[tokio::test]
async fn a_restart_writes_nothing() {
    let stage = Stage::served().await;
    let outcome = {
        let site = testing::site(&stage.opening);
        let confirm = || async { panic!("nothing is to be done") };
        tender(&stage.api).tend(&stage.opening, &site, now(), confirm).await.unwrap()
    };
    assert!(outcome.renew_at.is_some());
    assert!(stage.api.writes().is_empty());
}

#[tokio::test]
async fn what_is_published_is_what_is_stored() {
    let stage = Stage::served().await;
    for workload in ["scorer", "trainer"] {
        let secret: Secret = serde_json::from_value(stage.api.get(&stage.secret(workload)).unwrap()).unwrap();
        let data = secret.data.unwrap();
        let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
        assert_eq!(stage.published()[format!("{workload}.crt")], text("tls.crt"));
        assert_eq!(stage.published()["ca.crt"], text("ca.crt"));
        let leaf = pki::Leaf::parse(text("tls.crt").as_bytes()).unwrap();
        assert!(leaf.id().as_str().ends_with(workload));
        assert!(leaf.signed_by(&Anchor::parse(text("ca.crt").as_bytes()).unwrap()));
        let published = stage.published().to_string();
        assert!(!published.contains("PRIVATE"), "{published}");
    }
}

#[tokio::test]
async fn a_deleted_or_tampered_secret_is_made_anew_and_only_that_one() {
    let stage = Stage::served().await;
    stage.api.remove(&stage.secret("scorer"));
    let outcome = stage.tend(now()).await.unwrap();
    let made: Vec<_> = outcome.issued.iter().map(|made| (made.workload.as_str(), made.why)).collect();
    assert_eq!(made, [("scorer", Why::Unfit(Reason::Missing))]);
    let expected = [format!("POST {}", stage.at("secrets")), format!("PUT {}", stage.trust())];
    assert_eq!(stage.api.writes(), expected);
    stage.api.change(&stage.secret("trainer"), |secret| secret["data"]["tls.key"] = "AAAA".into());
    stage.tend(now()).await.unwrap();
    let expected = [format!("PUT {}", stage.secret("trainer")), format!("PUT {}", stage.trust())];
    assert_eq!(stage.api.writes(), expected);
    assert_eq!(stage.confirmed.get(), 2, "what it rests on was read before each signing");
    stage.tend(now()).await.unwrap();
    assert!(stage.api.writes().is_empty());
}

#[tokio::test]
async fn a_secret_of_another_type_makes_way() {
    let stage = Stage::served().await;
    stage.api.change(&stage.secret("scorer"), |secret| secret["type"] = "Opaque".into());
    stage.tend(now()).await.unwrap();
    let expected = [
        format!("DELETE {}", stage.secret("scorer")),
        format!("POST {}", stage.at("secrets")),
        format!("PUT {}", stage.trust()),
    ];
    assert_eq!(stage.api.writes(), expected);
}

#[tokio::test]
async fn what_others_added_goes() {
    let stage = Stage::served().await;
    stage.api.change(&stage.trust(), |trust| trust["data"]["evil.crt"] = "trust me".into());
    stage.tend(now()).await.unwrap();
    assert_eq!(stage.api.writes(), [format!("PUT {}", stage.trust())]);
    assert!(stage.published().get("evil.crt").is_none());
    stage.tend(now()).await.unwrap();
    assert!(stage.api.writes().is_empty());
}

#[tokio::test]
async fn a_certificate_is_renewed_when_it_is_due_and_never_past_the_end() {
    let mut stage = Stage::new();
    stage.opening.end = now() + SignedDuration::from_hours(3);
    let first = stage.tend(now()).await.unwrap().renew_at.unwrap();
    stage.api.requests();
    stage.tend(first - SignedDuration::from_secs(1)).await.unwrap();
    assert!(stage.api.writes().is_empty());
    let mut at = first;
    for _ in 0..4 {
        let outcome = stage.tend(at).await.unwrap();
        let pem = stage.published()["scorer.crt"].as_str().unwrap().to_owned();
        assert!(pki::Leaf::parse(pem.as_bytes()).unwrap().lifetime().not_after() <= stage.opening.end);
        let Some(next) = outcome.renew_at else { break };
        at = next;
    }
    stage.api.requests();
    stage.tend(stage.opening.end - SignedDuration::from_secs(1)).await.unwrap();
    assert!(stage.api.writes().is_empty(), "what lasts to the end isn't renewed");
    stage.tend(stage.opening.end).await.unwrap();
    assert_eq!(stage.api.writes().len(), 3, "and at the end it is taken back");
}

#[tokio::test]
async fn what_is_closed_is_taken_back_secrets_first_and_once() {
    let stage = Stage::served().await;
    let closed = Opening { open: false, ..stage.opening.clone() };
    let outcome = stage.tend_as(&closed, now()).await.unwrap();
    assert_eq!(outcome.removed, 3);
    let expected =
        [stage.secret("scorer"), stage.secret("trainer"), stage.trust()].map(|path| format!("DELETE {path}"));
    assert_eq!(stage.api.writes(), expected);
    stage.tend_as(&closed, now()).await.unwrap();
    assert!(
        stage.api.requests().iter().all(|request| request.starts_with("GET")),
        "nothing is deleted twice"
    );
}

#[tokio::test]
async fn what_the_caches_say_is_not_signed_by() {
    let stage = Stage::new();
    let site = testing::site(&stage.opening);
    let closed = Opening { open: false, ..stage.opening.clone() };
    let confirm = || async { Ok((closed.clone(), Some(site.clone()))) };
    stage.tender.tend(&stage.opening, &site, now(), confirm).await.unwrap();
    assert!(stage.api.get(&stage.secret("scorer")).is_none());
    // Nor in a namespace that was made again by somebody else since.
    let foreign = Site { labels: std::collections::BTreeMap::new(), ..site.clone() };
    let confirm = || async { Ok((stage.opening.clone(), Some(foreign))) };
    stage.tender.tend(&stage.opening, &site, now(), confirm).await.unwrap();
    assert!(stage.api.get(&stage.secret("scorer")).is_none());
}

#[tokio::test]
async fn a_lost_authority_is_told_once_and_what_was_issued_stays() {
    let stage = Stage::served().await;
    let chest = stage.opening.chest();
    let key = format!("/api/v1/namespaces/{SYSTEM}/secrets/{}", chest.secret(Slot::First));
    let kept = stage.api.get(&key).unwrap();
    stage.api.remove(&key);
    let later = now() + SignedDuration::from_mins(1);
    let outcome = stage.tend(later).await.unwrap();
    assert!(outcome.published);
    assert_eq!(outcome.refused.as_ref().map(Refusal::word), Some("AuthorityLost"));
    assert_eq!(stage.api.writes(), [format!("PUT {}", stage.trust())]);
    assert!(stage.published()["refused"].as_str().unwrap().contains("Restore it from a backup"));
    assert!(stage.api.get(&stage.secret("scorer")).is_some());
    let again = stage.tend(later).await.unwrap();
    assert!(again.refused.is_some() && !again.published);
    assert!(stage.api.writes().is_empty());
    stage.api.put(&key, kept);
    let healed = stage.tend(later + SignedDuration::from_mins(1)).await.unwrap();
    assert!(healed.refused.is_none() && healed.issued.is_empty());
    assert_eq!(stage.api.writes(), [format!("PUT {}", stage.trust())]);
    assert!(stage.published().get("refused").is_none());
}

#[tokio::test]
async fn where_nobody_can_say_whom_to_believe_what_was_published_is_believed_still() {
    let stage = Stage::served().await;
    let before = stage.published()[build::ANCHOR_KEY].clone();
    let ledger = format!("/api/v1/namespaces/{SYSTEM}/configmaps/{}", stage.opening.chest().ledger());
    stage.api.change(&ledger, |ledger| ledger["data"]["authorities.json"] = Value::from("{"));
    let outcome = stage.tend(now() + SignedDuration::from_mins(1)).await.unwrap();
    assert_eq!(outcome.refused.as_ref().map(Refusal::word), Some("AuthorityMarkerUnreadable"));
    assert_eq!(stage.published()[build::ANCHOR_KEY], before);
    assert!(stage.published()["refused"].is_string());
}

#[tokio::test]
async fn without_the_right_to_act_nothing_is_signed() {
    let stage = Stage::new();
    stage.api.fail("GET /api/v1/namespaces/comity-northpay", 403, 1);
    let error = stage.tend(now()).await.unwrap_err();
    assert_eq!(error.code(), Some(403));
    assert!(stage.api.writes().is_empty());
    stage.tend(now()).await.unwrap();
    assert_eq!(stage.api.writes().len(), 5);
}

#[tokio::test]
async fn a_crash_at_every_request_ends_in_the_same_place() {
    let whole = {
        let stage = Stage::new();
        stage.tend(now()).await.unwrap();
        stage.api.requests().len()
    };
    for crash in 0..whole {
        let stage = Stage::new();
        // Every request before the crash is let through, the next one is not.
        stage.api.crash_after(crash);
        assert!(stage.tend(now()).await.is_err(), "{crash}");
        stage.api.heal();
        tender_again(&stage).await;
        assert_eq!(stage.published().as_object().unwrap().len(), 3, "{crash}");
        stage.api.requests();
        tender_again(&stage).await;
        assert!(stage.api.writes().is_empty(), "{crash}");
    }
}

/// Tends the stage as a process does that has just started.
async fn tender_again(stage: &Stage) {
    let site = testing::site(&stage.opening);
    let confirm = || async { Ok((stage.opening.clone(), Some(site.clone()))) };
    tender(&stage.api).tend(&stage.opening, &site, now(), confirm).await.unwrap();
}

#[tokio::test]
async fn a_stage_without_workloads_needs_no_authority() {
    let mut stage = Stage::new();
    stage.opening.workloads.clear();
    stage.opening.every_workload.clear();
    stage.tend(now()).await.unwrap();
    assert!(stage.api.writes().is_empty());
    let mut unheard_of = Stage::new();
    unheard_of.opening.workloads.clear();
    unheard_of.opening.makers = Makers::default();
    unheard_of.tend(now()).await.unwrap();
    assert!(unheard_of.api.writes().is_empty());
}

#[tokio::test]
async fn where_nodes_make_the_keys_the_anchor_is_published_and_no_secret_made() {
    let mut stage = Stage::new();
    stage.opening.workloads.clear();
    let outcome = stage.tend(now()).await.unwrap();
    assert!(outcome.published && outcome.issued.is_empty());
    assert!(stage.api.get(&stage.secret("scorer")).is_none());
    assert!(stage.published().as_object().unwrap().keys().eq(["ca.crt"]));
}

#[tokio::test]
async fn who_decided_isnt_told_in_the_namespace_of_the_stage() {
    let stage = Stage::new();
    let what = "says what olga@bank decided, but there is no GrantDecision olgas-word".to_owned();
    let general = "doesn't say what people decided".to_owned();
    let doubt = Doubt { sequence: 7, what, general };
    let doubted = Opening { doubt: Some(doubt), ..stage.opening.clone() };
    let refused = stage.tend_as(&doubted, now()).await.unwrap().refused.unwrap().to_string();
    assert!(refused.contains("olga@bank") && refused.contains("olgas-word"), "the Event says all: {refused}");
    let published = stage.api.get(&stage.trust()).unwrap()["data"].to_string();
    assert!(published.contains("record 7 of the journal doesn't say what people decided"), "{published}");
    assert!(!published.contains("olga"), "{published}");
}
