//! What a story stands on, and every way in which it is written anew while grants are live.

use super::dice::Dice;

/// Something that grants stand on, as it can be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ground {
    Contract(Contract),
    Boundary(Boundary),
    Partner(Partner),
    Dataset(Dataset),
    Service(Service),
}

/// How the contract can read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contract {
    AsItWas,
    WithoutDns,
    LessEgress,
    MoreEgress,
    FewerPods,
    FewerRequests,
    OnePurpose,
    ShorterStages,
    WeakApprovals,
    ShortValidity,
    ShortPending,
    KeepsStages,
    WithOverlap,
}

/// How the boundary can read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Boundary {
    AsItWas,
    WithoutDns,
    FewerPods,
    AsksForSandbox,
}

/// How the partner can read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Partner {
    AsItWas,
    ShutsUsOut,
    OtherIssuer,
}

/// How the dataset can read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dataset {
    AsItWas,
    OnePurpose,
}

/// How the Service of the sandbox can read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    AsItWas,
    OtherPods,
}

impl Ground {
    /// Everything as it was.
    pub const WHOLE: [Self; 5] = [
        Self::Contract(Contract::AsItWas),
        Self::Boundary(Boundary::AsItWas),
        Self::Partner(Partner::AsItWas),
        Self::Dataset(Dataset::AsItWas),
        Self::Service(Service::AsItWas),
    ];

    /// One of its ways, of something.
    pub fn any(dice: &mut Dice) -> Self {
        dice.weighted(&[(7, Self::contract as fn(&mut Dice) -> Self), (2, Self::boundary), (3, Self::other)])(
            dice,
        )
    }

    fn contract(dice: &mut Dice) -> Self {
        use Contract::{
            AsItWas, FewerPods, FewerRequests, KeepsStages, LessEgress, MoreEgress, OnePurpose, ShortPending,
            ShortValidity, ShorterStages, WeakApprovals, WithOverlap, WithoutDns,
        };
        let narrower = [WithoutDns, LessEgress, FewerPods, FewerRequests, OnePurpose, ShorterStages];
        let other = [MoreEgress, WeakApprovals, ShortValidity, ShortPending, KeepsStages, WithOverlap];
        let kind = dice.weighted(&[(4, 0), (5, 1), (4, 2)]);
        Self::Contract(match kind {
            0 => AsItWas,
            1 => dice.one(&narrower),
            _ => dice.one(&other),
        })
    }

    fn boundary(dice: &mut Dice) -> Self {
        use Boundary::{AsItWas, AsksForSandbox, FewerPods, WithoutDns};
        Self::Boundary(dice.weighted(&[(4, AsItWas), (2, WithoutDns), (2, FewerPods), (1, AsksForSandbox)]))
    }

    fn other(dice: &mut Dice) -> Self {
        dice.weighted(&[
            (2, Self::Partner(Partner::AsItWas)),
            (1, Self::Partner(Partner::ShutsUsOut)),
            (1, Self::Partner(Partner::OtherIssuer)),
            (2, Self::Dataset(Dataset::AsItWas)),
            (1, Self::Dataset(Dataset::OnePurpose)),
            (2, Self::Service(Service::AsItWas)),
            (2, Self::Service(Service::OtherPods)),
        ])
    }

    /// The document that says so.
    pub fn document(self, story: &str) -> String {
        let (kind, name, change) = self.change();
        let begins = format!("kind: {kind}\nmetadata:\n  name: {}\n", name.replace("STORY", story));
        let all = whole(story);
        let document = all.split("\n---\n").find(|document| document.contains(&begins));
        let document = document.expect("the ground has it").to_owned();
        change.iter().fold(document, |document, (before, after)| {
            assert!(document.contains(before), "{self:?} changes nothing: {before:?}");
            document.replace(before, after)
        })
    }

    /// Its kind and name, and what is written otherwise.
    fn change(self) -> (&'static str, &'static str, &'static [(&'static str, &'static str)]) {
        match self {
            Self::Contract(contract) => ("SharingContract", "fraud-scoring", contract.change()),
            Self::Boundary(boundary) => ("SharingBoundary", "STORY", boundary.change()),
            Self::Partner(Partner::AsItWas) => ("Partner", "STORY", &[]),
            Self::Partner(Partner::ShutsUsOut) => {
                ("Partner", "STORY", &[("from: Names\n    names: [", "from: Names\n    names: [elsewhere-")])
            }
            Self::Partner(Partner::OtherIssuer) => {
                ("Partner", "STORY", &[("login.northpay", "sso.northpay")])
            }
            Self::Dataset(Dataset::AsItWas) => ("Dataset", "transactions", &[]),
            Self::Dataset(Dataset::OnePurpose) => (
                "Dataset",
                "transactions",
                &[("purposes: [fraud-detection, model-quality]", "purposes: [fraud-detection]")],
            ),
            Self::Service(Service::AsItWas) => ("Service", "tx-synthetic", &[]),
            Self::Service(Service::OtherPods) => {
                ("Service", "tx-synthetic", &[("app: tx-synthetic", "app: tx-other")])
            }
        }
    }
}

impl Contract {
    const fn change(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::AsItWas => &[],
            Self::WithoutDns => &[("dns: Cluster", "dns: None")],
            Self::LessEgress => &[("192.0.2.0/28", "192.0.2.0/29")],
            Self::MoreEgress => &[("192.0.2.0/28", "192.0.2.0/27")],
            Self::FewerPods => &[("pods: \"10\"", "pods: \"5\""), ("pods: \"20\"", "pods: \"6\"")],
            Self::FewerRequests => &[("requestsPerMinute: 600", "requestsPerMinute: 60")],
            Self::OnePurpose => {
                &[("purposes: [fraud-detection, model-quality]", "purposes: [model-quality]")]
            }
            Self::ShorterStages => &[("maxDuration: 12h", "maxDuration: 5s")],
            Self::WeakApprovals => {
                &[("required: 2", "required: 1"), ("\n    - {name: data-owners, atLeast: 1}", "")]
            }
            Self::ShortValidity => &[("validFor: 1h", "validFor: 3s")],
            Self::ShortPending => &[("pendingFor: 1h", "pendingFor: 3s")],
            Self::KeepsStages => &[("afterPromotion: Close", "afterPromotion: Keep")],
            Self::WithOverlap => &[("    quota:", "    overlap: 2s\n    quota:")],
        }
    }
}

impl Boundary {
    const fn change(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::AsItWas => &[],
            Self::WithoutDns => &[("dns: Cluster", "dns: None")],
            Self::FewerPods => &[("pods: \"20\"", "pods: \"4\"")],
            Self::AsksForSandbox => &[(
                "\n  ceilings:",
                "\n  floors:\n    approvals:\n    - {stage: Sandbox, required: 1}\n  ceilings:",
            )],
        }
    }
}

/// Everything that a story stands on, as it was; who may do what among it.
pub fn whole(story: &str) -> String {
    let ground = include_str!("../life/ground.yaml").replace("STORY", story);
    format!("{}\n---\n{}", ground.trim_end(), roles(story))
}

/// Who asks, and what automation is let do by a careless platform.
fn roles(story: &str) -> String {
    let flux = format!("- {{kind: ServiceAccount, name: flux, namespace: {story}}}");
    let group = "- {kind: Group, name: requesters, apiGroup: rbac.authorization.k8s.io}";
    let binding = |role: &str, subjects: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: all-{role}\n  \
             namespace: {story}\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  \
             name: comity:{role}\nsubjects:\n{subjects}\n"
        )
    };
    let requesters = binding("requester", &format!("{group}\n{flux}"));
    let others = ["approver", "reviewer", "responder"].map(|role| binding(role, &flux));
    [&[requesters][..], &others].concat().join("---\n")
}

#[test]
fn every_way_of_writing_it_changes_something() {
    let mut dice = Dice::of(1);
    for _ in 0..500 {
        let ground = Ground::any(&mut dice);
        let as_it_was = ground.change().2.is_empty();
        assert_eq!(whole("a").contains(ground.document("a").trim_end()), as_it_was, "{ground:?}");
    }
}
