//! Our TCP against the kernel's, over a TUN device in a network namespace of its own, with packets
//! lost on purpose. Needs root; says so where it is skipped.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddrV6, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tunnel_proto::packet::{self, Ipv6, MTU};
use tunnel_proto::tcp::{Addresses, Connection, End, Limits, Segment};

const KERNEL: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const OURS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const LEN: usize = 3 << 20;
/// One packet in so many is lost, each way.
const LOSS: u32 = 100;
/// Far more than a transfer needs.
const PATIENCE: Duration = Duration::from_mins(2);

const LIMITS: Limits = Limits {
    receive_window: 1 << 20,
    send_buffer: 1 << 20,
    silence: Duration::from_mins(1),
    keep_alive: None,
    orphan: false,
};

/// A TUN device in a new namespace, of which the calling thread is then part.
fn device() -> io::Result<File> {
    // SAFETY: changes the namespace of this thread only.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let device = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: an all-zero request is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(b"tcp0") {
        *slot = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the descriptor is open and the request outlives the call.
    if unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let (mtu, address) = (MTU.to_string(), format!("{KERNEL}/64"));
    for args in [
        vec!["addr", "add", &address, "dev", "tcp0", "nodad"],
        vec!["link", "set", "dev", "tcp0", "mtu", &mtu, "up"],
    ] {
        if !Command::new("ip").args(&args).status()?.success() {
            return Err(io::Error::other("ip failed"));
        }
    }
    // SAFETY: sets a flag of an open descriptor.
    unsafe { libc::fcntl(device.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    Ok(device)
}

fn byte(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

/// Our end: writes and reads `LEN` bytes, on whichever side asked.
struct World {
    device: File,
    rng: StdRng,
    connection: Option<Connection>,
    addresses: Addresses,
    written: usize,
    read: usize,
}

impl World {
    /// Carries until both directions are through and closed.
    fn run(&mut self) {
        let begun = Instant::now();
        while !self.is_done() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} written, {} read, {:?}",
                self.written,
                self.read,
                self.connection
            );
            self.receive();
            self.turn();
            self.wait();
        }
        let end = self.connection.as_ref().and_then(Connection::end);
        assert!(matches!(end, None | Some(End::Closed)), "{end:?}");
        assert_eq!(self.read, LEN);
    }

    fn is_done(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_over)
    }

    fn receive(&mut self) {
        let mut packet = [0; 2048];
        while let Ok(len) = self.device.read(&mut packet) {
            let Some(ip) = Ipv6::parse(&packet[..len]) else {
                continue;
            };
            if ip.protocol != packet::TCP || self.rng.random_ratio(1, LOSS) {
                continue;
            }
            let segment = Segment::parse(ip.payload).unwrap();
            let now = Instant::now();
            match &mut self.connection {
                Some(connection) => connection.handle_segment(&segment, now),
                None if segment.opens() => {
                    self.addresses.remote.set_port(segment.source);
                    let first = self.rng.random();
                    let accepted = Connection::accept(self.addresses, first, LIMITS, &segment, now);
                    self.connection = Some(accepted);
                }
                None => {}
            }
        }
    }

    fn turn(&mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let now = Instant::now();
        if connection.poll_timeout().is_some_and(|due| due <= now) {
            connection.handle_timeout(now);
        }
        connection.read(usize::MAX, &mut |part| {
            for got in part {
                assert_eq!(*got, byte(self.read));
                self.read += 1;
            }
        });
        let mut buffer = [0; 16 << 10];
        while self.written < LEN {
            let len = buffer.len().min(LEN - self.written);
            for (n, slot) in buffer[..len].iter_mut().enumerate() {
                *slot = byte(self.written + n);
            }
            let taken = connection.write(&buffer[..len]);
            self.written += taken;
            if taken == 0 {
                break;
            }
        }
        if self.written == LEN && connection.may_write() {
            connection.close();
        }
        while let Some(transmit) = connection.poll_transmit(now) {
            let (device, rng) = (&mut self.device, &mut self.rng);
            connection.cut(&transmit, &mut |packet| {
                if !rng.random_ratio(1, LOSS) {
                    // A full device is one more loss.
                    let _ = device.write(packet);
                }
            });
        }
    }

    fn wait(&self) {
        let due = self.connection.as_ref().and_then(Connection::poll_timeout);
        let wait = due.map_or(Duration::from_millis(20), |due| {
            due.saturating_duration_since(Instant::now())
        });
        let mut polled = libc::pollfd {
            fd: self.device.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let wait = wait.as_millis().clamp(1, 20) as libc::c_int;
        // SAFETY: one descriptor, which outlives the call.
        unsafe { libc::poll(&raw mut polled, 1, wait) };
    }
}

/// The kernel's end: sends back what comes, and closes when that ends.
fn echo(stream: TcpStream) {
    let mut back = stream.try_clone().unwrap();
    let (mut reader, mut buffer) = (stream, vec![0; 64 << 10]);
    while let Ok(len) = reader.read(&mut buffer)
        && len > 0
    {
        back.write_all(&buffer[..len]).unwrap();
    }
}

#[test]
fn megabytes_there_and_back_on_a_lossy_link() {
    for ours_first in [true, false] {
        let device = match device() {
            Ok(device) => device,
            Err(error) => {
                println!("skipped: no TUN device in a namespace of its own: {error}");
                return;
            }
        };
        let end = |ip, port| SocketAddrV6::new(ip, port, 0, 0);
        let addresses = Addresses {
            local: end(OURS, 4000),
            remote: end(KERNEL, 5000),
        };
        let mut world = World {
            device,
            rng: StdRng::seed_from_u64(u64::from(ours_first)),
            connection: None,
            addresses,
            written: 0,
            read: 0,
        };
        let kernel = if ours_first {
            let now = Instant::now();
            world.connection = Some(Connection::connect(addresses, 77, LIMITS, now));
            let listener = TcpListener::bind(end(KERNEL, 5000)).unwrap();
            std::thread::spawn(move || echo(listener.accept().unwrap().0))
        } else {
            std::thread::spawn(move || echo(TcpStream::connect(end(OURS, 4000)).unwrap()))
        };
        world.run();
        kernel.join().unwrap();
    }
}
