//! What strangers, broken relays and broken peers send: none of it disturbs the tunnel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod support;

use std::time::Duration;

use support::{Pair, Relay, address, introduce, node, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tunnel::{Conn, PeerUpdate, PeerUpdateKind, PingError};
use tunnel_proto::disco::{Message, Shared};
use tunnel_proto::key::{DiscoPrivate, NodePublic};

const LIMIT: Duration = Duration::from_mins(2);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future)
        .await
        .expect("the test hangs")
}

/// Sends a few bytes there and back.
async fn works(tunnel: &Pair) {
    let mut listener = tunnel.agent.listen_tcp(7).unwrap();
    let (dialled, accepted) = tokio::join!(
        tunnel.client.dial_tcp(address(&tunnel.agent, 7)),
        listener.accept()
    );
    let (mut dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
    dialled.write_all(b"ping").await.unwrap();
    let mut got = [0; 4];
    accepted.read_exact(&mut got).await.unwrap();
    accepted.write_all(&got).await.unwrap();
    dialled.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"ping");
}

#[tokio::test]
async fn packets_of_strangers_and_garbage_of_peers_are_ignored() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        works(&tunnel).await;
        let (client, agent) = (node(&tunnel.client), node(&tunnel.agent));
        let stranger = NodePublic([9; 32]);
        for from in [stranger, client.key] {
            for len in [0, 1, 4, 31, 32, 92, 148, 1312, 1500, 65_535, 65_536] {
                for first in [0, 1, 2, 3, 4, 5, b'T'] {
                    let mut packet = vec![0x5a; len];
                    if let Some(kind) = packet.first_chunk_mut::<4>() {
                        *kind = [first, 0, 0, 0];
                    }
                    relay.send_as(from, agent.key, &packet);
                }
                tokio::task::yield_now().await;
            }
        }
        let mut disco = b"TS\xf0\x9f\x92\xac".to_vec();
        disco.extend(client.disco.0);
        disco.extend([7; 200]);
        relay.send_as(client.key, agent.key, &disco);
        works(&tunnel).await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_breaks_the_protocol_is_left_and_met_again() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        works(&tunnel).await;
        // Unknown frames are skipped, also long ones; known ones may not be too long.
        let mut unknown = vec![0x99, 0, 1, 0, 0];
        unknown.resize(5 + 65_536, 1);
        relay.inject(&unknown);
        works(&tunnel).await;
        for broken in [
            &[0x05, 0xff, 0xff, 0xff, 0xff][..],
            &[0x05, 0, 0, 0, 3, 1, 2, 3],
            &[0x77, 0xff, 0, 0, 0],
        ] {
            relay.inject(broken);
            works(&tunnel).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_forged_or_unasked_pong_does_not_count() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        works(&tunnel).await;
        let pong = tunnel.client.ping(tunnel.agent.id()).await.unwrap();
        assert_eq!(pong.via, tunnel::Via::Relay(support::REGION));
        let unknown = tunnel.client.ping(uuid::Uuid::new_v4()).await;
        assert_eq!(unknown, Err(PingError::UnknownPeer));
        // A third party that knows only public keys cannot seal a message of the agent.
        let (client, agent) = (node(&tunnel.client), node(&tunnel.agent));
        let thief = DiscoPrivate::from_bytes([3; 32]);
        let source = "127.0.0.1:1".parse().unwrap();
        let pong = Message::Pong {
            transaction: [0; 12],
            source,
        };
        let forged = Shared::new(&thief, &client.disco).seal(&agent.disco, [0; 24], &pong);
        relay.send_as(agent.key, client.key, &forged);
        works(&tunnel).await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_may_not_speak_for_others() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        works(&tunnel).await;
        // A second client that claims the first one's address.
        let mut config = support::config(&relay, false);
        config.addresses = tunnel.client.addresses();
        let thief = Conn::new(config);
        introduce(&tunnel.agent, &thief);
        thief.add_destination(tunnel.agent.id());
        introduce(&thief, &tunnel.agent);
        thief.apply_peer_updates(vec![PeerUpdate {
            id: tunnel.agent.id(),
            kind: PeerUpdateKind::ReadyForHandshake,
        }]);
        let reach = thief
            .await_reachable(tunnel.agent.id(), Duration::from_secs(1))
            .await;
        assert_eq!(reach, Err(PingError::Timeout(Duration::from_secs(1))));
        works(&tunnel).await;
    })
    .await;
}

#[tokio::test]
async fn connections_end_when_the_coordinator_says_that_the_peer_left() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let mut listener = tunnel.agent.listen_tcp(7).unwrap();
        let (dialled, accepted) = tokio::join!(
            tunnel.client.dial_tcp(address(&tunnel.agent, 7)),
            listener.accept()
        );
        let (mut dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
        let left = |id| {
            vec![PeerUpdate {
                id,
                kind: PeerUpdateKind::Disconnected,
            }]
        };
        tunnel.agent.apply_peer_updates(left(tunnel.client.id()));
        assert!(accepted.read_u8().await.is_err());
        tunnel.client.apply_peer_updates(left(tunnel.agent.id()));
        assert!(dialled.read_u8().await.is_err());
        assert!(tunnel.client.peers().is_empty());
    })
    .await;
}

#[tokio::test]
async fn connections_survive_a_relay_that_restarts() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let mut listener = tunnel.agent.listen_tcp(7).unwrap();
        let (dialled, accepted) = tokio::join!(
            tunnel.client.dial_tcp(address(&tunnel.agent, 7)),
            listener.accept()
        );
        let (mut dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
        let address = relay.address;
        relay.stop();
        dialled
            .write_all(b"written while the relay is away")
            .await
            .unwrap();
        let listener = loop {
            match tokio::net::TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let _relay = Relay::on(listener, support::Form::Plain);
        let mut got = [0; 31];
        accepted.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"written while the relay is away");
    })
    .await;
}
