//! Clients against a relay, over in-memory pipes.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tunnel_proto::derp::{self, ClientInfo, Decoder, Frame, GoneReason};
use tunnel_proto::disco;
use tunnel_proto::key::{NodePrivate, NodePublic};

use super::{Relay, RelayError};

fn relay() -> Relay {
    Relay::new(NodePrivate::from_bytes([9; 32]))
}

struct Peer {
    io: DuplexStream,
    buffer: BytesMut,
    decoder: Decoder,
    key: NodePublic,
    task: JoinHandle<Result<(), RelayError>>,
}

/// What a test sees of a frame.
#[derive(Debug, PartialEq)]
enum Seen {
    Packet(NodePublic, Vec<u8>),
    Gone(NodePublic, GoneReason),
    Pong([u8; 8]),
    KeepAlive,
}

impl Peer {
    async fn join(relay: &Relay, seed: u8) -> Self {
        let private = NodePrivate::from_bytes([seed; 32]);
        let (io, theirs) = duplex(1 << 20);
        let relay = relay.clone();
        let server = relay.public_key();
        let task = tokio::spawn(async move { relay.accept(theirs).await });
        let mut peer = Self {
            io,
            buffer: BytesMut::new(),
            decoder: Decoder::default(),
            key: private.public(),
            task,
        };
        let seen = peer
            .with_frame(|frame| matches!(frame, Frame::ServerKey(key) if *key == server))
            .await;
        assert!(seen);
        let sealed = derp::seal_client_info(&private, &server, [1; 24], &ClientInfo::default());
        let mut hello = Vec::new();
        derp::client_info(&mut hello, &private.public(), &[1; 24], &sealed);
        peer.io.write_all(&hello).await.unwrap();
        let key = private.clone();
        let opened = peer
            .with_frame(move |frame| match frame {
                Frame::ServerInfo { nonce, sealed } => {
                    derp::open_server_info(&key, &server, *nonce, sealed).is_ok()
                }
                _ => false,
            })
            .await;
        assert!(opened);
        peer
    }

    async fn with_frame<T>(&mut self, look: impl FnOnce(&Frame<'_>) -> T) -> T {
        loop {
            let step = self.decoder.step(&self.buffer).unwrap();
            let consumed = step.consumed;
            if let Some(frame) = &step.frame {
                let result = look(frame);
                self.buffer.advance(consumed);
                return result;
            }
            self.buffer.advance(consumed);
            if consumed == 0 {
                assert_ne!(self.io.read_buf(&mut self.buffer).await.unwrap(), 0);
            }
        }
    }

    async fn next(&mut self) -> Seen {
        self.with_frame(|frame| match frame {
            Frame::RecvPacket { source, packet } => Seen::Packet(*source, packet.to_vec()),
            Frame::PeerGone { peer, reason } => Seen::Gone(*peer, *reason),
            Frame::Pong(data) => Seen::Pong(*data),
            Frame::KeepAlive => Seen::KeepAlive,
            other => panic!("{other:?}"),
        })
        .await
    }

    async fn send(&mut self, to: NodePublic, packet: &[u8]) {
        let mut frame = Vec::new();
        derp::send_packet(&mut frame, &to, packet);
        self.io.write_all(&frame).await.unwrap();
    }

    /// Asks for a pong, and looks at all that comes before it.
    async fn sync_after(&mut self, mut look: impl FnMut(&Seen)) {
        let mut frame = Vec::new();
        derp::ping(&mut frame, *b"the-last");
        self.io.write_all(&frame).await.unwrap();
        let mut pong = false;
        // The pong overtakes packets: what waits behind it comes before a second one.
        for _ in 0..2 {
            loop {
                let seen = self.next().await;
                if seen == Seen::Pong(*b"the-last") {
                    break;
                }
                look(&seen);
            }
            if !pong {
                pong = true;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                self.io.write_all(&frame).await.unwrap();
            }
        }
    }

    /// Waits until the relay has handled everything sent so far.
    async fn sync(&mut self) {
        let mut frame = Vec::new();
        derp::ping(&mut frame, *b"sync-now");
        self.io.write_all(&frame).await.unwrap();
        assert_eq!(self.next().await, Seen::Pong(*b"sync-now"));
    }
}

fn disco_packet() -> Vec<u8> {
    let mut packet = disco::MAGIC.to_vec();
    packet.resize(100, 0);
    packet
}

#[tokio::test]
async fn packets_go_to_their_key_with_their_source() {
    let relay = relay();
    let mut a = Peer::join(&relay, 1).await;
    let mut b = Peer::join(&relay, 2).await;
    a.send(b.key, b"hello").await;
    assert_eq!(b.next().await, Seen::Packet(a.key, b"hello".to_vec()));
    let large = vec![7; derp::MAX_PACKET_LEN];
    b.send(a.key, &large).await;
    assert_eq!(a.next().await, Seen::Packet(b.key, large));
    assert_eq!(relay.client_count(), 2);
}

#[tokio::test]
async fn absence_is_told_for_discovery_packets_only_and_at_a_limited_rate() {
    let relay = relay();
    let mut a = Peer::join(&relay, 1).await;
    let nobody = NodePublic([77; 32]);
    a.send(nobody, b"data").await;
    a.sync().await;
    for _ in 0..20 {
        a.send(nobody, &disco_packet()).await;
    }
    let mut told = 0;
    let mut ping = Vec::new();
    derp::ping(&mut ping, [0; 8]);
    a.io.write_all(&ping).await.unwrap();
    while let Seen::Gone(peer, GoneReason::NotHere) = a.next().await {
        assert_eq!(peer, nobody);
        told += 1;
    }
    assert_eq!(told, 3);
}

#[tokio::test]
async fn senders_are_told_when_a_peer_leaves() {
    let relay = relay();
    let mut a = Peer::join(&relay, 1).await;
    let mut b = Peer::join(&relay, 2).await;
    let mut c = Peer::join(&relay, 3).await;
    a.send(b.key, b"x").await;
    b.next().await;
    let gone = b.key;
    drop(b.io);
    b.task.await.unwrap().unwrap();
    assert_eq!(a.next().await, Seen::Gone(gone, GoneReason::Disconnected));
    // Who never sent to it is not told.
    c.sync().await;
}

#[tokio::test]
async fn of_two_connections_with_one_key_the_last_that_sent_is_active() {
    let relay = relay();
    let mut first = Peer::join(&relay, 1).await;
    let mut second = Peer::join(&relay, 1).await;
    let mut other = Peer::join(&relay, 2).await;
    other.send(first.key, b"1").await;
    assert_eq!(second.next().await, Seen::Packet(other.key, b"1".to_vec()));
    first.send(other.key, b"here").await;
    other.next().await;
    other.send(first.key, b"2").await;
    assert_eq!(first.next().await, Seen::Packet(other.key, b"2".to_vec()));
    drop(first.io);
    first.task.await.unwrap().unwrap();
    other.send(second.key, b"3").await;
    assert_eq!(second.next().await, Seen::Packet(other.key, b"3".to_vec()));
    assert_eq!(relay.client_count(), 2);
}

#[tokio::test]
async fn unknown_frames_are_skipped_and_server_privileges_refused() {
    let relay = relay();
    let mut a = Peer::join(&relay, 1).await;
    let mut bytes = vec![0x66, 0, 0, 0, 3, 1, 2, 3];
    derp::keep_alive(&mut bytes);
    derp::note_preferred(&mut bytes, true);
    a.io.write_all(&bytes).await.unwrap();
    a.sync().await;
    let mut watch = Vec::new();
    derp::watch_conns(&mut watch);
    a.io.write_all(&watch).await.unwrap();
    assert!(matches!(a.task.await.unwrap(), Err(RelayError::Privilege)));
}

#[tokio::test]
async fn garbage_before_and_after_the_greeting_ends_the_connection() {
    let relay = relay();
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 64],
        &[0x02, 0xff, 0xff, 0xff, 0xff],
        &[0x04, 0, 0, 0, 1, 0],
    ];
    for bytes in garbage {
        let (mut io, theirs) = duplex(4096);
        let accepting = relay.clone();
        let task = tokio::spawn(async move { accepting.accept(theirs).await });
        io.write_all(bytes).await.unwrap();
        io.shutdown().await.unwrap();
        assert!(task.await.unwrap().is_err(), "{bytes:?}");

        let mut peer = Peer::join(&relay, 5).await;
        peer.io.write_all(bytes).await.unwrap();
        peer.io.shutdown().await.unwrap();
        // After the greeting a large unknown frame may still be skipped in peace.
        let _ = peer.task.await.unwrap();
    }
    assert_eq!(relay.client_count(), 0);
}

#[tokio::test]
async fn an_introduction_under_a_stolen_key_is_refused() {
    let relay = relay();
    let (mut io, theirs) = duplex(4096);
    let accepting = relay.clone();
    let task = tokio::spawn(async move { accepting.accept(theirs).await });
    let thief = NodePrivate::from_bytes([1; 32]);
    let victim = NodePrivate::from_bytes([2; 32]).public();
    let sealed =
        derp::seal_client_info(&thief, &relay.public_key(), [1; 24], &ClientInfo::default());
    let mut hello = Vec::new();
    derp::client_info(&mut hello, &victim, &[1; 24], &sealed);
    io.write_all(&hello).await.unwrap();
    assert!(matches!(task.await.unwrap(), Err(RelayError::Login(_))));
}

#[tokio::test(start_paused = true)]
async fn silence_at_the_greeting_times_out_and_idle_clients_are_kept_alive() {
    let relay = relay();
    let (_io, theirs) = duplex(4096);
    assert!(matches!(
        relay.accept(theirs).await,
        Err(RelayError::Login("timeout"))
    ));
    let mut a = Peer::join(&relay, 1).await;
    assert_eq!(a.next().await, Seen::KeepAlive);
    assert_eq!(a.next().await, Seen::KeepAlive);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped_and_harms_no_other() {
    let relay = relay();
    let mut a = Peer::join(&relay, 1).await;
    let stuck = Peer::join(&relay, 2).await;
    let mut live = Peer::join(&relay, 3).await;
    for _ in 0..2000 {
        a.send(stuck.key, &[0; 2000]).await;
    }
    a.send(live.key, b"through").await;
    assert_eq!(live.next().await, Seen::Packet(a.key, b"through".to_vec()));
    assert!(matches!(stuck.task.await.unwrap(), Err(RelayError::Stuck)));
}

#[tokio::test]
async fn a_client_that_floods_takes_no_place_of_another() {
    let relay = relay();
    let mut flood = Peer::join(&relay, 1).await;
    let mut quiet = Peer::join(&relay, 2).await;
    let mut target = Peer::join(&relay, 3).await;
    let mut bundle = Vec::new();
    for _ in 0..3000 {
        derp::send_packet(&mut bundle, &target.key, &[1; 1312]);
    }
    flood.io.write_all(&bundle).await.unwrap();
    flood.sync().await;
    quiet.send(target.key, b"one word").await;
    quiet.sync().await;
    // What was on the way before is the pipe's and one bundle; then it is the other's turn.
    let (mut before, word) = (0, Seen::Packet(quiet.key, b"one word".to_vec()));
    while target.next().await != word {
        before += 1;
    }
    assert!(before < 1200, "{before}");
    // Most of the flood is gone: a client's queue is bounded.
    target
        .sync_after(|seen| before += usize::from(matches!(seen, Seen::Packet(..))))
        .await;
    assert!(before < 1700, "{before}");
}

#[tokio::test]
async fn closing_ends_every_connection() {
    let relay = relay();
    let a = Peer::join(&relay, 1).await;
    relay.close();
    a.task.await.unwrap().unwrap();
    assert_eq!(relay.client_count(), 0);
    let (_io, theirs) = duplex(64);
    relay.accept(theirs).await.unwrap();
}
