//! An object as `kubectl get` prints it: the API server makes the columns.

use std::collections::BTreeMap;

use e2e::{Cluster, Error, Result};
use http::Request;
use serde_json::Value;

use super::told::Word;

/// The columns of an object's row, by their titles.
pub async fn row(cluster: &Cluster, word: &Word) -> Result<BTreeMap<String, String>> {
    let request = Request::get(&word.path)
        .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .map_err(|error| Error::Failed(error.to_string()))?;
    let table: Value = cluster.client().request(request).await?;
    let titles = table["columnDefinitions"].as_array().cloned().unwrap_or_default();
    let cells = table["rows"][0]["cells"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(titles.iter().map(|title| text(&title["name"])).zip(cells.iter().map(text)).collect())
}
