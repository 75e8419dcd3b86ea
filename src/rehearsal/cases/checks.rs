//! What has to be in order beside what Comity makes: the partner's controls and trust bundle, and what serves
//! the datasets. Pure: all of it was read before.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::login::Login;
use super::{Case, Ground};
use crate::api::Partner;
use crate::pki::bundle;
use crate::rehearsal::case::{Attempt, Expected, Observed};

/// How many pods stand behind a Service.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Behind {
    /// Those that are ready.
    pub ready: usize,
    /// All of them.
    pub all: usize,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Checked<'a> {
    /// The partner.
    pub partner: &'a Partner,
    /// For each dataset: the pods behind its Service at this stage.
    pub behind: BTreeMap<String, Behind>,
    /// What was heard of where its people log in, if it says where, and how long that took.
    pub login: Option<(Login, Duration)>,
    /// The time.
    pub now: Timestamp,
}

/// Every case of what was read.
pub fn cases(ground: &Ground<'_>, checked: &Checked<'_>) -> Vec<Case> {
    let mut cases = controls(ground, checked);
    cases.extend(identity(checked));
    cases.extend(endpoints(ground, checked));
    cases
}

/// Each control that the contract asks for is there and counts.
fn controls(ground: &Ground<'_>, checked: &Checked<'_>) -> Vec<Case> {
    let required = ground.policy.security.required_controls.iter();
    let found = required.map(|required| {
        let control = checked.partner.spec.controls.iter().find(|control| control.name == *required);
        let observed = match control {
            None => Observed::Refused("the partner has shown none".to_owned()),
            Some(control) if control.valid_until.0 <= checked.now => {
                Observed::Refused(format!("it counted until {}", control.valid_until.0))
            }
            Some(_) => Observed::Allowed,
        };
        let tried = format!("the control {required} is in date");
        case(
            format!("control-{required}-is-in-date"),
            "security.requiredControls",
            tried,
            Attempt::Seen(observed),
        )
    });
    found.collect()
}

/// Where the partner's own people and workloads are known from.
fn identity(checked: &Checked<'_>) -> Vec<Case> {
    const CLAUSE: &str = "partner.identity";
    let identity = checked.partner.spec.identity.as_ref();
    let mut cases = Vec::new();
    if let Some(bundle) = identity.and_then(|identity| identity.trust_bundle.as_ref()) {
        let observed = match bundle::end(bundle.as_str()) {
            Ok(end) if checked.now < end => Observed::Allowed,
            Ok(end) => Observed::Refused(format!("its last anchor ended at {end}")),
            Err(error) => Observed::Refused(error.to_string()),
        };
        let tried = "the partner's trust bundle can be read, and hasn't expired".to_owned();
        cases.push(case("trust-bundle-is-in-date".to_owned(), CLAUSE, tried, Attempt::Seen(observed)));
    }
    let oidc = identity.and_then(|identity| identity.oidc.as_ref());
    if let (Some(oidc), Some((login, took))) = (oidc, &checked.login) {
        let tried = format!("{} answers, is what it says, and its keys are well-formed", oidc.issuer);
        cases.push(case("login-answers".to_owned(), CLAUSE, tried, login.clone().attempt(*took)));
    }
    cases
}

/// Something stands behind each dataset's Service.
fn endpoints(ground: &Ground<'_>, checked: &Checked<'_>) -> Vec<Case> {
    // A dataset is served by one Service, whichever of its versions are agreed.
    let served: BTreeMap<_, _> = ground
        .policy
        .datasets
        .iter()
        .filter_map(|dataset| Some((dataset.name.as_str(), (dataset, dataset.endpoint.as_ref()?))))
        .collect();
    let found = served.into_values().map(|(dataset, endpoint)| {
        let behind = checked.behind.get(dataset.name.as_str()).copied().unwrap_or_default();
        let attempt = match behind {
            Behind { ready: 1.., .. } => Attempt::Seen(Observed::Allowed),
            Behind { all: 0, .. } => Attempt::Nothing("no pod runs behind it".to_owned()),
            Behind { all, .. } => {
                Attempt::Seen(Observed::Refused(format!("none of {all} pods behind it is ready")))
            }
        };
        let tried = format!("Service {} leads to a pod that is ready", endpoint.service);
        case(format!("dataset-{}-is-served", dataset.name), "dataScope.datasets.name", tried, attempt)
    });
    found.collect()
}

fn case(name: String, clause: &'static str, tried: String, attempt: Attempt) -> Case {
    Case { name, clause, tried, attempt, expected: Expected::Allowed }
}
