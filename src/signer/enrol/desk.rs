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

use super::answer::{Given, Granted, Refusal};
use super::ask::{Ask, Named, Target, token};
use super::bound::{Bound, decision_of};
use super::caller::{Anchors, Caller};
use super::issue::{By, Order};
use super::pace::Pace;
use super::used::Used;
use crate::api::{GrantDecision, PartnerGrant, name};
use crate::pki::foreign::vouched;
use crate::pki::policy::outside;
use crate::pki::{RequestedKey, Token};
use crate::signer::authority::Terms;
use crate::signer::decide::Doomed;
use crate::signer::error::SignError;
use crate::signer::opening::Opening;
use crate::signer::pod::stand;
use crate::signer::reconcile::Context;
use crate::signer::talk::Talk;

/// How many who aren't certified yet are worked for at the same time.
const AT_ONCE: usize = 4;
/// How many who are: nobody else takes their places.
const CERTIFIED_AT_ONCE: usize = 8;
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
    /// The chain of certificates that was shown, and whose key was: the certificate first, in DER.
    pub shown: Vec<Vec<u8>>,
    /// The body.
    pub body: Vec<u8>,
}

/// Whoever answers calls.
pub struct Desk {
    pub(super) signing: Arc<Context>,
    pub(super) talk: Talk,
    pub(super) trust_domain: String,
    system: String,
    pub(super) anchors: Anchors,
    paces: Paces,
    places: Semaphore,
    places_of_certified: Semaphore,
    /// Tokens that were used, by the UID of their decision: it spares requests.
    used: Mutex<HashMap<String, Used>>,
}

/// How often who may ask.
struct Paces {
    /// Whoever calls, by where from.
    callers: Pace<IpAddr>,
    /// Whoever shows a token that nobody knows.
    strays: Pace<()>,
    /// Whoever shows a token that is known, by its decision; whoever shows a certificate of the partner's own, by
    /// what it says and what they ask for.
    tokens: Pace<String>,
    /// Whoever shows a certificate that was signed here, once that is known, by the SPIFFE ID in it.
    certified: Pace<String>,
}

impl Paces {
    fn new() -> Self {
        Self {
            callers: Pace::new(20, SignedDuration::from_secs(3)),
            strays: Pace::new(200, SignedDuration::from_millis(100)),
            tokens: Pace::new(3, SignedDuration::from_secs(30)),
            certified: Pace::new(10, SignedDuration::from_secs(20)),
        }
    }
}

impl Desk {
    /// Answers what is asked through `talk`, with what `signing` holds; `home` says where what it has to remember is
    /// kept, and for which trust domain it signs.
    pub fn new(signing: Arc<Context>, talk: Talk, anchors: Anchors, home: &Terms) -> Self {
        Self {
            signing,
            talk,
            anchors,
            system: home.system.clone(),
            trust_domain: home.trust_domain.clone(),
            paces: Paces::new(),
            places: Semaphore::new(AT_ONCE),
            places_of_certified: Semaphore::new(CERTIFIED_AT_ONCE),
            used: Mutex::default(),
        }
    }

    /// Answers a call.
    pub async fn answer(&self, call: Call) -> Result<Given, Refusal> {
        let answer = Box::pin(self.weigh(&call)).await;
        let word = answer.as_ref().map_or_else(Refusal::word, Given::word);
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

    /// Whether somebody shows a certificate that was signed here, for a workload on the partner's side.
    pub fn knows(&self, shown: &[Vec<u8>]) -> bool {
        self.caller(shown, (self.signing.now)()).is_ok()
    }

    fn caller(&self, shown: &[Vec<u8>], now: Timestamp) -> Result<Caller, Refusal> {
        shown.first().map_or(Err(Refusal::Unknown), |der| self.anchors.caller(der, now))
    }

    async fn weigh(&self, call: &Call) -> Result<Given, Refusal> {
        let now = (self.signing.now)();
        let caller = self.caller(&call.shown, now);
        // Nobody uses up what is another's by saying that they are.
        match &caller {
            Ok(caller) => self.paces.certified.take(caller.leaf.id().to_string(), now),
            Err(_) => self.paces.callers.take(call.from, now),
        }
        .map_err(Refusal::TooOften)?;
        match Ask::of(&call.method, &call.path)? {
            Ask::Renew => Box::pin(self.renew(&caller?, &call.body, now)).await,
            Ask::Trust => return Ok(Given::Trust(caller?.trust.pem().to_owned())),
            Ask::Enrol(target) => match token(&call.headers) {
                Some(token) => Box::pin(self.enrol(&target, &token, &call.body, now)).await,
                None => Box::pin(self.introduce(&target, call, now)).await,
            },
        }
        .map(Given::Certificate)
    }

    /// Another certificate, by the one before. Nothing of what it says is believed but whose it is: what stands
    /// decides, as at first.
    async fn renew(&self, caller: &Caller, pem: &[u8], now: Timestamp) -> Result<Granted, Refusal> {
        let key = RequestedKey::of_signed_request(pem)?;
        let named = Named::of(caller.leaf.id().as_str(), &self.trust_domain).ok_or(Refusal::Unknown)?;
        let grant =
            self.signing.observer.grant(&named.namespace, &named.grant).ok_or(outside::Refusal::NoStage)?;
        let is_its = |opening: &Opening| {
            let id = opening.identity(&self.trust_domain, &named.workload);
            opening.chest() == caller.chest && id.is_ok_and(|id| id == *caller.leaf.id())
        };
        let opening = self.opening(&grant, &is_its, &named.workload, now)?;
        let _place = self.places_of_certified.acquire().await.map_err(|_closed| overrun())?;
        let by = By::Certificate(caller.leaf.fingerprint());
        let (workload, key) = (named.workload.as_str(), &key);
        Box::pin(self.issue(&Order { grant: &grant, opening: &opening, workload, key, pem, by })).await
    }

    /// A first certificate, by one of the partner's own. What the partner has declared is looked at once, and what
    /// stands directly before signing has to be that.
    async fn introduce(&self, target: &Target, call: &Call, now: Timestamp) -> Result<Granted, Refusal> {
        let grant = self.signing.observer.grant(&target.namespace, &target.grant).ok_or(Refusal::Unknown)?;
        let partner = self.signing.observer.partner(&grant.spec.partner_ref.name.0);
        let identity = partner.and_then(|partner| partner.spec.identity.clone()).ok_or(Refusal::Unknown)?;
        let declared = identity.trust_bundle.as_ref().zip(identity.trust_domain.as_ref());
        let (bundle, domain) = declared.ok_or(Refusal::Unknown)?;
        let id = vouched(bundle.as_str(), domain.as_str(), &call.shown, now).ok_or(Refusal::Unknown)?;
        if id.as_str().rsplit('/').next() != Some(target.workload.as_str()) {
            return Err(Refusal::OtherWorkload);
        }
        let key = RequestedKey::of_signed_request(&call.body)?;
        // By who vouches, and not by what is vouched for: of identities the partner's own CA makes as many as it likes.
        let who = format!("{} for {}", id.root(), call.path);
        self.paces.tokens.take(who, now).map_err(Refusal::TooOften)?;
        let is_open = |opening: &Opening| opening.stage == target.stage && opening.open;
        let opening = self.opening(&grant, &is_open, &target.workload, now)?;
        let _place = self.places.acquire().await.map_err(|_closed| overrun())?;
        let by = By::Partner(id.to_string(), Box::new(identity));
        let (workload, key, pem) = (target.workload.as_str(), &key, call.body.as_slice());
        Box::pin(self.issue(&Order { grant: &grant, opening: &opening, workload, key, pem, by })).await
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
        let is_meant = |opening: &Opening| opening.stage == bound.stage && opening.digest == bound.digest;
        let opening = self.opening(&grant, &is_meant, &bound.workload, now)?;
        let _place = self.places.acquire().await.map_err(|_closed| overrun())?;
        self.stands(&decision).await?;
        self.use_up(&bound, &using).await?;
        let by = By::Token(bound.decision.clone());
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

    /// What is meant of all that was opened, as the watches told; refused where that is enough to say no.
    fn opening(
        &self,
        grant: &PartnerGrant,
        is_meant: &dyn Fn(&Opening) -> bool,
        workload: &str,
        now: Timestamp,
    ) -> Result<Opening, Refusal> {
        let mut openings = self.signing.observer.cached(grant, now).openings.into_iter();
        let opening = openings.rfind(|opening| is_meant(opening)).ok_or(outside::Refusal::NoStage)?;
        let site = self.signing.observer.cached_site(&opening.place());
        let stage = stand::stage(&opening, site.as_ref());
        let account = name::workload_service_account(workload);
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
        self.anchors.sweep();
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
