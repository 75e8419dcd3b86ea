//! What the API server does at most: bare loops that send what Comity sent, with the same client,
//! the same tokens and as many at once, and decide nothing.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use e2e::{Error, Explain as _, Result, eventually};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request as HttpRequest;
use kube::ResourceExt as _;
use serde_json::Value;

use super::{
    opening::Opened,
    processor::Times,
    recorded::{Recorded, Request},
    substitute::Substitute,
    world::{World, grants},
};

/// How long the API server may take to see rights that were just given.
const RIGHTS_WITHIN: Duration = Duration::from_secs(5);

/// A bare loop's result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    /// How long it took.
    pub seconds: f64,
    /// How many requests it sent.
    pub requests: usize,
    /// What each process took for it.
    pub processor: Times,
}

/// Creates the objects that one grant has, for so many others.
pub async fn objects(
    world: &World,
    recorded: &Recorded,
    batch: &str,
    count: usize,
    workers: usize,
) -> Result<Floor> {
    let creations = creations(&recorded.requests);
    let salt = if batch.ends_with('a') { 0x1000_0000 } else { 0x2000_0000 };
    let loads = (0..count).map(|number| {
        let uid = format!("{salt:08x}-0000-4000-8000-{number:012x}");
        let name = format!("{batch}-{number:05}");
        let substitute = Substitute::new(recorded, &name, &uid, salt + number);
        creations.iter().map(|request| substitute.apply(request)).collect()
    });
    let floor = send_all(world, loads.collect(), workers).await?;
    world.remove(batch).await?;
    Ok(floor)
}

/// Sends again what was sent for each of the grants, for as many new ones.
pub async fn requests(world: &World, opened: &[Opened], workers: usize) -> Result<Floor> {
    let recorded = Recorded::read_all(&world.admin, opened)?;
    let fresh = grants("replay", opened.len(), "24h")?;
    let create = async |grant| world.create(grant).await;
    let made: Vec<_> = stream::iter(&fresh).map(create).buffered(workers).try_collect().await?;
    let loads = recorded.iter().zip(&made).enumerate().map(|(number, (recorded, grant))| {
        let uid = grant.uid().unwrap_or_default();
        let substitute = Substitute::new(recorded, &grant.name_any(), &uid, 0x3000_0000 + number);
        recorded.requests.iter().map(|request| substitute.apply(request)).collect()
    });
    let floor = send_all(world, loads.collect(), workers).await?;
    world.remove("replay").await?;
    Ok(floor)
}

/// Of all requests those that make an object, as plain creations.
fn creations(requests: &[Request]) -> Vec<Request> {
    let mut made = HashSet::new();
    let mut creations = Vec::new();
    for request in requests {
        let path = request.uri.split('?').next().unwrap_or_default();
        let is_event = path.contains("/events");
        let (collection, name) = match request.method {
            "POST" => (path, name_in(&request.body)),
            _ => path.rsplit_once('/').map_or((path, String::new()), |(rest, name)| (rest, name.to_owned())),
        };
        let makes = request.method == "POST" || request.content_type == "application/apply-patch+yaml";
        let is_whole = !path.ends_with("/status") && !path.contains("/partnergrants/");
        if makes && is_whole && !is_event && made.insert(format!("{collection}/{name}")) {
            let uri = collection.to_owned();
            creations.push(Request {
                method: "POST",
                uri,
                content_type: "application/json",
                ..request.clone()
            });
        }
    }
    creations
}

fn name_in(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Sends every load, in its order, `workers` loads at once.
pub async fn send_all(world: &World, loads: Vec<Vec<Request>>, workers: usize) -> Result<Floor> {
    let requests = loads.iter().map(Vec::len).sum();
    let before = Times::read(&world.admin, None)?;
    let began = Instant::now();
    let send_load = async |load: Vec<Request>| {
        for request in load {
            send(world, &request).await?;
        }
        Ok::<_, Error>(())
    };
    stream::iter(loads).map(send_load).buffer_unordered(workers).try_collect::<Vec<_>>().await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Floor { seconds, requests, processor: Times::read(&world.admin, None)?.since(before) })
}

/// Sends a request; again where the API server has yet to see the rights that a RoleBinding of a
/// moment ago gives. Comity has to wait for them too.
async fn send(world: &World, request: &Request) -> Result<()> {
    let what = "the rights that were just given";
    let sent = eventually(what, RIGHTS_WITHIN, async || match send_once(world, request).await {
        Err(error) if error.refusal().is_some_and(|status| status.code == 403) => Err(error.to_string()),
        sent => Ok(sent),
    });
    sent.await?.explain(format!("{} {}", request.method, request.uri))
}

async fn send_once(world: &World, request: &Request) -> Result<()> {
    let built = HttpRequest::builder()
        .method(request.method)
        .uri(&request.uri)
        .header("content-type", request.content_type)
        .body(request.body.clone().into_bytes())
        .explain("build a request")?;
    let client = world.processes[request.by].client();
    let answer: Result<Value, _> = client.request(built).await;
    answer.map(drop).map_err(Error::from)
}
