//! A list, page by page: while one is read, the next is asked for.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use kube::api::{ListParams, Request};
use kube::{Api, Client, Error, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::task::{JoinError, spawn_blocking};

use super::readable::read;

/// How many objects one answer holds.
const PAGE: u32 = 125;

/// What is read of a page before its objects are: where the next one begins.
#[derive(Debug, Deserialize)]
struct Page {
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// The objects of a page.
#[derive(Debug, Deserialize)]
struct Items<K> {
    items: Vec<K>,
}

/// Every object of a list.
pub async fn all<K>(client: &Client, api: &Api<K>, params: ListParams) -> Result<Vec<K>, Error>
where
    K: Resource + DeserializeOwned + Send + 'static,
{
    let mut params = params.limit(PAGE);
    let mut pages = Vec::new();
    loop {
        let request = Request::new(api.resource_url()).list(&params).map_err(Error::BuildRequest)?;
        let text = client.request_text(request).await?;
        let next = read::<Page>(&text)?.metadata.next;
        pages.push(spawn_blocking(move || read::<Items<K>>(&text)));
        match next.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    let mut all = Vec::new();
    for page in pages {
        all.extend(page.await.map_err(stopped)??.items);
    }
    Ok(all)
}

/// Somebody stopped reading: the process is going down.
fn stopped(error: JoinError) -> Error {
    Error::Service(Box::new(error))
}
