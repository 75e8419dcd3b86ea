//! From where the grants' lives are explored, and what may happen to them there.

use super::acts::{Act, Group, Person};
use super::explore::Scenario;
use super::happen::Happening;
use super::story::Version;
use crate::api::Stage;

pub const OLGA: Act = Act::Approve(Person::Olga, Group::Security);
pub const PER: Act = Act::Approve(Person::Per, Group::DataOwners);

pub fn decided(acts: &[Act]) -> Vec<Happening> {
    acts.iter().map(|act| Happening::Decide(0, *act)).collect()
}

/// The grant has come as far as people are asked about production.
pub fn asked() -> Vec<Happening> {
    vec![Happening::Forward]
}

/// Two people have agreed, and production is open.
pub fn live() -> Vec<Happening> {
    [asked(), decided(&[OLGA, PER])].concat()
}

/// What is tried of processes and clocks.
const PROCESS: [Happening; 6] = [
    Happening::Crash,
    Happening::Stop(0),
    Happening::Late,
    Happening::Forward,
    Happening::Back(1),
    Happening::LoseStatus(0),
];

fn scenario(
    name: &'static str,
    before: Vec<Happening>,
    may_happen: &[&[Happening]],
    depth: usize,
) -> Scenario {
    Scenario { name, grants: 1, first: Vec::new(), before, may_happen: may_happen.concat(), depth }
}

/// From the request on: everything that can happen while stage after stage opens.
pub fn from_the_request(depth: usize) -> Scenario {
    let change = [
        Happening::Write(Version::Narrower),
        Happening::DeleteContract,
        Happening::Write(Version::Original),
        Happening::Apply(0, Stage::Rehearsal),
        Happening::Decide(0, Act::Quarantine(Person::Kim)),
        Happening::LoseJournal(0),
    ];
    scenario("from the request on", Vec::new(), &[&PROCESS, &change], depth)
}

/// While people are asked about production.
pub fn while_people_are_asked(depth: usize) -> Scenario {
    let acts = decided(&[
        OLGA,
        PER,
        Act::Approve(Person::Olga, Group::DataOwners),
        Act::Approve(Person::Ada, Group::DataOwners),
        Act::Approve(Person::Ben, Group::DataOwners),
        Act::ApproveAs(Person::Ada, Person::Per, Group::DataOwners),
        Act::Deny(Person::Kim),
    ]);
    let change = [
        Happening::Write(Version::Wider),
        Happening::Write(Version::Original),
        Happening::DeleteDecisions(0),
        Happening::Forward,
        Happening::Back(1),
        Happening::Crash,
    ];
    scenario("while people are asked", asked(), &[&acts, &change], depth)
}

/// While production is live: what people decide about it.
pub fn while_it_is_live(depth: usize) -> Scenario {
    let acts = decided(&[
        Act::Extend(Person::Olga, Group::Security, 480),
        Act::Extend(Person::Per, Group::DataOwners, 480),
        Act::Shorten(Person::Kim, 100),
        Act::Expire(Person::Kim),
        Act::Quarantine(Person::Kim),
        Act::Release(Person::Kim),
        Act::Release(Person::Per),
        Act::Attest(Person::Per),
    ]);
    let change = [
        Happening::DeleteDecisions(0),
        Happening::LoseJournal(0),
        Happening::Forward,
        Happening::Beyond,
        Happening::Back(1),
        Happening::Crash,
    ];
    scenario("while it is live", live(), &[&acts, &change], depth)
}

/// While production is live: how what it depends on changes.
pub fn while_things_change(depth: usize) -> Scenario {
    let change = [
        Happening::Write(Version::Narrower),
        Happening::Write(Version::Wider),
        Happening::Write(Version::Original),
        Happening::DeleteContract,
        Happening::Apply(0, Stage::Rehearsal),
        Happening::Apply(0, Stage::Production),
        Happening::Decide(0, Act::Expire(Person::Kim)),
        Happening::Decide(0, Act::Quarantine(Person::Kim)),
    ];
    scenario("while things change", live(), &[&PROCESS, &change], depth)
}

/// Production is live, the contract is wider, and that was rehearsed.
pub fn rehearsed() -> Vec<Happening> {
    let rehearse = Act::Rehearse(Person::Olga, Group::Security);
    let wider = [Happening::Write(Version::Wider), Happening::Decide(0, rehearse), Happening::Forward];
    [&live()[..], &wider].concat()
}

/// What is wider is opened beside what is live, and takes over.
pub fn while_it_widens(depth: usize) -> Scenario {
    let acts =
        decided(&[OLGA, PER, Act::Approve(Person::Kim, Group::Security), Act::ExpireStage(Person::Kim)]);
    let change = [
        Happening::Write(Version::Narrower),
        Happening::Write(Version::Original),
        Happening::DeleteContract,
        Happening::Forward,
        Happening::Crash,
        Happening::Stop(0),
        Happening::Late,
    ];
    scenario("while it widens", rehearsed(), &[&acts, &change], depth)
}

/// Everybody wants more than there is.
pub fn beyond_the_contract(depth: usize) -> Scenario {
    let people = [(Person::Olga, Group::Security), (Person::Per, Group::DataOwners)];
    let further = people.map(|(by, group)| Act::Extend(by, group, 700));
    let again = people.map(|(by, group)| Act::Extend(by, group, 480));
    let acts = decided(&[further, again].concat());
    let review = [Happening::Forward, Happening::Decide(0, Act::Attest(Person::Per))];
    scenario("beyond the contract", live(), &[&acts, &review], depth)
}

/// Two grants under one contract.
pub fn two_under_one_contract(depth: usize) -> Scenario {
    let before = vec![Happening::Forward];
    let of_each = |number: usize| {
        [
            Happening::Decide(number, OLGA),
            Happening::Decide(number, PER),
            Happening::Decide(number, Act::Quarantine(Person::Kim)),
            Happening::Apply(number, Stage::Sandbox),
        ]
    };
    let change = [
        Happening::Write(Version::Narrower),
        Happening::DeleteContract,
        Happening::Write(Version::Original),
        Happening::Forward,
        Happening::Back(1),
        Happening::Crash,
        Happening::Stop(0),
        Happening::Late,
    ];
    let may_happen = [&of_each(0)[..], &of_each(1), &change].concat();
    Scenario { name: "two under one contract", grants: 2, first: Vec::new(), before, may_happen, depth }
}
