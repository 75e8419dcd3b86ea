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
        let next = next(&text)?;
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

/// Where the next page begins; `None`: nowhere.
fn next(text: &str) -> Result<Option<String>, Error> {
    let metadata = match at_the_end(text) {
        Some(metadata) => metadata,
        None => read::<Page>(text)?.metadata,
    };
    Ok(metadata.next)
}

/// What is read of a page where it comes last, as it does of kinds that the API server doesn't know by itself: nobody
/// has to read all that stands before for that.
fn at_the_end(text: &str) -> Option<Metadata> {
    let (_, last) = text.rsplit_once("\"metadata\":")?;
    let mut values = serde_json::Deserializer::from_str(last).into_iter::<Metadata>();
    let metadata = values.next()?.ok()?;
    // What ends in any other way is of an object of the list.
    (last.get(values.byte_offset()..)?.trim() == "}").then_some(metadata)
}

/// Somebody stopped reading: the process is going down.
fn stopped(error: JoinError) -> Error {
    Error::Service(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_wherever_it_stands() {
        let item = r#"{"kind":"X","metadata":{"name":"a","continue":"no"}}"#;
        let says = r#"{"metadata":{"name":"b"},"spec":{"said":"\"metadata\":{\"continue\":\"no\"}}"}}"#;
        for items in ["", item, says] {
            let last = format!("{{\"items\":[{items}],\"metadata\":{{\"continue\":\"yes\"}}}}\n");
            let first = format!("{{\"metadata\":{{\"continue\":\"yes\"}},\"items\":[{items}]}}");
            assert_eq!(at_the_end(&last).and_then(|metadata| metadata.next).as_deref(), Some("yes"));
            assert!(at_the_end(&first).is_none(), "{first}");
            for text in [last, first] {
                assert_eq!(next(&text).unwrap().as_deref(), Some("yes"), "{text}");
            }
        }
        assert_eq!(next(r#"{"items":[],"metadata":{}}"#).unwrap(), None);
        assert!(next(r#"{"items":[]"#).is_err());
    }
}
