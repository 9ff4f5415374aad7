//! A stream through the tunnel beside one of the kernel (CUBIC, and BBR where there is one), on the
//! same emulated link.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::AsyncReadExt;

use crate::link::{self, End, Link};
use crate::pair::{self, Ask, CHUNK};
use crate::{length, serve};

const NEAR: &str = "10.99.0.1";
const FAR: &str = "10.99.0.2";
/// Where the kernel's stream ends.
const SINK: u16 = 5000;
/// Below what the emulator itself carries.
const MBIT: f64 = 200.0;

pub(crate) fn run() -> anyhow::Result<()> {
    for (milliseconds, loss) in [(20, 0.001), (20, 0.0001), (100, 0.001), (100, 0.0001)] {
        let round_trip = Duration::from_millis(milliseconds);
        let rate = MBIT * 125_000.0;
        let link = Link {
            round_trip,
            loss,
            rate,
            queue: rate * round_trip.as_secs_f64(),
        };
        // Each in fresh namespaces: nothing of one run is remembered in the next.
        for kernel in [Some("cubic"), Some("bbr"), None] {
            let mbit = one(link, kernel)?;
            println!(
                "{MBIT} Mbit/s, {milliseconds} ms, {}% lost: {} {mbit:.1} Mbit/s",
                loss * 100.0,
                kernel.map_or("tunnel".to_owned(), |name| format!("kernel {name}")),
            );
        }
    }
    Ok(())
}

fn one(link: Link, kernel: Option<&'static str>) -> anyhow::Result<f64> {
    let (sender, far) = mpsc::channel();
    let received = Arc::new(AtomicU64::new(0));
    let counter = received.clone();
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || sender.send(far_end(&counter)));
    let (result, near) = mpsc::channel();
    let stopped = stop.clone();
    std::thread::spawn(move || {
        let run = || -> anyhow::Result<f64> {
            let near = link::enter(&format!("{NEAR}/24"))?;
            let far: End = far.recv().context("the far end")??;
            link::carry([&near, &far], link, &stopped)?;
            match kernel {
                Some(name) => kernel_stream(name, &received),
                None => tunnel_stream(far.namespace),
            }
        };
        result.send(run())
    });
    let mbit = near.recv().context("the near end")?;
    stop.store(true, Ordering::Relaxed);
    mbit
}

/// The far namespace, with a sink for the kernel's stream.
fn far_end(received: &Arc<AtomicU64>) -> anyhow::Result<End> {
    let end = link::enter(&format!("{FAR}/24"))?;
    let listener = TcpListener::bind((FAR, SINK))?;
    let received = received.clone();
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else {
            return;
        };
        let mut buffer = vec![0; CHUNK];
        while let Ok(len) = stream.read(&mut buffer)
            && len > 0
        {
            received.fetch_add(len as u64, Ordering::Relaxed);
        }
    });
    Ok(end)
}

fn kernel_stream(name: &str, received: &AtomicU64) -> anyhow::Result<f64> {
    let mut stream = TcpStream::connect((FAR, SINK))?;
    // SAFETY: the descriptor is open, and the name is a living string of that length.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            name.as_ptr().cast(),
            name.len() as libc::socklen_t,
        )
    };
    anyhow::ensure!(set == 0, "the kernel has no {name}");
    stream.set_write_timeout(Some(Duration::from_millis(200)))?;
    let (buffer, begun) = (vec![0; CHUNK], Instant::now());
    while begun.elapsed() < length() {
        // A timeout is no error: the window is full.
        let _ = stream.write(&buffer);
    }
    Ok(received.load(Ordering::Relaxed) as f64 * 8e-6 / begun.elapsed().as_secs_f64())
}

fn tunnel_stream(far: OwnedFd) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let relay = serve::start_at(NEAR).await?;
        let pair = pair::start_in(relay, true, Some(far)).await?;
        let mut stream = pair.ask(Ask::Give).await?;
        let mut buffer = vec![0; CHUNK];
        let (begun, mut bytes) = (Instant::now(), 0);
        while begun.elapsed() < length() {
            let read = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut buffer));
            if let Ok(read) = read.await {
                bytes += read?;
            }
        }
        Ok(bytes as f64 * 8e-6 / begun.elapsed().as_secs_f64())
    })
}
