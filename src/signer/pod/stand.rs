//! What of what stands the policy goes by. Pure.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;

use crate::api::name;
use crate::pki::policy::{self, Phase};
use crate::signer::opening::Opening;
use crate::signer::site::Site;

/// An opening and its namespace as the policy sees them; `None`: the namespace isn't the opening's.
pub fn stage(opening: &Opening, site: Option<&Site>) -> Option<policy::Stage> {
    let site = site.filter(|site| opening.owns(site))?;
    let phase = match (opening.open, opening.over || site.is_closing()) {
        (_, true) => Phase::Over,
        (true, false) => Phase::Open,
        (false, false) => Phase::Held,
    };
    let account = |workload: &String| name::workload_service_account(workload);
    Some(policy::Stage {
        phase,
        doubt: opening.doubt.as_ref().map(ToString::to_string),
        delivers: opening.makers.nodes,
        enrols: opening.makers.partner,
        accounts: opening.every_workload.iter().map(account).collect(),
        ttl: opening.ttl,
        end: opening.end,
    })
}

/// A pod as the policy sees it.
pub fn pod(pod: &Pod) -> policy::Pod {
    let spec = pod.spec.as_ref();
    policy::Pod {
        uid: pod.uid().unwrap_or_default(),
        account: spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default(),
        node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        has_started: has_started(pod),
        is_over: pod.metadata.deletion_timestamp.is_some() || has_ended(pod),
    }
}

/// Whether a pod has come to its end, and none of its containers ever runs again.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether any container of a pod has ever run: none does before all its volumes are there, the one
/// with its certificate among them. Every pod has a status from the beginning, so one that has none says
/// what can't be read, and may have.
fn has_started(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return true };
    let ran = |container: &ContainerStatus| {
        let was = |state: &k8s_openapi::api::core::v1::ContainerState| {
            state.running.is_some() || state.terminated.is_some()
        };
        [&container.state, &container.last_state].into_iter().flatten().any(was)
    };
    let containers = [&status.init_container_statuses, &status.container_statuses];
    let is_past_pending = status.phase.as_deref().is_some_and(|phase| phase != "Pending");
    is_past_pending || containers.into_iter().flatten().flatten().any(ran)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;
    use crate::signer::testing;

    fn with_status(status: &serde_json::Value) -> Pod {
        let pod = json!({
            "metadata": {"name": "scorer", "uid": "pod"},
            "spec": {"serviceAccountName": "workload-scorer", "nodeName": "node", "containers": []},
            "status": status,
        });
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn a_pod_has_started_once_any_of_its_containers_has() {
        for (status, expected) in [
            (json!({}), false),
            (json!({"phase": "Pending"}), false),
            (
                json!({"phase": "Pending", "containerStatuses": [{"name": "a", "image": "", "imageID": "",
                "ready": false, "restartCount": 0, "state": {"waiting": {}}}]}),
                false,
            ),
            (
                json!({"phase": "Pending", "initContainerStatuses": [{"name": "a", "image": "", "imageID": "",
                "ready": false, "restartCount": 0, "state": {"running": {}}}]}),
                true,
            ),
            (json!({"phase": "Running"}), true),
            (json!({"phase": "Failed"}), true),
        ] {
            let seen = pod(&with_status(&status));
            assert_eq!((seen.uid.as_str(), seen.account.as_str()), ("pod", "workload-scorer"));
            assert_eq!((seen.node.as_str(), seen.is_over), ("node", status["phase"] == "Failed"));
            assert_eq!(seen.has_started, expected, "{status}");
        }
    }

    #[test]
    fn a_pod_that_is_being_deleted_is_over_and_one_without_a_status_may_have_started() {
        let mut going = with_status(&json!({"phase": "Pending"}));
        assert!(!pod(&going).is_over);
        going.metadata.deletion_timestamp = Some(Time(testing::now()));
        assert!(pod(&going).is_over && !pod(&going).has_started);
        assert!(pod(&Pod { status: None, ..going }).has_started);
    }

    #[test]
    fn a_stage_is_open_held_or_over() {
        let opening = testing::opening();
        let site = testing::site(&opening);
        let phase = |opening: &Opening, site: &Site| stage(opening, Some(site)).map(|stage| stage.phase);
        assert_eq!(phase(&opening, &site), Some(Phase::Open));
        let held = Opening { open: false, ..opening.clone() };
        assert_eq!(phase(&held, &site), Some(Phase::Held));
        assert_eq!(phase(&Opening { over: true, ..held }, &site), Some(Phase::Over));
        let going = Site { terminating: true, ..site.clone() };
        assert_eq!(phase(&opening, &going), Some(Phase::Over));
        let elsewhere = Site { name: "another".to_owned(), ..site };
        assert_eq!(phase(&opening, &elsewhere), None, "somebody else's namespace");
        assert_eq!(stage(&opening, None), None);
    }

    #[test]
    fn every_workload_has_the_account_that_was_made_for_it() {
        let opening = testing::opening();
        let seen = stage(&opening, Some(&testing::site(&opening))).unwrap();
        assert_eq!(seen.accounts, ["workload-scorer", "workload-trainer"]);
        assert!(seen.delivers);
    }
}
