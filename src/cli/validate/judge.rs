//! What objects come to beside each other, by the checks that Comity itself makes and in its words. What
//! isn't among the files can't be judged, and is told as that, not as a fault. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::finding::{Fault, NOT_AMONG_FILES, Severity};
use crate::api::boundary::{NamespaceChoice, NamespaceScope};
use crate::api::condition::Reason;
use crate::api::{Dataset, PartnerGrant, SharingContract};
use crate::cli::files::world::{Identity, Known, World};
use crate::policy::checks::list;
use crate::policy::{Problem, boundary, resolve::resolve};
use crate::{boundary as boundaries, contract, dataset, partner};

/// A fault, and the document that it is in.
pub(super) type Found = (usize, Fault);

/// Something that isn't among the files.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Missing {
    /// An object.
    Object(Identity),
    /// Any boundary for this namespace.
    Boundary(String),
    /// The labels of this namespace, which say what selects it.
    Labels(String),
}

/// What isn't there of what an object depends on, and the problems that just say so.
#[derive(Debug, Default)]
struct Absence {
    missing: BTreeSet<Missing>,
    explained: BTreeSet<(String, String)>,
}

impl Absence {
    fn note(&mut self, missing: Missing, reason: Reason, clause: impl Into<String>) {
        self.missing.insert(missing);
        self.explained.insert((reason.to_string(), clause.into()));
    }

    /// Whether a problem is only that something isn't among the files.
    fn explains(&self, problem: &Problem) -> bool {
        self.explained.contains(&(problem.reason.to_string(), problem.clause.clone()))
    }
}

/// Judges all of them. With `strict` the files are all that there is, so what isn't among them isn't there.
pub(super) fn judge(world: &World, now: Timestamp, strict: bool) -> Vec<Found> {
    let mut court = Court { world, now, strict, found: Vec::new(), missing: BTreeMap::new() };
    for known in world.boundaries.values() {
        court.tell(known.document, boundaries::check::problems(&known.object), str::to_owned);
    }
    for known in world.partners.values() {
        let faults = partner::check::faults(&known.object, now);
        court.tell(known.document, faults.unusable, str::to_owned);
        court.tell_as(Severity::Warning, known.document, faults.run_out, str::to_owned);
    }
    world.datasets.values().for_each(|known| court.dataset(known));
    world.contracts.values().for_each(|known| court.contract(known));
    world.grants.values().for_each(|known| court.grant(known));
    court.tell_missing();
    court.found
}

struct Court<'a> {
    world: &'a World,
    now: Timestamp,
    strict: bool,
    found: Vec<Found>,
    /// What is missing, and the documents that depend on it.
    missing: BTreeMap<Missing, BTreeSet<usize>>,
}

impl Court<'_> {
    fn tell(&mut self, document: usize, problems: Vec<Problem>, place: impl Fn(&str) -> String) {
        self.tell_as(Severity::Error, document, problems, place);
    }

    /// Tells of problems; `place` says where in the document's spec a clause stands.
    fn tell_as(
        &mut self,
        severity: Severity,
        document: usize,
        problems: Vec<Problem>,
        place: impl Fn(&str) -> String,
    ) {
        let fault = |problem: Problem| {
            let path = format!("spec.{}", place(&problem.clause));
            Fault { severity, rule: problem.reason.to_string(), path, message: problem.message }
        };
        self.found.extend(problems.into_iter().map(|problem| (document, fault(problem))));
    }

    fn lacks(&mut self, document: usize, absence: Absence) {
        // Where the files are all that there is, the problem itself says what isn't there.
        let told = |missing: &Missing| !self.strict || matches!(missing, Missing::Labels(_));
        for missing in absence.missing.into_iter().filter(told) {
            self.missing.entry(missing).or_default().insert(document);
        }
    }

    /// Whether a problem is none, since what is missing may be elsewhere.
    fn is_excused(&self, problem: &Problem, absence: &Absence) -> bool {
        !self.strict && absence.explains(problem)
    }

    fn dataset(&mut self, known: &Known<Dataset>) {
        let (problems, absence) = self.of_dataset(&known.object);
        self.tell(known.document, problems, |clause| in_dataset(clause).to_owned());
        self.lacks(known.document, absence);
    }

    fn of_dataset(&self, dataset: &Dataset) -> (Vec<Problem>, Absence) {
        let mut absence = Absence::default();
        let namespace = dataset.namespace().unwrap_or_default();
        for endpoint in &dataset.spec.endpoints {
            let service = endpoint.service.name.as_str();
            if !self.world.has_service(&namespace, service) {
                let clause =
                    format!("datasets[{}].endpoints[{}].service", dataset.name_any(), endpoint.stage);
                let missing = Missing::Object(Identity::new("Service", &namespace, service));
                absence.note(missing, Reason::EndpointUnusable, clause);
            }
        }
        let mut problems = dataset::check::problems(dataset, &self.world.services_of(dataset));
        problems.retain(|problem| !self.is_excused(problem, &absence));
        (problems, absence)
    }

    fn contract(&mut self, known: &Known<SharingContract>) {
        let (problems, absence) = self.of_contract(&known.object);
        self.tell(known.document, problems, str::to_owned);
        self.lacks(known.document, absence);
    }

    /// The problems of a contract, less those of its datasets themselves.
    fn of_contract(&self, contract: &SharingContract) -> (Vec<Problem>, Absence) {
        let ground = self.world.ground(contract);
        let namespace = contract.namespace().unwrap_or_default();
        let mut absence = Absence::default();
        for scoped in &contract.spec.data_scope.datasets {
            if !ground.datasets.contains_key(scoped.name.as_str()) {
                let missing = Missing::Object(Identity::new("Dataset", &namespace, scoped.name.as_str()));
                absence.note(missing, Reason::UnknownDataset, format!("dataScope.datasets[{}]", scoped.name));
            }
        }
        self.boundaries_of(&namespace, &mut absence);
        let mut problems = contract::check::problems(&ground, self.now);
        let mut told: BTreeSet<String> = BTreeSet::new();
        for dataset in ground.datasets.values() {
            let (of_dataset, missing) = self.of_dataset(dataset);
            told.extend(of_dataset.into_iter().map(|problem| problem.message));
            absence.explained.extend(missing.explained);
        }
        problems.retain(|problem| !self.is_excused(problem, &absence) && !told.contains(&problem.message));
        (problems, absence)
    }

    /// What isn't known of the boundaries of a namespace.
    fn boundaries_of(&self, namespace: &str, absence: &mut Absence) {
        let labels = self.world.labels(namespace);
        let all: Vec<_> = self.world.boundaries.values().map(|known| &known.object).collect();
        let matching = boundary::matching(&all, namespace, &labels.cloned().unwrap_or_default());
        let by_labels = all.iter().any(|boundary| is_by_labels(&boundary.spec.namespaces));
        if labels.is_none() && by_labels {
            absence.note(Missing::Labels(namespace.to_owned()), Reason::NoBoundary, "boundary");
        } else if matching.is_empty() && all.is_empty() {
            absence.note(Missing::Boundary(namespace.to_owned()), Reason::NoBoundary, "boundary");
        }
    }

    fn grant(&mut self, known: &Known<PartnerGrant>) {
        let grant = &known.object;
        let operands = self.world.operands(grant, self.now);
        let mut absence = self.absence_of_grant(grant);
        let mut told = BTreeSet::new();
        if let Some(contract) = operands.contract {
            let ground = self.world.ground(contract);
            let problems = contract::check::problems(&ground, self.now);
            told.extend(problems.into_iter().map(|problem| problem.message));
            self.boundaries_of(&grant.namespace().unwrap_or_default(), &mut absence);
        }
        let mut problems = resolve(&operands, self.now).err().unwrap_or_default();
        problems.retain(|problem| !self.is_excused(problem, &absence) && !told.contains(&problem.message));
        for problem in &mut problems {
            self.among_files(problem);
        }
        self.tell(known.document, problems, in_grant);
        self.lacks(known.document, absence);
    }

    fn absence_of_grant(&self, grant: &PartnerGrant) -> Absence {
        let mut absence = Absence::default();
        let namespace = grant.namespace().unwrap_or_default();
        if self.world.contract_of(grant).is_none() {
            let missing = Identity::new("SharingContract", &namespace, grant.spec.contract_ref.name.as_str());
            absence.note(Missing::Object(missing), Reason::UnknownContract, "contractRef");
            // Without it nothing is said of boundaries either.
            absence.explained.insert((Reason::NoBoundary.to_string(), "boundary".to_owned()));
        }
        let partner = grant.spec.partner_ref.name.as_str();
        match self.world.partners.get(partner) {
            None => {
                let missing = Missing::Object(Identity::new("Partner", "", partner));
                absence.note(missing, Reason::UnknownPartner, "partnerRef");
            }
            Some(known) if self.world.labels(&namespace).is_none() => {
                if known.object.spec.allowed_namespaces.as_ref().is_some_and(is_by_labels) {
                    let clause = "partner.allowedNamespaces";
                    absence.note(Missing::Labels(namespace), Reason::PartnerNotAllowed, clause);
                }
            }
            Some(_) => {}
        }
        absence
    }

    /// Nothing in files is live: an elder grant comes before this one in them.
    fn among_files(&self, problem: &mut Problem) {
        let since = format!(", which is live since {},", self.now);
        problem.message = problem.message.replace(&since, ", which comes first in these files,");
    }

    /// Tells of everything that is missing once, at the first object that depends on it.
    fn tell_missing(&mut self) {
        let severity = if self.strict { Severity::Error } else { Severity::Note };
        let missing = std::mem::take(&mut self.missing);
        let names = names(self.world);
        for (missing, documents) in missing {
            let Some(first) = documents.first() else { continue };
            let what = match &missing {
                Missing::Object(identity) if self.world.is_faulty(identity) => {
                    format!("{identity} isn't well-formed: see what is found of it")
                }
                Missing::Object(identity) => format!("{identity} isn't among the files"),
                Missing::Boundary(namespace) => {
                    format!("no SharingBoundary for the namespace {namespace} is among the files")
                }
                Missing::Labels(namespace) => {
                    format!(
                        "Namespace {namespace} isn't among the files, so what selects it by its labels isn't known"
                    )
                }
            };
            let dependants = list(documents.iter().filter_map(|document| names.get(document)));
            let message = format!("{what}; what depends on it can't be judged here: {dependants}");
            let rule = NOT_AMONG_FILES.to_owned();
            self.found.push((*first, Fault { severity, rule, path: String::new(), message }));
        }
    }
}

/// The name of what each document is, of those that can depend on others.
fn names(world: &World) -> BTreeMap<usize, String> {
    let datasets = world.datasets.iter().map(|(key, known)| ("Dataset", key, known.document));
    let contracts = world.contracts.iter().map(|(key, known)| ("SharingContract", key, known.document));
    let grants = world.grants.iter().map(|(key, known)| ("PartnerGrant", key, known.document));
    let named = |(kind, (namespace, name), document): (&str, &(String, String), usize)| {
        (document, Identity::new(kind, namespace, name).to_string())
    };
    datasets.chain(contracts).chain(grants).map(named).collect()
}

fn is_by_labels(scope: &NamespaceScope) -> bool {
    scope.from == NamespaceChoice::Selector
}

/// Where in a dataset's spec a clause of its stands.
fn in_dataset(clause: &str) -> &str {
    let own = clause.strip_prefix("datasets[").and_then(|rest| rest.split_once("]."));
    own.map_or(clause, |(_, rest)| rest)
}

/// Where in a grant's spec stands what a clause of its contract speaks of.
fn in_grant(clause: &str) -> String {
    const SAME: [(&str, &str); 5] = [
        ("partners", "partnerRef"),
        ("partner.", "partnerRef"),
        ("security.requiredControls", "partnerRef"),
        ("purposes", "purpose"),
        ("operations.actors", "workloads"),
    ];
    let same = SAME.iter().find(|(prefix, _)| clause.starts_with(prefix));
    same.map_or_else(|| clause.replace(".maxDuration", ".duration"), |(_, field)| (*field).to_owned())
}
