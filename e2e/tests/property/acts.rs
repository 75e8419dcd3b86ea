//! What people decide in a run, and what is taken from under Comity.

use comity::api::decision::{DecisionAction, GrantDecisionSpec};
use comity::api::grant::{OpeningState, OpeningStatus};
use comity::api::record::GrantIdentity;
use comity::api::{GrantDecision, PartnerGrant, Stage, name};
use e2e::Result;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;

use super::cast::Person;
use super::history::Deed;
use super::step::{About, Act, Meddling, SLOTS, Slot};
use super::story::Story;

/// A digest of nothing.
const MADE_UP: &str = "v1:sha256:0000000000000000000000000000000000000000000000000000000000000000";

impl Story<'_> {
    /// Somebody decides something.
    pub async fn decide(&mut self, slot: Slot, who: Person, act: &Act) -> Result<String> {
        let grant = self.shown(slot).await?;
        let digests = &self.grants[slot].digests;
        let digest = match act.digest {
            About::Todays => digests.last(),
            About::AnOlder => digests.iter().rev().nth(1),
            About::MadeUp => None,
        };
        let digest = digest.map_or(MADE_UP, String::as_str).to_owned();
        let end = Timestamp::now() + SignedDuration::from_secs(act.seconds.into());
        self.decided(&grant, who, act, &digest, end).await
    }

    /// A grant, and the digest that people are shown of it.
    async fn shown(&mut self, slot: Slot) -> Result<PartnerGrant> {
        let grant = self.grant(slot).await?;
        let digest = grant.status.as_ref().and_then(|status| status.request_digest.clone());
        let known = &mut self.grants[slot].digests;
        if let Some(digest) = digest.filter(|digest| known.last() != Some(digest)) {
            known.push(digest);
        }
        Ok(grant)
    }

    async fn decided(
        &self,
        grant: &PartnerGrant,
        who: Person,
        act: &Act,
        digest: &str,
        end: Timestamp,
    ) -> Result<String> {
        use DecisionAction::{Approve, Deny, Extend, Shorten, Sponsor};
        let is = |actions: &[DecisionAction]| actions.contains(&act.action);
        let spec = GrantDecisionSpec {
            grant_ref: GrantIdentity {
                name: grant.name_any().as_str().into(),
                uid: grant.uid().unwrap_or_default().as_str().into(),
            },
            action: act.action,
            stage: act.stage,
            digest: is(&[Approve, Deny, Extend, Sponsor]).then(|| digest.into()),
            on_behalf_of: is(&[Approve, Extend]).then(|| act.group.into()),
            expires_at: is(&[Extend, Shorten]).then_some(Time(end)),
            enrolment: None,
            reason: "as the dice fell".into(),
        };
        let mut decision = GrantDecision::new("", spec);
        decision.metadata.name = None;
        decision.metadata.generate_name = Some(format!("{}-", act.action.verb()));
        let user = who.name(&self.namespace);
        let as_them = self.cluster.as_user(&user, who.groups())?;
        let api: Api<GrantDecision> = Api::namespaced(as_them.client(), &self.namespace);
        let made = api.create(&PostParams::default(), &decision).await?;
        let uid = made.uid().unwrap_or_default();
        self.witness.did(Deed::Decided { uid, who: user, groups: who.groups().to_vec() });
        Ok(format!("{} of {}", made.name_any(), grant.name_any()))
    }

    /// Those who may agree to what waits for people: to exactly what they are shown.
    pub async fn agree(&mut self, slot: Slot) -> Result<String> {
        let (mut slot, mut grant) = (slot, self.shown(slot).await?);
        if waits_for(&grant).is_empty() {
            // Nobody is asked about this one; is anybody about the other?
            slot = SLOTS - 1 - slot;
            grant = self.shown(slot).await?;
        }
        let Some(digest) = self.grants[slot].digests.last().cloned() else {
            return Ok("nothing is shown".to_owned());
        };
        let waits = waits_for(&grant);
        let mut said = Vec::new();
        let act = |action, stage, group| Act { action, stage, digest: About::Todays, group, seconds: 0 };
        if waits.contains("(Sponsor)") {
            let sponsor = act(DecisionAction::Sponsor, None, "");
            said.push(self.decided(&grant, Person::Ada, &sponsor, &digest, Timestamp::now()).await?);
        }
        let stage = Stage::ALL.into_iter().find(|stage| waits.starts_with(&format!("{stage} ")));
        for (who, group) in [(Person::Olga, "security"), (Person::Per, "data-owners")] {
            let approve = act(DecisionAction::Approve, Some(stage.unwrap_or(Stage::Production)), group);
            said.push(self.decided(&grant, who, &approve, &digest, Timestamp::now()).await?);
        }
        Ok(format!("{stage:?}: {}", said.join(", ")))
    }

    /// Those who may agree that what is open ends later.
    pub async fn lengthen(&mut self, slot: Slot, seconds: u32) -> Result<String> {
        let grant = self.shown(slot).await?;
        let Some(opening) = live(&grant).cloned() else { return Ok("nothing is open".to_owned()) };
        let end = opening.expires_at.0 + SignedDuration::from_secs(seconds.into());
        let mut said = vec![format!("{} until {end}", opening.stage)];
        for (who, group) in [(Person::Olga, "security"), (Person::Per, "data-owners")] {
            let act = Act {
                action: DecisionAction::Extend,
                stage: Some(opening.stage),
                digest: About::Todays,
                group,
                seconds,
            };
            said.push(self.decided(&grant, who, &act, &opening.digest, end).await?);
        }
        Ok(said.join(", "))
    }

    /// Somebody with `override` deletes something that Comity made.
    pub async fn meddle(&self, slot: Slot, what: Meddling) -> Result<String> {
        let grant = self.grant(slot).await?;
        let Some(place) = live(&grant).map(|opening| opening.namespace.0.clone()) else {
            return Ok("nothing is open".to_owned());
        };
        let (group, version, kind, called) = match what {
            Meddling::Namespace => ("", "v1", "Namespace", place.as_str()),
            Meddling::Binding => {
                ("rbac.authorization.k8s.io", "v1", "RoleBinding", "comity-role-model-engineer")
            }
            Meddling::Path => ("networking.k8s.io", "v1", "NetworkPolicy", name::ALLOW_WITHIN),
            Meddling::DefaultDeny => ("networking.k8s.io", "v1", "NetworkPolicy", name::DEFAULT_DENY),
            Meddling::Quota => ("", "v1", "ResourceQuota", name::QUOTA),
            Meddling::Rules => ("comity.dev", "v1alpha1", "StagePolicy", name::STAGE_POLICY),
            Meddling::Trust => ("", "v1", "ConfigMap", name::TRUST_CONFIG_MAP),
        };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let client = self.cluster.client();
        let api: Api<DynamicObject> = match what {
            Meddling::Namespace => Api::all_with(client, &resource),
            _ => Api::namespaced_with(client, &place, &resource),
        };
        self.witness.did(Deed::Meddled { namespace: place.clone() });
        api.delete(called, &DeleteParams::default()).await?;
        Ok(format!("{kind} {called} of {place}"))
    }

    /// A decision that took effect is deleted: its effect stays.
    pub async fn delete_decision(&self, slot: Slot) -> Result<String> {
        let uid = self.grant(slot).await?.uid().unwrap_or_default();
        let api = self.api::<GrantDecision>();
        let all = api.list(&ListParams::default()).await?;
        let is_taken = |decision: &&GrantDecision| {
            let record = decision.status.as_ref().and_then(|status| status.record);
            decision.spec.grant_ref.uid.as_str() == uid && record.is_some()
        };
        let Some(decision) = all.items.iter().rfind(is_taken) else { return Ok("none was taken".to_owned()) };
        api.delete(&decision.name_any(), &DeleteParams::default()).await?;
        Ok(decision.name_any())
    }
}

/// What waits for people, in Comity's own words.
fn waits_for(grant: &PartnerGrant) -> String {
    let conditions = grant.status.iter().flat_map(|status| &status.conditions);
    let asked = conditions.filter(|condition| condition.reason == "ConsentPending");
    asked.map(|condition| condition.message.clone()).next().unwrap_or_default()
}

/// The newest opening that can be used, or is held.
fn live(grant: &PartnerGrant) -> Option<&OpeningStatus> {
    let openings = grant.status.as_ref()?.openings.iter();
    openings.rev().find(|opening| {
        matches!(opening.state, OpeningState::Open | OpeningState::Held | OpeningState::Opening)
    })
}
