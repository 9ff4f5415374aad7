//! When `init` is needed, running it, and keeping what it made for later builds.
//!
//! What `init` makes depends on the template, the program and the CLI configuration, and on nothing
//! else that a build brings. So it is kept under a name that tells these three, written once and
//! never changed: builds share it, without network and without a lock.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::env::Environment;
use super::{Binary, Limits, Run, RunError, ToolConfig, mirror, run};
use crate::hcl::{Configuration, Files, HclError, Module, Resource};

/// Kept directories that no build used for so long are removed.
const KEEP: Duration = Duration::from_hours(720);
/// How often a taken lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(50);
const LOCK_FILE: &str = ".terraform.lock.hcl";
const USED: &str = "used";

/// Whether a configuration needs `init` at all: not if it calls no modules, keeps its state with
/// us, and uses no provider but ours and those built in.
pub fn needs_init(configuration: &Configuration) -> bool {
    let Some(root) = configuration.root() else {
        return true;
    };
    root.has_backend || !root.calls.is_empty() || providers(root).iter().any(|p| !is_at_hand(p))
}

/// The first use of the `coder` provider in a module that does not say where it comes from.
/// Terraform would look for it under another name, where there is none.
pub fn undeclared_provider(configuration: &Configuration) -> Option<&Resource> {
    configuration.modules.values().find_map(|module| {
        let declared = module
            .required_providers
            .get("coder")
            .is_some_and(|r| !r.source.is_empty());
        let used =
            |r: &&Resource| r.kind.starts_with("coder_") && r.attribute("provider").is_none();
        if declared {
            return None;
        }
        module.resources.iter().find(used)
    })
}

fn is_at_hand(source: &str) -> bool {
    mirror::is_coder(source) || matches!(source, "terraform.io/builtin/terraform" | "builtin")
}

/// The sources of all providers that a module uses.
fn providers(module: &Module) -> BTreeSet<String> {
    let source = |local: &str| match module.required_providers.get(local) {
        Some(required) if !required.source.is_empty() => required.source.clone(),
        _ if local == "terraform" => "builtin".to_owned(),
        _ => format!("hashicorp/{local}"),
    };
    let mut found = BTreeSet::new();
    for local in module
        .required_providers
        .keys()
        .chain(&module.provider_blocks)
    {
        found.insert(source(local));
    }
    for resource in &module.resources {
        let chosen = resource
            .attribute("provider")
            .map(crate::hcl::refs::of_expression)
            .and_then(|refs| refs.into_iter().next())
            .map(|r| r.root);
        let local = chosen
            .as_deref()
            .unwrap_or_else(|| resource.kind.split('_').next().unwrap_or(&resource.kind));
        found.insert(source(local));
    }
    found
}

/// The store of initialised directories.
#[derive(Debug, Clone)]
pub struct InitCache {
    directory: PathBuf,
    cache: PathBuf,
}

/// A session's directory after this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialised {
    /// Nothing had to be done.
    NotNeeded,
    /// What an earlier job kept was used.
    FromCache,
    /// `init` ran.
    Ran,
}

/// What [`InitCache::prepare`] works on.
#[derive(Debug)]
pub struct Job<'a> {
    /// The program.
    pub binary: &'a Binary,
    /// How it is configured.
    pub config: &'a ToolConfig,
    /// Its environment.
    pub env: &'a Environment,
    /// The template's archive, which names what is kept.
    pub archive: &'a [u8],
    /// The unpacked template.
    pub directory: &'a Path,
    /// For output files.
    pub output: &'a Path,
    /// Bounds of a run.
    pub limits: Limits,
}

impl InitCache {
    /// A store below `cache`.
    pub fn new(cache: &Path) -> Self {
        Self {
            directory: cache.join("init"),
            cache: cache.to_owned(),
        }
    }

    /// Makes a session's directory ready: from what is kept, else by running `init` and keeping
    /// what it made.
    ///
    /// # Errors
    /// That of the run, or of the disk.
    pub async fn prepare(
        &self,
        job: &Job<'_>,
        configuration: &Configuration,
        cancel: &CancellationToken,
        mut follow: impl FnMut(super::process::Line<'_>),
    ) -> Result<Initialised, RunError> {
        drop_our_lock_entry(job.directory)
            .map_err(|e| RunError::io("cannot rewrite the lock file", e))?;
        if !needs_init(configuration) {
            return Ok(Initialised::NotNeeded);
        }
        let kept = self.directory.join(Self::key(job));
        if Self::attach(&kept, job.directory)? {
            return Ok(Initialised::FromCache);
        }
        // One at a time: the plugin cache is not made for several writers, and whoever waited
        // finds the work done.
        let _lock = self.lock(cancel).await?;
        if Self::attach(&kept, job.directory)? {
            return Ok(Initialised::FromCache);
        }
        let first = mirror::constraints(configuration);
        let outcome = self.init(job, &first, cancel, &mut follow).await;
        if let Err(RunError::Failed { .. }) = &outcome {
            // Modules may ask for a version of our provider that only shows once they are there.
            let all = module_constraints(job.directory).unwrap_or_default();
            if all == first {
                outcome?;
            } else {
                self.init(job, &all, cancel, &mut follow).await?;
            }
        } else {
            outcome?;
        }
        self.keep(job.directory, &kept)
            .map_err(|e| RunError::io("cannot keep the initialised directory", e))?;
        if !Self::attach(&kept, job.directory)? {
            return Err(RunError::Unexpected(
                "the directory that was just initialised is gone".to_owned(),
            ));
        }
        Ok(Initialised::Ran)
    }

    /// Whether [`prepare`](Self::prepare) would have to run `init`.
    pub fn is_missing(&self, job: &Job<'_>, configuration: &Configuration) -> bool {
        needs_init(configuration) && !self.directory.join(Self::key(job)).is_dir()
    }

    fn key(job: &Job<'_>) -> String {
        let mut hash = Sha256::new();
        hash.update(Sha256::digest(job.archive));
        hash.update(job.binary.identity());
        hash.update(job.config.fingerprint());
        hex::encode(&hash.finalize()[..16])
    }

    async fn init(
        &self,
        job: &Job<'_>,
        constraints: &[String],
        cancel: &CancellationToken,
        follow: &mut impl FnMut(super::process::Line<'_>),
    ) -> Result<(), RunError> {
        let failed = |e| RunError::io("cannot prepare the provider mirror", e);
        let mirror = mirror::prepare(&self.cache, constraints).map_err(failed)?;
        let config = job.config.for_init(&self.cache, &mirror).map_err(failed)?;
        let mut env = job.env.clone();
        env.retain(|(name, _)| name != "TF_CLI_CONFIG_FILE");
        env.push(("TF_CLI_CONFIG_FILE".to_owned(), config.into()));
        let mut args: Vec<OsString> =
            vec!["init".into(), "-no-color".into(), "-input=false".into()];
        if job.binary.init_speaks_json() {
            args.push("-json".into());
        }
        run(
            Run {
                program: &job.binary.path,
                args,
                env: &env,
                directory: job.directory,
                output: job.output,
                label: "init",
                limits: job.limits,
            },
            cancel,
            follow,
        )
        .await?;
        Ok(())
    }

    async fn lock(&self, cancel: &CancellationToken) -> Result<Flock<fs::File>, RunError> {
        let failed = |e| RunError::io("cannot lock the plugin cache", e);
        fs::create_dir_all(&self.directory).map_err(failed)?;
        let mut file = fs::File::create(self.directory.join(".lock")).map_err(failed)?;
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((file, nix::errno::Errno::EWOULDBLOCK)) => file,
                Err((_, e)) => return Err(failed(e.into())),
            };
            tokio::select! {
                () = cancel.cancelled() => return Err(RunError::Cancelled { killed: false }),
                () = tokio::time::sleep(LOCK_POLL) => {}
            }
        }
    }

    /// Moves what `init` made in a session to the store.
    fn keep(&self, session: &Path, kept: &Path) -> io::Result<()> {
        let fresh = tempfile::Builder::new()
            .prefix(".init-")
            .tempdir_in(&self.directory)?;
        fs::rename(session.join(".terraform"), fresh.path().join("terraform"))?;
        let lock = session.join(LOCK_FILE);
        if lock.exists() {
            fs::copy(&lock, fresh.path().join("lock.hcl"))?;
        }
        fs::write(fresh.path().join(USED), "")?;
        if kept.exists() {
            // An entry that `attach` found broken.
            let broken = tempfile::Builder::new()
                .prefix(".broken-")
                .tempdir_in(&self.directory)?;
            fs::rename(kept, broken.path().join("entry"))?;
        }
        fs::rename(fresh.path(), kept)?;
        // It has another name now; there is nothing left to remove.
        let _ = fresh.keep();
        Ok(())
    }

    /// Gives a session what is kept; `false` if nothing usable is.
    fn attach(kept: &Path, session: &Path) -> Result<bool, RunError> {
        let source = kept.join("terraform");
        if !source.is_dir() || !links_are_whole(&source.join("providers"), 0) {
            return Ok(false);
        }
        let attach = || -> io::Result<()> {
            let target = session.join(".terraform");
            fs::create_dir_all(&target)?;
            for entry in fs::read_dir(&source)? {
                let entry = entry?;
                let to = target.join(entry.file_name());
                if entry.file_name() == "providers" {
                    // Programs, never written to by a run.
                    symlink(entry.path(), to)?;
                } else {
                    copy(&entry.path(), &to)?;
                }
            }
            let lock = kept.join("lock.hcl");
            if lock.exists() {
                fs::copy(lock, session.join(LOCK_FILE))?;
            }
            fs::write(kept.join(USED), "")
        };
        attach().map_err(|e| RunError::io("cannot use the kept initialised directory", e))?;
        Ok(true)
    }

    /// Removes what no build used for a long time. Failures are of no consequence.
    pub fn purge(&self) {
        let Some(limit) = SystemTime::now().checked_sub(KEEP) else {
            return;
        };
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            let used = fs::metadata(entry.path().join(USED)).or_else(|_| entry.metadata());
            let old = used.and_then(|m| m.modified()).is_ok_and(|at| at < limit);
            if old && entry.path().is_dir() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Our provider is not what a lock file's hashes were made from.
fn drop_our_lock_entry(directory: &Path) -> io::Result<()> {
    let path = directory.join(LOCK_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let Ok(mut body) = hcl_edit::parser::parse_body(&text) else {
        return Ok(()); // Terraform will say what is wrong with it.
    };
    let before = body.len();
    let mut kept = hcl_edit::structure::Body::new();
    for structure in std::mem::take(&mut body) {
        let ours = structure.as_block().is_some_and(|b| {
            b.has_ident("provider")
                && b.labels
                    .first()
                    .is_some_and(|l| mirror::is_coder(l.as_str()))
        });
        if !ours {
            kept.push(structure);
        }
    }
    if kept.len() == before {
        return Ok(());
    }
    fs::write(path, kept.to_string())
}

fn module_constraints(directory: &Path) -> Result<Vec<String>, HclError> {
    let files = crate::session::configuration_files(directory);
    let configuration = Configuration::read(&Files::new(files))?;
    Ok(mirror::constraints(&configuration))
}

/// Whether every link below a directory of providers leads somewhere.
fn links_are_whole(directory: &Path, depth: usize) -> bool {
    let Ok(entries) = fs::read_dir(directory) else {
        return true; // No providers at all.
    };
    entries.flatten().all(|entry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() => path.exists(),
            Ok(kind) if kind.is_dir() && depth < 6 => links_are_whole(&path, depth + 1),
            _ => true,
        }
    })
}

/// Copies a tree without version control data, which modules fetched by Git bring along.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(from)?.file_type();
    if kind.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if !kind.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != ".git" {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(text: &str) -> Configuration {
        let files = Files::new([("main.tf".to_owned(), text.as_bytes().to_vec())].into());
        Configuration::read(&files).unwrap()
    }

    #[test]
    fn only_what_must_be_installed_needs_init() {
        let ours = r#"
terraform {
  required_providers { coder = { source = "coder/coder" } }
}
data "coder_workspace" "me" {}
resource "terraform_data" "x" {}
"#;
        assert!(!needs_init(&configuration(ours)));
        for more in [
            "resource \"null_resource\" \"x\" {}",
            "module \"m\" { source = \"./m\" }",
            "provider \"docker\" {}",
            "terraform {\n backend \"s3\" {}\n}",
            "terraform {\n required_providers { coder = { source = \"else/coder\" } }\n}",
        ] {
            assert!(needs_init(&configuration(more)), "{more}");
        }
    }

    #[test]
    fn the_lock_file_loses_our_entry_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let other =
            "provider \"registry.terraform.io/kreuzwerker/docker\" {\n  version = \"3.0.0\"\n}\n";
        let ours = "provider \"registry.terraform.io/coder/coder\" {\n  version = \"2.1.0\"\n  hashes = [\"h1:x\"]\n}\n";
        fs::write(&path, format!("# head\n{ours}{other}")).unwrap();
        drop_our_lock_entry(dir.path()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("docker") && !text.contains("coder/coder"),
            "{text}"
        );
    }

    #[test]
    fn kept_directories_are_shared_and_broken_ones_are_not_used() {
        let cache = tempfile::tempdir().unwrap();
        let store = InitCache::new(cache.path());
        fs::create_dir_all(&store.directory).unwrap();
        let session = |name: &str| {
            let dir = cache.path().join(name);
            fs::create_dir_all(&dir).unwrap();
            dir
        };
        let plugin = cache.path().join("plugin");
        fs::create_dir_all(&plugin).unwrap();
        let first = session("first");
        fs::create_dir_all(first.join(".terraform/providers/h/n")).unwrap();
        fs::create_dir_all(first.join(".terraform/modules/m")).unwrap();
        fs::write(first.join(".terraform/modules/m/main.tf"), "# m").unwrap();
        fs::write(first.join(LOCK_FILE), "# lock").unwrap();
        symlink(&plugin, first.join(".terraform/providers/h/n/p")).unwrap();
        let kept = store.directory.join("key");
        store.keep(&first, &kept).unwrap();
        let second = session("second");
        assert!(InitCache::attach(&kept, &second).unwrap());
        fs::write(second.join(".terraform/modules/m/main.tf"), "changed").unwrap();
        let third = session("third");
        assert!(InitCache::attach(&kept, &third).unwrap());
        let module = fs::read_to_string(third.join(".terraform/modules/m/main.tf")).unwrap();
        assert_eq!(module, "# m", "one build changed another's module");
        assert_eq!(fs::read_to_string(third.join(LOCK_FILE)).unwrap(), "# lock");
        fs::remove_dir(&plugin).unwrap();
        assert!(!InitCache::attach(&kept, &session("fourth")).unwrap());
    }
}
