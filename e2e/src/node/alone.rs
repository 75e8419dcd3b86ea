//! A program that has a node for itself: it runs once more inside (see [`super::tier`]), and starts the node there.

use std::{path::PathBuf, process::ExitStatus};

use super::{Node, inside, tier};
use crate::{Error, Result, comity};

/// What is told where no node can run.
const NEEDED: &str = "It takes Linux, root, cgroups that can be written to, and the packages util-linux, iproute2, \
                      nftables, runc and openssl; the rest is built.";

/// Runs this program once more inside, with these arguments; how it ended. Nothing of it is left then.
pub async fn again(arguments: Vec<String>) -> Result<ExitStatus> {
    if let Some(missing) = tier::lack().await? {
        return Err(Error::Failed(format!("no node runs here, as this isn't here: {missing}\n{NEEDED}")));
    }
    // Inside there is no network to build it with.
    comity::speaker().await?;
    tier::go_inside(arguments).await
}

/// Whether this runs inside.
pub fn is_inside() -> bool {
    inside::directory().is_some()
}

/// Starts the node of a program that runs inside; with what pods run.
pub async fn start() -> Result<(Node, PathBuf)> {
    let directory = inside::directory().ok_or_else(|| Error::Failed("this runs outside".to_owned()))?;
    let speaker = comity::speaker().await?;
    Ok((Node::start(&directory, &speaker).await?, speaker))
}
