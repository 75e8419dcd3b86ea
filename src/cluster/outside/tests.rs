//! Who answers over TLS, and who is never dialled.

use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, PrivateKeyDer};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::pki::testing::at_once;
use crate::pki::{Authority, Lifetime, SpiffeId, server};

const URL: &str = "https://login.northpay.example/.well-known/openid-configuration";

fn authority() -> (Authority, Lifetime) {
    let [from, to] = ["2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z"].map(|text| text.parse().unwrap());
    let lifetime = Lifetime::read(from, to).unwrap();
    let id = SpiffeId::of_trust_domain("comity.local").unwrap();
    (at_once(Authority::create(&id, "An authority of the web", lifetime)).unwrap(), lifetime)
}

fn believing(authority: &Authority) -> TlsConnector {
    let mut authorities = RootCertStore::empty();
    authorities.add(CertificateDer::from(authority.anchor().der().to_vec())).unwrap();
    connector(authorities).unwrap()
}

/// Answers with this, as who the host name says, whatever is asked; returns what was asked.
async fn answering(
    (authority, lifetime): &(Authority, Lifetime),
    host: &str,
    trust: &TlsConnector,
    answer: Vec<u8>,
) -> (Heard, String) {
    let made = at_once(server::server(authority, &[host.to_owned()], *lifetime)).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.key.reveal().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.certificate.into()], key).unwrap();
    let (here, there) = duplex(64 << 10);
    let serving = tokio::spawn(async move {
        let mut asked = vec![0; 4 << 10];
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(there).await else {
            return String::new();
        };
        let length = stream.read(&mut asked).await.unwrap_or(0);
        // Who has heard enough hangs up.
        drop(stream.write_all(&answer).await);
        drop(stream.shutdown().await);
        asked.truncate(length);
        String::from_utf8_lossy(&asked).into_owned()
    });
    let uri: Uri = URL.parse().unwrap();
    let heard = ask(trust, here, &place(&uri).unwrap(), &uri).await;
    (heard, serving.await.unwrap())
}

fn said(status: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nlocation: https://10.0.0.1/\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[track_caller]
fn wrong(heard: &Heard, part: &str) {
    assert!(matches!(heard, Heard::Wrong(why) if why.contains(part)), "{heard:?} doesn't say {part}");
}

#[tokio::test]
async fn who_is_believed_is_heard_and_told_nothing() {
    let web = authority();
    let trust = believing(&web.0);
    let (heard, asked) = answering(&web, "login.northpay.example", &trust, said("200 OK", b"{}")).await;
    assert_eq!(heard, Heard::Said(b"{}".to_vec()));
    assert!(asked.starts_with("GET /.well-known/openid-configuration HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("host: login.northpay.example\r\n"), "{asked}");
    assert!(!asked.to_lowercase().contains("authorization"), "{asked}");
}

#[tokio::test]
async fn nothing_is_followed_and_no_more_is_read_than_a_document_needs() {
    let web = authority();
    let trust = believing(&web.0);
    let hears = async |answer| answering(&web, "login.northpay.example", &trust, answer).await.0;
    for status in ["302 Found", "307 Temporary Redirect", "404 Not Found", "500 Internal Server Error"] {
        wrong(&hears(said(status, b"{}")).await, &status[..3]);
    }
    wrong(&hears(said("200 OK", &vec![b' '; LONGEST + 1])).await, "says more");
    wrong(&hears(said("200 OK", b"{}").split_last().unwrap().1.to_vec()).await, "breaks off");
    wrong(&hears(b"220 mail.northpay.example ESMTP\r\n".to_vec()).await, "by HTTP");
    let endless = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &vec![b'x'; 2 * LONGEST_HEADERS]].concat();
    wrong(&hears(endless).await, "by HTTP");
}

#[tokio::test]
async fn who_shows_anothers_certificate_or_one_of_nobody_is_not_heard() {
    let (web, other) = (authority(), authority());
    let trust = believing(&web.0);
    let answer = || said("200 OK", b"{}");
    wrong(
        &answering(&web, "login.evil.example", &trust, answer()).await.0,
        "no certificate that is believed",
    );
    wrong(
        &answering(&other, "login.northpay.example", &trust, answer()).await.0,
        "no certificate that is believed",
    );
}

#[tokio::test]
async fn nobody_inside_is_dialled_whatever_they_are_called() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (web, _) = authority();
    let outside = Outside { own: vec![Network::parse("8.8.8.0/24").unwrap()], trust: Ok(believing(&web)) };
    for host in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.96.0.1", "169.254.169.254", "8.8.8.8"]
    {
        let heard = outside.get(&format!("https://{host}:{port}/").parse().unwrap()).await;
        let is_refused = matches!(&heard, Heard::Unasked(why) if why.contains("no public address"));
        // Where this machine has no IPv6, the name of one is none.
        let is_unknown = matches!(&heard, Heard::Unasked(why) if why.contains("no address here"));
        assert!(is_refused || is_unknown, "{host}: {heard:?}");
    }
    let dialled = futures::FutureExt::now_or_never(listener.accept());
    assert!(dialled.is_none(), "{dialled:?}");
}

#[tokio::test]
async fn what_is_no_place_is_not_asked() {
    let (web, _) = authority();
    let outside = Outside { own: Vec::new(), trust: Ok(believing(&web)) };
    for url in ["http://login.northpay.example/", "https://a@login.northpay.example/", "https://-/", "/path"]
    {
        wrong(&outside.get(&url.parse().unwrap()).await, "it");
    }
    let blind = Outside { own: Vec::new(), trust: Err("no authorities".to_owned()) };
    assert_eq!(blind.get(&URL.parse().unwrap()).await, Heard::Unasked("no authorities".to_owned()));
}
