//! Which cluster the demo plays on: one of its own, or one that is clearly there to be tried on.

use std::path::Path;

use kube::config::Kubeconfig;

use super::{Ending, Options, tidy};
#[cfg(target_os = "linux")]
use super::{live, unless_interrupted};
#[cfg(target_os = "linux")]
use crate::node::{Image, Node, alone};
use crate::{Cluster, Error, Explain as _, Result, controlplane::Settings};

/// What tools for local clusters call their contexts.
const LOCAL: [&str; 3] = ["kind-", "k3d-", "minikube"];

/// Where the demo plays.
pub(super) struct Target {
    /// The cluster, as its administrator sees it.
    pub(super) cluster: Cluster,
    /// The node beside it, and the image that pods run there.
    #[cfg(target_os = "linux")]
    pub(super) node: Option<(Node, Image)>,
}

impl Target {
    fn of(cluster: Cluster) -> Self {
        Self {
            cluster,
            #[cfg(target_os = "linux")]
            node: None,
        }
    }

    /// Whether pods run there.
    pub(super) fn runs_pods(&self) -> bool {
        #[cfg(target_os = "linux")]
        return self.node.is_some();
        #[cfg(not(target_os = "linux"))]
        false
    }
}

/// Whether a node can be started right here.
pub(super) fn has_node_at_hand() -> bool {
    #[cfg(target_os = "linux")]
    return alone::is_inside();
    #[cfg(not(target_os = "linux"))]
    false
}

/// Plays the demo where there is a node; how it ended.
#[cfg(target_os = "linux")]
pub(super) async fn inside() -> Result<Ending> {
    let again = alone::again(vec!["--node".to_owned()]);
    // Who is inside doesn't hear it, and is killed when this process ends; the next node takes the cgroups away.
    let Some(ended) = unless_interrupted(Box::pin(again)).await else { return Ok(Ending::Interrupted) };
    let endings = [Ending::AsExpected, Ending::Interrupted];
    let code = ended?.code();
    Ok(endings.into_iter().find(|ending| code == Some(i32::from(ending.code()))).unwrap_or(Ending::Otherwise))
}

/// Says that there can't be a node.
#[cfg(not(target_os = "linux"))]
pub(super) async fn inside() -> Result<Ending> {
    Err(Error::Failed("a node needs Linux".to_owned()))
}

/// Starts a control plane, with a node where one is wanted, or connects to the cluster that the options name.
pub(super) async fn choose(options: &Options) -> Result<Target> {
    match &options.kubeconfig {
        #[cfg(target_os = "linux")]
        None if options.node => {
            let (node, speaker) = alone::start().await?;
            let image = live::admit(&node, &speaker).await?;
            Ok(Target { cluster: node.cluster().clone(), node: Some((node, image)) })
        }
        None => Cluster::start(Settings::default()).await.map(Target::of),
        Some(file) => {
            if !options.i_know_what_this_is {
                check_context(file)?;
            }
            let cluster = Cluster::given(file).await?;
            tidy::check_free(&cluster).await?;
            Ok(Target::of(cluster))
        }
    }
}

/// Refuses what might be somebody's real cluster: the demo installs cluster-wide objects.
fn check_context(file: &Path) -> Result<()> {
    let kubeconfig = Kubeconfig::read_from(file).explain(format!("read {}", file.display()))?;
    let context = kubeconfig.current_context.unwrap_or_default();
    if LOCAL.iter().any(|prefix| context.starts_with(prefix)) {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "the current context of {} is {context:?}, which isn't a kind-, k3d- or minikube cluster: the demo \
         installs definitions, cluster roles and admission policies there. Name another kubeconfig, or say \
         --i-know-what-this-is",
        file.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(context: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("apiVersion: v1\nkind: Config\ncurrent-context: {context}\n");
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn clusters_for_trying_are_taken() {
        for context in ["kind-comity", "k3d-a", "minikube"] {
            check_context(kubeconfig(context).path()).unwrap();
        }
    }

    #[test]
    fn any_other_is_refused_with_the_way_out() {
        let error = check_context(kubeconfig("production").path()).unwrap_err().to_string();
        assert!(error.contains("\"production\"") && error.contains("--i-know-what-this-is"), "{error}");
    }
}
