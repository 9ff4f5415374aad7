//! The coordinator's streams, with a coordinator played by the test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rpc::drpc::{Channel, Receiver, Router, Sender, Status, serve};
use rpc::mux::{self, Session};
use rpc::proto::tailnet::coordinate_response::{PeerUpdate, peer_update::Kind};
use rpc::proto::tailnet::{
    CoordinateRequest, CoordinateResponse, DerpMap, RefreshResumeTokenRequest,
    RefreshResumeTokenResponse, StreamDerpMapsRequest,
};
use rpc::{TailnetClient, TailnetServer, TailnetService};
use support::{Relay, config, node};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tunnel::Conn;
use tunnel::coordinate::{self, DialError, Role, derp_map_to_proto, node_to_proto};

/// Hands requests to the test and the test's answers to the peer.
struct Played {
    requests: mpsc::Sender<CoordinateRequest>,
    responses: Mutex<mpsc::Receiver<CoordinateResponse>>,
    map: DerpMap,
}

impl TailnetService for Played {
    async fn stream_derp_maps(
        &self,
        _: StreamDerpMapsRequest,
        mut output: Sender<DerpMap>,
    ) -> Result<(), Status> {
        output.send(&self.map).await?;
        std::future::pending().await
    }

    async fn refresh_resume_token(
        &self,
        _: RefreshResumeTokenRequest,
    ) -> Result<RefreshResumeTokenResponse, Status> {
        Ok(RefreshResumeTokenResponse {
            token: "resume me".to_owned(),
            ..Default::default()
        })
    }

    async fn coordinate(
        &self,
        mut input: Receiver<CoordinateRequest>,
        mut output: Sender<CoordinateResponse>,
    ) -> Result<(), Status> {
        let mut responses = self.responses.lock().await;
        loop {
            tokio::select! {
                request = input.recv() => match request? {
                    Some(request) => {
                        let leaves = request.disconnect.is_some();
                        self.requests.send(request).await.map_err(Status::new)?;
                        if leaves {
                            return Ok(());
                        }
                    }
                    None => return Ok(()),
                },
                response = responses.recv() => match response {
                    Some(response) => output.send(&response).await?,
                    None => return Ok(()),
                },
            }
        }
    }
}

struct Coordinator {
    requests: mpsc::Receiver<CoordinateRequest>,
    responses: mpsc::Sender<CoordinateResponse>,
    client: TailnetClient,
}

impl Coordinator {
    fn new(map: &tunnel::DerpMap) -> Self {
        let (request_in, requests) = mpsc::channel(16);
        let (responses, response_out) = mpsc::channel(16);
        let played = Played {
            requests: request_in,
            responses: Mutex::new(response_out),
            map: derp_map_to_proto(map),
        };
        let (a, b) = tokio::io::duplex(64 << 10);
        let server = Session::new(b, mux::Role::Server, mux::Config::default());
        tokio::spawn(serve(
            server,
            Router::new().with(TailnetServer(Arc::new(played))),
        ));
        let session = Session::new(a, mux::Role::Client, mux::Config::default());
        Self {
            requests,
            responses,
            client: TailnetClient::new(Channel::over(session)),
        }
    }

    async fn request(&mut self) -> CoordinateRequest {
        tokio::time::timeout(Duration::from_secs(20), self.requests.recv())
            .await
            .expect("no request")
            .unwrap()
    }

    async fn tell(&self, of: &Conn, kind: Kind) {
        let update = PeerUpdate {
            id: of.id().as_bytes().to_vec(),
            node: Some(node_to_proto(&node(of))),
            kind: kind.into(),
            ..Default::default()
        };
        let response = CoordinateResponse {
            peer_updates: vec![update],
            ..Default::default()
        };
        self.responses.send(response).await.unwrap();
    }

    async fn fail(&self, error: &str) {
        let response = CoordinateResponse {
            error: error.to_owned(),
            ..Default::default()
        };
        self.responses.send(response).await.unwrap();
    }
}

/// A client that has no relay map yet, and a coordinator that has one.
fn client_without_map(relay: &Relay) -> (Conn, Coordinator) {
    let mut config = config(relay, false);
    config.derp_map = tunnel::DerpMap::default();
    (Conn::new(config), Coordinator::new(&relay.map()))
}

#[tokio::test]
async fn a_client_asks_for_tunnels_publishes_itself_and_takes_leave() {
    let relay = Relay::start().await;
    let (client, mut coordinator) = client_without_map(&relay);
    let agent = Conn::new(config(&relay, true));
    client.add_destination(agent.id());
    let stop = CancellationToken::new();
    let run = {
        let (client, rpc, stop) = (client.clone(), coordinator.client.clone(), stop.clone());
        tokio::spawn(async move { coordinate::run(&client, &rpc, Role::Client, &stop).await })
    };
    let (mut tunnel, mut published) = (None, None);
    while tunnel.is_none() || published.is_none() {
        let request = coordinator.request().await;
        tunnel = tunnel.or(request.add_tunnel);
        published = published.or(request.update_self);
    }
    assert_eq!(tunnel.unwrap().id, agent.id().as_bytes());
    assert_eq!(
        published.unwrap().node.unwrap().preferred_derp,
        i32::from(support::REGION)
    );

    // More tunnels while it runs, and fewer.
    let other = uuid::Uuid::new_v4();
    client.add_destination(other);
    assert_eq!(
        coordinator.request().await.add_tunnel.unwrap().id,
        other.as_bytes()
    );
    client.remove_destination(other);
    assert_eq!(
        coordinator.request().await.remove_tunnel.unwrap().id,
        other.as_bytes()
    );
    // Given up and named again at once: its news are wanted anew.
    client.add_destination(other);
    while coordinator.request().await.add_tunnel.is_none() {}
    client.remove_destination(other);
    client.add_destination(other);
    assert_eq!(
        coordinator.request().await.remove_tunnel.unwrap().id,
        other.as_bytes()
    );
    assert_eq!(
        coordinator.request().await.add_tunnel.unwrap().id,
        other.as_bytes()
    );
    client.remove_destination(other);
    assert!(coordinator.request().await.remove_tunnel.is_some());

    coordinator.tell(&agent, Kind::Node).await;
    coordinator.tell(&agent, Kind::ReadyForHandshake).await;
    support::introduce(&agent, &client);
    client
        .await_reachable(agent.id(), Duration::from_secs(20))
        .await
        .unwrap();

    stop.cancel();
    assert!(coordinator.request().await.disconnect.is_some());
    run.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_reads_while_it_asks_for_many_tunnels() {
    /// More requests than fit into a stream whose other end does not read.
    const TUNNELS: usize = 20_000;
    let relay = Relay::start().await;
    let (client, mut coordinator) = client_without_map(&relay);
    for _ in 0..TUNNELS {
        client.add_destination(uuid::Uuid::new_v4());
    }
    let stop = CancellationToken::new();
    let rpc = coordinator.client.clone();
    let run = coordinate::run(&client, &rpc, Role::Client, &stop);
    let play = async {
        let mut asked = 0;
        while asked < TUNNELS {
            asked += usize::from(coordinator.request().await.add_tunnel.is_some());
            let news = PeerUpdate {
                id: uuid::Uuid::new_v4().as_bytes().to_vec(),
                kind: Kind::Lost.into(),
                reason: "x".repeat(100),
                ..Default::default()
            };
            let response = CoordinateResponse {
                peer_updates: vec![news],
                ..Default::default()
            };
            coordinator.responses.send(response).await.unwrap();
        }
        stop.cancel();
    };
    let (result, ()) =
        tokio::time::timeout(Duration::from_mins(1), async { tokio::join!(run, play) })
            .await
            .expect("both wait for each other");
    result.unwrap();
}

#[tokio::test]
async fn an_agent_says_that_it_is_ready_once_its_relay_is_connected() {
    let relay = Relay::start().await;
    let agent = Conn::new(config(&relay, true));
    let client = Conn::new(config(&relay, false));
    let mut coordinator = Coordinator::new(&relay.map());
    let stop = CancellationToken::new();
    let rpc = coordinator.client.clone();
    let run = coordinate::run(&agent, &rpc, Role::Agent, &stop);
    let play = async {
        assert!(coordinator.request().await.update_self.is_some());
        coordinator.tell(&client, Kind::Node).await;
        let ready = coordinator.request().await.ready_for_handshake;
        assert_eq!(ready[0].id, client.id().as_bytes());
        assert_eq!(agent.peers().len(), 1);
        // The peer left before it was told: no reason to end.
        coordinator
            .fail("ready for handshake error: you do not share a tunnel with x")
            .await;
        coordinator.tell(&client, Kind::Lost).await;
        while !agent.peers()[0].lost {
            tokio::task::yield_now().await;
        }
        coordinator.fail("authorization: no").await;
    };
    let (result, ()) = tokio::join!(run, play);
    assert_eq!(
        result.unwrap_err().to_string(),
        "the coordinator refused: authorization: no"
    );
}

#[tokio::test]
async fn a_client_reconnects_and_asks_again() {
    let relay = Relay::start().await;
    let (client, mut first) = client_without_map(&relay);
    let mut second = Coordinator::new(&relay.map());
    let agent = Conn::new(config(&relay, true));
    client.add_destination(agent.id());
    let clients = [first.client.clone(), second.client.clone()];
    let (dials, stop) = (AtomicUsize::new(0), CancellationToken::new());
    let keep = coordinate::keep_running(
        &client,
        |token| {
            assert!(token.is_none(), "no token was fetched in this short time");
            let client = match dials.fetch_add(1, Ordering::SeqCst) {
                0 => Ok(clients[0].clone()),
                1 => Err(DialError::Permanent("not permanent any more".into())),
                _ => Ok(clients[1].clone()),
            };
            Box::pin(async { client })
        },
        &stop,
    );
    let play = async {
        while first.request().await.add_tunnel.is_none() {}
        first.tell(&agent, Kind::Node).await;
        while client.peers().is_empty() {
            tokio::task::yield_now().await;
        }
        first.fail("coordinator closed").await;
        while second.request().await.add_tunnel.is_none() {}
        assert!(client.peers()[0].lost, "kept, but lost");
        second.tell(&agent, Kind::Node).await;
        while client.peers()[0].lost {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        while second.request().await.disconnect.is_none() {}
    };
    let (result, ()) = tokio::join!(keep, play);
    result.unwrap();
}

#[tokio::test]
async fn a_first_refusal_ends_it() {
    let relay = Relay::start().await;
    let (client, _) = client_without_map(&relay);
    let stop = CancellationToken::new();
    let dial = |_| -> coordinate::DialFuture<'static> {
        Box::pin(async { Err(DialError::Permanent("not found".into())) })
    };
    let error = coordinate::keep_running(&client, dial, &stop)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "not found");
}
