//! What the signer remembers of having compared journals with what people decided: for each grant
//! that people decided about, one ConfigMap in Comity's own namespace, which only it may write. Pure,
//! but for what is kept in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::witness::Testimony;
use crate::api::name;
use crate::journal::Journal;
use crate::policy::Agreement;

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

/// A testimony as it is noted on what is published of a stage; `None`: it says nothing.
pub fn noted(testimony: &Testimony) -> Option<String> {
    Some(format!("{} {}", testimony.through, testimony.head.as_ref()?))
}

/// The testimony that is noted on what is published of a stage. One that can't be read is none.
pub fn read_noted(published: &ConfigMap) -> Testimony {
    let note = published.annotations().get(name::ANNOTATION_COMPARED);
    let parts = note.and_then(|note| note.split_once(' '));
    let parts = parts.and_then(|(through, head)| Some((through.parse::<i64>().ok()?, head)));
    parts
        .filter(|(through, _)| *through > 0)
        .map_or_else(Testimony::default, |(through, head)| Testimony { through, head: Some(head.to_owned()) })
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
    /// How far the journal was compared.
    pub testimony: Testimony,
    /// What is kept of that, as it was last read or written.
    pub kept: Kept,
    /// What was agreed while people decided about it and it wasn't opened yet, as it was seen last.
    pub agreed: Vec<Arc<Agreement>>,
    /// The head of a journal that was doubted, and how many decisions had been told of by then: without
    /// another of either it needn't be compared again.
    pub doubted: Option<(String, u64)>,
}

/// What the ConfigMap of a testimony is known to be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Kept {
    /// Nobody has looked.
    #[default]
    Unread,
    /// There is none.
    Absent,
    /// It has this version.
    At(String),
}

/// So many agreements are remembered of one grant: what stood before the one that stands now, and that.
const REMEMBERED: usize = 2;

impl Known {
    /// Remembers what is agreed while people have agreed to something of it that isn't open, and forgets
    /// what nobody has to be compared with any more.
    pub fn remember(&mut self, journal: &Journal, agreement: Option<&Agreement>) {
        let is_pending = |digest: &str| {
            let mut approvals =
                journal.consents.approvals.iter().filter(|approved| approved.digest == digest);
            approvals.any(|approved| journal.opening(approved.stage, digest).is_none())
        };
        self.agreed.retain(|known| is_pending(&known.digest));
        let news = agreement.filter(|news| is_pending(&news.digest));
        let news = news.filter(|news| self.agreed.iter().all(|known| known.digest != news.digest));
        self.agreed.extend(news.cloned().map(Arc::new));
        let forgotten = self.agreed.len().saturating_sub(REMEMBERED);
        self.agreed.drain(..forgotten);
    }
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

    /// Forgets what is known of this grant, so that it is read anew.
    pub fn forget(&self, grant_uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(grant_uid);
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
        let note = noted(&testimony).unwrap();
        let annotate = |note: &str| ConfigMap {
            metadata: ObjectMeta {
                annotations: Some([(name::ANNOTATION_COMPARED.to_owned(), note.to_owned())].into()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        };
        assert_eq!(read_noted(&annotate(&note)), testimony);
        for spoilt in ["", "7", "seven sha256:aa", "-1 sha256:aa", "0 sha256:aa"] {
            assert_eq!(read_noted(&annotate(spoilt)), Testimony::default(), "{spoilt}");
        }
        assert_eq!(noted(&Testimony::default()), None);
        let other = ConfigMap { metadata: ObjectMeta { name: Some("x".to_owned()), ..map.metadata }, ..map };
        assert_eq!(grant_of(&other), None);
    }
}
