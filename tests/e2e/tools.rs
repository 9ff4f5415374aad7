//! Commands beside the shell: what the network is like, addresses to open,
//! forwards to this machine, a bundle for support, and the way back in when
//! nobody can sign in.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use e2e::{
    binaries,
    command::{Run, eventually},
    server::{Server, free_port},
};

use crate::world::world;

const LIMIT: Duration = Duration::from_secs(20);

fn workspace(server: &Server, name: &str) -> Result<()> {
    server
        .cli(["create", name, "--template", "process", "-y"])
        .run()?
        .ok()?;
    Ok(())
}

pub fn network() -> Result<()> {
    let server = &world()?.server;
    workspace(server, "network")?;
    let out = server.cli(["ping", "network", "-n", "2"]).run()?.ok()?;
    for part in [
        "pong from network",
        "relay of this machine",
        "relay of the workspace",
    ] {
        ensure!(out.text().contains(part), "no {part:?} in {}", out.text());
    }
    let blocked = ["ping", "network", "-n", "1", "--disable-direct-connections"];
    let out = server.cli(blocked).run()?.ok()?;
    ensure!(
        out.text().contains("--disable-direct-connections"),
        "not told why: {}",
        out.text()
    );
    let out = server.cli(["netcheck"]).run()?.ok()?;
    let report: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    ensure!(report["derp"]["healthy"] == true, "{report:#}");
    ensure!(
        report["interfaces"]["interfaces"].is_array()
            && report["derp"]["netcheck"]["PreferredDERP"] != 0,
        "{report:#}"
    );
    let out = server.cli(["netcheck", "-o", "text"]).run()?.ok()?;
    ensure!(out.text().contains("Preferred relay"), "{}", out.text());
    let args = [
        "speedtest",
        "network",
        "--direct",
        "--disable-direct-connections",
    ];
    let out = server.cli(args).run()?.expect_code(1)?;
    ensure!(
        out.stderr.contains("no direct connection"),
        "{}",
        out.stderr
    );
    Ok(())
}

pub fn open() -> Result<()> {
    let server = &world()?.server;
    workspace(server, "opened")?;
    let out = server
        .cli(["open", "vscode", "opened", "/srv", "--no-open"])
        .run()?
        .ok()?;
    let address = out.text();
    ensure!(
        address.starts_with("vscode://coder.coder-remote/open?url=")
            && address.contains("owner=admin&workspace=opened&agent=main&folder=%2Fsrv")
            && !address.contains("token="),
        "{address}"
    );
    let out = server
        .cli(["open", "app", "opened", "nothing"])
        .run()?
        .expect_code(1)?;
    ensure!(out.stderr.contains("has no app"), "{}", out.stderr);
    Ok(())
}

/// `-R` of TCP and of Unix sockets: the workspace listens, this machine answers.
pub fn remote_forwards() -> Result<()> {
    let server = &world()?.server;
    workspace(server, "remote")?;
    let dir = server.dir().join("remote-forwards");
    fs::create_dir_all(&dir)?;
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let unix = UnixListener::bind(dir.join("here"))?;
    let here = tcp.local_addr()?.port();
    thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            answer(stream);
        }
    });
    thread::spawn(move || {
        for stream in unix.incoming().flatten() {
            answer(stream);
        }
    });
    let there = free_port()?;
    let sockets = format!("{0}/there:{0}/here", dir.display());
    let _session = Session(
        Command::new(binaries::coder())
            .args(["ssh", "remote", "-R", &format!("{there}:127.0.0.1:{here}")])
            .args(["-R", &sockets, "--", "sleep 60"])
            .env("CODER_CONFIG_DIR", server.cli_dir())
            .stdin(Stdio::null())
            .spawn()?,
    );
    let stream = eventually("the workspace's port answers", LIMIT, || {
        Ok(TcpStream::connect(("127.0.0.1", there)).ok())
    })?;
    ask(stream).context("by TCP")?;
    let stream = eventually("the workspace's socket answers", LIMIT, || {
        Ok(UnixStream::connect(dir.join("there")).ok())
    })?;
    ask(stream).context("by a Unix socket")
}

struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answer(mut stream: impl Read + Write) {
    let mut question = [0; 5];
    if stream.read_exact(&mut question).is_ok() && &question == b"hello" {
        let _ = stream.write_all(b"from here");
    }
}

fn ask(mut stream: impl Read + Write) -> Result<()> {
    stream.write_all(b"hello")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    ensure!(text == "from here", "{text:?}");
    Ok(())
}

pub fn support_bundle() -> Result<()> {
    let server = &world()?.server;
    workspace(server, "bundled")?;
    let file = server.dir().join("bundle.zip");
    let path = file.display().to_string();
    // Without an answer nothing is written.
    server
        .cli(["support", "bundle", "bundled", "-O", &path])
        .input("no\n")
        .run()?
        .expect_code(1)?;
    ensure!(!file.exists(), "a bundle was written without consent");
    server
        .cli(["support", "bundle", "bundled", "-O", &path, "-y"])
        .run()?
        .ok()?;
    let bytes = fs::read(&file)?;
    ensure!(bytes.starts_with(b"PK"), "no zip archive");
    // Names stand in plain text.
    let text = String::from_utf8_lossy(&bytes);
    for name in [
        "deployment/buildinfo.json",
        "network/netcheck.json",
        "workspace/template_file.zip",
        "workspace/build_logs.txt",
        "agent/agent.json",
        "agent/peer_diagnostics.json",
        "cli_logs.txt",
    ] {
        ensure!(text.contains(name), "no {name}");
    }
    Ok(())
}

pub fn way_back_in() -> Result<()> {
    let server = &world()?.server;
    // At the server's own machine, with its configuration.
    let local = |args: &[&str]| {
        Run::new(&binaries::coder(), args)
            .env("CODER_CONFIG_DIR", server.dir().join("server"))
            .env("NO_COLOR", "1")
    };
    let (first, second) = ("Another-Horse-7-Battery", "Third-Horse-5-Battery");
    let create = [
        "server",
        "create-admin-user",
        "--username",
        "rescuer",
        "--email",
        "rescuer@example.com",
        "--password",
        first,
    ];
    local(&create).run()?.ok()?;
    let out = local(&create).run()?.expect_code(1)?;
    ensure!(
        out.stderr.contains("exists") || out.stderr.contains("taken"),
        "{}",
        out.stderr
    );
    sign_in(server, first, 201)?;
    local(&["reset-password", "rescuer"])
        .input(format!("{second}\n{second}\n"))
        .run()?
        .ok()?;
    sign_in(server, first, 401)?;
    sign_in(server, second, 201)?;
    let out = local(&["reset-password", "nobody"]).run()?.expect_code(1)?;
    ensure!(out.stderr.contains("not found"), "{}", out.stderr);
    Ok(())
}

fn sign_in(server: &Server, password: &str, status: u16) -> Result<()> {
    let body = format!(r#"{{"email":"rescuer@example.com","password":"{password}"}}"#);
    let answer = server.api_as("", "POST", "/api/v2/users/login", &body)?;
    ensure!(answer.status == status, "sign-in answers {}", answer.status);
    Ok(())
}

/// Completion as a shell asks for it.
pub fn completion() -> Result<()> {
    let script = Run::new(&binaries::coder(), ["completion", "-p", "-s", "bash"])
        .run()?
        .ok()?
        .text();
    let dir = tempfile::tempdir()?;
    let bin = dir.path().join("coder");
    std::os::unix::fs::symlink(binaries::coder(), bin)?;
    let ask = format!(
        "{script}\nCOMP_WORDS=(coder templates pu)\nCOMP_CWORD=2\n_clap_complete_coder coder pu templates\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let out = Run::new(Path::new("/bin/bash"), ["-c", &ask])
        .env("PATH", path)
        .run()?
        .ok()?;
    let mut found: Vec<String> = out.text().lines().map(|l| l.trim().to_owned()).collect();
    found.sort();
    ensure!(found == ["pull", "push"], "{found:?} {}", out.stderr);
    Ok(())
}
