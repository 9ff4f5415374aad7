//! Opens a connection to a relay: TCP, TLS, then the plain upgrade or a WebSocket, then the greeting.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tunnel_proto::derp::{self, ClientInfo, Decoder, Frame};
use tunnel_proto::derp_map::{DerpNode, Region};
use tunnel_proto::key::NodePublic;

use super::websocket::WebSocketIo;
use super::{DIAL_TIMEOUT, Relays, http, proxy, tls};

/// Largest WebSocket message from a relay: generous for one frame.
const MAX_MESSAGE: usize = 2 * derp::MAX_FRAME_LEN;
/// What is read of a WebSocket at once; all of it is held while the relay is connected.
const READ: usize = 16 << 10;

/// A way to a relay that carries bytes.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A greeted connection.
pub(super) struct Connection {
    pub(super) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Bytes that came with the greeting.
    pub(super) received: Vec<u8>,
}

/// Connects to the first relay of `region` that answers.
pub(super) async fn connect(relays: &Relays, region: &Region) -> io::Result<Connection> {
    if let Some(open) = relays.in_process.as_ref().filter(|_| region.embedded_relay) {
        return greet_boxed(relays, Box::new(open()), Vec::new()).await;
    }
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the region has no relay");
    for node in region.relays() {
        let dial = connect_node(relays, region.region_id, node);
        match tokio::time::timeout(DIAL_TIMEOUT, dial).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn connect_node(relays: &Relays, region: u16, node: &DerpNode) -> io::Result<Connection> {
    if relays.uses_websocket(region) {
        let socket = websocket(relays, node).await?;
        return greet_boxed(relays, Box::new(socket), Vec::new()).await;
    }
    match dial(relays, node).await? {
        Way::Direct(mut tcp) if node.force_http => {
            // A plain socket splits into halves that do not share a lock.
            let rest = upgrade(relays, region, node, &mut tcp).await?;
            let received = greet(relays, &mut tcp, rest).await?;
            let (reader, writer) = tcp.into_split();
            Ok(Connection {
                reader: Box::new(reader),
                writer: Box::new(writer),
                received,
            })
        }
        Way::Direct(tcp) => {
            let mut tls = tls::wrap(relays, certified(node), tcp).await?;
            let rest = upgrade(relays, region, node, &mut tls).await?;
            greet_boxed(relays, Box::new(tls), rest).await
        }
        Way::Proxied(io) => {
            let mut io = secured(relays, node, io).await?;
            let rest = upgrade(relays, region, node, &mut io).await?;
            greet_boxed(relays, io, rest).await
        }
    }
}

/// Asks for the relay protocol; gives the bytes that came after the answer.
async fn upgrade(
    relays: &Relays,
    region: u16,
    node: &DerpNode,
    io: &mut impl Io,
) -> io::Result<Vec<u8>> {
    let extra = "Upgrade: DERP\r\nConnection: Upgrade\r\n";
    let head = http::get(io, node, "/derp", extra, &relays.headers).await?;
    check_upgrade(relays, region, head.status)?;
    Ok(head.rest)
}

fn check_upgrade(relays: &Relays, region: u16, status: u16) -> io::Result<()> {
    if status == 101 {
        return Ok(());
    }
    if (400..500).contains(&status) {
        // Something on the way does not let this upgrade through: the next attempt uses the other.
        relays.remember_websocket(region);
    }
    let text = format!("the relay answered HTTP {status} instead of switching to its protocol");
    Err(io::Error::other(text))
}

/// A TCP or TLS stream to a relay, for requests other than the relay protocol too.
pub(super) async fn stream(relays: &Relays, node: &DerpNode) -> io::Result<Box<dyn Io>> {
    let io: Box<dyn Io> = match dial(relays, node).await? {
        Way::Direct(tcp) => Box::new(tcp),
        Way::Proxied(io) => io,
    };
    secured(relays, node, io).await
}

/// TLS over `io`, where the relay speaks it.
async fn secured(relays: &Relays, node: &DerpNode, io: Box<dyn Io>) -> io::Result<Box<dyn Io>> {
    if node.force_http {
        return Ok(io);
    }
    Ok(Box::new(tls::wrap(relays, certified(node), io).await?))
}

/// The name that a relay's certificate must have.
fn certified(node: &DerpNode) -> &str {
    if node.cert_name.is_empty() {
        &node.host_name
    } else {
        &node.cert_name
    }
}

/// How a relay's port was reached.
enum Way {
    Direct(TcpStream),
    Proxied(Box<dyn Io>),
}

async fn dial(relays: &Relays, node: &DerpNode) -> io::Result<Way> {
    if let Some(proxy) = relays.proxies.of(node) {
        return Ok(Way::Proxied(proxy::connect(relays, &proxy, node).await?));
    }
    let port = http::port(node);
    let fixed = [&node.ipv4, &node.ipv6];
    let mut addresses: Vec<_> = fixed
        .into_iter()
        .filter_map(|text| text.parse::<IpAddr>().ok())
        .map(|ip| (ip, port).into())
        .collect();
    if addresses.is_empty() {
        addresses = tokio::net::lookup_host((node.host_name.as_str(), port))
            .await?
            .collect();
    }
    let tcp = TcpStream::connect(addresses.as_slice()).await?;
    tcp.set_nodelay(true)?;
    Ok(Way::Direct(tcp))
}

async fn websocket(relays: &Relays, node: &DerpNode) -> io::Result<impl Io + 'static> {
    let io = stream(relays, node).await?;
    let scheme = if node.force_http { "ws" } else { "wss" };
    let url = format!("{scheme}://{}/derp", http::authority(node));
    let mut request = url.into_client_request().map_err(io::Error::other)?;
    let headers = request.headers_mut();
    headers.insert(
        ::http::header::SEC_WEBSOCKET_PROTOCOL,
        ::http::HeaderValue::from_static("derp"),
    );
    headers.extend(relays.headers.clone());
    let config = WebSocketConfig::default()
        .read_buffer_size(READ)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, io, Some(config))
        .await
        .map_err(io::Error::other)?;
    Ok(WebSocketIo::new(socket))
}

async fn greet_boxed(
    relays: &Relays,
    mut io: Box<dyn Io>,
    received: Vec<u8>,
) -> io::Result<Connection> {
    let received = greet(relays, &mut io, received).await?;
    let (reader, writer) = tokio::io::split(io);
    Ok(Connection {
        reader: Box::new(reader),
        writer: Box::new(writer),
        received,
    })
}

/// Waits for the server's key and introduces this client. The server's confirmation is not waited
/// for: packets may follow at once. Gives the bytes after the greeting.
async fn greet(
    relays: &Relays,
    io: &mut (impl Io + ?Sized),
    mut received: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let mut decoder = Decoder::default();
    let server = loop {
        if let Some(key) = server_key(&mut decoder, &mut received)? {
            break key;
        }
        if io.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let nonce = rand::random();
    let sealed = derp::seal_client_info(&relays.node, &server, nonce, &ClientInfo::default());
    let mut hello = Vec::with_capacity(256);
    derp::client_info(&mut hello, &relays.node.public(), &nonce, &sealed);
    io.write_all(&hello).await?;
    io.flush().await?;
    Ok(received)
}

/// Takes the server's key from the front of `received`, if it is complete.
fn server_key(decoder: &mut Decoder, received: &mut Vec<u8>) -> io::Result<Option<NodePublic>> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let step = decoder
        .step(received)
        .map_err(|error| invalid(error.to_string()))?;
    let key = match step.frame {
        Some(Frame::ServerKey(key)) => Some(key),
        None if step.consumed == 0 => return Ok(None),
        _ => return Err(invalid("the relay does not begin with its key".to_owned())),
    };
    let consumed = step.consumed;
    received.drain(..consumed);
    Ok(key)
}
