//! The life of a grant, tried in a world in memory: every interleaving that the seed gives of
//! people, clock, crashes and other hands, against the promises.

mod agreed;
mod attack;
mod change;
mod conductor;
mod consent;
mod crash;
mod deciding;
mod enrolment;
mod flood;
mod health;
mod late;
mod life;
mod loss;
mod model;
mod objects;
pub(crate) mod play;
mod promises;
mod rehearsing;
mod running;
mod seen;
mod trouble;
pub(in crate::grant) mod world;
