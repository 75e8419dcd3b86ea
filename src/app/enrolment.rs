//! The part of `comity sign` that serves workloads on the partner's side, where it is told to.
#![expect(clippy::disallowed_types, reason = "the client is handed on here")]

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, LocalBoxFuture, pending};
use kube::Client;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::authorities::terms;
use super::{AppError, Station, alive};
use crate::api::name;
use crate::cluster::asking::{Asking, kept};
use crate::ops::Settings;
use crate::ops::front::{Answer, Host, Visit, serve};
use crate::ops::metric::Kind;
use crate::ops::settings::Endpoint;
use crate::ops::shown::Shown;
use crate::pki::server::Server;
use crate::signer;
use crate::signer::enrol::answer::Refusal;
use crate::signer::enrol::caller::Anchors;
use crate::signer::enrol::desk::{Call, Desk, SWEPT_EVERY};
use crate::signer::enrol::own::{Keeper, RENEWED_EVERY};
use crate::signer::talk::Talk;

/// How soon a certificate is tried for again that can't be had.
const AGAIN: Duration = Duration::from_secs(5);

/// What serving needs.
struct Counter {
    desk: Arc<Desk>,
    keeper: Keeper,
    names: Vec<String>,
    now: signer::Now,
}

impl Station {
    /// What serves enrolment; nothing where nobody said where.
    pub(super) async fn serve_enrolment(
        &self,
        settings: &Settings,
        client: &Client,
        signing: &Arc<signer::reconcile::Context>,
    ) -> Result<LocalBoxFuture<'static, ()>, AppError> {
        let Some(Endpoint { listen, url, names }) = settings.enrolment.clone() else {
            return Ok(Box::pin(pending()));
        };
        let listener = TcpListener::bind(listen).await.map_err(|source| AppError::Listen {
            address: listen,
            flag: "--enrol-listen",
            source,
        })?;
        tracing::info!(address = %listen, url, "serving enrolment");
        let (talk, home) = (Talk::new(client.clone()), terms(settings));
        let keeper = Keeper::new(talk.clone(), home.system.clone(), home.trust_domain.clone(), url);
        // The ledgers are watched once more, so that nothing has to be read to know who calls.
        let Asking { store, queue: _, task } =
            kept(client, &home.system, name::LABEL_AUTHORITY, (&self.clock, self.health.watches()));
        let desk = Desk::new(Arc::clone(signing), talk, Anchors::new(store), &home);
        let counter = Counter { desk: Arc::new(desk), keeper, names, now: Arc::clone(&signing.now) };
        let telemetry = self.telemetry(Kind::Enrolments);
        Ok(Box::pin(async move {
            // It isn't ready before it has a certificate.
            let (certified, certificate) = watch::channel(counter.certified().await);
            let work = async {
                let serving = serve(listener, certificate, Arc::new(Reception(Arc::clone(&counter.desk))));
                futures::join!(serving, counter.renew(certified), counter.sweep());
            };
            alive(Box::pin(work), telemetry).await;
            drop(task);
        }))
    }
}

impl Counter {
    /// Serves with another certificate from time to time, for ever.
    async fn renew(&self, certified: watch::Sender<Arc<ServerConfig>>) {
        loop {
            tokio::time::sleep(RENEWED_EVERY.unsigned_abs()).await;
            certified.send_replace(self.certified().await);
        }
    }

    /// Forgets tokens that can't be used any more, for ever.
    async fn sweep(&self) {
        let mut ticks = tokio::time::interval(SWEPT_EVERY.unsigned_abs());
        loop {
            ticks.tick().await;
            if let Err(error) = self.desk.sweep().await {
                tracing::warn!(%error, "what is remembered of tokens can't be gone through");
            }
        }
    }

    /// How to serve, with a certificate that was made just now. It is tried for until there is one.
    async fn certified(&self) -> Arc<ServerConfig> {
        loop {
            match self.keeper.certificate(&self.names, (self.now)()).await {
                Ok(server) => match configuration(&server) {
                    Ok(configuration) => return Arc::new(configuration),
                    Err(error) => tracing::error!(%error, "enrolment can't be served with its certificate"),
                },
                Err(error) => tracing::error!(%error, "there is no certificate to serve enrolment with"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// TLS 1.3 and nothing older, and no session that is resumed: whoever comes again shows again who they are.
fn configuration(server: &Server) -> Result<ServerConfig, rustls::Error> {
    let certificate = CertificateDer::from(server.certificate.clone());
    let key = PrivateKeyDer::from_pem_slice(server.key.reveal().as_bytes())
        .map_err(|_discarded| rustls::Error::General("its key can't be read".to_owned()))?;
    let mut configuration = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(Shown(aws_lc_rs::default_provider())))
        .with_single_cert(vec![certificate], key)?;
    configuration.send_tls13_tickets = 0;
    configuration.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(configuration)
}

/// What answers a visit.
struct Reception(Arc<Desk>);

impl Host for Reception {
    fn knows(&self, shown: &[Vec<u8>]) -> bool {
        self.0.knows(shown)
    }

    fn answer(self: Arc<Self>, visit: Visit) -> BoxFuture<'static, Answer> {
        Box::pin(async move { answer(&self.0, visit).await })
    }
}

async fn answer(desk: &Desk, visit: Visit) -> Answer {
    let Visit { from, method, path, headers, shown, body } = visit;
    let answered = match body {
        Some(body) => desk.answer(Call { from, method, path, headers, shown, body }).await,
        None => Err(desk.refuse(Refusal::TooLong)),
    };
    match answered {
        Ok(given) => Answer { status: given.status(), again_in: None, body: given.body() },
        Err(refusal) => {
            tracing::info!(%from, reason = refusal.word(), "somebody who enrols was refused");
            Answer { status: refusal.status(), again_in: refusal.again_in(), body: refusal.body() }
        }
    }
}
