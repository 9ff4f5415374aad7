//! One TCP stream each way, directly and through the relay.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pair::{self, Ask, CHUNK, Pair};
use crate::{length, serve, usage};

pub(crate) async fn run() -> anyhow::Result<()> {
    let relay = serve::start().await?;
    for direct in [true, false] {
        let pair = pair::start(relay, direct).await?;
        let way = if direct { "direct" } else { "relayed" };
        for ask in [Ask::Take, Ask::Give] {
            one(&pair, ask, way).await?;
        }
    }
    Ok(())
}

async fn one(pair: &Pair, ask: Ask, way: &str) -> anyhow::Result<()> {
    let mut stream = pair.ask(ask).await?;
    let mut buffer = vec![0; CHUNK];
    let (us, them) = (std::process::id(), pair.pid());
    let cpu = [us, them].map(usage::cpu_seconds);
    let begun = Instant::now();
    let (mut bytes, mut best, mut window) = (0usize, 0.0f64, (begun, 0usize));
    while begun.elapsed() < length() {
        bytes += match ask {
            Ask::Take => stream.write(&buffer).await?,
            _ => stream.read(&mut buffer).await?,
        };
        let in_window = window.0.elapsed().as_secs_f64();
        if in_window >= 1.0 {
            best = best.max((bytes - window.1) as f64 * 8e-9 / in_window);
            window = (Instant::now(), bytes);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let used = [us, them]
        .map(usage::cpu_seconds)
        .iter()
        .zip(cpu)
        .map(|(after, before)| after - before)
        .collect::<Vec<_>>();
    let gbit = bytes as f64 * 8e-9;
    let busier = used[0].max(used[1]);
    println!(
        "{way} {}: {:.2} Gbit/s (best second {best:.2}), {:.2} per core-second of the busier end, CPU per GB {:.2} s here and {:.2} s there",
        if matches!(ask, Ask::Take) {
            "up"
        } else {
            "down"
        },
        gbit / seconds,
        gbit / busier,
        used[0] / (bytes as f64 * 1e-9),
        used[1] / (bytes as f64 * 1e-9),
    );
    Ok(())
}
