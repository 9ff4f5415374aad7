//! From `main` to the command and back to an exit code.

use std::process::ExitCode;

use anyhow::Result;
use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::commands::{self, Root, Runtime};
use crate::failure;
use crate::session::Session;
use crate::ui::style::Style;

/// Runs the program that its name and arguments ask for.
pub fn main() -> ExitCode {
    let mut args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some(code) = commands::agent::run_as_init(&args) {
        return code;
    }
    if commands::gitaskpass::is_asked(&args) {
        args.insert(1, "gitaskpass".into());
    }
    #[cfg(feature = "full")]
    if args
        .first()
        .is_some_and(terraform_provider::is_provider_name)
    {
        return terraform_provider::serve();
    }
    if completed(&args) {
        return ExitCode::SUCCESS;
    }
    match Root::parse_tree(&args) {
        Ok((root, command)) => run(root, &command),
        Err(error) => usage_error(&error),
    }
}

/// Answers a shell that asks how to complete a line.
fn completed(args: &[std::ffi::OsString]) -> bool {
    let here = std::env::current_dir().ok();
    clap_complete::CompleteEnv::with_factory(|| tree(true))
        .var(commands::completion::ASKED_BY)
        .try_complete(args.iter().cloned(), here.as_deref())
        .unwrap_or_else(|error| {
            crate::ui::output::emit_err(&format!("{error}\n"));
            true
        })
}

/// Prints help to standard output and mistakes to standard error.
fn usage_error(error: &clap::Error) -> ExitCode {
    // Nothing is left to do for a closed terminal.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn run(root: Root, command: &str) -> ExitCode {
    let verbose = root.globals.verbose;
    let style = Style::of(&std::io::stderr());
    let fail = |error: anyhow::Error| {
        if let Some(text) = failure::explain(command, &error, verbose, style) {
            crate::ui::output::emit_err(&format!("{text}\n"));
        }
        ExitCode::from(failure::exit_code(&error))
    };
    logging(&root);
    let session = match Session::new(root.globals, command.to_owned()) {
        Ok(session) => session,
        Err(error) => return fail(error),
    };
    // The tree of all commands was built to read one.
    crate::working_set::phase_ends();
    let mut builder = match root.command.runtime() {
        Runtime::Single => tokio::runtime::Builder::new_current_thread(),
        Runtime::Two => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2);
            builder.on_thread_start(crate::scheduling::answer_soon);
            builder
        }
        #[cfg(feature = "full")]
        Runtime::Multi => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error.into()),
    };
    let result: Result<()> = runtime.block_on(async {
        crate::working_set::keep_small();
        let result = root.command.run(&session).await;
        session.warn_of_version().await;
        session.warn_of_features();
        result
    });
    // Tasks that still read standard input must not keep the program alive.
    runtime.shutdown_background();
    result.map_or_else(fail, |()| ExitCode::SUCCESS)
}

/// Commands log to standard error when asked to; servers and agents set up
/// their own.
fn logging(root: &Root) {
    if root.command.logs_itself() || !root.globals.debug_http {
        return;
    }
    let filter = Targets::new().with_target("client", LevelFilter::DEBUG);
    let log = tracing_subscriber::fmt::layer()
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let _ = tracing_subscriber::registry().with(log).try_init();
}

impl Root {
    /// Reads `args`; also gives the full name of the command.
    fn parse_tree(args: &[std::ffi::OsString]) -> Result<(Self, String), clap::Error> {
        let matches = match tree(false).try_get_matches_from(args) {
            Ok(matches) => matches,
            // Help of a command is about that command: read again with the
            // global flags out of sight.
            Err(e) if e.kind() == ErrorKind::DisplayHelp => {
                return Err(tree(true).try_get_matches_from(args).err().unwrap_or(e));
            }
            Err(e) => return Err(e),
        };
        let mut name = "coder".to_owned();
        let mut at = &matches;
        while let Some((sub, below)) = at.subcommand() {
            name = format!("{name} {sub}");
            at = below;
        }
        let root = Self::from_arg_matches(&matches)?;
        if root.globals.debug_options {
            crate::ui::output::emit_err(&describe(at));
        }
        Ok((root, name))
    }
}

/// The tree of commands, with the flags in the form that the original takes.
fn tree(for_help: bool) -> clap::Command {
    let mut command = adjust(Root::command());
    if for_help {
        let globals: Vec<clap::Id> = command
            .get_arguments()
            .filter(|arg| arg.is_global_set())
            .map(|arg| arg.get_id().clone())
            .collect();
        command.build();
        for sub in command.get_subcommands_mut() {
            hide_globals(sub, &globals);
        }
    }
    command
}

/// Values of options and where they come from, for `--debug-options`.
fn describe(matches: &clap::ArgMatches) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for id in matches.ids() {
        let name = id.as_str();
        let origin = match matches.value_source(name) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            _ => "default",
        };
        let secret = ["token", "password", "header", "secret", "key"]
            .iter()
            .any(|s| name.contains(s));
        let value = match matches.try_get_raw(name) {
            Ok(Some(_)) if secret => "[secret]".to_owned(),
            Ok(Some(values)) => values
                .map(|v| v.to_string_lossy())
                .collect::<Vec<_>>()
                .join(","),
            // A group of arguments has no value of its own.
            _ => continue,
        };
        let _ = writeln!(out, "{name} = {value} ({origin})");
    }
    out
}

/// Switches take `--flag` and `--flag=false` alike, from the environment too;
/// values of the environment are not shown, since they may be secrets.
pub(crate) fn adjust(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let arg = arg.hide_env_values(true);
        let switch = matches!(arg.get_action(), ArgAction::SetTrue) || is_bool(&arg);
        if switch { as_switch(arg) } else { arg }
    });
    command.mut_subcommands(adjust)
}

/// Options declared as `bool` with a value.
fn is_bool(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set)
        && arg.get_value_parser().type_id() == clap::builder::ValueParser::bool().type_id()
}

fn as_switch(arg: Arg) -> Arg {
    let arg = arg
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("bool")
        .hide_possible_values(true)
        .value_parser(BoolishValueParser::new());
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        arg.action(ArgAction::Set)
            .default_value("false")
            .hide_default_value(true)
    } else {
        arg
    }
}

/// Takes the root's global flags out of the help of its commands; those of a
/// command for its own subcommands stay.
fn hide_globals(command: &mut clap::Command, globals: &[clap::Id]) {
    let owned = std::mem::take(command);
    *command = owned
        .mut_args(|arg| {
            if globals.contains(arg.get_id()) {
                arg.hide(true)
            } else {
                arg
            }
        })
        .after_help("Run `coder --help` for a list of global options.");
    for sub in command.get_subcommands_mut() {
        hide_globals(sub, globals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<(Root, String), clap::Error> {
        Root::parse_tree(&args.iter().map(|a| (*a).into()).collect::<Vec<_>>())
    }

    #[test]
    fn tree_is_consistent() {
        tree(true).debug_assert();
    }

    #[test]
    fn switches_take_values_after_an_equals_sign() {
        let (root, name) = parse(&["coder", "--verbose=false", "list", "--all=true"]).unwrap();
        assert!(!root.globals.verbose);
        assert_eq!(name, "coder list");
        assert!(parse(&["coder", "list", "-a"]).is_ok());
        assert!(parse(&["coder", "list", "--all=perhaps"]).is_err());
    }

    #[test]
    fn no_argument_takes_the_place_of_a_global_flag() {
        fn check(command: &clap::Command, globals: &[clap::Id]) {
            for arg in command.get_arguments().filter(|a| !a.is_global_set()) {
                assert!(
                    !globals.contains(arg.get_id()),
                    "{} of {}",
                    arg.get_id(),
                    command.get_name()
                );
            }
            command
                .get_subcommands()
                .for_each(|sub| check(sub, globals));
        }
        // Built, so that each command has its flags; a global flag is copied to where its name is
        // free.
        let mut tree = Root::command();
        tree.build();
        let globals: Vec<clap::Id> = tree
            .get_arguments()
            .filter(|a| a.is_global_set())
            .map(|a| a.get_id().clone())
            .collect();
        assert!(!globals.is_empty());
        check(&tree, &globals);
    }

    #[test]
    fn options_are_described_without_secrets() {
        let args = ["coder", "--token", "hunter2", "list", "--search", "name:x"];
        let matches = tree(false).try_get_matches_from(args).unwrap();
        let text = describe(matches.subcommand().unwrap().1);
        assert!(
            text.contains("search = name:x (flag)") && text.contains("token = [secret]"),
            "{text}"
        );
        assert!(!text.contains("hunter2"));
    }

    #[test]
    fn version_names_the_product() {
        let version = parse(&["coder", "--version"]).err().unwrap();
        assert_eq!(version.kind(), ErrorKind::DisplayVersion);
        assert!(version.to_string().starts_with("Coder v"), "{version}");
    }

    #[test]
    fn help_of_a_command_hides_global_flags() {
        let help = parse(&["coder", "list", "--help"])
            .err()
            .unwrap()
            .to_string();
        assert!(
            help.contains("--search") && !help.contains("--header-command"),
            "{help}"
        );
        let own = parse(&["coder", "organizations", "list", "--help"])
            .err()
            .unwrap()
            .to_string();
        assert!(own.contains("--org"), "{own}");
        let root = parse(&["coder", "--help"]).err().unwrap().to_string();
        assert!(root.contains("--header-command"));
    }

    #[test]
    fn secrets_of_the_environment_are_not_shown() {
        for arg in tree(true).get_arguments().filter(|a| a.get_env().is_some()) {
            assert!(arg.is_hide_env_values_set(), "{arg}");
        }
    }
}
