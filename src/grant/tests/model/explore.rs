//! Every state that so many happenings can lead to, at whichever moments they come. What the processes
//! do by themselves costs nothing, so between two happenings everything runs on to its rest, and every
//! state on the way there is one at which the next thing may happen.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::broken::Broken;
use super::core::Core;
use super::happen::Happening;
use super::invariants::{self, Violation};
use super::run::{Move, Sent};
use super::state::{Id, State};

/// What is explored: from where, what may happen, and how many things at most.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub grants: usize,
    /// What has happened before anything else did.
    pub first: Vec<Happening>,
    /// What has happened before the exploration begins, each after everything came to rest.
    pub before: Vec<Happening>,
    pub may_happen: Vec<Happening>,
    pub depth: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub states: usize,
    pub transitions: usize,
    pub rests: usize,
    pub decisions: usize,
    pub counterexample: Option<Counterexample>,
}

/// A promise that doesn't hold, and the shortest way there.
#[derive(Debug)]
pub struct Counterexample {
    pub violation: Violation,
    pub happenings: usize,
    pub steps: usize,
    pub story: String,
}

/// How a state was reached.
#[derive(Clone, Copy, Debug)]
enum Via {
    Start,
    Own(Option<Said>),
    Happened(Happening, Option<Said>),
}

/// A request, and whether the API server did it.
type Said = (Id, bool);

struct Node {
    from: usize,
    via: Via,
}

pub struct Explorer {
    core: Core,
    nodes: Vec<Node>,
    known: HashMap<u128, usize>,
    /// Those from which everything comes to rest.
    restful: HashSet<usize>,
    report: Report,
}

type Found = Result<(), Violation>;

/// Explores a scenario.
pub fn explore(scenario: &Scenario, broken: Option<Broken>) -> Report {
    let mut explorer = Explorer {
        core: Core::new(scenario.grants, broken),
        nodes: Vec::new(),
        known: HashMap::new(),
        restful: HashSet::new(),
        report: Report::default(),
    };
    if let Err((violation, last)) = explorer.run(scenario) {
        explorer.report.counterexample = Some(explorer.tell(violation, last, scenario.before.len()));
    }
    explorer.report.states = explorer.nodes.len();
    explorer.report.decisions = explorer.core.asked();
    explorer.report
}

impl Explorer {
    fn run(&mut self, scenario: &Scenario) -> Result<(), (Violation, usize)> {
        let mut first = State::first(scenario.grants, 0);
        for happening in &scenario.first {
            (_, first) = self.core.happen(&first, *happening).expect("it can happen");
        }
        let start = self.note(&first, Node { from: 0, via: Via::Start }).unwrap_or_default();
        let mut layer = vec![(start, first)];
        for happening in &scenario.before {
            self.settle(&mut layer)?;
            layer.drain(..layer.len() - 1);
            let (at, state) = layer.remove(0);
            let (sent, next) = self.core.happen(&state, *happening).expect("it can happen");
            let node = Node { from: at, via: Via::Happened(*happening, sent.as_ref().map(said)) };
            let at = self.note(&next, node).expect("it is new");
            layer = vec![(at, next)];
        }
        for depth in 0..=scenario.depth {
            self.settle(&mut layer)?;
            if depth < scenario.depth {
                layer = self.happen(&layer, &scenario.may_happen)?;
            }
        }
        Ok(())
    }

    /// Takes every step that is taken by itself, until everything rests.
    fn settle(&mut self, layer: &mut Vec<(usize, State)>) -> Result<(), (Violation, usize)> {
        let mut edges: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while at < layer.len() {
            let (from, state) = layer[at].clone();
            at += 1;
            let Some((step, next)) = self.core.goes_on(&state) else {
                self.report.rests += 1;
                self.restful.insert(from);
                invariants::at_rest(&mut self.core, &state).map_err(|violation| (violation, from))?;
                continue;
            };
            let sent = if let Move::Send(sent) = &step { Some(sent.as_ref()) } else { None };
            let (to, is_new) = self.go(from, Via::Own(sent.map(said)), &state, &next, sent)?;
            edges.push((from, to));
            if is_new {
                layer.push((to, next));
            }
        }
        self.comes_to_rest(layer, &edges)
    }

    /// Lets everything happen that may, in every state.
    fn happen(
        &mut self,
        layer: &[(usize, State)],
        may_happen: &[Happening],
    ) -> Result<Vec<(usize, State)>, (Violation, usize)> {
        let mut after = Vec::new();
        for (from, state) in layer {
            for happening in may_happen {
                let Some((sent, next)) = self.core.happen(state, *happening) else { continue };
                let via = Via::Happened(*happening, sent.as_ref().map(said));
                let (to, is_new) = self.go(*from, via, state, &next, sent.as_ref())?;
                if is_new {
                    after.push((to, next));
                }
            }
        }
        Ok(after)
    }

    /// Notes a transition, and looks whether the promises hold of it.
    fn go(
        &mut self,
        from: usize,
        via: Via,
        before: &State,
        after: &State,
        sent: Option<&Sent>,
    ) -> Result<(usize, bool), (Violation, usize)> {
        self.report.transitions += 1;
        let found: Found = match sent {
            Some(sent) => invariants::of_request(&mut self.core, before, after, sent),
            None => Ok(()),
        };
        let node = Node { from, via };
        if let Err(violation) = found {
            self.nodes.push(node);
            return Err((violation, self.nodes.len() - 1));
        }
        let fingerprint = fingerprint(after);
        if let Some(known) = self.known.get(&fingerprint) {
            return Ok((*known, false));
        }
        Ok((self.note(after, node).unwrap_or_default(), true))
    }

    fn note(&mut self, state: &State, node: Node) -> Option<usize> {
        let at = self.nodes.len();
        if self.known.insert(fingerprint(state), at).is_some() {
            return None;
        }
        self.nodes.push(node);
        Some(at)
    }

    /// Whether every state of a layer leads to rest: nothing goes round and round.
    fn comes_to_rest(
        &mut self,
        layer: &[(usize, State)],
        edges: &[(usize, usize)],
    ) -> Result<(), (Violation, usize)> {
        let mut back: HashMap<usize, Vec<usize>> = HashMap::new();
        for (from, to) in edges {
            back.entry(*to).or_default().push(*from);
        }
        let mut ends: Vec<usize> = back.keys().copied().filter(|to| self.restful.contains(to)).collect();
        while let Some(end) = ends.pop() {
            for from in back.get(&end).into_iter().flatten() {
                if self.restful.insert(*from) {
                    ends.push(*from);
                }
            }
        }
        match layer.iter().find(|(at, _)| !self.restful.contains(at)) {
            Some((at, _)) => Err((Violation::restless(), *at)),
            None => Ok(()),
        }
    }

    /// The way to a state, in words.
    fn tell(&self, violation: Violation, last: usize, before: usize) -> Counterexample {
        let (mut path, mut at) = (Vec::new(), last);
        while !matches!(self.nodes[at].via, Via::Start) {
            path.push(self.nodes[at].via);
            at = self.nodes[at].from;
        }
        let (mut story, mut happenings, mut silent) = (String::new(), 0, 0);
        for via in path.iter().rev() {
            match via {
                Via::Happened(happening, sent) => {
                    happenings += 1;
                    let sent = sent.map(|sent| format!(": {}", self.word(sent))).unwrap_or_default();
                    let _ = writeln!(story, "  {happenings}. {happening}{sent}");
                }
                // What led to where the exploration begins is told by what happened.
                Via::Own(Some(sent)) if happenings >= before => {
                    let _ = writeln!(story, "     comity: {}", self.word(*sent));
                }
                _ => silent += 1,
            }
        }
        Counterexample {
            violation,
            happenings: happenings.saturating_sub(before),
            steps: path.len() - silent,
            story,
        }
    }

    fn word(&self, (request, done): Said) -> String {
        let word = self.core.requests.get(request).word();
        if done { word } else { format!("{word} (refused)") }
    }
}

fn said(sent: &Sent) -> Said {
    (sent.request, sent.done)
}

/// A hundred and twenty-eight bits of a state: two hashes that know nothing of each other.
fn fingerprint(state: &State) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        state.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0x9e37_79b9_7f4a_7c15) << 64 | half(0xc2b2_ae3d_27d4_eb4f)
}
