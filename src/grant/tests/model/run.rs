//! How a state goes on: what the processes do by themselves, one request at a time. What people,
//! clocks and crashes do to it is in `happen`.

use super::broken::Broken;
use super::cluster::Request;
use super::core::{Core, Look};
use super::state::{Grant, Id, Pass, Paused, Seen, State};
use super::story::{at, seconds};
use crate::api::record::{GrantIdentity, GrantRecordSpec};
use crate::journal::append::{Entry, next_record};

/// A request that was sent, for those who look on.
#[derive(Clone, Debug)]
pub struct Sent {
    pub grant: usize,
    pub request: Id,
    /// What its sender had seen.
    pub seen: Seen,
    /// The namespaces in which its sender had found no pods.
    pub cleared: Id,
    /// Whether its sender had been stopped since, and its view is as old.
    pub late: bool,
    /// Whether one that was late came between the decision and this.
    pub raced: bool,
    /// Whether the API server did it.
    pub done: bool,
    /// The record that it appended.
    pub record: Option<GrantRecordSpec>,
}

impl Sent {
    fn of(grant: usize, request: Id, pass: &Pass, late: bool) -> Self {
        let (seen, cleared) = (pass.seen.clone(), pass.cleared);
        Self { grant, request, seen, cleared, late, raced: late, done: true, record: None }
    }
}

/// What goes on by itself.
#[derive(Clone, Debug)]
pub enum Move {
    /// A pass over a grant begins.
    Begin,
    /// A request is sent.
    Send(Box<Sent>),
    /// The other controllers do theirs.
    Others,
}

impl Core {
    /// What comes next by itself; nothing where everything is at rest.
    ///
    /// What is done for one grant touches nothing of another, and nothing that holds or doesn't of one
    /// depends on how far the pass over another is. So of two the first goes first.
    pub fn goes_on(&mut self, state: &State) -> Option<(Move, State)> {
        (0..state.grants.len()).find_map(|number| self.goes_on_with(state, number))
    }

    fn goes_on_with(&mut self, state: &State, number: usize) -> Option<(Move, State)> {
        let grant = &state.grants[number];
        if grant.pass.is_some() {
            return Some(self.send(state, number));
        }
        let is_due = grant.wake.is_some_and(|wake| wake <= state.clock);
        if grant.dirty || is_due {
            return Some((Move::Begin, self.begin(state, number)));
        }
        let after = self.others_act(grant.live);
        (after != grant.live).then(|| {
            let mut next = state.clone();
            (next.grants[number].live, next.grants[number].dirty) = (after, true);
            (Move::Others, next)
        })
    }

    /// What a pass that begins now sees.
    pub fn look(&mut self, state: &State, number: usize) -> Look {
        let grant = &state.grants[number];
        let journal = self.journals.get(grant.journal);
        let by_journal = |clock| match journal.folded.as_ref() {
            Ok(journal) => journal.time(clock),
            Err(_) => clock,
        };
        let is_clock_believed = self.broken.is_some_and(Broken::believes_the_clock);
        let now = if is_clock_believed { state.clock } else { seconds(by_journal(at(state.clock))) };
        let seen = Seen {
            contract: state.contract,
            ceiling: self.broken.map_or(grant.ceiling, |broken| broken.ceiling(grant.ceiling)),
            decisions: self.keep_decisions(number, grant),
            now,
            told: grant.told,
            finalized: grant.finalized,
        };
        Look { grant: number, seen, cleared: 0, journal: grant.journal, live: grant.live }
    }

    fn begin(&mut self, state: &State, number: usize) -> State {
        let look = self.look(state, number);
        let mut next = state.clone();
        (next.grants[number].dirty, next.grants[number].raced) = (false, false);
        let pass = self.pass(look);
        self.go_on_or_end(&mut next.grants[number], pass);
        next
    }

    fn pass(&mut self, look: Look) -> Pass {
        let (seen, cleared, journal) = (look.seen.clone(), look.cleared, look.journal);
        Pass { seen, cleared, plan: self.decide(look), journal, next: 0 }
    }

    /// A pass with nothing left to do ends: the status is written, and it sleeps until it is due.
    fn go_on_or_end(&mut self, grant: &mut Grant, pass: Pass) {
        let plan = self.plan(pass.plan);
        if !plan.requests.is_empty() {
            grant.pass = Some(pass);
            return;
        }
        let journal = self.journals.get(grant.journal);
        grant.pass = None;
        grant.wake = plan.look_again;
        grant.told = !journal.ledger.openings.is_empty() || journal.ledger.ended || grant.lost;
    }

    /// The pass over a grant sends its next request.
    fn send(&mut self, state: &State, number: usize) -> (Move, State) {
        let mut next = state.clone();
        let Some(mut pass) = next.grants[number].pass.take() else { return (Move::Begin, next) };
        let remembered =
            state.paused.as_ref().filter(|paused| paused.grant == number).map(|paused| paused.live);
        let request = self.plan(pass.plan).requests[pass.next];
        let mut sent = Sent::of(number, request, &pass, false);
        sent.raced = state.grants[number].raced;
        self.carry_out(&mut next.grants[number], &mut pass, remembered, &mut sent);
        if sent.done {
            let grant = &next.grants[number];
            let (journal, live) = (grant.journal, grant.live);
            let pass = self.decided_anew(pass, number, journal, live);
            next.grants[number].raced &= pass.next > 0;
            self.go_on_or_end(&mut next.grants[number], pass);
        } else {
            next.grants[number].dirty = true;
        }
        (Move::Send(Box::new(sent)), next)
    }

    /// The pass with its next request, decided anew where the last step is done.
    fn decided_anew(&mut self, mut pass: Pass, grant: usize, journal: Id, live: Id) -> Pass {
        pass.next += 1;
        if pass.next < self.plan(pass.plan).requests.len() {
            return pass;
        }
        self.pass(Look { grant, seen: pass.seen, cleared: pass.cleared, journal, live })
    }

    /// A process that was stopped sends the request that it had in hand.
    pub fn send_late(&mut self, state: &State) -> Option<(Sent, State)> {
        let Paused { grant: number, mut pass, mut journal, mut live } = state.paused.clone()?;
        let mut next = state.clone();
        next.paused = None;
        (next.grants[number].dirty, next.grants[number].raced) = (true, true);
        let request = self.plan(pass.plan).requests[pass.next];
        let mut sent = Sent::of(number, request, &pass, true);
        self.carry_out(&mut next.grants[number], &mut pass, Some(live), &mut sent);
        if sent.done {
            // It knows what it wrote itself, and nothing else.
            if let Some(record) = &sent.record {
                journal = self.journals.append(journal, record);
            }
            live = self.change(live, request, None).unwrap_or(live);
            let pass = self.decided_anew(pass, number, journal, live);
            let goes_on = !self.plan(pass.plan).requests.is_empty();
            next.paused = goes_on.then_some(Paused { grant: number, pass, journal, live });
        }
        Some((sent, next))
    }

    /// Does to a grant what a request asks for, as far as the API server lets it.
    fn carry_out(&mut self, grant: &mut Grant, pass: &mut Pass, stale: Option<Id>, sent: &mut Sent) {
        match self.requests.get(sent.request).as_ref() {
            Request::Finalizer(present) => {
                // It names the version that it knows.
                sent.done = grant.finalized == pass.seen.finalized && grant.ceiling == pass.seen.ceiling;
                if sent.done {
                    (grant.finalized, pass.seen.finalized) = (*present, *present);
                }
            }
            Request::Record(entry) => {
                sent.record = self.append(grant, pass.journal, entry, sent);
                sent.done = sent.record.is_some();
            }
            Request::Pods(place) => {
                let mut cleared = self.cleared.get(pass.cleared).as_ref().clone();
                cleared.insert(place.clone(), crate::grant::decide::Pods::Gone);
                pass.cleared = self.cleared.keep(cleared.keys().cloned().collect(), cleared);
            }
            _ => match self.change(grant.live, sent.request, stale) {
                Ok(live) => grant.live = live,
                Err(_) => sent.done = false,
            },
        }
    }

    /// Appends a record to the journal, unless there is one of that number. Gives the record.
    fn append(&mut self, grant: &mut Grant, own: Id, entry: &Entry, sent: &Sent) -> Option<GrantRecordSpec> {
        let asked = self.story.grant(sent.grant).metadata.clone();
        let identity = GrantIdentity {
            name: asked.name.unwrap_or_default().as_str().into(),
            uid: asked.uid.unwrap_or_default().as_str().into(),
        };
        let known = self.journals.get(own);
        let journal = known.folded.as_ref().as_ref().ok()?;
        let record = next_record(journal, entry, &identity, asked.generation, at(sent.seen.now));
        let standing = self.journals.get(grant.journal);
        let is_taken = standing.records.iter().any(|line| line.sequence == record.sequence);
        if is_taken && !self.broken.is_some_and(Broken::overwrites_records) {
            return None;
        }
        grant.journal = self.journals.append(grant.journal, &record);
        Some(record)
    }
}
