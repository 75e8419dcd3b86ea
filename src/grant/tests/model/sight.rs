//! What one pass sees, as the conductor's `Scene` has it, but for what is computed once and kept: how
//! far what stands is from what an opening wants takes most of a pass, and is the same in thousands of
//! states. That a decision comes out the same with a `Scene` is tried in `mod.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;

use super::story::Stands;
use crate::api::effective::EffectivePolicy;
use crate::api::record::RecordReason;
use crate::api::{GrantDecision, PartnerGrant, name};
use crate::grant::build::{Installation, Site};
use crate::grant::check::{Inspector, Standing, orphan, unclaimed};
use crate::grant::decide::confined::AllUnconfined;
use crate::grant::decide::{Place, Pods, Records, View};
use crate::grant::gate;
use crate::grant::observe::Names;
use crate::grant::weigh::Weighed;
use crate::journal::rehearsal::Told;
use crate::journal::remains::Remains;
use crate::journal::wanted::GrantFacts;
use crate::journal::{Broken, Journal, Opening};
use crate::plan::objects::{Key, Kind, LiveObjects};

use super::state::Id;

/// What one pass sees.
#[derive(Clone)]
pub struct Sight {
    pub grant: PartnerGrant,
    pub names: Names,
    pub outlook: Stands,
    /// What is left of each opening, by its namespace.
    pub remains: BTreeMap<String, Remains>,
    pub journal: Rc<Result<Journal, Broken>>,
    pub live: Rc<LiveObjects>,
    pub live_id: Id,
    pub finalized: bool,
    pub pods: Rc<BTreeMap<String, Pods>>,
    pub decisions: Rc<Vec<Arc<GrantDecision>>>,
    /// Whatever has to be rehearsed was, and passed.
    pub told: Vec<Told>,
    pub installation: Rc<Installation>,
    pub ingress: Rc<BTreeSet<String>>,
    pub failed: BTreeSet<Key>,
    pub now: Timestamp,
}

/// How far places are from what is wanted, by namespace and by what stands.
#[derive(Default)]
pub struct Standings(HashMap<(String, Id), Vec<Known>>);

/// How far a place is from what a policy wants.
type Known = (EffectivePolicy, Arc<Standing>);

/// What is left where nobody knows of anything.
static NOTHING: Remains = Remains::Nothing(RecordReason::NotAccepted);

/// Every record can be written here.
static NOT_REFUSED: BTreeSet<String> = BTreeSet::new();

/// No version of the contract changes what pods may be, so none is looked at.
static UNWEIGHED: BTreeMap<String, Weighed> = BTreeMap::new();
static CONFINED: AllUnconfined = AllUnconfined::new();

impl Standings {
    /// The standing of an opening's place.
    fn of(&mut self, sight: &Sight, opening: &Opening) -> Arc<Standing> {
        let known = self.0.entry((opening.namespace.clone(), sight.live_id)).or_default();
        let site = sight.site(opening);
        if let Some((_, standing)) = known.iter().find(|(policy, _)| policy == site.policy) {
            return Arc::clone(standing);
        }
        let mut inspector = Inspector::of(&site, sight.remains_of(opening));
        let found = Arc::new(inspector.standing(&site, &sight.live));
        known.push((site.policy.clone(), Arc::clone(&found)));
        found
    }
}

impl Sight {
    /// An opening in its surroundings.
    pub fn site<'a>(&'a self, opening: &'a Opening) -> Site<'a> {
        Site {
            opening,
            policy: self.remains_of(opening).policy(opening),
            grant: &self.names.grant,
            grant_namespace: &self.names.namespace,
            grant_uid: &self.names.uid,
            installation: &self.installation,
            ingress: &self.ingress,
            rehearsing: false,
        }
    }

    fn remains_of(&self, opening: &Opening) -> &Remains {
        self.remains.get(&opening.namespace).unwrap_or(&NOTHING)
    }

    pub fn openings(&self) -> &[Opening] {
        self.journal.as_ref().as_ref().map_or(&[], |journal| &journal.openings)
    }

    /// Everything that deciding goes by.
    pub fn view<'a>(&'a self, standings: &mut Standings) -> View<'a> {
        let spec = &self.grant.spec;
        View {
            facts: GrantFacts { ceiling: spec.stage, suspended: spec.suspend, deleting: false },
            finalized: self.finalized,
            outlook: &self.outlook,
            stood: None,
            journal: &self.journal,
            places: self.places(standings),
            decisions: &self.decisions,
            told: &self.told,
            quarantined_again: None,
            made_again: false,
            pods: &self.pods,
            weighed: &UNWEIGHED,
            unconfined: &CONFINED,
            conflict: self.conflict(),
            records: Records::Writable,
            lacking: None,
            foreseen: None,
            refused: &NOT_REFUSED,
            failed: &self.failed,
            now: self.now,
        }
    }

    fn places<'a>(&'a self, standings: &mut Standings) -> Vec<Place<'a>> {
        let openings = self.openings();
        let place = |opening: &'a Opening| Place {
            namespace: &opening.namespace,
            opening: Some(opening),
            remains: self.remains_of(opening),
            standing: standings.of(self, opening),
        };
        let mut places: Vec<Place<'a>> = openings.iter().map(place).collect();
        let recorded = |key: &&Key| openings.iter().any(|opening| opening.namespace == key.name);
        let others = self.live.keys().filter(|key| key.kind == Kind::Namespace && !recorded(key));
        places.extend(others.map(|key| Place {
            namespace: &key.name,
            opening: None,
            remains: &NOTHING,
            standing: Arc::new(orphan(&key.name, &self.live)),
        }));
        let sites: Vec<Site<'_>> = openings.iter().map(|opening| self.site(opening)).collect();
        let lost = unclaimed(&sites, &self.live);
        places.extend(lost.map(|standing| Place {
            namespace: "",
            opening: None,
            remains: &NOTHING,
            standing: Arc::new(standing),
        }));
        places
    }

    /// The namespace that the next stage needs, if something has that name already.
    pub fn conflict(&self) -> Option<String> {
        let (Ok(journal), Ok(agreement)) = (self.journal.as_ref(), &self.outlook.agreement) else {
            return None;
        };
        let stage = gate::next_stage(journal, agreement, self.grant.spec.stage)?;
        let place = name::stage_namespace(&self.names.grant, &self.names.uid, stage, &agreement.digest);
        self.live.contains_key(&Key::namespace(&place)).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::core::Core;
    use super::super::happen::Happening;
    use super::super::scenarios::{asked, decided, live};
    use super::super::state::State;
    use super::super::story::Version;
    use super::*;
    use crate::api::Stage;
    use crate::grant::check::Inspected;
    use crate::grant::decide::decide;
    use crate::grant::hear::vain::Called;
    use crate::grant::observe::{Aside, Scene};

    /// The same, as the conductor would have it.
    fn scene(sight: &Sight) -> Scene<'_> {
        let mut scene = Scene {
            grant: &sight.grant,
            installation: &sight.installation,
            outlook: sight.outlook.as_ref().clone(),
            aside: Aside::default(),
            remains: sight.remains.clone(),
            remains_by: None,
            journal: sight.journal.as_ref().clone(),
            inspected: Inspected::default(),
            contract: None,
            live: sight.live.as_ref().clone(),
            ingress: sight.ingress.as_ref().clone(),
            finalized: sight.finalized,
            pods: sight.pods.as_ref().clone(),
            weighed: BTreeMap::new(),
            unweighed: BTreeMap::new(),
            records: Records::Writable,
            lacking: None,
            foreseen: None,
            refused: BTreeSet::new(),
            taken: 0,
            failed: BTreeSet::new(),
            conflict: sight.conflict(),
            decisions: sight.decisions.as_ref().clone(),
            told: sight.told.clone(),
            called: Called::default(),
            made_again: false,
            now: sight.now,
        };
        scene.inspect();
        scene
    }

    #[test]
    fn what_is_decided_is_what_the_conductor_would_have_decided() {
        let (mut core, mut state, mut compared) = (Core::new(1, None), State::first(1, 0), 0);
        let demoted = [Happening::Apply(0, Stage::Rehearsal), Happening::DeleteContract];
        let narrowed = [Happening::Write(Version::Narrower), Happening::Beyond];
        let story = [live(), demoted.to_vec(), asked(), decided(&[]), narrowed.to_vec()].concat();
        for happening in story.into_iter().map(Some).chain([None]) {
            while let Some((_, next)) = core.goes_on(&state) {
                let look = core.look(&state, 0);
                let sight = core.sight(&look);
                let by_sight = decide(&sight.view(&mut Standings::default()));
                assert_eq!(by_sight, decide(&scene(&sight).view(&sight.names)));
                (state, compared) = (next, compared + 1);
            }
            let next = happening.and_then(|happening| core.happen(&state, happening));
            state = next.map_or(state, |(_, next)| next);
        }
        assert!(compared > 100, "{compared} decisions were compared");
    }
}
