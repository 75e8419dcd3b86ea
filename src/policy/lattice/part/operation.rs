//! Part 3 of a contract: what may be done, within which limits, and by which models.

use super::super::measure::{Level, Measure as _};
use super::super::walk::Walk;
use crate::api::contract::{Evaluation, Model, Operation, OperationLimits};

/// Operations ⊆: one that isn't named isn't allowed.
pub(super) fn operations(walk: &mut Walk, old: &[Operation], new: &[Operation]) -> Vec<Operation> {
    walk.family(
        ("operations", "operation"),
        (old, new),
        |operation| operation.name,
        |walk, old, new| {
            let none = OperationLimits::default();
            let limits = |operation: &Operation| operation.limits.clone().unwrap_or_default();
            let actors = walk.allowed(("actors", "actor"), &old.actors, &new.actors);
            let met = walk.under("limits", "", |walk| within(walk, &limits(old), &limits(new)));
            Some(Operation { name: old.name, actors, limits: (met != none).then_some(met) })
        },
    )
}

/// Limits ≤, and the smallest group ≥.
fn within(walk: &mut Walk, old: &OperationLimits, new: &OperationLimits) -> OperationLimits {
    OperationLimits {
        requests_per_minute: walk.at_most(
            ("requestsPerMinute", "requests per minute"),
            old.requests_per_minute.as_ref(),
            new.requests_per_minute.as_ref(),
        ),
        concurrency: walk.at_most(
            ("concurrency", "requests at once"),
            old.concurrency.as_ref(),
            new.concurrency.as_ref(),
        ),
        max_records_per_request: walk.at_most(
            ("maxRecordsPerRequest", "records per request"),
            old.max_records_per_request.as_ref(),
            new.max_records_per_request.as_ref(),
        ),
        max_response_bytes: walk.at_most(
            ("maxResponseBytes", "bytes per response"),
            old.max_response_bytes.as_ref(),
            new.max_response_bytes.as_ref(),
        ),
        minimum_group_size: walk.at_least(
            ("minimumGroupSize", "smallest group"),
            old.minimum_group_size.as_ref(),
            new.minimum_group_size.as_ref(),
        ),
    }
}

/// Models ⊆, each known by its content; what they had to pass ⊇. One that no measure could let
/// pass is none.
pub(super) fn models(walk: &mut Walk, old: &[Model], new: &[Model]) -> Vec<Model> {
    let some = |models: &[Model]| -> Vec<Model> {
        models.iter().filter(|model| model.evaluations.iter().all(can_pass)).cloned().collect()
    };
    let key = |model: &Model| (model.name.clone(), model.digest.clone());
    walk.family(("models", "model"), (&some(old), &some(new)), key, |walk, old, new| {
        let (name, digest) = key(old);
        let measures = (&old.evaluations[..], &new.evaluations[..]);
        let metric = |evaluation: &Evaluation| evaluation.metric.clone();
        let evaluations =
            walk.requirements(("evaluations", "evaluation"), measures, metric, |walk, old, new| Evaluation {
                metric: old.metric.clone(),
                at_most: walk.at_most(("atMost", "upper bound"), old.at_most.as_ref(), new.at_most.as_ref()),
                at_least: walk.at_least(
                    ("atLeast", "lower bound"),
                    old.at_least.as_ref(),
                    new.at_least.as_ref(),
                ),
            });
        evaluations.iter().all(can_pass).then_some(Model { name, digest, evaluations })
    })
}

/// Whether any figure is within the bounds of a measure.
fn can_pass(evaluation: &Evaluation) -> bool {
    let level = |bound: &Option<crate::api::value::Ratio>, unbound, unreadable| match bound {
        None => unbound,
        Some(ratio) => ratio.rank().map_or(unreadable, Level::At),
    };
    let least = level(&evaluation.at_least, Level::At(0), Level::Highest);
    let most = level(&evaluation.at_most, Level::At(1_000_000), Level::Lowest);
    least <= most
}
