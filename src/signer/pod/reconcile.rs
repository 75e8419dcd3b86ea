//! The conductor: for each `PodCertificateRequest`, look what stands, let the policy decide, and answer
//! what it says, or look again when it says so. Trouble of our own is no answer: it is tried again.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use super::observe::Lookout;
use super::pace::{Pace, pod_of};
use super::request::{Answer, Asked};
use crate::api::PartnerGrant;
use crate::pki::policy::{self, Decision, Delay, Denial, Standing, Why, Wish};
use crate::pki::{Certified, Lifetime, RequestedKey, SpiffeId, certify};
use crate::plan::retry;
use crate::signer::error::SignError;
use crate::signer::observe::Found;
use crate::signer::opening::Opening;
use crate::signer::reconcile as signing;

/// How old what stood may be when something is signed by it: an authority, or a ledger, may be waited for meanwhile.
const FRESH: SignedDuration = SignedDuration::from_secs(15);

/// What every pass needs.
pub struct Context {
    /// What signing for stages needs, too: caches, authorities, clock, events.
    pub signing: Arc<signing::Context>,
    /// What reads.
    pub lookout: Lookout,
    /// The trust domain that is spoken for.
    pub trust_domain: String,
    /// How often each pod may ask.
    pub pace: Pace,
}

/// What is to be said, and about whose grant.
enum Verdict {
    /// This, after so much work.
    Say(Answer, Option<Box<Told>>),
    /// Nothing yet, and why.
    Later(Delay, Timestamp),
}

/// What is told of a certificate that was signed.
struct Told {
    id: SpiffeId,
    leaf: crate::pki::Leaf,
    why: Why,
    took: Duration,
    authority: u32,
}

/// A key that is to be certified, and whose.
struct Order<'a> {
    wish: &'a Wish,
    opening: &'a Opening,
    key: RequestedKey,
    lifetime: Lifetime,
    why: Why,
}

/// One pass over a request.
pub async fn reconcile<K: Asked>(request: Arc<K>, context: Arc<Context>) -> Result<Action, SignError> {
    if request.is_answered() {
        return Ok(settled());
    }
    let now = (context.signing.now)();
    let wish = request.wish();
    let place = request.namespace().unwrap_or_default();
    if let Some(until) = context.pace.wait(&pod_of(&place, &wish), &request.name_any(), now) {
        return Ok(again(&Delay::Pace, until, now));
    }
    let found = context.lookout.cached(&place, now);
    let grant = match &found {
        Found::Stage(grant, _) => Some(grant.as_ref()),
        _ => None,
    };
    match Box::pin(context.weigh(&place, &found, &wish, now)).await? {
        Verdict::Later(delay, until) => Ok(again(&delay, until, now)),
        Verdict::Say(answer, told) => {
            let said = Said { request: request.as_ref(), wish: &wish, grant, answer: &answer };
            // Before it is handed out: nothing is, of which nobody knows.
            if let Some(told) = &told {
                said.note_signed(told);
            }
            if context.lookout.answer(&request.answered(&answer, now)).await? {
                context.tell(&said, told.as_deref());
            }
            Ok(settled())
        }
    }
}

impl Context {
    /// What to say to a wish, of what stands now.
    async fn weigh(
        &self,
        place: &str,
        found: &Found,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<Verdict, SignError> {
        let known = match found {
            Found::Stage(grant, opening) => Some((grant, opening)),
            _ => None,
        };
        let glanced = known.and_then(|(_, opening)| self.lookout.glance(opening));
        if let Some(decision) = policy::glance(wish, glanced.as_ref(), now) {
            return Ok(without_reading(decision, now));
        }
        match (known, found) {
            (Some((grant, opening)), _) => Box::pin(self.weigh_live(grant, opening, wish, now)).await,
            (None, Found::Nobodys) if self.lookout.is_nowhere(place).await? => {
                if self.lookout.has_started(place, wish).await? {
                    return Ok(Verdict::Later(Delay::Keeps(Denial::NoStage), policy::later(now)));
                }
                Ok(Verdict::Say(Answer::Denied(Denial::NoStage), None))
            }
            (None, _) => Ok(Verdict::Later(Delay::Unknown, retry_soon(now))),
        }
    }

    async fn weigh_live(
        &self,
        grant: &PartnerGrant,
        opening: &Opening,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<Verdict, SignError> {
        let (opening, standing): (Opening, Standing) =
            Box::pin(self.lookout.standing(grant, opening, wish)).await?;
        match policy::decide(wish, &standing, now) {
            Decision::Issue { key, lifetime, why } => {
                self.issue(Order { wish, opening: &opening, key, lifetime, why }, now).await
            }
            decision => Ok(without_reading(decision, now)),
        }
    }

    async fn issue(&self, order: Order<'_>, now: Timestamp) -> Result<Verdict, SignError> {
        let Order { wish, opening, key, lifetime, why } = order;
        let tender = &self.signing.tender;
        let issuer = match tender.authorities().of(opening, now).await?.issuer {
            Ok(issuer) => issuer,
            Err(refusal) => {
                return Ok(Verdict::Later(Delay::Authority(refusal.to_string()), policy::later(now)));
            }
        };
        let anchor = issuer.authority.anchor();
        let Some(lifetime) = lifetime.within(anchor.lifetime()) else {
            let why = format!("it ends at {}, and another one takes over", anchor.lifetime().not_after());
            return Ok(Verdict::Later(Delay::Authority(why), policy::later(now)));
        };
        // Whoever verifies there knows it, and it is written down how long what it signs lives.
        if !tender.is_published(&opening.place(), anchor).await?
            || !tender.authorities().cover(opening, issuer.number, lifetime.not_after(), now).await?
        {
            return Ok(Verdict::Later(Delay::Unknown, retry_soon(now)));
        }
        let Some(workload) = opening.workload_of(&wish.account.name) else {
            return Ok(Verdict::Later(Delay::Unknown, retry_soon(now)));
        };
        let id = opening.identity(&self.trust_domain, workload)?;
        let began = (self.signing.now)();
        if began.duration_since(now) > FRESH {
            return Ok(Verdict::Later(Delay::Unknown, retry_soon(began)));
        }
        let Certified { certificate, leaf } = certify(&issuer.authority, &id, &key, lifetime).await?;
        let took = (self.signing.now)().duration_since(began).unsigned_abs();
        let refresh = lifetime.refresh(id.as_str(), leaf.serial(), opening.end);
        let answer = Answer::Issued { chain: certificate, lifetime, refresh };
        Ok(Verdict::Say(answer, Some(Box::new(Told { id, leaf, why, took, authority: issuer.number }))))
    }

    /// Tells what was said, where people look: in metrics, and in Events about the grant.
    fn tell<K: Asked>(&self, said: &Said<'_, K>, told: Option<&Told>) {
        let Wish { pod, .. } = said.wish;
        match (said.answer, told) {
            (Answer::Denied(denial), _) => {
                self.signing.meter.refused();
                let place = said.request.namespace().unwrap_or_default();
                tracing::warn!(
                    namespace = place,
                    pod = pod.name,
                    pod_uid = pod.uid,
                    reason = denial.word(),
                    "a certificate was refused to a pod: {denial}"
                );
                let note = format!("pod {} in {place} gets no certificate: {denial}", pod.name);
                if let Some(grant) = said.grant {
                    self.signing.events.tell(grant, true, "PodCertificateDenied", &note);
                }
            }
            (Answer::Issued { lifetime, .. }, Some(told)) => {
                self.signing.meter.issued(told.took);
                let note = format!(
                    "certificate sha256:{} for {} until {}, of pod {} ({}): {}",
                    told.leaf.fingerprint(),
                    told.id,
                    lifetime.not_after(),
                    pod.name,
                    pod.uid,
                    told.why.word(),
                );
                if let Some(grant) = said.grant {
                    let kind = format!("{} {}", told.id, told.why.word());
                    self.signing.events.tell_of_many(grant, ("PodCertificateIssued", &kind), &note);
                }
            }
            (Answer::Issued { .. }, None) => {}
        }
    }
}

/// What was said to whom.
struct Said<'a, K> {
    request: &'a K,
    wish: &'a Wish,
    grant: Option<&'a PartnerGrant>,
    answer: &'a Answer,
}

impl<K: Asked> Said<'_, K> {
    /// Writes down that a certificate was signed: who, what, until when, why. Nothing of it is secret.
    fn note_signed(&self, told: &Told) {
        let Wish { pod, account, .. } = self.wish;
        tracing::info!(
            target: "comity::issued",
            namespace = self.request.namespace().unwrap_or_default(),
            request = self.request.name_any(),
            request_uid = self.request.uid().unwrap_or_default(),
            pod = pod.name,
            pod_uid = pod.uid,
            service_account_uid = account.uid,
            id = told.id.as_str(),
            serial = told.leaf.serial(),
            sha256 = told.leaf.fingerprint(),
            not_after = %told.leaf.lifetime().not_after(),
            authority = told.authority,
            why = told.why.word(),
            "a certificate was signed for a pod"
        );
    }
}

/// What is said or waited for without anything that has to be read.
fn without_reading(decision: Decision, now: Timestamp) -> Verdict {
    match decision {
        Decision::Deny(denial) => Verdict::Say(Answer::Denied(denial), None),
        Decision::Wait(delay, until) => Verdict::Later(delay, until),
        // Nothing is issued that wasn't looked at.
        Decision::Issue { .. } => Verdict::Later(Delay::Unknown, retry_soon(now)),
    }
}

fn again(delay: &Delay, until: Timestamp, now: Timestamp) -> Action {
    tracing::debug!(%delay, %until, "a request for a certificate waits");
    Action::requeue(retry::until_earliest([until], now).unsigned_abs())
}

fn settled() -> Action {
    Action::requeue(retry::LONGEST.unsigned_abs())
}

/// When to look again at what the watches will tell of in a moment.
fn retry_soon(now: Timestamp) -> Timestamp {
    now.checked_add(jiff::SignedDuration::from_secs(2)).unwrap_or(Timestamp::MAX)
}
