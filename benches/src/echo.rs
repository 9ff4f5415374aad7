//! The echo of a key over an established stream, on a quiet tunnel and beside a bulk transfer.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pair::{self, Ask, CHUNK, Pair};
use crate::{length, percentile, serve};

/// Between two keys.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) async fn run() -> anyhow::Result<()> {
    let relay = serve::start().await?;
    for direct in [true, false] {
        let pair = pair::start(relay, direct).await?;
        let way = if direct { "direct" } else { "relayed" };
        measure(&pair, &format!("{way}, quiet")).await?;
        let mut bulk = pair.ask(Ask::Give).await?;
        let load = tokio::spawn(async move {
            let mut buffer = vec![0; CHUNK];
            while bulk.read(&mut buffer).await.is_ok_and(|len| len > 0) {}
        });
        measure(&pair, &format!("{way}, beside a bulk transfer")).await?;
        load.abort();
    }
    Ok(())
}

async fn measure(pair: &Pair, what: &str) -> anyhow::Result<()> {
    let mut stream = pair.ask(Ask::Echo).await?;
    let (begun, mut samples) = (Instant::now(), Vec::new());
    while begun.elapsed() < length() {
        let sent = Instant::now();
        stream.write_all(b"k").await?;
        stream.read_u8().await?;
        samples.push(sent.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(PAUSE).await;
    }
    samples.sort_by(f64::total_cmp);
    println!(
        "echo {what}: p50 {:.3} ms, p99 {:.3} ms ({} keys)",
        percentile(&samples, 0.5),
        percentile(&samples, 0.99),
        samples.len()
    );
    Ok(())
}
