//! What a stage's namespace may hold where a boundary doesn't say: a small default for everything
//! that a partner's people may make there, and for what their pods may use. An absent limit is
//! never no limit; the default is the boundary's ceiling, so only a boundary that names a resource
//! gives more of it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::quantity::Amount;

/// Resource and amount, as in `ResourceQuota.spec.hard`.
pub type Hard = BTreeMap<String, Quantity>;

/// What is given of one resource where a boundary doesn't say.
#[derive(Clone, Copy, Debug)]
pub struct Allotment {
    /// The resource, as a ResourceQuota names it.
    pub resource: &'static str,
    /// Other names under which a ResourceQuota limits the same, or more than the same.
    pub also: &'static [&'static str],
    /// How much.
    pub most: Most,
}

/// How much is given.
#[derive(Clone, Copy, Debug)]
pub enum Most {
    /// So much.
    Of(&'static str),
    /// So many times as much as is given of another resource.
    Times(i128, &'static str),
    /// Nothing, whatever a boundary says.
    Never,
}

use Most::{Never, Of, Times};

const fn line(resource: &'static str, also: &'static [&'static str], most: Most) -> Allotment {
    Allotment { resource, also, most }
}

/// What is given where a boundary doesn't say. A line comes after those that it refers to.
pub const DEFAULTS: [Allotment; 13] = [
    line("pods", &["count/pods"], Of("10")),
    // `pods` doesn't count those that have ended; these it does.
    line("count/pods", &[], Times(10, "pods")),
    line("requests.cpu", &["cpu"], Of("4")),
    line("requests.memory", &["memory"], Of("8Gi")),
    // A boundary that says how much may be asked for means that no more than that is used.
    line("limits.cpu", &[], Times(1, "requests.cpu")),
    line("limits.memory", &[], Times(1, "requests.memory")),
    line("configmaps", &["count/configmaps"], Of("32")),
    line("services", &["count/services"], Of("8")),
    line("services.nodeports", &[], Never),
    line("services.loadbalancers", &[], Never),
    line("count/deployments.apps", &[], Of("8")),
    // A Deployment keeps its last ten, and has two while one takes over.
    line("count/replicasets.apps", &[], Times(12, "count/deployments.apps")),
    line("count/jobs.batch", &[], Of("16")),
];

impl Allotment {
    /// The least of what `hard` gives of it, under whichever name.
    pub fn least(&self, hard: &Hard) -> Option<Quantity> {
        let named = self.names().filter_map(|name| hard.get(name));
        // What can't be read is the least: nothing may be given of it.
        named.min_by_key(|amount| Amount::of(amount)).cloned()
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.resource).chain(self.also.iter().copied())
    }

    /// What is given of it beside what `hard` names.
    fn given(&self, hard: &Hard) -> Quantity {
        let found = match self.most {
            Of(amount) => Some(Quantity(amount.to_owned())),
            Times(times, of) => {
                allotment(of).and_then(|base| base.least(hard)).and_then(|base| match times {
                    1 => Some(base),
                    times => Amount::of(&base)?.times(times)?.whole(),
                })
            }
            Never => None,
        };
        found.unwrap_or_else(|| Quantity("0".to_owned()))
    }
}

/// The line that limits a resource, under whichever name.
pub fn allotment(resource: &str) -> Option<&'static Allotment> {
    let by_name = DEFAULTS.iter().find(|line| line.resource == resource);
    by_name.or_else(|| DEFAULTS.iter().find(|line| line.also.contains(&resource)))
}

/// The ceilings that a boundary gives a stage: what it names, and the default of what it doesn't.
pub fn ceilings(named: &Hard) -> Hard {
    let mut all = named.clone();
    for line in &DEFAULTS {
        let is_never = matches!(line.most, Never);
        if is_never || line.names().all(|name| !named.contains_key(name)) {
            let given = line.given(&all);
            all.insert(line.resource.to_owned(), given);
        }
    }
    all
}

/// The most that `ceilings` allow of a resource, under whichever name; `None`: they don't limit it.
pub fn most(ceilings: &Hard, resource: &str) -> Option<Quantity> {
    ceilings.get(resource).cloned().or_else(|| allotment(resource)?.least(ceilings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hard(pairs: &[(&str, &str)]) -> Hard {
        pairs.iter().map(|(key, amount)| ((*key).to_owned(), Quantity((*amount).to_owned()))).collect()
    }

    fn told(hard: &Hard) -> Vec<String> {
        hard.iter().map(|(resource, amount)| format!("{resource}={}", amount.0)).collect()
    }

    #[test]
    fn a_boundary_that_names_nothing_gives_the_defaults() {
        let all = ceilings(&Hard::new());
        assert_eq!(
            told(&all),
            [
                "configmaps=32",
                "count/deployments.apps=8",
                "count/jobs.batch=16",
                "count/pods=100",
                "count/replicasets.apps=96",
                "limits.cpu=4",
                "limits.memory=8Gi",
                "pods=10",
                "requests.cpu=4",
                "requests.memory=8Gi",
                "services=8",
                "services.loadbalancers=0",
                "services.nodeports=0",
            ]
        );
    }

    #[test]
    fn what_a_boundary_names_stands_under_whichever_name_and_the_rest_follows_from_it() {
        let named = hard(&[("cpu", "32"), ("count/configmaps", "500"), ("pods", "50"), ("secrets", "3")]);
        let all = ceilings(&named);
        for (resource, amount) in [
            ("limits.cpu", "32"),
            ("count/pods", "500"),
            ("cpu", "32"),
            ("count/configmaps", "500"),
            ("secrets", "3"),
        ] {
            assert_eq!(all.get(resource).map(|amount| amount.0.as_str()), Some(amount), "{resource}");
        }
        assert!(!all.contains_key("requests.cpu") && !all.contains_key("configmaps"), "{:?}", told(&all));
        assert_eq!(
            most(&all, "requests.cpu"),
            Some(Quantity("32".to_owned())),
            "the same under another name"
        );
        assert_eq!(most(&all, "persistentvolumeclaims"), None);
        let both = ceilings(&hard(&[("cpu", "32"), ("requests.cpu", "2")]));
        assert_eq!(most(&both, "limits.cpu"), Some(Quantity("2".to_owned())), "the lesser");
    }

    #[test]
    fn no_boundary_gives_a_port_on_a_node_or_a_balancer() {
        let all = ceilings(&hard(&[("services.nodeports", "5"), ("services.loadbalancers", "5")]));
        for never in ["services.nodeports", "services.loadbalancers"] {
            assert_eq!(all.get(never).map(|amount| amount.0.as_str()), Some("0"));
        }
    }

    #[test]
    fn what_cant_be_read_gives_nothing() {
        let all = ceilings(&hard(&[("pods", "many"), ("count/deployments.apps", "0.5")]));
        assert_eq!(all.get("count/pods").map(|amount| amount.0.as_str()), Some("0"));
        let huge = ceilings(&hard(&[("pods", "99999999999999999999999999999")]));
        assert_eq!(huge.get("count/pods").map(|amount| amount.0.as_str()), Some("0"));
    }

    #[test]
    fn a_line_comes_after_those_that_it_refers_to() {
        for (at, line) in DEFAULTS.iter().enumerate() {
            if let Times(_, of) = line.most {
                assert!(DEFAULTS[..at].iter().any(|before| before.resource == of), "{}", line.resource);
            }
        }
    }
}
