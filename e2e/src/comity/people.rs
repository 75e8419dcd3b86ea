//! The people on the platform's side who decide about grants, each with the rights of their group.

use std::time::Duration;

use comity::api::{
    GrantDecision, PartnerGrant, Stage,
    decision::{DecisionAction, GrantDecisionSpec},
    record::GrantIdentity,
};
use jiff::Timestamp;
use kube::{Api, ResourceExt as _, api::PostParams};

use crate::{Cluster, Error, Result, eventually};

/// Somebody who decides, and the group that they decide for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decider {
    /// What the API server calls them.
    pub name: &'static str,
    /// Their group.
    pub group: &'static str,
}

/// Olga, who looks after security.
pub const OLGA: Decider = Decider { name: "olga@retail.example", group: "security" };
/// Per, who owns the data.
pub const PER: Decider = Decider { name: "per@retail.example", group: "data-owners" };

impl Decider {
    /// What this person would write down about a grant.
    pub fn decision(&self, grant: &PartnerGrant, action: DecisionAction) -> GrantDecision {
        let spec = GrantDecisionSpec {
            grant_ref: GrantIdentity {
                name: grant.name_any().as_str().into(),
                uid: grant.uid().unwrap_or_default().as_str().into(),
            },
            action,
            stage: None,
            digest: None,
            on_behalf_of: None,
            expires_at: None,
            enrolment: None,
            reason: "read the request and its digest".into(),
        };
        let mut decision = GrantDecision::new("", spec);
        decision.metadata.name = None;
        decision.metadata.generate_name = Some(format!("{}-", action.verb()));
        decision.metadata.namespace = grant.namespace();
        decision
    }

    /// An approval of what a grant asks for now.
    pub fn approval(&self, grant: &PartnerGrant, stage: Stage) -> Result<GrantDecision> {
        let digest = grant.status.as_ref().and_then(|status| status.request_digest.clone());
        let digest = digest.ok_or_else(|| Error::Failed(format!("{} says no digest", grant.name_any())))?;
        let mut decision = self.decision(grant, DecisionAction::Approve);
        decision.spec.stage = Some(stage);
        decision.spec.digest = Some(digest.as_str().into());
        decision.spec.on_behalf_of = Some(self.group.into());
        Ok(decision)
    }

    /// Decides, as this person.
    pub async fn decide(&self, cluster: &Cluster, decision: &GrantDecision) -> Result<GrantDecision> {
        if decision.spec.action == DecisionAction::Release {
            next_second().await?;
        }
        let own = cluster.as_user(self.name, &[self.group])?;
        let namespace = decision.namespace().unwrap_or_default();
        let api: Api<GrantDecision> = Api::namespaced(own.client(), &namespace);
        Ok(api.create(&PostParams::default(), decision).await?)
    }
}

/// Awaits the next second: in that of a quarantine nobody releases it.
async fn next_second() -> Result<()> {
    let second = Timestamp::now().as_second();
    eventually("the next second", Duration::from_secs(5), async || {
        if Timestamp::now().as_second() > second { Ok(()) } else { Err("not yet") }
    })
    .await
}

/// Olga and Per agree to what a grant asks for now.
pub async fn agree(cluster: &Cluster, grant: &PartnerGrant, stage: Stage) -> Result<()> {
    for decider in [OLGA, PER] {
        decider.decide(cluster, &decider.approval(grant, stage)?).await?;
    }
    Ok(())
}
