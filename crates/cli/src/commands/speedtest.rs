//! `coder speedtest`: how fast bytes go through the tunnel.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args as ClapArgs, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tunnel::{TcpStream, WhyRelayed};

use super::ssh;
use crate::connect::link::Link;
use crate::connect::pcap;
use crate::connect::ready::Patience;
use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Listing, Table};
use crate::ui::time;
use client::Target;

/// Where an agent serves speed tests inside the tunnel.
const PORT: u16 = 3;
/// Version of the test's protocol.
const VERSION: u32 = 2;
/// Blocks that the sender writes.
const BLOCK: usize = 2 << 20;
/// Figures are given for each of these.
const INTERVAL: Duration = Duration::from_secs(1);
/// Shortest and longest test that agents accept.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);
/// A connected agent answers its first packet within seconds.
const REACH: Duration = Duration::from_secs(30);
/// Direct paths are found within seconds, or not at all.
const DIRECT_PATIENCE: Duration = Duration::from_secs(30);
/// How often to look for one.
const DIRECT_LOOK: Duration = Duration::from_millis(250);
/// The greeting of the agent is a short line.
const MAX_GREETING: u64 = 4096;

/// Measure how fast bytes go to and from a workspace.
#[derive(ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// Wait for a direct connection, and measure only that.
    #[arg(short, long)]
    direct: bool,

    /// Direction of the bytes, seen from here.
    #[arg(long, value_name = "direction", default_value = "down")]
    direction: Direction,

    /// How long to measure: from 5s to 30s.
    #[arg(short, long, value_name = "duration", default_value = "5s", value_parser = time::duration_flag)]
    time: Duration,

    /// File to which to write the packets inside the tunnel, for Wireshark or tcpdump. Slows the test.
    #[arg(long, value_name = "file")]
    pcap_file: Option<PathBuf>,

    #[command(flatten)]
    listing: Listing<Intervals>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Direction {
    Down,
    Up,
}

/// Figures of one interval.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    start_time_seconds: f64,
    end_time_seconds: f64,
    throughput_mbits: f64,
}

/// The table of intervals.
pub struct Intervals;

impl Table for Intervals {
    type Row = Row;
    const COLUMNS: &'static [Column<Row>] = &[
        Column {
            name: "Interval",
            cell: |r| format!("{:.2}-{:.2} sec", r.start_time_seconds, r.end_time_seconds),
        },
        Column {
            name: "Throughput",
            cell: |r| format!("{:.4} Mbits/sec", r.throughput_mbits),
        },
    ];
    const DEFAULT: &'static [&'static str] = &["Interval", "Throughput"];
    const SORTED: bool = false;
}

/// What is asked of the agent.
#[derive(Debug, Serialize)]
struct Request {
    version: u32,
    /// Nanoseconds.
    time: u64,
    direction: u8,
}

/// What the agent says to it.
#[derive(Debug, Deserialize)]
struct Greeting {
    #[serde(default)]
    error: String,
}

/// Measures and prints.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    session.keep_stdout_clean();
    let target = Target::agent(&args.workspace)?;
    let (_, mut link) = ssh::connect(session, &target, Patience::stay()).await?;
    if args.direct {
        wait_for_direct(session, &link).await?;
    }
    let duration = args.time.clamp(SHORTEST, LONGEST);
    session.note(&format!(
        "Starting a {}s {} test...",
        duration.as_secs(),
        if args.direction == Direction::Down {
            "download"
        } else {
            "upload"
        }
    ));
    let _capture = args
        .pcap_file
        .as_deref()
        .filter(|p| !p.as_os_str().is_empty())
        .map(|path| pcap::start(link.conn(), path))
        .transpose()?;
    let stream = link.dial(session, PORT).await?;
    let rows = measure(stream, args.direction, duration).await?;
    let (last, each) = rows.split_last().context("nothing was measured")?;
    let json = serde_json::json!({ "overall": last, "intervals": each });
    if args.listing.format() == crate::ui::output::Format::Table {
        say!("{}", args.listing.table(each).trim_end())?;
        let width = 37;
        say!("{}", "-".repeat(width))?;
        return say!(
            "{}",
            args.listing
                .table(std::slice::from_ref(last))
                .lines()
                .nth(1)
                .unwrap_or_default()
        );
    }
    args.listing.print(&rows, &json)
}

/// Waits until packets go directly; tells why they do not where they do not.
async fn wait_for_direct(session: &Session, link: &Link) -> Result<()> {
    let (conn, agent) = (link.conn(), link.agent());
    conn.await_reachable(agent, REACH)
        .await
        .context("reach the workspace")?;
    let begun = Instant::now();
    let mut told = false;
    loop {
        let pong = conn.ping(agent).await;
        if let Ok(tunnel::Pong {
            via: tunnel::Via::Direct(address),
            ..
        }) = pong
        {
            session.note(&format!("Connected directly, by {address}."));
            return Ok(());
        }
        let why = conn.status().why_relayed(agent);
        // Waiting changes nothing about an option.
        let hopeless = matches!(why, Some(WhyRelayed::BlockedHere));
        if hopeless || begun.elapsed() > DIRECT_PATIENCE {
            let why = why.map_or_else(|| "it is not known why".to_owned(), |w| w.to_string());
            return Err(Advice::error(
                format!("there is no direct connection: {why}"),
                "Leave out --direct to measure the way through the relay.",
            ));
        }
        if !std::mem::replace(&mut told, true) {
            session.note("Waiting for a direct connection...");
        }
        tokio::time::sleep(DIRECT_LOOK).await;
    }
}

/// One row for each interval, and one for all at the end.
async fn measure(stream: TcpStream, direction: Direction, duration: Duration) -> Result<Vec<Row>> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(reader);
    let nanoseconds = u64::try_from(duration.as_nanos()).context("the test is too long")?;
    let request = Request {
        version: VERSION,
        time: nanoseconds,
        direction: u8::from(direction == Direction::Up),
    };
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    writer.write_all(&line).await.context("ask for the test")?;
    greet(&mut reader).await?;
    let mut meter = Meter::new();
    let mut block = vec![0; BLOCK];
    loop {
        let moved = match direction {
            Direction::Down => match reader.read(&mut block).await.context("receive")? {
                0 => break,
                read => read,
            },
            Direction::Up if meter.begun.elapsed() >= duration => break,
            Direction::Up => {
                writer.write_all(&block).await.context("send")?;
                block.len()
            }
        };
        meter.add(moved);
    }
    // What is still under way does not matter any more.
    let _ = writer.shutdown().await;
    Ok(meter.rows())
}

async fn greet(reader: &mut (impl AsyncBufReadExt + AsyncRead + Unpin)) -> Result<()> {
    let mut line = String::new();
    (&mut *reader)
        .take(MAX_GREETING)
        .read_line(&mut line)
        .await
        .context("hear from the agent")?;
    let greeting: Greeting =
        serde_json::from_str(&line).context("the agent does not speak the test's protocol")?;
    ensure!(
        greeting.error.is_empty(),
        "the agent refuses the test: {}",
        greeting.error
    );
    Ok(())
}

/// Counts bytes by interval.
struct Meter {
    begun: Instant,
    interval: Instant,
    bytes: u64,
    all: u64,
    rows: Vec<Row>,
}

impl Meter {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            interval: now,
            bytes: 0,
            all: 0,
            rows: Vec::new(),
        }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.all += bytes as u64;
        let now = Instant::now();
        if now - self.interval >= INTERVAL {
            self.rows
                .push(row(self.begun, self.interval, now, self.bytes));
            (self.interval, self.bytes) = (now, 0);
        }
    }

    fn rows(mut self) -> Vec<Row> {
        let now = Instant::now();
        if self.bytes > 0 {
            self.rows
                .push(row(self.begun, self.interval, now, self.bytes));
        }
        self.rows.push(row(self.begun, self.begun, now, self.all));
        self.rows
    }
}

fn row(begun: Instant, from: Instant, to: Instant, bytes: u64) -> Row {
    let seconds = (to - from).as_secs_f64().max(f64::EPSILON);
    Row {
        start_time_seconds: (from - begun).as_secs_f64(),
        end_time_seconds: (to - begun).as_secs_f64(),
        throughput_mbits: bytes as f64 * 8.0 / 1e6 / seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_is_the_whole() {
        let mut meter = Meter::new();
        meter.add(1000);
        let rows = meter.rows();
        assert_eq!(rows.len(), 2);
        assert!(
            rows.iter()
                .all(|r| r.throughput_mbits > 0.0 && r.start_time_seconds == 0.0)
        );
    }

    #[tokio::test]
    async fn refusals_and_garbage_are_errors() {
        assert!(greet(&mut &b"{}\n"[..]).await.is_ok());
        assert!(
            greet(&mut &b"{\"error\":\"no\"}\n"[..])
                .await
                .unwrap_err()
                .to_string()
                .contains("refuses")
        );
        assert!(greet(&mut &b"garbage\n"[..]).await.is_err());
        assert!(greet(&mut &b""[..]).await.is_err());
        assert!(greet(&mut &vec![b'x'; 10_000][..]).await.is_err());
    }
}
