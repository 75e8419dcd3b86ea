//! What stands of a grant, gathered for one pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::build::{Installation, Site};
use super::check::{Inspected, orphan, unclaimed};
use super::decide::confined::AllUnconfined;
use super::decide::{Place, Pods, Records, View};
use super::foresee::Unwritten;
use super::gate;
use super::hear::Hearing;
use super::hear::vain::{Called, InVain};
use super::weigh::Weighed;
use crate::api::condition::Reason;
use crate::api::effective::{EffectiveEndpoint, EffectivePolicy};
use crate::api::grant::PartnerGrantStatus;
use crate::api::record::RecordReason;
use crate::api::{GrantDecision, PartnerGrant, SharingContract, name};
use crate::cluster::catalogue::Catalogue;
use crate::cluster::docket::Docket;
use crate::cluster::objects::Objects;
use crate::journal::rehearsal::Told;
use crate::journal::remains::{Remains, remains};
use crate::journal::wanted::GrantFacts;
use crate::journal::{Broken, Journal, Opening};
use crate::plan::objects::{Key, Kind, LiveObjects};
use crate::policy::standing::Outlook;

/// What stands of a grant, and what this pass has learnt.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The grant.
    pub grant: &'a PartnerGrant,
    /// How Comity is installed.
    pub installation: &'a Installation,
    /// What everything that it depends on comes to.
    pub outlook: Outlook,
    /// What is known beside what stands.
    pub aside: Aside,
    /// What the records say.
    pub journal: Result<Journal, Broken>,
    /// The contract, if there is one.
    pub contract: Option<Arc<SharingContract>>,
    /// The objects of the grant.
    pub live: LiveObjects,
    /// For each opening's namespace: what is left of it.
    pub remains: BTreeMap<String, Remains>,
    /// By which line of the journal that is.
    pub remains_by: Option<String>,
    /// How far each opening's place is from what is wanted.
    pub inspected: Inspected,
    /// For each opening's namespace: the datasets whose pods Comity may add an ingress policy for.
    pub ingress: BTreeSet<String>,
    /// Whether the grant carries the finalizer.
    pub finalized: bool,
    /// Namespaces of which it is known whether pods are left.
    pub pods: BTreeMap<String, Pods>,
    /// Namespaces of which it is known which pods run and aren't allowed any more.
    pub weighed: BTreeMap<String, Weighed>,
    /// Namespaces whose pods couldn't be looked at or deleted in this pass, and why.
    pub unweighed: BTreeMap<String, String>,
    /// Whether records can be written.
    pub records: Records,
    /// What of Comity's own admission policies isn't in force.
    pub lacking: Option<String>,
    /// The journal as it will be, where something that closes can't be written down.
    pub foreseen: Option<Journal>,
    /// The UIDs of decisions whose records were refused in this pass.
    pub refused: BTreeSet<String>,
    /// How many numbers of records somebody else took in this pass.
    pub taken: usize,
    /// What couldn't be closed or cleared in this pass.
    pub failed: BTreeSet<Key>,
    /// The namespace that the next stage needs and somebody else has.
    pub conflict: Option<String>,
    /// What people decided of this grant, in the order in which they did.
    pub decisions: Vec<Arc<GrantDecision>>,
    /// Which of all that there are these are.
    pub called: Called,
    /// What rehearsals showed that isn't in the journal yet.
    pub told: Vec<Told>,
    /// Whether there was a grant before this one for the same partner, contract and purpose.
    pub made_again: bool,
    /// The time of this pass.
    pub now: Timestamp,
}

/// What is known of a grant beside what stands: by the passes before, and of admission.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// The digest of what was agreed when that was last known.
    pub stood: Option<String>,
    /// What can't be confined as it has to be.
    pub unconfined: AllUnconfined,
    /// What doesn't stamp who decides, although the API server could.
    pub unstamped: Option<String>,
}

impl<'a> Scene<'a> {
    /// Gathers what stands. What people decided is [called up](Self::call) by itself.
    pub fn observe(
        grant: &'a PartnerGrant,
        installation: &'a Installation,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Self {
        let (gathered, journal) = (catalogue.gather(grant), catalogue.journal(grant));
        let now = journal.as_ref().map_or(now, |known| known.time(now));
        let mut scene = Self {
            grant,
            installation,
            outlook: Outlook::of(&gathered.operands(grant), now),
            aside: Aside { unstamped: catalogue.admission.unstamped(), ..Aside::default() },
            journal,
            contract: gathered.contract().cloned(),
            live: LiveObjects::new(),
            remains: BTreeMap::new(),
            remains_by: None,
            inspected: Inspected::default(),
            ingress: BTreeSet::new(),
            finalized: grant.finalizers().iter().any(|finalizer| finalizer == name::FINALIZER),
            pods: BTreeMap::new(),
            weighed: BTreeMap::new(),
            unweighed: BTreeMap::new(),
            records: Records::default(),
            lacking: catalogue.admission.lacking(),
            foreseen: None,
            refused: BTreeSet::new(),
            taken: 0,
            failed: BTreeSet::new(),
            conflict: None,
            called: Called::default(),
            decisions: Vec::new(),
            told: Vec::new(),
            made_again: catalogue.records.has_another(grant),
            now,
        };
        scene.refresh(catalogue);
        scene
    }

    /// Calls up what people decided, but for what was heard in vain and would be again.
    pub fn call(&mut self, docket: &Docket, in_vain: Option<&InVain>) {
        let hearing = self.hearing();
        let known = in_vain.filter(|known| hearing.is_some_and(|hearing| known.holds(&hearing)));
        let called = known.map_or_else(Called::default, |known| Called {
            from: known.before,
            until: known.until,
            quarantined_again: known.quarantined_again,
            ..Called::default()
        });
        let filed = docket.about(self.grant, called.from);
        self.decisions = filed.decisions;
        self.called = Called { next: filed.next, head: self.head(), ..called };
    }

    /// Calls up all of them where the journal has grown since some were left out.
    pub fn call_again(&mut self, docket: &Docket) {
        if self.called.from > 0 && self.called.head != self.head() {
            self.call(docket, None);
        }
    }

    fn head(&self) -> Option<String> {
        self.journal.as_ref().ok()?.head.clone()
    }

    /// Looks again at what is agreed: another grant may have been accepted beside this one.
    pub fn agree(&mut self, catalogue: &Catalogue) {
        self.outlook = Outlook::of(&catalogue.gather(self.grant).operands(self.grant), self.now);
        self.remains_by = None;
    }

    /// Looks again at what a step may have changed.
    pub fn refresh(&mut self, catalogue: &Catalogue) {
        let uid = self.grant.uid().unwrap_or_default();
        let journal = catalogue.records.journal(&self.grant.namespace().unwrap_or_default(), &uid);
        self.live = catalogue.objects.of_grant(&uid);
        self.journal = journal.and_then(|journal| {
            journal.unless_lost(once_had_records(self.grant, self.finalized, &self.live))
        });
        let openings = self.journal.as_ref().map_or(&[][..], |journal| &journal.openings);
        for opening in openings {
            note_namespace(&mut self.live, catalogue, &opening.namespace);
        }
        let head = self.head();
        if head.is_none() || head != self.remains_by {
            self.remains = remains_of(openings, &self.outlook);
            self.remains_by = head;
        }
        self.foreseen = self.foresee();
        let labels_of = |namespace: &str| catalogue.namespace_labels(namespace);
        let isolated = |opening: &Opening| isolated_datasets(&opening.policy, labels_of, &catalogue.objects);
        self.ingress = openings.iter().flat_map(isolated).collect();
        self.told = self.journal.iter().flat_map(|journal| told_of(journal, self.grant, catalogue)).collect();
        self.conflict =
            self.next_namespace().filter(|namespace| catalogue.objects.namespace(namespace).is_some());
        self.inspect();
    }

    /// Looks at the place of each opening.
    pub(super) fn inspect(&mut self) {
        let names = Names::of(self.grant);
        let mut inspected = std::mem::take(&mut self.inspected);
        let openings = self.journal.iter().flat_map(|journal| &journal.openings);
        let sites = openings.map(|opening| (self.site(opening, &names), self.remains_of(opening)));
        inspected.look(sites, &self.live);
        self.inspected = inspected;
    }

    /// The namespace that the next stage would get.
    fn next_namespace(&self) -> Option<String> {
        let (Ok(journal), Ok(agreement)) = (&self.journal, &self.outlook.agreement) else { return None };
        let stage = gate::next_stage(journal, agreement, self.grant.spec.stage)?;
        let uid = self.grant.uid()?;
        Some(name::stage_namespace(&self.grant.name_any(), &uid, stage, &agreement.digest))
    }

    /// An opening in its surroundings.
    pub fn site<'b>(&'b self, opening: &'b Opening, names: &'b Names) -> Site<'b> {
        Site {
            opening,
            policy: self.remains_of(opening).policy(opening),
            grant: &names.grant,
            grant_namespace: &names.namespace,
            grant_uid: &names.uid,
            installation: self.installation,
            ingress: &self.ingress,
            rehearsing: self.is_to_be_rehearsed(opening),
        }
    }

    /// Whether an opening has yet to be rehearsed. What isn't agreed any more leads nowhere, and isn't.
    fn is_to_be_rehearsed(&self, opening: &Opening) -> bool {
        let is_todays = self.outlook.agreement.as_ref().is_ok_and(|today| today.digest == opening.digest);
        is_todays && self.journal.as_ref().is_ok_and(|journal| journal.rehearsal_due(opening).is_some())
    }

    /// The journal as it will be, where something that closes can't be written down.
    fn foresee(&self) -> Option<Journal> {
        let unwritten =
            Unwritten { decisions: &self.decisions, refused: &self.refused, records: self.records };
        unwritten.foresee(self.journal.as_ref().ok()?, &self.outlook, self.now)
    }

    /// What is left of an opening; of one that wasn't looked at, nothing.
    pub(super) fn remains_of(&self, opening: &Opening) -> &Remains {
        self.remains.get(&opening.namespace).unwrap_or(&NOTHING)
    }

    /// By what decisions are looked at; nothing where the journal is broken.
    pub fn hearing(&self) -> Option<Hearing<'_>> {
        let hearing = Hearing::of(&self.journal, &self.outlook.agreement, self.made_again, self.now)?;
        Some(hearing.among(&self.decisions, self.called.quarantined_again))
    }

    /// Everything that deciding goes by.
    pub fn view<'b>(&'b self, names: &'b Names) -> View<'b> {
        let spec = &self.grant.spec;
        let deleting = self.grant.metadata.deletion_timestamp.is_some();
        View {
            facts: GrantFacts { ceiling: spec.stage, suspended: spec.suspend, deleting },
            finalized: self.finalized,
            outlook: &self.outlook,
            stood: self.aside.stood.as_deref(),
            journal: &self.journal,
            places: self.places(names),
            decisions: &self.decisions,
            told: &self.told,
            quarantined_again: self.called.quarantined_again,
            made_again: self.made_again,
            pods: &self.pods,
            weighed: &self.weighed,
            unconfined: &self.aside.unconfined,
            conflict: self.conflict.clone(),
            records: self.records,
            lacking: self.lacking.as_deref(),
            foreseen: self.foreseen.as_ref(),
            refused: &self.refused,
            failed: &self.failed,
            now: self.now,
        }
    }

    /// The places of the grant's openings, and namespaces that no record speaks of.
    fn places<'b>(&'b self, names: &'b Names) -> Vec<Place<'b>> {
        let openings = self.journal.as_ref().map_or(&[][..], |journal| &journal.openings);
        let mut places: Vec<Place<'_>> = openings
            .iter()
            .map(|opening| Place {
                namespace: &opening.namespace,
                opening: Some(opening),
                remains: self.remains_of(opening),
                standing: self.inspected.standing(&opening.namespace),
            })
            .collect();
        let recorded: BTreeSet<&str> = openings.iter().map(|opening| opening.namespace.as_str()).collect();
        let others = self.live.keys().filter(|key| key.kind == Kind::Namespace);
        places.extend(others.filter(|key| !recorded.contains(key.name.as_str())).map(|key| Place {
            namespace: &key.name,
            opening: None,
            remains: &NOTHING,
            standing: Arc::new(orphan(&key.name, &self.live)),
        }));
        let sites: Vec<Site<'_>> = openings.iter().map(|opening| self.site(opening, names)).collect();
        let lost = unclaimed(&sites, &self.live);
        places.extend(lost.map(|standing| Place {
            namespace: "",
            opening: None,
            remains: &NOTHING,
            standing: Arc::new(standing),
        }));
        places
    }
}

/// What the rehearsals showed that a journal asks for.
fn told_of(journal: &Journal, grant: &PartnerGrant, catalogue: &Catalogue) -> Vec<Told> {
    let (namespace, uid) = (grant.namespace().unwrap_or_default(), grant.uid().unwrap_or_default());
    let due = journal.openings.iter().filter_map(|opening| journal.rehearsal_due(opening));
    let told = due.filter_map(|cause| catalogue.reports.report(&namespace, &name::report(&uid, cause)));
    told.filter(|told| told.grant.uid.0 == uid).collect()
}

/// What is left where nobody knows of anything.
static NOTHING: Remains = Remains::Nothing(RecordReason::NotAccepted);

/// What is left of each opening, by its namespace. Of what was closed for good nothing is asked.
pub(super) fn remains_of(openings: &[Opening], outlook: &Outlook) -> BTreeMap<String, Remains> {
    let lives = |opening: &&Opening| opening.closed_for().is_none_or(RecordReason::can_reopen);
    let told = openings.iter().filter(lives);
    told.map(|opening| (opening.namespace.clone(), remains(opening, outlook))).collect()
}

/// Whether anything says that a grant had records once: its finalizer, which it gets after the first
/// one; a namespace, which is made after the one that opens it; or its status. A status opens
/// nothing. Here it keeps closed what has ended and then lost its journal.
pub(super) fn once_had_records(grant: &PartnerGrant, finalized: bool, live: &LiveObjects) -> bool {
    let told = |status: &PartnerGrantStatus| {
        let speaks_of_records = [Reason::Ended, Reason::JournalBroken].map(|reason| reason.to_string());
        !status.openings.is_empty()
            || status.conditions.iter().any(|condition| speaks_of_records.contains(&condition.reason))
    };
    finalized || live.keys().any(|key| key.kind == Kind::Namespace) || grant.status.as_ref().is_some_and(told)
}

/// A grant's names, kept apart so that views can refer to them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Names {
    /// The grant's name.
    pub grant: String,
    /// The grant's namespace.
    pub namespace: String,
    /// The grant's UID.
    pub uid: String,
}

impl Names {
    /// The names of this grant.
    pub fn of(grant: &PartnerGrant) -> Self {
        Self {
            grant: grant.name_any(),
            namespace: grant.namespace().unwrap_or_default(),
            uid: grant.uid().unwrap_or_default(),
        }
    }
}

/// Adds the namespace of that name to what stands, also where it is somebody else's.
fn note_namespace(live: &mut LiveObjects, catalogue: &Catalogue, namespace: &str) {
    if let Some(found) = catalogue.objects.namespace(namespace) {
        let key = crate::plan::objects::Key {
            kind: Kind::Namespace,
            namespace: namespace.to_owned(),
            name: namespace.to_owned(),
        };
        live.insert(key, found);
    }
}

/// The datasets of an opening whose namespace the platform opened to Comity's ingress policies
/// and whose pods are isolated for ingress by a policy that isn't Comity's. Where they weren't,
/// the first policy that selects them would cut off all their other clients.
pub fn isolated_datasets(
    policy: &EffectivePolicy,
    labels_of: impl Fn(&str) -> BTreeMap<String, String>,
    objects: &Objects,
) -> Vec<String> {
    let lets_in = |endpoint: &EffectiveEndpoint| {
        let labels = labels_of(&endpoint.namespace.0);
        labels.get(name::LABEL_DATASET_INGRESS).map(String::as_str) == Some(name::YES)
            && objects.is_isolated(&endpoint.namespace.0, &endpoint.selector)
    };
    let isolated = policy.datasets.iter().filter(|dataset| dataset.endpoint.as_ref().is_some_and(lets_in));
    isolated.map(|dataset| dataset.name.0.clone()).collect()
}
