//! `coder server`: brings the parts up in order, serves, and takes them down
//! in the reverse order.
//!
//! Order up: log, listener, database, schema, rules, tunnel, provisioner
//! daemons, requests. The listener comes first so that a second server on the
//! same address fails before it touches anything. Order down: no new requests,
//! jobs (see [`Stop`]), sockets, database.

mod admin;
mod bundles;
mod database;
mod error;
mod jobs;
mod logging;
mod settings;
mod stop;
mod stun;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use control::Control;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use admin::{Admin, serve_database};
pub use bundles::Bundles;
pub use error::RunError;
pub use logging::logging;
pub use stop::{How, Stop};

use crate::options::Options;
use crate::{AppState, Health, LiveAgents, RateLimits, Tailnet};

/// How long requests under way may take once the server stops.
const REQUESTS_GRACE: Duration = Duration::from_secs(3);
/// How long sockets may take to say goodbye.
const SOCKETS_GRACE: Duration = Duration::from_secs(5);

/// Where this server keeps what is its own.
#[derive(Debug, Clone)]
pub struct Places {
    /// The configuration directory; the embedded database lives in it.
    pub config: PathBuf,
    /// The default cache directory, unless `--cache-dir` names another.
    pub cache: PathBuf,
}

/// Runs the server until `stop` says so. `ready` is told the address once
/// requests are served.
///
/// # Errors
/// What kept it from starting, each with the way out.
pub async fn run(
    mut options: Options,
    bundles: Bundles,
    places: Places,
    stop: Stop,
    ready: impl FnOnce(&str),
) -> Result<(), RunError> {
    let listener = listen(&options).await?;
    let address = listener.local_addr().map_err(RunError::listen(""))?;
    if options.text("access-url").is_empty() {
        options.set("access-url", format!("http://{}", reachable(address)));
    }
    let control_settings = settings::control(&options)?;
    let access_url = control_settings.access_url.clone();

    let tailnet_settings = settings::tailnet(&options)?;
    let stun = stun::listen(&tailnet_settings.stun_listen).await?;

    let database = database::open(&options, &bundles, &places).await?;
    let control = Control::new(database.store.clone(), control_settings);
    let deployment_id = settings::deployment_id(&control).await?;
    let tailnet = Tailnet::new(
        control.clone(),
        &access_url,
        tailnet_settings,
        Uuid::new_v4(),
    );
    let state = AppState {
        control: control.clone(),
        http: Arc::new(settings::http(&options, deployment_id)?),
        limits: Arc::new(RateLimits::new(
            u32::try_from(options.int("api-rate-limit")).ok(),
            options.on("dangerous-disable-rate-limits"),
        )),
        tailnet: tailnet.clone(),
        health: Health::default(),
        live_agents: LiveAgents::default(),
        binaries: bundles.binaries(),
    };

    let loops = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn({
        let (control, loops) = (control.clone(), loops.clone());
        async move { control.sessions_run(loops).await }
    });
    tasks.spawn({
        let (control, loops) = (control.clone(), loops.clone());
        async move { control.agents_run(loops).await }
    });
    tasks.spawn({
        let (control, loops) = (control.clone(), loops.clone());
        async move { control.lifecycle_run(loops).await }
    });
    stun::serve(stun, &tasks, &loops);
    let jobs = jobs::start(&control, &options, &bundles, &places, &tasks, &loops).await?;

    let requests = CancellationToken::new();
    let served = serve(listener, state, requests.clone());
    tokio::pin!(served);
    bundles.release();
    ready(access_url.as_str());
    tokio::select! {
        result = &mut served => result?,
        how = stop.asked() => {
            tracing::info!(how = how.name(), "stopping");
            jobs.end(how, &stop).await;
        }
    }
    requests.cancel();
    tailnet.close();
    let _ = tokio::time::timeout(REQUESTS_GRACE, &mut served).await;
    loops.cancel();
    tasks.close();
    if tokio::time::timeout(SOCKETS_GRACE, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("some background work did not end in time");
    }
    database.close().await;
    tracing::info!("stopped");
    Ok(())
}

async fn listen(options: &Options) -> Result<TcpListener, RunError> {
    let address = options.text("http-address");
    if address.is_empty() {
        return Err(RunError::NoListener);
    }
    TcpListener::bind(address)
        .await
        .map_err(RunError::listen(address))
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        std::net::IpAddr::V4(_) => ([127, 0, 0, 1], address.port()).into(),
        std::net::IpAddr::V6(_) => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
    }
}

/// Serves until cancelled, then until the last request is answered.
async fn serve(
    listener: TcpListener,
    state: AppState,
    cancel: CancellationToken,
) -> Result<(), RunError> {
    use axum::serve::ListenerExt as _;
    // Small answers must not wait for more to come.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch off delays of a connection");
        }
    });
    let app = crate::router(state).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(cancel.cancelled_owned())
        .await
        .map_err(RunError::listen(""))
}
