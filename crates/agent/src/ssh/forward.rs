//! Port forwarding over SSH, both ways, for TCP and Unix sockets.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::channel::Channel;
use super::connection::{OpenRequest, Peer};
use super::numbers::OpenFailure;
use super::wire::{Malformed, Reader, Write};
use crate::account::Account;
use crate::jetbrains;
use crate::process;
use crate::sessions::Kind;
use crate::workspace::Workspace;

/// Listeners that one client may have.
const MAX_LISTENERS: usize = 256;

/// Joins a channel and a connection until both directions have ended. The
/// directions are independent: what the client sent before it closed the
/// channel still reaches the other side.
async fn join(channel: Channel, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let Channel {
        reader,
        handle,
        mut requests,
    } = channel;
    let (from, mut to) = tokio::io::split(stream);
    let mut writer = handle.writer();
    // Failures of either side end that direction; there is nobody to tell.
    let inbound = async {
        let _ = process::pump(reader, &mut to).await;
        let _ = to.shutdown().await;
    };
    let ended = CancellationToken::new();
    let outbound = async {
        tokio::select! {
            _ = process::pump(from, &mut writer) => {
                let _ = writer.shutdown().await;
            }
            () = ended.cancelled() => {}
        }
    };
    let both = async { tokio::join!(inbound, outbound) };
    // The end of requests is that of the channel.
    let requests = async {
        handle.refuse_all(&mut requests).await;
        ended.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = both => {}
        () = requests => {}
    }
    handle.close().await;
}

/// Opens a connection that the client asks for.
pub async fn direct_tcp(request: OpenRequest, workspace: Arc<Workspace>, ip: String) {
    let mut data = Reader::new(&request.data);
    let target = (|| Ok::<_, Malformed>((data.text()?.to_owned(), data.u32()?)))();
    let target = target
        .ok()
        .and_then(|(host, port)| Some((host, u16::try_from(port).ok()?)));
    let Some((host, port)) = target else {
        return request
            .refuse(OpenFailure::ConnectFailed, "malformed address")
            .await;
    };
    match TcpStream::connect((host.as_str(), port)).await {
        Ok(stream) => {
            // Interactive traffic must not wait for more of its kind. If it cannot be set,
            // the connection works all the same.
            let _ = stream.set_nodelay(true);
            let joined = join(request.accept().await, stream);
            tokio::select! {
                () = joined => {}
                never = counted(&host, port, &workspace, ip) => match never {},
            }
        }
        Err(error) => {
            let text = format!("{host}:{port}: {error}");
            request.refuse(OpenFailure::ConnectFailed, text).await;
        }
    }
}

/// Counts the connection as a session of an IDE for as long as it is polled, if it is one. Never ends.
async fn counted(host: &str, port: u16, workspace: &Workspace, ip: String) -> Infallible {
    // Looks at all processes, which takes a while: not on a thread that connections wait for.
    let is_ide = tunnel::is_loopback_host(host)
        && tokio::task::spawn_blocking(move || jetbrains::listens_on(port))
            .await
            .unwrap_or_default();
    let _session = is_ide.then(|| workspace.sessions.begin(Some(Kind::JetBrains), ip));
    std::future::pending().await
}

/// Opens a connection to a Unix socket that the client asks for.
pub async fn direct_unix(request: OpenRequest) {
    let path = Reader::new(&request.data).text().map(str::to_owned);
    let Ok(path) = path else {
        return request
            .refuse(OpenFailure::ConnectFailed, "malformed path")
            .await;
    };
    match UnixStream::connect(Account::current().expand(&path)).await {
        Ok(stream) => join(request.accept().await, stream).await,
        Err(error) => {
            request
                .refuse(OpenFailure::ConnectFailed, format!("{path}: {error}"))
                .await;
        }
    }
}

/// The listeners that a client has asked for; closed when dropped.
#[derive(Debug, Default)]
pub struct Forwards {
    tcp: HashMap<(String, u32), Vec<AbortOnDropHandle<()>>>,
    unix: HashMap<PathBuf, UnixForward>,
}

#[derive(Debug)]
struct UnixForward {
    path: PathBuf,
    /// Which file it is, while it is there.
    file: Option<(u64, u64)>,
    _accepting: AbortOnDropHandle<()>,
}

impl Drop for UnixForward {
    fn drop(&mut self) {
        // Another connection of the same person may have put its own in its place meanwhile.
        if self.file.is_some() && self.file == identity(&self.path) {
            // Someone else may have removed it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Forwards {
    fn full(&self) -> bool {
        self.tcp.len() + self.unix.len() >= MAX_LISTENERS
    }

    /// `tcpip-forward`: listens, and answers with the port if the client left it open.
    pub fn listen_tcp(&mut self, mut data: Reader<'_>, peer: &Peer) -> Option<Vec<u8>> {
        let address = data.text().ok()?.to_owned();
        let wanted = data.u32().ok()?;
        let mut port = u16::try_from(wanted).ok()?;
        if self.full() || self.tcp.contains_key(&(address.clone(), wanted)) {
            return None;
        }
        let mut accepting = Vec::new();
        for ip in listen_addresses(&address)? {
            // The second address of a pair may be missing on this machine.
            let Ok(listener) = bind(SocketAddr::new(ip, port)) else {
                continue;
            };
            port = listener.local_addr().ok()?.port();
            let task = accept_tcp(listener, peer.clone(), address.clone());
            accepting.push(AbortOnDropHandle::new(tokio::spawn(task)));
        }
        if accepting.is_empty() {
            return None;
        }
        self.tcp.insert((address, u32::from(port)), accepting);
        let mut answer = Vec::new();
        if wanted == 0 {
            answer.put_number(u32::from(port));
        }
        Some(answer)
    }

    /// `cancel-tcpip-forward`.
    pub fn cancel_tcp(&mut self, mut data: Reader<'_>) -> Option<Vec<u8>> {
        let key = (data.text().ok()?.to_owned(), data.u32().ok()?);
        self.tcp.remove(&key).map(|_| Vec::new())
    }

    /// `streamlocal-forward@openssh.com`: takes the place of a socket that is there already.
    pub fn listen_unix(&mut self, mut data: Reader<'_>, peer: &Peer) -> Option<Vec<u8>> {
        let name = data.text().ok()?;
        let path = Account::current().expand(name);
        if self.full() || self.unix.contains_key(&path) {
            return None;
        }
        let listener = bind_unix(&path)
            .inspect_err(|error| tracing::debug!(%error, ?path, "cannot listen for a client"))
            .ok()?;
        let mut open = Vec::new();
        open.put_string(name.as_bytes());
        open.put_string(b"");
        let accepting = tokio::spawn(accept_unix(
            listener,
            peer.clone(),
            "forwarded-streamlocal@openssh.com",
            open,
        ));
        let forward = UnixForward {
            file: identity(&path),
            path: path.clone(),
            _accepting: AbortOnDropHandle::new(accepting),
        };
        self.unix.insert(path, forward);
        Some(Vec::new())
    }

    /// `cancel-streamlocal-forward@openssh.com`.
    pub fn cancel_unix(&mut self, mut data: Reader<'_>) -> Option<Vec<u8>> {
        let path = Account::current().expand(data.text().ok()?);
        self.unix.remove(&path).map(|_| Vec::new())
    }
}

/// The addresses that a client's bind address stands for (RFC 4254 section 7.1);
/// `None` for host names other than `localhost`.
fn listen_addresses(address: &str) -> Option<Vec<IpAddr>> {
    Some(match address {
        "" | "*" => vec![Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()],
        "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        address => vec![address.parse().ok()?],
    })
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn bind_unix(path: &Path) -> std::io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => UnixListener::bind(path),
    }
}

/// The device and number of a file.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let about = std::fs::symlink_metadata(path).ok()?;
    Some((about.dev(), about.ino()))
}

async fn accept_tcp(listener: TcpListener, peer: Peer, address: String) {
    let port = listener.local_addr().map_or(0, |a| a.port());
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            // Out of descriptors, most likely: give others time to close theirs.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        // As for connections in the other direction.
        let _ = stream.set_nodelay(true);
        let mut open = Vec::new();
        open.put_string(address.as_bytes());
        open.put_number(u32::from(port));
        open.put_string(from.ip().to_string().as_bytes());
        open.put_number(u32::from(from.port()));
        to_client(stream, peer.clone(), "forwarded-tcpip", open);
    }
}

/// Joins a connection with a new channel of type `kind` to the client.
pub fn to_client(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    kind: &'static str,
    open: Vec<u8>,
) {
    tokio::spawn(async move {
        if let Some(channel) = peer.open(kind, open).await {
            join(channel, stream).await;
        }
    });
}

/// Opens a channel of type `kind` to the client for every connection.
pub async fn accept_unix(listener: UnixListener, peer: Peer, kind: &'static str, open: Vec<u8>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // As for TCP.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        to_client(stream, peer.clone(), kind, open.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_another_has_replaced_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let forward = |listener| UnixForward {
            path: path.clone(),
            file: identity(&path),
            _accepting: AbortOnDropHandle::new(tokio::spawn(async move {
                let _listener: UnixListener = listener;
                std::future::pending::<()>().await;
            })),
        };
        let old = forward(bind_unix(&path).unwrap());
        // The old one's number cannot be given to the new one while it is held.
        let held = std::fs::hard_link(&path, dir.path().join("held"));
        held.unwrap();
        let new = forward(bind_unix(&path).unwrap());
        drop(old);
        assert!(UnixStream::connect(&path).await.is_ok());
        drop(new);
        assert!(!path.exists());
    }

    #[test]
    fn bind_addresses_follow_the_rfc() {
        assert_eq!(listen_addresses("").unwrap().len(), 2);
        assert_eq!(
            listen_addresses("localhost").unwrap()[0],
            IpAddr::from([127, 0, 0, 1])
        );
        assert_eq!(
            listen_addresses("::1").unwrap(),
            [IpAddr::from(Ipv6Addr::LOCALHOST)]
        );
        assert_eq!(listen_addresses("example.com"), None);
    }
}
