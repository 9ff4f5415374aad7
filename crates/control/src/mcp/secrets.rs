//! What must not be shown of a server, and how it is kept: one sealed JSON.

use std::collections::BTreeMap;

use api_types::Secret;
use serde::{Deserialize, Serialize};
use store::mcp_servers::{McpServerRow, Sealed};
use store::seal::Seal;

use crate::{Error, Result};

/// The secrets of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Secrets {
    /// Proves to its authorization server who we are.
    pub(super) oauth2_client_secret: Secret<String>,
    /// The value of the header with the key.
    pub(super) api_key_value: Secret<String>,
    /// Headers of every request.
    pub(super) custom_headers: BTreeMap<String, Secret<String>>,
}

impl Secrets {
    /// Opened.
    pub(super) fn of(row: &McpServerRow, seal: &Seal) -> Result<Self> {
        let Some(sealed) = &row.secrets else {
            return Ok(Secrets::default());
        };
        let text = seal.open(sealed, row.secrets_key_id.as_deref())?;
        serde_json::from_str(text.expose()).map_err(Error::internal)
    }

    /// Sealed; none if there are none.
    pub(super) fn sealed(&self, seal: &Seal) -> Result<Sealed> {
        if *self == Secrets::default() {
            return Ok(None);
        }
        let text = serde_json::to_string(self).map_err(Error::internal)?;
        Ok(Some(seal.seal(&text)?))
    }
}
