//! `coder port-forward`: TCP and UDP to services beside the agent, which in
//! these tests are on this machine.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use e2e::{command::eventually, server::free_port};

use super::cell::{Cell, noise};

/// Enough that both directions are busy at once.
const SIZE: usize = 2 << 20;
/// No answer of a service of this machine takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Forwards a TCP and a UDP port and sends through both.
pub fn forwarded(cell: &Cell, relayed: bool) -> Result<()> {
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    let (tcp_port, udp_port) = (tcp.local_addr()?.port(), udp.local_addr()?.port());
    // The services end with the test's process.
    thread::spawn(move || echo_streams(&tcp));
    thread::spawn(move || echo_datagrams(&udp));
    let (tcp_here, udp_here) = (free_port()?, free_port()?);
    let _forwarding = Forwarding(
        Command::new(&cell.client)
            .args(["port-forward", cell.workspace])
            .args(["--tcp", &format!("{tcp_here}:{tcp_port}")])
            .args(["--udp", &format!("{udp_here}:{udp_port}")])
            .env("CODER_CONFIG_DIR", cell.server.cli_dir())
            .env("CODER_DISABLE_DIRECT_CONNECTIONS", relayed.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let stream = eventually("the forwarded port answers", LIMIT, || {
        Ok(TcpStream::connect(("127.0.0.1", tcp_here)).ok())
    })?;
    streams(&stream).context("through the forwarded TCP port")?;
    datagrams(udp_here).context("through the forwarded UDP port")
}

struct Forwarding(Child);

impl Drop for Forwarding {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The peer ends both directions when one has ended, so nothing is closed
/// before all has come back.
fn streams(stream: &TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    let bytes = noise(SIZE);
    let (sent, mut writer) = (bytes.clone(), stream.try_clone()?);
    let sending = thread::spawn(move || writer.write_all(&sent));
    let mut got = vec![0; SIZE];
    let mut reader = stream;
    reader.read_exact(&mut got)?;
    ensure!(got == bytes, "the bytes that came back are others");
    ensure!(matches!(sending.join(), Ok(Ok(()))), "not all was sent");
    Ok(())
}

/// A datagram may be lost; of several, one must come back.
fn datagrams(port: u16) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    eventually("a datagram comes back", LIMIT, || {
        let mut buffer = [0; 64];
        if socket.send(b"are you there?").is_err() {
            return Ok(None);
        }
        let answer = socket.recv(&mut buffer);
        Ok(answer
            .ok()
            .filter(|n| &buffer[..*n] == b"are you there?")
            .map(drop))
    })
}

fn echo_streams(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let Ok(mut writer) = stream.try_clone() else {
                return;
            };
            let _ = std::io::copy(&mut &stream, &mut writer);
            let _ = stream.shutdown(Shutdown::Write);
        });
    }
}

fn echo_datagrams(socket: &UdpSocket) {
    let mut buffer = [0; 2048];
    while let Ok((len, from)) = socket.recv_from(&mut buffer) {
        let _ = socket.send_to(&buffer[..len], from);
    }
}
