//! A small API server in memory, for tests of conductors: it stores what it is sent, answers as
//! the real one would where it matters, and remembers every request, so that a test can say which
//! requests are made, and that a second run makes none that writes.
//!
//! It knows nothing of admission, defaults or watches: those are for the stories on a real one.
#![expect(clippy::disallowed_types, reason = "it stands in for the cluster that a client talks to")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// The server. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct FakeApi(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Value>,
    requests: Vec<String>,
    version: u64,
    faults: Vec<Fault>,
    until_crash: Option<usize>,
    is_unheard: bool,
    kept: Vec<String>,
}

#[derive(Debug)]
struct Fault {
    matches: String,
    code: StatusCode,
    times: usize,
}

impl FakeApi {
    /// A client of this server. Needs a runtime.
    pub fn client(&self) -> Client {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let server = self.clone();
        tokio::spawn(async move {
            while let Some((request, respond)) = handle.next_request().await {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                respond.send_response(server.answer(&parts, &body));
            }
        });
        Client::new(service, "default")
    }

    /// Stores an object as if somebody else had, and gives it a UID and a version.
    pub fn put(&self, path: &str, object: impl serde::Serialize) {
        let object = serde_json::to_value(object).unwrap();
        self.state().store(path, object);
    }

    /// Removes an object as if somebody else had.
    pub fn remove(&self, path: &str) {
        self.state().objects.remove(path);
    }

    /// An object as it is stored.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.get(path).cloned()
    }

    /// Changes an object as if somebody else had.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(path).unwrap();
        change(&mut object);
        self.state().store(path, object);
    }

    /// The next `times` requests that contain `matches` (`METHOD path`) are answered with `code`.
    pub fn fail(&self, matches: &str, code: u16, times: usize) {
        let code = StatusCode::from_u16(code).unwrap();
        self.state().faults.push(Fault { matches: matches.to_owned(), code, times });
    }

    /// Objects below this path are there although they were deleted, as those are that take their time.
    pub fn keep_what_is_deleted(&self, path: &str) {
        self.state().kept.push(path.to_owned());
    }

    /// Lets so many more requests through, and none after: as if the caller crashed there. Events are
    /// told beside the rest, and don't count.
    pub fn crash_after(&self, requests: usize) {
        self.state().until_crash = Some(requests);
    }

    /// The same, but that the next request after them is done, and the caller doesn't hear of it.
    pub fn crash_unheard_after(&self, requests: usize) {
        let mut state = self.state();
        (state.until_crash, state.is_unheard) = (Some(requests), true);
    }

    /// Everything that is stored, by path.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        self.state().objects.clone()
    }

    /// Lets every request through again.
    pub fn heal(&self) {
        let mut state = self.state();
        (state.until_crash, state.is_unheard) = (None, false);
        state.faults.clear();
    }

    /// The requests since the last time this was asked, as `METHOD path`.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().requests)
    }

    /// The requests that write, since the last time that requests were asked for.
    pub fn writes(&self) -> Vec<String> {
        self.requests().into_iter().filter(|request| !request.starts_with("GET ")).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn answer(&self, parts: &http::request::Parts, body: &[u8]) -> Response<Body> {
        let mut state = self.state();
        let path = parts.uri.path().to_owned();
        let request = format!("{} {path}", parts.method);
        state.requests.push(request.clone());
        if state.is_unheard && state.until_crash == Some(0) && !path.ends_with("/events") {
            state.is_unheard = false;
            state.handle(&parts.method, &path, body);
        }
        let (code, answer) = state
            .fault(&request)
            .or_else(|| without_effect(parts, body))
            .unwrap_or_else(|| state.handle(&parts.method, &path, body));
        let body = Body::from(serde_json::to_vec(&answer).unwrap());
        Response::builder().status(code).body(body).unwrap()
    }
}

type Answer = (StatusCode, Value);

impl State {
    fn fault(&mut self, request: &str) -> Option<Answer> {
        match self.until_crash.filter(|_| !request.ends_with("/events")) {
            Some(0) => return Some(failure(StatusCode::INTERNAL_SERVER_ERROR, "crashed")),
            Some(left) => self.until_crash = Some(left - 1),
            None => (),
        }
        let fault =
            self.faults.iter_mut().find(|fault| fault.times > 0 && request.contains(&fault.matches))?;
        fault.times -= 1;
        Some(failure(fault.code, "asked for by the test"))
    }

    fn handle(&mut self, method: &Method, path: &str, body: &[u8]) -> Answer {
        match *method {
            Method::GET => self.read(path),
            Method::POST => self.create(path, body),
            Method::PUT => self.replace(path, body),
            Method::PATCH => self.apply(path, body),
            Method::DELETE => self.delete(path, body),
            _ => failure(StatusCode::METHOD_NOT_ALLOWED, "not served"),
        }
    }

    fn read(&self, path: &str) -> Answer {
        if let Some(object) = self.objects.get(path) {
            return (StatusCode::OK, object.clone());
        }
        let below = format!("{path}/");
        let items: Vec<&Value> =
            self.objects.iter().filter(|(at, _)| at.starts_with(&below)).map(|(_, one)| one).collect();
        let collection =
            path.rsplit('/').next().is_some_and(|last| last.ends_with('s') && !last.contains('-'));
        if items.is_empty() && !collection {
            return failure(StatusCode::NOT_FOUND, "not found");
        }
        (StatusCode::OK, json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}))
    }

    fn create(&mut self, path: &str, body: &[u8]) -> Answer {
        let mut object: Value = serde_json::from_slice(body).unwrap();
        if let Some(prefix) = object["metadata"]["generateName"].as_str() {
            object["metadata"]["name"] = format!("{prefix}{}", self.version).into();
        }
        let path = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap());
        if self.objects.contains_key(&path) {
            let (code, mut answer) = failure(StatusCode::CONFLICT, "already exists");
            answer["reason"] = Value::from("AlreadyExists");
            return (code, answer);
        }
        (StatusCode::CREATED, self.store(&path, object))
    }

    fn replace(&mut self, path: &str, body: &[u8]) -> Answer {
        let object: Value = serde_json::from_slice(body).unwrap();
        let Some(live) = self.objects.get(path) else { return failure(StatusCode::NOT_FOUND, "not found") };
        let version = &object["metadata"]["resourceVersion"];
        if !version.is_null() && *version != live["metadata"]["resourceVersion"] {
            return failure(StatusCode::CONFLICT, "the object has been modified");
        }
        if object["type"] != live["type"] {
            return failure(StatusCode::UNPROCESSABLE_ENTITY, "type: field is immutable");
        }
        (StatusCode::OK, self.store(path, object))
    }

    /// Server-side apply, near enough: what is applied is set, the rest stays, but for a status,
    /// which has one writer.
    fn apply(&mut self, path: &str, body: &[u8]) -> Answer {
        let applied: Value = serde_json::from_slice(body).unwrap();
        let mut object = self.objects.get(path).cloned().unwrap_or_else(|| json!({}));
        let meant = &applied["metadata"]["uid"];
        if path.ends_with("/status") {
            object["status"] = Value::Null;
        } else if !meant.is_null() && *meant != object["metadata"]["uid"] {
            return failure(StatusCode::CONFLICT, "uid mismatch");
        }
        merge(&mut object, applied);
        (StatusCode::OK, self.store(path, object))
    }

    fn delete(&mut self, path: &str, body: &[u8]) -> Answer {
        let Some(live) = self.objects.get(path) else { return failure(StatusCode::NOT_FOUND, "not found") };
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        let wanted = &options["preconditions"]["uid"];
        if !wanted.is_null() && *wanted != live["metadata"]["uid"] {
            return failure(StatusCode::CONFLICT, "the UID in the precondition doesn't match");
        }
        if self.kept.iter().any(|kept| path.starts_with(kept)) {
            return (StatusCode::OK, live.clone());
        }
        self.objects.remove(path);
        (StatusCode::OK, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        let before = self.objects.get(path).map(|live| live["metadata"]["uid"].clone());
        let fresh = || Value::from(format!("uid-{}", self.version));
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = before.unwrap_or_else(fresh);
        }
        object["metadata"]["resourceVersion"] = Value::from(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }
}

/// The answer to what stores nothing: a dry run comes to what was sent, and everybody may do everything.
fn without_effect(parts: &http::request::Parts, body: &[u8]) -> Option<Answer> {
    let is_review = parts.uri.path().ends_with("accessreviews");
    let is_tried = parts.uri.query().is_some_and(|query| query.contains("dryRun=All"));
    let mut object: Value = (is_review || is_tried).then(|| serde_json::from_slice(body).ok())??;
    if is_review {
        object["status"] = json!({"allowed": true});
    }
    Some((StatusCode::CREATED, object))
}

/// Sets what is applied, and leaves the rest.
pub fn merge(object: &mut Value, applied: Value) {
    match (object, applied) {
        (Value::Object(object), Value::Object(applied)) => {
            for (field, value) in applied {
                merge(object.entry(field).or_insert(Value::Null), value);
            }
        }
        (object, applied) => *object = applied,
    }
}

fn failure(code: StatusCode, message: &str) -> Answer {
    let reason = code.canonical_reason().unwrap_or_default().replace(' ', "");
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code.as_u16(), "reason": reason, "message": message,
    });
    (code, status)
}
