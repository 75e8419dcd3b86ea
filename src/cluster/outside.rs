//! What is asked outside of the cluster: an HTTPS GET of whoever a partner names. They may name whatever this process
//! reaches and they don't, so nobody is dialled but public addresses, nothing is followed, little is read, and nothing of
//! it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki_types::ServerName;
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::policy::network::Network;
use crate::policy::public::is_public;

/// How long it may take to reach somebody, and how long until all is said after that.
const REACHED: Duration = Duration::from_secs(2);
const SAID: Duration = Duration::from_secs(2);
/// How many addresses of a host are dialled.
const DIALLED: usize = 2;
/// How long an answer may be, in bytes, and how long its headers, and how many.
const LONGEST: usize = 256 << 10;
const LONGEST_HEADERS: usize = 32 << 10;
const MOST_HEADERS: usize = 64;

/// Whoever asks outside.
#[derive(Clone)]
pub struct Outside {
    /// The cluster's own networks, which aren't outside.
    own: Vec<Network>,
    /// The authorities of the web, by which who answers is believed; or why there are none.
    trust: Result<TlsConnector, String>,
}

/// What came of a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// It was answered with 200, and this.
    Said(Vec<u8>),
    /// It was answered otherwise than it should be, in our words.
    Wrong(String),
    /// It couldn't be asked from here; why.
    Unasked(String),
}

/// Where something is asked.
#[derive(Debug)]
struct Place {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Outside").field("own", &self.own).finish_non_exhaustive()
    }
}

impl Outside {
    /// Asks outside of these networks of the cluster, and believes the authorities that this machine believes.
    pub fn new(cluster_networks: &[String]) -> Self {
        let own = cluster_networks.iter().filter_map(|text| Network::parse(text)).collect();
        let mut authorities = RootCertStore::empty();
        authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let trust = if authorities.is_empty() {
            Err("comity rehearse has no authorities of the web to believe: its image has no CA certificates"
                .to_owned())
        } else {
            connector(authorities)
        };
        Self { own, trust }
    }

    /// What `uri` answers.
    pub async fn get(&self, uri: &Uri) -> Heard {
        let place = match place(uri) {
            Ok(place) => place,
            Err(why) => return Heard::Wrong(why),
        };
        let trust = match &self.trust {
            Ok(trust) => trust,
            Err(why) => return Heard::Unasked(why.clone()),
        };
        let reached = timeout(REACHED, self.reach(&place)).await;
        let stream = match reached.unwrap_or_else(|_elapsed| Err(unreached(&place, "not in time"))) {
            Ok(stream) => stream,
            Err(why) => return Heard::Unasked(why),
        };
        let said = timeout(SAID, ask(trust, stream, &place, uri)).await;
        said.unwrap_or_else(|_elapsed| Heard::Wrong(format!("{} doesn't answer in time", place.host)))
    }

    /// A connection to one of its public addresses.
    async fn reach(&self, place: &Place) -> Result<TcpStream, String> {
        let found = lookup_host((place.host.as_str(), place.port)).await;
        let found: Vec<SocketAddr> =
            found.map_err(|_error| unreached(place, "it has no address here"))?.collect();
        let public: Vec<SocketAddr> =
            found.into_iter().filter(|address| is_public(address.ip(), &self.own)).collect();
        if public.is_empty() {
            return Err(unreached(place, "it has no public address, and no other is dialled"));
        }
        for address in public.into_iter().take(DIALLED) {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(unreached(place, "nothing takes the connection, or no policy lets it out"))
    }
}

fn unreached(place: &Place, why: &str) -> String {
    format!("{} can't be reached from here: {why}", place.host)
}

/// Where a URI leads: `https://HOST` or `https://HOST:PORT`, and nobody's name in it.
fn place(uri: &Uri) -> Result<Place, String> {
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
    let (Some("https"), Some(authority)) = (uri.scheme_str(), authority) else {
        return Err("it isn't the https:// URL of a host".to_owned());
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|_error| "it names no host".to_owned())?;
    Ok(Place { host, port: authority.port_u16().unwrap_or(443), name })
}

/// What believes these authorities, by TLS 1.2 and 1.3.
fn connector(authorities: RootCertStore) -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    let mut config = config.with_root_certificates(authorities).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Asks, once, on a connection.
async fn ask<S>(trust: &TlsConnector, stream: S, place: &Place, uri: &Uri) -> Heard
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Ok(stream) = trust.connect(place.name.clone(), stream).await else {
        return Heard::Wrong(format!("{} shows no certificate that is believed here", place.host));
    };
    let garbled = || Heard::Wrong(format!("{} doesn't answer by HTTP", place.host));
    let client = http1::Builder::new()
        .max_headers(MOST_HEADERS)
        .max_buf_size(LONGEST_HEADERS)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await;
    let Ok((mut sender, connection)) = client else { return garbled() };
    // It ends with this question, however that ends.
    let mut driven = JoinSet::new();
    driven.spawn(connection);
    let Ok(request) = request(uri) else { return garbled() };
    let Ok(answer) = sender.send_request(request).await else { return garbled() };
    if answer.status() != StatusCode::OK {
        let code = answer.status().as_u16();
        return Heard::Wrong(format!("{} answers with {code}, and nothing is followed", place.host));
    }
    match Limited::new(answer.into_body(), LONGEST).collect().await {
        Ok(body) => Heard::Said(body.to_bytes().into()),
        Err(_error) => {
            Heard::Wrong(format!("{} says more than {} KiB, or breaks off", place.host, LONGEST >> 10))
        }
    }
}

/// The question. Nothing is said of whom it is asked about.
fn request(uri: &Uri) -> Result<Request<Empty<Bytes>>, http::Error> {
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    Request::get(path)
        .header(HOST, uri.authority().map_or("", http::uri::Authority::as_str))
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "comity")
        .body(Empty::new())
}

#[cfg(test)]
mod tests;
