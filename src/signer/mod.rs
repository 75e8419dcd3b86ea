//! L3, certificate signing: what `comity sign` does.
//!
//! For each stage that is open it keeps one certificate per workload in the stage's namespace,
//! and publishes what others need to believe them. It works out for itself whether a stage is
//! open, from what people wrote and from the journal, and believes no status.
//!
//! ```text
//! derive   which stages are open, by the rules that `comity run` goes by, too     (pure)
//! heed     what people closed, before the journal says so                        (pure)
//! witness  whether the journal says what people decided                          (pure)
//! observe  what stands: the grant and all it depends on; the stage's Secrets      (live reads)
//! decide   what to do in one stage's namespace: keep, sign, refuse, remove        (pure)
//! ca       the life of the authorities: which one signs, which are believed           (pure)
//! custody  whether the authority's key is the one that was marked, and usable     (pure)
//! keyring  where the keys of authorities are made, kept and destroyed
//! build    the Secrets and ConfigMaps to be written                               (pure)
//! offer    what whoever serves the datasets is given to verify a stage
//! bundle   what a whole cluster may verify by, where the API server has it
//! upkeep   when to look again                                                     (pure)
//! pod      certificates about keys that nodes make
//! enrol    certificates about keys that the partner makes
//! ```

pub mod authority;
pub mod build;
pub mod bundle;
pub mod ca;
pub mod custody;
pub mod decide;
pub mod derive;
pub mod enrol;
pub mod error;
pub mod heed;
pub mod keeper;
pub mod keyring;
pub mod observe;
pub mod offer;
pub mod opening;
pub mod pod;
pub mod reconcile;
pub mod site;
pub mod stage;
pub mod talk;
pub mod testimony;
pub mod together;
pub mod upkeep;
pub mod witness;

#[cfg(test)]
mod testing;

/// What time it is, asked at the edge. Given by whoever starts the process.
pub type Now = std::sync::Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

pub use custody::Refusal;
pub use decide::{Decision, Issue, Place};
pub use error::SignError;
pub use opening::Opening;
pub use site::Site;
pub use upkeep::Seen;
