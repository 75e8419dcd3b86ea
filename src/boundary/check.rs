//! What keeps a boundary from being used. Pure.

use crate::api::SharingBoundary;
use crate::policy::Problem;
use crate::policy::checks::ceilings::values_unreadable;
use crate::policy::checks::quota::ceilings_unusable;

/// Every problem of a boundary. All of them are its own.
pub fn problems(boundary: &SharingBoundary) -> Vec<Problem> {
    let mut problems = values_unreadable(boundary);
    problems.extend(ceilings_unusable(boundary));
    problems
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

    use super::*;
    use crate::policy::testing::World;

    #[test]
    fn the_storys_boundary_can_be_read() {
        assert_eq!(problems(World::story().boundary()), []);
    }

    #[test]
    fn each_value_that_cannot_be_read_is_named_with_its_clause() {
        let mut world = World::story();
        let ceilings = &mut world.boundary().spec.ceilings;
        ceilings.credential_ttl = "soon".into();
        ceilings.stages[0].max_duration = "0s".into();
        ceilings.stages[1].quota.hard.insert("requests.cpu".to_owned(), Quantity("many".to_owned()));
        ceilings.stages[2].quota.hard.insert("peas".to_owned(), Quantity("1".to_owned()));
        let found = problems(world.boundary());
        let clauses: Vec<&str> = found.iter().map(|problem| problem.clause.as_str()).collect();
        assert_eq!(
            clauses,
            [
                "ceilings.stages[Sandbox].maxDuration",
                "ceilings.stages[Rehearsal].quota.hard[requests.cpu]",
                "ceilings.credentialTTL",
                "stages[Production].quota.hard",
            ]
        );
        assert!(found[2].message.contains("\"soon\""), "{}", found[2].message);
        assert!(found.iter().all(|problem| problem.message.contains("the boundary partners-default")));
    }
}
