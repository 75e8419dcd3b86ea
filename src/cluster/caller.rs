//! A person at the command line: their kubeconfig, who the API server says that they are, and what
//! they ask of it, with their rights and no others.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::fmt::Debug;
use std::path::PathBuf;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, PostParams};
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::clock::Clock;
use super::pages;
use crate::api::GrantDecision;

/// Which cluster, as whom, and where in it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The kubeconfig file; `None`: as kubectl finds it.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; `None`: the current one.
    pub context: Option<String>,
    /// The namespace; `None`: the context's.
    pub namespace: Option<String>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig can't be used.
    #[error("the kubeconfig can't be used (name one with --kubeconfig, a context with --context)")]
    Kubeconfig(#[from] KubeconfigError),
    /// No client can be made of it.
    #[error("no client can be made of the kubeconfig")]
    Client(#[from] kube::Error),
}

/// Why a request wasn't answered as it was meant.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It isn't there.
    #[error("{what} isn't there")]
    Absent {
        /// What was asked for.
        what: String,
    },
    /// RBAC says no.
    #[error("{what} is forbidden: {message}")]
    Forbidden {
        /// What was asked for.
        what: String,
        /// What the API server says.
        message: String,
    },
    /// What was to be written isn't accepted: by the kind's definition, or by an admission policy.
    #[error("the API server refuses {what}: {message}")]
    Refused {
        /// What was to be written.
        what: String,
        /// What the API server says.
        message: String,
    },
    /// It is there, and isn't what its kind says.
    #[error("{what} can't be read: {error}")]
    Unreadable {
        /// What was asked for.
        what: String,
        /// Why.
        error: String,
    },
    /// The API server can't be reached, or is in trouble.
    #[error("{what} can't be had from the API server")]
    Trouble {
        /// What was asked for.
        what: String,
        /// What came back.
        source: kube::Error,
    },
    /// A watch ended.
    #[error("{what} can't be watched")]
    Watch {
        /// What was watched.
        what: String,
        /// What came back.
        source: watcher::Error,
    },
}

impl CallError {
    pub(super) fn of(what: impl Into<String>, error: kube::Error) -> Self {
        let what = what.into();
        match error {
            kube::Error::Api(status) if status.code == 404 => Self::Absent { what },
            kube::Error::Api(status) if status.code == 403 => {
                Self::Forbidden { what, message: status.message }
            }
            kube::Error::Api(status) if matches!(status.code, 400 | 409 | 413 | 422) => {
                Self::Refused { what, message: status.message }
            }
            source => Self::Trouble { what, source },
        }
    }
}

/// Who the API server says that somebody is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    /// Their name.
    pub name: String,
    /// Their groups.
    pub groups: Vec<String>,
}

/// Somebody's connection.
#[derive(Clone)]
pub struct Caller {
    pub(super) client: Client,
    clock: Clock,
    /// The namespace that they are in.
    pub namespace: String,
}

impl Caller {
    /// Connects. Nothing is asked yet.
    pub async fn connect(access: Access) -> Result<Self, ConnectError> {
        let Access { kubeconfig, context, namespace } = access;
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        let given = kubeconfig.is_some() || options.context.is_some();
        let file = match kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let config = match file {
            Ok(file) => Config::from_custom_kubeconfig(file, &options).await?,
            // In a pod there is no kubeconfig, and an account all the same.
            Err(error) if !given => Config::incluster().map_err(|_discarded| error)?,
            Err(error) => return Err(error.into()),
        };
        let clock = Clock::default();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = ClientBuilder::try_from(config)?.with_layer(&clock).build();
        Ok(Self { client, clock, namespace })
    }

    /// The same person in another namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    /// The time: the later of this machine's clock and what the API server told.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Who this is.
    pub async fn identity(&self) -> Result<Identity, CallError> {
        let review: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let answer = review.create(&PostParams::default(), &SelfSubjectReview::default()).await;
        let answer = answer.map_err(|error| CallError::of("who you are", error))?;
        let user = answer.status.and_then(|status| status.user_info).unwrap_or_default();
        Ok(Identity { name: user.username.unwrap_or_default(), groups: user.groups.unwrap_or_default() })
    }

    /// Whether they may do `verb` to the object `name` of a kind in their namespace.
    pub async fn may(&self, verb: &str, group: &str, resource: &str, name: &str) -> Result<bool, CallError> {
        let attributes = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            namespace: Some(self.namespace.clone()),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let answer = Api::all(self.client.clone()).create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| CallError::of("what you may do", error))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// One object of their namespace.
    pub async fn get<K>(&self, name: &str) -> Result<K, CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        api.get(name).await.map_err(|error| CallError::of(named::<K>(name), error))
    }

    /// One object that belongs to no namespace.
    pub async fn get_anywhere<K>(&self, name: &str) -> Result<K, CallError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.client.clone());
        api.get(name).await.map_err(|error| CallError::of(named::<K>(name), error))
    }

    /// All objects of a kind in their namespace.
    pub async fn list<K>(&self) -> Result<Vec<K>, CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Send + 'static,
    {
        self.every(Api::namespaced(self.client.clone(), &self.namespace), ListParams::default()).await
    }

    /// The objects of a kind in their namespace that have this label.
    pub async fn labelled<K>(&self, label: &str) -> Result<Vec<K>, CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Send + 'static,
    {
        let api = Api::namespaced(self.client.clone(), &self.namespace);
        self.every(api, ListParams::default().labels(label)).await
    }

    /// The objects of a kind that have this name, in whatever namespace.
    pub async fn called<K>(&self, name: &str) -> Result<Vec<K>, CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Send + 'static,
    {
        let api = Api::all(self.client.clone());
        self.every(api, ListParams::default().fields(&format!("metadata.name={name}"))).await
    }

    /// Writes down what is to be done with CAs.
    pub async fn order(&self, order: &ConfigMap) -> Result<ConfigMap, CallError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let made = api.create(&PostParams::default(), order).await;
        made.map_err(|error| CallError::of("the order", error))
    }

    /// All objects of a kind that belong to no namespace.
    pub async fn list_everywhere<K>(&self) -> Result<Vec<K>, CallError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Send + 'static,
    {
        self.every(Api::all(self.client.clone()), ListParams::default()).await
    }

    async fn every<K>(&self, api: Api<K>, params: ListParams) -> Result<Vec<K>, CallError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Send + 'static,
    {
        pages::all(&self.client, &api, params).await.map_err(|error| CallError::of(K::plural(&()), error))
    }

    /// Writes a decision down.
    pub async fn decide(&self, decision: &GrantDecision) -> Result<GrantDecision, CallError> {
        let api: Api<GrantDecision> = Api::namespaced(self.client.clone(), &self.namespace);
        let made = api.create(&PostParams::default(), decision).await;
        made.map_err(|error| CallError::of("the decision", error))
    }

    /// Watches an object of their namespace until `look` finds in it what it looks for; `None` is an
    /// object that isn't there. Trouble on the way is waited out, a refusal isn't.
    pub async fn until<K, T>(
        &self,
        name: &str,
        mut look: impl FnMut(Option<&K>) -> Option<T>,
    ) -> Result<T, CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut seen = Box::pin(watcher::watch_object(api, name));
        loop {
            match seen.next().await {
                Some(Ok(object)) => {
                    if let Some(found) = look(object.as_ref()) {
                        return Ok(found);
                    }
                }
                Some(Err(source)) if is_final(&source) => {
                    return Err(CallError::Watch { what: named::<K>(name), source });
                }
                Some(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
                None => return Err(CallError::Absent { what: named::<K>(name) }),
            }
        }
    }
}

/// Whether a watch that failed so fails again.
pub(super) fn is_final(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))) = error
    else {
        return false;
    };
    matches!(status.code, 401 | 403 | 404)
}

/// An object in words.
fn named<K: Resource<DynamicType = ()>>(name: &str) -> String {
    format!("{} {name}", K::kind(&()))
}
