//! A throw-away PostgreSQL from the system's packages, as the external one.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A running server; stopped when dropped.
pub struct Postgres {
    dir: TempDir,
    bin: PathBuf,
    url: String,
}

fn bin() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|e| e.path().join("bin"))
        .filter(|p| p.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop()
}

impl Postgres {
    /// Starts one, or says why not and gives `None`.
    pub fn start() -> Result<Option<Self>> {
        let Some(bin) = bin() else {
            println!("skipped: no PostgreSQL in /usr/lib/postgresql");
            return Ok(None);
        };
        let dir = tempfile::Builder::new().prefix("coder-e2e-pg-").tempdir()?;
        let port = e2e::server::free_port()?;
        let this = Self {
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"),
            dir,
            bin,
        };
        // The server refuses to run as root.
        let owner = if nix::unistd::geteuid().is_root() {
            let status = Command::new("chown")
                .arg("postgres")
                .arg(this.dir.path())
                .status()?;
            ensure!(status.success(), "chown to the user postgres failed");
            true
        } else {
            false
        };
        let data = this.dir.path().join("data");
        this.run(
            owner,
            "initdb",
            &[
                "-A",
                "trust",
                "-U",
                "postgres",
                "-D",
                &data.display().to_string(),
            ],
        )?;
        let options = format!("-p {port} -k {} -c fsync=off", this.dir.path().display());
        let log = this.dir.path().join("log").display().to_string();
        this.run(
            owner,
            "pg_ctl",
            &[
                "-w",
                "-D",
                &data.display().to_string(),
                "-l",
                &log,
                "-o",
                &options,
                "start",
            ],
        )?;
        Ok(Some(this))
    }

    /// Connection URL of an administrator.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn run(&self, as_postgres: bool, program: &str, args: &[&str]) -> Result<()> {
        let program = self.bin.join(program);
        let mut command = if as_postgres {
            let mut command = Command::new("setpriv");
            command
                .args([
                    "--reuid=postgres",
                    "--regid=postgres",
                    "--clear-groups",
                    "--",
                ])
                .arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let output = command
            .args(args)
            .current_dir("/")
            .stdout(std::process::Stdio::null())
            .status()
            .with_context(|| format!("{command:?}"))?;
        ensure!(output.success(), "{command:?} failed");
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.dir.path().join("data").display().to_string();
        let root = nix::unistd::geteuid().is_root();
        let _ = self.run(root, "pg_ctl", &["-m", "immediate", "-D", &data, "stop"]);
    }
}
