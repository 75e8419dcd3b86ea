//! Every way in which `comity run` changes the cluster. What was written is in the catalogue at
//! once, so that the next look doesn't see less than was done.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::sync::Arc;

use http::Request as HttpRequest;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::DynamicResourceScope;
use kube::core::request::{Error as RequestError, Request};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde_json::{Value, json};

use super::catalogue::Catalogue;
use super::feed::{resource, to_value};
use super::readable::{Readable, read};
use crate::api::record::GrantRecordSpec;
use crate::api::{GrantRecord, PartnerGrant, name};
use crate::plan::compare::{correction, is_contained};
use crate::plan::objects::{Key, Kind, Live, Wanted};
use crate::plan::retry::Failure;

/// Answers that say no to what was asked, and will again: admission policies say 422 unless they
/// are told otherwise.
const REFUSALS: [u16; 4] = [400, 403, 413, 422];

/// Why the cluster couldn't be changed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The API server said no, or couldn't be reached.
    #[error("{what}: {source}")]
    Api {
        /// What was tried.
        what: String,
        /// What came back.
        source: kube::Error,
    },
    /// Something of that name is there already.
    #[error("{what}: it exists already")]
    Exists {
        /// What was tried.
        what: String,
    },
    /// It was there when it was looked at, and isn't any more.
    #[error("{what}: it is gone")]
    Gone {
        /// What was tried.
        what: String,
    },
    /// What was written isn't what is stored, however often it is written.
    #[error("{what}: the API server stores something else; see which webhook or controller changes it")]
    Stubborn {
        /// What was tried.
        what: String,
    },
    /// The API server forbids it, and will go on to.
    #[error("{what}: {why}")]
    Forbidden {
        /// What was tried.
        what: String,
        /// What it said.
        why: String,
    },
}

impl Failure for WriteError {}

impl WriteError {
    pub(super) fn new(what: impl Into<String>, source: kube::Error) -> Self {
        let what = what.into();
        match &source {
            kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists" => {
                Self::Exists { what }
            }
            kube::Error::Api(status) if REFUSALS.contains(&status.code) => {
                Self::Forbidden { what, why: status.message.clone() }
            }
            _ => Self::Api { what, source },
        }
    }

    /// Of two errors the first that is a refusal, or else the first: another try may help against the other.
    #[must_use]
    pub fn graver(first: Option<Self>, second: Self) -> Self {
        match first {
            Some(first) if first.is_refusal() || !second.is_refusal() => first,
            _ => second,
        }
    }

    /// Whether somebody refuses what was tried: the API server, a policy, or a webhook, which may answer with
    /// whatever code it likes, and of which a failure is an internal error. One that can't be reached refuses
    /// nothing, and what is gone or has changed meanwhile isn't refused.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Forbidden { .. } | Self::Stubborn { .. } => true,
            Self::Api { source: kube::Error::Api(status), .. } => {
                let is_passing = matches!(status.code, 404 | 408..=410 | 429);
                status.code == 500 || ((400..500).contains(&status.code) && !is_passing)
            }
            Self::Api { .. } | Self::Exists { .. } | Self::Gone { .. } => false,
        }
    }
}

/// Whether an error says that an object isn't there, or isn't the one that was meant.
pub(super) fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404 || status.code == 409)
}

/// The hand that changes the cluster.
#[derive(Clone)]
pub struct Writer {
    pub(super) client: Client,
    catalogue: Arc<Catalogue>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// A hand that writes with `client` and tells `catalogue` what it wrote.
    pub fn new(client: Client, catalogue: Arc<Catalogue>) -> Self {
        Self { client, catalogue }
    }

    /// Makes a namespace that must not exist yet: one that exists is never taken over.
    pub async fn create_namespace(&self, wanted: &Wanted) -> Result<(), WriteError> {
        let made = self.create(wanted).await?;
        self.keep(&wanted.key, made);
        Ok(())
    }

    /// Makes an object that must not exist yet.
    async fn create(&self, wanted: &Wanted) -> Result<DynamicObject, WriteError> {
        let what = || format!("creating {}", describe(&wanted.key));
        let object: DynamicObject = serde_json::from_value(wanted.body.clone())
            .map_err(|error| WriteError::new(what(), kube::Error::SerdeError(error)))?;
        let parameters = PostParams { field_manager: Some(name::RUN.to_owned()), ..PostParams::default() };
        let made = self.api::<DynamicObject>(&wanted.key).create(&parameters, &object).await;
        made.map_err(|error| WriteError::new(what(), error))
    }

    /// Makes an object that isn't there, as far as is known: that is half as much work for the API
    /// server as applying it. One that is there is applied, whole (server-side apply).
    async fn create_or_apply(&self, wanted: &Wanted) -> Result<DynamicObject, WriteError> {
        if wanted.key.kind == Kind::Namespace {
            return self.apply_to_namespace(wanted).await;
        }
        if !self.catalogue.objects.is_known(&wanted.key) {
            match self.create(wanted).await {
                Err(WriteError::Exists { .. }) => {}
                made => return made,
            }
        }
        let parameters = PatchParams::apply(name::RUN).force();
        self.patch(wanted, &parameters, &Patch::Apply(&wanted.body), "applying").await
    }

    /// Applies to the namespace that was looked at, and to no other. Applying makes what isn't there,
    /// so without its UID one that went a moment ago would come back empty, with its gate as it was.
    async fn apply_to_namespace(&self, wanted: &Wanted) -> Result<DynamicObject, WriteError> {
        let Some(live) = self.catalogue.objects.namespace(&wanted.key.name) else {
            return Err(WriteError::Gone { what: format!("applying {}", describe(&wanted.key)) });
        };
        let mut body = wanted.body.clone();
        body["metadata"]["uid"] = Value::from(live.uid);
        self.patch(wanted, &PatchParams::apply(name::RUN).force(), &Patch::Apply(&body), "applying").await
    }

    /// Makes or applies an object, so that it says just what is wanted.
    pub async fn apply(&self, wanted: &Wanted) -> Result<(), WriteError> {
        let applied = to_value(self.create_or_apply(wanted).await?);
        let live = Live::from_value(applied.clone());
        if live.terminating || is_contained(wanted, &live) {
            self.catalogue.objects.put(wanted.key.kind, applied);
            return Ok(());
        }
        // Somebody added something, and it is theirs: applying leaves it.
        let parameters = PatchParams { field_manager: Some(name::RUN.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(correction(wanted, &live));
        let corrected = to_value(self.patch(wanted, &parameters, &patch, "correcting").await?);
        let is_corrected = is_contained(wanted, &Live::from_value(corrected.clone()));
        self.catalogue.objects.put(wanted.key.kind, corrected);
        if is_corrected {
            return Ok(());
        }
        Err(WriteError::Stubborn { what: format!("applying {}", describe(&wanted.key)) })
    }

    async fn patch<P: serde::Serialize + std::fmt::Debug>(
        &self,
        wanted: &Wanted,
        parameters: &PatchParams,
        patch: &Patch<P>,
        verb: &str,
    ) -> Result<DynamicObject, WriteError> {
        let api: Api<Readable<DynamicObject>> = self.api(&wanted.key);
        let answer = api.patch(&wanted.key.name, parameters, patch).await;
        answer
            .and_then(Readable::found)
            .map_err(|error| WriteError::new(format!("{verb} {}", describe(&wanted.key)), error))
    }

    /// Deletes an object if it is still the one with this UID.
    pub async fn delete(&self, key: &Key, uid: &str) -> Result<(), WriteError> {
        let only_this = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
        let place = (key.kind != Kind::Namespace).then_some(key.namespace.as_str());
        let request = Request::new(DynamicObject::url_path(&resource(key.kind), place));
        match self.answer(request.delete(&key.name, &parameters)).await {
            // What is said of it has no say in that it was deleted.
            Ok(answer) => match read::<Readable<DynamicObject>>(&answer).and_then(Readable::found) {
                Ok(object) if object.metadata.deletion_timestamp.is_some() => self.keep(key, object),
                _ => self.catalogue.objects.bury(key, uid),
            },
            // A webhook may say so too, of what is there.
            Err(error) if is_gone(&error) => {
                if self.lives(key, uid).await? {
                    let (what, why) = (format!("deleting {}", describe(key)), error.to_string());
                    return Err(WriteError::Forbidden { what, why });
                }
                self.catalogue.objects.bury(key, uid);
            }
            Err(error) => return Err(WriteError::new(format!("deleting {}", describe(key)), error)),
        }
        Ok(())
    }

    /// Whether an object is there, and still the one with this UID, by a live look.
    async fn lives(&self, key: &Key, uid: &str) -> Result<bool, WriteError> {
        let api: Api<Readable<DynamicObject>> = self.api(key);
        let found = api.get_opt(&key.name).await;
        let what = || format!("looking for {}", describe(key));
        let found = found.map_err(|error| WriteError::new(what(), error))?;
        Ok(found.is_some_and(|found| found.meta().uid.as_deref() == Some(uid)))
    }

    /// Appends a record. That its name is taken means that somebody else wrote that line.
    pub async fn append(&self, namespace: &str, spec: GrantRecordSpec) -> Result<(), WriteError> {
        let name = name::record(&spec.grant.uid.0, spec.sequence);
        let record = GrantRecord::new(&name, spec);
        let parameters = PostParams { field_manager: Some(name::RUN.to_owned()), ..PostParams::default() };
        let api: Api<GrantRecord> = Api::namespaced(self.client.clone(), namespace);
        match api.create(&parameters, &record).await {
            Ok(stored) => {
                self.catalogue.records.put(namespace, &name, stored.spec);
            }
            Err(error) => {
                let error = WriteError::new(format!("writing record {name}"), error);
                if matches!(error, WriteError::Exists { .. }) {
                    self.read_record(namespace, &name).await;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes a line that somebody else wrote, which a watch has yet to tell.
    async fn read_record(&self, namespace: &str, name: &str) {
        let api: Api<Readable<GrantRecord>> = Api::namespaced(self.client.clone(), namespace);
        if let Ok(Some(Readable(Ok(record)))) = api.get_opt(name).await {
            self.catalogue.records.put(namespace, name, record.spec);
        }
    }

    /// Whether a grant is there, and still the one with this UID, by a live look.
    pub async fn is_standing(&self, namespace: &str, grant: &str, uid: &str) -> Result<bool, WriteError> {
        let api: Api<Readable<PartnerGrant>> = Api::namespaced(self.client.clone(), namespace);
        let found = api.get_opt(grant).await;
        let what = || format!("looking for the grant {namespace}/{grant}");
        let found = found.map_err(|error| WriteError::new(what(), error))?;
        Ok(found.is_some_and(|found| found.meta().uid.as_deref() == Some(uid)))
    }

    /// Puts the finalizer on a grant, or takes it off, if it is still the one with this UID. Gives
    /// the version that the grant then has, unless it is gone.
    pub async fn set_finalizer(
        &self,
        grant: &PartnerGrant,
        present: bool,
    ) -> Result<Option<String>, WriteError> {
        let others = grant.finalizers().iter().filter(|finalizer| *finalizer != name::FINALIZER);
        let mut finalizers: Vec<&str> = others.map(String::as_str).collect();
        if present {
            finalizers.push(name::FINALIZER);
        }
        let patch = json!({"metadata": {
            "uid": grant.uid(),
            "resourceVersion": grant.resource_version(),
            "finalizers": finalizers,
        }});
        let parameters = PatchParams { field_manager: Some(name::RUN.to_owned()), ..PatchParams::default() };
        let grants: Api<Readable<PartnerGrant>> =
            Api::namespaced(self.client.clone(), &grant.namespace().unwrap_or_default());
        match grants.patch(&grant.name_any(), &parameters, &Patch::Merge(patch)).await {
            Ok(patched) => Ok(patched.resource_version()),
            Err(kube::Error::Api(status)) if status.code == 404 && !present => Ok(None),
            Err(error) => Err(WriteError::new("setting the finalizer", error)),
        }
    }

    /// What the API server answers to a request, in its own words. The client would log an answer that
    /// it can't read, with all that is in it.
    pub(super) async fn answer(
        &self,
        request: Result<HttpRequest<Vec<u8>>, RequestError>,
    ) -> Result<String, kube::Error> {
        self.client.request_text(request.map_err(kube::Error::BuildRequest)?).await
    }

    fn api<K>(&self, key: &Key) -> Api<K>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    {
        let resource = resource(key.kind);
        if key.kind == Kind::Namespace {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &key.namespace, &resource)
        }
    }

    fn keep(&self, key: &Key, object: DynamicObject) {
        let value: Value = to_value(object);
        self.catalogue.objects.put(key.kind, value);
    }
}

/// An object in words.
fn describe(key: &Key) -> String {
    let kind = key.kind.api().kind;
    if key.kind == Kind::Namespace {
        format!("{kind} {}", key.name)
    } else {
        format!("{kind} {}/{}", key.namespace, key.name)
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn answered(code: u16) -> WriteError {
        let status = Status { code, message: code.to_string(), ..Status::default() };
        WriteError::new("applying", kube::Error::Api(status.boxed()))
    }

    #[test]
    fn whoever_says_no_refuses_by_any_code_but_those_that_pass() {
        for code in [400, 401, 402, 403, 405, 418, 422, 451, 500] {
            assert!(answered(code).is_refusal(), "{code}");
        }
        for code in [404, 408, 409, 410, 429, 502, 503, 504] {
            assert!(!answered(code).is_refusal(), "{code}");
        }
    }

    #[test]
    fn a_refusal_is_told_before_what_may_pass_and_the_first_of_each() {
        let told = |codes: &[u16]| {
            let gravest =
                codes.iter().fold(None, |known, code| Some(WriteError::graver(known, answered(*code))));
            gravest.map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(told(&[503, 403, 422]).contains("403"));
        assert!(told(&[403, 503]).contains("403"));
        assert!(told(&[503, 504]).contains("503"));
    }
}
