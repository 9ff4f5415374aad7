//! Something dies, or stands still, while a copy is under way.

mod copy;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use copy::{LIMIT, Upload, Way};
use e2e::{
    binaries,
    command::eventually,
    server::{Server, free_port},
};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use crate::{
    matrix::noise,
    world::{self, world},
};

/// How long the agent stands still.
const STANDSTILL: Duration = Duration::from_secs(20);
/// What goes through a forwarded port meanwhile.
const FORWARDED: usize = 4 << 20;

/// Makes a workspace; gives its home.
fn create(server: &Server, name: &str) -> Result<PathBuf> {
    server
        .cli(["create", name, "-t", "process", "-y"])
        .run()?
        .ok()?;
    let path = format!("/api/v2/users/me/workspace/{name}");
    let workspace = server.api("GET", &path, "")?.json()?;
    let id = workspace["id"].as_str().context("no id")?;
    Ok(world::workspaces_root(server).join(id))
}

/// Signals the agent's process group.
fn signal_agent(home: &Path, signal: Signal) -> Result<()> {
    let pid = std::fs::read_to_string(home.join("pid"))?;
    killpg(Pid::from_raw(pid.trim().parse()?), signal)?;
    Ok(())
}

/// Sessions over a direct path do not notice that the server dies; those over its relay go on once
/// it is back.
pub fn server_killed() -> Result<()> {
    let server = Server::start(&binaries::coder(), &[])?;
    world::push(&server, "process", None)?;
    let home = create(&server, "survivor")?;
    let root = world::workspaces_root(&server);
    let tested = killed_under(&server, &home);
    world::stop_workspaces(&root);
    tested
}

fn killed_under(server: &Server, home: &Path) -> Result<()> {
    let direct = Upload::start(server, "survivor", home, "direct", Way::Direct)?;
    let relayed = Upload::start(server, "survivor", home, "relayed", Way::Relay)?;
    server.stop(Signal::SIGKILL)?;
    direct
        .goes_on(Duration::from_secs(20))
        .context("while there is no server")?;
    server.boot()?;
    let ended = direct.finish()?;
    ended.whole().context("by the direct path")?;
    ensure!(
        !ended.stderr.contains("lost") && !ended.stderr.contains("closed"),
        "the session noticed: {}",
        ended.stderr
    );
    relayed.finish()?.whole().context("by the relay")
}

/// An agent that stands still and one that is dead, at the same time: both are mostly waited for.
pub fn agent_silent() -> Result<()> {
    thread::scope(|scope| {
        let killed = scope.spawn(agent_killed);
        agent_stands_still().context("an agent that stands still")?;
        killed
            .join()
            .map_err(|_| anyhow!("the test of a killed agent failed"))?
            .context("an agent that was killed")
    })
}

/// Nobody waits for an agent that will not come back, and hears why.
fn agent_killed() -> Result<()> {
    let server = &world()?.server;
    let home = create(server, "mortal")?;
    let copy = Upload::start(server, "mortal", &home, "cut", Way::Direct)?;
    signal_agent(&home, Signal::SIGKILL)?;
    let ended = copy.finish()?;
    ensure!(ended.code == 255, "as OpenSSH tells of it: {ended}");
    ensure!(
        ended.stderr.contains("the agent of the workspace"),
        "it does not say why: {ended}"
    );
    waited_for(server, "mortal").context("somebody who comes later")?;
    server.cli(["delete", "mortal", "-y"]).run()?.ok()?;
    Ok(())
}

/// Who wants to enter while the agent is gone hears what is waited for, and waits no longer than the
/// workspace runs.
fn waited_for(server: &Server, name: &str) -> Result<()> {
    let mut client = Command::new(binaries::coder())
        .args(["ssh", name, "true"])
        .env("CODER_CONFIG_DIR", server.cli_dir())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stderr = client.stderr.take().context("no standard error")?;
    let mut client = Running(client);
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("agent to reconnect") {
        let mut piece = [0; 4096];
        let len = stderr.read(&mut piece)?;
        ensure!(len > 0, "it ended: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..len]);
    }
    server.cli(["stop", name, "-y"]).run()?.ok()?;
    stderr.read_to_end(&mut said)?;
    let ended = eventually("the client ends", LIMIT, || Ok(client.0.try_wait()?))?;
    let said = String::from_utf8_lossy(&said);
    ensure!(
        !ended.success() && said.contains("is being stopped"),
        "it does not say why: {said}"
    );
    Ok(())
}

/// A session ends with its workspace, and says so.
pub fn workspace_stopped() -> Result<()> {
    let server = &world()?.server;
    let home = create(server, "halted")?;
    let copy = Upload::start(server, "halted", &home, "cut", Way::Direct)?;
    server.cli(["stop", "halted", "-y"]).run()?.ok()?;
    let ended = copy.finish()?;
    ensure!(ended.code == 255, "as OpenSSH tells of it: {ended}");
    ensure!(
        ended.stderr.contains("the workspace is being stopped"),
        "it does not say why: {ended}"
    );
    server.cli(["delete", "halted", "-y"]).run()?.ok()?;
    Ok(())
}

/// Ends a program that a test started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets the agent go on, whatever the test does.
struct Still<'a>(&'a Path);

impl Drop for Still<'_> {
    fn drop(&mut self) {
        let _ = signal_agent(self.0, Signal::SIGCONT);
    }
}

/// A peer that vanishes and comes back: forwarded connections go on without loss.
fn agent_stands_still() -> Result<()> {
    let server = &world()?.server;
    let home = create(server, "still")?;
    let service = TcpListener::bind("127.0.0.1:0")?;
    let (there, here) = (service.local_addr()?.port(), free_port()?);
    thread::spawn(move || echo(&service));
    let forward = Command::new(binaries::coder())
        .args(["port-forward", "still", "--tcp", &format!("{here}:{there}")])
        .env("CODER_CONFIG_DIR", server.cli_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut forward = Running(forward);
    let mut stream = eventually("the forwarded port answers", LIMIT, || {
        Ok(TcpStream::connect(("127.0.0.1", here)).ok())
    })?;
    stream.set_read_timeout(Some(LIMIT))?;
    let bytes = noise(FORWARDED);
    let half = FORWARDED / 2;
    let mut got = vec![0; FORWARDED];
    let mut writer = stream.try_clone()?;
    writer.write_all(&bytes[..half])?;
    stream.read_exact(&mut got[..half])?;

    signal_agent(&home, Signal::SIGSTOP)?;
    let still = Still(&home);
    let rest = bytes[half..].to_vec();
    let sending = thread::spawn(move || writer.write_all(&rest));
    thread::sleep(STANDSTILL);
    ensure!(
        forward.0.try_wait()?.is_none(),
        "the forwarding ended by itself"
    );
    drop(still);
    stream
        .read_exact(&mut got[half..])
        .context("after the agent went on")?;
    ensure!(got == bytes, "the bytes that came back are others");
    ensure!(matches!(sending.join(), Ok(Ok(()))), "not all was sent");
    // The service ends both directions with the first.
    stream.shutdown(Shutdown::Write)?;
    ensure!(stream.read(&mut [0; 1])? == 0, "more came than was sent");
    kill(
        Pid::from_raw(i32::try_from(forward.0.id())?),
        Signal::SIGINT,
    )?;
    eventually("the forwarding ends", LIMIT, || Ok(forward.0.try_wait()?))?;
    server.cli(["delete", "still", "-y"]).run()?.ok()?;
    Ok(())
}

/// Sends everything back.
fn echo(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let Ok(mut writer) = stream.try_clone() else {
                return;
            };
            let _ = std::io::copy(&mut &stream, &mut writer);
            let _ = stream.shutdown(Shutdown::Write);
        });
    }
}
