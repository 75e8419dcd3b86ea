//! Whether a process is let into any stage. While it isn't, it has nothing to look at, and may spare the API server
//! all of its other watches.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::timeout;

use super::config;
use super::watching::Watching;
use crate::api::name::LABEL_GRANT_UID;
use crate::cluster::clock::Clock;
use crate::cluster::readable::{News, Readable};
use crate::cluster::watch::Watches;

/// What the watch is called: others of the same kind fare by themselves.
const DOOR: &str = "Door";

/// The `RoleBindings` of one name that let a process into stages' namespaces, as a watch tells.
#[derive(Debug)]
pub struct Doors {
    watching: Watching,
    count: watch::Receiver<usize>,
}

impl Doors {
    /// Starts to watch those of this name that are Comity's, whose label nobody else sets. How the watch fares is told to `watches`.
    pub fn start(client: &Client, door: &str, (clock, watches): (&Clock, &Watches)) -> Self {
        let api: Api<Readable<RoleBinding>> = Api::all(client.clone());
        let stream = watcher(api, config().fields(&format!("metadata.name={door}")).labels(LABEL_GRANT_UID));
        let (counted, count) = watch::channel(0);
        let mut watching = Watching::new(clock, watches);
        let mut there = BTreeSet::new();
        watching.follow(DOOR, stream, move |news| {
            let is_telling = matches!(news, News::Begin);
            match news {
                News::Begin => there.clear(),
                News::End => {}
                News::There(door) => drop(there.insert(place(&door))),
                News::Gone(door) => drop(there.remove(&place(&door))),
                // It lets in all the same: what can't be read of it is looked at where it matters.
                News::Unreadable(door) => drop(there.insert(door.key().0)),
                News::UnreadableGone(door) => drop(there.remove(&door.key().0)),
            }
            if !is_telling {
                counted.send_replace(there.len());
            }
        });
        Self { watching, count }
    }

    /// Waits until the watch has told of all that are there.
    pub async fn filled(&mut self) {
        self.watching.filled().await;
    }

    /// Waits until there is one.
    pub async fn any(&mut self) {
        self.until(|count| count > 0).await;
    }

    /// Waits until there has been none for so long.
    pub async fn none_for(&mut self, long: Duration) {
        loop {
            self.until(|count| count == 0).await;
            if timeout(long, self.any()).await.is_err() {
                return;
            }
        }
    }

    async fn until(&mut self, is_so: impl Fn(usize) -> bool) {
        if self.count.wait_for(|count| is_so(*count)).await.is_err() {
            // Nobody watches any more: the process is going down.
            std::future::pending::<()>().await;
        }
    }
}

fn place(door: &RoleBinding) -> String {
    door.namespace().unwrap_or_default()
}
