//! `coder port-forward`: ports of a workspace on this machine.

mod spec;
mod tcp;
mod udp;

use anyhow::{Result, bail};
use clap::Args as ClapArgs;
use tokio::task::JoinSet;

use super::ssh;
use crate::connect::ready::Patience;
use crate::connect::session_watch;
use crate::failure::Advice;
use crate::follow::agent::Wait;
use crate::say;
use crate::session::Session;
use client::Target;
use spec::{Protocol, Spec};

/// Make ports of a workspace reachable on this machine. For the other direction
/// see 'coder ssh -R'.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  coder port-forward dev --tcp 8080                  # the same port here\n  coder port-forward dev --tcp 5678:1234             # 1234 there is 5678 here\n  coder port-forward dev --tcp 8080,9000:3000,9090-9092 --udp 5353:53\n  coder port-forward dev --tcp 0.0.0.0:8080:8080     # for other machines too"
)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// TCP ports: [address:]port[-port][:remote[-remote]], separated by commas; may be repeated.
    #[arg(
        short = 'p',
        long,
        env = "CODER_PORT_FORWARD_TCP",
        value_name = "ports"
    )]
    tcp: Vec<String>,

    /// UDP ports, in the same form.
    #[arg(long, env = "CODER_PORT_FORWARD_UDP", value_name = "ports")]
    udp: Vec<String>,

    /// Do not start a workspace that is stopped.
    #[arg(long, env = "CODER_SSH_DISABLE_AUTOSTART")]
    disable_autostart: bool,
}

/// Listens until interrupted.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let mut specs = spec::parse(Protocol::Tcp, &args.tcp)?;
    specs.extend(spec::parse(Protocol::Udp, &args.udp)?);
    if specs.is_empty() {
        return Err(Advice::error(
            "no ports were given",
            "Name them, for example: --tcp 8080:3000.",
        ));
    }
    let target = Target::agent(&args.workspace)?;
    let patience = Patience {
        autostart: !args.disable_autostart,
        wait: Wait::Auto,
    };
    let (workspace, mut link) = ssh::connect(session, &target, patience).await?;
    let client = session.client()?;
    // One connection shows that the workspace answers before ports are promised.
    drop(link.dial(session, crate::connect::link::SSH_PORT).await?);
    let _usage = ssh::AbortOnDrop(tokio::spawn(session_watch::report_usage(
        client.clone(),
        workspace.id,
        link.agent(),
        None,
    )));
    let mut serving = JoinSet::new();
    for spec in &specs {
        start(spec, &link, &mut serving).await?;
        say!(
            "Forwarding '{}' locally to '{}' in the workspace",
            spec.local(),
            spec.remote()
        )?;
    }
    say!("Ready!")?;
    let gone =
        session_watch::until_gone(client.clone(), workspace, link.conn().clone(), link.agent());
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        reason = gone => bail!("{reason}"),
        Some(ended) = serving.join_next() => ended?,
    }
}

async fn start(
    spec: &Spec,
    link: &crate::connect::link::Link,
    serving: &mut JoinSet<Result<()>>,
) -> Result<()> {
    for address in spec.addresses() {
        match spec.protocol {
            Protocol::Tcp => {
                let listener = tcp::bind(address).await;
                // Machines without IPv6 have no ::1, which nobody asked for by name.
                if let (Err(_), true) = (&listener, spec.is_optional(address)) {
                    continue;
                }
                serving.spawn(tcp::serve(
                    listener?,
                    link.conn().clone(),
                    link.agent(),
                    spec.remote_port,
                ));
            }
            Protocol::Udp => {
                let socket = udp::bind(address).await;
                if let (Err(_), true) = (&socket, spec.is_optional(address)) {
                    continue;
                }
                serving.spawn(udp::serve(
                    socket?,
                    link.conn().clone(),
                    link.agent(),
                    spec.remote_port,
                ));
            }
        }
    }
    Ok(())
}
