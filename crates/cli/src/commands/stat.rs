//! `coder stat`: what this machine or container uses.

mod cgroup;
mod host;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use serde::Serialize;

use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Listing, Table, print_json};

/// CPU use is that of this time.
const SAMPLE: Duration = Duration::from_millis(100);

/// Show resource usage of this workspace.
#[derive(ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Sub>,

    #[command(flatten)]
    listing: Listing<Stats>,
}

#[derive(Subcommand)]
enum Sub {
    /// Show CPU usage, in cores.
    Cpu(OneArgs),
    /// Show memory usage.
    Mem(MemoryArgs),
    /// Show disk usage.
    Disk(DiskArgs),
}

#[derive(ClapArgs)]
struct OneArgs {
    /// That of the whole machine, even inside a container.
    #[arg(long)]
    host: bool,

    /// Form of the output.
    #[arg(short, long, value_name = "format", default_value = "text")]
    output: Output,
}

#[derive(ClapArgs)]
struct MemoryArgs {
    #[command(flatten)]
    one: OneArgs,

    /// Unit.
    #[arg(long, value_name = "unit", default_value = "Gi")]
    prefix: Prefix,
}

#[derive(ClapArgs)]
struct DiskArgs {
    /// Form of the output.
    #[arg(short, long, value_name = "format", default_value = "text")]
    output: Output,

    /// Directory on the disk.
    #[arg(long, value_name = "directory", default_value = "/")]
    path: PathBuf,

    /// Unit.
    #[arg(long, value_name = "unit", default_value = "Gi")]
    prefix: Prefix,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Binary unit of bytes.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Prefix {
    #[value(name = "Ki")]
    Ki,
    #[value(name = "Mi")]
    Mi,
    #[value(name = "Gi")]
    Gi,
    #[value(name = "Ti")]
    Ti,
}

/// How much of something is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    /// All there is; absent when there is no limit.
    pub total: Option<f64>,
    /// `cores` or `B`.
    pub unit: &'static str,
    /// Of that in use.
    pub used: f64,
}

/// Everything at once.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    host_cpu: Option<Usage>,
    host_memory: Option<Usage>,
    home_disk: Option<Usage>,
    container_cpu: Option<Usage>,
    container_memory: Option<Usage>,
}

/// The table of one row.
pub struct Stats;

impl Table for Stats {
    type Row = Row;
    const COLUMNS: &'static [Column<Row>] = &[
        Column {
            name: "host cpu",
            cell: |r| shown(r.host_cpu.as_ref(), Prefix::Gi),
        },
        Column {
            name: "host memory",
            cell: |r| shown(r.host_memory.as_ref(), Prefix::Gi),
        },
        Column {
            name: "home disk",
            cell: |r| shown(r.home_disk.as_ref(), Prefix::Gi),
        },
        Column {
            name: "container cpu",
            cell: |r| shown(r.container_cpu.as_ref(), Prefix::Gi),
        },
        Column {
            name: "container memory",
            cell: |r| shown(r.container_memory.as_ref(), Prefix::Gi),
        },
    ];
    const DEFAULT: &'static [&'static str] = &[
        "host cpu",
        "host memory",
        "home disk",
        "container cpu",
        "container memory",
    ];
}

/// Runs the subcommand.
pub async fn run(args: Args, _session: &Session) -> Result<()> {
    match args.command {
        None => {
            let (cpu, container) = tokio::join!(host::cpu(SAMPLE), cgroup::cpu(SAMPLE));
            let row = Row {
                host_cpu: cpu.ok(),
                host_memory: host::memory().ok(),
                home_disk: host::disk(
                    &crate::home::home_dir().unwrap_or_else(|| PathBuf::from("/")),
                )
                .ok(),
                container_cpu: container?,
                container_memory: cgroup::memory()?,
            };
            args.listing.print(std::slice::from_ref(&row), &[&row])
        }
        Some(Sub::Cpu(one)) => {
            let container = if one.host {
                None
            } else {
                cgroup::cpu(SAMPLE).await?
            };
            let usage = match container {
                Some(usage) => usage,
                None => host::cpu(SAMPLE).await?,
            };
            print(&usage, one.output, Prefix::Gi)
        }
        Some(Sub::Mem(args)) => {
            let container = if args.one.host {
                None
            } else {
                cgroup::memory()?
            };
            print(
                &container.map_or_else(host::memory, Ok)?,
                args.one.output,
                args.prefix,
            )
        }
        Some(Sub::Disk(args)) => print(&host::disk(&args.path)?, args.output, args.prefix),
    }
}

fn print(usage: &Usage, output: Output, prefix: Prefix) -> Result<()> {
    match output {
        Output::Json => print_json(usage),
        Output::Text => say!("{}", shown(Some(usage), prefix)),
    }
}

/// `0.3/8 cores (4%)`, `2.1/23.5 GiB (9%)`; empty where nothing is known.
fn shown(usage: Option<&Usage>, prefix: Prefix) -> String {
    let Some(usage) = usage else {
        return String::new();
    };
    let (divisor, unit) = match (usage.unit, prefix) {
        ("B", Prefix::Ki) => (1024.0, "KiB"),
        ("B", Prefix::Mi) => (1024f64.powi(2), "MiB"),
        ("B", Prefix::Gi) => (1024f64.powi(3), "GiB"),
        ("B", Prefix::Ti) => (1024f64.powi(4), "TiB"),
        (unit, _) => (1.0, unit),
    };
    let number = |n: f64| {
        let text = format!("{:.2}", n / divisor);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match usage.total.filter(|t| *t > 0.0) {
        Some(total) => format!(
            "{}/{} {unit} ({:.0}%)",
            number(usage.used),
            number(total),
            usage.used / total * 100.0
        ),
        None => format!("{} {unit}", number(usage.used)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        let bytes = |used: f64, total: Option<f64>| Usage {
            used,
            total,
            unit: "B",
        };
        assert_eq!(
            shown(
                Some(&bytes(1_073_741_824.0, Some(4_294_967_296.0))),
                Prefix::Gi
            ),
            "1/4 GiB (25%)"
        );
        assert_eq!(shown(Some(&bytes(1536.0, None)), Prefix::Ki), "1.5 KiB");
        assert_eq!(
            shown(
                Some(&Usage {
                    used: 0.25,
                    total: Some(8.0),
                    unit: "cores"
                }),
                Prefix::Gi
            ),
            "0.25/8 cores (3%)"
        );
        assert_eq!(shown(None, Prefix::Gi), "");
    }
}
