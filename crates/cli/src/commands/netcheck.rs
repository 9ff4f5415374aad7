//! `coder netcheck`.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use clap::{Args as ClapArgs, ValueEnum};

use crate::connect::netcheck::{self, Report};
use crate::say;
use crate::session::Session;
use crate::ui::output::print_json;

/// Show what the network between here and the deployment can do.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Form of the output; text on a terminal and JSON elsewhere when left out.
    #[arg(short, long, value_name = "format")]
    output: Option<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Measures and prints.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let connection = client
        .agent_connection_generic()
        .await
        .context("ask for the relays")?;
    let by_flag = session.globals.disable_direct_connections;
    let by_server = connection.disable_direct_connections;
    session.note("Measuring the network. This may take a few seconds...\n");
    let report = netcheck::run(session, connection).await?;
    let terminal = session.globals.force_tty || std::io::stdout().is_terminal();
    let usual = if terminal { Output::Text } else { Output::Json };
    if args.output.unwrap_or(usual) == Output::Json {
        return print_json(&report);
    }
    text(&report, session)?;
    let direct = match (by_server, by_flag) {
        (true, _) => "no: the deployment turns them off",
        (_, true) => "no: --disable-direct-connections turns them off",
        _ => "allowed; 'coder ping <workspace>' tells whether one works",
    };
    say!("Direct connections: {direct}")
}

fn text(report: &Report, session: &Session) -> Result<()> {
    let style = session.style;
    say!("{}", style.bold("Relays"))?;
    for region in report.derp.regions.values() {
        let name = &region.region.region_name;
        for node in &region.node_reports {
            let mark = match node.latency {
                Some(latency) => format!(
                    "{} {name} ({}): {:.3}ms",
                    style.good("✔"),
                    node.node.host_name,
                    latency.as_secs_f64() * 1000.0
                ),
                None => format!(
                    "{} {name} ({}): {}",
                    style.error("✘"),
                    node.node.host_name,
                    node.error.as_deref().unwrap_or("does not work")
                ),
            };
            say!("  {mark}")?;
        }
    }
    match report.derp.preferred() {
        Some(region) => say!("Preferred relay: {}", region.region.region_name)?,
        None => say!("Preferred relay: {}", style.error("none works"))?,
    }
    match report.derp.network() {
        Some(network) => say!("This network: {network}")?,
        None => say!("This network: not asked, the deployment has no STUN server")?,
    }
    for warning in report.interface_warnings() {
        say!("{} {warning}", style.warn("❗"))?;
    }
    Ok(())
}
