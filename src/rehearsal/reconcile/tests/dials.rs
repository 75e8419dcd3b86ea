//! What comes of dialling for real, by how the probe's pod and Job stand.

use std::sync::atomic::AtomicUsize;

use tokio::time::{advance, timeout};

use super::*;
use crate::api::contract::Probe;

impl Rehearsal {
    /// One whose contract names what dials, where the API server and the story's data listen.
    async fn due_and_dialled() -> Self {
        let image = format!("registry.retail.example/partners/comity@sha256:{}", "0".repeat(64));
        let known = known::Known::changed(|world| {
            let rehearsal = world.contract.spec.rehearsal.get_or_insert_default();
            rehearsal.probe = Some(Probe { image: image.as_str().into() });
        });
        let rehearsal = Self::due_in(Play::of(known)).await;
        let slice = json!({"metadata": {"name": "kubernetes"}, "addressType": "IPv4",
            "ports": [{"port": 6443}], "endpoints": [{"addresses": ["10.0.0.1"]}]});
        let slices =
            |namespace: &str| format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/one");
        rehearsal.play.api.put(&slices("default"), slice);
        let slice = json!({"metadata": {"name": "one"}, "addressType": "IPv4",
            "ports": [{"port": 8443}], "endpoints": [{"addresses": ["10.0.0.2"]}]});
        rehearsal.play.api.put(&slices("risk-data"), slice);
        let dns = json!({"metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"selector": {"k8s-app": "kube-dns"}, "ports": [{"port": 53, "protocol": "TCP"}]}});
        rehearsal.context.catalogue.services.put(&serde_json::from_value(dns).unwrap());
        let slice = json!({"metadata": {"name": "dns"}, "addressType": "IPv4",
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.0.0.3"]}, {"addresses": ["10.0.0.4"]}]});
        rehearsal.play.api.put(&slices("kube-system"), slice);
        rehearsal
    }

    /// A case of the report.
    fn case(&self, name: &str) -> Value {
        let cases = self.reports()[0]["spec"]["statement"]["predicate"]["cases"].clone();
        cases.as_array().unwrap().iter().find(|case| case["name"] == name).unwrap().clone()
    }

    /// What the report says of dialling somebody.
    fn dialled(&self, name: &str) -> (String, String) {
        let case = self.case(name);
        let text = |field: &str| case[field].as_str().unwrap().to_owned();
        (text("outcome"), text("observed"))
    }

    /// A pass, beside which others do this once there is a Job, of which they are told the path.
    async fn beside(&self, others: impl AsyncFnOnce(&str)) {
        let others = async { others(&self.job().await).await };
        let (passed, ()) = tokio::join!(self.pass(), others);
        passed.unwrap();
    }

    /// Where the Job is, once there is one.
    async fn job(&self) -> String {
        loop {
            let found = self.play.api.objects().into_keys().find(|path| path.contains("/jobs/"));
            if let Some(path) = found {
                return path;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Has a new pod of the Job stand so, and none that was made before.
    fn stands(&self, job: &str, mut pod: Value) {
        let path = format!("/api/v1/namespaces/{}/pods/probe", self.play.place().unwrap());
        let job = self.play.api.get(job).unwrap();
        let template = &job["spec"]["template"];
        let owner = json!({"uid": job["metadata"]["uid"], "controller": true});
        pod["metadata"] = json!({"name": "probe", "ownerReferences": [owner],
            "labels": template["metadata"]["labels"]});
        for field in ["containers", "restartPolicy"] {
            pod["spec"][field] = template["spec"][field].clone();
        }
        self.play.api.remove(&path);
        self.play.api.put(&path, pod);
    }

    /// A pass, in which the Job's pod stands so from when there is a Job.
    async fn runs(&self, pod: Value) {
        self.beside(async |job| self.stands(job, pod)).await;
    }
}

/// A pod that has ended, and told that all is as it has to be.
fn well() -> Value {
    let open = ["10.0.0.2:8443", "10.0.0.3:53", "10.0.0.4:53"].map(|address| format!("{address} open 7\n"));
    let left = format!("10.0.0.1:6443 no answer 4999\n{}", open.concat());
    let ended = json!({"state": {"terminated": {"exitCode": 0, "message": left}}});
    json!({"spec": {"nodeName": "one"}, "status": {"containerStatuses": [ended]}})
}

#[tokio::test(start_paused = true)]
async fn what_a_probe_left_is_reported_and_nothing_of_it_stays() {
    for (left, outcome) in [("no answer", "Passed"), ("open", "Failed"), ("refused", "NotExecutable")] {
        let rehearsal = Rehearsal::due_and_dialled().await;
        let by_datagrams = ["dns:10.0.0.3:53 open 3", "dns:10.0.0.4:53 open 2"].join("\n");
        let told = ["10.0.0.2:8443 open 7", "10.0.0.3:53 open 12", "10.0.0.4:53 open 1203", &by_datagrams]
            .join("\n");
        let left = format!("10.0.0.1:6443 {left} 4999\n{told}\n");
        let ended = json!({"state": {"terminated": {"exitCode": 0, "message": left}}});
        let status = json!({"phase": "Succeeded", "containerStatuses": [ended]});
        rehearsal.runs(json!({"spec": {"nodeName": "one"}, "status": status})).await;
        let came = rehearsal.dialled("dial-api-server");
        assert_eq!(came.0, outcome, "{came:?}");
        let dns = ("Passed".to_owned(), "allowed: 10.0.0.3:53, 10.0.0.4:53 answer".to_owned());
        assert_eq!(rehearsal.dialled("dial-dns-by-tcp"), dns);
        let dns = ("Passed".to_owned(), "allowed: dns:10.0.0.3:53, dns:10.0.0.4:53 answer".to_owned());
        assert_eq!(rehearsal.dialled("dial-dns-by-udp"), dns);
        let took =
            ["dial-api-server", "dial-dns-by-tcp"].map(|name| rehearsal.case(name)["milliseconds"].clone());
        assert_eq!(took, [json!(4999), json!(1203)], "as long as the slowest address");
        let made = rehearsal.play.api.objects().into_keys().find(|path| path.contains("/jobs/"));
        assert_eq!(made, None);
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_node_takes_a_probe_nothing_was_dialled() {
    let rehearsal = Rehearsal::due_and_dialled().await;
    rehearsal.runs(json!({"spec": {}, "status": {}})).await;
    let (outcome, why) = rehearsal.dialled("dial-api-server");
    assert!(outcome == "NotExecutable" && why.contains("nobody here runs pods"), "{outcome}: {why}");
    let deleted = rehearsal.play.api.requests().into_iter().filter(|request| request.starts_with("DELETE"));
    assert_eq!(deleted.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_a_probe_up_does_not_get_out_of_it() {
    let rehearsal = Rehearsal::due_and_dialled().await;
    let unseen = || json!({"spec": {}, "status": {}});
    let held_up = async |job: &str| {
        // One look each: a moment later, the pod is another one, or gone.
        for _ in 0..8 {
            rehearsal.stands(job, unseen());
            advance(Duration::from_secs(6)).await;
        }
    };
    rehearsal.beside(held_up).await;
    let (outcome, why) = rehearsal.dialled("dial-api-server");
    assert!(outcome == "Failed" && why.contains("hasn't always been there"), "{outcome}: {why}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_believed_of_a_job_that_somebody_changed() {
    for pod in [well(), json!({"spec": {}, "status": {}})] {
        for (field, value) in [("generation", json!(3)), ("deletionTimestamp", json!("2026-11-22T00:00:00Z"))]
        {
            let rehearsal = Rehearsal::due_and_dialled().await;
            let changed = async |job: &str| {
                rehearsal.stands(job, pod.clone());
                rehearsal.play.api.change(job, |job| job["metadata"][field] = value);
            };
            rehearsal.beside(changed).await;
            for name in ["dial-api-server", "dial-dns-by-tcp"] {
                let (outcome, why) = rehearsal.dialled(name);
                assert!(outcome == "Failed" && why.contains("somebody changed"), "{name} {outcome}: {why}");
            }
        }
    }
    let rehearsal = Rehearsal::due_and_dialled().await;
    rehearsal.runs(well()).await;
    assert_eq!(rehearsal.dialled("dial-api-server").0, "Passed");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_whose_probe_is_waited_for_holds_up_no_other() {
    let mut rehearsal = Rehearsal::due_and_dialled().await;
    let gone_on = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&gone_on);
    Arc::get_mut(&mut rehearsal.context).unwrap().goes_on =
        Box::new(move || _ = counted.fetch_add(1, Ordering::Relaxed));
    let pass =
        || tokio::spawn(reconcile(Arc::new(rehearsal.play.grant.clone()), Arc::clone(&rehearsal.context)));
    let others = rehearsal.context.turns.acquire().await.unwrap();
    let waits = pass();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rehearsal.asked(), 0, "it is somebody else's turn");
    drop(others);
    while !rehearsal.play.api.objects().keys().any(|path| path.contains("/jobs/")) {
        tokio::task::yield_now().await;
    }
    assert_eq!(rehearsal.context.turns.available_permits(), 1);
    // It ends before those that have begun since.
    let _others = rehearsal.context.turns.acquire().await.unwrap();
    timeout(Duration::from_secs(120), waits).await.expect("it waits for nobody").unwrap().unwrap();
    assert_eq!((rehearsal.reports().len(), rehearsal.context.last_turns.available_permits()), (1, 1));
    assert_eq!(gone_on.load(Ordering::Relaxed), 1);
}
