//! What whoever serves the datasets is given to verify the workloads of a stage: whom to believe, and which
//! identities to expect, in the namespace of the datasets, where the platform opted in.
//!
//! Each opening has a ConfigMap of its own there: anchors of several contracts or stages in one pool would let each
//! of them speak for all. It goes with the opening, and by Kubernetes itself with the grant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource as _, ResourceExt as _};

use super::build::{self, ANCHOR_KEY};
use super::decide::{differs, doomed};
use super::error::SignError;
use super::opening::Opening;
use super::reconcile::Context;
use crate::api::{PartnerGrant, name};
use crate::pki::{PkiError, Trust};

/// In the ConfigMap: the SPIFFE IDs of the workloads, one a line.
pub const IDENTITIES_KEY: &str = "identities";

/// What is given of an opening.
pub fn offered(opening: &Opening, trust: &Trust, trust_domain: &str) -> Result<ConfigMap, PkiError> {
    let identities: Result<String, PkiError> = opening
        .every_workload
        .iter()
        .map(|workload| Ok(format!("{}\n", opening.identity(trust_domain, workload)?)))
        .collect();
    let data = [(ANCHOR_KEY, trust.pem().to_owned()), (IDENTITIES_KEY, identities?)];
    let data: BTreeMap<String, String> = data.map(|(key, text)| (key.to_owned(), text)).into();
    let mut metadata = build::metadata(opening, &opening.namespace, name::dataset_trust(&opening.place()));
    metadata.owner_references = Some(vec![OwnerReference {
        api_version: PartnerGrant::api_version(&()).into_owned(),
        kind: PartnerGrant::kind(&()).into_owned(),
        name: opening.grant.clone(),
        uid: opening.grant_uid.clone(),
        ..OwnerReference::default()
    }]);
    Ok(ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })
}

impl Context {
    /// Sees to it that the namespace of the datasets is given what an opening comes to. That it can't be written
    /// there takes nothing from the stage.
    pub(super) async fn offer(
        &self,
        grant: &PartnerGrant,
        opening: &Opening,
        now: Timestamp,
    ) -> Result<(), SignError> {
        match self.offered(grant, opening, now).await {
            // The platform didn't let it in, which is how it mostly is.
            Err(error) if error.code() == Some(403) => {
                tracing::debug!(namespace = opening.namespace, %error, "what verifies a stage is given to nobody");
                Ok(())
            }
            Err(error @ SignError::Refused { .. }) => {
                let namespace = &opening.namespace;
                tracing::warn!(namespace, %error, "what verifies a stage can't be written where its datasets are");
                Ok(())
            }
            done => done,
        }
    }

    async fn offered(
        &self,
        grant: &PartnerGrant,
        opening: &Opening,
        now: Timestamp,
    ) -> Result<(), SignError> {
        let (at, called) = (&opening.namespace, name::dataset_trust(&opening.place()));
        if !opening.open || opening.end <= now {
            return self.take_back(grant, opening, now).await;
        }
        if !self.observer.has_opted_in(at) || !opening.is_certified() || opening.doubt.is_some() {
            return Ok(());
        }
        // Where nobody can say whom to believe, what was given stays: what was signed goes on until it ends.
        let Some(trust) = self.tender.authorities().of(opening, now).await?.trust else { return Ok(()) };
        let wanted = offered(opening, &trust, self.tender.trust_domain())?;
        let live: Option<ConfigMap> = self.talk.get(at, &called).await?;
        if !differs(&wanted, live.as_ref()) {
            return Ok(());
        }
        let (opening, _) = self.observer.live(grant, opening, now).await?;
        if !opening.open || opening.end <= now || opening.doubt.is_some() {
            return Ok(());
        }
        tracing::info!(namespace = at, name = called, "what verifies a stage is given to its datasets");
        self.talk.put(&offered(&opening, &trust, self.tender.trust_domain())?, live.as_ref()).await
    }

    /// Takes back what was given of an opening that isn't open any more.
    async fn take_back(
        &self,
        grant: &PartnerGrant,
        opening: &Opening,
        now: Timestamp,
    ) -> Result<(), SignError> {
        let (at, called) = (&opening.namespace, name::dataset_trust(&opening.place()));
        let live: Option<ConfigMap> = self.talk.get(at, &called).await?;
        let Some(doomed) = live.filter(|live| is_of(live, opening)).and_then(|live| doomed(&live.metadata))
        else {
            return Ok(());
        };
        let (opening, _) = self.observer.live(grant, opening, now).await?;
        if opening.open && now < opening.end {
            return Ok(());
        }
        tracing::info!(
            namespace = at,
            name = called,
            "what verified a stage is taken back from its datasets"
        );
        self.talk.delete::<ConfigMap>(at, &doomed).await
    }

    /// Takes back what was given of openings that are over, and that nobody looks at any more.
    pub(super) async fn take_back_what_is_over(&self, now: Timestamp) -> Result<(), SignError> {
        let grants = self.observer.grants();
        let places: BTreeSet<String> = grants.iter().filter_map(|grant| grant.namespace()).collect();
        for place in places.iter().filter(|place| self.observer.has_opted_in(place)) {
            let given: Vec<ConfigMap> = match self.talk.list(place, name::LABEL_GRANT_UID).await {
                Err(error) if error.code() == Some(403) => continue,
                given => given?,
            };
            for given in given.iter().filter(|given| name::is_dataset_trust(&given.name_any())) {
                if let Some((grant, opening)) = self.over(given, place, now) {
                    self.offer(&grant, &opening, now).await?;
                }
            }
        }
        Ok(())
    }

    /// The opening that something was given of, if it is over. What a grant left behind that is gone, Kubernetes
    /// clears away.
    fn over(&self, given: &ConfigMap, place: &str, now: Timestamp) -> Option<(Arc<PartnerGrant>, Opening)> {
        let grant = self.observer.grant(place, given.labels().get(name::LABEL_GRANT)?)?;
        let openings = self.observer.cached(&grant, now).openings;
        let opening = openings.into_iter().find(|opening| is_of(given, opening))?;
        (!opening.open || opening.end <= now).then_some((grant, opening))
    }
}

/// Whether something was given of this opening.
fn is_of(given: &ConfigMap, opening: &Opening) -> bool {
    let of = given.labels().get(name::LABEL_GRANT_UID);
    of == Some(&opening.grant_uid) && given.name_any() == name::dataset_trust(&opening.place())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::testing::{TRUST_DOMAIN, authority, opening};

    #[test]
    fn it_says_whom_to_believe_and_whom_to_expect_and_goes_with_the_grant() {
        let (opening, authority) = (opening(), authority());
        let given = offered(&opening, &Trust::only(authority.anchor()), TRUST_DOMAIN).unwrap();
        assert_eq!(given.namespace(), Some("risk-data".to_owned()));
        let data = given.data.clone().unwrap();
        assert_eq!(data["ca.crt"], authority.anchor().pem());
        let expected: Vec<String> = ["scorer", "trainer"]
            .map(|workload| opening.identity(TRUST_DOMAIN, workload).unwrap().to_string())
            .into();
        assert_eq!(data["identities"].lines().collect::<Vec<_>>(), expected);
        assert_eq!(data.len(), 2, "and nothing else");
        let owners = given.owner_references();
        assert!(owners.len() == 1 && owners[0].uid == opening.grant_uid && owners[0].kind == "PartnerGrant");
        assert!(is_of(&given, &opening) && name::is_dataset_trust(&given.name_any()));
        let another = Opening { digest: "v1:sha256:01".to_owned(), ..opening.clone() };
        assert!(!is_of(&given, &another), "each opening has its own");
        let made_again = Opening { grant_uid: "another".to_owned(), ..opening };
        assert!(!is_of(&given, &made_again));
    }
}
