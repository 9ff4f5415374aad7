//! The real programs behind real NAT: our server with its STUN server on a small Internet of network
//! namespaces, an agent at one site and a command line at the other, each ours or the peer's.
//!
//! The test runs itself again inside the namespace of the server, so that everything that it starts
//! is there. The tunnel's own tests go through more kinds of NAT.

#[path = "../../../crates/tunnel/tests/nat/namespace.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the tunnel's tests use more of it; a failed step fails the test"
)]
mod namespace;
#[path = "../../../crates/tunnel/tests/nat/topology.rs"]
#[allow(dead_code, reason = "the tunnel's tests use more of it")]
mod topology;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::binaries;
use e2e::command::{Run, eventually};
use e2e::peers::Peers;
use e2e::server::Server;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use topology::{Nat, Topology};

use crate::external_agent;

/// Set in the run inside: the names of the namespaces of agent and command line.
const INSIDE: &str = "CODER_TEST_NAT_INSIDE";
/// The NAT of both sites in this run.
const KIND: &str = "CODER_TEST_NAT_KIND";
/// Where the server is on the small Internet.
const SERVER: &str = "203.0.113.1";
const WORKSPACE: &str = "away";

/// Builds the Internet and goes there.
pub fn real_programs() -> Result<()> {
    if let Ok(names) = std::env::var(INSIDE) {
        return inside(&names);
    }
    if let Err(why) = namespace::available() {
        println!("skipped: network namespaces need {why}");
        return Ok(());
    }
    let topology = Topology::build();
    let (client, agent) = (&topology.sites[0].hosts[0], &topology.sites[1].hosts[0]);
    for kind in [Nat::PortRestricted, Nat::Symmetric] {
        topology.set(kind, kind);
        let out = Command::new("ip")
            .args(["netns", "exec", &topology.hub.name])
            .arg(std::env::current_exe()?)
            .args(["--exact", "nat::real_programs"])
            .env(INSIDE, format!("{},{}", client.name, agent.name))
            .env(KIND, format!("{kind:?}"))
            .output()?;
        let said = String::from_utf8_lossy(&out.stdout);
        let problems = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.success(), "{kind:?}:\n{said}\n{problems}");
    }
    Ok(())
}

/// On the Internet: every pair of ours and the peer's, with pings and a copy.
fn inside(names: &str) -> Result<()> {
    let (client, agent) = names.split_once(',').context("two namespaces")?;
    let direct = std::env::var(KIND)? == format!("{:?}", Nat::PortRestricted);
    let listen = format!("{SERVER}:3478,203.0.113.2:3478");
    let server = Server::prepare(
        &binaries::coder(),
        &[
            ("CODER_DERP_SERVER_STUN_LISTEN", &listen),
            ("CODER_DERP_SERVER_STUN_ADDRESSES", "203.0.113.2:3478"),
        ],
    )?
    .at(SERVER);
    server.boot()?;
    server.sign_in()?;
    let token = workspace(&server)?;
    let mut pairs = vec![(binaries::coder_slim(), binaries::coder_slim())];
    if let Some(peers) = Peers::find() {
        pairs.push((peers.slim(), binaries::coder_slim()));
        pairs.push((binaries::coder_slim(), peers.slim()));
    }
    for (cli, there) in pairs {
        let _agent = Agent::start(&server, &there, agent, &token)?;
        let place = Place {
            server: &server,
            cli: &cli,
            namespace: client,
        };
        place
            .check(direct)
            .with_context(|| format!("{} to {}", cli.display(), there.display()))?;
    }
    Ok(())
}

/// A workspace whose agent somebody starts; gives the agent's token.
fn workspace(server: &Server) -> Result<String> {
    let dir = server.dir().join("template-external");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("main.tf"), external_agent::TEMPLATE)?;
    let dir = dir.display().to_string();
    server
        .cli(["templates", "push", "external", "-d", &dir, "-y"])
        .run()?
        .ok()?;
    let create = [
        "external-workspaces",
        "create",
        WORKSPACE,
        "-t",
        "external",
        "-y",
    ];
    server.cli(create).run()?.ok()?;
    let show = [
        "external-workspaces",
        "agent-instructions",
        WORKSPACE,
        "-o",
        "json",
    ];
    let told: serde_json::Value = serde_json::from_slice(&server.cli(show).run()?.ok()?.stdout)?;
    let token = told["auth_token"].as_str().context("no auth_token")?;
    Ok(token.to_owned())
}

/// A running agent; ends when it is dropped.
struct Agent(Child);

impl Agent {
    fn start(server: &Server, binary: &Path, namespace: &str, token: &str) -> Result<Self> {
        let home: PathBuf = server.dir().join("away");
        fs::create_dir_all(&home)?;
        let log = fs::File::create(home.join("agent.log"))?;
        let child = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(binary)
            .arg("agent")
            .env("CODER_AGENT_URL", &server.url)
            .env("CODER_AGENT_TOKEN", token)
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .env("CODER_AGENT_SOCKET_PATH", home.join("agent.sock"))
            .current_dir(&home)
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let agent = Self(child);
        eventually("the agent connects", Duration::from_secs(40), || {
            let path = format!("/api/v2/users/me/workspace/{WORKSPACE}");
            let workspace = server.api("GET", &path, "")?.json()?;
            let agent = &workspace["latest_build"]["resources"][0]["agents"][0];
            Ok((agent["status"] == "connected").then_some(()))
        })?;
        Ok(agent)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

/// A command line at its site.
struct Place<'a> {
    server: &'a Server,
    cli: &'a Path,
    namespace: &'a str,
}

impl Place<'_> {
    fn run(&self, args: &[&str]) -> Run {
        let cli = self.cli.display().to_string();
        let mut all = vec!["netns", "exec", self.namespace, &cli];
        all.extend(args);
        Run::new(Path::new("ip"), all)
            .env("CODER_CONFIG_DIR", self.server.cli_dir())
            .env("NO_COLOR", "1")
    }

    fn check(&self, direct: bool) -> Result<()> {
        let out = self
            .run(&["ssh", WORKSPACE, "--", "echo $((6 * 7))"])
            .run()?;
        ensure!(out.ok()?.text().contains("42"), "no shell");
        // The first pongs may come by the relay.
        let wanted = if direct {
            "p2p via 203.0.113.20:"
        } else {
            "via DERP"
        };
        let mut said = String::new();
        for _ in 0..4 {
            let out = self.run(&["ping", WORKSPACE, "-n", "4"]).run()?;
            said = out.all();
            if said.contains(wanted) {
                ensure!(direct || !said.contains("p2p via"), "{said}");
                return Ok(());
            }
        }
        bail!("not {wanted}: {said}")
    }
}
