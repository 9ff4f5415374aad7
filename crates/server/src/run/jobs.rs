//! The provisioner daemons of this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use control::Control;
use control::jobs::DatabaseJobs;
use provisioner::tofu::{BinaryOptions, PackedTofu};
use provisioner::{Config, Daemon, ToolOptions, Tools};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stop::How;
use super::{Bundles, Places, RunError, Stop};
use crate::options::Options;

/// How long running jobs are waited for when the server drains.
const DRAIN: Duration = Duration::from_mins(30);
/// How long cancelled jobs may take to write their state before the process ends.
const CANCEL: Duration = Duration::from_secs(30);

pub(super) struct Jobs {
    stop: CancellationToken,
    interrupt: CancellationToken,
    daemons: TaskTracker,
}

/// Registers and starts the daemons; also what reaps the jobs of dead ones.
pub(super) async fn start(
    control: &Control,
    options: &Options,
    bundles: &Bundles,
    places: &Places,
    tasks: &TaskTracker,
    loops: &CancellationToken,
) -> Result<Jobs, RunError> {
    let count = control.settings().provisioner_daemons;
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "coder".to_owned());
    let names: Vec<String> = (0..count).map(|i| format!("{host}-{i}")).collect();
    let source = Arc::new(DatabaseJobs::register(control, &names, api_types::VERSION).await?);
    for background in [Background::Listen, Background::Reap] {
        let (source, loops) = (source.clone(), loops.clone());
        tasks.spawn(async move {
            match background {
                Background::Listen => source.run(loops).await,
                Background::Reap => source.reap(loops).await,
            }
        });
    }
    let jobs = Jobs {
        stop: CancellationToken::new(),
        interrupt: CancellationToken::new(),
        daemons: TaskTracker::new(),
    };
    if count > 0 {
        let tools = tools(options, bundles, places)?;
        for name in names {
            let mut config = Config::new(name, tools.clone());
            config.drain = DRAIN;
            config.interrupt = jobs.interrupt.clone();
            config.limits.interrupt_grace = control.settings().provisioner_force_cancel_interval;
            let (source, stop) = (source.clone(), jobs.stop.clone());
            jobs.daemons.spawn(Daemon::run(source, config, stop));
        }
        // The first job should not have to wait for the search and the unpacking.
        tasks.spawn(async move {
            if let Err(error) = tools.binary().await {
                tracing::warn!(%error, "no OpenTofu or Terraform yet; builds will fail");
            }
        });
    }
    jobs.daemons.close();
    Ok(jobs)
}

#[derive(Clone, Copy)]
enum Background {
    Listen,
    Reap,
}

fn tools(options: &Options, bundles: &Bundles, places: &Places) -> Result<Arc<Tools>, RunError> {
    let cache = match options.text("cache-dir") {
        "" => places.cache.clone(),
        dir => PathBuf::from(dir),
    };
    let cache = cache.join("provisioner");
    let explicit = options.text("terraform-binary-path");
    let mut tools = ToolOptions::new(cache.clone(), bundles.program.clone());
    tools.agent_scripts = control::init_scripts::agent_scripts()
        .into_iter()
        .collect::<BTreeMap<_, _>>();
    tools.binary = BinaryOptions {
        explicit: (!explicit.is_empty()).then(|| PathBuf::from(explicit)),
        packed: bundles.tofu.map(PackedTofu::Zstd),
        ..BinaryOptions::default()
    };
    Tools::new(tools).map_err(|source| RunError::Cache {
        path: cache.display().to_string(),
        source,
    })
}

impl Jobs {
    /// Ends the daemons. With [`How::Drain`] running jobs go on to their end.
    /// Draining turns into cancelling when `stop` is asked once more.
    pub(super) async fn end(self, how: How, stop: &Stop) {
        self.stop.cancel();
        if how == How::Drain {
            tokio::select! {
                () = self.daemons.wait() => return,
                () = stop.asked_to_cancel() => {}
                () = tokio::time::sleep(DRAIN) => {}
            }
        }
        self.interrupt.cancel();
        if tokio::time::timeout(CANCEL, self.daemons.wait())
            .await
            .is_err()
        {
            tracing::warn!("jobs did not end in time; they are recovered at the next start");
        }
    }
}
