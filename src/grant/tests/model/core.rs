//! One decision of the real core, asked for what a pass sees: the fold of the journal, the hearing of
//! decisions, the gates, `decide`, and the objects that it plans. Each is computed once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;

use super::acts::{self, Decided};
use super::broken::Broken;
use super::cluster::{self, Refused, Request};
use super::invariants::objects::{Readings, readings};
use super::kept::{Journals, Kept, Lives};
use super::sight::{Sight, Standings};
use super::state::{Grant, Id, Seen};
use super::story::{Contract, Story, at, seconds};
use crate::api::grant::{OpeningState, OpeningStatus, PartnerGrantStatus};
use crate::api::record::GrantIdentity;
use crate::api::{GrantDecision, PartnerGrant, Stage, name};
use crate::grant::build::Installation;
use crate::grant::build::namespace::{Gate, namespace, unrecorded};
use crate::grant::check::Doomed;
use crate::grant::decide::{Decision, Pods, Step, decide};
use crate::grant::observe::{Names, once_had_records, remains_of};
use crate::journal::Journal;
use crate::plan::objects::{Key, LiveObjects, Wanted};
use crate::testing::rehearsed::{Observed, told as told_of};

/// Everything that a decision goes by.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Look {
    pub grant: usize,
    pub seen: Seen,
    pub cleared: Id,
    pub journal: Id,
    pub live: Id,
}

/// What was decided: the requests that carry out the one step, and when to look again.
#[derive(Clone, Debug)]
pub struct Plan {
    pub requests: Vec<Id>,
    pub look_again: Option<i32>,
}

/// The decisions about a grant that stand, each with its number.
type Standing = (usize, Vec<(usize, Decided)>);

/// The core, and everything that it was ever asked about.
pub struct Core {
    pub story: Story,
    pub journals: Journals,
    pub lives: Lives,
    pub requests: Kept<String, Request>,
    pub decisions: Kept<Standing, Vec<Arc<GrantDecision>>>,
    pub cleared: Kept<Vec<String>, BTreeMap<String, Pods>>,
    pub broken: Option<Broken>,
    plans: Kept<Look, Plan>,
    changes: HashMap<(Id, Id, Option<Id>), Result<Id, Refused>>,
    settled: HashMap<Id, Id>,
    standings: Standings,
    readings: HashMap<Id, Rc<Readings>>,
    installation: Rc<Installation>,
    ingress: Rc<BTreeSet<String>>,
}

impl Core {
    pub fn new(grants: usize, broken: Option<Broken>) -> Self {
        let mut core = Self {
            story: Story::of(grants),
            journals: Journals::default(),
            lives: Lives::default(),
            requests: Kept::default(),
            decisions: Kept::default(),
            cleared: Kept::default(),
            broken,
            plans: Kept::default(),
            changes: HashMap::new(),
            settled: HashMap::new(),
            standings: Standings::default(),
            readings: HashMap::new(),
            ingress: Rc::new(BTreeSet::from(["transactions".to_owned()])),
            installation: Rc::new(Installation {
                system_namespace: name::DEFAULT_SYSTEM_NAMESPACE.to_owned(),
                cluster_networks: vec!["10.96.0.0/12".to_owned()],
                dns_namespace: "kube-system".to_owned(),
                dns_selector: BTreeMap::from([("k8s-app".to_owned(), "kube-dns".to_owned())]),
            }),
        };
        let empty = [core.journals.empty(), core.lives.keep(LiveObjects::new())];
        assert_eq!(empty, [0, 0], "nothing has the first number");
        core.cleared.keep(Vec::new(), BTreeMap::new());
        core
    }

    pub fn plan(&self, id: Id) -> Rc<Plan> {
        self.plans.get(id)
    }

    /// How many different decisions were asked for.
    pub fn asked(&self) -> usize {
        self.plans.len()
    }

    /// The decisions of a grant that stand, by number.
    pub fn keep_decisions(&mut self, number: usize, grant: &Grant) -> Id {
        let standing = grant.decided.iter().copied().enumerate().skip(grant.deleted);
        let standing: Vec<(usize, Decided)> = standing.collect();
        if let Some(known) = self.decisions.known(&(number, standing.clone())) {
            return known;
        }
        let objects = standing.iter().map(|(at, decided)| acts::object(&self.story, number, *at, decided));
        let mut objects: Vec<_> = objects.collect();
        objects.sort_by_cached_key(|object| {
            (object.metadata.creation_timestamp.clone(), object.metadata.uid.clone())
        });
        self.decisions.keep((number, standing), objects)
    }

    /// What is decided.
    pub fn decide(&mut self, look: Look) -> Id {
        if let Some(known) = self.plans.known(&look) {
            return known;
        }
        let mut sight = self.sight(&look);
        let first = self.story.outlook(look.grant, Contract::FIRST, look.seen.now);
        let (mut steps, mut decision) = (Vec::new(), Decision::default());
        let looked = self.broken.is_none_or(|broken| broken.look(&mut sight, &look, &self.journals, &first));
        if self.broken.is_some() {
            sight.remains = remains_of(sight.openings(), &sight.outlook);
        }
        if looked {
            decision = decide(&sight.view(&mut self.standings));
            steps.extend(decision.step.take());
            self.broken.iter().for_each(|broken| broken.act(&sight, &mut steps, &mut decision));
        }
        let requests = steps.iter().flat_map(|step| requests(step, &sight)).collect();
        let plan = self.keep_plan(requests, &decision);
        self.plans.keep(look, plan)
    }

    /// What a pass sees.
    pub fn sight(&mut self, look: &Look) -> Sight {
        let grant = self.grant(look);
        let live = self.lives.get(look.live);
        let folded = &self.journals.get(look.journal).folded;
        let had = once_had_records(&grant, look.seen.finalized, &live);
        let is_lost = folded.as_ref().as_ref().is_ok_and(|journal| journal.next == 1 && had);
        let journal = if is_lost { Rc::new(Journal::empty().unless_lost(had)) } else { Rc::clone(folded) };
        let outlook = self.story.outlook(look.grant, look.seen.contract, look.seen.now);
        let openings = journal.as_ref().as_ref().map_or(&[][..], |journal| &journal.openings);
        let names = Names::of(&grant);
        let identity = GrantIdentity { name: names.grant.as_str().into(), uid: names.uid.as_str().into() };
        let passed = |journal: &Journal| told_of(journal, &identity, &Observed::Allowed);
        Sight {
            told: journal.as_ref().as_ref().map(passed).unwrap_or_default(),
            names,
            grant,
            remains: remains_of(openings, &outlook),
            outlook,
            journal,
            live,
            live_id: look.live,
            finalized: look.seen.finalized,
            pods: self.cleared.get(look.cleared),
            decisions: self.decisions.get(look.seen.decisions),
            installation: Rc::clone(&self.installation),
            ingress: Rc::clone(&self.ingress),
            failed: BTreeSet::new(),
            now: at(look.seen.now),
        }
    }

    fn keep_plan(&mut self, requests: Vec<Request>, decision: &Decision) -> Plan {
        let keep = |request: Request| self.requests.keep(format!("{request:?}"), request);
        Plan {
            requests: requests.into_iter().map(keep).collect(),
            look_again: decision.look_again.iter().min().map(|moment| ceil(*moment)),
        }
    }

    /// The grant as a pass sees it.
    fn grant(&self, look: &Look) -> PartnerGrant {
        let mut grant = self.story.grant(look.grant).clone();
        grant.spec.stage = look.seen.ceiling;
        grant.status = look.seen.told.then(told);
        grant
    }

    /// What stands after a request.
    pub fn change(&mut self, live: Id, request: Id, stale: Option<Id>) -> Result<Id, Refused> {
        let key = (live, request, stale);
        if let Some(known) = self.changes.get(&key) {
            return *known;
        }
        let (before, remembered) = (self.lives.get(live), stale.map(|stale| self.lives.get(stale)));
        let asked = self.requests.get(request);
        let came = match self.broken {
            Some(broken) => broken.change(&before, &asked, remembered.as_deref()),
            None => cluster::change(&before, &asked, remembered.as_deref()),
        };
        let came = came.map(|after| self.lives.keep(after));
        self.changes.insert(key, came);
        came
    }

    /// What a set of objects allows, as the invariants read it.
    pub fn readings(&mut self, live: Id) -> Rc<Readings> {
        let known = self.readings.entry(live);
        Rc::clone(known.or_insert_with(|| Rc::new(readings(&self.lives.get(live)))))
    }

    /// What stands once the other controllers have done theirs.
    pub fn others_act(&mut self, live: Id) -> Id {
        if let Some(known) = self.settled.get(&live) {
            return *known;
        }
        let after = cluster::others_act(&self.lives.get(live));
        let after = self.lives.keep(after);
        self.settled.insert(live, after);
        after
    }
}

/// The first whole second at which a moment has come.
fn ceil(moment: Timestamp) -> i32 {
    let whole = seconds(moment);
    if at(whole) < moment { whole + 1 } else { whole }
}

/// A status that speaks of records.
fn told() -> PartnerGrantStatus {
    let opening = OpeningStatus {
        stage: Stage::Rehearsal,
        digest: String::new(),
        state: OpeningState::Open,
        namespace: "somewhere".into(),
        opened_at: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)),
        expires_at: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)),
        narrowed: Vec::new(),
    };
    PartnerGrantStatus { openings: vec![opening], ..PartnerGrantStatus::default() }
}

/// The requests that carry out a step, in their order, as the conductor sends them.
fn requests(step: &Step, sight: &Sight) -> Vec<Request> {
    match step {
        Step::Finalize => vec![Request::Finalizer(true)],
        Step::Unfinalize => vec![Request::Finalizer(false)],
        Step::Record(entry) => vec![Request::Record(entry.clone())],
        Step::CreateNamespace(place) => vec![Request::CreateNamespace(of_place(place, Gate::Closed, sight))],
        Step::SetGate(place, gate) => vec![Request::Apply(of_place(place, *gate, sight))],
        Step::Apply(objects) | Step::Confine(objects) => {
            objects.iter().map(|object| Request::Apply(object.as_ref().clone())).collect()
        }
        Step::Delete(doomed) => doomed.iter().cloned().map(Request::Delete).collect(),
        Step::CountPods(place) | Step::DeletePods(place) | Step::Weigh(place) => {
            vec![Request::Pods(place.clone())]
        }
        Step::DeleteNamespace(place, uid) => {
            vec![Request::Delete(Doomed { key: Key::namespace(place), uid: uid.clone() })]
        }
    }
}

/// A namespace with its gate, as the conductor makes it.
fn of_place(place: &str, gate: Gate, sight: &Sight) -> Wanted {
    if let Some(opening) = sight.openings().iter().find(|opening| opening.namespace == place) {
        return namespace(&sight.site(opening), gate);
    }
    let live = sight.live.get(&Key::namespace(place));
    unrecorded(place, &live.map(|live| live.labels.as_ref().clone()).unwrap_or_default(), gate)
}
