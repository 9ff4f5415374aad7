//! Memory of connections that carried something and are quiet now.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pair::{self, Ask};
use crate::{serve, usage};

const COUNT: usize = 1000;
/// Each echoes so much before it is quiet.
const BYTES: usize = 4 << 10;

pub(crate) async fn run() -> anyhow::Result<()> {
    let relay = serve::start().await?;
    let pair = pair::start(relay, true).await?;
    let mut streams = Vec::new();
    let memory = || [std::process::id(), pair.pid()].map(usage::resident_kib);
    let before = memory();
    let mut buffer = vec![1; BYTES];
    for _ in 0..COUNT {
        let mut stream = pair.ask(Ask::Echo).await?;
        stream.write_all(&buffer).await?;
        stream.read_exact(&mut buffer).await?;
        streams.push(stream);
    }
    // Memory is given back after a while.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let after = memory();
    println!(
        "idle connection: {:.1} KiB at the client, {:.1} KiB at the agent (its copy buffer of {} KiB included)",
        (after[0] - before[0]) / COUNT as f64,
        (after[1] - before[1]) / COUNT as f64,
        pair::CHUNK >> 10,
    );
    Ok(())
}
