//! Measures the tunnel between two processes, and the relay between many clients.
//!
//! `tunnel-bench speed|echo|idle|relay|emulated`: each prints lines of figures. Nothing here is gated: a
//! machine that does something else meanwhile gives other figures. `CODER_BENCH_SECONDS` (5) is the
//! length of each run.

mod echo;
mod emulated;
mod idle;
mod link;
mod pair;
mod relay;
mod serve;
mod speed;
mod usage;

use std::time::Duration;

const USAGE: &str = "usage: tunnel-bench speed | echo | idle | relay | emulated";

fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("emulated") {
        // Its threads live in namespaces of their own.
        return emulated::run();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut args = std::env::args().skip(1);
    runtime.block_on(async move {
        match args.next().as_deref() {
            Some("speed") => speed::run().await,
            Some("echo") => echo::run().await,
            Some("idle") => idle::run().await,
            Some("relay") => relay::run().await,
            // How the other end is started.
            Some("serve") => serve::forever().await,
            Some("agent") => pair::agent(&args.next().unwrap_or_default()).await,
            _ => anyhow::bail!(USAGE),
        }
    })
}

/// How long each run measures.
pub(crate) fn length() -> Duration {
    let seconds = std::env::var("CODER_BENCH_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(5.0);
    Duration::from_secs_f64(seconds)
}

/// The value below which `part` of the sorted samples lie.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len().saturating_sub(1)) as f64 * part;
    sorted.get(at.round() as usize).copied().unwrap_or(f64::NAN)
}
