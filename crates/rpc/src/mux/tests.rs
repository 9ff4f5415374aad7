//! Sessions against each other, and against hand-made frames.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::frame::{ACK, FIN, HEADER_LEN, Header, Kind, RST, SYN};
use super::{Config, MuxError, Role, Session};

fn quiet() -> Config {
    Config {
        keepalive: None,
        ..Config::default()
    }
}

fn pair() -> (Session, Session) {
    let (a, b) = tokio::io::duplex(4096);
    (
        Session::new(a, Role::Client, quiet()),
        Session::new(b, Role::Server, quiet()),
    )
}

/// A session and the raw end of its connection.
fn raw(role: Role) -> (Session, DuplexStream) {
    let (a, b) = tokio::io::duplex(1 << 20);
    (Session::new(a, role, quiet()), b)
}

async fn send(io: &mut DuplexStream, header: Header, data: &[u8]) {
    io.write_all(&header.encode()).await.unwrap();
    io.write_all(data).await.unwrap();
}

async fn receive(io: &mut DuplexStream) -> Header {
    let mut bytes = [0; HEADER_LEN];
    io.read_exact(&mut bytes).await.unwrap();
    Header::decode(bytes).unwrap()
}

#[tokio::test]
async fn bytes_flow_both_ways_beyond_the_window() {
    let (client, server) = pair();
    let echo = tokio::spawn(async move {
        let stream = server.accept().await.unwrap();
        let (mut read, mut write) = tokio::io::split(stream);
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.shutdown().await.unwrap();
        server
    });
    let (mut read, mut write) = tokio::io::split(client.open().unwrap());
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    let sent = data.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
        write
    });
    let mut back = Vec::new();
    read.read_to_end(&mut back).await.unwrap();
    assert!(back == data);
    writer.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_not_read_does_not_hold_up_others() {
    let (client, server) = pair();
    let mut stuck = client.open().unwrap();
    let filler = tokio::spawn(async move { stuck.write_all(&vec![1; 1 << 20]).await });
    let _unread = server.accept().await.unwrap();
    let mut live = client.open().unwrap();
    live.write_all(b"hello").await.unwrap();
    let mut other = server.accept().await.unwrap();
    let mut got = [0; 5];
    other.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"hello");
    filler.abort();
}

#[tokio::test]
async fn dropping_everything_closes_the_other_side() {
    let (client, server) = pair();
    drop(client.open().unwrap());
    drop(client);
    assert!(matches!(server.closed().await, MuxError::Closed));
    assert!(server.open().is_err());
}

#[tokio::test]
async fn pings_are_answered_and_asked() {
    let (client, server) = pair();
    client.ping().await.unwrap();
    server.ping().await.unwrap();

    let (_session, mut io) = raw(Role::Server);
    send(&mut io, Header::new(Kind::Ping, SYN, 0, 77), &[]).await;
    assert_eq!(receive(&mut io).await, Header::new(Kind::Ping, ACK, 0, 77));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_pings_is_given_up() {
    let (a, _b) = tokio::io::duplex(4096);
    let session = Session::new(a, Role::Server, Config::default());
    assert!(matches!(session.ping().await, Err(MuxError::Timeout)));
    assert!(matches!(session.closed().await, MuxError::Timeout));
}

#[tokio::test]
async fn accepted_streams_are_acknowledged_and_windows_given_back() {
    let (session, mut io) = raw(Role::Server);
    send(&mut io, Header::new(Kind::WindowUpdate, SYN, 1, 0), &[]).await;
    let mut stream = session.accept().await.unwrap();
    assert_eq!(
        receive(&mut io).await,
        Header::new(Kind::WindowUpdate, ACK, 1, 0)
    );
    let half = vec![5; 128 * 1024];
    send(
        &mut io,
        Header::new(Kind::Data, 0, 1, half.len() as u32),
        &half,
    )
    .await;
    let mut got = vec![0; half.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(
        receive(&mut io).await,
        Header::new(Kind::WindowUpdate, 0, 1, 128 * 1024)
    );
    drop(stream);
    assert_eq!(
        receive(&mut io).await,
        Header::new(Kind::WindowUpdate, FIN, 1, 0)
    );
    // Nobody reads it any more.
    send(&mut io, Header::new(Kind::Data, 0, 1, 1), b"x").await;
    assert_eq!(
        receive(&mut io).await,
        Header::new(Kind::WindowUpdate, RST, 1, 0)
    );
    assert_eq!(session_streams(&session), 0);
}

fn session_streams(session: &Session) -> usize {
    session.shared().state.lock().open_streams()
}

#[tokio::test]
async fn a_reset_stream_fails_its_reader() {
    let (session, mut io) = raw(Role::Client);
    let mut stream = session.open().unwrap();
    assert_eq!(
        receive(&mut io).await,
        Header::new(Kind::WindowUpdate, SYN, 1, 0)
    );
    send(&mut io, Header::new(Kind::WindowUpdate, RST, 1, 0), &[]).await;
    assert!(stream.read_u8().await.is_err());
    assert!(stream.write_u8(0).await.is_err());
}

#[tokio::test]
async fn violations_end_the_session_with_a_reason() {
    let frames: [(&str, Vec<u8>); 6] = [
        ("version", vec![9; HEADER_LEN]),
        ("type", {
            let mut bytes = Header::new(Kind::Data, 0, 1, 0).encode();
            bytes[1] = 200;
            bytes.to_vec()
        }),
        (
            "parity",
            Header::new(Kind::WindowUpdate, SYN, 2, 0).encode().to_vec(),
        ),
        (
            "stream zero",
            Header::new(Kind::WindowUpdate, SYN, 0, 0).encode().to_vec(),
        ),
        ("twice", {
            let mut bytes = Header::new(Kind::WindowUpdate, SYN, 1, 0).encode().to_vec();
            bytes.extend(bytes.clone());
            bytes
        }),
        (
            "huge frame",
            Header::new(Kind::Data, SYN, 1, u32::MAX).encode().to_vec(),
        ),
    ];
    for (name, bytes) in frames {
        let (session, mut io) = raw(Role::Server);
        io.write_all(&bytes).await.unwrap();
        let reason = session.closed().await;
        assert!(matches!(reason, MuxError::Protocol(_)), "{name}: {reason}");
    }
}

#[tokio::test]
async fn data_beyond_the_window_ends_the_session() {
    let (session, mut io) = raw(Role::Server);
    let chunk = vec![0; 200 * 1024];
    for flags in [SYN, 0] {
        let header = Header::new(Kind::Data, flags, 1, chunk.len() as u32);
        send(&mut io, header, &chunk).await;
    }
    assert!(matches!(session.closed().await, MuxError::Protocol(_)));
}

#[tokio::test]
async fn streams_beyond_the_backlog_are_refused() {
    let (session, mut io) = raw(Role::Server);
    for n in 0..257 {
        send(
            &mut io,
            Header::new(Kind::WindowUpdate, SYN, 2 * n + 1, 0),
            &[],
        )
        .await;
    }
    assert_eq!(
        receive(&mut io).await,
        Header::new(Kind::WindowUpdate, RST, 513, 0)
    );
    session.accept().await.unwrap();
}

#[tokio::test]
async fn a_peer_that_asks_without_reading_is_cut_off() {
    let (a, mut io) = tokio::io::duplex(64);
    let session = Session::new(a, Role::Server, quiet());
    let ping = Header::new(Kind::Ping, SYN, 0, 1).encode();
    let flood = tokio::spawn(async move { while io.write_all(&ping).await.is_ok() {} });
    assert!(matches!(session.closed().await, MuxError::Protocol(_)));
    flood.abort();
}

#[tokio::test]
async fn going_away_stops_new_streams_only() {
    let (session, mut io) = raw(Role::Client);
    let mut stream = session.open().unwrap();
    send(&mut io, Header::new(Kind::GoAway, 0, 0, 0), &[]).await;
    send(&mut io, Header::new(Kind::Data, ACK, 1, 2), b"ok").await;
    let mut got = [0; 2];
    stream.read_exact(&mut got).await.unwrap();
    assert!(matches!(session.open(), Err(MuxError::GoingAway)));
}
