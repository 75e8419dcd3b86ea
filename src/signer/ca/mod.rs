//! The life of the authorities of one contract and stage, as a pure state machine: what stands and the time
//! go in, the next single step comes out. What it says is written down in one ConfigMap, the ledger, in
//! Comity's own namespace, of which every write names the version that it was decided by.
//!
//! ```text
//!               published              signs                  published, what it signed still lives
//! (made) ──▶ Prepared ──────────▶ Active ──────────────▶ Retiring ──────────▶ (gone)
//!               │                   │  given up                               ▲
//!               └──▶ Retired        └──────────────────▶ Tainted  ────────────┘
//! ```
//!
//! - Never does one sign that wasn't published, and never is one taken out of what is published while
//!   something lives that it signed, unless somebody says so: [`ledger::Entry::issued_until`] is written
//!   before anything is signed that lasts longer.
//! - At most one signs. At most two have keys: the one that signs, and the next one.
//! - What the platform brings in one of the Secrets is taken for the next one, and then nothing else is
//!   ([`brought`]).
//! - A key is stored before it is written down, and destroyed after it is written down that it is over.

pub mod brought;
pub mod ledger;
pub mod obey;
pub mod order;
pub mod outlook;
pub mod step;

#[cfg(test)]
mod tests;

pub use brought::{Brought, Claim, Maker};
pub use ledger::{Answer, Chest, Entry, Ledger, Need, Owner, Phase, Slot};
pub use order::{Action, Order};
pub use step::{Key, Keys, Step, Trouble};
