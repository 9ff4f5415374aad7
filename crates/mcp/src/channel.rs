//! Any way to a server, and how a conversation begins on it.

use serde_json::{Value, json};

use crate::protocol::{self, MAX_TOOLS};
use crate::{Called, Error, Tool};

/// Pages of a list of tools: a server whose pages never end is not followed for ever.
const MAX_PAGES: usize = 64;

/// Carries requests to one server.
pub trait Channel: Sync {
    /// Sends a request and waits for its answer.
    fn request(
        &self,
        method: &str,
        params: Value,
    ) -> impl Future<Output = Result<Value, Error>> + Send;

    /// Sends a message that wants no answer.
    fn notify(&self, method: &str) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Introduces ourselves as `client` and asks for the tools.
///
/// # Errors
/// [`Error`].
pub async fn open(channel: &impl Channel, client: &str) -> Result<Vec<Tool>, Error> {
    let hello = channel
        .request("initialize", protocol::initialize(client))
        .await?;
    if !hello.is_object() {
        return Err(Error::Protocol("its greeting is no object".into()));
    }
    channel.notify("notifications/initialized").await?;
    let mut all = Vec::new();
    let mut params = json!({});
    for _ in 0..MAX_PAGES {
        let (tools, next) = protocol::tools(&channel.request("tools/list", params).await?)?;
        all.extend(tools);
        if all.len() > MAX_TOOLS {
            tracing::warn!("an MCP server has more than {MAX_TOOLS} tools; the rest is left out");
            all.truncate(MAX_TOOLS);
            break;
        }
        match next {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => break,
        }
    }
    Ok(all)
}

/// Calls a tool by its name at the server.
///
/// # Errors
/// [`Error`].
pub async fn call(
    channel: &impl Channel,
    tool: &str,
    arguments: &serde_json::Map<String, Value>,
) -> Result<Called, Error> {
    let params = json!({ "name": tool, "arguments": arguments });
    protocol::called(channel.request("tools/call", params).await?)
}
