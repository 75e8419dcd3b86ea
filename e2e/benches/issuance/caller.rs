//! A workload on the partner's side: it has a key, an address of its own, and calls the enrolment endpoint by TLS.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use comity::pki::Token;
use e2e::{Error, Explain as _, Result};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    client::WantsClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};
use tokio_rustls::TlsConnector;

/// A workload that calls in.
pub struct Caller {
    address: Ipv4Addr,
    port: u16,
    anchor: String,
    key: KeyPair,
    /// What is sent: a request for a certificate, in PEM.
    request: String,
    /// How it calls: with its certificate, once it has one.
    connector: TlsConnector,
}

impl Caller {
    /// One with a new key, who calls this port from this address and believes this anchor.
    pub fn new(address: Ipv4Addr, port: u16, anchor: &str) -> Result<Self> {
        let key = KeyPair::generate().explain("make a key")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key).and_then(|request| request.pem());
        let request = request.explain("make a request")?;
        let configuration = believing(anchor)?.with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(configuration));
        Ok(Self { address, port, anchor: anchor.to_owned(), key, request, connector })
    }

    /// Enrols by a token: from now on it shows its certificate.
    pub async fn enrol(&mut self, path: &str, token: &Token) -> Result<()> {
        let header = format!("Authorization: Bearer {}\r\n", token.reveal());
        let chain = self.certificate(path, &header).await?;
        let chain = CertificateDer::from_pem_slice(chain.as_bytes()).explain("read a certificate")?;
        let key = PrivateKeyDer::from_pem_slice(self.key.serialize_pem().as_bytes()).explain("read a key")?;
        let configuration = believing(&self.anchor)?.with_client_auth_cert(vec![chain], key);
        self.connector = TlsConnector::from(Arc::new(configuration.explain("show a certificate")?));
        Ok(())
    }

    /// Has its certificate renewed.
    pub async fn renew(&self) -> Result<()> {
        self.certificate("/v1/renew", "").await.map(drop)
    }

    /// Asks for a certificate.
    async fn certificate(&self, path: &str, header: &str) -> Result<String> {
        let Self { request, .. } = self;
        let length = request.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{header}\r\n");
        let answer = self.exchange(&format!("{head}{request}")).await?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let certificate = body["certificate"].as_str().filter(|_| head.starts_with("HTTP/1.1 201"));
        let refused = || Error::Failed(format!("{} {body}", head.lines().next().unwrap_or_default()));
        certificate.map(str::to_owned).ok_or_else(refused)
    }

    /// Sends this over a connection of its own, and reads until the other side is done.
    async fn exchange(&self, sent: &str) -> Result<String> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.address, 0)))?;
        let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await?;
        let name = ServerName::try_from("localhost").explain("name the endpoint")?;
        let mut stream = self.connector.connect(name, stream).await?;
        stream.write_all(sent.as_bytes()).await?;
        let mut answer = Vec::new();
        // A connection may be ended without saying so: what was read counts.
        let read = stream.read_to_end(&mut answer).await;
        if answer.is_empty() {
            read?;
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// Who believes this anchor alone, and speaks TLS 1.3 alone.
fn believing(anchor: &str) -> Result<rustls::ConfigBuilder<ClientConfig, WantsClientCert>> {
    let mut roots = RootCertStore::empty();
    let anchor = CertificateDer::from_pem_slice(anchor.as_bytes()).explain("read the anchor")?;
    roots.add(anchor).explain("take the anchor")?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).explain("speak TLS 1.3")?;
    Ok(builder.with_root_certificates(roots))
}
