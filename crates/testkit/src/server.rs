//! The PostgreSQL server that the tests of one binary share.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use store::embedded::{Binaries, Embedded};

/// Names the server to use instead of one of our own.
const URL: &str = "CODER_TEST_PG_URL";

/// Where the server is; starts it at the first call.
///
/// # Panics
/// If there is no PostgreSQL to start, saying what to do.
pub fn server_url() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| std::env::var(URL).unwrap_or_else(|_| start()))
}

/// Starts a server that outlives every test and ends with the process,
/// however that ends.
fn start() -> String {
    let dir = tempfile::Builder::new()
        .prefix("coder-test-pg-")
        .tempdir()
        .expect("a temporary directory");
    let dir = dir.keep();
    let (sender, receiver) = std::sync::mpsc::channel();
    let home = dir.clone();
    // A thread of its own: the runtime of the test that comes first ends with it.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let server = Embedded::start(binaries(), &home)
                .await
                .expect("PostgreSQL to start");
            sender
                .send((server.url().to_owned(), server.pid()))
                .expect("the first test to wait");
            std::future::pending::<()>().await;
        });
    });
    let (url, pid) = receiver.recv().expect("PostgreSQL to start");
    clean_up_after_us(&dir, pid.expect("a running postmaster"));
    url
}

#[allow(
    clippy::zombie_processes,
    reason = "it outlives us by design; whoever adopts it waits for it"
)]
/// A shell that reads from a pipe of ours: when we are gone, however, the pipe
/// closes and it removes what we left.
fn clean_up_after_us(dir: &Path, pid: u32) {
    let script = r#"cat >/dev/null; kill -QUIT "$1"
        for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" || break; sleep 0.5; done
        rm -rf "$2""#;
    let mut shell = Command::new("/bin/sh")
        .args(["-c", script, "sh", &pid.to_string()])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("/bin/sh");
    let mut pipe = shell.stdin.take().expect("a piped standard input");
    pipe.write_all(b"\n").expect("the shell to read");
    // Open until the process ends.
    std::mem::forget(pipe);
}

/// The PostgreSQL that tests run.
///
/// # Panics
/// If there is none, saying what to do.
pub fn binaries() -> Binaries {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    for target in target.into_iter().chain([workspace]) {
        if let Ok(packed) = std::fs::read(target.join("vendor/postgres.tar.zst")) {
            return Binaries::Packed(packed.leak());
        }
    }
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = installed
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max();
    Binaries::Directory(newest.unwrap_or_else(|| {
        panic!(
            "tests need PostgreSQL: run `cargo xtask vendor`, install Debian's postgresql, or set {URL}"
        )
    }))
}
