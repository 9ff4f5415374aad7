//! The ways to a relay: plain upgrade, WebSocket when that is refused, TLS, several regions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::{Form, Relay, address, config, introduce, node, pair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tunnel::{Config, Conn, DerpMap, PeerUpdate, PeerUpdateKind};

const LIMIT: Duration = Duration::from_mins(2);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future)
        .await
        .expect("the test hangs")
}

/// Carries `len` bytes from `client` to `agent`.
async fn carry(client: &Conn, agent: &Conn, len: usize) {
    let mut listener = agent.listen_tcp(7).unwrap();
    let (dialled, accepted) = tokio::join!(client.dial_tcp(address(agent, 7)), listener.accept());
    let (mut dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
    let data: Vec<u8> = (0..len).map(|n| (n * n / 7) as u8).collect();
    let mut got = Vec::new();
    let ((), read) = tokio::join!(
        async {
            dialled.write_all(&data).await.unwrap();
            dialled.shutdown().await.unwrap();
        },
        accepted.read_to_end(&mut got),
    );
    read.unwrap();
    assert!(got == data);
}

/// Two ends with these settings that know each other.
fn introduced(client: Config, agent: Config) -> (Conn, Conn) {
    let (client, agent) = (Conn::new(client), Conn::new(agent));
    acquaint(&client, &agent);
    (client, agent)
}

fn acquaint(client: &Conn, agent: &Conn) {
    client.add_destination(agent.id());
    introduce(agent, client);
    introduce(client, agent);
    let ready = PeerUpdate {
        id: agent.id(),
        kind: PeerUpdateKind::ReadyForHandshake,
    };
    client.apply_peer_updates(vec![ready]);
}

#[tokio::test]
async fn a_refused_upgrade_leads_to_websocket() {
    let relay = Relay::start_as(Form::WebSocketOnly).await;
    let tunnel = pair(&relay);
    within(carry(&tunnel.client, &tunnel.agent, 3 << 20)).await;
}

/// Whoever stands before a relay may want to see a header: it is there whichever way is taken.
#[tokio::test]
async fn extra_headers_reach_the_relay() {
    let relay = Relay::start().await;
    for force in [false, true] {
        let gate = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = config(&relay, false);
        config.derp_force_websockets = force;
        config
            .headers
            .insert("x-pass", "let me in".parse().unwrap());
        for node in config
            .derp_map
            .regions
            .values_mut()
            .flat_map(|r| &mut r.nodes)
        {
            node.derp_port = i32::from(gate.local_addr().unwrap().port());
        }
        let conn = Conn::new(config);
        let head = within(async {
            loop {
                let (mut io, _) = gate.accept().await.unwrap();
                let head = support::read_head(&mut io).await.unwrap();
                if head.starts_with("GET /derp HTTP") {
                    return head.to_lowercase();
                }
            }
        });
        let head = head.await;
        assert!(head.contains("\r\nx-pass: let me in\r\n"), "{head}");
        assert_eq!(head.contains("websocket"), force, "{head}");
        conn.close().await;
    }
}

#[tokio::test]
async fn websocket_can_be_forced() {
    let relay = Relay::start_as(Form::WebSocketOnly).await;
    let [mut client, mut agent] = [config(&relay, false), config(&relay, true)];
    client.derp_force_websockets = true;
    agent.derp_force_websockets = true;
    let (client, agent) = introduced(client, agent);
    within(carry(&client, &agent, 1 << 20)).await;
}

/// Settings of a server for `localhost`, and of a client that trusts it.
fn tls() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

#[tokio::test]
async fn relays_are_reached_by_tls() {
    let (server, trusting) = tls();
    let relay = Relay::start_as(Form::Tls(server)).await;
    let [mut client, mut agent] = [config(&relay, false), config(&relay, true)];
    client.tls = Some(trusting);
    agent.tls = client.tls.clone();
    let (client, agent) = introduced(client, agent);
    within(carry(&client, &agent, 1 << 20)).await;
}

#[tokio::test]
async fn peers_with_different_homes_meet_at_the_home_of_the_other() {
    let (here, there) = (Relay::start().await, Relay::start().await);
    let mut map = here.map();
    let mut region = there.map().regions.remove(&support::REGION).unwrap();
    region.region_id = 5;
    map.regions.insert(5, region);
    // The agent's map has one region, so its home is certain; the client knows both.
    let mut agent = config(&there, true);
    agent.derp_map = DerpMap {
        regions: map
            .regions
            .iter()
            .filter(|(id, _)| **id == 5)
            .map(|(id, region)| (*id, region.clone()))
            .collect(),
        home_params: None,
    };
    let mut client = config(&here, false);
    client.derp_map = here.map();
    let (client, agent) = (Conn::new(client), Conn::new(agent));
    assert_eq!(
        (node(&client).preferred_derp, node(&agent).preferred_derp),
        (999, 5)
    );
    client.set_derp_map(map.clone());
    agent.set_derp_map(map);
    acquaint(&client, &agent);
    within(carry(&client, &agent, 1 << 20)).await;
}

#[tokio::test]
async fn of_several_regions_the_one_that_answers_is_home() {
    let relay = Relay::start().await;
    let mut map = relay.map();
    // A region whose relay is gone.
    let gone = Relay::start().await;
    let mut region = gone.map().regions.remove(&support::REGION).unwrap();
    region.region_id = 5;
    map.regions.insert(5, region);
    gone.stop();
    let mut settings = config(&relay, false);
    settings.derp_map = map;
    let conn = Conn::new(settings);
    let mut published = conn.self_node();
    within(async {
        let node = published
            .wait_for(Option::is_some)
            .await
            .unwrap()
            .clone()
            .unwrap();
        assert_eq!(node.preferred_derp, support::REGION);
        assert!(node.derp_latency.contains_key("999-v4"));
        conn.home_connected().await;
    })
    .await;
}

/// How a proxy is spoken to.
#[derive(Clone)]
enum Spoken {
    Http,
    Https(Arc<rustls::ServerConfig>),
    Socks,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A proxy that leads every request for `relay.test` to `relay`, if it knows the password.
async fn proxy(relay: std::net::SocketAddr, spoken: Spoken) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let spoken = spoken.clone();
            tokio::spawn(async move {
                let mut io: Box<dyn Io> = Box::new(tcp);
                if let Spoken::Https(config) = &spoken {
                    let acceptor = tokio_rustls::TlsAcceptor::from(config.clone());
                    io = Box::new(acceptor.accept(io).await?);
                }
                let admitted = match spoken {
                    Spoken::Socks => admit_socks(&mut io).await?,
                    Spoken::Http | Spoken::Https(_) => admit_http(&mut io).await?,
                };
                if admitted {
                    let mut onward = tokio::net::TcpStream::connect(relay).await?;
                    tokio::io::copy_bidirectional(&mut io, &mut onward).await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    port
}

async fn admit_http(io: &mut Box<dyn Io>) -> std::io::Result<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("CONNECT relay.test:"), "{head}");
    let known = head.contains("Proxy-Authorization: Basic dXNlcjpwdw==");
    let answer: &[u8] = if known {
        b"HTTP/1.1 200 Connected\r\n\r\n"
    } else {
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
    };
    io.write_all(answer).await?;
    Ok(known)
}

async fn admit_socks(io: &mut Box<dyn Io>) -> std::io::Result<bool> {
    let mut greeting = [0; 4];
    io.read_exact(&mut greeting).await?;
    assert_eq!(greeting, [5, 2, 0, 2]);
    io.write_all(&[5, 2]).await?;
    let mut name = [0; 6];
    io.read_exact(&mut name).await?;
    assert_eq!(&name, b"\x01\x04user");
    let mut password = vec![0; io.read_u8().await?.into()];
    io.read_exact(&mut password).await?;
    let known = password == b"pw";
    io.write_all(&[1, u8::from(!known)]).await?;
    if known {
        let mut request = [0; 17];
        io.read_exact(&mut request).await?;
        assert_eq!(&request[..15], b"\x05\x01\x00\x03\x0arelay.test");
        io.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    }
    Ok(known)
}

#[tokio::test]
async fn relays_are_reached_through_a_proxy() {
    let (server, trusting) = tls();
    for spoken in [Spoken::Http, Spoken::Https(server), Spoken::Socks] {
        let scheme = match &spoken {
            Spoken::Http => "http",
            Spoken::Https(_) => "https",
            Spoken::Socks => "socks5",
        };
        let relay = Relay::start().await;
        let port = proxy(relay.address, spoken).await;
        let through = |mut config: Config, password: &str| {
            for region in config.derp_map.regions.values_mut() {
                region.nodes[0].host_name = "relay.test".into();
            }
            let url = format!("{scheme}://user:{password}@localhost:{port}");
            config.proxies = tunnel::Proxies::all(&url);
            config.tls = Some(trusting.clone());
            config
        };
        let (client, agent) = introduced(
            through(config(&relay, false), "pw"),
            through(config(&relay, true), "pw"),
        );
        within(carry(&client, &agent, 1 << 20)).await;
        let refused = Conn::new(through(config(&relay, false), "wrong"));
        let waited = tokio::time::timeout(Duration::from_millis(300), refused.home_connected());
        assert!(
            waited.await.is_err(),
            "the {scheme} proxy asks for a password"
        );
    }
}
