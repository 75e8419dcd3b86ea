//! Looking at the same stages again and again: nothing that stays as it was is built or read anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{
    Here, Part, Standing, belongs, certificates, doomed, is_confinement, is_identity, is_path,
    is_role_binding, namespace_standing, part, quota_in_force,
};
use crate::api::effective::EffectivePolicy;
use crate::grant::build::{Blueprint, Site};
use crate::journal::remains::Remains;
use crate::plan::compare::is_contained;
use crate::plan::objects::{Key, Live, LiveObjects, Wanted};

/// The stages of a grant, as they were looked at last, by namespace.
#[derive(Clone, Debug, Default)]
pub struct Inspected(BTreeMap<String, (Inspector, Arc<Standing>)>);

impl Inspected {
    /// Looks at these stages, given what is left of each and all live objects of their grant.
    pub fn look<'a>(&mut self, stages: impl Iterator<Item = (Site<'a>, &'a Remains)>, live: &LiveObjects) {
        let mut before = std::mem::take(&mut self.0);
        for (site, remains) in stages {
            let place = &site.opening.namespace;
            let known = before.remove(place).map(|(inspector, _)| inspector);
            let known = known.filter(|inspector| inspector.serves(&site, remains));
            let mut inspector = known.unwrap_or_else(|| Inspector::of(&site, remains));
            let standing = Arc::new(inspector.standing(&site, live));
            self.0.insert(place.clone(), (inspector, standing));
        }
    }

    /// Where the stage of a namespace stood when it was looked at last.
    pub fn standing(&self, place: &str) -> Arc<Standing> {
        self.0.get(place).map(|(_, standing)| Arc::clone(standing)).unwrap_or_default()
    }
}

/// Looks at one stage again and again in a pass, and does anew only what changed since: most of a stage stays
/// as it is from one step to the next.
#[derive(Clone, Debug)]
pub struct Inspector {
    blueprint: Blueprint,
    /// What the blueprint was made by.
    by: (Arc<EffectivePolicy>, Remains, BTreeSet<String>, bool),
    /// What stood when it was last compared with what is wanted, and whether it said all of that.
    compared: BTreeMap<Key, (Live, bool)>,
}

impl Inspector {
    /// Looks at the stage of `site`, of which `remains` is left.
    pub fn of(site: &Site<'_>, remains: &Remains) -> Self {
        Self {
            blueprint: Blueprint::of(site),
            by: (Arc::clone(&site.opening.policy), remains.clone(), site.ingress.clone(), site.rehearsing),
            compared: BTreeMap::new(),
        }
    }

    /// Whether this stage is still to be made of the same.
    pub fn serves(&self, site: &Site<'_>, remains: &Remains) -> bool {
        let (opened, left, ingress, rehearsing) = &self.by;
        *opened == site.opening.policy
            && left == remains
            && ingress == site.ingress
            && *rehearsing == site.rehearsing
    }

    /// Where the stage of `site` stands, given all live objects of its grant.
    pub fn standing(&mut self, site: &Site<'_>, live: &LiveObjects) -> Standing {
        let Self { blueprint, compared, .. } = self;
        let mut says = |wanted: &Wanted, live: &Live| says(compared, wanted, live);
        let here: Here<'_> = live.iter().filter(|(key, _)| belongs(site, key)).collect();
        let confinement = blueprint.confinement.iter();
        let kept: BTreeSet<&Key> =
            confinement.map(|object| &object.key).filter(|key| !is_path(key)).collect();
        let unwanted_when_closed = doomed(&here, |key| is_confinement(key) && !kept.contains(key));
        let confinement = part(&blueprint.confinement, &here, is_confinement, &mut says);
        let too_wide = |object: &&Arc<Wanted>| !is_path(&object.key) || here.contains_key(&object.key);
        Standing {
            namespace: namespace_standing(site, live, |found| says(&blueprint.namespace, found)),
            too_wide: confinement.missing.iter().filter(too_wide).cloned().collect(),
            confinement,
            without_paths: Part { missing: Vec::new(), stray: unwanted_when_closed },
            identities: part(&blueprint.identities, &here, is_identity, &mut says),
            certificates: certificates(site, &here),
            quota_in_force: quota_in_force(site, &here),
            bindings: part(&blueprint.bindings, &here, is_role_binding, &mut says),
            all_bindings: doomed(&here, is_role_binding),
        }
    }
}

/// Whether an object says what is wanted; what it was when that was last asked isn't read again.
fn says(compared: &mut BTreeMap<Key, (Live, bool)>, wanted: &Wanted, live: &Live) -> bool {
    if let Some((_, says)) = compared.get(&wanted.key).filter(|(seen, _)| seen == live) {
        return *says;
    }
    let says = is_contained(wanted, live);
    compared.insert(wanted.key.clone(), (live.clone(), says));
    says
}
