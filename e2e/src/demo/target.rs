//! Which cluster the demo plays on: one of its own, or one that is clearly there to be tried on.

use std::path::Path;

use kube::config::Kubeconfig;

use super::{Options, tidy};
use crate::{Cluster, Error, Explain as _, Result, controlplane::Settings};

/// What tools for local clusters call their contexts.
const LOCAL: [&str; 3] = ["kind-", "k3d-", "minikube"];

/// Starts a control plane, or connects to the cluster that the options name.
pub(super) async fn choose(options: &Options) -> Result<Cluster> {
    match &options.kubeconfig {
        None => Cluster::start(Settings::default()).await,
        Some(file) => {
            if !options.i_know_what_this_is {
                check_context(file)?;
            }
            let cluster = Cluster::given(file).await?;
            tidy::check_free(&cluster).await?;
            Ok(cluster)
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
