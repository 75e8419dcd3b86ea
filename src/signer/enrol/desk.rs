//! The conductor of a call: cheap checks first, then what has to be looked up, then what has to be written
//! down, and signing last ([`super::issue`]).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use tokio::sync::Semaphore;

use super::answer::{Granted, Refusal};
use super::ask::{Ask, Target, token};
use super::bound::{Bound, decision_of};
use super::issue::{By, Order};
use super::pace::Pace;
use super::used::Used;
use crate::api::{GrantDecision, PartnerGrant, name};
use crate::pki::policy::outside;
use crate::pki::{RequestedKey, Token};
use crate::signer::decide::Doomed;
use crate::signer::error::SignError;
use crate::signer::opening::Opening;
use crate::signer::pod::stand;
use crate::signer::reconcile::Context;
use crate::signer::talk::Talk;

/// How many who come with a token are worked for at the same time.
const AT_ONCE: usize = 4;
/// How often what is remembered of tokens is gone through.
pub const SWEPT_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// A call, as it came in.
#[derive(Debug)]
pub struct Call {
    /// From where: an IPv4 address, or the network of an IPv6 address.
    pub from: IpAddr,
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Whoever answers calls.
pub struct Desk {
    pub(super) signing: Arc<Context>,
    pub(super) talk: Talk,
    pub(super) trust_domain: String,
    system: String,
    paces: Paces,
    places: Semaphore,
    /// Tokens that were used, by the UID of their decision: it spares requests.
    used: Mutex<HashMap<String, Used>>,
}

/// How often who may ask.
struct Paces {
    /// Whoever calls, by where from.
    callers: Pace<IpAddr>,
    /// Whoever shows a token that nobody knows.
    strays: Pace<()>,
    /// Whoever shows a token that is known, by its decision.
    tokens: Pace<String>,
}

impl Paces {
    fn new() -> Self {
        Self {
            callers: Pace::new(20, SignedDuration::from_secs(3)),
            strays: Pace::new(200, SignedDuration::from_millis(100)),
            tokens: Pace::new(3, SignedDuration::from_secs(30)),
        }
    }
}

impl Desk {
    /// Answers what is asked through `talk`, with what `signing` holds; what it has to remember is kept in the
    /// namespace `system`.
    pub fn new(signing: Arc<Context>, talk: Talk, system: &str, trust_domain: &str) -> Self {
        Self {
            signing,
            talk,
            system: system.to_owned(),
            trust_domain: trust_domain.to_owned(),
            paces: Paces::new(),
            places: Semaphore::new(AT_ONCE),
            used: Mutex::default(),
        }
    }

    /// Answers a call.
    pub async fn answer(&self, call: Call) -> Result<Granted, Refusal> {
        let answer = Box::pin(self.weigh(&call)).await;
        let word = answer.as_ref().map_or_else(Refusal::word, |_| "Issued");
        self.signing.meter.answered(word);
        if let Err(Refusal::Trouble(error)) = &answer {
            tracing::warn!(%error, "somebody who enrols can't be served");
        }
        answer
    }

    /// What somebody is answered whose call can't even be read.
    pub fn refuse(&self, refusal: Refusal) -> Refusal {
        self.signing.meter.answered(refusal.word());
        refusal
    }

    async fn weigh(&self, call: &Call) -> Result<Granted, Refusal> {
        let now = (self.signing.now)();
        self.paces.callers.take(call.from, now).map_err(Refusal::TooOften)?;
        match Ask::of(&call.method, &call.path)? {
            Ask::Enrol(target) => {
                let token = token(&call.headers).ok_or(Refusal::Unknown)?;
                self.enrol(&target, &token, &call.body, now).await
            }
        }
    }

    /// A first certificate, by a token. Nothing is read or written for a token that nobody knows, that isn't for
    /// this, or that was used, nor for a request that isn't signed with its own key.
    async fn enrol(
        &self,
        target: &Target,
        token: &Token,
        pem: &[u8],
        now: Timestamp,
    ) -> Result<Granted, Refusal> {
        let (grant, decision) = self.find(target, token, now)?;
        let bound = Bound::of(&decision, target, now)?;
        let key = RequestedKey::of_signed_request(pem)?;
        let using = Used::now(&bound, &key.fingerprint(), now);
        if self.remembered().get(&bound.decision_uid).is_some_and(|used| !used.may_come_again(&using)) {
            return Err(Refusal::Used);
        }
        self.paces.tokens.take(bound.decision_uid.clone(), now).map_err(Refusal::TooOften)?;
        let opening = self.opening(&grant, &bound, now)?;
        let _place = self.places.acquire().await.map_err(|_closed| overrun())?;
        self.stands(&decision).await?;
        self.use_up(&bound, &using).await?;
        let by = By::Token(&bound.decision);
        let order = Order { grant: &grant, opening: &opening, workload: &bound.workload, key: &key, pem, by };
        Box::pin(self.issue(&order)).await
    }

    /// The grant that is asked for, and the decision that let this token be made for it, as the watches told.
    fn find(
        &self,
        target: &Target,
        token: &Token,
        now: Timestamp,
    ) -> Result<(Arc<PartnerGrant>, Arc<GrantDecision>), Refusal> {
        let found = || {
            let observer = &self.signing.observer;
            let grant = observer.grant(&target.namespace, &target.grant)?;
            let decision = decision_of(&observer.decided(&grant), token)?;
            Some((grant, decision))
        };
        found().ok_or_else(|| {
            self.paces.strays.take((), now).map_or_else(Refusal::TooOften, |()| Refusal::Unknown)
        })
    }

    /// What is open, as the watches told; refused where that is enough to say no.
    fn opening(&self, grant: &PartnerGrant, bound: &Bound, now: Timestamp) -> Result<Opening, Refusal> {
        let openings = self.signing.observer.cached(grant, now).openings;
        let is_meant = |opening: &Opening| opening.stage == bound.stage && opening.digest == bound.digest;
        let opening = openings.into_iter().find(is_meant).ok_or(outside::Refusal::NoStage)?;
        let site = self.signing.observer.cached_site(&opening.place());
        let stage = stand::stage(&opening, site.as_ref());
        let account = name::workload_service_account(&bound.workload);
        outside::decide(&outside::Case { account: &account, stage: stage.as_ref(), now })?;
        Ok(opening)
    }

    /// Refused unless a decision is there still: who deletes it takes its token back.
    async fn stands(&self, decision: &GrantDecision) -> Result<(), Refusal> {
        let home = decision.namespace().unwrap_or_default();
        let live: Option<GrantDecision> = self.talk.get(&home, &decision.name_any()).await?;
        let is_same = |live: &GrantDecision| live.uid() == decision.uid() && live.spec == decision.spec;
        let is_there = live.is_some_and(|live| is_same(&live) && live.metadata.deletion_timestamp.is_none());
        is_there.then_some(()).ok_or(Refusal::Unknown)
    }

    /// Uses a token up, for good, before anything is signed by it.
    async fn use_up(&self, bound: &Bound, using: &Used) -> Result<(), Refusal> {
        let uid = &bound.decision_uid;
        let error = match self.talk.put(&using.kept(&self.system, uid), None).await {
            Ok(()) => {
                self.remembered().insert(uid.clone(), using.clone());
                return Ok(());
            }
            Err(error) => error,
        };
        if error.code() != Some(409) {
            return Err(error.into());
        }
        let kept: Option<ConfigMap> = self.talk.get(&self.system, &name::enrolled_config_map(uid)).await?;
        let used = kept.as_ref().and_then(Used::read).ok_or(Refusal::Used)?;
        self.remembered().insert(uid.clone(), used.clone());
        used.may_come_again(using).then_some(()).ok_or(Refusal::Used)
    }

    /// Forgets tokens that can't be used any more, used or not.
    pub async fn sweep(&self) -> Result<(), SignError> {
        let now = (self.signing.now)();
        let label = format!("{}={}", name::LABEL_ENROLMENT, name::USED);
        for kept in self.talk.list::<ConfigMap>(&self.system, &label).await? {
            if let Some(uid) = kept.uid().filter(|_| Used::is_over(&kept, now)) {
                self.talk.delete::<ConfigMap>(&self.system, &Doomed { name: kept.name_any(), uid }).await?;
            }
        }
        let is_there = |uid: &String| self.signing.observer.knows_decision(uid);
        self.remembered().retain(|uid, _| is_there(uid));
        Ok(())
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<String, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody closes what gives places.
fn overrun() -> Refusal {
    Refusal::TooOften(SignedDuration::from_secs(1))
}
