//! What happens, one thing after another, as a seed says.

use std::time::Duration;

use comity::api::Stage;
use comity::api::decision::DecisionAction;

use super::cast::Person;
use super::dice::Dice;
use super::ground::{self, Ground};

/// Of which of the grants that share the contract something speaks.
pub type Slot = usize;

/// How many grants share the contract.
pub const SLOTS: usize = 2;

/// One of Comity's processes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Process {
    Run,
    Sign,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// A grant is applied that asks for this.
    Apply(Slot, Wish),
    /// The newest text of a grant is applied again, or one that is so many texts older.
    ApplyAgain(Slot, u32),
    /// The next grant for the same is applied: beside the one that is there, or once that has ended.
    ApplyNext(Slot, Beside),
    /// Somebody deletes a grant. What heals itself from Git applies it again.
    Delete(Slot, Person),
    /// Somebody decides something.
    Decide(Slot, Person, Act),
    /// Those who may agree to what waits for people.
    Agree(Slot),
    /// Those who may agree that what is open ends so many seconds later.
    Lengthen(Slot, u32),
    /// Somebody writes what grants stand on.
    Write(Person, Ground),
    /// Everything that grants stand on is as it was again.
    WriteAll(Person),
    /// Somebody deletes what grants stand on.
    Remove(Ground),
    /// A process is killed.
    Kill(Process),
    /// A process does nothing any more.
    Freeze(Process),
    /// All processes work again.
    Start,
    /// Somebody with `override` deletes something that Comity made.
    Meddle(Slot, Meddling),
    /// The clock of every process is so many seconds behind the API server's.
    SetBack(u32),
    /// A grant's status is lost.
    LoseStatus(Slot),
    /// A decision that took effect is deleted.
    DeleteDecision(Slot),
    /// Nothing happens for so long.
    Pass(Duration),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub ceiling: Stage,
    pub suspend: bool,
    /// How long each stage is to be open, in seconds.
    pub seconds: [u32; 3],
    /// Whether an auditor comes along.
    pub auditor: bool,
}

/// What somebody decides.
#[derive(Clone, Debug)]
pub struct Act {
    pub action: DecisionAction,
    pub stage: Option<Stage>,
    pub digest: About,
    pub group: &'static str,
    /// With an end: so many seconds from now.
    pub seconds: u32,
}

/// About which digest.
#[derive(Clone, Copy, Debug)]
pub enum About {
    Todays,
    AnOlder,
    MadeUp,
}

/// Whether a grant may be beside another for the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Beside {
    Nothing,
    Anything,
}

/// What is deleted.
#[derive(Clone, Copy, Debug)]
pub enum Meddling {
    Namespace,
    Binding,
    Path,
    DefaultDeny,
    Quota,
    Rules,
    Trust,
}

impl Wish {
    /// What is asked for to begin with.
    pub fn first(dice: &mut Dice) -> Self {
        Self {
            ceiling: dice.weighted(&[(1, Stage::Rehearsal), (4, Stage::Production)]),
            suspend: false,
            ..Self::any(dice)
        }
    }

    fn any(dice: &mut Dice) -> Self {
        let ceiling = dice.weighted(&[(1, Stage::Sandbox), (2, Stage::Rehearsal), (4, Stage::Production)]);
        let seconds = [(6, 14), (10, 20), (6, 14)].map(|(least, most)| dice.between(least, most));
        Self { ceiling, suspend: dice.chance(15), seconds, auditor: dice.chance(15) }
    }

    /// The same, but for one thing.
    fn changed(&self, dice: &mut Dice) -> Self {
        let any = Self::any(dice);
        match dice.between(1, 8) {
            1..=3 => Self { ceiling: any.ceiling, ..self.clone() },
            4..=6 => Self { suspend: !self.suspend, ..self.clone() },
            7 => Self { seconds: any.seconds, ..self.clone() },
            _ => Self { auditor: !self.auditor, ..self.clone() },
        }
    }
}

/// Steps as a seed says.
pub struct Steps {
    dice: Dice,
    wishes: [Wish; SLOTS],
    /// After how many steps all processes work again.
    back_in: Option<u32>,
    /// After how many steps somebody puts the ground back as it was.
    whole_in: Option<u32>,
    /// Whether what was done last may stand for longer than Comity may take to act on it.
    may_stand: bool,
}

type Make = fn(&mut Steps) -> Step;

/// How often what happens.
const KINDS: [(u32, Make); 15] = [
    (5, Steps::change),
    (4, |steps| Step::ApplyAgain(steps.slot(), steps.dice.between(0, 2))),
    (5, Steps::apply_next),
    (1, |steps| Step::Delete(steps.slot(), steps.dice.one(&[Person::Olga, Person::Ada, Person::Eve]))),
    (14, Steps::decide),
    (22, |steps| Step::Agree(steps.slot())),
    (4, |steps| Step::Lengthen(steps.slot(), steps.dice.between(2, 20))),
    (8, Steps::write),
    (4, |steps| Step::WriteAll(steps.author())),
    (2, Steps::remove),
    (10, Steps::fault),
    (5, Steps::meddle),
    (3, |steps| Step::SetBack(steps.dice.weighted(&[(2, 0), (1, 7), (3, 3600)]))),
    (2, |steps| Step::LoseStatus(steps.slot())),
    (3, |steps| Step::DeleteDecision(steps.slot())),
];

impl Steps {
    /// What happens as this seed says.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let wishes = std::array::from_fn(|_| Wish::first(&mut dice));
        Self { dice, wishes, back_in: None, whole_in: None, may_stand: false }
    }

    /// So many steps: first each grant is applied.
    pub fn take(mut self, count: usize) -> Vec<Step> {
        let first = self.wishes.clone().into_iter().enumerate();
        let mut steps: Vec<Step> = first.map(|(slot, wish)| Step::Apply(slot, wish)).collect();
        for _ in steps.len()..count {
            let make = self.dice.weighted(&KINDS);
            steps.push(self.due().unwrap_or_else(|| make(&mut self)));
            steps.push(self.pass());
        }
        steps
    }

    /// What has to happen now: nobody leaves everything broken for long.
    fn due(&mut self) -> Option<Step> {
        let count = |left: &mut Option<u32>| {
            let is_due = *left == Some(0);
            *left = left.and_then(|left| left.checked_sub(1));
            is_due
        };
        let (is_back, is_whole) = (count(&mut self.back_in), count(&mut self.whole_in));
        if is_back {
            // Both at once: the other waits for its turn.
            self.whole_in = self.whole_in.or(is_whole.then_some(0));
            return Some(Step::Start);
        }
        is_whole.then(|| Step::WriteAll(self.author()))
    }

    /// Mostly what comes next comes soon, and now and then everything stands for longer than Comity may take.
    fn pass(&mut self) -> Step {
        let stands = std::mem::take(&mut self.may_stand) && self.dice.chance(35);
        let spans = [(6, (0, 100)), (6, (200, 900)), (2, (1200, 2500))];
        let (least, most) = if stands { (13_500, 14_500) } else { self.dice.weighted(&spans) };
        Step::Pass(Duration::from_millis(self.dice.between(least, most).into()))
    }

    fn slot(&mut self) -> Slot {
        self.dice.between(0, 1) as usize
    }

    fn author(&mut self) -> Person {
        self.dice.weighted(&[(5, Person::Ben), (1, Person::Kim)])
    }

    fn change(&mut self) -> Step {
        let slot = self.slot();
        let wish = self.wishes[slot].changed(&mut self.dice);
        self.wishes[slot] = wish.clone();
        self.may_stand = wish.suspend;
        Step::Apply(slot, wish)
    }

    fn apply_next(&mut self) -> Step {
        let beside = self.dice.weighted(&[(5, Beside::Nothing), (1, Beside::Anything)]);
        Step::ApplyNext(self.slot(), beside)
    }

    fn write(&mut self) -> Step {
        self.whole_in.get_or_insert(self.dice.between(3, 10));
        self.may_stand = true;
        Step::Write(self.author(), Ground::any(&mut self.dice))
    }

    fn remove(&mut self) -> Step {
        self.whole_in.get_or_insert(self.dice.between(2, 8));
        self.may_stand = true;
        Step::Remove(self.dice.one(&Ground::WHOLE))
    }

    fn decide(&mut self) -> Step {
        use DecisionAction::{Approve, Attest, Deny, Expire, Extend, Quarantine, Release, Shorten, Sponsor};
        let (slot, dice) = (self.slot(), &mut self.dice);
        let action = dice.weighted(&[
            (8, Approve),
            (1, Deny),
            (3, Extend),
            (3, Shorten),
            (1, Expire),
            (2, Quarantine),
            (4, Release),
            (1, Attest),
            (2, Sponsor),
        ]);
        let stages = [(1, Some(Stage::Sandbox)), (2, Some(Stage::Rehearsal)), (4, Some(Stage::Production))];
        let stage = match action {
            Approve | Deny | Extend | Shorten => dice.weighted(&stages),
            Expire if dice.chance(60) => dice.weighted(&stages),
            _ => None,
        };
        let digest = dice.weighted(&[(8, About::Todays), (2, About::AnOlder), (1, About::MadeUp)]);
        self.may_stand = matches!(action, Quarantine | Expire);
        let dice = &mut self.dice;
        let group = dice.weighted(&[(5, "security"), (5, "data-owners"), (1, "requesters")]);
        let act = Act { action, stage, digest, group, seconds: dice.between(1, 15) };
        Step::Decide(slot, dice.one(&Person::ALL), act)
    }

    fn fault(&mut self) -> Step {
        let process = self.dice.weighted(&[(3, Process::Run), (1, Process::Sign)]);
        self.back_in = Some(self.dice.between(1, 5));
        if self.dice.chance(50) { Step::Kill(process) } else { Step::Freeze(process) }
    }

    fn meddle(&mut self) -> Step {
        use Meddling::{Binding, DefaultDeny, Namespace, Path, Quota, Rules, Trust};
        let what = self.dice.one(&[Namespace, Binding, Path, DefaultDeny, Quota, Rules, Trust]);
        Step::Meddle(self.slot(), what)
    }
}

impl Wish {
    /// The grant that asks for this.
    pub fn grant(&self, story: &str, name: &str, purpose: &str) -> serde_json::Value {
        let stages: Vec<_> = Stage::ALL
            .iter()
            .zip(self.seconds)
            .map(|(stage, seconds)| serde_json::json!({"stage": stage, "duration": format!("{seconds}s")}))
            .collect();
        let mut people = vec![serde_json::json!({"name": "ana@northpay.example", "role": "ModelEngineer"})];
        if self.auditor {
            people.push(serde_json::json!({"name": "bo@northpay.example", "role": "Auditor"}));
        }
        serde_json::json!({
            "apiVersion": "comity.dev/v1alpha1",
            "kind": "PartnerGrant",
            "metadata": {"name": name, "namespace": story},
            "spec": {
                "partnerRef": {"name": story},
                "contractRef": {"name": "fraud-scoring"},
                "stage": self.ceiling,
                "purpose": purpose,
                "operations": ["Infer"],
                "stages": stages,
                "people": people,
                "workloads": [{"name": "scorer", "operations": ["Infer"]}],
                "suspend": self.suspend,
                "ticket": "RISK-2214",
            },
        })
    }
}

#[test]
fn a_seed_says_what_happens() {
    let told = |seed| format!("{:?}", Steps::of(seed).take(80));
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}

#[test]
fn everything_happens_now_and_then() {
    let told = format!("{:?}", Steps::of(1).take(3000));
    for (weight, make) in KINDS {
        let step = format!("{:?}", make(&mut Steps::of(2)));
        let kind: String = step.chars().take_while(|letter| letter.is_alphabetic()).collect();
        assert!(weight > 0 && told.contains(&kind), "{kind} never happens");
    }
    assert!(told.contains(&format!("{:?}", ground::Contract::WeakApprovals)));
}
