//! Tunnel ends in namespaces, introduced to each other as a coordinator would.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tunnel::{Config, Conn, DerpMap, PeerUpdate, PeerUpdateKind, Pong, Via};

use super::namespace::Namespace;
use super::support::{self, Form, Relay};
use super::topology::Topology;

/// A path must be found, or everything tried, in this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// The relay and two STUN servers, on the hub.
pub struct Internet {
    pub map: DerpMap,
    relay: SocketAddr,
}

impl Internet {
    pub async fn open(topology: &Topology) -> Self {
        let hub = runtime(&topology.hub);
        let started = hub.spawn(async {
            for ip in ["203.0.113.1", "203.0.113.2"] {
                let socket = UdpSocket::bind((ip, 3478)).await.unwrap();
                tokio::spawn(relay::serve_stun(socket));
            }
            let listener = TcpListener::bind("203.0.113.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let relay = Relay::on(listener, Form::Plain);
            let map = relay.map();
            // Lives as long as the runtime.
            std::mem::forget(relay);
            (map, address)
        });
        let (mut map, relay) = started.await.unwrap();
        for (n, ip) in ["203.0.113.1:3478", "203.0.113.2:3478"].iter().enumerate() {
            support::add_stun(&mut map, n as u16, ip.parse().unwrap());
        }
        Self { map, relay }
    }

    fn config(&self, agent: bool) -> Config {
        let url = format!("http://{}", self.relay).parse().unwrap();
        let mut config = if agent {
            Config::agent(uuid::Uuid::new_v4(), url)
        } else {
            Config::client(url)
        };
        config.derp_map = self.map.clone();
        config
    }

    /// A client in one namespace and an agent in another, that know each other.
    pub async fn pair(&self, client: &Namespace, agent: &Namespace) -> Pair {
        let open = |space: &Namespace, config: Config| {
            runtime(space).spawn(async move { Conn::new(config) })
        };
        let client = open(client, self.config(false)).await.unwrap();
        let agent = open(agent, self.config(true)).await.unwrap();
        client.add_destination(agent.id());
        let coordination = [
            tokio::spawn(follow(client.clone(), agent.clone(), false)),
            tokio::spawn(follow(agent.clone(), client.clone(), true)),
        ];
        let pair = Pair {
            client,
            agent,
            coordination,
        };
        let echo = pair.agent.listen_tcp(7).unwrap();
        tokio::spawn(serve_echo(echo));
        pair
    }
}

/// Tells `to` whatever `of` publishes.
async fn follow(of: Conn, to: Conn, ready: bool) {
    let mut node = of.self_node();
    loop {
        let described = node.borrow_and_update().clone();
        if let Some(described) = described {
            let id = of.id();
            let kind = PeerUpdateKind::Node(Box::new(described));
            let mut updates = vec![PeerUpdate { id, kind }];
            if ready {
                let kind = PeerUpdateKind::ReadyForHandshake;
                updates.push(PeerUpdate { id, kind });
            }
            to.apply_peer_updates(updates);
        }
        if node.changed().await.is_err() {
            return;
        }
    }
}

async fn serve_echo(mut listener: tunnel::Listener) {
    while let Ok(stream) = listener.accept().await {
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(stream);
            // A test that ends in the middle breaks the copy.
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
            let _ = writer.shutdown().await;
        });
    }
}

pub struct Pair {
    pub client: Conn,
    pub agent: Conn,
    coordination: [tokio::task::JoinHandle<()>; 2],
}

impl Drop for Pair {
    fn drop(&mut self) {
        for task in &self.coordination {
            task.abort();
        }
    }
}

impl Pair {
    /// A stream to the echo.
    pub async fn stream(&self) -> tunnel::TcpStream {
        let to = support::address(&self.agent, 7);
        tokio::time::timeout(PATIENCE, self.client.dial_tcp(to))
            .await
            .unwrap()
            .unwrap()
    }

    /// Sends `len` bytes to the echo and reads them back.
    pub async fn echo(&self, stream: &mut tunnel::TcpStream, len: usize) {
        let data: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let exchange = async {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let write = async {
                writer.write_all(&data).await.unwrap();
                writer.flush().await.unwrap();
            };
            let mut back = vec![0; len];
            let read = async { reader.read_exact(&mut back).await.unwrap() };
            tokio::join!(write, read);
            assert!(back == data, "the echo is wrong");
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .expect("the echo does not come back");
    }

    async fn ping(&self) -> Option<Pong> {
        self.client.ping(self.agent.id()).await.ok()
    }

    /// Pings until a pong comes directly; from which address.
    pub async fn until_direct(&self) -> SocketAddr {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(pong) = self.ping().await
                && let Via::Direct(address) = pong.via
            {
                return address;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no direct path: {:#?}", self.client.status());
    }

    /// Pings for a while: every pong must come by the relay. Gives why, in words.
    pub async fn stays_relayed(&self) -> String {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(6) {
            if let Some(pong) = self.ping().await {
                let relayed = matches!(pong.via, Via::Relay(_));
                assert!(relayed, "a direct path that cannot be: {pong:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let why = self.client.status().why_relayed(self.agent.id());
        why.expect("a reason").to_string()
    }

    /// Pings until a pong comes by the relay.
    pub async fn until_relayed(&self) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(pong) = self.ping().await
                && matches!(pong.via, Via::Relay(_))
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the relay is not used: {:#?}", self.client.status());
    }
}

/// A runtime on a thread of its own: sockets that its tasks open are in this namespace. It
/// ends with the process.
fn runtime(space: &Namespace) -> Handle {
    let path = format!("/run/netns/{}", space.name);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let file = std::fs::File::open(path).unwrap();
        // SAFETY: the descriptor is open; only this thread changes its namespace.
        let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        sender.send(runtime.handle().clone()).unwrap();
        runtime.block_on(std::future::pending::<()>());
    });
    receiver.recv().unwrap()
}
