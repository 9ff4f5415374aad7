//! What all daemons of a process share: the Terraform program, its configuration, caches, and the
//! place where jobs work.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::OnceCell;

use crate::session::Workshop;
use crate::tofu::{Binary, BinaryError, BinaryOptions, InitCache, ToolConfig};

/// What [`Tools`] are made from.
#[derive(Debug, Clone)]
pub struct ToolOptions {
    /// Directory for everything that is kept: the unpacked program, plugins, initialised
    /// directories, running jobs.
    pub cache: PathBuf,
    /// Where the Terraform program comes from.
    pub binary: BinaryOptions,
    /// The program that serves the `coder` provider when started as `terraform-provider-coder`:
    /// the server's own executable.
    pub provider: PathBuf,
    /// Scripts that start an agent, by `<os>_<arch>` such as `linux_amd64`, as the provider wants
    /// them (`${ACCESS_URL}` and `${AUTH_TYPE}` are filled in there).
    pub agent_scripts: BTreeMap<String, String>,
    /// The environment from which Terraform's is made; usually that of the process.
    pub env: BTreeMap<String, OsString>,
}

impl ToolOptions {
    /// Options with everything but these from the process itself.
    pub fn new(cache: PathBuf, provider: PathBuf) -> Self {
        Self {
            cache,
            binary: BinaryOptions::default(),
            provider,
            agent_scripts: BTreeMap::new(),
            env: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        }
    }
}

/// Everything that daemons of a process share.
#[derive(Debug)]
pub struct Tools {
    options: ToolOptions,
    binary: OnceCell<Binary>,
    pub(super) config: ToolConfig,
    pub(super) init: InitCache,
    pub(super) workshop: Workshop,
    recovered: AtomicBool,
}

impl Tools {
    /// Prepares directories and configuration. The program itself is looked for when the first job
    /// needs it, or by [`Tools::binary`].
    ///
    /// # Errors
    /// When the cache directory cannot be written.
    pub fn new(options: ToolOptions) -> io::Result<Arc<Self>> {
        std::fs::create_dir_all(&options.cache)?;
        // Terraform runs in another directory than we do.
        let cache = std::fs::canonicalize(&options.cache)?;
        let config = ToolConfig::prepare(&cache, &options.provider, &options.env)?;
        let init = InitCache::new(&cache);
        init.purge();
        Ok(Arc::new(Self {
            binary: OnceCell::new(),
            config,
            init,
            workshop: Workshop::new(cache.join("work"))?,
            options: ToolOptions { cache, ..options },
            recovered: AtomicBool::new(false),
        }))
    }

    /// The Terraform program. Calling this early saves the first job the search.
    ///
    /// # Errors
    /// When there is none that can be used. The next call looks again.
    pub async fn binary(&self) -> Result<&Binary, BinaryError> {
        self.binary
            .get_or_try_init(|| Binary::find(&self.options.binary, &self.options.cache))
            .await
    }

    pub(super) fn env(&self) -> &BTreeMap<String, OsString> {
        &self.options.env
    }

    pub(super) fn agent_scripts(&self) -> &BTreeMap<String, String> {
        &self.options.agent_scripts
    }

    /// Whether the caller is the first to ask: leftovers are looked for once.
    pub(super) fn recovers_now(&self) -> bool {
        !self.recovered.swap(true, Ordering::Relaxed)
    }
}
