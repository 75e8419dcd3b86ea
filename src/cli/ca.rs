//! `comity ca`: how the CAs of contracts stand, and what people want done with them.

mod conduct;
mod count;
mod tell;
#[cfg(test)]
mod tests;
mod view;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use kube::ResourceExt as _;

use super::decide::Common;
use super::format::Format;
use super::person::{Person, to_its_end, watch};
use super::{Failure, value};
use crate::api::stage::Stage;
use crate::api::{SharingContract, name};
use crate::signer::ca::brought::place;
use crate::signer::ca::{Action, Chest, Slot};
use conduct::{Asked, conduct, ledgers};
use count::counted;
use view::View;

/// See and rotate the CAs of contracts: each contract has one for each stage
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
enum Command {
    Status(StatusArguments),
    Prepare(PrepareArguments),
    Activate(ActivateArguments),
    Taint(TaintArguments),
    Retire(RetireArguments),
    Where(WhereArguments),
}

/// Where Comity is.
#[derive(Args, Clone, Debug)]
struct Home {
    /// The namespace that Comity is installed in
    #[arg(long, value_name = "NAME", default_value = name::DEFAULT_SYSTEM_NAMESPACE, value_parser = value::name)]
    #[arg(env = "COMITY_SYSTEM_NAMESPACE", hide_env_values = true)]
    system_namespace: String,
}

/// Of which contract and stage.
#[derive(Args, Clone, Debug)]
struct Which {
    /// The contract
    contract: String,

    /// The stage: sandbox, rehearsal or production
    #[arg(value_parser = value::stage)]
    stage: Stage,

    #[command(flatten)]
    home: Home,
}

/// Of which one something is ordered, and how.
#[derive(Args, Clone, Debug)]
struct Order {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    common: Common,
}

impl Order {
    fn give(self, action: Action) -> Result<ExitCode, Failure> {
        let Self { which: Which { contract, stage, home }, common } = self;
        let system = home.system_namespace;
        to_its_end(conduct(common, Asked { system, contract, stage, action }))
    }
}

/// Show which CA signs and until when, what is published, what lives that it signed, and what happens next
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity ca status -n risk-data
  comity ca status fraud-scoring production -n risk-data -o json
  comity ca status --all-namespaces")]
struct StatusArguments {
    /// The contract; without it, all
    contract: Option<String>,

    /// The stage: sandbox, rehearsal or production; without it, all
    #[arg(value_parser = value::stage)]
    stage: Option<Stage>,

    /// Those of contracts in whatever namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    /// How it is told
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    home: Home,

    #[command(flatten)]
    person: Person,
}

/// Make and publish the next CA: it signs when it is activated, or when its time comes
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity ca prepare fraud-scoring production -n risk-data --reason 'Yearly rotation, see SEC-311'")]
struct PrepareArguments {
    #[command(flatten)]
    order: Order,
}

/// Have the next CA sign, once everybody who verifies knows it
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity ca activate fraud-scoring production -n risk-data --yes --reason 'Yearly rotation, see SEC-311'")]
struct ActivateArguments {
    /// Although it was published for less than a credential lifetime: who reads the anchors only when its
    /// own certificate is renewed refuses until then what it signs
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    order: Order,
}

/// Give a CA up: it signs nothing any more, the next one does, and what it signed is made anew
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity ca taint fraud-scoring production -n risk-data --yes --reason 'INC-4711: its key may be known'")]
struct TaintArguments {
    /// Its number; without it, the one that signs
    #[arg(long, value_name = "NUMBER")]
    authority: Option<u32>,

    #[command(flatten)]
    order: Order,
}

/// Take a CA out of what is published, once nothing lives that it signed
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity ca retire fraud-scoring production -n risk-data --authority 1 --now --reason 'INC-4711'")]
struct RetireArguments {
    /// Its number
    #[arg(long, value_name = "NUMBER")]
    authority: u32,

    /// Although certificates live that it signed: whoever holds one is refused until it has another
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    order: Order,
}

/// Print into which Secret, beside Comity, the platform brings the next CA
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity ca where fraud-scoring production -n risk-data")]
struct WhereArguments {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    person: Person,
}

impl Arguments {
    /// Does it.
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Status(arguments) => to_its_end(arguments.tell()),
            Command::Prepare(arguments) => arguments.order.give(Action::Prepare),
            Command::Activate(arguments) => arguments.order.give(Action::Activate { now: arguments.now }),
            Command::Taint(arguments) => arguments.order.give(Action::Taint { number: arguments.authority }),
            Command::Retire(arguments) => {
                let (number, now) = (arguments.authority, arguments.now);
                arguments.order.give(Action::Retire { number, now })
            }
            Command::Where(arguments) => to_its_end(arguments.tell()),
        }
    }
}

impl WhereArguments {
    async fn tell(self) -> Result<(), Failure> {
        let caller = self.person.connect().await?;
        let Which { contract, stage, home } = self.which;
        let contract: SharingContract = caller.get(&contract).await?;
        let chest = Chest::of(&contract.uid().unwrap_or_default(), stage);
        let found = ledgers(&caller, &home.system_namespace).await?;
        let ledger = found.iter().find(|(at, _)| *at == chest);
        let secret = ledger.map_or_else(|| chest.secret(Slot::First), |(_, ledger)| place(ledger, &chest));
        writeln!(std::io::stdout(), "{secret}")?;
        Ok(())
    }
}

impl StatusArguments {
    async fn tell(self) -> Result<(), Failure> {
        let caller = self.person.connect().await?;
        let namespace = caller.namespace.clone();
        let found = ledgers(&caller, &self.home.system_namespace).await?;
        let is_meant = |owner: &crate::signer::ca::Owner| {
            (self.all_namespaces || owner.namespace == namespace)
                && self.contract.as_ref().is_none_or(|contract| *contract == owner.contract)
                && self.stage.is_none_or(|stage| stage == owner.stage)
        };
        let meant: Vec<_> = found.into_iter().filter(|(_, ledger)| is_meant(&ledger.owner)).collect();
        let counts = counted(&caller, &meant).await;
        let now = caller.now();
        let views: Vec<View> =
            meant.iter().map(|(chest, ledger)| View::of(chest, ledger, counts.as_ref(), now)).collect();
        self.output.tell(&serde_json::json!({"authorities": views}), || {
            let place = if self.all_namespaces { None } else { Some(namespace.as_str()) };
            tell::page(&views, place, &watch(now)).text(self.person.is_coloured())
        })
    }
}
