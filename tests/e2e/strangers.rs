//! Who has no rights on a workspace can neither reach its agent nor learn that it exists: every
//! way in answers as if there were none.

use anyhow::{Context, Result, ensure};
use e2e::{command::Run, http, server::Server};

use crate::{external_agent::token_of, world::world};

/// What the owner has, and what nobody has.
struct Names {
    workspace: String,
    agent: String,
    name: String,
}

impl Names {
    fn none() -> Self {
        Self {
            workspace: "6f2b1c9e-0d5a-4e63-9b7c-3a8d5e1f4c20".to_owned(),
            agent: "b41d7e08-52c6-4f9a-8e13-7c0a9d6b2f55".to_owned(),
            name: "no-such-thing".to_owned(),
        }
    }

    /// Takes the names out of a text, so that two answers can be compared.
    fn hidden(&self, text: &str) -> String {
        [&self.workspace, &self.agent, &self.name]
            .iter()
            .fold(text.to_owned(), |text, name| text.replace(*name, "NAME"))
    }

    /// Every way to the workspace and its agent.
    fn ways(&self) -> Vec<Way> {
        let Self {
            workspace,
            agent,
            name,
        } = self;
        let reconnect = "0e9d3b7a-6c41-4d28-a5f0-1b8c7e2d9a64";
        let socket = |path: String| Way { path, socket: true };
        let plain = |path: String| Way {
            path,
            socket: false,
        };
        vec![
            socket(format!("/api/v2/workspaceagents/{agent}/coordinate")),
            socket(format!(
                "/api/v2/workspaceagents/{agent}/pty?reconnect={reconnect}&height=24&width=80"
            )),
            socket(format!("/api/v2/workspaces/{workspace}/watch-ws")),
            plain(format!("/api/v2/workspaceagents/{agent}")),
            plain(format!("/api/v2/workspaceagents/{agent}/connection")),
            plain(format!("/api/v2/workspaceagents/{agent}/listening-ports")),
            plain(format!("/api/v2/workspaceagents/{agent}/containers")),
            plain(format!("/api/v2/workspaceagents/{agent}/logs")),
            plain(format!("/api/v2/workspaces/{workspace}")),
            plain(format!("/api/v2/workspaces/{workspace}/watch")),
            plain(format!("/api/v2/workspaces/{workspace}/builds")),
            plain(format!("/api/v2/workspaces/{workspace}/port-share")),
            plain(format!("/api/v2/users/admin/workspace/{name}")),
            plain(format!("/@admin/{name}.main/apps/editor/")),
            plain(format!("/@admin/{name}.main/apps/8080/")),
            plain(format!("/@admin/{name}/apps/8080/")),
        ]
    }
}

struct Way {
    path: String,
    socket: bool,
}

impl Way {
    fn ask(&self, server: &Server, token: &str) -> Result<http::Response> {
        let mut headers = vec![("Coder-Session-Token", token)];
        if self.socket {
            headers.extend([
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ]);
        }
        http::request(&server.authority, "GET", &self.path, &headers, b"")
    }
}

pub fn learn_nothing() -> Result<()> {
    let server = &world()?.server;
    server
        .cli(["create", "private", "-t", "process", "-y"])
        .run()?
        .ok()?;
    // The owner's answers come from the agent.
    server.cli(["ssh", "private", "true"]).run()?.ok()?;
    let workspace = server
        .api("GET", "/api/v2/users/me/workspace/private", "")?
        .json()?;
    let agent = &workspace["latest_build"]["resources"]
        .as_array()
        .and_then(|all| all.iter().find_map(|r| r["agents"].get(0)))
        .context("no agent")?["id"];
    let held = Names {
        workspace: workspace["id"].as_str().context("no id")?.to_owned(),
        agent: agent.as_str().context("no agent")?.to_owned(),
        name: "private".to_owned(),
    };
    let none = Names::none();
    let stranger = token_of(server, "nosy", &[])?;
    for (real, unreal) in held.ways().iter().zip(none.ways()) {
        let told = real.ask(server, &stranger)?;
        let nothing = unreal.ask(server, &stranger)?;
        let body =
            |of: &Names, answer: &http::Response| of.hidden(&String::from_utf8_lossy(&answer.body));
        ensure!(
            told.status == 404 && nothing.status == 404,
            "{}: {}, without a workspace {}",
            real.path,
            told.status,
            nothing.status
        );
        ensure!(
            body(&held, &told) == body(&none, &nothing),
            "{} tells of the workspace: {} {}",
            real.path,
            body(&held, &told),
            body(&none, &nothing)
        );
        // What needs a service beside the agent, or never ends, is not asked for.
        let asked = ["/apps/", "/watch", "/containers"]
            .iter()
            .all(|part| !real.path.contains(part));
        if asked && !real.socket {
            let status = server.api("GET", &real.path, "")?.status;
            ensure!(status < 400, "{} of the owner: {status}", real.path);
        }
    }
    let listed = server.api_as(&stranger, "GET", "/api/v2/workspaces", "")?;
    ensure!(listed.json()?["count"] == 0, "{}", listed.json()?);
    by_commands(server, &stranger, &held, &none)?;
    server.cli(["delete", "private", "-y"]).run()?.ok()?;
    Ok(())
}

/// The same through the command line.
fn by_commands(server: &Server, token: &str, held: &Names, none: &Names) -> Result<()> {
    for command in ["ssh", "ping", "port-forward"] {
        let say = |names: &Names| {
            let target = format!("admin/{}", names.name);
            let args: &[&str] = match command {
                "port-forward" => &[command, &target, "--tcp", "0:80"],
                _ => &[command, &target],
            };
            Run::new(&e2e::binaries::coder(), args)
                .env("CODER_CONFIG_DIR", server.dir().join("nosy"))
                .env("CODER_URL", &server.url)
                .env("CODER_SESSION_TOKEN", token)
                .env("NO_COLOR", "1")
                .run()?
                .expect_code(1)
        };
        let (told, nothing) = (say(held)?, say(none)?);
        ensure!(
            held.hidden(&told.all()) == none.hidden(&nothing.all()),
            "{command} tells of the workspace: {} {}",
            told.all(),
            nothing.all()
        );
    }
    Ok(())
}
