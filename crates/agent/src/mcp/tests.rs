//! Tools of programs in the workspace, with a program of the test.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::testing;

/// A server in shell: it answers by the number of each request.
const SERVER: &str = r#"
echo starting up
while read line; do
    id=$(echo "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    case "$line" in
        *initialize\"*) [ -n "$id" ] && echo "{\"id\":$id,\"result\":{\"protocolVersion\":\"1\"}}" ;;
        *tools/list*) echo "{\"id\":$id,\"result\":{\"tools\":[{\"name\":\"say\",\"inputSchema\":{\"type\":\"object\"}}]}}" ;;
        *\"fail\"*) echo "{\"id\":$id,\"error\":{\"code\":1,\"message\":\"no such tool\"}}" ;;
        *\"die\"*) exit 1 ;;
        *tools/call*) echo "{\"method\":\"ping\",\"id\":$id}"; echo "{\"id\":$id,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$WORD\"}]}}" ;;
    esac
done
"#;

fn call(name: &str) -> CallMcpToolRequest {
    CallMcpToolRequest {
        tool_name: name.into(),
        arguments: serde_json::Map::new(),
    }
}

#[tokio::test]
async fn tools_are_listed_and_called() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(".mcp.json");
    let config = json!({"mcpServers": {
        "shell": {"command": "sh", "args": ["-c", SERVER], "env": {"WORD": "hello"}},
        "broken": {"command": "/nowhere/server"},
    }});
    std::fs::write(&path, config.to_string()).unwrap();
    let tools = Tools::new(testing::workspace());
    let files = [path.clone()];
    let listed = tools.list(&files).await;
    assert_eq!(listed[1].tools.as_ref().unwrap()[0].name, "say");
    assert!(listed[0].tools.is_err());

    let said = tools.call(&files, &call("shell__say")).await.unwrap();
    assert_eq!(
        (said.content[0].text.as_str(), said.is_error),
        ("hello", false)
    );
    let error = tools.call(&files, &call("shell__fail")).await.unwrap_err();
    assert!(
        matches!(error, ToolError::Answer(Error::Refused(_))),
        "{error}"
    );
    let error = tools.call(&files, &call("shell__die")).await.unwrap_err();
    assert!(
        matches!(error, ToolError::Answer(Error::Protocol(_))),
        "{error}"
    );
    // It was started anew.
    assert!(tools.call(&files, &call("shell__say")).await.is_ok());
    for (name, status) in [
        ("say", "Name"),
        ("__say", "Name"),
        ("other__say", "Server"),
        ("broken__x", "Failed"),
    ] {
        let error = tools.call(&files, &call(name)).await.unwrap_err();
        assert!(
            format!("{error:?}").starts_with(status),
            "{name}: {error:?}"
        );
    }
    std::fs::write(&path, "{}").unwrap();
    assert!(tools.list(&files).await.is_empty());
}

#[test]
fn paths_of_no_files_are_no_servers() {
    assert!(config::read_all(&[Path::new("/nowhere").into()]).is_empty());
}
