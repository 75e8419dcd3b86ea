//! How long after its recorded end access is really over, seen from outside.

use std::time::Duration;

use e2e::{Cluster, Error, Explain as _, Result, cluster::identity::service_account_user};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, interval_at};

use super::{
    opening::{self, Opened},
    world::{World, grant},
};

/// Over how long the ends are spread, in milliseconds.
const SPREAD: usize = 60_000;

/// How many grants are opened at once while each is told when to end.
const OPENED_AT_ONCE: usize = 16;

/// How many seconds one opening may take on a slow machine; ends begin after all of them.
const SECONDS_EACH: f64 = 0.35;

/// How long before its end a grant is looked at for the first time.
const EARLY: SignedDuration = SignedDuration::from_millis(300);

/// How often it is looked at then; one look takes about as long.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long after its end access may go on before the watcher gives up.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// Milliseconds from each recorded end until a SubjectAccessReview says no, in rising order.
pub async fn measure(world: &World, count: usize) -> Result<Vec<f64>> {
    let lead = (count as f64).mul_add(SECONDS_EACH, 20.0);
    let first = now() + SignedDuration::from_secs_f64(lead);
    let end = |number: usize| {
        first + SignedDuration::from_millis((SPREAD * number / count).try_into().unwrap_or_default())
    };
    let open = async |number: usize| {
        let left = end(number).duration_since(now()).as_millis();
        let duration = format!("{}s{}ms", left / 1000, left % 1000);
        let opened = opening::open(world, &[grant("ending", number, &duration)?]).await?;
        opened.into_iter().next().ok_or_else(|| Error::Failed("a grant didn't open".to_owned()))
    };
    // They end while others are still being opened only where the machine is too slow to measure on.
    let opened: Vec<Opened> =
        stream::iter(0..count).map(open).buffer_unordered(OPENED_AT_ONCE).try_collect().await?;
    if opened.iter().any(|grant| grant.ends < now()) {
        return Err(Error::Failed("the first grants ended before the last was open".to_owned()));
    }
    let looks = opened.iter().map(|grant| watch(&world.cluster, grant));
    let mut late: Vec<f64> = stream::iter(looks).buffer_unordered(count).try_collect().await?;
    late.sort_by(f64::total_cmp);
    world.await_namespaces_gone("ending").await?;
    Ok(late)
}

/// Asks from shortly before a grant's end until the answer is no: milliseconds after the end.
async fn watch(cluster: &Cluster, grant: &Opened) -> Result<f64> {
    let user = service_account_user(&grant.namespace, "role-model-engineer");
    let wait = grant.ends.duration_since(now()) - EARLY;
    let first = Instant::now() + wait.unsigned_abs();
    let mut looks = interval_at(first, LOOK_EVERY);
    let mut was_let = false;
    loop {
        looks.tick().await;
        let allowed = cluster.can(&user, "get", "pods", Some(&grant.namespace)).await?;
        let late = now().duration_since(grant.ends);
        was_let |= allowed;
        if !allowed {
            let what = format!("{} could be used before its end, {}", grant.name, grant.ends);
            return if was_let {
                Ok(late.as_secs_f64() * 1000.0)
            } else {
                Err(Error::Failed(format!("nobody saw that {what}")))
            };
        }
        if late > PATIENCE {
            return Err(Error::Failed(format!("{} is open long after its end", grant.name))).explain("watch");
        }
    }
}

fn now() -> Timestamp {
    Timestamp::now()
}
