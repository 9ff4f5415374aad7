//! `coder ping`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{Local, Utc};
use clap::Args as ClapArgs;
use tunnel::Via;

use super::ssh;
use crate::connect::diagnosis;
use crate::connect::ready::Patience;
use crate::failure::Exit;
use crate::say;
use crate::session::Session;
use crate::ui::time;
use client::Target;

/// A connected agent answers its first packet within seconds.
const REACH: Duration = Duration::from_secs(30);

/// Measure how long a workspace takes to answer.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// How many times; until interrupted when left out.
    #[arg(short, long, value_name = "count")]
    num: Option<u64>,

    /// Pause between pings.
    #[arg(long, value_name = "duration", default_value = "1s", value_parser = time::duration_flag)]
    wait: Duration,

    /// How long to wait for an answer.
    #[arg(short, long, value_name = "duration", default_value = "5s", value_parser = time::duration_flag)]
    timeout: Duration,

    /// Show when each answer came, in local time.
    #[arg(long)]
    time: bool,

    /// Show when each answer came, in UTC.
    #[arg(long)]
    utc: bool,
}

/// Pings and sums up.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let target = Target::agent(&args.workspace)?;
    let (workspace, link) = ssh::connect(session, &target, Patience::stay()).await?;
    // The first answer needs the tunnel; its making is not what is measured.
    link.conn()
        .await_reachable(link.agent(), REACH)
        .await
        .context("reach the workspace")?;
    let mut sum = Summary::default();
    let pings = async {
        let mut number = 0;
        loop {
            let answer = tokio::time::timeout(args.timeout, link.conn().ping(link.agent())).await;
            let stamp = match (args.utc, args.time) {
                (true, _) => format!("{} ", Utc::now().format("%Y-%m-%dT%H:%M:%SZ")),
                (_, true) => format!("{} ", Local::now().format("%Y-%m-%dT%H:%M:%S%:z")),
                _ => String::new(),
            };
            match answer {
                Ok(Ok(pong)) => {
                    sum.add(pong.latency);
                    say!(
                        "{stamp}pong from {} {} in {}",
                        session.style.keyword(&workspace.name),
                        via(pong.via, link.relays()),
                        precise(pong.latency)
                    )?;
                }
                Ok(Err(error)) => {
                    sum.lost += 1;
                    say!("{stamp}ping to {:?} failed: {error}", workspace.name)?;
                }
                Err(_) => {
                    sum.lost += 1;
                    say!("{stamp}ping to {:?} timed out", workspace.name)?;
                }
            }
            number += 1;
            if args.num.is_some_and(|n| n > 0 && number >= n) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(args.wait).await;
        }
    };
    tokio::select! {
        result = pings => result?,
        _ = tokio::signal::ctrl_c() => {}
    }
    say!("{}", sum.line(&workspace.name))?;
    diagnosis::show(session, &link).await?;
    if sum.answered == 0 {
        Err(Exit(1).into())
    } else {
        Ok(())
    }
}

fn via(via: Via, relays: &BTreeMap<u16, String>) -> String {
    match via {
        Via::Relay(region) => format!("proxied via DERP({})", diagnosis::name(relays, region)),
        Via::Direct(address) => format!("p2p via {address}"),
    }
}

/// Milliseconds with three digits.
fn precise(latency: Duration) -> String {
    format!("{:.3}ms", latency.as_secs_f64() * 1000.0)
}

/// Figures of all pings.
#[derive(Debug, Default)]
struct Summary {
    answered: u32,
    lost: u32,
    least: Option<Duration>,
    most: Duration,
    total: Duration,
}

impl Summary {
    fn add(&mut self, latency: Duration) {
        self.answered += 1;
        self.least = Some(self.least.map_or(latency, |least| least.min(latency)));
        self.most = self.most.max(latency);
        self.total += latency;
    }

    fn line(&self, name: &str) -> String {
        let all = self.answered + self.lost;
        match self.least {
            None => format!("{name}: {all} pings, none answered"),
            Some(least) => format!(
                "{name}: {all} pings, {} answered; least {}, average {}, most {}",
                self.answered,
                precise(least),
                precise(self.total / self.answered),
                precise(self.most)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_sum_up() {
        let mut sum = Summary::default();
        assert!(sum.line("w").contains("none answered"));
        sum.add(Duration::from_millis(2));
        sum.add(Duration::from_millis(4));
        sum.lost += 1;
        assert_eq!(
            sum.line("w"),
            "w: 3 pings, 2 answered; least 2.000ms, average 3.000ms, most 4.000ms"
        );
    }
}
