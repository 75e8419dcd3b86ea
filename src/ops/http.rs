//! What a process serves over HTTP: `/livez`, `/readyz` and `/metrics`. Nothing of it is secret,
//! and nothing can be changed through it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::health::Health;
use super::metric::Metrics;
use super::shutdown::Shutdown;

/// What the media type of metrics is (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A path that every process serves, and what people are told of it.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The path.
    pub path: &'static str,
    /// What is answered with success.
    pub says: &'static str,
    /// With which status it is answered otherwise, and what that says.
    pub otherwise: (StatusCode, &'static str),
}

/// Whether the process has to be started again.
const ALIVE: Path = Path {
    path: "/livez",
    says: "`ok`: it gets on with its work",
    otherwise: (StatusCode::SERVICE_UNAVAILABLE, "what makes no progress, a line each: start it again"),
};

/// Whether the process does its work.
const READY: Path = Path {
    path: "/readyz",
    says: "`ok`: it has read what there is, and does its work",
    otherwise: (StatusCode::SERVICE_UNAVAILABLE, "what is missing, a line each"),
};

/// What it has done, in figures.
const METRICS: Path = Path {
    path: "/metrics",
    says: "[metrics](metrics.md), as OpenMetrics text",
    otherwise: (StatusCode::INTERNAL_SERVER_ERROR, "why they can't be written"),
};

/// Every path that is served.
pub const PATHS: [Path; 3] = [ALIVE, READY, METRICS];

/// What counts into metrics, as of a moment.
pub type Count = dyn Fn(&Metrics, Timestamp) + Send + Sync;

/// What is counted when somebody asks, and not as it happens.
#[derive(Clone)]
pub struct Tally(pub Arc<Count>);

impl std::fmt::Debug for Tally {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tally")
    }
}

/// What is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// Which process this is.
    pub process: &'static str,
    /// What else is counted when somebody asks for metrics.
    pub tally: Tally,
    /// Behind `/livez` and `/readyz`.
    pub health: Health,
    /// Behind `/metrics`.
    pub metrics: Metrics,
    /// What tells the time.
    pub clock: fn() -> Timestamp,
}

/// Serves on `listener` until it is told to stop.
pub async fn serve(listener: TcpListener, served: Served, shutdown: Shutdown) -> std::io::Result<()> {
    axum::serve(listener, router(served)).with_graceful_shutdown(shutdown.asked()).await
}

/// The paths that are served.
fn router(served: Served) -> Router {
    Router::new()
        .route(ALIVE.path, get(alive))
        .route(READY.path, get(ready))
        .route(METRICS.path, get(metrics))
        .with_state(served)
}

async fn alive(State(served): State<Served>) -> impl IntoResponse {
    verdict(&ALIVE, &served.health.not_alive((served.clock)()))
}

async fn ready(State(served): State<Served>) -> impl IntoResponse {
    verdict(&READY, &served.health.not_ready((served.clock)()))
}

async fn metrics(State(served): State<Served>) -> impl IntoResponse {
    let now = (served.clock)();
    served.metrics.ready(served.process, served.health.not_ready(now).is_empty());
    (served.tally.0)(&served.metrics, now);
    let failing = served.health.watches().failing(now);
    served.metrics.watches(failing.iter().map(|(kind, lasting)| (*kind, lasting.is_some())));
    served.metrics.unreadable(served.health.watches().unreadable().into_iter());
    match served.metrics.text() {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, OPEN_METRICS)], text),
        Err(error) => {
            let text = format!("metrics can't be written: {error}\n");
            (METRICS.otherwise.0, [(header::CONTENT_TYPE, "text/plain")], text)
        }
    }
}

/// `ok`, or what is wrong.
fn verdict(asked: &Path, troubles: &[String]) -> (StatusCode, String) {
    if troubles.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (asked.otherwise.0, format!("{}\n", troubles.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    fn at_one_minute() -> Timestamp {
        Timestamp::from_second(60).expect("a small number is a time")
    }

    /// Asks a server of its own for `path`: the first line and the rest of the answer.
    async fn ask(served: Served, path: &str) -> (String, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, shutdown) = Shutdown::by_hand();
        let task = tokio::spawn(serve(listener, served, shutdown));
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        stop.send_replace(true);
        task.await.expect("it doesn't panic").expect("it ends well");
        let (first, rest) = answer.split_once("\r\n").expect("more than a line");
        (first.to_owned(), rest.to_owned())
    }

    fn served() -> Served {
        let tally = Tally(Arc::new(|metrics: &Metrics, _| metrics.late(7)));
        let (health, metrics) = (Health::default(), Metrics::new());
        Served { process: "run", tally, health, metrics, clock: at_one_minute }
    }

    #[tokio::test]
    async fn ready_only_once_caches_are_filled_and_alive_before() {
        let served = served();
        let heart = served.health.heartbeat("grants", at_one_minute());
        let (status, body) = ask(served.clone(), "/readyz").await;
        assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
        assert!(body.ends_with("grants: its caches aren't filled yet\n"), "{body}");
        assert_eq!(ask(served.clone(), "/livez").await.0, "HTTP/1.1 200 OK");
        heart.filled(at_one_minute());
        assert_eq!(ask(served, "/readyz").await.0, "HTTP/1.1 200 OK");
    }

    #[tokio::test]
    async fn not_ready_any_more_when_reconciling_has_stopped() {
        let served = served();
        let heart = served.health.heartbeat("grants", Timestamp::UNIX_EPOCH - super::super::health::SILENCE);
        heart.filled(Timestamp::UNIX_EPOCH - super::super::health::SILENCE);
        let (status, body) = ask(served, "/readyz").await;
        assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
        assert!(body.ends_with("grants: it has made no progress for 120 s\n"), "{body}");
    }

    #[tokio::test]
    async fn what_people_are_told_of_is_served_and_nothing_else() {
        let served = served();
        served.health.heartbeat("grants", at_one_minute()).filled(at_one_minute());
        for Path { path, .. } in PATHS {
            assert_eq!(ask(served.clone(), path).await.0, "HTTP/1.1 200 OK", "{path}");
        }
        for path in ["/", "/healthz", "/metrics/", "/debug/pprof"] {
            assert_eq!(ask(served.clone(), path).await.0, "HTTP/1.1 404 Not Found", "{path}");
        }
    }

    #[tokio::test]
    async fn metrics_are_open_metrics() {
        let (status, body) = ask(served(), "/metrics").await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(body.contains("application/openmetrics-text"), "{body}");
        assert!(body.ends_with("# EOF\n"), "{body}");
    }
}
