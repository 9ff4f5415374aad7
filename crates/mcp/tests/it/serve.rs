//! The server's half.

use futures::future::BoxFuture;
use mcp::serve::{Service, serve, text};
use mcp::{Called, Tool};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

struct Echo;

impl Service for Echo {
    fn instructions(&self) -> String {
        "be nice".into()
    }

    fn tools(&self) -> Vec<Tool> {
        let (tools, _) =
            mcp::protocol::tools(&json!({"tools": [{"name": "echo"}, {"name": "slow"}]})).unwrap();
        tools
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        args: Map<String, Value>,
    ) -> Option<BoxFuture<'a, Called>> {
        match name {
            "echo" => Some(Box::pin(async move {
                text(args["x"].as_str().unwrap_or("?"), false)
            })),
            "slow" => Some(Box::pin(std::future::pending())),
            _ => None,
        }
    }
}

#[tokio::test]
async fn lines_are_answered_as_they_come() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (input, output) = tokio::io::split(theirs);
    let server = serve(&Echo, input, output);
    let user = async move {
        let (input, mut output) = tokio::io::split(ours);
        let mut lines = BufReader::new(input).lines();
        for (message, expected) in [
            (
                json!({"id": 1, "method": "initialize", "params": {"protocolVersion": "2024-11-05"}}),
                "2024-11-05",
            ),
            (json!({"id": 2, "method": "tools/list"}), "\"echo\""),
            // One that takes its time holds up nobody.
            (
                json!({"id": 3, "method": "tools/call", "params": {"name": "slow"}}),
                "",
            ),
            (
                json!({"id": "4", "method": "tools/call", "params": {"name": "echo", "arguments": {"x": "hi"}}}),
                "hi",
            ),
            (
                json!({"id": 5, "method": "tools/call", "params": {"name": "none"}}),
                "-32602",
            ),
            (json!({"id": 6, "method": "resources/list"}), "-32601"),
            (json!({"method": "notifications/initialized"}), ""),
            (json!({"id": 7, "result": {}}), ""),
            (json!([]), "-32600"),
            (json!({"id": 8, "method": "ping"}), "\"id\":8"),
        ] {
            output
                .write_all(format!("{message}\n").as_bytes())
                .await
                .unwrap();
            if !expected.is_empty() {
                let line = lines.next_line().await.unwrap().unwrap();
                assert!(line.contains(expected), "{message}: {line}");
            }
        }
        output.write_all(b"{nonsense\n\n").await.unwrap();
        assert!(lines.next_line().await.unwrap().unwrap().contains("-32700"));
        output.shutdown().await.unwrap();
    };
    let (served, ()) = tokio::join!(server, user);
    served.unwrap();
}
