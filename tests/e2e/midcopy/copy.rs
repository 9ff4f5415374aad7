//! A copy into a workspace by `coder ssh` that goes on for as long as the test wants.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use e2e::{
    command::{Run, eventually},
    server::Server,
};

use crate::matrix::noise;

/// How much is copied.
const SIZE: usize = 32 << 20;
/// What the producer gives at once while it is slow.
const PIECE: usize = 64 << 10;
/// Its pause between two pieces: the whole would take 20 s.
const PAUSE: Duration = Duration::from_millis(40);
/// A copy is under way once so much has arrived.
const UNDER_WAY: u64 = 2 << 20;
/// No copy, and no end of one, may take longer.
pub const LIMIT: Duration = Duration::from_secs(90);

/// By which way packets shall go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Direct,
    Relay,
}

/// A copy under way; killed when dropped.
pub struct Upload {
    client: Child,
    producer: Option<JoinHandle<()>>,
    said: [Option<JoinHandle<String>>; 2],
    fast: Arc<AtomicBool>,
    bytes: Arc<Vec<u8>>,
    there: PathBuf,
    info: PathBuf,
}

/// How a copy ended.
pub struct Ended {
    /// The exit code; -1 when a signal ended the client.
    pub code: i32,
    /// What the client said of itself.
    pub stderr: String,
    /// What `sha256sum` said in the workspace.
    pub stdout: String,
    /// The checksum that it should have.
    pub sum: String,
}

impl Ended {
    /// All arrived, and as it was.
    pub fn is_whole(&self) -> bool {
        self.code == 0 && self.stdout.starts_with(&self.sum)
    }

    /// Fails unless all arrived as it was.
    pub fn whole(&self) -> Result<()> {
        ensure!(self.is_whole(), "the copy is not whole: {self}");
        Ok(())
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {}, wanted {}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.sum, self.stdout, self.stderr
        )
    }
}

impl Upload {
    /// Starts a copy into `name` of the workspace, whose home is `home`.
    pub fn start(
        server: &Server,
        workspace: &str,
        home: &Path,
        name: &str,
        way: Way,
    ) -> Result<Self> {
        let info = server.dir().join(format!("info-{workspace}-{name}"));
        let mut client = Command::new(e2e::binaries::coder())
            .args(["ssh", workspace, "--network-info-interval", "200ms"])
            .arg("--network-info-dir")
            .arg(&info)
            .args(["--", &format!("cat > {name} && sha256sum {name}")])
            .env("CODER_CONFIG_DIR", server.cli_dir())
            .env("NO_COLOR", "1")
            .env(
                "CODER_DISABLE_DIRECT_CONNECTIONS",
                (way == Way::Relay).to_string(),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = client.stdin.take().context("no standard input")?;
        let said = [
            client.stdout.take().map(listen),
            client.stderr.take().map(listen),
        ];
        let bytes = Arc::new(noise(SIZE));
        let fast = Arc::new(AtomicBool::new(false));
        let (source, hurry) = (bytes.clone(), fast.clone());
        let producer = thread::spawn(move || {
            for piece in source.chunks(PIECE) {
                if !hurry.load(Ordering::Relaxed) {
                    thread::sleep(PAUSE);
                }
                // The client may end before it has read all.
                if stdin.write_all(piece).is_err() {
                    return;
                }
            }
        });
        let copy = Self {
            client,
            producer: Some(producer),
            said,
            fast,
            bytes,
            there: home.join(name),
            info,
        };
        copy.under_way(way)?;
        Ok(copy)
    }

    /// Waits until a part has arrived, by the way that was asked for.
    fn under_way(&self, way: Way) -> Result<()> {
        eventually("the copy is under way", LIMIT, || {
            Ok((self.arrived() >= UNDER_WAY).then_some(()))
        })?;
        let direct = way == Way::Direct;
        eventually(&format!("its path is direct: {direct}"), LIMIT, || {
            Ok((self.is_direct()? == direct).then_some(()))
        })
    }

    /// What the client itself says of its path.
    fn is_direct(&self) -> Result<bool> {
        let file = fs::read_dir(&self.info)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|e| e == "json"))
            .context("the client has not told of its path yet")?;
        let info: serde_json::Value = serde_json::from_slice(&fs::read(file)?)?;
        info["p2p"].as_bool().context("no p2p")
    }

    /// How many bytes are in the workspace.
    pub fn arrived(&self) -> u64 {
        fs::metadata(&self.there).map_or(0, |file| file.len())
    }

    /// Waits until more has arrived.
    pub fn goes_on(&self, limit: Duration) -> Result<()> {
        let before = self.arrived();
        eventually("more of the copy arrives", limit, || {
            Ok((self.arrived() >= before + UNDER_WAY / 4).then_some(()))
        })
    }

    /// Gives the rest without pauses and waits for the end.
    pub fn finish(mut self) -> Result<Ended> {
        self.fast.store(true, Ordering::Relaxed);
        let status = eventually("the client ends", LIMIT, || Ok(self.client.try_wait()?))?;
        if let Some(producer) = self.producer.take() {
            producer
                .join()
                .map_err(|_| anyhow!("the producer failed"))?;
        }
        let [stdout, stderr] = std::mem::take(&mut self.said)
            .map(|said| said.and_then(|said| said.join().ok()).unwrap_or_default());
        let here = Run::new(Path::new("sha256sum"), [] as [&str; 0])
            .input(self.bytes.to_vec())
            .run()?
            .ok()?;
        let text = here.text();
        Ok(Ended {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr,
            sum: text.split(' ').next().unwrap_or_default().to_owned(),
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

fn listen(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    })
}
