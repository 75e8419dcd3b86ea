//! `comity rehearse`: tries what grants allow while they are rehearsed, and reports what it saw.
//!
//! Most of the time nothing is rehearsed. Then it watches for nothing but being let in, and the API server has one
//! watcher less of everything else.
#![expect(clippy::disallowed_types, reason = "the client is handed on here")]

use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use kube::Client;
use tokio::sync::Semaphore;

use super::{AppError, Station, alive, client, counted, installation, until_told};
use crate::api::name;
use crate::cluster::admission::Admission;
use crate::cluster::event::Events;
use crate::cluster::feed::doors::Doors;
use crate::cluster::feed::{Feeds, Watched};
use crate::cluster::outside::Outside;
use crate::cluster::trial::Trial;
use crate::ops::Settings;
use crate::ops::http::Tally;
use crate::ops::metric::Kind;
use crate::plan::objects;
use crate::rehearsal::observe::Home;
use crate::rehearsal::reconcile::{Context, reconcile};
use crate::runtime::controller::{Telemetry, drive};

/// For how long it goes on to watch everything after it was let in nowhere any more: a rehearsal seldom comes alone.
const LINGERS: Duration = Duration::from_secs(60);

/// How many rehearsals there may be at once for each that asks the API server: most of the time of one is that its probe is
/// waited for, up to 40 seconds.
const BESIDE: u16 = 8;
/// How many there are at most because of that.
const MOST: u16 = 64;

/// Runs `comity rehearse` until it is told to stop.
pub async fn rehearse(settings: Settings) -> Result<(), AppError> {
    let station = Station::new(&settings);
    let client = client(settings.kubeconfig.as_deref(), &station).await?;
    let mut doors = Doors::start(&client, name::REHEARSER_BINDING, station.sight());
    let events = Events::start(client.clone(), name::REHEARSE, counted(&station.metrics));
    let telemetry = station.telemetry(Kind::Rehearsals);
    let work = async {
        doors.filled().await;
        let shifts = async {
            loop {
                doors.any().await;
                let shift = Box::pin(shift(&settings, &client, &station, (&events, telemetry.clone())));
                select(shift, Box::pin(doors.none_for(LINGERS))).await;
            }
        };
        alive(Box::pin(shifts), telemetry.clone()).await;
    };
    let nothing = Tally(Arc::new(|_, _| {}));
    until_told(&settings, &station, ("rehearse", nothing), work).await
}

/// Rehearses what is due, for as long as it is let.
async fn shift(
    settings: &Settings,
    client: &Client,
    station: &Station,
    (events, telemetry): (&Events, Telemetry),
) {
    let kinds = [objects::Kind::Namespace];
    let doors = Some(name::REHEARSER_BINDING);
    let watched = Watched { kinds: &kinds, doors, admission: Admission::default() };
    let (mut feeds, queues) = Feeds::start(client, watched, station.sight());
    let (heartbeat, clock) = (Arc::clone(&telemetry.heartbeat), station.clock.clone());
    let context = Context {
        catalogue: Arc::clone(&feeds.catalogue),
        trial: Trial::new(client.clone(), Outside::new(&settings.cluster_cidrs)),
        clock: station.clock.clone(),
        events: events.clone(),
        home: Home { installation: installation(settings), trust_domain: settings.trust_domain.clone() },
        turns: Semaphore::new(usize::from(station.workers)),
        last_turns: Semaphore::new(usize::from(station.workers)),
        goes_on: Box::new(move || heartbeat.goes_on(clock.now())),
    };
    let at_once = station.workers.saturating_mul(BESIDE).min(MOST).max(station.workers);
    feeds.filled().await;
    let grants = feeds.catalogue.grants.clone();
    drive(grants, queues.only_grants(), Arc::new(context), at_once, telemetry, reconcile).await;
}
