//! TLS on both sides with rustls, for pods that serve data and pods that ask for it: each shows who it is,
//! and believes just one authority, and of those whom it vouches for just one name.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    ServerConfig, ServerConnection, SignatureScheme, StreamOwned,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::{ParsedCertificate, WebPkiClientVerifier},
};
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};

/// What serves a dataset is called in its certificate.
pub const SERVER: &str = "transactions.example";
/// What a server answers to who is let in, before their SPIFFE ID.
pub const LET_IN: &str = "let in";
/// The file with key and chain that a node writes.
pub const BUNDLE: &str = "bundle.pem";
/// How long the other side may take for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// A certificate with those that lead to its anchor, and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The chain.
    pub chain: String,
    /// The key.
    pub key: String,
}

impl Identity {
    /// What is mounted as a directory: key and chain as a node writes them, or a Secret of type
    /// `kubernetes.io/tls`.
    pub fn in_directory(directory: &Path) -> io::Result<Self> {
        if let Ok(bundle) = fs::read_to_string(directory.join(BUNDLE)) {
            return Ok(Self { chain: bundle.clone(), key: bundle });
        }
        // A kubelet replaces all files at once, by a link: both have to be of the same time.
        let directory = fs::canonicalize(directory.join("..data")).unwrap_or_else(|_| directory.to_owned());
        let read = |name: &str| fs::read_to_string(directory.join(name));
        Ok(Self { chain: read("tls.crt")?, key: read("tls.key")? })
    }

    fn parsed(&self) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(io::Error::other)?;
        Ok((certificates(&self.chain)?, key))
    }

    /// From when until when its certificate is valid.
    pub fn times(&self) -> io::Result<[Timestamp; 2]> {
        let chain = certificates(&self.chain)?;
        let leaf = chain.first().ok_or_else(|| io::Error::other("no certificate"))?;
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(io::Error::other)?;
        let at = |time: ASN1Time| Timestamp::from_second(time.timestamp()).map_err(io::Error::other);
        Ok([at(leaf.validity().not_before)?, at(leaf.validity().not_after)?])
    }

    /// The SPIFFE ID in its certificate.
    pub fn spiffe_id(&self) -> io::Result<Option<String>> {
        Ok(certificates(&self.chain)?.first().and_then(spiffe_id))
    }
}

/// Whom a client wants to talk to.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    /// What serves a dataset: [`SERVER`].
    Dataset,
    /// Who has this SPIFFE ID.
    Id(&'a str),
}

/// One that lets in who has a certificate of `anchor`, whatever it says: [`answer`] looks at that.
pub fn server(own: &Identity, anchor: &str) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(anchor)?), provider.clone())
        .build()
        .map_err(io::Error::other)?;
    let (chain, key) = own.parsed()?;
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?.with_client_cert_verifier(verifier);
    Ok(Arc::new(builder.with_single_cert(chain, key).map_err(io::Error::other)?))
}

/// One that believes what `anchor` signed for whom it wants, and shows who it is, if it is anybody.
pub fn client(own: Option<&Identity>, anchor: &str, whom: Whom<'_>) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let (builder, roots) = (builder.map_err(io::Error::other)?, roots(anchor)?);
    let builder = match whom {
        Whom::Dataset => builder.with_root_certificates(roots),
        Whom::Id(id) => {
            let verifier = OnlyId { id: id.to_owned(), roots, provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let configuration = match own {
        Some(own) => {
            let (chain, key) = own.parsed()?;
            builder.with_client_auth_cert(chain, key).map_err(io::Error::other)?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(configuration))
}

/// Serves one connection: says who was let in, or why nobody was.
pub fn answer(configuration: Arc<ServerConfig>, allowed: &str, connection: TcpStream) -> io::Result<String> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut raw = connection;
    let mut session = ServerConnection::new(configuration).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut raw)?;
    }
    let shown = session.peer_certificates().and_then(<[_]>::first).and_then(spiffe_id);
    let shown = shown.ok_or_else(|| io::Error::other("a certificate without a SPIFFE ID"))?;
    let mut stream = StreamOwned::new(session, raw);
    if shown != allowed {
        // Dropped without a word: to the other side it is as if nobody were there.
        return Err(io::Error::other(format!("{shown} isn't who may come in")));
    }
    writeln!(stream, "{LET_IN} {shown}")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(shown)
}

/// Asks one that serves; what it answered.
pub fn ask(configuration: Arc<ClientConfig>, to: SocketAddr) -> io::Result<String> {
    let raw = TcpStream::connect_timeout(&to, PATIENCE)?;
    raw.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(SERVER).map_err(io::Error::other)?;
    let session = ClientConnection::new(configuration, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, raw);
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// Believes a server that has one SPIFFE ID, by one authority, whatever it is called else.
#[derive(Debug)]
struct OnlyId {
    id: String,
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OnlyId {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let parsed = ParsedCertificate::try_from(own)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, others, now, algorithms)?;
        if spiffe_id(own).as_ref() == Some(&self.id) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn roots(anchor: &str) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(anchor)? {
        roots.add(certificate).map_err(io::Error::other)?;
    }
    Ok(roots)
}

fn certificates(text: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(io::Error::other)
}

/// The only name of a certificate, if it is a SPIFFE ID.
fn spiffe_id(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] if uri.starts_with("spiffe://") => Some((*uri).to_owned()),
        _ => None,
    }
}
