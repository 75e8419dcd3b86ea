//! HTTPS for callers from outside, of whom nobody knows anything: one request a connection, and a bound on
//! everything that they send and on how long they take. It knows nothing of what is asked.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::doors::{Doors, Place, source};

/// How long a handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long the headers of a request may take.
pub const HEADERS: Duration = Duration::from_secs(5);
/// How long its body may take after that.
pub const BODY: Duration = Duration::from_secs(5);
/// How long all of a connection may.
pub const WHOLE: Duration = Duration::from_secs(40);
/// How many headers a request may have.
const MOST_HEADERS: usize = 32;
/// How long request line and headers may be together, in bytes.
pub const LONGEST_HEADERS: usize = 16 * 1024;
/// How long a body may be, in bytes.
pub const LONGEST_BODY: usize = 16 * 1024;
/// How long to wait where no connection can be taken: for lack of files, say.
const RECOVER: Duration = Duration::from_millis(200);

/// What somebody asks.
#[derive(Debug)]
pub struct Visit {
    /// From where.
    pub from: IpAddr,
    /// The method.
    pub method: Method,
    /// The path, without a query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The chain of certificates that was shown, in DER, the one first whose key was shown too. Whether anybody
    /// believes it is for others to say.
    pub shown: Vec<Vec<u8>>,
    /// The body; `None`: more than may be sent.
    pub body: Option<Vec<u8>>,
}

/// What they are answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// In how many seconds to ask again.
    pub again_in: Option<i64>,
    /// JSON.
    pub body: String,
}

/// Whoever answers.
pub trait Host: Send + Sync + 'static {
    /// Whether somebody is recognised by the chain of certificates that they show.
    fn knows(&self, shown: &[Vec<u8>]) -> bool;
    /// What they are answered.
    fn answer(self: Arc<Self>, visit: Visit) -> BoxFuture<'static, Answer>;
}

/// Serves on `listener` for ever, with the certificate that `tls` has at the time.
pub async fn serve(listener: TcpListener, tls: watch::Receiver<Arc<ServerConfig>>, host: Arc<dyn Host>) {
    let doors = Arc::new(Doors::default());
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                // Who finds no place is hung up on, before anything is computed for them.
                if let Some(place) = doors.enter(source(from.ip())) {
                    let tls = TlsAcceptor::from(tls.borrow().clone());
                    tokio::spawn(timeout(WHOLE, attend(stream, tls, place, Arc::clone(&host))));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(RECOVER).await;
            }
        }
    }
}

/// One connection, from its handshake to its answer.
async fn attend(stream: TcpStream, tls: TlsAcceptor, mut place: Place, host: Arc<dyn Host>) {
    let stream = match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
        Err(_) => return tracing::debug!("a handshake took too long"),
    };
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let shown: Vec<Vec<u8>> = shown.iter().map(|one| one.to_vec()).collect();
    if !shown.is_empty() && host.knows(&shown) && !place.recognised() {
        tracing::debug!("no place is left for who is recognised");
    }
    let (from, shown) = (place.source(), Arc::new(shown));
    let service = service_fn(move |request| hear(request, (from, Arc::clone(&shown)), Arc::clone(&host)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .keep_alive(false)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LONGEST_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended badly");
    }
    drop(place);
}

async fn hear(
    request: Request<Incoming>,
    (from, shown): (IpAddr, Arc<Vec<Vec<u8>>>),
    host: Arc<dyn Host>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = match timeout(BODY, Limited::new(body, LONGEST_BODY).collect()).await {
        Ok(body) => body.ok().map(|body| body.to_bytes().to_vec()),
        Err(_) => return Ok(response(StatusCode::REQUEST_TIMEOUT, None, String::new())),
    };
    let path = parts.uri.path().to_owned();
    let shown = shown.as_ref().clone();
    let visit = Visit { from, method: parts.method, path, headers: parts.headers, shown, body };
    let Answer { status, again_in, body } = host.answer(visit).await;
    Ok(response(status, again_in, body))
}

fn response(status: StatusCode, again_in: Option<i64>, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    if let Some(seconds) = again_in {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    }
    response
}
