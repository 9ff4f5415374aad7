//! Pairs of clients that send as much as the relay carries.
//!
//! `CODER_BENCH_RELAY=host:port` measures another relay, whose process is `CODER_BENCH_RELAY_PID`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tunnel_proto::derp::{self, ClientInfo, Decoder, Frame};
use tunnel_proto::key::{NodePrivate, NodePublic};

use crate::{length, serve, usage};

const PAIRS: usize = 100;
/// A full packet of the tunnel.
const PACKET: usize = 1312;
/// Packets of one write: a bundle.
const BUNDLE: usize = 48;

pub(crate) async fn run() -> anyhow::Result<()> {
    let outside = std::env::var("CODER_BENCH_RELAY").ok();
    let mut ours = None;
    let (relay, pid) = if let Some(address) = &outside {
        let pid = std::env::var("CODER_BENCH_RELAY_PID").ok();
        (address.parse()?, pid.and_then(|text| text.parse().ok()))
    } else {
        let (address, child) = serve::process().await?;
        let pid = child.id();
        ours = Some(child);
        (address, pid)
    };
    let pid = pid.context("set CODER_BENCH_RELAY_PID to the relay's process")?;
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let (sender, receiver) = (key(), key());
        let taker = connect(relay, &receiver).await?;
        let giver = connect(relay, &sender).await?;
        pairs.push((giver, taker, bundle(&receiver.public())));
    }
    // Only then: nobody who still connects waits for those who send.
    let mut counters = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for (mut giver, mut taker, bundle) in pairs {
        let counter = Arc::new(AtomicU64::new(0));
        counters.push(counter.clone());
        tasks.spawn(async move {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(len) = taker.read(&mut buffer).await {
                counter.fetch_add(len as u64, Ordering::Relaxed);
            }
        });
        tasks.spawn(async move { while giver.write_all(&bundle).await.is_ok() {} });
    }
    tokio::time::sleep(length() / 5).await;
    let count = || -> Vec<u64> {
        counters
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .collect()
    };
    let (before, begun, cpu) = (count(), Instant::now(), usage::cpu_seconds(pid));
    tokio::time::sleep(length()).await;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = usage::cpu_seconds(pid) - cpu;
    let mut rates: Vec<f64> = count()
        .iter()
        .zip(before)
        .map(|(after, before)| (after - before) as f64 * 8e-6 / seconds)
        .collect();
    rates.sort_by(f64::total_cmp);
    let total: f64 = rates.iter().sum();
    let fair = total / PAIRS as f64;
    println!(
        "relay, {PAIRS} pairs: {total:.0} Mbit/s delivered in all, {:.0} per core-second of the relay, slowest pair {:.2} of its fair share, {:.1} MiB of memory",
        total * seconds / cpu,
        rates[0] / fair,
        usage::resident_kib(pid) / 1024.0,
    );
    drop(ours);
    Ok(())
}

fn key() -> NodePrivate {
    NodePrivate::generate(&mut rand::rng())
}

fn bundle(to: &NodePublic) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..BUNDLE {
        derp::send_packet(&mut out, to, &[4; PACKET]);
    }
    out
}

async fn connect(relay: SocketAddr, key: &NodePrivate) -> anyhow::Result<TcpStream> {
    let mut io = TcpStream::connect(relay).await?;
    io.set_nodelay(true)?;
    let request = format!(
        "GET /derp HTTP/1.1\r\nHost: {relay}\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n"
    );
    io.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await?);
    }
    let (mut buffer, mut decoder) = (Vec::new(), Decoder::default());
    loop {
        let step = decoder.step(&buffer)?;
        let used = step.consumed;
        match step.frame {
            Some(Frame::ServerKey(server)) => {
                let nonce = rand::random();
                let info = ClientInfo::default();
                let sealed = derp::seal_client_info(key, &server, nonce, &info);
                let mut out = Vec::new();
                derp::client_info(&mut out, &key.public(), &nonce, &sealed);
                io.write_all(&out).await?;
            }
            Some(Frame::ServerInfo { .. }) => return Ok(io),
            _ => {}
        }
        buffer.drain(..used);
        if used == 0 && io.read_buf(&mut buffer).await? == 0 {
            return Err(anyhow::anyhow!("the relay closed")).context("greeting");
        }
    }
}
