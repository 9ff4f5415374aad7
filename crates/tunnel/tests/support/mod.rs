//! A relay for tests: enough of the protocol to carry packets between clients of one process.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tunnel::{Config, Conn, DerpMap, DerpNode, Node, PeerUpdate, PeerUpdateKind, Region};
use tunnel_proto::derp::{self, Decoder, Frame, ServerInfo};
use tunnel_proto::key::{NodePrivate, NodePublic};

pub const REGION: u16 = 999;

type Clients = Arc<Mutex<HashMap<NodePublic, mpsc::Sender<Vec<u8>>>>>;

/// A relay on a port of its own.
pub struct Relay {
    pub address: SocketAddr,
    clients: Clients,
    task: JoinHandle<()>,
}

impl Relay {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener)
    }

    pub fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let clients = Clients::default();
        let table = clients.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            let key = NodePrivate::generate(&mut rand::rng());
            loop {
                let (io, _) = listener.accept().await.unwrap();
                connections.spawn(serve(io, table.clone(), key.clone()));
            }
        });
        Self {
            address,
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
            host_name: self.address.ip().to_string(),
            derp_port: i32::from(self.address.port()),
            stun_port: -1,
            force_http: true,
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

async fn serve(mut io: TcpStream, clients: Clients, key: NodePrivate) -> io::Result<()> {
    io.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await?);
    }
    if head.starts_with(b"GET /derp/latency-check ") {
        return io
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
    }
    let mut hello = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n".to_vec();
    derp::server_key(&mut hello, &key.public());
    io.write_all(&hello).await?;
    let (mut reader, mut writer) = io.into_split();
    let (sender, mut queue) = mpsc::channel::<Vec<u8>>(512);
    tokio::spawn(async move {
        while let Some(frame) = queue.recv().await {
            if writer.write_all(&frame).await.is_err() {
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
    config
}

pub fn pair(relay: &Relay) -> Pair {
    let client = Conn::new(config(relay, false));
    let agent = Conn::new(config(relay, true));
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
