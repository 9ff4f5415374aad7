//! Datagrams through the tunnel and to services of the agent's machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod support;

use std::io::ErrorKind;
use std::net::SocketAddrV6;
use std::time::Duration;

use support::{Relay, address, pair};
use tunnel::UdpSocket;

/// Sends until an answer comes: datagrams may be lost.
async fn ask(socket: &UdpSocket, data: &[u8], to: SocketAddrV6) -> (Vec<u8>, SocketAddrV6) {
    let mut buffer = [0; 2000];
    for _ in 0..10 {
        socket.send_to(data, to).unwrap();
        let answer =
            tokio::time::timeout(Duration::from_secs(2), socket.recv_from(&mut buffer)).await;
        if let Ok(answer) = answer {
            let (len, from) = answer.unwrap();
            return (buffer[..len].to_vec(), from);
        }
    }
    panic!("no answer");
}

#[tokio::test]
async fn datagrams_pass_both_ways() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    let service = tunnel.agent.bind_udp(53).unwrap();
    assert_eq!(
        tunnel.agent.bind_udp(53).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    tokio::spawn(async move {
        let mut buffer = [0; 2000];
        loop {
            let (len, from) = service.recv_from(&mut buffer).await.unwrap();
            buffer[..len].reverse();
            service.send_to(&buffer[..len], from).unwrap();
        }
    });
    let reachable = tunnel
        .client
        .await_reachable(tunnel.agent.id(), Duration::from_secs(20));
    reachable.await.unwrap();
    let socket = tunnel.client.bind_udp(0).unwrap();
    let to = address(&tunnel.agent, 53);
    assert_eq!(ask(&socket, b"abc", to).await, (b"cba".to_vec(), to));
    let largest = vec![1; 1232];
    assert_eq!(ask(&socket, &largest, to).await.0, largest);
    assert_eq!(ask(&socket, b"", to).await.0, b"");
    assert_eq!(
        socket.send_to(&[0; 1233], to).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let nobody = SocketAddrV6::new(std::net::Ipv6Addr::LOCALHOST, 1, 0, 0);
    assert_eq!(
        socket.send_to(b"x", nobody).unwrap_err().kind(),
        ErrorKind::HostUnreachable
    );
}

#[tokio::test]
async fn other_ports_are_forwarded_to_the_machine() {
    let relay = Relay::start().await;
    let tunnel = pair(&relay);
    tunnel.agent.forward_udp_to_localhost();
    let service = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = service.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 2000];
        loop {
            let (len, from) = service.recv_from(&mut buffer).await.unwrap();
            buffer[..len].reverse();
            service.send_to(&buffer[..len], from).await.unwrap();
        }
    });
    let to = address(&tunnel.agent, port);
    let (first, second) = (
        tunnel.client.bind_udp(0).unwrap(),
        tunnel.client.bind_udp(0).unwrap(),
    );
    for (socket, data, answer) in [(&first, b"one", b"eno"), (&second, b"two", b"owt")] {
        assert_eq!(ask(socket, data, to).await, (answer.to_vec(), to));
    }
}
