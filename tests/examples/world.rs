//! Everything that the story's grant depends on, read from files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comity::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract};
use comity::cluster::services::facts;
use comity::policy::resolve::resolve;
use comity::policy::{Agreement, Operands, OtherGrant, Problem};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::ResourceExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::STORY;

/// A file of YAML.
pub struct File {
    /// Where it stands, from the top of the repository.
    pub name: String,
    /// What is in it.
    pub documents: Vec<Value>,
}

/// The files of YAML in a folder, not those in folders below it.
pub fn files(folder: &str) -> Vec<File> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(top.join(folder)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(top).expect("it was found there").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("it can be read");
        let documents = serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        File { name, documents }
    };
    paths.iter().map(read).collect()
}

/// Objects by kind and name. A later one replaces one of the same kind and name.
#[derive(Clone, Debug, Default)]
pub struct World {
    objects: BTreeMap<(String, String), Value>,
    /// The grant that the world is about: the last one that was added.
    about: String,
}

impl World {
    /// The story as its files tell it.
    pub fn story() -> Self {
        let mut world = Self::default();
        world.overlay_files(STORY);
        world
    }

    /// Adds or replaces what the files of a folder hold.
    pub fn overlay_files(&mut self, folder: &str) {
        for file in files(folder) {
            self.overlay(&file.documents);
        }
    }

    /// Adds or replaces objects.
    pub fn overlay(&mut self, documents: &[Value]) {
        for document in documents {
            let word = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (kind, name) = (word("/kind").to_owned(), word("/metadata/name").to_owned());
            if kind == "PartnerGrant" {
                self.about.clone_from(&name);
            }
            let mut stored = document.clone();
            stored["metadata"]["uid"] = format!("uid-of-{name}").into();
            self.objects.insert((kind, name), stored);
        }
    }

    /// The objects of a kind.
    pub fn of<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        let objects = self.objects.iter().filter(|((of, _), _)| of == kind);
        objects
            .map(|((_, name), object)| {
                serde_json::from_value(object.clone())
                    .unwrap_or_else(|error| panic!("{kind} {name}: {error}"))
            })
            .collect()
    }

    /// The grant that it is about. It was never accepted yet, so every other one is elder.
    pub fn grant(&self) -> PartnerGrant {
        let grants = self.of::<PartnerGrant>("PartnerGrant");
        grants.into_iter().find(|grant| grant.name_any() == self.about).expect("there is a grant")
    }

    /// What is agreed, or every reason why nothing is.
    pub fn resolve(&self) -> Result<Agreement, Vec<Problem>> {
        self.with(resolve)
    }

    /// What is agreed.
    pub fn agreed(&self, what: &str) -> Agreement {
        self.resolve().unwrap_or_else(|problems| panic!("{what}: {problems:#?}"))
    }

    /// Looks at the operands of the grant, as the story's day has them.
    pub fn with<T>(&self, look: impl Fn(&Operands<'_>, Timestamp) -> T) -> T {
        let grant = self.grant();
        let contracts = self.of::<SharingContract>("SharingContract");
        let partners = self.of::<Partner>("Partner");
        let datasets = self.of::<Dataset>("Dataset");
        let boundaries = self.of::<SharingBoundary>("SharingBoundary");
        let services = self.of::<Service>("Service");
        let namespaces = self.of::<Namespace>("Namespace");
        let grants = self.of::<PartnerGrant>("PartnerGrant");
        let spec = &grant.spec;
        let others = grants
            .iter()
            .filter(|other| other.name_any() != self.about)
            .map(|other| OtherGrant::new(other, Timestamp::UNIX_EPOCH))
            .collect();
        let operands = Operands {
            grant: &grant,
            contract: contracts.iter().find(|contract| contract.name_any() == spec.contract_ref.name.0),
            partner: partners.iter().find(|partner| partner.name_any() == spec.partner_ref.name.0),
            datasets: datasets.iter().map(|dataset| (dataset.name_any(), dataset)).collect(),
            services: services.iter().map(|service| (service.name_any(), facts(service))).collect(),
            boundaries: boundaries.iter().collect(),
            namespace_labels: namespaces.first().map(|found| found.labels().clone()).unwrap_or_default(),
            requested: None,
            others: Cow::Owned(others),
        };
        look(&operands, "2026-12-01T00:00:00Z".parse().expect("an instant"))
    }
}
