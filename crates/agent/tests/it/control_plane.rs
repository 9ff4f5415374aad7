//! The agent's life against a small control plane: versions, scripts, logs,
//! states, lost connections, shutdown.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::Config;
use axum::extract::ws::{Message, WebSocket};
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use rpc::drpc::{Receiver, Router, Sender, Status};
use rpc::mux::{Config as MuxConfig, Role, Session};
use rpc::proto::agent::lifecycle::State as Life;
use rpc::proto::{agent as proto, tailnet};
use rpc::version::Version;
use rpc::{AgentServer, AgentService, TailnetServer, TailnetService};
use tokio::sync::Notify;
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};
use tokio_util::sync::CancellationToken;

/// What the control plane has seen.
#[derive(Default)]
struct Seen {
    versions: Vec<String>,
    startups: usize,
    states: Vec<i32>,
    logs: Vec<String>,
    timings: Vec<proto::Timing>,
    metadata: HashMap<String, String>,
}

struct ControlPlane {
    manifest: proto::Manifest,
    seen: Mutex<Seen>,
    changed: Notify,
    /// Ends every connection when it is cancelled and replaced.
    connections: Mutex<CancellationToken>,
}

impl ControlPlane {
    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock());
        self.changed.notify_waiters();
    }

    /// Waits until what was seen satisfies `enough`.
    async fn until(&self, what: &str, enough: impl Fn(&Seen) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if enough(&self.seen.lock()) {
                    return;
                }
                changed.await;
            }
        };
        // Only so that a failing test ends; nothing is measured.
        let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
        waited.unwrap_or_else(|_| panic!("never saw {what}: states {:?}", self.seen.lock().states));
    }

    fn hang_up(&self) {
        std::mem::take(&mut *self.connections.lock()).cancel();
    }
}

struct Service(Arc<ControlPlane>);

impl AgentService for Service {
    async fn get_manifest(&self, _: proto::GetManifestRequest) -> Result<proto::Manifest, Status> {
        Ok(self.0.manifest.clone())
    }

    async fn update_startup(
        &self,
        request: proto::UpdateStartupRequest,
    ) -> Result<proto::Startup, Status> {
        self.0.note(|seen| seen.startups += 1);
        Ok(request.startup.unwrap_or_default())
    }

    async fn update_lifecycle(
        &self,
        request: proto::UpdateLifecycleRequest,
    ) -> Result<proto::Lifecycle, Status> {
        let lifecycle = request.lifecycle.unwrap_or_default();
        self.0.note(|seen| seen.states.push(lifecycle.state));
        Ok(lifecycle)
    }

    async fn batch_create_logs(
        &self,
        request: proto::BatchCreateLogsRequest,
    ) -> Result<proto::BatchCreateLogsResponse, Status> {
        self.0.note(|seen| {
            seen.logs
                .extend(request.logs.into_iter().map(|log| log.output));
        });
        Ok(proto::BatchCreateLogsResponse::default())
    }

    async fn script_completed(
        &self,
        request: proto::WorkspaceAgentScriptCompletedRequest,
    ) -> Result<proto::WorkspaceAgentScriptCompletedResponse, Status> {
        self.0.note(|seen| seen.timings.extend(request.timing));
        Ok(proto::WorkspaceAgentScriptCompletedResponse::default())
    }

    async fn batch_update_metadata(
        &self,
        request: proto::BatchUpdateMetadataRequest,
    ) -> Result<proto::BatchUpdateMetadataResponse, Status> {
        self.0.note(|seen| {
            let values = request.metadata.into_iter();
            seen.metadata
                .extend(values.map(|m| (m.key, m.result.unwrap_or_default().value)));
        });
        Ok(proto::BatchUpdateMetadataResponse::default())
    }

    /// A refusal of something that is not essential.
    async fn update_stats(
        &self,
        _: proto::UpdateStatsRequest,
    ) -> Result<proto::UpdateStatsResponse, Status> {
        Err(Status::new("no statistics today"))
    }
}

impl TailnetService for Service {
    async fn coordinate(
        &self,
        mut input: Receiver<tailnet::CoordinateRequest>,
        _output: Sender<tailnet::CoordinateResponse>,
    ) -> Result<(), Status> {
        while let Ok(Some(request)) = input.recv().await {
            if request.disconnect.is_some() {
                break;
            }
        }
        Ok(())
    }

    async fn stream_derp_maps(
        &self,
        _: tailnet::StreamDerpMapsRequest,
        _output: Sender<tailnet::DerpMap>,
    ) -> Result<(), Status> {
        std::future::pending().await
    }
}

/// An older server than this agent.
const SERVER: Version = Version {
    major: 2,
    minor: 10,
};

async fn connect(
    State(plane): State<Arc<ControlPlane>>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let version = query.get("version").cloned().unwrap_or_default();
    plane.note(|seen| seen.versions.push(version.clone()));
    if let Err(error) = SERVER.accepts(&version) {
        let body = serde_json::json!({
            "message": "Unknown or unsupported API version",
            "validations": [{ "field": "version", "detail": error.to_string() }],
        });
        return (StatusCode::BAD_REQUEST, axum::Json(body)).into_response();
    }
    upgrade.on_upgrade(move |socket| serve(socket, plane))
}

async fn serve(socket: WebSocket, plane: Arc<ControlPlane>) {
    let hung_up = plane.connections.lock().clone();
    let (sink, stream) = socket.split();
    let stream = stream.filter_map(|message| {
        std::future::ready(match message {
            Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
            Ok(_) => None,
            Err(error) => Some(Err(std::io::Error::other(error))),
        })
    });
    let sink = sink
        .sink_map_err(std::io::Error::other)
        .with(|bytes| std::future::ready(Ok::<_, std::io::Error>(Message::Binary(bytes))));
    let io = tokio::io::join(
        StreamReader::new(stream),
        SinkWriter::new(CopyToBytes::new(sink)),
    );
    let session = Session::new(io, Role::Server, MuxConfig::default());
    let router = Router::new()
        .with(AgentServer(Arc::new(Service(plane.clone()))))
        .with(TailnetServer(Arc::new(Service(plane))));
    tokio::select! {
        _ = rpc::drpc::serve(session.clone(), router) => {}
        () = hung_up.cancelled() => session.close(),
    }
}

async fn start(manifest: proto::Manifest) -> (Arc<ControlPlane>, SocketAddr) {
    let plane = Arc::new(ControlPlane {
        manifest,
        seen: Mutex::default(),
        changed: Notify::new(),
        connections: Mutex::default(),
    });
    let routes = axum::Router::new()
        .route("/api/v2/workspaceagents/me/rpc", get(connect))
        .with_state(plane.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (plane, address)
}

fn script(number: u8, text: &str, start: bool) -> proto::WorkspaceAgentScript {
    proto::WorkspaceAgentScript {
        id: vec![number; 16],
        log_source_id: vec![number + 100; 16],
        script: text.into(),
        run_on_start: start,
        run_on_stop: !start,
        ..Default::default()
    }
}

fn run_agent(
    address: SocketAddr,
    directory: &Path,
) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let url = format!("http://{address}").parse().unwrap();
    let mut config = Config::new(client::Client::new(url, "t".to_owned().into()).unwrap());
    config.log_dir = directory.to_owned();
    config.script_data_dir = directory.to_owned();
    let shutdown = CancellationToken::new();
    let agent = tokio::spawn(agent::run(config, shutdown.clone()));
    (shutdown, agent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_from_start_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = proto::Manifest {
        agent_id: vec![1; 16],
        workspace_id: vec![2; 16],
        scripts: vec![
            script(
                1,
                "echo starting; echo $CODER_SCRIPT_DATA_DIR; seq 1 5000",
                true,
            ),
            script(2, "#!/bin/sh\necho goodbye; exit 3", false),
        ],
        metadata: vec![proto::workspace_agent_metadata::Description {
            key: "answer".into(),
            script: "echo 42".into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let (plane, address) = start(manifest).await;
    let (shutdown, agent) = run_agent(address, directory.path());

    let has = |life: Life| move |seen: &Seen| seen.states.contains(&i32::from(life));
    plane.until("ready", has(Life::Ready)).await;
    {
        let seen = plane.seen.lock();
        assert_eq!(
            seen.versions,
            ["2.11", "2.10"],
            "the newest first, then what the server has"
        );
        assert_eq!(seen.states, [Life::Starting, Life::Ready].map(i32::from));
        assert_eq!(
            seen.logs.len(),
            5002,
            "every line, before the state that follows them"
        );
        assert!(seen.logs[1].starts_with(directory.path().to_str().unwrap()));
    }
    plane
        .until("metadata", |seen| {
            seen.metadata.get("answer").is_some_and(|v| v == "42\n")
        })
        .await;

    plane.hang_up();
    plane
        .until("a second connection", |seen| seen.startups == 2)
        .await;
    assert_eq!(
        plane.seen.lock().logs.len(),
        5002,
        "scripts do not run again"
    );

    shutdown.cancel();
    agent.await.unwrap();
    let seen = plane.seen.lock();
    let states = [
        Life::Starting,
        Life::Ready,
        Life::ShuttingDown,
        Life::ShutdownError,
    ];
    assert_eq!(seen.states, states.map(i32::from));
    assert_eq!(seen.logs.last().unwrap(), "goodbye");
    let codes: Vec<i32> = seen.timings.iter().map(|timing| timing.exit_code).collect();
    assert_eq!(codes, [0, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_clinging_scripts() {
    let directory = tempfile::tempdir().unwrap();
    let slow = proto::WorkspaceAgentScript {
        timeout: Some(prost_types::Duration {
            seconds: 0,
            nanos: 100_000_000,
        }),
        ..script(1, "echo before; exec sleep 600", true)
    };
    let manifest = proto::Manifest {
        agent_id: vec![1; 16],
        workspace_id: vec![2; 16],
        scripts: vec![slow, script(2, "echo quick", true)],
        ..Default::default()
    };
    let (plane, address) = start(manifest).await;
    let (shutdown, agent) = run_agent(address, directory.path());
    plane
        .until("the end of both", |seen| seen.timings.len() == 2)
        .await;
    plane
        .until("the timeout", |seen| {
            seen.states.contains(&i32::from(Life::StartTimeout))
        })
        .await;
    {
        let seen = plane.seen.lock();
        let statuses: Vec<i32> = seen.timings.iter().map(|timing| timing.status).collect();
        assert_eq!(
            statuses,
            [proto::timing::Status::Ok, proto::timing::Status::TimedOut].map(i32::from)
        );
        assert!(seen.logs.iter().any(|line| line == "before"));
    }
    shutdown.cancel();
    agent.await.unwrap();
    assert_eq!(plane.seen.lock().states.last(), Some(&i32::from(Life::Off)));
}
