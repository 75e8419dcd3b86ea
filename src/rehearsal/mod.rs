//! L3, rehearsals: what is agreed is tried before it goes to production, and what came out is reported.
//!
//! [`cases`] derives from what an opening allows what has to succeed and what has to be refused, each case
//! breaking one clause; [`judge`] tells whether what came out is what had to; [`statement`] writes it down.
//! [`progress`] says how far it is. All of those are pure. [`reconcile`] has the cases tried by the API server, and
//! stores the report; [`observe`] reads, and has a pod dial.

pub mod case;
pub mod cases;
pub mod due;
pub mod judge;
pub mod observe;
pub mod progress;
pub mod reconcile;
pub mod statement;
