//! The server's half of the conversation: what is answered to each message, and a server on a pair
//! of pipes, one message on each line.

use api_types::McpToolContent;
use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite};
use tokio::io::{AsyncWriteExt as _, BufReader};

use crate::protocol::VERSION;
use crate::{Called, Tool};

/// Bytes of a message.
const MAX_MESSAGE: u64 = 16 << 20;
/// Calls under way at once; more wait.
const MAX_CALLS: usize = 64;

/// Offers tools. All is asked from one task.
pub trait Service {
    /// What its user should know beforehand; may be empty.
    fn instructions(&self) -> String;

    /// The tools.
    fn tools(&self) -> Vec<Tool>;

    /// Calls one; none if there is no such tool.
    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
    ) -> Option<LocalBoxFuture<'a, Called>>;
}

/// An answer of one text.
pub fn text(text: impl Into<String>, is_error: bool) -> Called {
    Called {
        content: vec![McpToolContent {
            r#type: "text".into(),
            text: text.into(),
            ..McpToolContent::default()
        }],
        is_error,
    }
}

/// The answer to a message; none if it wants none.
pub async fn answer(service: &dyn Service, message: Value) -> Option<Value> {
    let Some(id) = message.get("id").filter(|id| !id.is_null()).cloned() else {
        return (!message.is_object()).then(|| failed(&Value::Null, -32600, "no request"));
    };
    // An answer to a question that we never asked.
    let method = message.get("method").and_then(Value::as_str)?;
    let params = message.get("params").cloned().unwrap_or_default();
    let result = match method {
        "initialize" => greeting(service, &params),
        "ping" => json!({}),
        "tools/list" => {
            let tools: Vec<Value> = service.tools().iter().map(listed).collect();
            json!({ "tools": tools })
        }
        "tools/call" => {
            let name = params["name"].as_str().unwrap_or_default();
            let arguments = params["arguments"].as_object().cloned().unwrap_or_default();
            match service.call(name, arguments) {
                Some(call) => shown(&call.await),
                None => {
                    let text = format!("there is no tool {name:?}");
                    return Some(failed(&id, -32602, &text));
                }
            }
        }
        _ => return Some(failed(&id, -32601, "this server has no such method")),
    };
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn failed(id: &Value, code: i32, text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } })
}

fn greeting(service: &dyn Service, params: &Value) -> Value {
    // Older clients name a revision in which tools are the same; they are taken at their word.
    let asked = params["protocolVersion"].as_str().unwrap_or_default();
    let known = ["2024-11-05", "2025-03-26", VERSION].contains(&asked);
    let mut greeting = json!({
        "protocolVersion": if known { asked } else { VERSION },
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "coder", "title": "Coder", "version": api_types::VERSION },
    });
    let instructions = service.instructions();
    if !instructions.is_empty() {
        greeting["instructions"] = instructions.into();
    }
    greeting
}

fn listed(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.schema,
        "annotations": {
            "readOnlyHint": tool.read_only,
            "destructiveHint": tool.destructive,
            "idempotentHint": tool.read_only,
            "openWorldHint": false,
        },
    })
}

fn shown(called: &Called) -> Value {
    let blocks = called
        .content
        .iter()
        .map(|block| match block.data.as_str() {
            "" => json!({ "type": "text", "text": block.text }),
            data => json!({ "type": block.r#type, "data": data, "mimeType": block.media_type }),
        });
    json!({ "content": blocks.collect::<Vec<_>>(), "isError": called.is_error })
}

/// Serves until the input ends; calls under way are given up then.
///
/// # Errors
/// When the pipes break, or a message is too long.
pub async fn serve(
    service: &dyn Service,
    input: impl tokio::io::AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut input = BufReader::new(input);
    let mut calls = FuturesUnordered::new();
    let mut line = Vec::new();
    loop {
        tokio::select! {
            Some(answer) = calls.next() => write(&mut output, answer).await?,
            // Cancelled in the middle, what was read stays in `line`.
            read = read_line(&mut input, &mut line), if calls.len() < MAX_CALLS => {
                if !read? {
                    return Ok(());
                }
                match serde_json::from_slice::<Value>(&line) {
                    Ok(message) => {
                        calls.push(answer(service, message));
                    }
                    Err(error) if !line.trim_ascii().is_empty() => {
                        let refusal = failed(&Value::Null, -32700, &error.to_string());
                        write(&mut output, Some(refusal)).await?;
                    }
                    Err(_) => {}
                }
                line.clear();
            }
        }
    }
}

/// Reads to the end of a line; whether there was one.
async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    let left = MAX_MESSAGE.saturating_sub(line.len() as u64);
    input.take(left).read_until(b'\n', line).await?;
    if line.ends_with(b"\n") {
        return Ok(true);
    }
    if line.len() as u64 >= MAX_MESSAGE {
        let text = format!("a message of more than {MAX_MESSAGE} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, text));
    }
    Ok(!line.is_empty())
}

async fn write(
    output: &mut (impl AsyncWrite + Unpin),
    answer: Option<Value>,
) -> std::io::Result<()> {
    let Some(answer) = answer else {
        return Ok(());
    };
    let mut text = answer.to_string();
    text.push('\n');
    output.write_all(text.as_bytes()).await?;
    output.flush().await
}
