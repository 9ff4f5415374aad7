//! What arrives from strangers and broken peers, for every parser of this crate: no input may
//! panic, run on, or be taken for what it is not.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod mutate;

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

use mutate::{corpus, fuzz};
use tunnel_proto::derp::{self, Decoder, Frame};
use tunnel_proto::disco::{self, Message, Shared};
use tunnel_proto::key::{DiscoPrivate, NodePrivate, NodePublic};
use tunnel_proto::packet::{self, Ipv6, Tsmp};
use tunnel_proto::stun;
use tunnel_proto::tcp::{Addresses, Connection, Limits, Segment};

/// A decoder's answers to `bytes` given in pieces of `step`.
fn frames(bytes: &[u8], step: usize) -> (Vec<String>, bool) {
    let mut decoder = Decoder::default();
    let (mut start, mut end, mut all) = (0, 0, Vec::new());
    loop {
        end = (end + step).min(bytes.len());
        loop {
            match decoder.step(&bytes[start..end]) {
                Ok(step) if step.consumed == 0 => break,
                Ok(step) => {
                    assert!(start + step.consumed <= end);
                    all.extend(step.frame.map(|frame| format!("{frame:?}")));
                    start += step.consumed;
                }
                Err(_) => return (all, true),
            }
        }
        if end == bytes.len() {
            return (all, false);
        }
    }
}

#[test]
fn relay_frames() {
    let mut inputs = corpus(include_str!("../corpus/derp.hex"));
    let (key, nonce) = (NodePublic([7; 32]), [9; derp::NONCE_LEN]);
    let mut all = Vec::new();
    derp::server_key(&mut all, &key);
    derp::client_info(&mut all, &key, &nonce, b"sealed");
    derp::server_info(&mut all, &nonce, b"sealed");
    derp::send_packet(&mut all, &key, b"packet");
    derp::recv_packet(&mut all, &key, b"packet");
    derp::forward_packet(&mut all, &key, &key, b"packet");
    derp::keep_alive(&mut all);
    derp::note_preferred(&mut all, true);
    derp::peer_gone(&mut all, &key, derp::GoneReason::NotHere);
    derp::peer_present(&mut all, &key);
    derp::watch_conns(&mut all);
    derp::close_peer(&mut all, &key);
    derp::ping(&mut all, *b"12345678");
    derp::pong(&mut all, *b"12345678");
    inputs.push(all);
    fuzz(&inputs, |input| {
        // However the bytes are cut, they mean the same.
        assert_eq!(frames(input, usize::MAX >> 1), frames(input, 7));
    });
}

#[test]
fn relay_greetings() {
    let (ours, theirs) = (
        NodePrivate::from_bytes([1; 32]),
        NodePrivate::from_bytes([2; 32]),
    );
    let nonce = [3; derp::NONCE_LEN];
    let info = derp::seal_client_info(&theirs, &ours.public(), nonce, &derp::ClientInfo::default());
    fuzz(std::slice::from_ref(&info), |input| {
        let opened = derp::open_client_info(&ours, &theirs.public(), nonce, input);
        assert_eq!(opened.is_ok(), input == info, "a forgery was believed");
        assert!(
            derp::open_server_info(&ours, &theirs.public(), nonce, input).is_err() || input == info
        );
    });
}

#[test]
fn discovery() {
    let (ours, theirs) = (
        DiscoPrivate::from_bytes([1; 32]),
        DiscoPrivate::from_bytes([2; 32]),
    );
    let from_them = Shared::new(&theirs, &ours.public());
    let sealed = [
        Message::Ping {
            transaction: [1; 12],
            node: Some(NodePublic([5; 32])),
        },
        Message::Pong {
            transaction: [1; 12],
            source: disco::relay_source(3),
        },
        Message::CallMeMaybe {
            candidates: vec!["192.0.2.1:5".parse().unwrap()],
        },
    ]
    .map(|message| from_them.seal(&theirs.public(), [4; 24], &message));
    let mut inputs = sealed.to_vec();
    inputs.extend(corpus(include_str!("../corpus/disco.hex")));
    let us = Shared::new(&ours, &theirs.public());
    fuzz(&inputs, |input| {
        let _ = (disco::is_disco(input), disco::sender(input));
        let opened = us.open(input);
        // The sender's key in front is not sealed; the rest is.
        let genuine = sealed
            .iter()
            .any(|known| input.len() == known.len() && input[38..] == known[38..]);
        assert!(genuine || opened.is_none(), "a forgery was believed");
    });
}

#[test]
fn stun_messages() {
    let mut inputs = corpus(include_str!("../corpus/stun.hex"));
    inputs.push(stun::request([1; 12]));
    inputs.push(stun::response([1; 12], "192.0.2.1:5".parse().unwrap()));
    inputs.push(stun::response([1; 12], "[2001:db8::1]:5".parse().unwrap()));
    fuzz(&inputs, |input| {
        let request = stun::parse_request(input);
        let response = stun::parse_response(input);
        assert!(request.is_none() || response.is_none());
        assert!(stun::is_stun(input) || (request.is_none() && response.is_none()));
    });
}

#[test]
fn packets() {
    let mut inputs = corpus(include_str!("../corpus/packet.hex"));
    inputs.push(Tsmp::Ping([1; 8]).packet(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST));
    fuzz(&inputs, |input| {
        if let Some(ip) = Ipv6::parse(input) {
            assert!(ip.payload.len() + packet::IPV6_HEADER_LEN <= input.len());
            let _ = (Tsmp::parse(ip.payload), Segment::parse(ip.payload));
            packet::checksum(ip.source, ip.destination, ip.protocol, ip.payload);
        }
    });
}

const LIMITS: Limits = Limits {
    receive_window: 64 << 10,
    send_buffer: 64 << 10,
    silence: Duration::from_mins(1),
    keep_alive: Some(Duration::from_secs(10)),
    orphan: false,
};

/// Everything that `connection` wants to send, bounded.
fn drain(connection: &mut Connection, now: Instant) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while let Some(transmit) = connection.poll_transmit(now) {
        connection.cut(&transmit, &mut |packet| out.push(packet.to_vec()));
        assert!(out.len() < 1000, "no end of segments");
    }
    out
}

/// A peer that speaks TCP, but says what it likes at any point.
#[test]
fn tcp_segments() {
    let end = |n| SocketAddrV6::new(Ipv6Addr::new(0xfd, 0, 0, 0, 0, 0, 0, n), n, 0, 0);
    let ours = Addresses {
        local: end(1),
        remote: end(2),
    };
    let theirs = Addresses {
        local: end(2),
        remote: end(1),
    };
    let begun = Instant::now();
    let open = || {
        let mut us = Connection::connect(ours, 1000, LIMITS, begun);
        let syn = drain(&mut us, begun).remove(0);
        let syn = Segment::parse(&syn[packet::IPV6_HEADER_LEN..]).unwrap();
        let mut them = Connection::accept(theirs, 2000, LIMITS, &syn, begun);
        for packet in drain(&mut them, begun) {
            let segment = Segment::parse(&packet[packet::IPV6_HEADER_LEN..]).unwrap();
            us.handle_segment(&segment, begun);
        }
        for packet in drain(&mut us, begun) {
            let segment = Segment::parse(&packet[packet::IPV6_HEADER_LEN..]).unwrap();
            them.handle_segment(&segment, begun);
        }
        (us, them)
    };
    let (_, mut them) = open();
    assert!(them.is_established());
    them.write(&[1; 3000]);
    them.close();
    // Payloads of IPv6 packets: data, a FIN, and what the corpus holds.
    let mut inputs = corpus(include_str!("../corpus/tcp.hex"));
    inputs.extend(
        drain(&mut them, begun)
            .iter()
            .map(|packet| packet[packet::IPV6_HEADER_LEN..].to_vec()),
    );
    let (mut us, _) = open();
    let (mut now, mut fed) = (begun, 0);
    fuzz(&inputs, |input| {
        if fed % 50 == 0 || us.end().is_some() {
            us = open().0;
            now = begun;
            us.write(&[2; 20_000]);
            drain(&mut us, now);
        }
        fed += 1;
        if let Some(segment) = Segment::parse(input) {
            us.handle_segment(&segment, now);
        }
        drain(&mut us, now);
        now += Duration::from_millis(fed % 7 * 30);
        if us.poll_timeout().is_some_and(|due| due <= now) {
            us.handle_timeout(now);
        }
        drain(&mut us, now);
        assert!(us.unread() <= LIMITS.receive_window);
        assert!(us.room() <= LIMITS.send_buffer);
        if fed % 11 == 0 {
            us.read(5000, &mut |_| {});
        }
        if fed % 41 == 0 {
            us.close();
        }
    });
}

#[test]
fn frames_know_what_they_are() {
    // The helper above compares texts: they must tell frames apart.
    let mut bytes = Vec::new();
    derp::ping(&mut bytes, [1; 8]);
    let (all, failed) = frames(&bytes, 3);
    assert_eq!(
        (all, failed),
        (vec![format!("{:?}", Frame::Ping([1; 8]))], false)
    );
}
