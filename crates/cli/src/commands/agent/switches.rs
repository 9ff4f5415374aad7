//! What is on or off in an agent: one table, from which flags and environment variables derive.
//!
//! Each switch is given as `--name`, `--name=true` or `--name=false`.

use clap::error::Result;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

/// One switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Refuse sftp, scp, rsync and nc.
    BlockFileTransfer,
    /// Refuse forwarding from the workspace to clients.
    BlockReversePortForwarding,
    /// Refuse forwarding from clients into the workspace.
    BlockLocalPortForwarding,
    /// Containers may be listed and entered.
    Devcontainers,
    /// Projects with dev containers are looked for.
    ProjectDiscovery,
    /// Known, but not offered.
    DiscoveryAutostart,
    /// Serve the local socket.
    SocketServer,
}

/// How a switch is named and explained.
struct Row {
    switch: Switch,
    flag: &'static str,
    env: &'static str,
    default: bool,
    /// Empty: not in the help.
    help: &'static str,
}

const TABLE: [Row; 7] = [
    Row {
        switch: Switch::BlockFileTransfer,
        flag: "block-file-transfer",
        env: "CODER_AGENT_BLOCK_FILE_TRANSFER",
        default: false,
        help: "Refuse sftp, scp, rsync and nc",
    },
    Row {
        switch: Switch::BlockReversePortForwarding,
        flag: "block-reverse-port-forwarding",
        env: "CODER_AGENT_BLOCK_REVERSE_PORT_FORWARDING",
        default: false,
        help: "Refuse forwarding of ports from the workspace to clients (ssh -R)",
    },
    Row {
        switch: Switch::BlockLocalPortForwarding,
        flag: "block-local-port-forwarding",
        env: "CODER_AGENT_BLOCK_LOCAL_PORT_FORWARDING",
        default: false,
        help: "Refuse forwarding of ports from clients into the workspace (ssh -L)",
    },
    Row {
        switch: Switch::Devcontainers,
        flag: "devcontainers-enable",
        env: "CODER_AGENT_DEVCONTAINERS_ENABLE",
        default: true,
        help: "Let containers of this machine be listed and entered",
    },
    Row {
        switch: Switch::ProjectDiscovery,
        flag: "devcontainers-project-discovery-enable",
        env: "CODER_AGENT_DEVCONTAINERS_PROJECT_DISCOVERY_ENABLE",
        default: true,
        help: "List dev containers of projects (working trees of git) in the agent's directory",
    },
    Row {
        switch: Switch::DiscoveryAutostart,
        flag: "devcontainers-discovery-autostart-enable",
        env: "CODER_AGENT_DEVCONTAINERS_DISCOVERY_AUTOSTART_ENABLE",
        default: false,
        help: "",
    },
    Row {
        switch: Switch::SocketServer,
        flag: "socket-server-enabled",
        env: "CODER_AGENT_SOCKET_SERVER_ENABLED",
        default: true,
        help: "Serve the local socket, by which scripts wait for each other",
    },
];

/// The switches as they were given.
#[derive(Debug, Clone)]
pub struct Switches(Vec<Switch>);

impl Switches {
    /// Whether `switch` is on.
    pub fn on(&self, switch: Switch) -> bool {
        self.0.contains(&switch)
    }
}

impl FromArgMatches for Switches {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self> {
        let on = |row: &&Row| {
            let given = matches.get_one::<bool>(row.flag);
            given.copied().unwrap_or(row.default)
        };
        Ok(Self(
            TABLE.iter().filter(on).map(|row| row.switch).collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<()> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Switches {
    fn augment_args(command: Command) -> Command {
        command.args(TABLE.iter().map(|row| {
            Arg::new(row.flag)
                .long(row.flag)
                .env(row.env)
                .value_name("bool")
                .value_parser(value_parser!(bool))
                .default_value(if row.default { "true" } else { "false" })
                .default_missing_value("true")
                .num_args(0..=1)
                .require_equals(true)
                .action(ArgAction::Set)
                .hide(row.help.is_empty())
                .help(row.help)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(arguments: &[&str]) -> Result<Switches> {
        let command = Switches::augment_args(Command::new("agent"));
        let all = std::iter::once(&"agent").chain(arguments);
        Switches::from_arg_matches(&command.try_get_matches_from(all)?)
    }

    #[test]
    fn defaults_and_every_form() {
        let usual = given(&[]).unwrap();
        assert!(usual.on(Switch::Devcontainers) && usual.on(Switch::SocketServer));
        assert!(!usual.on(Switch::BlockFileTransfer));
        let other = given(&[
            "--devcontainers-enable=false",
            "--block-file-transfer",
            "--block-local-port-forwarding=true",
        ])
        .unwrap();
        assert!(!other.on(Switch::Devcontainers));
        assert!(other.on(Switch::BlockFileTransfer) && other.on(Switch::BlockLocalPortForwarding));
        assert!(given(&["--socket-server-enabled=maybe"]).is_err());
        assert!(given(&["--block-file-transfer", "false"]).is_err());
    }
}
