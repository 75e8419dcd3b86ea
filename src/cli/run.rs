//! `comity run`: makes and removes what grants consist of.

use std::process::ExitCode;

use clap::Args;

use super::process::{ProcessArguments, to_the_end};
use super::{Failure, value};
use crate::app;
use crate::grant::build::Installation;
use crate::ops::Settings;

/// Make and remove what grants consist of, keep their journals, write status
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    process: ProcessArguments,

    /// How many objects of a kind are worked on at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    #[arg(env = "COMITY_WORKERS", hide_env_values = true)]
    workers: u16,

    #[command(flatten)]
    cluster: ClusterArguments,
}

/// What a cluster is like, as far as objects depend on it.
#[derive(Args, Clone, Debug)]
pub(super) struct ClusterArguments {
    /// A network of the cluster itself (pods, services, nodes), cut out of every egress; repeat it
    /// for each, or a contract's egress may reach inside the cluster
    #[arg(long = "cluster-cidr", value_name = "CIDR", value_delimiter = ',', value_parser = value::cidr)]
    #[arg(env = "COMITY_CLUSTER_CIDRS", hide_env_values = true)]
    cluster_cidrs: Vec<String>,

    /// The namespace of the cluster's DNS
    #[arg(long, value_name = "NAME", default_value = "kube-system", value_parser = value::name)]
    #[arg(env = "COMITY_DNS_NAMESPACE", hide_env_values = true)]
    dns_namespace: String,

    /// A label of the pods of the cluster's DNS; repeat it where they are told by several
    #[arg(long, value_name = "KEY=VALUE", default_value = "k8s-app=kube-dns", value_delimiter = ',')]
    #[arg(env = "COMITY_DNS_SELECTOR", hide_env_values = true, value_parser = value::label)]
    dns_selector: Vec<(String, String)>,
}

impl Arguments {
    /// Runs until it is told to stop.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        self.process.start_logs()?;
        to_the_end(app::run(self.settings()))
    }

    fn settings(self) -> Settings {
        Settings { workers: self.workers, ..self.cluster.told(self.process.settings()) }
    }
}

impl ClusterArguments {
    /// The settings of a process that is told this too.
    pub(super) fn told(self, settings: Settings) -> Settings {
        Settings {
            cluster_cidrs: self.cluster_cidrs,
            dns_namespace: self.dns_namespace,
            dns_selector: self.dns_selector.into_iter().collect(),
            ..settings
        }
    }

    /// An installation in this namespace of such a cluster.
    pub(super) fn installation(&self, system_namespace: &str) -> Installation {
        Installation {
            system_namespace: system_namespace.to_owned(),
            cluster_networks: self.cluster_cidrs.clone(),
            dns_namespace: self.dns_namespace.clone(),
            dns_selector: self.dns_selector.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn settings(words: &[&str]) -> Settings {
        let words = ["run"].iter().chain(words);
        Line::try_parse_from(words).expect("it can be understood").arguments.settings()
    }

    #[test]
    fn flags_become_settings() {
        let settings = settings(&[
            "--cluster-cidr=10.0.0.0/8,fd00::/8",
            "--cluster-cidr=192.168.0.0/16",
            "--dns-selector=app=dns,tier=cluster",
            "--listen=127.0.0.1:9",
            "--workers=3",
        ]);
        assert_eq!(settings.cluster_cidrs, ["10.0.0.0/8", "fd00::/8", "192.168.0.0/16"]);
        assert_eq!(settings.dns_selector.get("tier").map(String::as_str), Some("cluster"));
        assert_eq!((settings.workers, settings.listen.port()), (3, 9));
    }

    #[test]
    fn without_flags_it_fits_most_clusters() {
        let settings = settings(&[]);
        assert_eq!(settings.dns_namespace, "kube-system");
        assert_eq!(settings.dns_selector.get("k8s-app").map(String::as_str), Some("kube-dns"));
        assert_eq!(settings.system_namespace, "comity-system");
        assert_eq!(settings.trust_domain, "comity.local");
    }
}
