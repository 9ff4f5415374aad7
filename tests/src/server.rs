//! A running control plane with its first user signed in.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use testkit::published::{self, Answer};

use crate::{
    binaries,
    command::{Run, eventually},
    http::{self, Response},
};

/// Password of the first user in every test deployment.
pub const PASSWORD: &str = "Correct-Horse-9-Battery";
/// Its e-mail address.
pub const EMAIL: &str = "admin@example.com";

/// One deployment.
pub struct Server {
    binary: PathBuf,
    child: Mutex<Option<Child>>,
    env: Vec<(String, String)>,
    /// `host:port`.
    pub authority: String,
    /// The access URL.
    pub url: String,
    dir: TempDir,
}

/// A free port on the loopback interface.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Server {
    /// Starts `binary server`, waits until it is healthy and creates the first
    /// user with `binary` itself.
    pub fn start(binary: &Path, env: &[(&str, &str)]) -> Result<Self> {
        let server = Self::prepare(binary, env)?;
        server.boot()?;
        server.sign_in()?;
        Ok(server)
    }

    /// Chooses folders and a port; starts nothing yet.
    pub fn prepare(binary: &Path, env: &[(&str, &str)]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("coder-e2e-").tempdir()?;
        let port = free_port()?;
        let authority = format!("127.0.0.1:{port}");
        Ok(Self {
            binary: binary.to_path_buf(),
            child: Mutex::new(None),
            env: env
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            url: format!("http://{authority}"),
            authority,
            dir,
        })
    }

    /// Listens on this address of the machine instead of the loopback interface.
    #[must_use]
    pub fn at(mut self, ip: &str) -> Self {
        if let Some((_, port)) = self.authority.rsplit_once(':') {
            self.authority = format!("{ip}:{port}");
            self.url = format!("http://{}", self.authority);
        }
        self
    }

    /// The folder of this deployment; gone when it is dropped.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the process and waits for `/healthz`.
    pub fn boot(&self) -> Result<()> {
        self.boot_with(&[])
    }

    /// Like [`Server::boot`], this once with more environment.
    pub fn boot_with(&self, env: &[(&str, &str)]) -> Result<()> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        let mut command = Command::new(&self.binary);
        command
            .arg("server")
            .env("CODER_CONFIG_DIR", self.dir().join("server"))
            .env("CODER_CACHE_DIRECTORY", self.dir().join("cache"))
            .env("CODER_HTTP_ADDRESS", &self.authority)
            .env("CODER_ACCESS_URL", &self.url)
            .env("CODER_TELEMETRY_ENABLE", "false")
            .env("CODER_UPDATE_CHECK", "false")
            .env("CODER_DERP_SERVER_STUN_ADDRESSES", "disable")
            .env("CODER_DANGEROUS_DISABLE_RATE_LIMITS", "true")
            .envs(self.env.iter().cloned())
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        *self.lock() = Some(child);
        eventually("the server is healthy", Duration::from_mins(1), || {
            if let Some(child) = self.lock().as_mut()
                && let Some(status) = child.try_wait()?
            {
                bail!("the server ended: {status}\n{}", self.log_tail());
            }
            let healthy = http::request(&self.authority, "GET", "/healthz", &[], b"")
                .is_ok_and(|r| r.status == 200);
            Ok(healthy.then_some(()))
        })
    }

    /// Creates the first user and signs the command line in as it.
    pub fn sign_in(&self) -> Result<()> {
        self.cli([
            "login",
            &self.url,
            "--first-user-username",
            "admin",
            "--first-user-email",
            EMAIL,
            "--first-user-password",
            PASSWORD,
            "--first-user-trial=false",
        ])
        .run()?
        .ok()?;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.dir().join("server.log")
    }

    /// The end of the log, for failure reports.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// A command of the server's own binary, signed in as the first user.
    pub fn cli<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        self.cli_of(&self.binary, args)
    }

    /// A command of any binary with this CLI, signed in as the first user.
    pub fn cli_of<'a>(&self, binary: &Path, args: impl IntoIterator<Item = &'a str>) -> Run {
        Run::new(binary, args)
            .env("CODER_CONFIG_DIR", self.cli_dir())
            .env("NO_COLOR", "1")
    }

    /// The configuration folder of the signed-in command line.
    pub fn cli_dir(&self) -> PathBuf {
        self.dir().join("cli")
    }

    /// The first user's session token.
    pub fn token(&self) -> Result<String> {
        let path = self.cli_dir().join("session");
        Ok(fs::read_to_string(&path)
            .with_context(|| path.display().to_string())?
            .trim()
            .to_owned())
    }

    /// One authenticated API request; `body` is JSON text or empty.
    pub fn api(&self, method: &str, path: &str, body: &str) -> Result<Response> {
        self.api_as(&self.token()?, method, path, body)
    }

    /// One API request with any token. An answer of ours that is not as published is an error.
    pub fn api_as(&self, token: &str, method: &str, path: &str, body: &str) -> Result<Response> {
        let answer = http::request(
            &self.authority,
            method,
            path,
            &[
                ("Coder-Session-Token", token),
                ("Content-Type", "application/json"),
            ],
            body.as_bytes(),
        )?;
        if self.binary == binaries::coder() {
            let problems = published::problems(&Answer {
                method,
                path,
                status: answer.status,
                content_type: answer.header("content-type"),
                body: &answer.body,
            });
            ensure!(
                problems.is_empty(),
                "not as published:\n{}",
                problems.join("\n")
            );
        }
        Ok(answer)
    }

    /// Process id of the running server.
    pub fn pid(&self) -> Option<Pid> {
        self.lock()
            .as_ref()
            .and_then(|c| i32::try_from(c.id()).ok())
            .map(Pid::from_raw)
    }

    /// Waits until the process ends by itself, or `other` is there; whether it ended.
    pub fn dies_unless(&self, mut other: impl FnMut() -> Result<Option<()>>) -> Result<bool> {
        eventually("the server ends by itself", Duration::from_mins(1), || {
            let ended = match self.lock().as_mut() {
                Some(child) => child.try_wait()?.is_some(),
                None => true,
            };
            if ended {
                *self.lock() = None;
                return Ok(Some(true));
            }
            Ok(other()?.map(|()| false))
        })
    }

    /// Sends a signal and waits for the end; the exit code, or `None` if a
    /// signal ended it.
    pub fn stop(&self, signal: Signal) -> Result<Option<i32>> {
        let Some(mut child) = self.lock().take() else {
            return Ok(None);
        };
        kill(Pid::from_raw(i32::try_from(child.id())?), signal)?;
        let status = eventually("the server stops", Duration::from_mins(1), || {
            Ok(child.try_wait()?)
        })?;
        Ok(status.code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- end of the server's log\n{}", self.log_tail());
        }
        let _ = self.stop(Signal::SIGINT);
    }
}
