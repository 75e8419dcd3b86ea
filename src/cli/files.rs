//! Files that somebody names: the objects of Kubernetes that they hold, and where each part of one
//! stands. It needs no cluster.

pub(super) mod annotate;
pub(super) mod document;
pub(super) mod each;
pub(super) mod finding;
pub(super) mod place;
pub(super) mod read;
pub(super) mod world;

use std::path::PathBuf;

use clap::Args;

use self::read::Source;
use super::person::{MISUSED, Stop};

/// Which files.
#[derive(Args, Clone, Debug)]
pub(super) struct FileArguments {
    /// Files of YAML or JSON, folders of such, or - for standard input, where `kustomize build` writes to
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Look into the folders in a folder too
    #[arg(short = 'R', long)]
    recursive: bool,

    /// The namespace of objects that name none
    #[arg(short, long, value_name = "NAME", default_value = "default", value_parser = super::value::name)]
    pub(super) namespace: String,
}

impl FileArguments {
    /// Reads them all. What can't be read at all is nothing that they say, so it isn't a finding.
    pub(super) fn read(&self) -> Result<Vec<Source>, Stop> {
        read::sources(&self.files, self.recursive).map_err(|why| Stop::new(MISUSED, why))
    }
}
