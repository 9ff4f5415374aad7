//! `coder connect`: asks about the VPN that resolves workspace names.

use std::net::{IpAddr, ToSocketAddrs};

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::failure::Exit;

/// Ask about Coder Connect.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Ends with 0 if the host is reached through Coder Connect, with 1 otherwise.
    Exists {
        /// Host name of a workspace.
        host: String,
    },
}

/// Addresses that the VPN gives to workspaces.
const PREFIX: [u8; 6] = tunnel::address::SERVICE_PREFIX;

/// Resolves the name.
pub fn run(args: &Args) -> Result<()> {
    let Sub::Exists { host } = &args.command;
    let found = (host.as_str(), 0)
        .to_socket_addrs()
        .is_ok_and(|mut addresses| {
            addresses.any(|a| matches!(a.ip(), IpAddr::V6(ip) if ip.octets().starts_with(&PREFIX)))
        });
    if found { Ok(()) } else { Err(Exit(1).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_end_silently_with_one() {
        let args = Args {
            command: Sub::Exists {
                host: "localhost".into(),
            },
        };
        assert!(run(&args).unwrap_err().is::<Exit>());
    }
}
