//! A `PodCertificateRequest` as the API server has it, in either of its versions, and how it is
//! answered. What a version doesn't say isn't there: `v1` has no key beside the PKCS #10.

use std::collections::BTreeMap;
use std::fmt::Debug;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::{v1, v1beta1};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt as _;
use serde::Serialize;

use crate::pki::Lifetime;
use crate::pki::policy::{Denial, Named, Wish};
use crate::pki::requested::{KeyRefusal, RequestedKey};
use crate::signer::talk::Namespaced;

/// What the API server takes for what isn't said.
const LONGEST: i32 = 86_400;
/// How much of a refusal is said.
const SAID: usize = 1000;

/// What is said to a request. It is final.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// This certificate.
    Issued {
        /// The chain as PEM.
        chain: String,
        /// From when until when it is valid.
        lifetime: Lifetime,
        /// When to ask for the next one.
        refresh: Timestamp,
    },
    /// No certificate, and why.
    Denied(Denial),
}

/// A request in one version of the API.
pub trait Asked: Namespaced + Serialize + Clone + Debug + Send + Sync + 'static {
    /// What is asked.
    fn wish(&self) -> Wish;
    /// Whether somebody answered.
    fn is_answered(&self) -> bool;
    /// The same with an answer, given now.
    #[must_use]
    fn answered(&self, answer: &Answer, now: Timestamp) -> Self;
    /// Forgets what of one that was answered nobody asks for.
    fn brief(&mut self);
}

/// What an answer says, in the form of every version.
struct Said {
    condition: Condition,
    chain: Option<String>,
    times: [Option<Time>; 3],
}

impl Said {
    fn of(answer: &Answer, now: Timestamp) -> Self {
        let condition = |type_: &str, reason: &str, message: String| Condition {
            type_: type_.to_owned(),
            status: "True".to_owned(),
            reason: reason.to_owned(),
            message,
            last_transition_time: Time(now),
            observed_generation: None,
        };
        match answer {
            Answer::Issued { chain, lifetime, refresh } => Self {
                condition: condition(
                    "Issued",
                    "Issued",
                    "it is a workload of a stage that is open".to_owned(),
                ),
                chain: Some(chain.clone()),
                times: [lifetime.not_before(), *refresh, lifetime.not_after()].map(|time| Some(Time(time))),
            },
            Answer::Denied(denial) => Self {
                condition: condition(
                    "Denied",
                    denial.word(),
                    denial.to_string().chars().take(SAID).collect(),
                ),
                chain: None,
                times: [None, None, None],
            },
        }
    }
}

fn named(name: &str, uid: &str) -> Named {
    Named { name: name.to_owned(), uid: uid.to_owned() }
}

fn names(annotations: Option<&BTreeMap<String, String>>) -> Vec<String> {
    annotations.into_iter().flat_map(BTreeMap::keys).cloned().collect()
}

fn longest(seconds: Option<i32>) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds.unwrap_or(LONGEST)))
}

/// The key, which is in the one place or in the other.
fn key(stub: &ByteString, public_key: Option<&ByteString>) -> Result<RequestedKey, KeyRefusal> {
    match (stub.0.as_slice(), public_key.map(|key| key.0.as_slice())) {
        ([], None | Some([])) => Err(KeyRefusal::Missing),
        ([], Some(public_key)) => RequestedKey::of_public_key(public_key),
        (stub, _) => RequestedKey::of_request(stub),
    }
}

/// What is the same in both versions, but for their types.
macro_rules! asked {
    ($version:ident, |$spec:ident| $public_key:expr) => {
        impl Asked for $version::PodCertificateRequest {
            fn wish(&self) -> Wish {
                let $spec = &self.spec;
                Wish {
                    key: key(&$spec.stub_pkc_s10_request, $public_key),
                    annotations: names($spec.unverified_user_annotations.as_ref()),
                    pod: named(&$spec.pod_name, &$spec.pod_uid),
                    account: named(&$spec.service_account_name, &$spec.service_account_uid),
                    node: $spec.node_name.clone(),
                    longest: longest($spec.max_expiration_seconds),
                }
            }

            fn is_answered(&self) -> bool {
                let conditions = self.status.as_ref().and_then(|status| status.conditions.as_ref());
                conditions.is_some_and(|conditions| !conditions.is_empty())
            }

            fn answered(&self, answer: &Answer, now: Timestamp) -> Self {
                let Said { condition, chain, times } = Said::of(answer, now);
                let [not_before, begin_refresh_at, not_after] = times;
                let status = $version::PodCertificateRequestStatus {
                    conditions: Some(vec![condition]),
                    certificate_chain: chain,
                    not_before,
                    begin_refresh_at,
                    not_after,
                };
                Self { status: Some(status), ..self.clone() }
            }

            fn brief(&mut self) {
                self.managed_fields_mut().clear();
                if self.is_answered() {
                    self.spec = $version::PodCertificateRequestSpec::default();
                    if let Some(status) = &mut self.status {
                        status.certificate_chain = None;
                    }
                }
            }
        }
    };
}

asked!(v1beta1, |spec| spec.pkix_public_key.as_ref());
asked!(v1, |spec| None);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pair() -> (ByteString, ByteString) {
        let [stub, public_key] = crate::pki::testing::requested();
        (ByteString(stub), ByteString(public_key))
    }

    fn request(version: &str, key: &Value) -> Value {
        let mut request = json!({
            "apiVersion": format!("certificates.k8s.io/{version}"), "kind": "PodCertificateRequest",
            "metadata": {"name": "req-1", "namespace": "place", "managedFields": [{"manager": "kubelet"}]},
            "spec": {
                "signerName": "comity.dev/workload", "podName": "scorer", "podUID": "pod",
                "serviceAccountName": "workload-scorer", "serviceAccountUID": "account",
                "nodeName": "node", "nodeUID": "node", "maxExpirationSeconds": 7200,
                "unverifiedUserAnnotations": {"example.com/a": "b"},
            },
        });
        request["spec"].as_object_mut().unwrap().extend(key.as_object().unwrap().clone());
        request
    }

    fn read<K: Asked>(request: Value) -> K {
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn both_versions_say_the_same_and_the_older_one_has_the_key_in_two_ways() {
        let (stub, public_key) = pair();
        let by_stub = json!({"stubPKCS10Request": stub});
        let newer: v1::PodCertificateRequest = read(request("v1", &by_stub));
        let older: v1beta1::PodCertificateRequest = read(request("v1beta1", &by_stub));
        let oldest: v1beta1::PodCertificateRequest =
            read(request("v1beta1", &json!({"pkixPublicKey": public_key, "proofOfPossession": "AAAA"})));
        let wish = newer.wish();
        assert!(wish.key.is_ok());
        assert_eq!(wish.annotations, ["example.com/a"]);
        assert_eq!((wish.pod.name.as_str(), wish.account.uid.as_str()), ("scorer", "account"));
        assert_eq!((wish.node.as_str(), wish.longest), ("node", SignedDuration::from_hours(2)));
        assert_eq!((older.wish(), oldest.wish()), (wish.clone(), wish));
        // What a signer sees that speaks v1 only, of a node that is older than Kubernetes 1.36.
        let unseen: v1::PodCertificateRequest = read(request("v1", &json!({})));
        assert_eq!(unseen.wish().key, Err(KeyRefusal::Missing));
    }

    #[test]
    fn an_answer_is_final_and_says_one_thing() {
        let now = crate::signer::testing::now();
        let (stub, _) = pair();
        let asked: v1beta1::PodCertificateRequest =
            read(request("v1beta1", &json!({"stubPKCS10Request": stub})));
        assert!(!asked.is_answered());
        let mut denied = asked.answered(&Answer::Denied(Denial::Over), now);
        assert!(denied.is_answered());
        let status = serde_json::to_value(&denied).unwrap()["status"].clone();
        assert_eq!(status["conditions"][0]["type"], "Denied");
        assert_eq!(status["conditions"][0]["reason"], "StageOver");
        assert_eq!(status.as_object().unwrap().len(), 1, "and nothing beside: {status}");
        denied.brief();
        assert!(denied.is_answered() && denied.spec.pod_name.is_empty());
        let long = Lifetime::read(now, now + SignedDuration::from_hours(1)).unwrap();
        let answer = Answer::Issued { chain: "PEM".to_owned(), lifetime: long, refresh: now };
        let issued = serde_json::to_value(asked.answered(&answer, now)).unwrap();
        assert_eq!(issued["status"]["certificateChain"], "PEM");
        assert_eq!(issued["status"].as_object().unwrap().len(), 5);
        assert_eq!(issued["spec"]["podName"], "scorer", "what was asked stays");
    }
}
