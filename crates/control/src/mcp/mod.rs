//! MCP servers that organizations offer to the chats of their members: who may use and manage them,
//! how people give access to their accounts there, and what a chat reaches.

mod connect;
mod fields;
mod inline;
mod reach;
mod secrets;
mod servers;
mod tokens;

pub use connect::{CallbackAnswer, ConnectStart, callback_path};
pub(crate) use inline::inline_shown;
pub use reach::{ChatHeaders, McpServer};
pub(crate) use servers::{entry as server_entry, find as find_server};

use std::sync::{Arc, OnceLock};

use ::mcp::guard::Web;

use crate::{Control, Error, Result};

/// Users whose tokens are got anew at once, each in turn.
const SHARDS: usize = 64;

/// What the rules of servers hold.
pub(crate) struct Mcp {
    web: OnceLock<Web>,
    /// Two that use one refresh token at once may lose both.
    refreshing: [tokio::sync::Mutex<()>; SHARDS],
}

impl Default for Mcp {
    fn default() -> Self {
        Mcp {
            web: OnceLock::new(),
            refreshing: std::array::from_fn(|_| tokio::sync::Mutex::default()),
        }
    }
}

impl Control {
    /// From now on servers can be reached. Only the first call counts.
    pub fn mcp_web_set(&self, web: Web) {
        let _ = self.mcp().web.set(web);
    }

    pub(crate) fn mcp_web(&self) -> Result<&Web> {
        self.mcp()
            .web
            .get()
            .ok_or_else(|| Error::internal("this process reaches no MCP servers"))
    }

    fn mcp(&self) -> &Arc<Mcp> {
        &self.inner.mcp
    }
}
