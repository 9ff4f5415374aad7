//! The files that configure MCP servers.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::SEPARATOR;
use crate::expand;
use crate::files::read::open_regular;

/// Bytes of a file.
const MAX_FILE: u64 = 1024 * 1024;
/// Servers of a workspace.
const MAX_SERVERS: usize = 64;

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// It is a program that reads and writes lines.
    Stdio {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its variables, beside those of the workspace.
        env: BTreeMap<String, String>,
    },
    /// It is at an address.
    Http {
        /// How it speaks.
        kind: ::mcp::Transport,
        /// The address.
        url: String,
        /// Headers of each request.
        headers: BTreeMap<String, String>,
    },
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub transport: Transport,
}

#[derive(Deserialize)]
struct File {
    #[serde(default, rename = "mcpServers")]
    servers: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    r#type: String,
    command: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    url: String,
    headers: BTreeMap<String, String>,
}

/// Whether a file has the right form, without a look into its servers.
pub fn check(text: &[u8]) -> Result<(), String> {
    let file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    match file.servers.iter().find(|(_, server)| !server.is_object()) {
        Some((name, _)) => Err(format!("server {name:?} must be a JSON object")),
        None => Ok(()),
    }
}

/// The servers of all files; the first of a name counts. What makes no sense is left out.
pub fn read_all(files: &[PathBuf]) -> BTreeMap<String, ServerConfig> {
    let mut servers = BTreeMap::new();
    for path in files {
        match read(path) {
            Ok(found) => {
                for server in found.into_iter().take(MAX_SERVERS) {
                    servers.entry(server.name.clone()).or_insert(server);
                }
            }
            Err(error) => tracing::warn!(%error, ?path, "MCP servers were left out"),
        }
    }
    servers
}

fn read(path: &Path) -> Result<Vec<ServerConfig>, String> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let (file, _) = open_regular(path).map_err(|error| error.text)?;
    let mut text = Vec::new();
    let read = file.take(MAX_FILE).read_to_end(&mut text);
    read.map_err(|error| error.to_string())?;
    parse(&text)
}

fn parse(text: &[u8]) -> Result<Vec<ServerConfig>, String> {
    let file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    file.servers
        .into_iter()
        .map(|(name, entry)| server(&name, entry).map_err(|e| format!("server {name:?}: {e}")))
        .collect()
}

fn server(name: &str, entry: Value) -> Result<ServerConfig, String> {
    if name.is_empty() || name.contains(SEPARATOR) || name.starts_with('_') || name.ends_with('_') {
        return Err(format!(
            "its name must not contain {SEPARATOR:?}, nor begin or end with \"_\""
        ));
    }
    let entry: Entry = serde_json::from_value(entry).map_err(|error| error.to_string())?;
    let kind = match entry.r#type.as_str() {
        "" if !entry.command.is_empty() => "stdio",
        "" if !entry.url.is_empty() => "http",
        kind => kind,
    };
    let transport = match kind {
        "stdio" if !entry.command.is_empty() => Transport::Stdio {
            command: entry.command,
            args: entry.args,
            env: entry
                .env
                .into_iter()
                .map(|(name, value)| {
                    let value = expand::variables(&value, |name| std::env::var(name).ok());
                    (name, value)
                })
                .collect(),
        },
        "http" | "streamable-http" | "sse" if !entry.url.is_empty() => Transport::Http {
            kind: if kind == "sse" {
                ::mcp::Transport::Sse
            } else {
                ::mcp::Transport::StreamableHttp
            },
            url: entry.url,
            headers: entry.headers,
        },
        _ => return Err("it has no command or url".into()),
    };
    Ok(ServerConfig {
        name: name.to_owned(),
        transport,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read() {
        let text = br#"{"mcpServers":{
            "a":{"command":"x","args":["1"],"env":{"P":"${CARGO_PKG_NAME}!"}},
            "b":{"type":"http","url":"http://localhost/mcp"}}}"#;
        let servers = parse(text).unwrap();
        let Transport::Stdio { env, .. } = &servers[0].transport else {
            panic!()
        };
        assert_eq!(env["P"], "agent!");
        assert!(matches!(servers[1].transport, Transport::Http { .. }));
        assert!(parse(b"{}").unwrap().is_empty());
        for wrong in [
            r#"{"mcpServers":{"a__b":{"command":"x"}}}"#,
            r#"{"mcpServers":{"a":{}}}"#,
            r#"{"mcpServers":{"a":{"type":"sse"}}}"#,
            r#"{"mcpServers":[]}"#,
            "{",
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(check(br#"{"mcpServers":{"a":1}}"#).is_err());
        assert!(check(br#"{"mcpServers":{"a":{}}}"#).is_ok());
    }
}
