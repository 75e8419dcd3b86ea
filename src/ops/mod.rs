//! L4, what a running process shows and hears: settings, health, metrics, logs, and the signal
//! to stop. It knows no kind; who uses it tells it what happened and when.

pub mod doors;
pub mod front;
pub mod health;
pub mod http;
pub mod metric;
pub mod request;
pub mod settings;
pub mod shown;
pub mod shutdown;
pub mod trace;

pub use health::{Health, Heartbeat};
pub use metric::Metrics;
pub use settings::Settings;
