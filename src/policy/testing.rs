//! For tests: the story of `examples/fraud-scoring/`, as operands that a test can change.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::resolve::resolve;
use super::standing::Outlook;
use super::{Agreement, Operands, OtherGrant, Problem, ServiceFacts};
use crate::api::condition::Reason;
use crate::api::effective::TargetPort;
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract};

/// The instant at which the story is told, unless a test says otherwise.
pub const NOW: &str = "2026-12-01T00:00:00Z";

/// Everything that the story's grant depends on.
#[derive(Clone, Debug)]
pub struct World {
    pub grant: PartnerGrant,
    pub contract: SharingContract,
    pub partner: Partner,
    pub datasets: Vec<Dataset>,
    pub services: BTreeMap<String, ServiceFacts>,
    pub boundaries: Vec<SharingBoundary>,
    pub namespace_labels: BTreeMap<String, String>,
    pub requested: Option<Timestamp>,
    pub others: Vec<OtherGrant>,
    pub now: Timestamp,
}

impl World {
    /// The story as its files tell it, in production.
    pub fn story() -> Self {
        static STORY: LazyLock<World> = LazyLock::new(World::told);
        STORY.clone()
    }

    /// The story, read from its files.
    fn told() -> Self {
        let mut grant: PartnerGrant =
            read(include_str!("../../examples/fraud-scoring/promotions/grant-3-production.yaml"));
        grant.metadata.uid = Some("6f0c1a2b-0000-4000-8000-000000000001".to_owned());
        let mut contract: SharingContract =
            read(include_str!("../../examples/fraud-scoring/05-contract.yaml"));
        contract.metadata.uid = Some("6f0c1a2b-0000-4000-8000-000000000002".to_owned());
        Self {
            grant,
            contract,
            partner: read(include_str!("../../examples/fraud-scoring/03-partner.yaml")),
            datasets: vec![read(include_str!("../../examples/fraud-scoring/04-dataset.yaml"))],
            services: ["tx-synthetic", "tx-masked", "tx-features"].map(service).into(),
            boundaries: vec![read(include_str!("../../examples/fraud-scoring/02-boundary.yaml"))],
            namespace_labels: labels(&[("comity.dev/shares", "true")]),
            requested: Some(instant(NOW)),
            others: Vec::new(),
            now: instant(NOW),
        }
    }

    /// The operands, as `resolve` takes them.
    pub fn operands(&self) -> Operands<'_> {
        let named = |dataset: &Dataset| dataset.metadata.name.clone().unwrap_or_default();
        Operands {
            grant: &self.grant,
            contract: Some(&self.contract),
            partner: Some(&self.partner),
            datasets: self.datasets.iter().map(|dataset| (named(dataset), dataset)).collect(),
            services: self.services.clone(),
            boundaries: self.boundaries.iter().collect(),
            namespace_labels: self.namespace_labels.clone(),
            requested: self.requested,
            others: Cow::Borrowed(&self.others),
        }
    }

    /// What is agreed.
    pub fn resolve(&self) -> Result<Agreement, Vec<Problem>> {
        resolve(&self.operands(), self.now)
    }

    /// What everything comes to.
    pub fn outlook(&self) -> Outlook {
        Outlook::of(&self.operands(), self.now)
    }

    /// What is agreed, where nothing stands against it.
    pub fn agreed(&self) -> Agreement {
        self.resolve().unwrap_or_else(|problems| panic!("no agreement: {problems:#?}"))
    }

    /// Its only boundary.
    pub fn boundary(&mut self) -> &mut SharingBoundary {
        self.boundaries.first_mut().expect("the story has a boundary")
    }

    /// Its only dataset.
    pub fn dataset(&mut self) -> &mut Dataset {
        self.datasets.first_mut().expect("the story has a dataset")
    }

    /// Checks that there is exactly one problem, and that its message says all of `parts`.
    #[track_caller]
    pub fn refused(&self, reason: Reason, parts: &[&str]) {
        let problems = self.resolve().expect_err("this is refused");
        let [only] = problems.as_slice() else { panic!("one problem, not {problems:#?}") };
        assert_eq!(only.reason, reason, "{}", only.message);
        assert!(
            only.message.starts_with(&format!("{}: ", only.clause)),
            "names the clause: {}",
            only.message
        );
        assert!(only.message.contains("; "), "says what to do: {}", only.message);
        for part in parts {
            assert!(only.message.contains(part), "{part} is missing in: {}", only.message);
        }
    }
}

/// Another grant for the same thing, first accepted at `requested`.
pub fn another(uid: &str, requested: &str) -> OtherGrant {
    OtherGrant {
        namespace: "risk-data".to_owned(),
        name: "northpay-fraud-too".to_owned(),
        partner: "northpay".to_owned(),
        contract: "fraud-scoring".to_owned(),
        purpose: "fraud-detection".to_owned(),
        requested: instant(requested),
        uid: uid.to_owned(),
    }
}

/// A moment.
pub fn instant(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// Labels from pairs.
pub fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// An object from YAML.
pub fn read<T: DeserializeOwned>(yaml: &str) -> T {
    serde_saphyr::from_str(yaml).expect("an example can be read")
}

/// A Service of the story.
fn service(name: &str) -> (String, ServiceFacts) {
    let selector = labels(&[("app.kubernetes.io/part-of", "transactions"), ("app.kubernetes.io/name", name)]);
    let target = TargetPort { number: Some(8443), ..TargetPort::default() };
    (name.to_owned(), ServiceFacts { selector, targets: [(8443, target)].into() })
}
