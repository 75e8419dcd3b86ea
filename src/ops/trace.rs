//! Logs: lines of JSON (or text) on standard error.
//!
//! The fields `grant`, `namespace`, `stage` and `trace_id` come from the span that the work is
//! done in ([`work`]), so no line has to repeat them.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use tracing::{Level, Metadata, Span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// One JSON object a line, for machines.
    #[default]
    Json,
    /// Text, for people.
    Text,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The level isn't one.
    #[error("{level:?} is no log level: use error, warn, info, debug or trace, or target=level,… ({source})")]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// There are logs already.
    #[error("logs were started twice: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logs on standard error.
pub fn start(level: &str, format: Format) -> Result<(), TraceError> {
    let filter = filter(level)?;
    Ok(subscriber(filter, format, std::io::stderr).try_init()?)
}

/// Which lines are written: a level, or one for each target (`info,kube=debug`).
pub fn filter(level: &str) -> Result<EnvFilter, TraceError> {
    EnvFilter::builder().parse(level).map_err(|source| TraceError::Level { level: level.to_owned(), source })
}

/// Whether lines like this may be written at all. What the client warns of with this target is an answer
/// of the API server that it can't read, whole, whatever is in it.
fn is_harmless(line: &Metadata<'_>) -> bool {
    line.target() != "kube_client::client" || *line.level() != Level::WARN
}

/// What takes lines and writes them.
fn subscriber<W>(filter: EnvFilter, format: Format, writer: W) -> tracing::Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(is_harmless));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        Format::Json => registry
            .with(lines.json().flatten_event(true).with_current_span(false).with_span_list(true))
            .into(),
        Format::Text => registry.with(lines.with_ansi(false)).into(),
    }
}

/// The span of one piece of work on one object. `stage` is recorded once it is known:
/// `span.record("stage", …)`.
pub fn work(kind: &'static str, namespace: &str, grant: &str, trace_id: &str) -> Span {
    tracing::info_span!("work", kind, namespace, grant, stage = tracing::field::Empty, trace_id)
}

/// Trace IDs (W3C Trace Context, section 3.2.2.3): 32 hexadecimal digits, never all zero.
#[derive(Debug)]
pub struct TraceIds {
    seed: Vec<u8>,
    next: AtomicU64,
}

impl TraceIds {
    /// A series of its own for each `seed`: what tells this process from every other.
    pub fn new(seed: impl Into<Vec<u8>>) -> Self {
        Self { seed: seed.into(), next: AtomicU64::new(0) }
    }

    /// The next one.
    pub fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let hash = Sha256::new().chain_update(&self.seed).chain_update(number.to_be_bytes()).finalize();
        let (half, _rest) = hash.split_at(16);
        let id = half.iter().fold(0_u128, |id, byte| id << 8 | u128::from(*byte));
        format!("{:032x}", id.max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;
    use crate::testing::api::FakeApi;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_carry_grant_stage_and_trace_id() {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = subscriber(filter("info").expect("a level"), Format::Json, move || writer.clone());
        tracing::dispatcher::with_default(&subscriber, || {
            let span = work("grant", "risk-data", "northpay-fraud", "0af7651916cd43dd8448eb211c80319c");
            span.record("stage", "Sandbox");
            span.in_scope(|| {
                tracing::info!(objects = 3, "applied");
                tracing::debug!("not asked for");
            });
        });
        let text = String::from_utf8(memory.0.lock().expect("nobody panicked").clone()).expect("text");
        let line: serde_json::Value = serde_json::from_str(&text).expect("one line of JSON");
        assert_eq!(line["message"], "applied");
        assert_eq!(line["objects"], 3);
        let span = &line["spans"][0];
        assert_eq!(span["grant"], "northpay-fraud");
        assert_eq!(span["namespace"], "risk-data");
        assert_eq!(span["stage"], "Sandbox");
        assert_eq!(span["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    }

    #[tokio::test]
    async fn an_answer_that_cant_be_read_is_never_logged() {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = subscriber(filter("debug").expect("a level"), Format::Text, move || writer.clone());
        let logged = tracing::dispatcher::set_default(&subscriber);
        let api = FakeApi::default();
        api.put("/api/v1/namespaces/home/pods/p", json!({"metadata": {"name": "a secret", "labels": 7}}));
        let pod = http::Request::get("/api/v1/namespaces/home/pods/p").body(Vec::new()).expect("a request");
        api.client().request::<Pod>(pod).await.expect_err("no labels are a number");
        tracing::info!("all that is said");
        drop(logged);
        let text = String::from_utf8(memory.0.lock().expect("nobody panicked").clone()).expect("text");
        assert!(text.contains("all that is said") && !text.contains("a secret"), "{text}");
    }

    #[test]
    fn a_level_that_is_none_is_refused_with_what_to_do() {
        let refusal = filter("info,comity=loud").expect_err("loud is no level").to_string();
        assert!(refusal.contains("use error, warn, info, debug or trace"), "{refusal}");
    }

    #[test]
    fn trace_ids_are_well_formed_and_differ() {
        let (one, other) = (TraceIds::new("one"), TraceIds::new("other"));
        let ids = [one.next(), one.next(), other.next(), other.next()];
        for id in &ids {
            assert_eq!(id.len(), 32);
            assert!(id.bytes().all(|digit| digit.is_ascii_hexdigit()));
        }
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
