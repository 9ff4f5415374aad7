//! End-to-end tests: the real binaries, a real PostgreSQL, a real OpenTofu, the
//! real OpenSSH client, and the other implementation where it is at hand.
//!
//! One deployment serves most tests (each with workspaces of its own name); a
//! test that breaks or restarts a server starts its own.

mod agents;
mod bad_input;
mod browser;
mod chat_cli;
mod chat_context;
mod chat_crash;
mod chat_interop;
mod desktop;
mod docker;
mod external_agent;
mod faults;
mod first_path;
mod go_world;
mod interop_agent;
mod interop_cli;
mod interop_server;
mod matrix;
mod mcp_server;
mod midcopy;
mod nat;
mod openssh;
mod own_relay;
mod postgres;
mod restarts;
mod shapes;
mod strangers;
mod tls;
mod tools;
mod world;

use libtest_mimic::{Arguments, Failed, Trial};

type Test = fn() -> anyhow::Result<()>;

/// A test of this name, whose error says what failed.
fn trial(name: &str, test: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test().map_err(|error| {
            // Said at once as well as at the end, which a run that is cut short does not reach.
            eprintln!("{error:#}");
            Failed::from(format!("{error:#}"))
        })
    })
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Every test starts processes; more than two at once only slow each other.
    arguments.test_threads.get_or_insert(2);
    let all: &[(&str, Test)] = &[
        (
            "first_path::template_to_shell",
            first_path::template_to_shell,
        ),
        ("first_path::command_line", first_path::command_line),
        ("openssh::through_stdio", openssh::through_stdio),
        ("openssh::binary_clean", openssh::binary_clean),
        ("openssh::editors", openssh::editors),
        (
            "interop_cli::go_cli_to_our_server",
            interop_cli::go_cli_to_our_server,
        ),
        (
            "interop_agent::go_agent_in_our_workspace",
            interop_agent::go_agent_in_our_workspace,
        ),
        (
            "interop_server::our_cli_and_agent_with_go_server",
            interop_server::our_cli_and_agent_with_go_server,
        ),
        (
            "restarts::server_killed_while_agent_runs",
            restarts::server_killed_while_agent_runs,
        ),
        (
            "restarts::server_killed_during_apply",
            restarts::server_killed_during_apply,
        ),
        (
            "restarts::server_killed_during_plan",
            restarts::server_killed_during_plan,
        ),
        ("restarts::postgres_killed", restarts::postgres_killed),
        (
            "faults::postgres_paused_during_build",
            faults::postgres_paused_during_build,
        ),
        ("faults::disk_full", faults::disk_full),
        (
            "own_relay::of_the_administrator",
            own_relay::of_the_administrator,
        ),
        ("midcopy::server_killed", midcopy::server_killed),
        ("midcopy::agent_silent", midcopy::agent_silent),
        ("midcopy::workspace_stopped", midcopy::workspace_stopped),
        ("strangers::learn_nothing", strangers::learn_nothing),
        (
            "external_agent::started_by_hand",
            external_agent::started_by_hand,
        ),
        (
            "agents::from_template_to_stop",
            agents::from_template_to_stop,
        ),
        (
            "agents::planted_texts_widen_no_rights",
            agents::planted_texts_widen_no_rights,
        ),
        ("nat::real_programs", nat::real_programs),
        ("docker::template_to_shell", docker::template_to_shell),
        ("docker::entered_by_ssh", docker::entered_by_ssh),
        (
            "tls::certificates_on_both_sides",
            tls::certificates_on_both_sides,
        ),
        (
            "chat_context::from_the_command_line",
            chat_context::from_the_command_line,
        ),
        ("chat_cli::each_command", chat_cli::each_command),
        ("chat_crash::at_every_commit", chat_crash::at_every_commit),
        (
            "chat_crash::what_the_user_says_then",
            chat_crash::what_the_user_says_then,
        ),
        (
            "chat_crash::another_replica_takes_over",
            chat_crash::another_replica_takes_over,
        ),
        (
            "chat_interop::mends_a_program",
            chat_interop::mends_a_program,
        ),
        ("desktop::used_by_a_helper", desktop::used_by_a_helper),
        ("chat_interop::load_generator", chat_interop::load_generator),
        (
            "mcp_server::on_standard_input",
            mcp_server::on_standard_input,
        ),
        ("mcp_server::over_http", mcp_server::over_http),
        ("browser::app_and_terminal", browser::app_and_terminal),
        ("tools::network", tools::network),
        ("tools::open", tools::open),
        ("tools::remote_forwards", tools::remote_forwards),
        ("tools::support_bundle", tools::support_bundle),
        ("tools::way_back_in", tools::way_back_in),
        ("tools::completion", tools::completion),
        ("shapes::responses", shapes::responses),
        ("bad_input::http", bad_input::http),
        ("bad_input::templates", bad_input::templates),
        ("bad_input::same_name_at_once", bad_input::same_name_at_once),
    ];
    let mut trials: Vec<Trial> = all.iter().map(|(name, test)| trial(name, *test)).collect();
    trials.extend(matrix::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    world::tear_down();
    go_world::tear_down();
    conclusion.exit();
}
