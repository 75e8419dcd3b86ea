//! Where each broken variant is tried: from where its fault can show, with what brings it out.

use super::acts::{Act, Group, Person};
use super::broken::Broken;
use super::explore::Scenario;
use super::happen::Happening;
use super::scenarios::{OLGA, PER, asked, decided, live, rehearsed};
use super::story::Version;
use crate::api::Stage;

fn from(before: Vec<Happening>, may_happen: &[Happening], depth: usize) -> Scenario {
    Scenario { name: "", grants: 1, first: Vec::new(), before, may_happen: may_happen.to_vec(), depth }
}

fn when_asked(acts: &[Act], depth: usize) -> Scenario {
    from(asked(), &decided(acts), depth)
}

fn when_live(may_happen: &[Happening], depth: usize) -> Scenario {
    from(live(), may_happen, depth)
}

fn extend(hours: i32) -> Vec<Happening> {
    let people = [(Person::Olga, Group::Security), (Person::Per, Group::DataOwners)];
    decided(&people.map(|(by, group)| Act::Extend(by, group, hours)))
}

fn extended() -> Vec<Happening> {
    [live(), extend(480)].concat()
}

const FORWARD: &[Happening] = &[Happening::Forward];
const LATE: &[Happening] = &[Happening::Stop(0), Happening::Late];
const DEMOTE: Happening = Happening::Apply(0, Stage::Rehearsal);
const APPLY: Happening = Happening::Apply(0, Stage::Production);

fn kim(act: fn(Person) -> Act) -> Happening {
    Happening::Decide(0, act(Person::Kim))
}

/// Where a variant is tried.
pub fn tried(broken: Broken) -> Scenario {
    ends(broken).or_else(|| consent(broken)).or_else(|| change(broken)).unwrap_or_else(|| order(broken))
}

fn ends(broken: Broken) -> Option<Scenario> {
    let on_request = |depth| from(Vec::new(), FORWARD, depth);
    Some(match broken {
        Broken::EndCountedFromNow | Broken::NoAlarm => when_live(FORWARD, 3),
        Broken::EndRenewedAtApply => when_live(&[DEMOTE, APPLY], 2),
        Broken::AccessBeforeRecord => on_request(0),
        Broken::ErrorBeforeEnd => when_live(&[Happening::DeleteContract, Happening::Forward], 2),
        Broken::FirstEndCuts => from(extended(), &[Happening::Forward, kim(Act::Attest)], 4),
        Broken::ExtendedPastContract => when_live(&extend(700), 2),
        Broken::ExtendedByOne => when_live(&extend(480), 2),
        Broken::LostJournalBegunAnew => when_live(&[Happening::LoseJournal(0)], 1),
        Broken::ClockBelieved => {
            let clock = [Happening::Forward, Happening::Back(1)];
            from(asked(), &[&decided(&[OLGA, PER])[..], &clock].concat(), 4)
        }
        _ => return None,
    })
}

fn consent(broken: Broken) -> Option<Scenario> {
    let owners = Group::DataOwners;
    Some(match broken {
        Broken::NobodyAsked => from(Vec::new(), FORWARD, 1),
        Broken::OldDigestCounts => {
            let first = [&decided(&[OLGA, PER])[..], &[Happening::Write(Version::Narrower)]].concat();
            Scenario { first, ..from(Vec::new(), FORWARD, 2) }
        }
        Broken::RequesterCounts => when_asked(&[OLGA, Act::Approve(Person::Ada, owners)], 2),
        Broken::AuthorCounts => when_asked(&[OLGA, Act::Approve(Person::Ben, owners)], 2),
        Broken::OnePersonTwice => when_asked(&[OLGA, Act::Approve(Person::Olga, owners)], 2),
        Broken::TypedNameBelieved => when_asked(&[OLGA, Act::ApproveAs(Person::Ada, Person::Per, owners)], 2),
        Broken::ApprovalNeverOld => from(asked(), &[&decided(&[OLGA, PER])[..], FORWARD].concat(), 3),
        Broken::DenialForgotten | Broken::DenialIgnored => {
            when_asked(&[OLGA, PER, Act::Deny(Person::Kim)], 3)
        }
        Broken::OwnRelease => when_live(&[kim(Act::Quarantine), kim(Act::Release)], 2),
        _ => return None,
    })
}

fn change(broken: Broken) -> Option<Scenario> {
    Some(match broken {
        Broken::MeetIgnored => when_live(&[Happening::Write(Version::Narrower)], 1),
        Broken::GoneIgnored => when_live(&[Happening::DeleteContract], 1),
        Broken::DemotionIgnored => when_live(&[DEMOTE], 1),
        Broken::WiderTakenUp => when_live(&[Happening::Write(Version::Wider)], 1),
        Broken::QuarantineForgotten => when_live(&[kim(Act::Quarantine), Happening::LoseStatus(0)], 2),
        Broken::ExpireIgnored => when_live(&[kim(Act::Expire)], 1),
        Broken::ReviewIgnored => from(extended(), FORWARD, 5),
        Broken::WeakenedRuleUsed => {
            let acts = [OLGA, Act::Approve(Person::Kim, Group::Security)];
            from(rehearsed(), &decided(&acts), 2)
        }
        Broken::RehearsalSkipped => {
            let wider = [&live()[..], &[Happening::Write(Version::Wider)]].concat();
            from(wider, &decided(&[OLGA, PER]), 2)
        }
        Broken::NothingGivesWay => from([rehearsed(), decided(&[OLGA, PER])].concat(), FORWARD, 2),
        _ => return None,
    })
}

fn order(broken: Broken) -> Scenario {
    match broken {
        Broken::EndedOpensAgain => when_live(&[kim(Act::Expire)], 1),
        Broken::RecordOverwritten | Broken::ClosingTakenBack => from(Vec::new(), LATE, 2),
        Broken::NamesakeDeleted => {
            let demoted = [&live()[..], &[DEMOTE]].concat();
            from(demoted, &[&[APPLY], LATE].concat(), 3)
        }
        _ => from(Vec::new(), FORWARD, 1),
    }
}
