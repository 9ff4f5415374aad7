//! Direct paths over real sockets: found, used, lost and blocked.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod support;

use std::time::Duration;

use support::{Pair, Relay, address, config, direct_pair, introduce, pair_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tunnel::Via;

/// Far more than any step needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pings until a pong comes directly.
async fn until_direct(pair: &Pair) {
    let direct = async {
        loop {
            if let Ok(pong) = pair.client.ping(pair.agent.id()).await
                && matches!(pong.via, Via::Direct(_))
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, direct).await.unwrap();
}

/// Sends `len` bytes to an echo in the tunnel and reads them back.
async fn echo(pair: &Pair, port: u16, len: usize) {
    let mut listener = pair.agent.listen_tcp(port).unwrap();
    tokio::spawn(async move {
        let stream = listener.accept().await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let exchange = async {
        let stream = pair
            .client
            .dial_tcp(address(&pair.agent, port))
            .await
            .unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let data: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let sent = data.clone();
        let write = tokio::spawn(async move {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        let mut back = Vec::new();
        reader.read_to_end(&mut back).await.unwrap();
        write.await.unwrap();
        assert!(back == data, "{} of {} bytes", back.len(), data.len());
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_on_one_network_find_each_other_and_need_no_relay_any_more() {
    let relay = Relay::start().await;
    let pair = direct_pair(&relay);
    echo(&pair, 7, 1 << 20).await;
    until_direct(&pair).await;
    relay.stop();
    echo(&pair, 8, 4 << 20).await;
    let status = &pair.client.peers()[0];
    assert!(matches!(status.via, Some(Via::Direct(_))), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_appears_during_a_transfer_loses_nothing() {
    let relay = Relay::start().await;
    let pair = direct_pair(&relay);
    // The first bytes go by the relay, the last directly.
    echo(&pair, 7, 16 << 20).await;
    let status = &pair.client.peers()[0];
    assert!(matches!(status.via, Some(Via::Direct(_))), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_end_that_blocks_direct_paths_is_enough() {
    let relay = Relay::start().await;
    for blocked in [(true, false), (false, true)] {
        let (mut client, mut agent) = (config(&relay, false), config(&relay, true));
        (client.block_endpoints, agent.block_endpoints) = blocked;
        let pair = pair_of(client, agent);
        echo(&pair, 7, 1 << 20).await;
        for _ in 0..5 {
            let pong = pair.client.ping(pair.agent.id()).await.unwrap();
            assert_eq!(pong.via, Via::Relay(support::REGION));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let blocked = if blocked.0 { &pair.client } else { &pair.agent };
        assert!(support::node(blocked).endpoints.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_paths_can_be_blocked_and_allowed_again() {
    let relay = Relay::start().await;
    let pair = direct_pair(&relay);
    until_direct(&pair).await;
    pair.agent.set_block_endpoints(true);
    let mut node = pair.agent.self_node();
    let hidden = node.wait_for(|node| node.as_ref().is_some_and(|node| node.endpoints.is_empty()));
    tokio::time::timeout(PATIENCE, hidden)
        .await
        .unwrap()
        .unwrap();
    introduce(&pair.client, &pair.agent);
    echo(&pair, 7, 1 << 20).await;
    let relayed = async {
        while !matches!(
            pair.client.ping(pair.agent.id()).await.unwrap().via,
            Via::Relay(_)
        ) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, relayed).await.unwrap();
    pair.agent.set_block_endpoints(false);
    let shown = node.wait_for(|node| node.as_ref().is_some_and(|node| !node.endpoints.is_empty()));
    tokio::time::timeout(PATIENCE, shown)
        .await
        .unwrap()
        .unwrap();
    introduce(&pair.client, &pair.agent);
    until_direct(&pair).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_seen_from_outside_are_published() {
    let relay = Relay::start().await;
    // Lies about what it sees, to be told from local addresses.
    let seen: std::net::SocketAddr = "203.0.113.7:4242".parse().unwrap();
    let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut client = config(&relay, false);
    client.block_endpoints = false;
    support::add_stun(&mut client.derp_map, 0, server.local_addr().unwrap());
    let conn = tunnel::Conn::new(client);
    let mut node = conn.self_node();
    let answer = async {
        let mut buffer = [0; 256];
        loop {
            let (len, from) = server.recv_from(&mut buffer).await.unwrap();
            let transaction = tunnel_proto::stun::parse_request(&buffer[..len]).unwrap();
            let response = tunnel_proto::stun::response(transaction, seen);
            server.send_to(&response, from).await.unwrap();
        }
    };
    let published = async {
        loop {
            let endpoints = node.borrow_and_update().clone().map(|node| node.endpoints);
            if endpoints.is_some_and(|all| all.contains(&seen)) {
                return;
            }
            node.changed().await.unwrap();
        }
    };
    tokio::select! {
        () = answer => {}
        result = tokio::time::timeout(PATIENCE, published) => result.unwrap(),
    }
}
