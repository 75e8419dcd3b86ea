//! Part 5 of a contract: where it may go and run, and with how much.

use std::collections::{BTreeMap, BTreeSet};

use super::super::address;
use super::super::change::{Comparison, Difference};
use super::super::walk::{Clause, Walk};
use crate::api::boundary::{Dns, Quota};
use crate::api::contract::{Compute, Destination, ImageReference};
use crate::api::value::Registry;
use crate::policy::scope::registry_within;

/// What each word for DNS allows, the least first.
pub(super) const DNS: [Dns; 2] = [Dns::None, Dns::Cluster];

/// Regions ⊆, DNS, addresses ⊆ for each port, what it may run on.
pub(super) fn destination(walk: &mut Walk, old: &Destination, new: &Destination) -> Destination {
    walk.under("destination", "", |walk| Destination {
        regions: walk.allowed(("regions", "region"), &old.regions, &new.regions),
        dns: walk.chain(("dns", "DNS"), &DNS, old.dns, new.dns),
        egress: address::egress(walk, &old.egress, &new.egress),
        compute: walk.under("compute", "", |walk| compute(walk, &old.compute, &new.compute)),
    })
}

/// Images ⊆, the runtime class as it is, node labels ⊇. Where no image may run, no pod may, and
/// the rest means nothing.
fn compute(walk: &mut Walk, old: &Compute, new: &Compute) -> Compute {
    let nothing = Compute::default();
    let images = registries(walk, ("registries", "images from"), &old.registries, &new.registries);
    let runs = |compute: &Compute| compute.registries.iter().any(is_plain);
    if !runs(old) || !runs(new) {
        return nothing;
    }
    let class = (old.runtime_class_name.as_ref(), new.runtime_class_name.as_ref());
    if class.0 != class.1 {
        let name =
            |class: Option<&crate::api::value::Name>| class.map_or("none", |name| name.as_str()).to_owned();
        let clause = ("runtimeClassName", "runtime class");
        walk.became(clause, name(class.0), name(class.1), Comparison::Both);
    }
    let nodes = labels(walk, ("nodeSelector", "node label"), &old.node_selector, &new.node_selector);
    let by = &[ImageReference::Digest];
    let image_reference =
        walk.chain(("imageReference", "images named by"), by, old.image_reference, new.image_reference);
    match nodes {
        Some(node_selector) if class.0 == class.1 && !images.is_empty() => Compute {
            runtime_class_name: class.0.cloned(),
            node_selector,
            registries: images,
            image_reference,
        },
        _ => nothing,
    }
}

/// Whether any image can come from there.
fn is_plain(registry: &Registry) -> bool {
    registry_within(&registry.0, &registry.0)
}

/// Places that images may come from ⊆, where a place holds those below it.
pub(super) fn registries(
    walk: &mut Walk,
    clause: Clause,
    old: &[Registry],
    new: &[Registry],
) -> Vec<Registry> {
    let inside =
        |one: &Registry, others: &[Registry]| others.iter().any(|other| registry_within(&one.0, &other.0));
    let plain = |some: &[Registry]| some.iter().filter(|one| is_plain(one)).cloned().collect::<BTreeSet<_>>();
    let only = |some: &[Registry], others: &[Registry]| -> Vec<String> {
        plain(some).iter().filter(|one| !inside(one, others)).map(ToString::to_string).collect()
    };
    let (gone, come) = (only(old, new), only(new, old));
    for registry in gone {
        let place = Registry(registry);
        let left: Vec<&str> =
            new.iter().map(Registry::as_str).filter(|one| registry_within(one, &place.0)).collect();
        let how = if left.is_empty() {
            Difference::Removed
        } else {
            Difference::Became { old: "all".to_owned(), new: format!("only {}", left.join(", ")) }
        };
        walk.note(clause, &place.0, how, Comparison::Narrower);
    }
    walk.swapped(clause, &[], &come, false);
    let both: BTreeSet<Registry> = plain(old)
        .into_iter()
        .filter(|one| inside(one, new))
        .chain(plain(new).into_iter().filter(|one| inside(one, old)))
        .collect();
    let widest =
        |one: &&Registry| !both.iter().any(|other| other != *one && registry_within(&one.0, &other.0));
    both.iter().filter(widest).cloned().collect()
}

/// Labels that are asked for ⊇. `None` where they contradict each other.
pub(super) fn labels(
    walk: &mut Walk,
    clause: Clause,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Option<BTreeMap<String, String>> {
    let only = |some: &BTreeMap<String, String>, others: &BTreeMap<String, String>| -> Vec<String> {
        let own = some.iter().filter(|(key, _)| !others.contains_key(*key));
        own.map(|(key, value)| format!("{key}={value}")).collect()
    };
    walk.swapped(clause, &only(old, new), &only(new, old), true);
    let changed = old.iter().filter_map(|(key, value)| Some((key, value, new.get(key)?)));
    let mut agree = true;
    for (key, value, other) in changed.filter(|(_, value, other)| value != other) {
        agree = false;
        let how = Difference::Became { old: value.clone(), new: other.clone() };
        walk.note(clause, key, how, Comparison::Both);
    }
    let all = old.iter().chain(new).map(|(key, value)| (key.clone(), value.clone()));
    agree.then(|| all.collect())
}

/// Of each resource ≤; one that isn't named has the limit that `none` says.
pub(super) fn quota(walk: &mut Walk, none: &str, old: &Quota, new: &Quota) -> Quota {
    let resources: BTreeSet<&String> = old.hard.keys().chain(new.hard.keys()).collect();
    walk.under("quota", "", |walk| {
        let least = resources.into_iter().filter_map(|resource| {
            let (before, after) = (old.hard.get(resource), new.hard.get(resource));
            let met = walk.under(&format!("hard[{resource}]"), &format!("of {resource}"), |walk| {
                walk.at_most_or(none, ("", "quota"), before, after)
            });
            Some((resource.clone(), met?))
        });
        Quota { hard: least.collect() }
    })
}
