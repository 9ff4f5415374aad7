//! A server that others wrote, by both transports.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::HeaderMap;
use mcp::{Error, Remote, Target, Transport, channel, open};
use serde_json::{Map, Value, json};

use crate::world::web;

/// Ports that are tried: another program may take one between choosing and using it.
const TRIES: usize = 5;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program() -> Option<PathBuf> {
    let given = std::env::var_os("CODER_TEST_MCP_SERVER").map(PathBuf::from);
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/mcp-server/node_modules/.bin/mcp-server-everything");
    given.or_else(|| ours.exists().then_some(ours))
}

/// Starts the server and reaches it.
async fn start(program: &PathBuf, transport: Transport) -> (Server, Remote, Vec<mcp::Tool>) {
    let (mode, path) = match transport {
        Transport::StreamableHttp => ("streamableHttp", "/mcp"),
        Transport::Sse => ("sse", "/sse"),
    };
    for _ in 0..TRIES {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Server(
            Command::new(program)
                .arg(mode)
                .env("PORT", port.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        // It takes its time to start, and ends if the port is taken.
        while server.0.try_wait().unwrap().is_none() {
            let target = Target {
                transport,
                url: format!("http://127.0.0.1:{port}{path}").parse().unwrap(),
                headers: HeaderMap::new(),
            };
            let reached = async {
                let remote = web().remote(target).await?;
                let tools = open(&remote, "test").await?;
                Ok::<_, Error>((remote, tools))
            };
            match reached.await {
                Ok((remote, tools)) => return (server, remote, tools),
                Err(Error::Unreachable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(other) => panic!("{other}"),
            }
        }
    }
    panic!("the server did not start");
}

#[tokio::test]
async fn a_server_that_others_wrote_is_asked_by_both_transports() {
    let Some(program) = program() else {
        println!("skipped: no MCP server is installed; `scripts/deps.sh test` does, where npm is");
        return;
    };
    for transport in [Transport::StreamableHttp, Transport::Sse] {
        let (_server, remote, tools) = start(&program, transport).await;
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert!(names.contains(&"echo"), "{names:?}");
        let call = async |name: &str, args: Value| {
            let args: Map<String, Value> = args.as_object().unwrap().clone();
            channel::call(&remote, name, &args).await
        };
        let said = call("echo", json!({ "message": "hi there" }))
            .await
            .unwrap();
        assert!(said.content[0].text.contains("hi there"), "{said:?}");
        let picture = names.iter().find(|name| name.contains("image")).unwrap();
        let picture = call(picture, json!({})).await.unwrap();
        let image = picture.content.iter().find(|block| block.r#type == "image");
        assert!(
            image.is_some_and(|image| !image.data.is_empty()),
            "{names:?}"
        );
        // Wrong arguments and unknown tools are answers, not the end of the conversation.
        let wrong = call("echo", json!({ "message": 7 })).await;
        assert!(wrong.map_or(true, |said| said.is_error));
        let none = call("no such tool", json!({})).await;
        assert!(none.map_or(true, |said| said.is_error));
        assert!(call("echo", json!({ "message": "still" })).await.is_ok());
        remote.close().await;
    }
}
