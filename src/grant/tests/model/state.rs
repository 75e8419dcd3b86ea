//! The state of the model: what stands in the cluster, what its processes hold in memory, and what
//! people have done. Small, and equal exactly where nothing that comes can tell two apart.

use super::acts::Decided;
use super::story::Contract;
use crate::api::Stage;

/// The number of something that is kept once in the model's tables.
pub type Id = u32;

/// Everything.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct State {
    /// The clock that processes and the API server read.
    pub clock: i32,
    pub contract: Contract,
    pub grants: Vec<Grant>,
    /// A process that stopped in the middle of a pass, and hasn't ended.
    pub paused: Option<Paused>,
}

/// A grant, what stands of it, and where the process that looks after it is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that is so or isn't")]
pub struct Grant {
    /// `spec.stage`.
    pub ceiling: Stage,
    pub finalized: bool,
    /// Whether its status speaks of records.
    pub told: bool,
    /// Its records.
    pub journal: Id,
    /// Its objects.
    pub live: Id,
    /// Everything that people ever decided about it, in that order.
    pub decided: Vec<Decided>,
    /// So many of them, from the first on, were deleted again.
    pub deleted: usize,
    /// The pass that is under way.
    pub pass: Option<Pass>,
    /// Whether something happened that no pass has seen.
    pub dirty: bool,
    /// When it is looked at again, though nothing happens.
    pub wake: Option<i32>,
    /// Whether a process that was stopped wrote something since the pass last decided.
    pub raced: bool,
    /// Whether every record was deleted: nobody but the invariants remembers that.
    pub lost: bool,
}

/// A pass: what it saw when it began, and the request that it sends next.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Pass {
    pub seen: Seen,
    /// The namespaces in which it found no pods.
    pub cleared: Id,
    /// What it decided last, and by which records: the next one follows from those.
    pub plan: Id,
    pub journal: Id,
    /// The request of that which comes next.
    pub next: usize,
}

/// What a pass looks at once, when it begins. It looks at records and objects before every decision.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Seen {
    pub contract: Contract,
    pub ceiling: Stage,
    pub decisions: Id,
    pub now: i32,
    pub told: bool,
    /// As it knows it: it is told by what it writes itself.
    pub finalized: bool,
}

/// A process that was stopped in the middle of a pass: what it holds of records and objects is as old
/// as that.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Paused {
    pub grant: usize,
    pub pass: Pass,
    pub journal: Id,
    pub live: Id,
}

impl State {
    /// What has just been asked for: so many grants.
    pub fn first(grants: usize, empty: Id) -> Self {
        let grant = Grant {
            ceiling: Stage::Production,
            finalized: false,
            told: false,
            journal: empty,
            live: empty,
            decided: Vec::new(),
            deleted: 0,
            pass: None,
            dirty: true,
            wake: None,
            raced: false,
            lost: false,
        };
        Self { clock: 0, contract: Contract::FIRST, grants: vec![grant; grants], paused: None }
    }

    /// Something happened that every pass has to see.
    pub fn stir(&mut self) {
        self.grants.iter_mut().for_each(|grant| grant.dirty = true);
    }

    /// The processes are started anew, and know nothing but what stands.
    pub fn restart(&mut self) {
        for grant in &mut self.grants {
            grant.pass = None;
            grant.dirty = true;
            grant.wake = None;
        }
    }
}
