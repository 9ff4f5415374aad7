//! TCP through the tunnel: bulk data, many connections, and the ways in which they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod support;

use std::io;
use std::time::Duration;

use support::{Relay, address, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tunnel::{Conn, TcpStream};

const LIMIT: Duration = Duration::from_mins(5);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future)
        .await
        .expect("the test hangs")
}

/// An opened connection and its accepted end.
async fn connected(client: &Conn, agent: &Conn, port: u16) -> (TcpStream, TcpStream) {
    let mut listener = agent.listen_tcp(port).unwrap();
    let (dialled, accepted) =
        tokio::join!(client.dial_tcp(address(agent, port)), listener.accept());
    (dialled.unwrap(), accepted.unwrap())
}

/// Bytes that no shift or repetition of packets would reproduce.
fn pattern(len: usize, mut state: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend((state >> 11).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

async fn send(mut io: impl AsyncWriteExt + Unpin, data: &[u8]) {
    io.write_all(data).await.unwrap();
    io.shutdown().await.unwrap();
}

async fn receive(mut io: impl AsyncReadExt + Unpin) -> Vec<u8> {
    let mut data = Vec::new();
    io.read_to_end(&mut data).await.unwrap();
    data
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_data_both_ways_at_once() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let (dialled, accepted) = connected(&tunnel.client, &tunnel.agent, 7).await;
        assert_eq!(dialled.local_addr(), accepted.peer_addr());
        let (up, down) = (pattern(32 << 20, 1), pattern(32 << 20, 2));
        let (client_read, client_write) = tokio::io::split(dialled);
        let (agent_read, agent_write) = tokio::io::split(accepted);
        let ((), (), got_up, got_down) = tokio::join!(
            send(client_write, &up),
            send(agent_write, &down),
            receive(agent_read),
            receive(client_read),
        );
        assert!(got_up == up && got_down == down, "data changed on the way");
    })
    .await;
    let traffic = tunnel.client.traffic();
    assert!(traffic.tx_bytes > 32 << 20 && traffic.rx_bytes > 32 << 20);
    assert_eq!(
        (traffic.tx_dropped, tunnel.agent.traffic().tx_dropped),
        (0, 0),
        "back pressure"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_at_once() {
    const COUNT: usize = 300;
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let mut listener = tunnel.agent.listen_tcp(7).unwrap();
        let echo = tokio::spawn(async move {
            for _ in 0..COUNT {
                let stream = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut read, mut write) = tokio::io::split(stream);
                    tokio::io::copy(&mut read, &mut write).await.unwrap();
                    write.shutdown().await.unwrap();
                });
            }
        });
        let mut clients = tokio::task::JoinSet::new();
        for n in 0..COUNT {
            let (conn, to) = (tunnel.client.clone(), address(&tunnel.agent, 7));
            clients.spawn(async move {
                let data = pattern(5000 + n, n as u64);
                let (read, write) = tokio::io::split(conn.dial_tcp(to).await.unwrap());
                let ((), back) = tokio::join!(send(write, &data), receive(read));
                assert!(back == data);
            });
        }
        clients.join_all().await;
        echo.await.unwrap();
    })
    .await;
    // Closed connections leave the table.
    within(async {
        while tunnel.client.traffic().tcp_open + tunnel.agent.traffic().tcp_open > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(tunnel.agent.traffic().tcp_opened, COUNT as u64);
}

#[tokio::test]
async fn a_half_closed_connection_carries_the_other_direction() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let (mut dialled, mut accepted) = connected(&tunnel.client, &tunnel.agent, 7).await;
        dialled.write_all(b"question").await.unwrap();
        dialled.shutdown().await.unwrap();
        assert_eq!(receive(&mut accepted).await, b"question");
        accepted.write_all(b"answer").await.unwrap();
        drop(accepted);
        assert_eq!(receive(&mut dialled).await, b"answer");
        let error = dialled.write_all(b"late").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    })
    .await;
}

#[tokio::test]
async fn what_was_written_before_the_drop_arrives() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let (mut dialled, accepted) = connected(&tunnel.client, &tunnel.agent, 7).await;
        let data = pattern(600 << 10, 3);
        dialled.write_all(&data).await.unwrap();
        drop(dialled);
        assert!(receive(accepted).await == data);
    })
    .await;
}

#[tokio::test]
async fn dropping_with_unread_data_resets() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let (mut dialled, mut accepted) = connected(&tunnel.client, &tunnel.agent, 7).await;
        dialled.write_all(b"never read").await.unwrap();
        // Wait until it has arrived.
        accepted.read_u8().await.unwrap();
        drop(accepted);
        let error = dialled.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(dialled.write_all(b"x").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_port_without_listener_is_refused() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let error = tunnel
            .client
            .dial_tcp(address(&tunnel.agent, 9))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let listener = tunnel.agent.listen_tcp(9).unwrap();
        assert_eq!(
            tunnel.agent.listen_tcp(9).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(listener);
        assert!(tunnel.agent.listen_tcp(9).is_ok());
    })
    .await;
}

#[tokio::test]
async fn the_fallback_reaches_local_ports_and_refuses_closed_ones() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    tunnel.agent.set_fallback_tcp(tunnel::Localhost);
    let local = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = local.local_addr().unwrap().port();
    within(async {
        let serve = async {
            let (stream, _) = local.accept().await.unwrap();
            let (mut read, mut write) = stream.into_split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        };
        let data = pattern(300 << 10, 4);
        let ask = async {
            let stream = tunnel
                .client
                .dial_tcp(address(&tunnel.agent, port))
                .await
                .unwrap();
            let (read, write) = tokio::io::split(stream);
            let ((), back) = tokio::join!(send(write, &data), receive(read));
            assert!(back == data);
        };
        tokio::join!(serve, ask);
        drop(local);
        let error = tunnel
            .client
            .dial_tcp(address(&tunnel.agent, port))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_writer() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let (mut dialled, mut accepted) = connected(&tunnel.client, &tunnel.agent, 7).await;
        let data = pattern(16 << 20, 5);
        let mut taken = 0;
        // Nobody reads: the writer must get stuck within the buffers of both ends.
        while let Ok(written) =
            tokio::time::timeout(Duration::from_millis(500), dialled.write(&data[taken..])).await
        {
            taken += written.unwrap();
            assert!(taken < data.len(), "no back pressure");
        }
        let (rest, got) = tokio::join!(
            async {
                dialled.write_all(&data[taken..]).await.unwrap();
                dialled.shutdown().await.unwrap();
            },
            receive(&mut accepted),
        );
        let () = rest;
        assert!(got == data);
    })
    .await;
}

#[tokio::test]
async fn closing_the_tunnel_delivers_and_then_fails_everything() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    within(async {
        let (mut dialled, mut accepted) = connected(&tunnel.client, &tunnel.agent, 7).await;
        let mut listener = tunnel.client.listen_tcp(1).unwrap();
        dialled.write_all(&vec![7; 100_000]).await.unwrap();
        let (got, ()) = tokio::join!(
            async {
                let mut data = vec![0; 100_000];
                accepted.read_exact(&mut data).await.map(|_| data)
            },
            tunnel.client.close(),
        );
        assert!(got.unwrap().iter().all(|&byte| byte == 7));
        assert!(dialled.read_u8().await.is_err());
        assert!(listener.accept().await.is_err());
        assert!(
            tunnel
                .client
                .dial_tcp(address(&tunnel.agent, 7))
                .await
                .is_err()
        );
    })
    .await;
}
