//! The harness itself: it comes up, lets anyone be anyone, and leaves nothing behind.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a story's helpers fail like its tests")]

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use e2e::{
    Cluster, Result,
    cluster::{await_gone, identity::service_account_user},
    controlplane::Settings,
    eventually, refused,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn namespaces_come_and_go() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let name = cluster.namespace("come-and-go", &[("story", "yes")]).await?;
    let namespaces = Api::<Namespace>::all(cluster.client());
    namespaces.delete(&name, &DeleteParams::default()).await?;
    await_gone(&namespaces, &name, SOON).await
}

#[tokio::test]
async fn a_text_with_a_new_kind_and_its_first_object_is_applied() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("apply", &[]).await?;
    let text = include_str!("controlplane/kind.yaml").replace("NAMESPACE", &namespace);
    let applied = cluster.apply_yaml(&text).await?;
    assert_eq!(applied.len(), 3);
    let map = Api::<ConfigMap>::namespaced(cluster.client(), &namespace).get("greeting").await?;
    assert_eq!(map.data.unwrap()["hello"], "world");
    cluster.delete_yaml(&text).await?;
    Ok(())
}

#[tokio::test]
async fn everybody_is_who_they_are() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("identity", &[]).await?;
    let user = service_account_user(&namespace, "default");
    assert!(!cluster.can(&user, "get", "configmaps", Some(&namespace)).await?);

    let token = cluster.token(&namespace, "default").await?;
    for account in [cluster.as_token(&token)?, cluster.as_service_account(&namespace, "default")?] {
        let maps = Api::<ConfigMap>::namespaced(account.client(), &namespace);
        let message = refused(maps.list(&ListParams::default()).await)?;
        assert!(message.contains(&user), "{message}");
    }
    cluster.apply_yaml(&include_str!("controlplane/reader.yaml").replace("NAMESPACE", &namespace)).await?;
    may(&cluster, &user, "get", &namespace).await?;
    assert!(!cluster.can(&user, "get", "configmaps", None).await?);
    assert!(!cluster.can(&user, "create", "pods/exec", Some(&namespace)).await?);
    Ok(())
}

/// Awaits that somebody has this right to `ConfigMaps`: the API server knows of a RoleBinding a moment after it has
/// it, and of the rules that the controller manager puts together for a role that long after it came up.
async fn may(cluster: &Cluster, user: &str, verb: &str, namespace: &str) -> Result<()> {
    eventually("the rights that were just given", SOON, async || {
        match cluster.can(user, verb, "configmaps", Some(namespace)).await {
            Ok(true) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

#[tokio::test]
async fn a_kubeconfig_of_a_token_is_that_identity() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("kubeconfig", &[]).await?;
    let token = cluster.token(&namespace, "default").await?;
    let path = cluster.kubeconfig_for_token(&namespace, &token)?;
    let bearer = Cluster::given(&path).await?;
    let text = include_str!("controlplane/written.yaml").replace("NAMESPACE", &namespace);
    let message = refused(bearer.apply_yaml(&text).await)?;
    assert!(message.contains(&format!("{namespace}:default")), "{message}");
    Ok(())
}

#[tokio::test]
async fn writes_are_counted_by_identity() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("audit", &[]).await?;
    let user = service_account_user(&namespace, "writer");
    cluster.apply_yaml(&include_str!("controlplane/writer.yaml").replace("NAMESPACE", &namespace)).await?;
    let account = cluster.as_token(&cluster.token(&namespace, "writer").await?)?;
    // Who is refused has tried to write too, so nothing is tried before it is let in.
    may(&cluster, &user, "patch", &namespace).await?;
    assert_eq!(cluster.audit_writes(&user)?, []);
    account.apply_yaml(&include_str!("controlplane/written.yaml").replace("NAMESPACE", &namespace)).await?;
    let writes = eventually("the write in the audit log", SOON, || async {
        let writes = cluster.audit_writes(&user).map_err(|error| error.to_string())?;
        if writes.is_empty() { Err("no write".to_owned()) } else { Ok(writes) }
    })
    .await?;
    let [write] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!((write.verb.as_str(), write.resource.as_str()), ("patch", "configmaps"));
    assert_eq!((write.name.as_str(), write.code), ("written", 201));
    Ok(())
}

/// A process that holds a control plane.
struct Holder {
    process: Child,
    kubeconfig: PathBuf,
    children: Vec<u32>,
}

impl Holder {
    /// Starts one and reads what it says of itself.
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_controlplane"));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut said = |prefix: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line}")).to_owned()
        };
        let kubeconfig = PathBuf::from(said("KUBECONFIG="));
        let children = said("processes: [");
        let children = children.trim_end_matches(']').split(", ").map(|id| id.parse().unwrap()).collect();
        Self { process, kubeconfig, children }
    }

    async fn await_nothing_left(&self) -> Result<()> {
        let directory = self.kubeconfig.parent().unwrap();
        eventually("its processes and its directory to be gone", SOON, || async {
            let alive: Vec<_> = self.children.iter().filter(|id| is_running(**id)).collect();
            if alive.is_empty() && !directory.exists() {
                return Ok(());
            }
            Err(format!("running: {alive:?}; {} exists: {}", directory.display(), directory.exists()))
        })
        .await
    }
}

fn is_running(id: u32) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

#[tokio::test]
async fn a_killed_parent_leaves_nothing_behind() -> Result<()> {
    let mut holder = Holder::start();
    assert!(holder.children.iter().all(|id| is_running(*id)));
    holder.process.kill()?;
    holder.process.wait()?;
    holder.await_nothing_left().await
}

#[tokio::test]
async fn an_orderly_end_leaves_nothing_behind() -> Result<()> {
    let mut holder = Holder::start();
    drop(holder.process.stdin.take());
    assert!(holder.process.wait()?.success());
    holder.await_nothing_left().await
}

#[tokio::test]
async fn two_control_planes_live_side_by_side() -> Result<()> {
    let (one, other) = tokio::try_join!(Cluster::shared(), Cluster::start(Settings::default()))?;
    let name = one.namespace("only-here", &[]).await?;
    assert!(Api::<Namespace>::all(other.client()).get_opt(&name).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_was_away_is_back_with_its_data() -> Result<()> {
    let cluster = Cluster::start(Settings::default()).await?;
    let name = cluster.namespace("kept", &[]).await?;
    cluster.control_plane().unwrap().restart_api_server().await?;
    Api::<Namespace>::all(cluster.client()).get(&name).await?;
    Ok(())
}
