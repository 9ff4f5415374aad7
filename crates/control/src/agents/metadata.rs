//! Values that agents collect.

use chrono::Utc;
use rpc::proto::agent::Metadata;
use store::workspace_agents::MetadataValue;

use super::convert::{cut, text};
use super::{AgentSession, agent_subject, invalid};
use crate::{Control, Error, Result};

/// Bytes of all keys of one report; keys beyond are dropped.
const MAX_KEYS: usize = 6144;
/// Longest value, in bytes.
const MAX_VALUE: usize = 2048;
/// Longest error, in bytes.
const MAX_ERROR: usize = 2048;

impl Control {
    /// Notes values; the server's clock tells when they were collected.
    ///
    /// # Errors
    /// When keys were dropped; the others are noted nevertheless.
    pub async fn agent_metadata_update(
        &self,
        agent: &AgentSession,
        metadata: Vec<Metadata>,
    ) -> Result<()> {
        let (values, dropped) = tame(metadata);
        if !values.is_empty() {
            let conn = self.store().conn().await?;
            conn.agent_metadata_update(&agent_subject(), agent.agent_id, &values, Utc::now())
                .await?;
        }
        match dropped {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

fn tame(metadata: Vec<Metadata>) -> (Vec<MetadataValue>, Option<Error>) {
    let mut values = Vec::new();
    let mut keys = 0;
    for entry in metadata {
        keys += entry.key.len();
        if keys > MAX_KEYS {
            let error = format!("metadata keys of more than {MAX_KEYS} bytes; the rest is dropped");
            return (values, Some(invalid(error)));
        }
        let result = entry.result.unwrap_or_default();
        let mut error = text(cut(&result.error, MAX_ERROR));
        if result.value.len() > MAX_VALUE {
            error = format!(
                "value of {} bytes exceeded {MAX_VALUE} bytes",
                result.value.len()
            );
        } else if result.error.len() > MAX_ERROR {
            error = format!(
                "error of {} bytes exceeded {MAX_ERROR} bytes",
                result.error.len()
            );
        }
        values.push(MetadataValue {
            key: text(&entry.key),
            value: text(cut(&result.value, MAX_VALUE)),
            error,
        });
    }
    (values, None)
}

#[cfg(test)]
mod tests {
    use rpc::proto::agent::workspace_agent_metadata;

    use super::*;

    fn entry(key: &str, value: &str) -> Metadata {
        Metadata {
            key: key.to_owned(),
            result: Some(workspace_agent_metadata::Result {
                value: value.to_owned(),
                ..Default::default()
            }),
        }
    }

    #[test]
    fn values_are_cut_and_keys_beyond_the_limit_dropped() {
        let (values, error) = tame(vec![entry("a", &"é".repeat(2000)), entry("b", "ok")]);
        assert!(error.is_none());
        assert!(values[0].value.len() <= MAX_VALUE);
        assert!(values[0].error.contains("exceeded"));
        assert_eq!(values[1].error, "");
        let (values, error) = tame(vec![entry("a", "1"), entry(&"k".repeat(MAX_KEYS), "2")]);
        assert_eq!(values.len(), 1);
        assert!(error.is_some());
    }
}
