//! What grants left behind that are gone altogether: an admin took the finalizer off, or a backup
//! was restored from before the grant. Access is closed, then all of it is cleared, by the same
//! decisions as for a grant that is being deleted.

pub mod orphan;
pub mod reconcile;

#[cfg(test)]
mod tests;
