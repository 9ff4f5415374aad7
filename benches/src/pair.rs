//! Two ends of a tunnel in two processes, that tell each other who they are by a pipe.

use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Stdio;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tunnel::{
    Config, Conn, DerpMap, DerpNode, Node, PeerUpdate, PeerUpdateKind, Region, TcpStream,
};
use tunnel_proto::key::{DiscoPublic, NodePublic};
use uuid::Uuid;

/// Where the other end serves.
const PORT: u16 = 7;
const REGION: u16 = 1;
/// Bytes of a write or read of those who use the streams.
pub(crate) const CHUNK: usize = 128 << 10;

/// What a stream asks the other end for, by its first byte.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask {
    /// Take what comes.
    Take = b't' as isize,
    /// Send as much as goes.
    Give = b'g' as isize,
    /// Send everything back.
    Echo = b'e' as isize,
}

/// This end, and the process of the other.
pub(crate) struct Pair {
    pub(crate) conn: Conn,
    pub(crate) child: Child,
    to: SocketAddrV6,
}

fn config(agent: bool, relay: SocketAddr, direct: bool) -> anyhow::Result<Config> {
    let url = format!("http://{relay}").parse()?;
    let mut config = if agent {
        Config::agent(Uuid::new_v4(), url)
    } else {
        Config::client(url)
    };
    config.block_endpoints = !direct;
    let node = DerpNode {
        name: "bench".into(),
        region_id: REGION,
        host_name: relay.ip().to_string(),
        derp_port: i32::from(relay.port()),
        stun_port: -1,
        force_http: true,
        ..DerpNode::default()
    };
    let region = Region {
        region_id: REGION,
        nodes: vec![node],
        ..Region::default()
    };
    config.derp_map = DerpMap {
        home_params: None,
        regions: [(REGION, region)].into(),
    };
    Ok(config)
}

/// Both ends, connected by the relay; with `direct` also by UDP.
pub(crate) async fn start(relay: SocketAddr, direct: bool) -> anyhow::Result<Pair> {
    start_in(relay, direct, None).await
}

/// The same, with the other end in a network namespace.
pub(crate) async fn start_in(
    relay: SocketAddr,
    direct: bool,
    namespace: Option<OwnedFd>,
) -> anyhow::Result<Pair> {
    let conn = Conn::new(config(false, relay, direct)?);
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["agent", &format!("{relay} {direct}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    if let Some(namespace) = namespace {
        // SAFETY: between fork and exec only one system call is made, on an open descriptor.
        unsafe {
            command.pre_exec(move || {
                match libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
    }
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().context("no pipe to the other end")?;
    let stdout = child.stdout.take().context("no pipe from the other end")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = lines.next_line().await?.context("the other end ended")?;
    let (id, node) = read(&line).context("the other end told nonsense")?;
    let to = SocketAddrV6::new(node.addresses[0], PORT, 0, 0);
    conn.add_destination(id);
    apply(&conn, id, PeerUpdateKind::Node(Box::new(node)));
    apply(&conn, id, PeerUpdateKind::ReadyForHandshake);
    tell(&conn, &mut stdin).await?;
    // Later descriptions, both ways: endpoints come after the home.
    let told = conn.clone();
    tokio::spawn(async move {
        let mut changes = told.self_node();
        while changes.changed().await.is_ok() && tell(&told, &mut stdin).await.is_ok() {}
    });
    let heard = conn.clone();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some((id, node)) = read(&line) {
                apply(&heard, id, PeerUpdateKind::Node(Box::new(node)));
            }
        }
    });
    let pair = Pair { conn, child, to };
    if direct {
        for _ in 0..500 {
            let pong = pair.conn.ping(id).await;
            if matches!(pong, Ok(pong) if matches!(pong.via, tunnel::Via::Direct(_))) {
                return Ok(pair);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::bail!("no direct path was found");
    }
    Ok(pair)
}

impl Pair {
    /// A stream to the other end, which then does as it is asked.
    pub(crate) async fn ask(&self, what: Ask) -> anyhow::Result<TcpStream> {
        let mut stream = self.conn.dial_tcp(self.to).await?;
        stream.write_all(&[what as u8]).await?;
        Ok(stream)
    }

    /// The other end's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }
}

fn apply(conn: &Conn, id: Uuid, kind: PeerUpdateKind) {
    conn.apply_peer_updates(vec![PeerUpdate { id, kind }]);
}

/// Writes this end's description as a line, once there is one.
async fn tell(conn: &Conn, out: &mut (impl AsyncWriteExt + Unpin)) -> anyhow::Result<()> {
    let mut changes = conn.self_node();
    let node = changes.wait_for(Option::is_some).await?.clone();
    let node = node.context("no description")?;
    let mut line = format!(
        "{} {} {}",
        conn.id(),
        hex::encode(node.key.0),
        hex::encode(node.disco.0)
    );
    line += &format!(" {}", node.addresses[0]);
    for endpoint in &node.endpoints {
        line += &format!(" {endpoint}");
    }
    out.write_all(format!("{line}\n").as_bytes()).await?;
    out.flush().await?;
    Ok(())
}

fn read(line: &str) -> Option<(Uuid, Node)> {
    let mut fields = line.split(' ');
    let id = fields.next()?.parse().ok()?;
    let mut key = [0; 32];
    hex::decode_to_slice(fields.next()?, &mut key).ok()?;
    let mut disco = [0; 32];
    hex::decode_to_slice(fields.next()?, &mut disco).ok()?;
    let addresses = vec![fields.next()?.parse().ok()?];
    let node = Node {
        id: 1,
        key: NodePublic(key),
        disco: DiscoPublic(disco),
        preferred_derp: REGION,
        derp_latency: [].into(),
        derp_forced_websocket: [].into(),
        allowed_ips: addresses.clone(),
        addresses,
        endpoints: fields.filter_map(|field| field.parse().ok()).collect(),
    };
    Some((id, node))
}

/// The other end's process: serves until its pipe ends.
pub(crate) async fn agent(args: &str) -> anyhow::Result<()> {
    let (relay, direct) = args.split_once(' ').context("bad arguments")?;
    let conn = Conn::new(config(true, relay.parse()?, direct.parse()?)?);
    conn.home_connected().await;
    let mut listener = conn.listen_tcp(PORT)?;
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            tokio::spawn(async move {
                // The asker says when it is over, by closing.
                let _ = serve(stream).await;
            });
        }
    });
    tell(&conn, &mut tokio::io::stdout()).await?;
    let told = conn.clone();
    tokio::spawn(async move {
        let mut changes = told.self_node();
        while changes.changed().await.is_ok() {
            if tell(&told, &mut tokio::io::stdout()).await.is_err() {
                return;
            }
        }
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((id, node)) = read(&line) {
            apply(&conn, id, PeerUpdateKind::Node(Box::new(node)));
        }
    }
    Ok(())
}

async fn serve(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut buffer = vec![0; CHUNK];
    match stream.read_u8().await? {
        b't' => while stream.read(&mut buffer).await? > 0 {},
        b'g' => loop {
            stream.write_all(&buffer).await?;
        },
        _ => loop {
            let len = stream.read(&mut buffer).await?;
            if len == 0 {
                break;
            }
            stream.write_all(&buffer[..len]).await?;
        },
    }
    Ok(())
}
