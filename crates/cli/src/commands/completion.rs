//! `coder completion`: teaches a shell to complete this program's commands and
//! flags. The shell asks the program itself, so completion never falls behind.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Powershell, Zsh};

use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::text_file;
use crate::ui::output::emit;
use crate::ui::prompt::confirm_default_yes;

/// By this variable the shell tells the program that it wants completions; the
/// value names the shell.
pub const ASKED_BY: &str = "CODER_COMPLETE";
/// Name under which shells find the program.
const NAME: &str = "coder";
/// A start file of zsh need not have its completion system.
const ZSH_PREPARE: &str = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }";
/// First line of what is ours in a start file.
const START: &str = "# ============ BEGIN coder COMPLETION ==============";
/// Last line of it.
const END: &str = "# ============ END coder COMPLETION ================";

/// Install or update completion of commands and flags in your shell.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The shell; yours when left out.
    #[arg(short, long, value_name = "shell")]
    shell: Option<Shell>,

    /// Print the script instead of installing it.
    #[arg(short, long)]
    print: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Fish,
    Zsh,
    #[value(name = "powershell")]
    Pwsh,
}

impl Shell {
    /// The shell that the person uses.
    fn detect() -> Option<Self> {
        let shell = PathBuf::from(std::env::var_os("SHELL")?);
        match shell.file_name()?.to_str()? {
            "bash" => Some(Self::Bash),
            "fish" => Some(Self::Fish),
            "zsh" => Some(Self::Zsh),
            "pwsh" => Some(Self::Pwsh),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Fish => "fish",
            Self::Zsh => "zsh",
            Self::Pwsh => "powershell",
        }
    }

    /// The script, which asks `coder` of the person's PATH.
    fn script(self) -> Result<String> {
        let completer: &dyn EnvCompleter = match self {
            Self::Bash => &Bash,
            Self::Fish => &Fish,
            Self::Zsh => &Zsh,
            Self::Pwsh => &Powershell,
        };
        let mut script = Vec::new();
        completer
            .write_registration(ASKED_BY, NAME, NAME, NAME, &mut script)
            .context("write the script")?;
        let script = String::from_utf8(script)?;
        Ok(match self {
            Self::Zsh => format!("{ZSH_PREPARE}\n{script}"),
            _ => script,
        })
    }

    /// The file that the shell reads when it starts.
    fn start_file(self) -> Result<PathBuf> {
        let home = crate::home::home_dir()
            .context("cannot tell where your home directory is: set HOME")?;
        let set = |variable: &str| {
            std::env::var_os(variable)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let settings = || set("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        Ok(match self {
            Self::Bash if cfg!(target_os = "macos") => home.join(".bash_profile"),
            Self::Bash => home.join(".bashrc"),
            Self::Zsh => set("ZDOTDIR")
                .unwrap_or_else(|| home.clone())
                .join(".zshrc"),
            Self::Fish => settings().join("fish/completions/coder.fish"),
            Self::Pwsh => settings().join("powershell/Microsoft.PowerShell_profile.ps1"),
        })
    }
}

/// Installs, or prints where nobody can be asked.
pub fn run(args: &Args, session: &Session) -> Result<()> {
    let Some(shell) = args.shell.or_else(Shell::detect) else {
        return Err(Advice::error(
            "cannot tell which shell you use",
            "Name it with --shell: bash, fish, zsh or powershell.",
        ));
    };
    let script = shell.script()?;
    let terminal = session.globals.force_tty || std::io::stdout().is_terminal();
    if args.print || !terminal {
        return emit(&script);
    }
    let path = shell.start_file()?;
    confirm_default_yes(
        &format!(
            "Install completion for {} in {}?",
            shell.name(),
            path.display()
        ),
        false,
    )?;
    let before = text_file::read(&path)?;
    let after = with_script(&before, &script)
        .with_context(|| format!("cannot change {}", path.display()))?;
    if after == before {
        return say!("Completion for {} is up to date.", shell.name());
    }
    text_file::replace(&path, &after)?;
    say!(
        "Completion for {} is installed. Start a new shell to use it.",
        shell.name()
    )
}

/// `before` with the script in place of an older one, or at its end.
fn with_script(before: &str, script: &str) -> Result<String> {
    let ours = format!("{START}\n{}\n{END}\n", script.trim_end());
    match (before.find(START), before.find(END)) {
        (None, None) if before.is_empty() => Ok(ours),
        (None, None) => Ok(format!("{}\n\n{ours}", before.trim_end_matches('\n'))),
        (Some(start), Some(end)) if start < end => {
            let after = before[end..]
                .find('\n')
                .map_or("", |n| &before[end + n + 1..]);
            Ok(format!("{}{ours}{after}", &before[..start]))
        }
        _ => bail!("it has half a completion script of coder: remove it by hand"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_replaced_in_place() {
        let first = with_script("alias a=b\n", "one\n").unwrap();
        assert!(first.starts_with("alias a=b\n\n# ====") && first.contains("\none\n"));
        let more = format!("{first}alias c=d\n");
        let second = with_script(&more, "two").unwrap();
        assert!(second.contains("\ntwo\n") && !second.contains("one"));
        assert!(second.ends_with("alias c=d\n") && second.matches(START).count() == 1);
        assert!(with_script(START, "x").is_err());
    }

    #[test]
    fn every_shell_has_a_script_that_asks_the_program() {
        for shell in Shell::value_variants() {
            let script = shell.script().unwrap();
            assert!(
                script.contains(ASKED_BY) && script.contains("coder"),
                "{shell:?}"
            );
        }
    }
}
