//! Forwarding of X11: a display in the workspace whose connections are channels
//! to the client.

mod authority;

use std::ffi::{OsStr, OsString};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::connection::Peer;
use super::forward;
use super::wire::{Malformed, Reader, Write};
use crate::account::Account;
use crate::environment::Environment;

/// Displays that are tried; those below are left to X servers of the machine.
const DISPLAYS: std::ops::RangeInclusive<u16> = 10..=200;
/// Port of display 0.
const FIRST_PORT: u16 = 6000;

/// What the client offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X11Request {
    single: bool,
    protocol: String,
    cookie: Vec<u8>,
    screen: u32,
}

impl X11Request {
    /// Reads an `x11-req` (RFC 4254 section 6.3.1).
    pub fn read(data: &mut Reader<'_>) -> Result<Self, Malformed> {
        let single = data.boolean()?;
        let protocol = data.text()?.to_owned();
        let cookie = unhex(data.string()?).ok_or(Malformed)?;
        Ok(Self {
            single,
            protocol,
            cookie,
            screen: data.u32()?,
        })
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16);
    text.chunks(2)
        .map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8))
        .collect()
}

/// A display for programs of a session; gone when dropped.
#[derive(Debug)]
pub struct Display {
    name: OsString,
    _accepting: AbortOnDropHandle<()>,
}

impl Display {
    /// Opens a display for this client, to be found by programs with these
    /// variables. A session without one is better than none.
    pub async fn open(request: &X11Request, env: &Environment, peer: &Peer) -> Option<Self> {
        Self::try_open(request, env, peer)
            .await
            .inspect_err(|error| tracing::warn!(%error, "no display for the client's X11"))
            .ok()
    }

    async fn try_open(
        request: &X11Request,
        env: &Environment,
        peer: &Peer,
    ) -> std::io::Result<Self> {
        let (number, listener) = listen().await?;
        let cookie = authority::Entry::local(number, &request.protocol, &request.cookie)?;
        authority::add(&authority_file(env), cookie)?;
        let accepting = tokio::spawn(accept(listener, peer.clone(), request.single));
        Ok(Self {
            name: format!("localhost:{number}.{}", request.screen).into(),
            _accepting: AbortOnDropHandle::new(accepting),
        })
    }

    /// Value for `DISPLAY`.
    pub fn name(&self) -> &OsString {
        &self.name
    }
}

/// Where programs with these variables look for cookies.
fn authority_file(env: &Environment) -> PathBuf {
    let value = |name: &str| env.get(OsStr::new(name)).filter(|v| !v.is_empty());
    match (value("XAUTHORITY"), value("HOME")) {
        (Some(file), _) => file.into(),
        (None, Some(home)) => PathBuf::from(home).join(".Xauthority"),
        (None, None) => Account::current().home.join(".Xauthority"),
    }
}

async fn listen() -> std::io::Result<(u16, TcpListener)> {
    for number in DISPLAYS {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST_PORT + number)).await {
            return Ok((number, listener));
        }
    }
    Err(std::io::Error::other("every display is in use"))
}

async fn accept(listener: TcpListener, peer: Peer, single: bool) {
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            // Out of descriptors, most likely: give others time to close theirs.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let mut open = Vec::new();
        open.put_string(from.ip().to_string().as_bytes());
        open.put_number(u32::from(from.port()));
        forward::to_client(stream, peer.clone(), "x11", open);
        if single {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(cookie: &[u8]) -> Result<X11Request, Malformed> {
        let mut data = vec![1];
        data.put_string(b"MIT-MAGIC-COOKIE-1");
        data.put_string(cookie);
        data.put_number(2);
        X11Request::read(&mut Reader::new(&data))
    }

    #[test]
    fn cookies_are_hexadecimal() {
        let read = request(b"00ffA1").unwrap();
        assert_eq!(
            (read.cookie, read.screen, read.single),
            (vec![0, 255, 0xa1], 2, true)
        );
        for bad in [&b"0"[..], b"zz", b"00f"] {
            assert_eq!(request(bad), Err(Malformed));
        }
    }
}
