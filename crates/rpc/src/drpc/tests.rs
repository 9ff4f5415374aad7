//! Clients and services against each other, and services against raw bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::frame::{Assembler, Kind, encode};
use super::{Channel, Error, Receiver, Router, Sender, Status, serve, serve_connection};
use crate::mux::{Config, Role, Session};
use crate::proto::tailnet::{
    CoordinateRequest, CoordinateResponse, DerpMap, RefreshResumeTokenRequest,
    RefreshResumeTokenResponse, StreamDerpMapsRequest, TelemetryRequest, TelemetryResponse,
};
use crate::{TailnetClient, TailnetServer, TailnetService};

/// Answers tokens, three maps, and echoes coordination errors.
#[derive(Default)]
struct Fake {
    coordinate_dropped: Arc<AtomicBool>,
}

struct SetOnDrop(Arc<AtomicBool>);
impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl TailnetService for Fake {
    async fn refresh_resume_token(
        &self,
        _: RefreshResumeTokenRequest,
    ) -> Result<RefreshResumeTokenResponse, Status> {
        Ok(RefreshResumeTokenResponse {
            token: "t".repeat(200_000),
            ..Default::default()
        })
    }

    async fn post_telemetry(&self, _: TelemetryRequest) -> Result<TelemetryResponse, Status> {
        Err(Status {
            code: 7,
            message: "not today".to_owned(),
        })
    }

    async fn stream_derp_maps(
        &self,
        _: StreamDerpMapsRequest,
        mut output: Sender<DerpMap>,
    ) -> Result<(), Status> {
        for _ in 0..3 {
            output.send(&DerpMap::default()).await?;
        }
        Ok(())
    }

    async fn coordinate(
        &self,
        mut input: Receiver<CoordinateRequest>,
        mut output: Sender<CoordinateResponse>,
    ) -> Result<(), Status> {
        let _mark = SetOnDrop(Arc::clone(&self.coordinate_dropped));
        while input.recv().await?.is_some() {
            let answer = CoordinateResponse {
                error: "seen".to_owned(),
                ..Default::default()
            };
            output.send(&answer).await?;
        }
        Ok(())
    }
}

fn client_of(fake: Fake) -> (TailnetClient, Session) {
    let (a, b) = tokio::io::duplex(4096);
    let config = Config {
        keepalive: None,
        ..Config::default()
    };
    let server = Session::new(b, Role::Server, config);
    let router = Router::new().with(TailnetServer(Arc::new(fake)));
    tokio::spawn(serve(server, router));
    let session = Session::new(a, Role::Client, config);
    (TailnetClient::new(Channel::over(session.clone())), session)
}

#[tokio::test]
async fn every_shape_of_call_works() {
    let (client, _session) = client_of(Fake::default());
    let token = client
        .refresh_resume_token(&RefreshResumeTokenRequest {})
        .await
        .unwrap();
    assert_eq!(token.token.len(), 200_000);

    let refusal = client.post_telemetry(&TelemetryRequest::default()).await;
    let Err(Error::Refused(status)) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!((status.code, status.message.as_str()), (7, "not today"));

    let mut maps = client
        .stream_derp_maps(&StreamDerpMapsRequest {})
        .await
        .unwrap();
    let mut count = 0;
    while maps.recv().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 3);

    let (mut send, mut receive) = client.coordinate().await.unwrap();
    for _ in 0..2 {
        send.send(&CoordinateRequest::default()).await.unwrap();
        assert_eq!(receive.recv().await.unwrap().unwrap().error, "seen");
    }
    send.finish().await.unwrap();
    assert!(receive.recv().await.unwrap().is_none());
}

#[tokio::test]
async fn a_method_that_is_not_there_answers_code_12() {
    let (client, session) = client_of(Fake::default());
    let refusal = client
        .workspace_updates(&crate::proto::tailnet::WorkspaceUpdatesRequest::default())
        .await
        .unwrap()
        .recv()
        .await
        .unwrap_err();
    assert!(refusal.is_unimplemented(), "{refusal}");
    let unknown: Result<TelemetryResponse, _> = Channel::over(session)
        .unary("/nobody/Nothing", &TelemetryRequest::default())
        .await;
    let refusal = unknown.unwrap_err();
    assert!(refusal.is_unimplemented(), "{refusal}");
    assert_eq!(refusal.to_string(), "Unimplemented");
}

#[tokio::test]
async fn dropping_a_call_cancels_its_handler() {
    let fake = Fake::default();
    let dropped = Arc::clone(&fake.coordinate_dropped);
    let (client, _session) = client_of(fake);
    let (mut send, mut receive) = client.coordinate().await.unwrap();
    send.send(&CoordinateRequest::default()).await.unwrap();
    receive.recv().await.unwrap();
    assert!(!dropped.load(Ordering::SeqCst));
    drop((send, receive));
    while !dropped.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_before_it_is_sent() {
    let (client, _session) = client_of(Fake::default());
    let (mut send, _receive) = client.coordinate().await.unwrap();
    let tunnel = crate::proto::tailnet::coordinate_request::Tunnel {
        id: vec![0; super::MAX_MESSAGE],
    };
    let message = CoordinateRequest {
        add_tunnel: Some(tunnel),
        ..Default::default()
    };
    assert!(matches!(send.send(&message).await, Err(Error::Protocol(_))));
}

/// A served connection, raw.
fn connection() -> (DuplexStream, tokio::task::JoinHandle<Result<(), Error>>) {
    let (a, b) = tokio::io::duplex(1 << 16);
    let router = Router::new().with(TailnetServer(Arc::new(Fake::default())));
    let task = tokio::spawn(async move { serve_connection(b, &router).await });
    (a, task)
}

async fn kinds(io: &mut DuplexStream, count: usize) -> Vec<Kind> {
    let mut assembler = Assembler::default();
    let mut buffer = BytesMut::new();
    let mut kinds = Vec::new();
    while kinds.len() < count {
        match assembler.next(&mut buffer).unwrap() {
            Some(packet) => kinds.push(packet.kind),
            None => assert_ne!(io.read_buf(&mut buffer).await.unwrap(), 0),
        }
    }
    kinds
}

#[tokio::test]
async fn several_calls_on_one_connection_and_metadata_are_taken() {
    let (mut io, task) = connection();
    for stream in 1..=3 {
        let mut out = BytesMut::new();
        encode(
            &mut out,
            Kind::InvokeMetadata,
            stream,
            1,
            b"\x0a\x06\x0a\x01k\x12\x01v",
        );
        encode(
            &mut out,
            Kind::Invoke,
            stream,
            2,
            b"/coder.tailnet.v2.Tailnet/PostTelemetry",
        );
        encode(&mut out, Kind::Message, stream, 3, b"");
        encode(&mut out, Kind::CloseSend, stream, 4, b"");
        io.write_all(&out).await.unwrap();
        assert_eq!(kinds(&mut io, 1).await, [Kind::Error]);
    }
    drop(io);
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_received_cancel_ends_the_call_and_not_the_connection() {
    let (mut io, _task) = connection();
    let name = b"/coder.tailnet.v2.Tailnet/Coordinate";
    let mut out = BytesMut::new();
    encode(&mut out, Kind::Invoke, 1, 1, name);
    encode(&mut out, Kind::Cancel, 1, 2, b"");
    encode(&mut out, Kind::Invoke, 2, 1, name);
    encode(&mut out, Kind::Message, 2, 2, b"");
    encode(&mut out, Kind::CloseSend, 2, 3, b"");
    io.write_all(&out).await.unwrap();
    assert_eq!(kinds(&mut io, 2).await, [Kind::Message, Kind::CloseSend]);
}

#[tokio::test]
async fn garbage_ends_the_connection_with_an_error() {
    for garbage in [&[0xff; 64][..], b"GET / HTTP/1.1\r\n\r\n", &[0; 64]] {
        let (mut io, task) = connection();
        io.write_all(garbage).await.unwrap();
        drop(io);
        let result = task.await.unwrap();
        assert!(result.is_err(), "{garbage:?}: {result:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_not_protobuf_is_refused() {
    let (mut io, _task) = connection();
    let mut out = BytesMut::new();
    encode(
        &mut out,
        Kind::Invoke,
        1,
        1,
        b"/coder.tailnet.v2.Tailnet/PostTelemetry",
    );
    encode(&mut out, Kind::Message, 1, 2, &[0xff; 9]);
    io.write_all(&out).await.unwrap();
    assert_eq!(kinds(&mut io, 1).await, [Kind::Error]);
}
