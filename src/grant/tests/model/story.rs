//! What the modelled grants depend on: the story of `examples/fraud-scoring/`, and the ways in which
//! its contract changes. What each version allows stands here once more, in words
//! that the invariants go by, so that they ask nobody whom they watch.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::api::contract::Approval;
use crate::api::{PartnerGrant, SharingContract, Stage, name};
use crate::policy::standing::Outlook;
use crate::policy::testing::World;

pub const HOUR: i32 = 3600;

/// How long production is open, and how long it can be at most.
pub const PRODUCTION: i32 = 240 * HOUR;
pub const CEILING: i32 = 720 * HOUR;
/// How long a stage is open.
pub const fn duration(stage: Stage) -> i32 {
    match stage {
        Stage::Sandbox => 168 * HOUR,
        Stage::Rehearsal => 48 * HOUR,
        Stage::Production => PRODUCTION,
    }
}

/// The contract's own end.
/// So long production stays open beside the one that takes over.
pub const OVERLAP: i32 = HOUR;
pub const CONTRACT_END: i32 = 600 * HOUR;
/// How long an approval counts, and how long a request waits.
pub const VALID_FOR: i32 = 12 * HOUR;
/// How long Rehearsal has to have been open before production opens.
pub const SOAK: i32 = 6 * HOUR;
/// So often it has to be confirmed that production is still wanted.
pub const REVIEW: i32 = 240 * HOUR;
/// So long the answer may take.
pub const GRACE: i32 = 48 * HOUR;

/// The moment that is so many seconds after the story begins.
pub fn at(seconds: i32) -> Timestamp {
    let since = SignedDuration::from_secs(i64::from(seconds));
    World::story().now.checked_add(since).expect("in range")
}

/// How many seconds after the beginning of the story a moment is.
pub fn seconds(moment: Timestamp) -> i32 {
    let since = moment.as_second() - World::story().now.as_second();
    i32::try_from(since).unwrap_or(i32::MAX)
}

/// A version of the contract.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    Original,
    Narrower,
    Wider,
}

/// What a version of the contract allows of production, as far as the invariants ask.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Addresses that may be reached, of those in [`ADDRESSES`].
    pub addresses: &'static [&'static str],
    pub pods: u32,
    /// How many people have to agree, and how many of them from which groups.
    pub people: usize,
    pub groups: &'static [&'static str],
}

/// The addresses that are tried.
pub const ADDRESSES: [&str; 3] = ["192.0.2.1", "192.0.2.9", "192.0.2.17"];

impl Version {
    pub const ALL: [Self; 3] = [Self::Original, Self::Narrower, Self::Wider];

    pub const fn allowance(self) -> Allowance {
        let both = &["data-owners", "security"];
        match self {
            Self::Original => {
                Allowance { addresses: &["192.0.2.1", "192.0.2.9"], pods: 20, people: 2, groups: both }
            }
            Self::Narrower => Allowance { addresses: &["192.0.2.1"], pods: 5, people: 2, groups: both },
            Self::Wider => Allowance { addresses: &ADDRESSES, pods: 20, people: 2, groups: &["security"] },
        }
    }

    fn cidr(self) -> &'static str {
        match self {
            Self::Original => "192.0.2.0/28",
            Self::Narrower => "192.0.2.0/29",
            Self::Wider => "192.0.2.0/27",
        }
    }
}

/// The contract as it stands.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Contract {
    /// Which version; `None`: it is gone.
    pub version: Option<Version>,
    /// How often its spec was written.
    pub generation: u8,
    /// How often it was made anew.
    pub incarnation: u8,
}

impl Contract {
    pub const FIRST: Self = Self { version: Some(Version::Original), generation: 1, incarnation: 0 };
}

/// What everything comes to.
pub type Stands = Rc<Outlook>;

/// Everything that the grants depend on, but for the contract as it stands.
pub struct Story {
    world: World,
    grants: Vec<PartnerGrant>,
    outlooks: BTreeMap<(usize, Contract, bool), Stands>,
    digests: BTreeMap<(usize, Version), String>,
}

impl Story {
    /// The story of so many grants under one contract, each for a partner's program of its own.
    pub fn of(grants: usize) -> Self {
        let mut world = World::story();
        world.contract = changed(&world.contract, agreed_on);
        world.grant = changed(&world.grant, asked_for);
        world.boundaries = world.boundaries.iter().map(|one| written(one, "1 root")).collect();
        world.datasets = world.datasets.iter().map(|one| written(one, "1 dana")).collect();
        world.partner = written(&world.partner, "1 root");
        let grants = (0..grants).map(|number| grant(&world.grant, number)).collect();
        let mut story = Self { world, grants, outlooks: BTreeMap::new(), digests: BTreeMap::new() };
        story.note_digests();
        story
    }

    pub fn grant(&self, number: usize) -> &PartnerGrant {
        &self.grants[number]
    }

    pub fn digest(&self, grant: usize, version: Version) -> &str {
        &self.digests[&(grant, version)]
    }

    /// The version of a grant's digest.
    pub fn version(&self, grant: usize, digest: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|version| self.digest(grant, *version) == digest)
    }

    /// What everything comes to for a grant, by the real resolution.
    pub fn outlook(&mut self, grant: usize, contract: Contract, now: i32) -> Stands {
        let key = (grant, contract, now >= CONTRACT_END);
        if let Some(known) = self.outlooks.get(&key) {
            return Rc::clone(known);
        }
        let outlook = Rc::new(self.resolve(grant, contract, now));
        self.outlooks.insert(key, Rc::clone(&outlook));
        outlook
    }

    fn resolve(&self, grant: usize, contract: Contract, now: i32) -> Outlook {
        let stands = contract.version.map(|version| self.contract(contract, version));
        let mut operands = self.world.operands();
        operands.grant = &self.grants[grant];
        operands.contract = stands.as_ref();
        Outlook::of(&operands, at(now))
    }

    fn contract(
        &self,
        Contract { generation, incarnation, .. }: Contract,
        version: Version,
    ) -> SharingContract {
        let mut contract = changed(&self.world.contract, |spec| {
            spec["destination"]["egress"][0]["cidr"] = json!(version.cidr());
            spec["stages"][2]["quota"]["hard"]["pods"] = json!(version.allowance().pods.to_string());
            let groups = version.allowance().groups.iter();
            let groups: Vec<Value> = groups.map(|name| json!({"name": name, "atLeast": 1})).collect();
            spec["approvals"][0]["groups"] = json!(groups);
        });
        contract.metadata.uid = Some(format!("contract-{incarnation}"));
        contract.metadata.generation = Some(i64::from(generation));
        written(&contract, &format!("{generation} ben"))
    }

    fn note_digests(&mut self) {
        for grant in 0..self.grants.len() {
            for version in Version::ALL {
                let contract = Contract { version: Some(version), ..Contract::FIRST };
                let agreed = self.resolve(grant, contract, 0).agreement;
                let agreed = agreed.expect("the story is permitted");
                self.digests.insert((grant, version), agreed.digest);
            }
        }
    }
}

/// Sandbox, Rehearsal, which soaks for a while, and Production, to which two people have to agree.
fn agreed_on(spec: &mut Value) {
    spec["time"]["notAfter"] = json!(at(CONTRACT_END));
    spec["stages"][1]["soak"] = json!("6h");
    spec["approvals"][0]["validFor"] = json!("12h");
    spec["approvals"][0]["pendingFor"] = json!("20h");
    spec["reviews"] = json!({"every": "240h", "grace": "48h"});
    spec["purposes"] = json!(["fraud-detection", "model-quality"]);
}

fn asked_for(spec: &mut Value) {
    spec["stages"] = json!([
        {"stage": "Sandbox", "duration": "168h"},
        {"stage": "Rehearsal", "duration": "48h"},
        {"stage": "Production", "duration": "240h"},
    ]);
}

fn grant(story: &PartnerGrant, number: usize) -> PartnerGrant {
    let mut grant = story.clone();
    grant.metadata.name = Some(format!("northpay-{number}"));
    grant.metadata.uid = Some(format!("7448b863-1fcf-4cc2-9c11-00000000000{number}"));
    grant.metadata.generation = Some(1);
    // Of one partner, contract and purpose there is one live grant.
    let purpose = ["fraud-detection", "model-quality"][number];
    purpose.clone_into(&mut grant.spec.purpose.0);
    let requested = BTreeMap::from([(name::ANNOTATION_REQUESTED_BY.to_owned(), "1 ada".to_owned())]);
    grant.metadata.annotations = Some(requested);
    grant
}

/// An object with its spec changed.
fn changed<K>(object: &K, change: impl Fn(&mut Value)) -> K
where
    K: serde::Serialize + serde::de::DeserializeOwned,
{
    let mut value = serde_json::to_value(object).expect("an object");
    change(&mut value["spec"]);
    serde_json::from_value(value).expect("an object")
}

/// An object, written by these.
fn written<K>(object: &K, writers: &str) -> K
where
    K: serde::Serialize + serde::de::DeserializeOwned,
{
    let mut value = serde_json::to_value(object).expect("an object");
    value["metadata"]["annotations"] = json!({ name::ANNOTATION_AUTHORED_BY: writers });
    serde_json::from_value(value).expect("an object")
}

#[test]
fn what_the_invariants_go_by_is_what_the_contract_says() {
    let mut story = Story::of(1);
    for version in Version::ALL {
        let contract = Contract { version: Some(version), ..Contract::FIRST };
        let outlook = story.outlook(0, contract, 0);
        let terms = &outlook.agreement.as_ref().expect("permitted").stages[&Stage::Production];
        let allowance = version.allowance();
        assert_eq!(terms.policy.destination.egress[0].cidr.0, version.cidr());
        assert_eq!(terms.policy.quota.hard["pods"].0, allowance.pods.to_string());
        assert_eq!(terms.consent.required, allowance.people);
        assert!(allowance.groups.iter().eq(terms.consent.groups.keys()));
        let lengths = [terms.duration, terms.ceiling].map(|length| length.as_secs());
        assert_eq!(lengths, [i64::from(PRODUCTION), i64::from(CEILING)]);
        assert_eq!(terms.consent.valid_for.map(|length| length.as_secs()), Some(i64::from(VALID_FOR)));
        let asked: Vec<&Approval> = terms.policy.approvals.iter().collect();
        assert_eq!(asked.len(), 1, "nobody is asked about the other stages");
    }
    let gone = Contract { version: None, ..Contract::FIRST };
    assert!(story.outlook(0, gone, 0).agreement.is_err());
    assert!(story.outlook(0, Contract::FIRST, CONTRACT_END).agreement.is_err());
}
