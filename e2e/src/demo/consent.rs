//! People agree to production: not who asks for it, and two others.

use std::time::Duration;

use comity::api::{
    GrantDecision, PartnerGrant, Stage,
    condition::{ConditionType, Reason},
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, ResourceExt as _, api::PostParams};

use super::{
    SUBJECT,
    ledger::unless,
    seen::Seen,
    story::{Story, condition},
};
use crate::{
    Cluster, Error, Result,
    cluster::await_object,
    comity::people::{OLGA, agree},
};

/// How long Comity may take to say what came of a decision.
const SAID_WITHIN: Duration = Duration::from_secs(10);

impl Story<'_> {
    /// Production waits for two people; who asks for it isn't one of them.
    pub(super) async fn consent(&mut self) -> Result<()> {
        let (cluster, watching) = (self.cluster, self.watching);
        let asks = watching.until("the grant to ask for people", super::story::OPEN_WITHIN, |seen: &Seen| {
            let approved = condition(seen, ConditionType::Approved).ok_or("no condition")?;
            let told = approved.reason == Reason::ConsentPending.to_string();
            if told {
                Ok(approved.message)
            } else {
                Err(format!("{}: {}", approved.reason, approved.message))
            }
        });
        self.ledger.expect("production waits for people", asks).await;
        self.ledger.expect("who asks for it agrees to it, and is refused", own_approval(cluster)).await;
        let agreed = async { agree(cluster, &grant(cluster).await?, Stage::Production).await };
        self.ledger
            .step("olga, for security, and per, for the data's owners, agree to its digest", agreed)
            .await
    }
}

/// Whoever applied the grant agrees to it, and is told why that doesn't count.
async fn own_approval(cluster: &Cluster) -> Result<String> {
    let review = Api::<SelfSubjectReview>::all(cluster.client());
    let review = review.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    let user = user.ok_or_else(|| Error::Failed("the API server doesn't say who this is".to_owned()))?;
    let decision = OLGA.approval(&grant(cluster).await?, Stage::Production)?;
    let own: Api<GrantDecision> =
        Api::namespaced(cluster.client_as(&user, &[OLGA.group])?, SUBJECT.namespace);
    let made = own.create(&PostParams::default(), &decision).await?;
    let all: Api<GrantDecision> = Api::namespaced(cluster.client(), SUBJECT.namespace);
    let what = "it to be said what came of the decision";
    let (reason, message) =
        await_object(&all, &made.name_any(), what, SAID_WITHIN, |decision: &GrantDecision| {
            let conditions = decision.status.iter().flat_map(|status| &status.conditions);
            let taken = conditions.into_iter().find(|found| found.type_ == ConditionType::Taken.as_str());
            taken
                .map(|taken| (taken.reason.clone(), taken.message.clone()))
                .ok_or("nothing is said yet".to_owned())
        })
        .await?;
    unless(reason == Reason::OwnRequest.to_string(), || format!("{reason}: {message}"))?;
    Ok(message)
}

pub(super) async fn grant(cluster: &Cluster) -> Result<PartnerGrant> {
    let api: Api<PartnerGrant> = Api::namespaced(cluster.client(), SUBJECT.namespace);
    Ok(api.get(SUBJECT.name).await?)
}
