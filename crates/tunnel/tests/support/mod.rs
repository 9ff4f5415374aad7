//! A relay for tests: enough of the protocol to carry packets between clients of one process.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role as WsRole;
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};
use tunnel::{Config, Conn, DerpMap, DerpNode, Node, PeerUpdate, PeerUpdateKind, Region};
use tunnel_proto::derp::{self, Decoder, Frame, ServerInfo};
use tunnel_proto::key::{NodePrivate, NodePublic};

pub const REGION: u16 = 999;

type Clients = Arc<Mutex<HashMap<NodePublic, mpsc::Sender<Vec<u8>>>>>;

/// How a relay lets itself be reached.
#[derive(Clone)]
pub enum Form {
    /// Plain HTTP and the relay's own upgrade.
    Plain,
    /// Refuses the upgrade (as a proxy would) and takes only WebSockets.
    WebSocketOnly,
    /// TLS.
    Tls(Arc<rustls::ServerConfig>),
}

/// A relay on a port of its own.
pub struct Relay {
    pub address: SocketAddr,
    tls: bool,
    clients: Clients,
    task: JoinHandle<()>,
}

impl Relay {
    pub async fn start() -> Self {
        Self::start_as(Form::Plain).await
    }

    pub async fn start_as(form: Form) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, form)
    }

    pub fn on(listener: TcpListener, form: Form) -> Self {
        let tls = matches!(form, Form::Tls(_));
        let address = listener.local_addr().unwrap();
        let clients = Clients::default();
        let table = clients.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            let key = NodePrivate::generate(&mut rand::rng());
            loop {
                let (io, _) = listener.accept().await.unwrap();
                io.set_nodelay(true).unwrap();
                let (table, key, form) = (table.clone(), key.clone(), form.clone());
                connections.spawn(async move {
                    match form {
                        Form::Plain => serve(io, table, key).await,
                        Form::WebSocketOnly => serve_websocket(io, table, key).await,
                        Form::Tls(config) => {
                            let io = tokio_rustls::TlsAcceptor::from(config).accept(io).await?;
                            serve(io, table, key).await
                        }
                    }
                });
            }
        });
        Self {
            address,
            tls,
            clients,
            task,
        }
    }

    /// Stops and drops all connections.
    pub fn stop(self) {
        self.task.abort();
    }

    pub fn map(&self) -> DerpMap {
        let node = DerpNode {
            name: "test".into(),
            region_id: REGION,
            host_name: if self.tls {
                "localhost".into()
            } else {
                self.address.ip().to_string()
            },
            derp_port: i32::from(self.address.port()),
            stun_port: -1,
            force_http: !self.tls,
            ..DerpNode::default()
        };
        let region = Region {
            region_id: REGION,
            nodes: vec![node],
            ..Region::default()
        };
        DerpMap {
            home_params: None,
            regions: [(REGION, region)].into(),
        }
    }

    /// Sends raw bytes to every client, as a broken relay would.
    pub fn inject(&self, bytes: &[u8]) {
        for client in self.clients.lock().unwrap().values() {
            client.try_send(bytes.to_vec()).unwrap();
        }
    }

    /// Sends `packet` to `to` as if it came from `from`.
    pub fn send_as(&self, from: NodePublic, to: NodePublic, packet: &[u8]) {
        let mut out = Vec::new();
        derp::recv_packet(&mut out, &from, packet);
        self.clients.lock().unwrap()[&to].try_send(out).unwrap();
    }
}

pub async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

async fn serve(mut io: impl Io, clients: Clients, key: NodePrivate) -> io::Result<()> {
    let head = read_head(&mut io).await?;
    if head.starts_with("GET /derp/latency-check ") {
        return io
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
    }
    assert!(
        head.contains("Upgrade: DERP\r\n") && head.contains("Host: "),
        "{head}"
    );
    io.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n")
        .await?;
    relay(io, clients, key).await
}

async fn serve_websocket(mut io: TcpStream, clients: Clients, key: NodePrivate) -> io::Result<()> {
    let head = read_head(&mut io).await?;
    let field = |name: &str| {
        let line = head
            .lines()
            .find(|line| line.to_lowercase().starts_with(name))?;
        Some(line.split_once(": ")?.1.to_owned())
    };
    let Some(challenge) = field("sec-websocket-key:") else {
        return io
            .write_all(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            .await;
    };
    assert_eq!(field("sec-websocket-protocol:").as_deref(), Some("derp"));
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(challenge.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: derp\r\n\r\n"
    );
    io.write_all(answer.as_bytes()).await?;
    let socket =
        tokio_tungstenite::WebSocketStream::from_raw_socket(io, WsRole::Server, None).await;
    // Frames are cut into messages where they fit worst.
    let (sink, stream) = socket.split();
    let bytes = stream.map(|message| message.map(Message::into_data).map_err(io::Error::other));
    let sink = sink
        .with(|bytes: bytes::Bytes| std::future::ready(Ok(Message::Binary(bytes))))
        .sink_map_err(|error: tokio_tungstenite::tungstenite::Error| io::Error::other(error));
    let io = tokio::io::join(
        StreamReader::new(bytes),
        SinkWriter::new(CopyToBytes::new(sink)),
    );
    relay(io, clients, key).await
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

async fn relay(mut io: impl Io, clients: Clients, key: NodePrivate) -> io::Result<()> {
    let mut hello = Vec::new();
    derp::server_key(&mut hello, &key.public());
    io.write_all(&hello).await?;
    io.flush().await?;
    let (mut reader, mut writer) = tokio::io::split(io);
    let (sender, mut queue) = mpsc::channel::<Vec<u8>>(512);
    tokio::spawn(async move {
        while let Some(frame) = queue.recv().await {
            if writer.write_all(&frame).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
    });
    let mut decoder = Decoder::default();
    let mut buffer = Vec::new();
    let mut ours = NodePublic::default();
    loop {
        let mut used = 0;
        loop {
            let step = decoder.step(&buffer[used..]).map_err(io::Error::other)?;
            match step.frame {
                Some(Frame::ClientInfo {
                    key: client,
                    nonce,
                    sealed,
                }) => {
                    derp::open_client_info(&key, &client, nonce, sealed).unwrap();
                    ours = client;
                    let mut out = Vec::new();
                    let info = derp::seal_server_info(&key, &client, nonce, &ServerInfo::default());
                    derp::server_info(&mut out, &nonce, &info);
                    sender.send(out).await.unwrap();
                    clients.lock().unwrap().insert(client, sender.clone());
                }
                Some(Frame::SendPacket {
                    destination,
                    packet,
                }) => {
                    let target = clients.lock().unwrap().get(&destination).cloned();
                    if let Some(target) = target {
                        let mut out = Vec::new();
                        derp::recv_packet(&mut out, &ours, packet);
                        // Waits, so that tests on a slow machine see no loss.
                        let _ = target.send(out).await;
                    }
                }
                _ if step.consumed == 0 => break,
                _ => {}
            }
            used += step.consumed;
        }
        buffer.drain(..used);
        if reader.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Two tunnel ends that know each other: a client that dials, and an agent.
pub struct Pair {
    pub client: Conn,
    pub agent: Conn,
}

pub fn config(relay: &Relay, agent: bool) -> Config {
    let url = format!("http://{}", relay.address).parse().unwrap();
    let mut config = if agent {
        Config::agent(uuid::Uuid::new_v4(), url)
    } else {
        Config::client(url)
    };
    config.derp_map = relay.map();
    // Most tests are about relays.
    config.block_endpoints = true;
    config
}

/// Adds the `number`th STUN server to a map.
pub fn add_stun(map: &mut DerpMap, number: u16, address: SocketAddr) {
    let region_id = REGION + 1 + number;
    let node = DerpNode {
        name: "stun".into(),
        region_id,
        host_name: address.ip().to_string(),
        stun_port: i32::from(address.port()),
        stun_only: true,
        ..DerpNode::default()
    };
    let region = Region {
        region_id,
        nodes: vec![node],
        ..Region::default()
    };
    map.regions.insert(region_id, region);
}

pub fn pair(relay: &Relay) -> Pair {
    pair_of(config(relay, false), config(relay, true))
}

/// Two ends that may find a direct path.
pub fn direct_pair(relay: &Relay) -> Pair {
    let direct = |mut config: Config| {
        config.block_endpoints = false;
        config
    };
    pair_of(direct(config(relay, false)), direct(config(relay, true)))
}

pub fn pair_of(client: Config, agent: Config) -> Pair {
    let client = Conn::new(client);
    let agent = Conn::new(agent);
    client.add_destination(agent.id());
    introduce(&agent, &client);
    introduce(&client, &agent);
    let ready = PeerUpdate {
        id: agent.id(),
        kind: PeerUpdateKind::ReadyForHandshake,
    };
    client.apply_peer_updates(vec![ready]);
    Pair { client, agent }
}

/// Tells `to` what `of` publishes.
pub fn introduce(to: &Conn, of: &Conn) {
    let kind = PeerUpdateKind::Node(Box::new(node(of)));
    to.apply_peer_updates(vec![PeerUpdate { id: of.id(), kind }]);
}

pub fn node(of: &Conn) -> Node {
    of.self_node().borrow().clone().unwrap()
}

pub fn address(of: &Conn, port: u16) -> std::net::SocketAddrV6 {
    std::net::SocketAddrV6::new(of.addresses()[0], port, 0, 0)
}
