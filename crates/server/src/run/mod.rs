//! `coder server`: brings the parts up in order, serves, and takes them down
//! in the reverse order.
//!
//! Order up: log, listener, database, schema, rules, tunnel, provisioner
//! daemons, requests. The listener comes first so that a second server on the
//! same address fails before it touches anything. Order down: no new requests,
//! jobs (see [`Stop`]), sockets, database.

mod admin;
mod bundles;
mod ciphers;
mod database;
mod error;
mod jobs;
mod listen;
mod logging;
mod metrics;
mod outbound;
mod secrets;
mod settings;
mod stop;
mod stun;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use control::Control;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use admin::{Admin, serve_database};
pub use bundles::Bundles;
pub use error::RunError;
pub(crate) use listen::ByTls;
use listen::Listeners;
pub use logging::logging;
pub use stop::{How, Stop};

use crate::options::Options;
use crate::{AppState, Apps, Health, LiveAgents, RateLimits, Tailnet};

/// How long requests under way may take once the server stops.
const REQUESTS_GRACE: Duration = Duration::from_secs(3);
/// How long sockets may take to say goodbye.
const SOCKETS_GRACE: Duration = Duration::from_secs(5);
/// How long writing down the last activity may take.
const ACTIVITY_GRACE: Duration = Duration::from_secs(5);

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
    let listeners = Listeners::open(&options).await?;
    let metrics = metrics::Metrics::open(&options).await?;
    if options.text("access-url").is_empty() {
        options.set("access-url", listeners.url()?);
    }
    let mut control_settings = settings::control(&options)?;
    let access_url = control_settings.access_url.clone();
    let mcp_web = settings::mcp_web(&options)?;
    let outbound = Arc::new(outbound::tls(&options)?);

    let tailnet_settings = settings::tailnet(&options, &outbound).await?;
    let stun = stun::listen(&tailnet_settings.stun_listen).await?;

    let database = database::open(&options, &bundles, &places).await?;
    control_settings.seal = secrets::seal(&options, &places.config, &database.store).await?;
    control_settings.allow_byok = options.on("ai-gateway-allow-byok");
    let control = Control::new(database.store.clone(), control_settings);
    control.ai_price_defaults().await?;
    control.mcp_web_set(mcp_web);
    let deployment_id = settings::deployment_id(&control).await?;
    let tailnet = Tailnet::new(
        control.clone(),
        &access_url,
        tailnet_settings,
        Uuid::new_v4(),
    );
    let apps = Apps::new(control.clone(), tailnet.clone());
    webpush(&control).await?;
    let state = AppState {
        control: control.clone(),
        http: Arc::new(settings::http(&options, deployment_id)?),
        limits: Arc::new(RateLimits::new(
            u32::try_from(options.int("api-rate-limit")).ok(),
            options.on("dangerous-disable-rate-limits"),
        )),
        tailnet: tailnet.clone(),
        live_agents: LiveAgents::default(),
        apps: apps.clone(),
        health: Health::default(),
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
        async move { control.webpush_run(loops).await }
    });
    tasks.spawn({
        let (control, loops) = (control.clone(), loops.clone());
        async move { control.activity_run(loops).await }
    });
    tasks.spawn({
        let loops = loops.clone();
        async move { apps.run(loops).await }
    });
    tasks.spawn({
        let (control, loops) = (control.clone(), loops.clone());
        async move { control.lifecycle_run(loops).await }
    });
    let agent = format!(
        "coder-agents/{} ({}/{})",
        api_types::VERSION,
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    let gateway = gateway::Gateway::new(
        database.store.clone(),
        control.settings().seal.clone(),
        llm::Http::new(&agent)
            .map_err(|error| control::Error::new(control::Kind::Internal, error.message))?,
        gateway::Options {
            allow_byok: control.settings().allow_byok,
            enabled: options.on("ai-gateway-enabled"),
            role_service: llm::role_service(|name| std::env::var(name).ok()),
            aws: llm::AwsSource::of(|name| std::env::var(name).ok()),
        },
    );
    tasks.spawn({
        let (control, loops, notices) = (control.clone(), loops.clone(), gateway.notices());
        async move { control.notices_run(notices, loops).await }
    });
    let source = metrics::Source {
        control: control.clone(),
        gateway: gateway.clone(),
    };
    metrics.serve(source, &tasks, &loops);
    crate::chats::start(
        &control,
        gateway,
        &tailnet,
        database.neighbours(),
        &tasks,
        &loops,
    );
    settings::pull_requests(&options, &outbound, &control, &tasks, &loops)?;
    stun::serve(stun, &tasks, &loops);
    let jobs = jobs::start(&control, &options, &bundles, &places, &tasks, &loops).await?;

    let requests = CancellationToken::new();
    let served = listeners.serve(crate::router(state), requests.clone());
    tokio::pin!(served);
    ready(access_url.as_str());
    tokio::select! {
        () = &mut served => {}
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
    // The last of those who note activity is gone.
    match tokio::time::timeout(ACTIVITY_GRACE, control.activity_flush()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the last activity is not written down"),
        Err(_) => tracing::warn!("the last activity is not written down in time"),
    }
    database.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Begins to tell browsers, where that can be.
async fn webpush(control: &Control) -> Result<(), RunError> {
    match client::system_tls() {
        Ok(tls) => Ok(crate::webpush::start(control, tls).await?),
        Err(error) => {
            tracing::error!(%error, "browsers are not told by push");
            Ok(())
        }
    }
}
