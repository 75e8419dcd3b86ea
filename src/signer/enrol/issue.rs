//! Files a request, looks once more what stands, and signs: for who has shown who they are.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::ResourceExt as _;

use super::answer::{Granted, Refusal};
use super::desk::Desk;
use super::request::{answered, approved, failed, filed};
use crate::api::partner::PartnerIdentity;
use crate::api::{Partner, PartnerGrant, name};
use crate::pki::policy::outside;
use crate::pki::rotation::later;
use crate::pki::{Certified, Leaf, Lifetime, PkiError, RequestedKey, Trust, certify_caller};
use crate::signer::authority::Issuer;
use crate::signer::error::SignError;
use crate::signer::opening::Opening;
use crate::signer::pod::stand;

/// By what somebody has shown who they are.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// The token that this decision let be made.
    Token(String),
    /// A certificate with this SPIFFE ID, that this which the partner declared vouches for.
    Partner(String, Box<PartnerIdentity>),
    /// The certificate of before, by its SHA-256.
    Certificate(String),
}

impl By {
    /// In words.
    fn said(&self) -> String {
        match self {
            Self::Token(decision) => format!("by the token of {decision}"),
            Self::Partner(id, _) => format!("by the partner's certificate of {id}"),
            Self::Certificate(sha256) => format!("by its certificate sha256:{sha256}"),
        }
    }

    /// What an Event about it is called.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Token(_) | Self::Partner(..) => "WorkloadEnrolled",
            Self::Certificate(_) => "WorkloadRenewed",
        }
    }
}

/// A key that is to be certified, and whose.
pub(super) struct Order<'a> {
    pub(super) grant: &'a PartnerGrant,
    pub(super) opening: &'a Opening,
    pub(super) workload: &'a str,
    pub(super) key: &'a RequestedKey,
    pub(super) pem: &'a [u8],
    pub(super) by: By,
}

/// What may be signed with.
struct Ready {
    issuer: Arc<Issuer>,
    trust: Arc<Trust>,
    /// Until when what is signed may live: so it is written down.
    covered: jiff::Timestamp,
}

impl Desk {
    /// Files, approves, signs and answers a request of our own.
    pub(super) async fn issue(&self, order: &Order<'_>) -> Result<Granted, Refusal> {
        let request = self.file(order).await?;
        match Box::pin(self.sign(order, &request)).await {
            Ok(granted) => Ok(granted),
            Err(refusal) => {
                self.give_up(&request, &refusal).await;
                Err(refusal)
            }
        }
    }

    async fn file(&self, order: &Order<'_>) -> Result<CertificateSigningRequest, SignError> {
        let request = filed(order.opening, order.workload, order.pem);
        let request = self.talk.create_cluster_wide(&request).await?;
        let why = format!("{} of {} enrols {}", order.workload, order.opening.grant, order.by.said());
        self.talk.put_part("approval", &approved(&request, &why, (self.signing.now)())).await
    }

    async fn sign(&self, order: &Order<'_>, request: &CertificateSigningRequest) -> Result<Granted, Refusal> {
        let Order { grant, workload, key, .. } = *order;
        let Ready { issuer, trust, covered } = self.ready(order.opening).await?;
        self.is_declared_still(order).await?;
        // From here on nothing waits but for what decides: it is read live.
        let now = (self.signing.now)();
        let (opening, site) = Box::pin(self.signing.observer.live(grant, order.opening, now)).await?;
        let stage = stand::stage(&opening, site.as_ref());
        let account = name::workload_service_account(workload);
        outside::decide(&outside::Case { account: &account, stage: stage.as_ref(), now })?;
        if opening.chest() != order.opening.chest() {
            return Err(Refusal::Authority("another contract's authority signs for it now".to_owned()));
        }
        let id = opening.identity(&self.trust_domain, workload).map_err(SignError::from)?;
        let end = opening.end.min(covered);
        let began = (self.signing.now)();
        let lifetime = Lifetime::of_leaf(now, opening.ttl, end, issuer.authority.anchor().lifetime());
        let certified = match lifetime {
            Ok(lifetime) => certify_caller(&issuer.authority, &id, key, lifetime).await,
            Err(error) => Err(error),
        };
        let took = (self.signing.now)().duration_since(began).unsigned_abs();
        let Certified { certificate, leaf } = certified.map_err(|error| match error {
            PkiError::NothingLeft { .. } => Refusal::Stage(outside::Refusal::Over),
            error => Refusal::Trouble(error.into()),
        })?;
        // Before it is handed out: nothing is, of which nobody knows.
        note(order, request, &leaf, issuer.number);
        self.talk.put_part("status", &answered(request, &certificate)).await?;
        self.tell(order, request, &leaf, took);
        let not_after = leaf.lifetime().not_after();
        Ok(Granted { certificate, trust: trust.pem().to_owned(), id: id.to_string(), not_after })
    }

    /// What signs for a stage, once its verifiers know it and it is written down how long what it signs lives.
    async fn ready(&self, opening: &Opening) -> Result<Ready, Refusal> {
        let tender = &self.signing.tender;
        let now = (self.signing.now)();
        let standing = tender.authorities().of(opening, now).await?;
        let issuer = standing.issuer.map_err(|refusal| Refusal::Authority(refusal.to_string()))?;
        let anchor = issuer.authority.anchor();
        let covered = later(now, opening.ttl).min(opening.end).min(anchor.lifetime().not_after());
        let takes_over = || Refusal::Authority("another authority takes over".to_owned());
        let trust = standing.trust.ok_or_else(takes_over)?;
        let is_ready = tender.is_published(&opening.place(), anchor).await?
            && tender.authorities().cover(opening, issuer.number, covered, now).await?;
        is_ready.then_some(Ready { issuer, trust, covered }).ok_or_else(takes_over)
    }

    /// Refused where the partner has declared anything else meanwhile than what vouched for who asks.
    async fn is_declared_still(&self, order: &Order<'_>) -> Result<(), Refusal> {
        let By::Partner(_, used) = &order.by else { return Ok(()) };
        let partner: Option<Partner> =
            self.talk.get_cluster_wide(&order.grant.spec.partner_ref.name.0).await?;
        let is_same = partner.is_some_and(|partner| partner.spec.identity.as_ref() == Some(used.as_ref()));
        is_same.then_some(()).ok_or(Refusal::Unknown)
    }

    /// Says on a request why it gets nothing. It is looked at by nobody else, so trouble with that is no trouble.
    async fn give_up(&self, request: &CertificateSigningRequest, refusal: &Refusal) {
        self.signing.meter.refused();
        let said = failed(request, refusal.word(), &refusal.to_string(), (self.signing.now)());
        if let Err(error) = self.talk.put_part("status", &said).await {
            tracing::debug!(%error, "it can't be said on a request why it gets nothing");
        }
    }

    /// Tells what was given, where people look: in metrics, and in an Event about the grant.
    fn tell(&self, order: &Order<'_>, request: &CertificateSigningRequest, leaf: &Leaf, took: Duration) {
        self.signing.meter.issued(took);
        let note = format!(
            "certificate sha256:{} for {} until {}, {} (request {})",
            leaf.fingerprint(),
            leaf.id(),
            leaf.lifetime().not_after(),
            order.by.said(),
            request.name_any(),
        );
        let (events, reason) = (&self.signing.events, order.by.reason());
        match order.by {
            By::Certificate(_) => events.tell_of_many(order.grant, (reason, leaf.id().as_str()), &note),
            _ => events.tell(order.grant, false, reason, &note),
        }
    }
}

/// Writes down that a certificate was signed: who, what, until when, why. Nothing of it is secret.
fn note(order: &Order<'_>, request: &CertificateSigningRequest, leaf: &Leaf, authority: u32) {
    let Order { opening, workload, key, by, .. } = order;
    tracing::info!(
        target: "comity::issued",
        namespace = opening.place(),
        grant = opening.grant,
        grant_uid = opening.grant_uid,
        workload,
        request = request.name_any(),
        request_uid = request.uid().unwrap_or_default(),
        id = leaf.id().as_str(),
        serial = leaf.serial(),
        sha256 = leaf.fingerprint(),
        public_key = key.fingerprint(),
        not_after = %leaf.lifetime().not_after(),
        chest = %opening.chest(),
        authority,
        why = by.said(),
        "a certificate was signed for a workload on the partner's side"
    );
}
