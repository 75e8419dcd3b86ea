//! L3, the controller of `SharingBoundary`: says whether a boundary can be read. One that can't
//! allows nothing, and whoever wrote it should learn that before those who are held to it.

pub mod check;
pub mod observe;
pub mod reconcile;
pub mod status;
