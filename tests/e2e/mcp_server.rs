//! The tools for AI clients: by `coder exp mcp server` as one uses it, messages on its standard input; and by
//! the control plane over HTTP, with a client that others wrote. A workspace is made and worked in.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use e2e::{binaries, server::Server};
use serde_json::{Value, json};

use crate::world;

/// A server of tools that runs.
struct Tools {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    asked: u64,
}

impl Drop for Tools {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Tools {
    fn start(server: &Server) -> Result<Self> {
        let mut child = Command::new(binaries::coder())
            .args(["exp", "mcp", "server"])
            .env("CODER_CONFIG_DIR", server.cli_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let to = child.stdin.take().context("its input")?;
        let from = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Self {
            child,
            to,
            from,
            asked: 0,
        })
    }

    fn say(&mut self, message: &Value) -> Result<()> {
        writeln!(self.to, "{message}")?;
        Ok(self.to.flush()?)
    }

    /// The next message that it says.
    fn heard(&mut self) -> Result<Value> {
        let mut line = String::new();
        let read = self.from.read_line(&mut line)?;
        ensure!(read > 0, "the server of tools ended");
        Ok(serde_json::from_str(&line)?)
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.asked += 1;
        let id = self.asked;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        let mut answer = self.heard()?;
        ensure!(
            answer["id"] == id && answer["error"].is_null(),
            "{method}: {answer}"
        );
        Ok(answer["result"].take())
    }

    /// What a tool answers; its words if it fails.
    fn call(
        &mut self,
        name: &str,
        arguments: &Value,
    ) -> Result<std::result::Result<Value, String>> {
        let params = json!({ "name": name, "arguments": arguments });
        let result = self.ask("tools/call", &params)?;
        let text = result["content"][0]["text"].as_str().context("no text")?;
        Ok(if result["isError"] == true {
            Err(text.to_owned())
        } else {
            Ok(serde_json::from_str(text).unwrap_or_else(|_| json!(text)))
        })
    }

    fn done(&mut self, name: &str, arguments: &Value) -> Result<Value> {
        let done = self.call(name, arguments)?;
        done.map_err(|error| anyhow::anyhow!("{name}: {error}"))
    }
}

/// From hello to a workspace that was made, worked in and deleted.
pub fn on_standard_input() -> Result<()> {
    let world = world::world()?;
    let mut tools = Tools::start(&world.server)?;
    let hello = tools.ask("initialize", &json!({ "protocolVersion": "2025-06-18" }))?;
    ensure!(hello["serverInfo"]["name"] == "coder", "{hello}");
    tools.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
    let listed = tools.ask("tools/list", &json!({}))?;
    let listed = listed["tools"].as_array().context("no list")?;
    let names: Vec<&str> = listed.iter().filter_map(|t| t["name"].as_str()).collect();
    ensure!(names.contains(&"coder_workspace_bash"), "{names:?}");
    ensure!(
        !names.contains(&"coder_report_task"),
        "nothing to report to"
    );

    // What makes no sense is answered, and the conversation goes on.
    tools.to.write_all(b"nonsense\n")?;
    let refused = tools.heard()?;
    ensure!(refused["error"]["code"] == -32700, "{refused}");
    let error = tools.call(
        "coder_get_workspace",
        &json!({ "workspace_id": "no-such-one" }),
    )?;
    ensure!(error.is_err(), "{error:?}");

    let me = tools.done("coder_get_authenticated_user", &json!({}))?;
    ensure!(me["username"] == "admin", "{me}");
    let templates = tools.done("coder_list_templates", &json!({}))?;
    let all = templates.as_array().context("no templates")?;
    let template = all
        .iter()
        .find(|t| t["name"] == "process")
        .context("no process")?;
    let made = tools.done(
        "coder_create_workspace",
        &json!({ "user": "me", "name": "by-tools", "template_id": template["id"], "rich_parameters": {} }),
    )?;
    let build = made["latest_build"]["id"].clone();
    let log = json!({ "workspace_build_id": build });
    let log = tools.done("coder_get_workspace_build_logs", &log)?;
    ensure!(
        log.as_array().is_some_and(|lines| !lines.is_empty()),
        "{log}"
    );
    let command = json!({ "workspace": "by-tools", "command": "echo made-$((6*7)); pwd" });
    let ran = tools.done("coder_workspace_bash", &command)?;
    let output = ran["output"].as_str().unwrap_or_default();
    ensure!(output.contains("made-42") && ran["exit_code"] == 0, "{ran}");
    let home = output.lines().last().unwrap_or_default();
    let path = format!("{home}/note.txt");
    let text = base64::engine::general_purpose::STANDARD.encode("hello from a tool");
    let write = json!({ "workspace": "by-tools", "path": path, "content": text });
    tools.done("coder_workspace_write_file", &write)?;
    let edit = json!({ "workspace": "by-tools", "path": path,
        "edits": [{ "search": "hello", "replace": "goodbye" }] });
    tools.done("coder_workspace_edit_file", &edit)?;
    let read = json!({ "workspace": "by-tools", "path": path });
    let read = tools.done("coder_workspace_read_file", &read)?;
    let content = read["content"].as_str().unwrap_or_default();
    let content = base64::engine::general_purpose::STANDARD.decode(content)?;
    ensure!(content == b"goodbye from a tool", "{read}");
    let delete = json!({ "workspace_id": made["id"], "transition": "delete" });
    let deleted = tools.done("coder_create_workspace_build", &delete)?;
    let log = json!({ "workspace_build_id": deleted["id"] });
    tools.done("coder_get_workspace_build_logs", &log)?;
    let gone = tools.call("coder_workspace_bash", &command)?;
    ensure!(gone.is_err(), "{gone:?}");
    Ok(())
}

/// Where the scripts that install what tests need put packages of npm.
fn node_modules() -> Option<PathBuf> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/mcp-server/node_modules");
    modules
        .join("@modelcontextprotocol/sdk")
        .exists()
        .then_some(modules)
}

/// A client that others wrote works by the control plane's own server of tools.
pub fn over_http() -> Result<()> {
    let Some(modules) = node_modules() else {
        println!("skipped: no MCP client is installed; `scripts/deps.sh test` does, where npm is");
        return Ok(());
    };
    let server = &world::world()?.server;
    let create = ["create", "by-http", "--template", "process", "-y"];
    server.cli(create).run()?.ok()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/mcp_client.cjs");
    let ran = Command::new("node")
        .arg(script)
        .arg(modules)
        .arg(format!("{}/api/experimental/mcp/http", server.url))
        .args([server.token()?.as_str(), "by-http"])
        .output()?;
    let words = String::from_utf8_lossy(&ran.stderr).into_owned();
    ensure!(ran.status.success(), "{words}");
    let seen: Value = serde_json::from_slice(&ran.stdout)?;
    ensure!(seen["stranger"] == "401", "{seen:#}");
    ensure!(seen["server"]["name"] == "coder", "{seen:#}");
    let names = seen["tools"].as_array().context("no tools")?;
    ensure!(names.contains(&json!("coder_workspace_bash")), "{names:?}");
    ensure!(!names.contains(&json!("search")), "{names:?}");
    ensure!(seen["prompts"][0] == "coder_agents_delegate", "{seen:#}");
    let prompt = seen["prompt"].as_str().unwrap_or_default();
    ensure!(prompt.contains("mend it"), "{prompt}");
    let text = |what: &str| seen[what]["text"].as_str().unwrap_or_default().to_owned();
    ensure!(text("me").contains("\"admin\""), "{seen:#}");
    ensure!(seen["none"]["failed"] == true, "{seen:#}");
    ensure!(text("meanwhile").contains("by-http"), "{seen:#}");
    ensure!(text("slow").contains("made-42"), "{seen:#}");
    server.cli(["delete", "by-http", "-y"]).run()?.ok()?;
    Ok(())
}
