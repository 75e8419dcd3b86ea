//! Who took the processor: on a small machine that runs everything at once, it is what there is least of.

use e2e::{Cluster, Comity, Error, Result, comity::Daemon, process::processor_seconds};
use serde_json::{Value, json};

/// Seconds of processor time of each process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times(pub [f64; PROCESSES.len()]);

/// Whose times they are, in this order.
const PROCESSES: [&str; 7] =
    ["etcd", "api_server", "controller_manager", "run", "sign", "rehearse", "benchmark"];

impl Times {
    /// What each process has taken so far; those of Comity nothing where they are stopped.
    pub fn read(cluster: &Cluster, comity: Option<&Comity>) -> Result<Self> {
        let plane = cluster.control_plane().ok_or_else(|| Error::Failed("no control plane".to_owned()))?;
        let [etcd, api_server, controller_manager] = plane.process_ids().map(processor_seconds);
        let taken = |daemon: &Daemon| daemon.processor_seconds().unwrap_or(0.0);
        let [run, sign, rehearse] =
            comity.map_or([0.0; 3], |comity| [comity.run(), comity.sign(), comity.rehearse()].map(taken));
        let own = processor_seconds(std::process::id())?;
        Ok(Self([etcd?, api_server?, controller_manager?, run, sign, rehearse, own]))
    }

    /// What each has taken since.
    pub fn since(self, before: Self) -> Self {
        Self(std::array::from_fn(|process| (self.0[process] - before.0[process]).max(0.0)))
    }

    /// What `comity run`, `comity sign` and `comity rehearse` have taken.
    pub const fn of_comity(self) -> [f64; 3] {
        let [_, _, _, run, sign, rehearse, _] = self.0;
        [run, sign, rehearse]
    }

    /// For people.
    pub fn text(self) -> String {
        let [etcd, api_server, controller_manager, run, sign, rehearse, benchmark] = self.0;
        format!(
            "API server {api_server:.1}, etcd {etcd:.1}, controllers {controller_manager:.1}, run {run:.1}, \
             sign {sign:.1}, rehearse {rehearse:.1}, own {benchmark:.1} s"
        )
    }

    /// For programs.
    pub fn json(self) -> Value {
        PROCESSES.iter().zip(self.0).map(|(process, seconds)| (*process, json!(seconds))).collect()
    }
}
