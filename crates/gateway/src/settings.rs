//! Settings of a provider beyond its address, as they are stored.

use api_types::Secret;
use serde::{Deserialize, Serialize};

/// Settings of a provider on AWS Bedrock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BedrockSettings {
    /// AWS region.
    pub region: String,
    /// Model for tools that name none.
    pub model: String,
    /// The same for small tasks.
    pub small_fast_model: String,
    /// Id of an access key; the server's own credentials when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<Secret<String>>,
    /// The access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_secret: Option<Secret<String>>,
    /// Role to assume.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role_arn: String,
    /// External id for that role, made by the server.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub external_id: String,
    /// `invoke-model` or `mantle`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub protocol: String,
}

impl BedrockSettings {
    /// The stored settings, if they are Bedrock's.
    pub fn parse(json: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(json).ok()?;
        if value["_type"] != "bedrock" {
            return None;
        }
        serde_json::from_value(value).ok()
    }
}
