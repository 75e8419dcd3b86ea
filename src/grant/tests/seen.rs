//! What is seen of the grant of a [`World`], and what is often changed under it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::world::{World, agreement};
use crate::api::Stage;
use crate::api::condition::Reason;
use crate::api::grant::PartnerGrantStatus;
use crate::api::record::RecordEvent;
use crate::grant::status::status;
use crate::policy::{Agreement, Problem};

pub(super) fn status_of(world: &World) -> PartnerGrantStatus {
    let (scene, names) = (world.scene(), world.names());
    status(&scene.view(&names), &world.decide(), &[], Some(1), Vec::new())
}

pub(super) fn open_stages(world: &World) -> Vec<Stage> {
    status_of(world).open_stages
}

pub(super) fn condition(world: &World, kind: &str) -> (String, String) {
    let found = told(world, kind);
    (found.status, found.reason)
}

pub(super) fn told(world: &World, kind: &str) -> Condition {
    let (scene, names) = (world.scene(), world.names());
    let view = scene.view(&names);
    let status = status(&view, &world.decide(), &[], world.grant.metadata.generation, Vec::new());
    status.conditions.into_iter().find(|condition| condition.type_ == kind).expect("is told")
}

pub(super) fn events(world: &World) -> Vec<(RecordEvent, Option<Stage>)> {
    world.records.iter().map(|record| (record.event, record.stage)).collect()
}

pub(super) fn problem() -> Problem {
    Problem {
        reason: Reason::UnknownPartner,
        clause: "partnerRef".to_owned(),
        message: "there is no Partner northpay".to_owned(),
        until: None,
    }
}

pub(super) fn says(status: &str, reason: Reason) -> (String, String) {
    (status.to_owned(), reason.to_string())
}

/// What leaves nothing of what was agreed before.
pub(super) fn other() -> Agreement {
    let mut agreed = agreement("v1:sha256:two");
    agreed.stages.values_mut().for_each(|terms| terms.policy.purpose = "another".into());
    agreed
}
