//! Who wrote what a grant depends on, and since when: whoever did may not approve it. Pure.

use kube::{Resource, ResourceExt as _};

use super::Operands;
use crate::api::SharingBoundary;
use crate::api::name::{ANNOTATION_AUTHORED_BY, ANNOTATION_REQUESTED_BY};
use crate::api::record::{RevisedKind, Revision};
use crate::api::stamp::{UNKNOWN, Writers};

/// What the API server's names begin with that are no people's, and the one that is all the same.
const AUTOMATION: &str = "system:";
const ADMINISTRATOR: &str = "system:admin";

/// Something that a grant depends on, and who wrote it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authorship {
    /// What, as it stands.
    pub revision: Revision,
    /// Who wrote it; `None`: the list is missing or can't be read, so it may be anybody.
    pub writers: Option<Writers>,
}

impl Authorship {
    /// Whether this person may have written it since `approved`, the revisions that were agreed to
    /// last. Where this object isn't among them, since it was created.
    pub fn may_be_by(&self, person: &str, approved: &[Revision]) -> bool {
        let since = self.agreed_generation(approved);
        self.writers.as_ref().is_none_or(|writers| writers.may_have_written_after(person, since))
    }

    /// Whether it is asked for by automation, or nobody knows by whom, since it was agreed to.
    pub fn may_be_automated(&self, approved: &[Revision]) -> bool {
        let since = self.agreed_generation(approved);
        self.writers.as_ref().is_none_or(|writers| {
            writers.iter().any(|writer| writer.generation > since && is_no_person(&writer.user))
        })
    }

    /// The object in words.
    pub fn subject(&self) -> String {
        format!("{} {}", self.revision.kind.as_str(), self.revision.name)
    }

    /// The generation that was agreed to. Of a dataset only the version was looked at that was named.
    fn agreed_generation(&self, approved: &[Revision]) -> i64 {
        let Revision { kind, uid, version, .. } = &self.revision;
        let mut approved = approved.iter();
        let known = approved.find(|known| (&known.kind, &known.uid, &known.version) == (kind, uid, version));
        known.map_or(0, |known| known.generation)
    }
}

/// Whether a name is none of a person's, or may be anybody's.
fn is_no_person(user: &str) -> bool {
    user == UNKNOWN || (user.starts_with(AUTOMATION) && user != ADMINISTRATOR)
}

/// Everything that the grant depends on, with who wrote it. The grant itself comes first.
pub fn authorship(operands: &Operands<'_>, boundaries: &[&SharingBoundary]) -> Vec<Authorship> {
    let grant = of(RevisedKind::PartnerGrant, operands.grant, ANNOTATION_REQUESTED_BY);
    let contract =
        operands.contract.map(|found| of(RevisedKind::SharingContract, found, ANNOTATION_AUTHORED_BY));
    let partner = operands.partner.map(|found| of(RevisedKind::Partner, found, ANNOTATION_AUTHORED_BY));
    let scoped = operands.contract.iter().flat_map(|contract| &contract.spec.data_scope.datasets);
    let datasets = scoped.filter_map(|scoped| {
        let found = operands.datasets.get(scoped.name.as_str())?;
        let mut dataset = of(RevisedKind::Dataset, *found, ANNOTATION_AUTHORED_BY);
        dataset.revision.version = Some(scoped.version.clone());
        Some(dataset)
    });
    let boundaries =
        boundaries.iter().map(|found| of(RevisedKind::SharingBoundary, *found, ANNOTATION_AUTHORED_BY));
    std::iter::once(grant).chain(contract).chain(partner).chain(datasets).chain(boundaries).collect()
}

fn of<K: Resource>(kind: RevisedKind, object: &K, annotation: &str) -> Authorship {
    let revision = Revision {
        kind,
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        generation: object.meta().generation.unwrap_or_default(),
        version: None,
    };
    let writers = object.annotations().get(annotation).and_then(|text| Writers::parse(text));
    Authorship { revision, writers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;

    fn contract(writers: Option<&str>) -> Authorship {
        let revision = Revision {
            kind: RevisedKind::SharingContract,
            name: "c".to_owned(),
            uid: "u".to_owned(),
            generation: 5,
            version: None,
        };
        Authorship { revision, writers: writers.map(|text| Writers::parse(text).expect("a list")) }
    }

    fn agreed(uid: &str, generation: i64) -> Vec<Revision> {
        vec![Revision { uid: uid.to_owned(), generation, ..contract(None).revision }]
    }

    #[test]
    fn who_wrote_before_it_was_agreed_to_did_not_write_what_is_asked_for_now() {
        let written = contract(Some("2 ada\n5 ben"));
        assert!(
            written.may_be_by("ada", &[]) && written.may_be_by("ben", &[]),
            "none agreed to: since creation"
        );
        assert!(!written.may_be_by("ada", &agreed("u", 2)));
        assert!(written.may_be_by("ben", &agreed("u", 2)));
        assert!(written.may_be_by("ada", &agreed("another", 9)), "one that was made again is another one");
        assert!(!written.may_be_by("olga", &[]));
    }

    #[test]
    fn where_nobody_knows_who_wrote_it_everybody_may_have() {
        assert!(contract(None).may_be_by("olga", &agreed("u", 9)));
        assert!(contract(Some("1 ?\n2 ada")).may_be_by("olga", &[]));
        assert!(!contract(Some("1 ?\n2 ada")).may_be_by("olga", &agreed("u", 1)));
    }

    #[test]
    fn automation_is_known_by_its_name() {
        let robot = "3 system:serviceaccount:flux-system:kustomize-controller";
        assert!(contract(Some(robot)).may_be_automated(&[]));
        assert!(!contract(Some(robot)).may_be_automated(&agreed("u", 3)));
        assert!(!contract(Some("3 ada")).may_be_automated(&[]));
    }

    #[test]
    fn who_wrote_another_version_of_a_dataset_that_was_agreed_to_wrote_what_is_asked_for_now() {
        let mut world = World::story();
        let metadata = &mut world.dataset().metadata;
        metadata.generation = Some(5);
        let writers = (ANNOTATION_AUTHORED_BY.to_owned(), "4 ada\n5 eve".to_owned());
        metadata.annotations.get_or_insert_default().extend([writers]);
        let dataset = |world: &World| {
            let mut all = authorship(&world.operands(), &[]).into_iter();
            all.find(|written| written.revision.kind == RevisedKind::Dataset).expect("it names one")
        };
        let agreed = [dataset(&world).revision];
        assert!(!dataset(&world).may_be_by("eve", &agreed), "it was agreed to since");
        world.contract.spec.data_scope.datasets[0].version = "2026-11".into();
        assert!(dataset(&world).may_be_by("eve", &agreed), "that version nobody has agreed to");
    }
}
