//! Who could help: which shipped ClusterRole gives a right, and which grant was meant.

use crate::api::decision::DecisionAction;
use crate::generate::admission::cel::CONSENT_GROUP;
use crate::generate::rbac::people::ROLES;

/// The cluster roles that let somebody decide so, in words.
pub(in crate::cli) fn clusterroles_to_decide(action: DecisionAction) -> String {
    let roles = roles_to_decide(action).join(" or ");
    format!("the ClusterRole {roles} gives it, bound in the grant's namespace")
}

/// The names of the cluster roles that let somebody decide so.
pub(super) fn roles_to_decide(action: DecisionAction) -> Vec<&'static str> {
    let gives = |rules: &[crate::generate::rbac::Grant]| {
        rules.iter().any(|rule| rule.group == CONSENT_GROUP && rule.verbs.contains(&action.verb()))
    };
    ROLES.iter().filter(|(_, rules)| gives(rules)).map(|(name, _)| *name).collect()
}

/// The ClusterRole that lets somebody read these resources, in words.
pub(in crate::cli) fn clusterroles_to_read(resources: &[&str]) -> String {
    const CLUSTER_WIDE: [&str; 2] = ["partners", "sharingboundaries"];
    if resources.iter().any(|resource| CLUSTER_WIDE.contains(resource)) {
        "the ClusterRole comity:viewer gives it, bound by a ClusterRoleBinding, since some of it is in no namespace"
            .to_owned()
    } else {
        "the ClusterRole comity:viewer gives it, bound in the grant's namespace".to_owned()
    }
}

/// Those of some names that somebody may have meant by `wanted`, the nearest first.
pub(in crate::cli) fn near<'a>(wanted: &str, names: &'a [String]) -> Vec<&'a str> {
    let mut ranked: Vec<(usize, &str)> = names
        .iter()
        .map(|name| {
            (
                if name.contains(wanted) || wanted.contains(name.as_str()) {
                    1
                } else {
                    distance(wanted, name)
                },
                name.as_str(),
            )
        })
        .filter(|(apart, name)| *apart <= 2 + name.len() / 5)
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(5).map(|(_, name)| name).collect()
}

/// How many letters have to be added, taken away or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut before = line;
        let mut left = line + 1;
        for (cell, known) in row.iter_mut().skip(1).zip(&other) {
            let change = before + usize::from(letter != *known);
            before = *cell;
            *cell = change.min(*cell + 1).min(left + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant_is_found() {
        let names = ["northpay-fraud", "southpay-fraud", "eastbank-risk", "northpay"].map(str::to_owned);
        assert_eq!(near("northpay-frued", &names), ["northpay", "northpay-fraud", "southpay-fraud"]);
        assert_eq!(near("northpai", &names), ["northpay"]);
        assert_eq!(near("x", &names), [] as [&str; 0]);
        assert_eq!(near("fraud", &names), ["northpay-fraud", "southpay-fraud"]);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn each_action_that_is_a_command_is_in_a_role() {
        use DecisionAction::{Approve, Attest, Expire, Sponsor};
        for (action, roles) in [
            (Approve, "comity:approver gives"),
            (Expire, "comity:reviewer or comity:responder gives"),
            (Attest, "comity:reviewer gives"),
            (Sponsor, "comity:requester gives"),
        ] {
            assert!(clusterroles_to_decide(action).contains(roles), "{action:?}");
        }
    }
}
