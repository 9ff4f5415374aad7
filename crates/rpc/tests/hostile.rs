//! What broken or hostile ends of a multiplexed connection send: no input may panic, hang, or keep
//! memory.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../../tunnel-proto/tests/hostile/mutate.rs"]
mod mutate;

use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mutate::{corpus, fuzz};
use rpc::drpc::{Receiver, Router, Sender, Status, serve, serve_connection};
use rpc::mux::{Config, Role, Session};
use rpc::proto::tailnet::{
    CoordinateRequest, CoordinateResponse, DerpMap, RefreshResumeTokenRequest,
    RefreshResumeTokenResponse, StreamDerpMapsRequest, TelemetryRequest, TelemetryResponse,
};
use rpc::{TailnetServer, TailnetService};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Far more than any input needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Panics of any task since the start: those of spawned tasks are not seen otherwise.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            before(info);
        }));
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Answers everything in its way.
struct Service;

impl TailnetService for Service {
    async fn refresh_resume_token(
        &self,
        _: RefreshResumeTokenRequest,
    ) -> Result<RefreshResumeTokenResponse, Status> {
        Ok(RefreshResumeTokenResponse::default())
    }

    async fn post_telemetry(&self, _: TelemetryRequest) -> Result<TelemetryResponse, Status> {
        Ok(TelemetryResponse::default())
    }

    async fn stream_derp_maps(
        &self,
        _: StreamDerpMapsRequest,
        mut output: Sender<DerpMap>,
    ) -> Result<(), Status> {
        output.send(&DerpMap::default()).await?;
        Ok(())
    }

    async fn coordinate(
        &self,
        mut input: Receiver<CoordinateRequest>,
        mut output: Sender<CoordinateResponse>,
    ) -> Result<(), Status> {
        while input.recv().await?.is_some() {
            output.send(&CoordinateResponse::default()).await?;
        }
        Ok(())
    }
}

fn router() -> Router {
    Router::new().with(TailnetServer(Arc::new(Service)))
}

/// Sends `input` and the end to `serve`, reads what it says, and waits until it ends.
fn converse<S, F>(runtime: &tokio::runtime::Runtime, input: &[u8], serve: S)
where
    S: FnOnce(tokio::io::DuplexStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let before = PANICS.load(Ordering::SeqCst);
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let served = tokio::spawn(serve(theirs));
        let (mut reader, mut writer) = tokio::io::split(ours);
        let reading = tokio::spawn(async move {
            let mut said = Vec::new();
            // It may break off.
            let _ = reader.read_to_end(&mut said).await;
        });
        // It may not want to hear the rest.
        let _ = writer.write_all(input).await;
        let _ = writer.shutdown().await;
        tokio::time::timeout(PATIENCE, served)
            .await
            .unwrap()
            .unwrap();
        reading.abort();
    });
    assert_eq!(PANICS.load(Ordering::SeqCst), before, "a task panicked");
}

#[test]
fn calls() {
    count_panics();
    let inputs = corpus(include_str!("corpus/drpc.hex"));
    let runtime = runtime();
    fuzz(&inputs, |input| {
        converse(&runtime, input, |io| async move {
            // An error is an answer too.
            let _ = serve_connection(io, &router()).await;
        });
    });
}

#[test]
fn multiplexed_streams() {
    count_panics();
    let inputs = corpus(include_str!("corpus/yamux.hex"));
    let runtime = runtime();
    fuzz(&inputs, |input| {
        converse(&runtime, input, |io| async move {
            let config = Config {
                keepalive: None,
                ..Config::default()
            };
            serve(Session::new(io, Role::Server, config), router()).await;
        });
    });
}
