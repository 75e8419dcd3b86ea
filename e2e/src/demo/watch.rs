//! Watches the grant, its journal, and every object of its stages, as they come and go.

use std::{
    fmt::Debug,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use comity::api::{grant::PartnerGrant, name, record::GrantRecord, stage::Stage};
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, PartialObjectMeta},
    core::GroupVersionKind,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Config, Event, watcher},
    },
};
use tokio::task::JoinSet;

use super::{
    paint::Tone,
    panel,
    screen::Screen,
    seen::{Published, Seen},
};
use crate::{Cluster, Result, eventually};

/// What a stage is made of, and what says whom it is for.
const KINDS: [(&str, &str, &str); 9] = [
    ("", "v1", "Namespace"),
    ("", "v1", "ResourceQuota"),
    ("", "v1", "LimitRange"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Secret"),
    ("", "v1", "ConfigMap"),
    ("comity.dev", "v1alpha1", "StagePolicy"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
];

/// How often the view is redrawn.
const REDRAW_EVERY: Duration = Duration::from_millis(150);

/// How often a plain line says how long is left.
const COUNT_EVERY: i64 = 5;

/// Everything that is watched, until it is dropped.
pub(super) struct Watching {
    seen: Arc<Mutex<Seen>>,
    started: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

/// The grant that is watched.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    /// Its namespace.
    pub(super) namespace: &'static str,
    /// Its name.
    pub(super) name: &'static str,
}

impl Watching {
    /// Begins to watch, and to tell on `screen`; returns when nothing can be missed any more.
    pub(super) async fn begin(cluster: &Cluster, screen: &Screen, subject: Subject) -> Result<Self> {
        let mut watching = Self { seen: Arc::default(), started: Arc::default(), tasks: JoinSet::new() };
        watching.grant(cluster, subject);
        watching.journal(cluster, screen.clone(), subject);
        watching.certificates(cluster, screen.clone());
        for (group, version, kind) in KINDS {
            watching.objects(cluster, &GroupVersionKind::gvk(group, version, kind));
        }
        watching.redraw(screen.clone());
        let (all, started) = (KINDS.len() + 3, &watching.started);
        eventually("the watches to begin", Duration::from_secs(20), async || {
            match started.load(Ordering::Relaxed) {
                ready if ready >= all => Ok(()),
                ready => Err(format!("{ready} of {all} have begun")),
            }
        })
        .await?;
        Ok(watching)
    }

    /// What has been seen so far.
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        held(&self.seen)
    }

    /// Awaits that what was seen is as wanted; an `Err` says what it is instead.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        within: Duration,
        look: impl Fn(&Seen) -> Result<T, String>,
    ) -> Result<T> {
        eventually(what, within, async || look(&self.seen())).await
    }

    fn grant(&mut self, cluster: &Cluster, subject: Subject) {
        let api = Api::<PartnerGrant>::namespaced(cluster.client(), subject.namespace);
        let config = Config::default().fields(&format!("metadata.name={}", subject.name));
        let seen = self.seen.clone();
        self.follow(watcher(api, config), move |grant, there| {
            held(&seen).grant = there.then_some(grant);
        });
    }

    fn journal(&mut self, cluster: &Cluster, screen: Screen, subject: Subject) {
        let api = Api::<GrantRecord>::namespaced(cluster.client(), subject.namespace);
        let seen = self.seen.clone();
        self.follow(watcher(api, Config::default()), move |record, there| {
            if !there || record.spec.grant.name.0 != subject.name {
                return;
            }
            let news = held(&seen).record(&record);
            if let Some(news) = news {
                screen.event("·", Tone::Busy, &news);
            }
        });
    }

    fn certificates(&mut self, cluster: &Cluster, screen: Screen) {
        let api = Api::<ConfigMap>::all(cluster.client());
        let config = Config::default().fields(&format!("metadata.name={}", name::TRUST_CONFIG_MAP));
        let seen = self.seen.clone();
        self.follow(watcher(api, config), move |trust, there| {
            if !there {
                return;
            }
            let news = held(&seen).published(&trust);
            match news {
                Ok(news) => news.iter().for_each(|published| announce(&screen, published)),
                Err(error) => screen.event("✗", Tone::Bad, &error.to_string()),
            }
        });
    }

    fn objects(&mut self, cluster: &Cluster, kind: &GroupVersionKind) {
        let resource = ApiResource::from_gvk(kind);
        let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(cluster.client(), &resource);
        let config = Config::default().labels(name::LABEL_GRANT_UID);
        let (seen, kind) = (self.seen.clone(), kind.kind.clone());
        self.follow(watcher(api, config), move |object, there| {
            if there {
                held(&seen).object(&kind, &object.metadata);
            } else {
                held(&seen).gone(&kind, &object.metadata);
            }
        });
    }

    /// Tells `take` of every object that is there, and of each that is gone.
    fn follow<K: Clone + Debug + Send + 'static>(
        &mut self,
        events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
        take: impl Fn(K, bool) + Send + 'static,
    ) {
        let started = self.started.clone();
        self.tasks.spawn(async move {
            let mut events = std::pin::pin!(events.default_backoff());
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => take(object, true),
                    Ok(Event::Delete(object)) => take(object, false),
                    Ok(Event::InitDone) => drop(started.fetch_add(1, Ordering::Relaxed)),
                    Ok(Event::Init) | Err(_) => {}
                }
            }
        });
    }

    /// Redraws the view; without a terminal, says from time to time how long is left.
    fn redraw(&mut self, screen: Screen) {
        let seen = self.seen.clone();
        self.tasks.spawn(async move {
            let mut beat = tokio::time::interval(REDRAW_EVERY);
            let mut told = None;
            loop {
                beat.tick().await;
                let now = Timestamp::now();
                if screen.is_terminal() {
                    let lines = panel::render(&held(&seen), now, screen.width());
                    screen.draw(&lines);
                } else {
                    let left = panel::left(&held(&seen), now);
                    count(&screen, told, left);
                    told = left;
                }
            }
        });
    }
}

/// Says how long is left of a stage, where it is time to.
fn count(screen: &Screen, before: Option<(Stage, i64)>, left: Option<(Stage, i64)>) {
    let (Some((earlier, _)), Some((stage, seconds))) = (before, left) else { return };
    if before != left && earlier == stage && seconds > 0 && seconds % COUNT_EVERY == 0 {
        screen.event("·", Tone::Faint, &format!("{stage} ends in {seconds} s"));
    }
}

fn announce(screen: &Screen, published: &Published) {
    let Published { stage, certificate, .. } = published;
    let until = certificate.not_after.strftime("%H:%M:%SZ");
    let workload = certificate.identity.rsplit('/').next().unwrap_or_default();
    screen.event("·", Tone::Busy, &format!("{stage}: a certificate for {workload}, valid until {until}"));
}

/// What the lock holds: a thread that panicked holding it left it as it was.
fn held(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
