//! An emulated link: two network namespaces joined by TUN devices, with delay, loss, a rate and a
//! queue. Needs root, and nothing but `ip` and /dev/net/tun.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::Rng;

const MTU: usize = 1500;
/// Room for one packet.
const PACKET: usize = 2048;

/// What the link does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// There and back.
    pub(crate) round_trip: Duration,
    /// Part of the packets that vanish, each way.
    pub(crate) loss: f64,
    /// Bytes per second.
    pub(crate) rate: f64,
    /// Bytes that wait before packets are dropped.
    pub(crate) queue: f64,
}

/// One end: a namespace with a device.
pub(crate) struct End {
    /// The namespace, for `setns`.
    pub(crate) namespace: OwnedFd,
    device: File,
}

/// Moves the calling thread into a new namespace with a device of `address`. What it starts from
/// then on lives there too.
pub(crate) fn enter(address: &str) -> anyhow::Result<End> {
    // SAFETY: changes the namespace of this thread only.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error()).context("a new network namespace (are you root?)");
    }
    let device = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: an all-zero request is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(b"em0") {
        *slot = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the descriptor is open and the request outlives the call.
    if unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error()).context("a TUN device");
    }
    let mtu = MTU.to_string();
    for args in [
        vec!["link", "set", "lo", "up"],
        vec!["addr", "add", address, "dev", "em0"],
        vec![
            "link",
            "set",
            "dev",
            "em0",
            "mtu",
            &mtu,
            "txqueuelen",
            "5000",
            "up",
        ],
    ] {
        let done = Command::new("ip").args(&args).status()?;
        anyhow::ensure!(done.success(), "ip {args:?} failed");
    }
    let namespace = File::open("/proc/thread-self/ns/net")?.into();
    Ok(End { namespace, device })
}

/// Carries packets between both ends until `stop`.
pub(crate) fn carry(ends: [&End; 2], link: Link, stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let files = [ends[0].device.try_clone()?, ends[1].device.try_clone()?];
    for file in &files {
        // SAFETY: sets a flag of an open descriptor.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    }
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut ways = [Way::default(), Way::default()];
        while !stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            for (at, way) in ways.iter_mut().enumerate() {
                way.take(&files[at], link, now);
                way.give(&files[1 - at], now);
            }
            wait(&files, ways.iter().filter_map(Way::due).min());
        }
    });
    Ok(())
}

/// Waits for a packet, or the time at which one has arrived.
fn wait(files: &[File; 2], due: Option<Instant>) {
    let mut polled = files.each_ref().map(|file| libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    let most = Duration::from_millis(50);
    let time = due.map_or(most, |due| {
        due.saturating_duration_since(Instant::now()).min(most)
    });
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    // SAFETY: both arrays outlive the call.
    unsafe { libc::ppoll(polled.as_mut_ptr(), 2, &raw const time, std::ptr::null()) };
}

/// Packets on their way in one direction.
#[derive(Default)]
struct Way {
    flying: VecDeque<(Instant, Vec<u8>)>,
    free: Option<Instant>,
    spare: Vec<Vec<u8>>,
}

impl Way {
    fn due(&self) -> Option<Instant> {
        self.flying.front().map(|(at, _)| *at)
    }

    /// Takes what the device sends.
    fn take(&mut self, mut from: &File, link: Link, now: Instant) {
        // As much as passes in one go, so that both directions have their turn.
        for _ in 0..64 {
            let mut packet = self.spare.pop().unwrap_or_default();
            packet.resize(PACKET, 0);
            let Ok(len) = from.read(&mut packet) else {
                self.spare.push(packet);
                return;
            };
            packet.truncate(len);
            let free = self.free.unwrap_or(now).max(now);
            let waiting = (free - now).as_secs_f64() * link.rate;
            if waiting > link.queue || rand::rng().random_bool(link.loss) {
                self.spare.push(packet);
                continue;
            }
            let free = free + Duration::from_secs_f64(len as f64 / link.rate);
            self.free = Some(free);
            self.flying.push_back((free + link.round_trip / 2, packet));
        }
    }

    /// Gives what has arrived to the other device.
    fn give(&mut self, mut to: &File, now: Instant) {
        while self.due().is_some_and(|due| due <= now)
            && let Some((_, packet)) = self.flying.pop_front()
        {
            // A device that is full drops, as any would.
            let _ = to.write(&packet);
            self.spare.push(packet);
        }
    }
}
