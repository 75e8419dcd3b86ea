//! L3, the controller of `SharingContract`: says whether the boundary, the datasets and what serves
//! them permit what a contract promises, before anybody is granted something under it.

pub mod check;
pub mod observe;
pub mod reconcile;
pub mod status;
