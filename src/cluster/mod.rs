//! L2, the only user of clients: what stands in the cluster, kept in memory, and every way to
//! change it.

pub mod admission;
pub mod apply;
pub mod asking;
pub mod caller;
pub mod catalogue;
pub mod clock;
pub mod concern;
pub mod docket;
pub mod event;
pub mod feed;
pub mod objects;
pub mod outside;
pub mod pace;
mod pages;
pub mod pods;
pub mod readable;
pub mod reading;
pub mod records;
pub mod reflection;
pub mod rehearsing;
pub mod reports;
pub mod services;
pub mod status;
pub mod survey;
pub mod trial;
pub mod watch;
