//! What is written down of a token before anything is signed by it. Pure. Its name follows from the decision
//! that let the token be made, so of two replicas one alone can write it, and whoever comes after finds it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::bound::Bound;
use crate::api::name;

/// For how long who has used a token is answered once more, to the same key: an answer may be lost on its way.
pub const ONCE_MORE: SignedDuration = SignedDuration::from_mins(5);

/// In the ConfigMap: the UID of the grant.
const GRANT: &str = "grantUid";
/// In the ConfigMap: the stage.
const STAGE: &str = "stage";
/// In the ConfigMap: the digest of what is open.
const DIGEST: &str = "digest";
/// In the ConfigMap: the workload.
const WORKLOAD: &str = "workload";
/// In the ConfigMap: the SHA-256 of the public key.
const KEY: &str = "publicKey";
/// In the ConfigMap: when.
const AT: &str = "usedAt";
/// In the ConfigMap: until when the token could have been used.
const UNTIL: &str = "tokenUntil";

/// That a token was used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Used {
    /// The UID of the grant, the stage, the digest of what is open, the workload, and the SHA-256 of the public
    /// key: for what, by their names in the ConfigMap.
    what: [(&'static str, String); 5],
    /// When.
    at: Timestamp,
    /// Until when the token could have been used.
    until: Timestamp,
}

impl Used {
    /// A token is used for this key, a SHA-256, now.
    pub fn now(bound: &Bound, key: &str, now: Timestamp) -> Self {
        let what = [
            (GRANT, bound.grant_uid.clone()),
            (STAGE, bound.stage.to_string()),
            (DIGEST, bound.digest.clone()),
            (WORKLOAD, bound.workload.clone()),
            (KEY, key.to_owned()),
        ];
        Self { what, at: now, until: bound.until }
    }

    /// What a ConfigMap says; `None`: it can't be read.
    pub fn read(kept: &ConfigMap) -> Option<Self> {
        let said = |key: &str| kept.data.as_ref()?.get(key).cloned();
        let moment = |key: &str| said(key)?.parse().ok();
        let what = [GRANT, STAGE, DIGEST, WORKLOAD, KEY].map(|key| said(key).map(|value| (key, value)));
        let [Some(grant), Some(stage), Some(digest), Some(workload), Some(key)] = what else { return None };
        Some(Self { what: [grant, stage, digest, workload, key], at: moment(AT)?, until: moment(UNTIL)? })
    }

    /// The ConfigMap that says so, in Comity's own namespace.
    pub fn kept(&self, system: &str, decision_uid: &str) -> ConfigMap {
        let labels = [(name::LABEL_ENROLMENT, name::USED), (name::LABEL_MANAGED_BY, name::MANAGED_BY)];
        let said = |(key, value): &(&str, String)| ((*key).to_owned(), value.clone());
        let mut data: BTreeMap<String, String> = self.what.iter().map(said).collect();
        data.insert(AT.to_owned(), self.at.to_string());
        data.insert(UNTIL.to_owned(), self.until.to_string());
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(name::enrolled_config_map(decision_uid)),
                namespace: Some(system.to_owned()),
                labels: Some(labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into()),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..ConfigMap::default()
        }
    }

    /// Whether who comes with this comes once more with the very same, soon enough.
    pub fn may_come_again(&self, again: &Self) -> bool {
        let since = again.at.duration_since(self.at);
        self.what == again.what && !since.is_negative() && since <= ONCE_MORE && again.at < self.until
    }

    /// Whether it can be forgotten: its token can't be used any more, by anybody's clock.
    pub fn is_over(kept: &ConfigMap, now: Timestamp) -> bool {
        let is_one = kept.labels().get(name::LABEL_ENROLMENT).is_some_and(|kind| kind == name::USED);
        let until =
            Self::read(kept).and_then(|used| used.until.checked_add(SignedDuration::from_hours(1)).ok());
        is_one && until.is_some_and(|until| until < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::stage::Stage;
    use crate::signer::testing::now;

    fn bound() -> Bound {
        Bound {
            decision: "one".to_owned(),
            decision_uid: "6f0c2a1e-0000-4000-8000-000000000003".to_owned(),
            namespace: "risk-data".to_owned(),
            grant_uid: "grant".to_owned(),
            stage: Stage::Sandbox,
            digest: "v1:sha256:00".to_owned(),
            workload: "scorer".to_owned(),
            until: now() + SignedDuration::from_hours(1),
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let used = Used::now(&bound(), "key", now());
        let kept = used.kept("comity-system", &bound().decision_uid);
        assert_eq!(Used::read(&kept), Some(used));
        assert_eq!(kept.name_any(), "comity-trust-enrolled-6f0c2a1e-0000-4000-8000-000000000003");
        assert_eq!(Used::read(&ConfigMap::default()), None);
    }

    #[test]
    fn only_the_very_same_comes_again_and_only_soon() {
        let first = Used::now(&bound(), "key", now());
        let after = |minutes| now() + SignedDuration::from_mins(minutes);
        assert!(first.may_come_again(&Used::now(&bound(), "key", after(5))));
        assert!(!first.may_come_again(&Used::now(&bound(), "key", after(6))), "too late");
        assert!(!first.may_come_again(&Used::now(&bound(), "key", after(-1))), "a clock that was set back");
        assert!(!first.may_come_again(&Used::now(&bound(), "other", after(1))), "another key");
        let others = [
            Bound { workload: "trainer".to_owned(), ..bound() },
            Bound { stage: Stage::Production, ..bound() },
            Bound { grant_uid: "again".to_owned(), ..bound() },
            Bound { digest: "v1:sha256:01".to_owned(), ..bound() },
        ];
        assert!(others.iter().all(|other| !first.may_come_again(&Used::now(other, "key", after(1)))));
        let ending = Used::now(&Bound { until: after(2), ..bound() }, "key", now());
        assert!(!ending.may_come_again(&Used::now(&bound(), "key", after(2))), "the token's time is over");
    }

    #[test]
    fn nothing_is_forgotten_before_its_token_ends() {
        let mut kept = Used::now(&bound(), "key", now()).kept("comity-system", "uid");
        assert!(!Used::is_over(&kept, now() + SignedDuration::from_hours(1)));
        assert!(Used::is_over(&kept, now() + SignedDuration::from_hours(3)));
        kept.metadata.labels = None;
        assert!(!Used::is_over(&kept, now() + SignedDuration::from_hours(3)), "it isn't one of these");
    }
}
