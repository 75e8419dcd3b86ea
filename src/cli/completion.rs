//! `comity completion`: what a shell needs to complete commands and flags.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Failure, OWN_NAME, command};

/// Print what a shell needs to complete commands and flags
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  comity completion bash > ~/.local/share/bash-completion/completions/comity
  comity completion zsh > ~/.zfunc/_comity
  comity completion fish > ~/.config/fish/completions/comity.fish")]
pub(super) struct Arguments {
    /// The shell
    shell: Wanted,
}

/// The shells.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wanted {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

impl Arguments {
    /// Prints it.
    #[allow(clippy::needless_pass_by_value, reason = "every command is run the same way")]
    pub(super) fn print(self) -> Result<ExitCode, Failure> {
        std::io::stdout().lock().write_all(&self.script())?;
        Ok(ExitCode::SUCCESS)
    }

    fn script(&self) -> Vec<u8> {
        let shell = match self.shell {
            Wanted::Bash => Shell::Bash,
            Wanted::Zsh => Shell::Zsh,
            Wanted::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        generate(shell, &mut command(), OWN_NAME, &mut script);
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_gets_every_command() {
        for shell in [Wanted::Bash, Wanted::Zsh, Wanted::Fish] {
            let script = String::from_utf8(Arguments { shell }.script()).expect("text");
            for command in command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell:?}: {}", command.get_name());
            }
            assert!(script.contains("ending-within"), "{shell:?}: flags too");
        }
    }
}
