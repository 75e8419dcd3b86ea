//! The published test vectors of the digest (`docs/digest-vectors/`) are what the code computes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::super::digest::{canonical, digest};
use super::super::{Operands, ServiceFacts};
use crate::api::effective::TargetPort;
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    description: String,
    operands: VectorOperands,
    canonical: String,
    digest: String,
}

/// What the digest is of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorOperands {
    grant: PartnerGrant,
    contract: SharingContract,
    partner: Partner,
    datasets: Vec<Dataset>,
    services: BTreeMap<String, VectorService>,
    boundaries: Vec<SharingBoundary>,
}

/// What a Service comes to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorService {
    selector: BTreeMap<String, String>,
    targets: BTreeMap<i32, TargetPort>,
}

impl Vector {
    fn operands(&self) -> Operands<'_> {
        let VectorOperands { grant, contract, partner, datasets, services, boundaries } = &self.operands;
        let name = |dataset: &Dataset| dataset.metadata.name.clone().expect("a dataset has a name");
        let facts = |service: &VectorService| ServiceFacts {
            selector: service.selector.clone(),
            targets: service.targets.clone(),
        };
        Operands {
            grant,
            contract: Some(contract),
            partner: Some(partner),
            datasets: datasets.iter().map(|dataset| (name(dataset), dataset)).collect(),
            services: services.iter().map(|(name, service)| (name.clone(), facts(service))).collect(),
            boundaries: boundaries.iter().collect(),
            namespace_labels: BTreeMap::new(),
            requested: None,
            others: Cow::default(),
        }
    }
}

/// Every vector, by its file's name.
fn vectors() -> BTreeMap<String, Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/digest-vectors");
    std::fs::read_dir(folder)
        .expect("the vectors are published")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a vector can be read");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("a vector has its form"))
        })
        .collect()
}

#[test]
fn every_published_vector_has_the_digest_that_it_says() {
    let vectors = vectors();
    assert!(vectors.len() >= 5, "{:?}", vectors.keys());
    for (name, vector) in &vectors {
        let boundaries: Vec<&SharingBoundary> = vector.operands.boundaries.iter().collect();
        let operands = vector.operands();
        assert_eq!(canonical(&operands, &boundaries).as_ref(), Some(&vector.canonical), "{name}");
        assert_eq!(digest(&operands, &boundaries).as_ref(), Some(&vector.digest), "{name}");
        assert!(!vector.description.is_empty(), "{name} says what it shows");
    }
}

#[test]
fn the_vector_that_only_writes_the_story_in_another_order_has_its_digest() {
    let vectors = vectors();
    assert_eq!(vectors["story-reordered"].digest, vectors["story"].digest);
    let digests: std::collections::BTreeSet<&String> =
        vectors.values().map(|vector| &vector.digest).collect();
    assert_eq!(digests.len(), vectors.len() - 1, "all others differ");
}
