//! What the signer remembers of having compared journals with what people decided: for each grant
//! that people decided about, one ConfigMap in Comity's own namespace, which only it may write. Pure,
//! but for what is kept in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::witness::Testimony;
use crate::api::name;

/// In the ConfigMap: the number of the last record that was compared.
const THROUGH: &str = "through";
/// In the ConfigMap: the digest of that record.
const HEAD: &str = "head";

/// The ConfigMap that keeps a testimony, for the grant with this UID.
pub fn kept(system: &str, grant: &str, grant_uid: &str, testimony: &Testimony) -> ConfigMap {
    let labels = [
        (name::LABEL_MANAGED_BY, name::MANAGED_BY),
        (name::LABEL_GRANT_UID, grant_uid),
        (name::LABEL_GRANT, grant),
    ];
    let data = [(THROUGH, testimony.through.to_string()), (HEAD, testimony.head.clone().unwrap_or_default())];
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name::consent_config_map(grant_uid)),
            namespace: Some(system.to_owned()),
            labels: Some(labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        data: Some(data.map(|(key, value)| (key.to_owned(), value)).into()),
        ..ConfigMap::default()
    }
}

/// The testimony that a ConfigMap keeps. One that can't be read is none: everything is compared anew.
pub fn read(kept: &ConfigMap) -> Testimony {
    let part = |key: &str| kept.data.as_ref().and_then(|data| data.get(key));
    let through = part(THROUGH).and_then(|number| number.parse().ok()).filter(|number: &i64| *number > 0);
    through
        .zip(part(HEAD))
        .map_or_else(Testimony::default, |(through, head)| Testimony { through, head: Some(head.clone()) })
}

/// The UID of the grant that a ConfigMap is kept for, if it is one of these.
pub fn grant_of(kept: &ConfigMap) -> Option<String> {
    let uid = kept.labels().get(name::LABEL_GRANT_UID)?;
    (kept.name_any() == name::consent_config_map(uid)).then(|| uid.clone())
}

/// What is known of testimonies, by the UID of their grant. It spares requests.
#[derive(Debug, Default)]
pub struct Testimonies(Mutex<HashMap<String, Known>>);

/// What is known of one.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What is kept, as it was last read or written.
    pub testimony: Testimony,
    /// The head of a journal that was doubted, and how many decisions had been told of by then: without
    /// another of either it needn't be compared again.
    pub doubted: Option<(String, u64)>,
}

impl Testimonies {
    /// What is known for this grant.
    pub fn of(&self, grant_uid: &str) -> Option<Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(grant_uid).cloned()
    }

    /// Takes what was read, or written.
    pub fn note(&self, grant_uid: &str, known: Known) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(grant_uid.to_owned(), known);
    }

    /// Forgets those of grants that are gone.
    pub fn retain(&self, is_there: &dyn Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| is_there(uid));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_kept_is_read_and_anything_else_is_nothing() {
        let testimony = Testimony { through: 7, head: Some("sha256:aa".to_owned()) };
        let map = kept("comity-system", "northpay", "uid", &testimony);
        assert_eq!(read(&map), testimony);
        assert_eq!(grant_of(&map).as_deref(), Some("uid"));
        for (key, value) in [(THROUGH, "seven"), (THROUGH, "-1"), (THROUGH, "0")] {
            let mut spoilt = map.clone();
            spoilt.data.get_or_insert_default().insert(key.to_owned(), value.to_owned());
            assert_eq!(read(&spoilt), Testimony::default(), "{value}");
        }
        assert_eq!(read(&ConfigMap { data: Some(BTreeMap::new()), ..map.clone() }), Testimony::default());
        let other = ConfigMap { metadata: ObjectMeta { name: Some("x".to_owned()), ..map.metadata }, ..map };
        assert_eq!(grant_of(&other), None);
    }
}
