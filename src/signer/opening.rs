//! A stage of a grant as the signer sees it: whose it is, until when, and who works there.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::ca::{Chest, Need, Owner};
use super::site::Site;
use super::witness::{Doubt, Testimony};
use crate::api::contract::KeyDelivery;
use crate::api::name::{self, WorkloadIdentity};
use crate::api::stage::Stage;
use crate::pki::{PkiError, SpiffeId};

/// One opening of a stage, with all that its certificates and their authority follow from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opening {
    /// Namespace of the grant and its contract.
    pub namespace: String,
    /// Name of the grant.
    pub grant: String,
    /// UID of the grant.
    pub grant_uid: String,
    /// Name of the partner.
    pub partner: String,
    /// Name of the contract.
    pub contract: String,
    /// UID of the contract, after which its authorities are named.
    pub contract_uid: String,
    /// The stage.
    pub stage: Stage,
    /// The digest of what was opened.
    pub digest: String,
    /// The recorded end. Nothing that is signed outlives it.
    pub end: Timestamp,
    /// When the contract ends. Its authorities last as long.
    pub contract_end: Timestamp,
    /// How long a certificate lives.
    pub ttl: SignedDuration,
    /// The workloads whose keys are made here and kept in Secrets, by name.
    pub workloads: Vec<String>,
    /// All workloads that were agreed to, by name.
    pub every_workload: Vec<String>,
    /// Who may make keys beside the signer.
    pub makers: Makers,
    /// Whether the stage is to have certificates now: it is open, and neither held nor being closed.
    pub open: bool,
    /// Where it isn't open: whether that is for good, and not for the time being.
    pub over: bool,
    /// Why the journal isn't believed that opens it, if so: then nothing is signed for it.
    pub doubt: Option<Doubt>,
    /// Where it was read at this moment: how far its journal is believed.
    pub compared: Option<Testimony>,
}

/// Who may make keys beside the signer, as the contract says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Makers {
    /// Nodes may, those of their pods.
    pub nodes: bool,
    /// The partner may: workloads on their side enrol.
    pub partner: bool,
}

impl Makers {
    /// Those who make keys where they are delivered in these ways.
    pub fn of(ways: &[KeyDelivery]) -> Self {
        let is_way = |way: KeyDelivery| ways.contains(&way);
        let (nodes, partner) = (KeyDelivery::PodCertificate, KeyDelivery::CertificateSigningRequest);
        Self { nodes: is_way(nodes), partner: is_way(partner) }
    }
}

impl Opening {
    /// The namespace of the stage.
    pub fn place(&self) -> String {
        name::stage_namespace(&self.grant, &self.grant_uid, self.stage, &self.digest)
    }

    /// The same of a grant that is gone, or whose journal is broken: nothing is signed for it.
    #[must_use]
    pub fn gone(self) -> Self {
        Self { open: false, ..self }
    }

    /// Where its authorities are kept.
    pub fn chest(&self) -> Chest {
        Chest::of(&self.contract_uid, self.stage)
    }

    /// For whom its authorities are.
    pub fn owner(&self) -> Owner {
        let (namespace, contract) = (self.namespace.clone(), self.contract.clone());
        Owner { namespace, contract, stage: self.stage }
    }

    /// What it asks of its authorities.
    pub fn need(&self) -> Need {
        Need { ttl: self.ttl, until: self.contract_end.max(self.end) }
    }

    /// Whether any of its workloads may have a certificate.
    pub const fn is_certified(&self) -> bool {
        let elsewhere = self.makers.nodes || self.makers.partner;
        !self.workloads.is_empty() || elsewhere && !self.every_workload.is_empty()
    }

    /// The SPIFFE ID of one of its workloads.
    pub fn identity(&self, trust_domain: &str, workload: &str) -> Result<SpiffeId, PkiError> {
        SpiffeId::workload(&name::spiffe_id(
            trust_domain,
            &WorkloadIdentity {
                partner: &self.partner,
                namespace: &self.namespace,
                grant: &self.grant,
                stage: self.stage,
                opening_hash: &name::opening_hash(&self.grant_uid, &self.digest),
                workload,
            },
        ))
    }

    /// The workload that runs as this ServiceAccount, if it is one of its own.
    pub fn workload_of(&self, account: &str) -> Option<&str> {
        let mut workloads = self.every_workload.iter().map(String::as_str);
        workloads.find(|workload| name::workload_service_account(workload) == account)
    }

    /// The labels of everything that is written for it.
    pub fn labels(&self) -> BTreeMap<String, String> {
        [
            (name::LABEL_GRANT_UID, self.grant_uid.as_str()),
            (name::LABEL_GRANT, self.grant.as_str()),
            (name::LABEL_GRANT_NAMESPACE, self.namespace.as_str()),
            (name::LABEL_STAGE, self.stage.lower()),
            (name::LABEL_MANAGED_BY, name::MANAGED_BY),
        ]
        .into_iter()
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .collect()
    }

    /// Whether this is the namespace that was made for it, by name and labels both.
    ///
    /// Someone could have made one of this name before; nobody else can have set the labels.
    pub fn owns(&self, site: &Site) -> bool {
        let is = |label: &str, value: &str| site.labels.get(label).is_some_and(|found| found == value);
        site.name == self.place()
            && is(name::LABEL_GRANT_UID, &self.grant_uid)
            && is(name::LABEL_STAGE, self.stage.lower())
    }
}
