//! Label selectors, as apimachinery reads them: all of their requirements hold, and one without any means everything.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::{Labels, Pod, known};

/// Whether a selector means what has these labels. Not known where the API server would refuse it.
pub(super) fn matches(selector: &LabelSelector, labels: &Labels) -> Option<bool> {
    let equal = selector.match_labels.iter().flatten();
    let equal = equal.map(|(label, value)| Some(labels.get(label) == Some(value)));
    let further = selector.match_expressions.iter().flatten();
    known::all(equal.chain(further.map(|requirement| holds(requirement, labels))))
}

/// Whether a selector means a pod. Not known where it asks for labels that the pod may have or not.
pub(super) fn means_pod(selector: &LabelSelector, pod: &Pod) -> Option<bool> {
    let is_known = |label: &String| !pod.further_labels || pod.labels.contains_key(label);
    let mut known_part = selector.clone();
    known_part.match_labels.iter_mut().for_each(|labels| labels.retain(|label, _| is_known(label)));
    known_part.match_expressions.iter_mut().for_each(|all| all.retain(|one| is_known(&one.key)));
    let is_whole = known_part == *selector;
    known::both(matches(&known_part, &pod.labels), is_whole.then_some(true))
}

/// Whether a selector means everything, whatever its labels.
pub(super) fn means_all(selector: &LabelSelector) -> bool {
    selector.match_labels.iter().flatten().next().is_none()
        && selector.match_expressions.iter().flatten().next().is_none()
}

fn holds(requirement: &LabelSelectorRequirement, labels: &Labels) -> Option<bool> {
    let values = requirement.values.as_deref().unwrap_or_default();
    let value = labels.get(&requirement.key);
    let is_one = value.is_some_and(|value| values.contains(value));
    match (requirement.operator.as_str(), values.is_empty()) {
        ("In", false) => Some(is_one),
        // Also of what has no such label.
        ("NotIn", false) => Some(!is_one),
        ("Exists", true) => Some(value.is_some()),
        ("DoesNotExist", true) => Some(value.is_none()),
        _ => None,
    }
}
