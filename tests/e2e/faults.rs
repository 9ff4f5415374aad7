//! Builds while the ground gives way: a database that stands still, a disk that is full.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::{binaries, command::eventually, server::Server};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::world;

/// The latest build's job of the first user's workspace `name`.
fn job(server: &Server, name: &str) -> Result<serde_json::Value> {
    let path = format!("/api/v2/users/me/workspace/{name}");
    Ok(server.api("GET", &path, "")?.json()?["latest_build"]["job"].clone())
}

/// Waits until the job has come to an end, and gives it.
fn ended(server: &Server, name: &str) -> Result<serde_json::Value> {
    eventually("the job reaches an end", Duration::from_secs(90), || {
        let job = job(server, name)?;
        let status = job["status"].as_str().unwrap_or_default();
        Ok(matches!(status, "failed" | "canceled" | "succeeded").then_some(job))
    })
}

/// Signals the database processes of the server.
fn signal_postgres(server: &Server, signal: Signal) -> Result<()> {
    let pid = server.pid().context("the server runs")?;
    let all: Vec<i32> = e2e::processes::descendants(pid.as_raw())
        .into_iter()
        .filter(|p| e2e::processes::name(*p) == "postgres")
        .collect();
    ensure!(!all.is_empty(), "the server has no postgres");
    for pid in all {
        // A backend may end by itself in between.
        let _ = kill(Pid::from_raw(pid), signal);
    }
    Ok(())
}

/// Lets the database go on, whatever the test does.
struct Paused<'a>(&'a Server);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        let _ = signal_postgres(self.0, Signal::SIGCONT);
    }
}

pub fn postgres_paused_during_build() -> Result<()> {
    let server = Server::start(&binaries::coder(), &[])?;
    let root = world::workspaces_root(&server);
    world::push_slow(&server, "slow", 4)?;
    server
        .cli(["create", "paused", "-t", "slow", "-y", "--no-wait"])
        .run()?
        .ok()?;
    eventually("the apply is under way", Duration::from_secs(30), || {
        Ok(fs::read_dir(&root)
            .is_ok_and(|mut d| d.next().is_some())
            .then_some(()))
    })?;
    signal_postgres(&server, Signal::SIGSTOP)?;
    let paused = Paused(&server);
    // Long enough for the apply to end with nowhere to write its result.
    std::thread::sleep(Duration::from_secs(8));
    drop(paused);
    let job = ended(&server, "paused")?;
    ensure!(
        job["status"] == "succeeded",
        "a pause of the database must not cost the build: {job}"
    );
    let out = server.cli(["ssh", "paused", "--", "echo alive"]).run()?;
    ensure!(out.ok()?.text().contains("alive"), "no shell after it");
    server.cli(["delete", "paused", "-y"]).run()?.ok()?;
    Ok(())
}

/// A small file system of its own at `dir`; unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(dir: &'a Path, megabytes: u32) -> Result<Option<Self>> {
        fs::create_dir_all(dir)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(dir)
            .output()?;
        Ok(mounted.status.success().then_some(Self(dir)))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

pub fn disk_full() -> Result<()> {
    let server = Server::prepare(&binaries::coder(), &[])?;
    let cache = server.dir().join("cache");
    // OpenTofu alone unpacks to about 90 MB, and each build starts with a copy of our provider's name.
    let Some(_disk) = SmallDisk::mount(&cache, 256)? else {
        println!("skipped: mounting a file system needs root");
        return Ok(());
    };
    server.boot()?;
    server.sign_in()?;
    world::push(&server, "process", None)?;
    let filler = cache.join("filler");
    fill(&filler)?;
    server
        .cli(["create", "full", "-t", "process", "-y", "--no-wait"])
        .run()?
        .ok()?;
    let failed = ended(&server, "full")?;
    ensure!(failed["status"] == "failed", "{failed}");
    let error = failed["error"].as_str().unwrap_or_default().to_lowercase();
    ensure!(
        error.contains("no space left"),
        "the job must name the full disk: {failed}"
    );
    fs::remove_file(&filler)?;
    // With room again, the same workspace starts.
    server.cli(["start", "full", "-y"]).run()?.ok()?;
    server.cli(["ssh", "full", "true"]).run()?.ok()?;
    server.cli(["delete", "full", "-y"]).run()?.ok()?;
    Ok(())
}

/// Writes until the disk is full.
fn fill(path: &Path) -> Result<()> {
    use std::io::Write;
    let mut file = fs::File::create(path)?;
    let block = vec![0_u8; 64 * 1024];
    // The loop is bounded by the size of the disk, twice over.
    for _ in 0..2 * 256 * 16 {
        if file.write_all(&block).is_err() {
            return Ok(());
        }
    }
    anyhow::bail!("the small disk took more than it can hold")
}
