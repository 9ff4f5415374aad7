//! A real browser: an app at a host of its own, and the socket of the web terminal.
//!
//! The page that it loads is served by this test through the workspace's agent, and tells the test
//! what it saw.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use e2e::{binaries, server::Server};
use nix::sys::signal::Signal;

use crate::world::{push, stop_workspaces, workspaces_root};

/// How long the browser may take to start and load a page.
const PATIENCE: Duration = Duration::from_secs(90);

/// Says where the page is, which cookies its scripts see, and what its own origin answers.
const AT_HOST: &str = "<!doctype html><script>
fetch('/echo').then(r => r.text()).then(seen => fetch('/report?' + new URLSearchParams({
    host: location.host, cookies: document.cookie, seen})));
</script>";

/// Opens the terminal at the dashboard's origin, types, and reads.
const TERMINAL: &str = "<!doctype html><script>
const from = new URLSearchParams(location.search);
const url = new URL('/api/v2/workspaceagents/' + from.get('agent') + '/pty', location.href);
url.protocol = 'ws';
url.search = new URLSearchParams({reconnect: crypto.randomUUID(), width: 100, height: 30,
    coder_signed_app_token_23db1dde: from.get('token')});
const socket = new WebSocket(url);
socket.binaryType = 'arraybuffer';
let text = '';
const say = message => socket.send(new TextEncoder().encode(JSON.stringify(message)));
socket.onopen = () => say({data: 'echo sum=$((40+2))\\r'});
socket.onclose = event => fetch('report?' + new URLSearchParams({closed: event.reason}));
socket.onmessage = event => {
    text += new TextDecoder().decode(event.data);
    if (text.includes('sum=42')) fetch('report?' + new URLSearchParams({terminal: 'sum=42'}));
};
</script>";

/// The app: pages, an echo of the request's head, and reports, which go to the test.
fn app() -> Result<(u16, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let (sender, reports) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || answer(stream, &sender));
        }
    });
    Ok((port, reports))
}

fn answer(mut stream: TcpStream, reports: &Sender<String>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut head = String::new();
    while let Some(Ok(line)) = lines.next()
        && !line.is_empty()
    {
        head.push_str(&line);
        head.push('\n');
    }
    let path = head.split(' ').nth(1)?;
    let (kind, body) = match path.split('?').next()? {
        "/echo" => ("text/plain", head.as_str()),
        "/report" => {
            reports.send(path.to_owned()).ok()?;
            ("text/plain", "")
        }
        "/terminal" => ("text/html", TERMINAL),
        _ => ("text/html", AT_HOST),
    };
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).ok()
}

/// A browser that ends with the test.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn browse(chromium: &Path, server: &Server, url: &str) -> Result<Browser> {
    let profile = server.dir().join("profile");
    let child = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .arg("--host-resolver-rules=MAP *.apps.test 127.0.0.1")
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url)
        // Without it, a headless browser ends as soon as the page is loaded.
        .arg("--remote-debugging-port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| chromium.display().to_string())?;
    Ok(Browser(child))
}

pub fn app_and_terminal() -> Result<()> {
    let chromium = Path::new("/usr/bin/chromium");
    if !chromium.exists() {
        println!("skipped: /usr/bin/chromium is not installed (scripts/deps.sh test does it)");
        return Ok(());
    }
    let server = Server::start(
        &binaries::coder(),
        &[("CODER_WILDCARD_ACCESS_URL", "*.apps.test")],
    )?;
    let result = in_browser(&server, chromium);
    stop_workspaces(&workspaces_root(&server));
    server.stop(Signal::SIGINT)?;
    result
}

fn in_browser(server: &Server, chromium: &Path) -> Result<()> {
    let (port, reports) = app()?;
    push(server, "process", None)?;
    let main = server.dir().join("template-process/main.tf");
    let mut text = std::fs::read_to_string(&main)?;
    text.push_str(&format!(
        "\nresource \"coder_app\" \"web\" {{\n  agent_id = coder_agent.main.id\n  slug = \"web\"\n  \
         url = \"http://localhost:{port}\"\n}}\n"
    ));
    std::fs::write(&main, text)?;
    let dir = server.dir().join("template-process").display().to_string();
    for args in [
        ["templates", "push", "process", "-d", &dir, "-y"].as_slice(),
        &["create", "web", "--template", "process", "-y"],
        // Until the agent answers.
        &["ssh", "web", "true"],
    ] {
        server.cli(args.iter().copied()).run()?.ok()?;
    }
    let token = server.token()?;
    let workspaces = server.api("GET", "/api/v2/workspaces", "")?.json()?;
    let workspace = &workspaces["workspaces"][0];
    let owner = workspace["owner_name"].as_str().context("an owner")?;
    let agent = workspace["latest_build"]["resources"]
        .as_array()
        .and_then(|all| all.iter().find_map(|r| r["agents"][0]["id"].as_str()))
        .context("an agent")?;
    let server_port = server.authority.rsplit(':').next().context("a port")?;

    let host = format!("{port}--main--web--{owner}.apps.test:{server_port}");
    let browser = browse(
        chromium,
        server,
        &format!("http://{host}/?coder_session_token={token}"),
    )?;
    let report = reports.recv_timeout(PATIENCE).context("the app's page")?;
    drop(browser);
    let encoded = host.replace(':', "%3A");
    ensure!(
        report.contains(&format!("host={encoded}&cookies=&")),
        "{report}"
    );
    ensure!(
        !report.contains("coder_") && !report.contains(&token),
        "{report}"
    );

    let url = format!("{}/api/v2/workspaceagents/{agent}/pty", server.url);
    let body = format!("{{\"url\":\"{url}\",\"agentID\":\"{agent}\"}}");
    let path = "/api/v2/applications/reconnecting-pty-signed-token";
    let signed = server.api("POST", path, &body)?.json()?;
    let signed = signed["signed_token"].as_str().context("a token")?;
    let page = format!(
        "{}/@{owner}/web/apps/web/terminal?agent={agent}&token={signed}&coder_session_token={token}",
        server.url
    );
    let _browser = browse(chromium, server, &page)?;
    let report = reports.recv_timeout(PATIENCE).context("the terminal")?;
    ensure!(report.contains("terminal=sum%3D42"), "{report}");
    Ok(())
}
