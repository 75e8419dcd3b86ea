//! `comity rehearse`: tries what grants allow while they are rehearsed, and reports what it saw.

use std::sync::Arc;

use super::{AppError, Station, client, counted, installation, until_told};
use crate::api::name;
use crate::cluster::admission::Admission;
use crate::cluster::event::Events;
use crate::cluster::feed::{Feeds, Watched};
use crate::cluster::outside::Outside;
use crate::cluster::trial::Trial;
use crate::ops::Settings;
use crate::ops::http::Tally;
use crate::ops::metric::Kind;
use crate::plan::objects;
use crate::rehearsal::observe::Home;
use crate::rehearsal::reconcile::{Context, reconcile};

/// Runs `comity rehearse` until it is told to stop.
pub async fn rehearse(settings: Settings) -> Result<(), AppError> {
    let station = Station::new(&settings);
    let client = client(settings.kubeconfig.as_deref(), &station).await?;
    let kinds = [objects::Kind::Namespace];
    let doors = Some(name::REHEARSER_BINDING);
    let watched = Watched { kinds: &kinds, doors, admission: Admission::default() };
    let (mut feeds, queues) = Feeds::start(&client, watched, station.sight());
    let context = Context {
        catalogue: Arc::clone(&feeds.catalogue),
        trial: Trial::new(client.clone(), Outside::new(&settings.cluster_cidrs)),
        clock: station.clock.clone(),
        events: Events::start(client, name::REHEARSE, counted(&station.metrics)),
        home: Home { installation: installation(&settings), trust_domain: settings.trust_domain.clone() },
    };
    let store = feeds.catalogue.grants.clone();
    let control =
        station.control(Kind::Rehearsals, store, queues.only_grants(), Arc::new(context), reconcile);
    let work = async {
        feeds.filled().await;
        control.await;
    };
    let nothing = Tally(Arc::new(|_, _| {}));
    until_told(&settings, &station, ("rehearse", nothing), work).await
}
