//! Which namespaces a boundary or a partner means, and which registries are inside which.

use std::collections::BTreeMap;

use crate::api::boundary::{NamespaceChoice, NamespaceScope};
use crate::api::value::Name;

/// Whether `scope` means the namespace of this name and these labels.
///
/// A scope without what its choice asks for means no namespace.
pub fn selects(scope: &NamespaceScope, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    match scope.from {
        NamespaceChoice::All => true,
        NamespaceChoice::Names => scope.names.iter().any(|name| name.as_str() == namespace),
        NamespaceChoice::Selector => scope.selector.as_ref().is_some_and(|selector| {
            !selector.match_labels.is_empty()
                && selector.match_labels.iter().all(|(label, value)| labels.get(label) == Some(value))
        }),
    }
}

/// Which namespaces `scope` means, for people.
pub fn describe(scope: &NamespaceScope) -> String {
    match (scope.from, &scope.selector) {
        (NamespaceChoice::All, _) => "every namespace".to_owned(),
        (NamespaceChoice::Selector, Some(selector)) => {
            let labels: Vec<String> =
                selector.match_labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
            format!("namespaces labelled {}", labels.join(","))
        }
        (NamespaceChoice::Names, _) if !scope.names.is_empty() => {
            let names: Vec<&str> = scope.names.iter().map(Name::as_str).collect();
            format!("the namespaces {}", names.join(", "))
        }
        _ => "no namespace".to_owned(),
    }
}

/// Whether everything in `registry` is in `allowed` too: the same path, or one that goes on from
/// it after a slash. `registry.example/partners-evil` isn't in `registry.example/partners`.
pub fn registry_within(registry: &str, allowed: &str) -> bool {
    let plain = registry.split('/').all(|part| !matches!(part, "" | "." | ".."));
    plain && registry.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::boundary::LabelMatch;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn selector(pairs: &[(&str, &str)]) -> NamespaceScope {
        NamespaceScope {
            from: NamespaceChoice::Selector,
            names: Vec::new(),
            selector: Some(LabelMatch { match_labels: labels(pairs) }),
        }
    }

    #[test]
    fn a_selector_needs_all_its_labels() {
        let scope = selector(&[("a", "1"), ("b", "2")]);
        assert!(selects(&scope, "any", &labels(&[("a", "1"), ("b", "2"), ("c", "3")])));
        assert!(!selects(&scope, "any", &labels(&[("a", "1")])));
        assert!(!selects(&scope, "any", &labels(&[("a", "1"), ("b", "3")])));
    }

    #[test]
    fn a_scope_without_what_it_asks_for_means_no_namespace() {
        assert!(!selects(&selector(&[]), "any", &labels(&[("a", "1")])));
        assert!(!selects(&NamespaceScope::default(), "any", &BTreeMap::new()));
        assert_eq!(describe(&NamespaceScope::default()), "no namespace");
        let unsaid = NamespaceScope { from: NamespaceChoice::Selector, ..NamespaceScope::default() };
        assert!(!selects(&unsaid, "any", &BTreeMap::new()));
    }

    #[test]
    fn names_mean_exactly_themselves() {
        let scope = NamespaceScope { names: vec!["risk-data".into()], ..NamespaceScope::default() };
        assert!(selects(&scope, "risk-data", &BTreeMap::new()));
        assert!(!selects(&scope, "risk-data-2", &BTreeMap::new()));
        assert_eq!(describe(&scope), "the namespaces risk-data");
    }

    #[test]
    fn a_registry_is_inside_another_at_a_slash_only() {
        for inside in ["registry.example/partners", "registry.example/partners/scorer"] {
            assert!(registry_within(inside, "registry.example/partners"), "{inside}");
        }
        for outside in [
            "registry.example/partners-evil",
            "registry.example",
            "registry.example.evil/partners",
            "registry.example/partners/../other",
            "registry.example/partners//x",
            "registry.example/partners/",
        ] {
            assert!(!registry_within(outside, "registry.example/partners"), "{outside}");
        }
        assert!(!registry_within("registry.example:5000", "registry.example"));
    }
}
