//! What matters of the Services in the cluster: whom they select, and which ports of theirs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::contract::Protocol;
use crate::api::effective::TargetPort;
use crate::policy::ServiceFacts;

/// The Services that stand, by namespace and name.
#[derive(Debug, Default)]
pub struct Services {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    facts: HashMap<String, BTreeMap<String, ServiceFacts>>,
    /// While a watch tells of all Services anew: those that it has told of.
    told: Option<HashSet<(String, String)>>,
}

impl Services {
    /// The Services of a namespace, by name.
    pub fn of_namespace(&self, namespace: &str) -> BTreeMap<String, ServiceFacts> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.facts.get(namespace).cloned().unwrap_or_default()
    }

    /// Takes a Service; tells whether what matters of it has changed.
    pub fn put(&self, service: &Service) -> bool {
        let (Some(namespace), Some(name)) = (&service.metadata.namespace, &service.metadata.name) else {
            return false;
        };
        let facts = facts(service);
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = &mut inner.told {
            told.insert((namespace.clone(), name.clone()));
        }
        let before = inner.facts.entry(namespace.clone()).or_default().insert(name.clone(), facts.clone());
        before != Some(facts)
    }

    /// Takes that a Service is gone.
    pub fn remove(&self, metadata: &ObjectMeta) {
        let (Some(namespace), Some(name)) = (&metadata.namespace, &metadata.name) else {
            return;
        };
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(services) = inner.facts.get_mut(namespace) {
            services.remove(name);
        }
    }

    /// A watch begins to tell of all Services anew. Until it has, the old ones stand: a Service
    /// that is missing for a moment would close access.
    pub fn begin(&self) {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).told = Some(HashSet::new());
    }

    /// A watch has told of all Services: what it didn't tell of is gone. Gives the namespaces that
    /// lost one.
    pub fn end(&self) -> Vec<String> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = inner.told.take() else { return Vec::new() };
        let mut poorer = Vec::new();
        for (namespace, services) in &mut inner.facts {
            let before = services.len();
            services.retain(|name, _| told.contains(&(namespace.clone(), name.clone())));
            if services.len() < before {
                poorer.push(namespace.clone());
            }
        }
        poorer
    }
}

/// What matters of a Service. One that is being deleted, or that sends traffic to a name
/// elsewhere, selects nothing.
pub fn facts(service: &Service) -> ServiceFacts {
    let spec = service.spec.clone().unwrap_or_default();
    let external = spec.type_.as_deref() == Some("ExternalName");
    if external || service.metadata.deletion_timestamp.is_some() {
        return ServiceFacts::default();
    }
    let ports = spec.ports.unwrap_or_default();
    ServiceFacts {
        selector: spec.selector.unwrap_or_default(),
        targets: ports.iter().filter_map(|port| Some((port.port, target(port)?))).collect(),
    }
}

/// The pods' port behind a Service's port; none for protocols that no contract can name.
fn target(port: &ServicePort) -> Option<TargetPort> {
    let protocol = match port.protocol.as_deref() {
        None | Some("TCP") => Protocol::Tcp,
        Some("UDP") => Protocol::Udp,
        Some(_) => return None,
    };
    let (number, name) = match &port.target_port {
        Some(IntOrString::String(name)) => (None, Some(name.as_str().into())),
        Some(IntOrString::Int(number)) if *number > 0 => (Some(*number), None),
        _ => (Some(port.port), None),
    };
    Some(TargetPort { number, name, protocol })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> Service {
        let mut service = Service::default();
        service.metadata.name = Some(name.to_owned());
        service.metadata.namespace = Some("risk-data".to_owned());
        service
    }

    #[test]
    fn only_what_matters_of_a_service_is_news() {
        let services = Services::default();
        assert!(services.put(&service("tx")));
        let mut annotated = service("tx");
        annotated.metadata.resource_version = Some("2".to_owned());
        assert!(!services.put(&annotated));
    }

    #[test]
    fn what_a_relist_doesnt_tell_of_is_gone_and_whose_loss_that_is_is_told() {
        let services = Services::default();
        services.put(&service("tx"));
        services.put(&service("other"));
        services.begin();
        assert_eq!(services.of_namespace("risk-data").len(), 2, "the old ones stand meanwhile");
        services.put(&service("other"));
        assert_eq!(services.end(), ["risk-data"]);
        assert_eq!(services.of_namespace("risk-data").len(), 1);
    }
}
