//! Model providers, models of organizations, prices and budgets: request and response bodies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Secret;

/// `AIProvider` of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AiProvider {
    pub id: Uuid,
    pub r#type: String,
    pub name: String,
    pub display_name: String,
    pub icon: String,
    pub enabled: bool,
    pub base_url: String,
    #[serde(default, deserialize_with = "crate::null_default")]
    pub api_keys: Vec<AiProviderKey>,
    /// Null, or an object with `_type` and `_version`.
    pub settings: Value,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// `AIProviderKey` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AiProviderKey {
    pub id: Uuid,
    pub masked: String,
    pub created_at: DateTime<Utc>,
}

/// `CreateAIProviderRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateAiProvider {
    pub r#type: String,
    pub name: String,
    pub display_name: String,
    pub icon: String,
    pub enabled: bool,
    pub base_url: String,
    #[serde(deserialize_with = "crate::null_default")]
    pub api_keys: Vec<Secret<String>>,
    pub settings: Secret<Value>,
}

/// `UpdateAIProviderRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateAiProvider {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_keys: Option<Vec<AiProviderKeyMutation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Secret<Value>>,
}

/// `AIProviderKeyMutation` of the API: an id keeps a key, an `api_key` adds one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AiProviderKeyMutation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret<String>>,
}

/// `AIProviderSummary` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AiProviderSummary {
    pub id: Uuid,
    pub r#type: String,
    pub name: String,
    pub display_name: String,
    pub icon: String,
    pub enabled: bool,
    pub deleted: bool,
}

/// `UserAIProviderKeyConfig` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAiProviderKeyConfig {
    pub provider: AiProviderSummary,
    pub has_user_api_key: bool,
    pub has_provider_api_key: bool,
    pub byok_enabled: bool,
}

/// `CreateUserAIProviderKeyRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateUserAiProviderKey {
    pub api_key: Secret<String>,
}

/// `ChatModel` of the API, as organizations have them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatModel {
    pub id: Uuid,
    pub organization_id: Uuid,
    pub ai_provider_id: Uuid,
    pub model: String,
    pub display_name: String,
    pub enabled: bool,
    pub is_default: bool,
    pub context_limit: i64,
    pub compression_threshold: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_config: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasoning_efforts: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A request to make or change a model; absent fields keep what is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatModelRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ai_provider_id: Option<Uuid>,
    pub model: String,
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_threshold: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config: Option<Value>,
}

/// `OrganizationChatModelsResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OrganizationChatModels {
    pub models: Vec<ChatModel>,
    pub providers: Vec<ChatModelProvider>,
    pub unsupported_providers: Vec<ChatUnsupportedProvider>,
}

/// A provider whose models are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatModelProvider {
    pub id: Uuid,
    pub provider: String,
    pub name: String,
    pub display_name: String,
    pub icon: String,
    pub available: bool,
    /// `missing_api_key`, `fetch_failed` or `user_api_key_required`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unavailable_reason: String,
}

/// `ChatUnsupportedProvider` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatUnsupportedProvider {
    pub provider: String,
    pub display_name: String,
}

/// Models by purpose, of an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatModelOverrides {
    pub overrides: Vec<ChatModelOverride>,
}

/// The model of a purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatModelOverride {
    pub context: String,
    /// Empty if none is set.
    pub model_config_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
}

/// What a member chose for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserChatModelOverrides {
    pub enabled: bool,
    pub root: UserChatModelOverride,
    pub general: UserChatModelOverride,
    pub explore: UserChatModelOverride,
    pub deployment_defaults: Vec<ChatModelOverride>,
}

/// What a member chose for a purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserChatModelOverride {
    pub context: String,
    /// `deployment_default`, `chat_default` or `model`.
    pub mode: String,
    pub model_config_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
}

/// `AIModelPrice` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AiModelPrice {
    pub provider: String,
    pub model: String,
    pub source: String,
    pub input_price: Option<i64>,
    pub output_price: Option<i64>,
    pub cache_read_price: Option<i64>,
    pub cache_write_price: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// `UpsertAIModelPricesRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpsertAiModelPrices {
    #[serde(deserialize_with = "crate::null_default")]
    pub prices: Vec<AiModelPriceUpsert>,
}

/// `AIModelPriceUpsert` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AiModelPriceUpsert {
    pub provider: String,
    pub model: String,
    pub input_price: Option<i64>,
    pub output_price: Option<i64>,
    pub cache_read_price: Option<i64>,
    pub cache_write_price: Option<i64>,
}

/// `GroupAIBudget` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupAiBudget {
    pub group_id: Uuid,
    pub spend_limit_micros: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// `UserAIBudgetOverride` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAiBudgetOverride {
    pub user_id: Uuid,
    pub group_id: Uuid,
    pub spend_limit_micros: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// `UpsertGroupAIBudgetRequest` and `UpsertUserAIBudgetOverrideRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpsertAiBudget {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Uuid>,
    pub spend_limit_micros: i64,
}

/// `AIBudgetLimit` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AiBudgetLimit {
    /// `user_override` or `group`.
    pub limit_source: String,
    pub spend_limit_micros: i64,
}

/// `UserAISpendStatus` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAiSpendStatus {
    pub user_id: Uuid,
    pub effective_group_id: Option<Uuid>,
    pub effective_budget: Option<AiBudgetLimit>,
    pub current_spend_micros: i64,
    pub period_start: DateTime<Utc>,
    pub period_end: DateTime<Utc>,
}

/// `OrganizationGroupAISpend` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationGroupAiSpend {
    pub group_id: Uuid,
    pub current_spend_micros: i64,
    pub spend_limit_micros: Option<i64>,
    pub total_spend_limit_micros: Option<i64>,
}

/// `GroupAISpend` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupAiSpend {
    #[serde(flatten)]
    pub group: OrganizationGroupAiSpend,
    pub period_start: DateTime<Utc>,
    pub period_end: DateTime<Utc>,
}

/// `OrganizationGroupsAISpend` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationGroupsAiSpend {
    pub groups: Vec<OrganizationGroupAiSpend>,
    pub period_start: DateTime<Utc>,
    pub period_end: DateTime<Utc>,
}

/// `GroupMemberAISpend` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMemberAiSpend {
    pub user_id: Uuid,
    pub group_spend_micros: i64,
    pub group_budget: Option<AiBudgetLimit>,
    pub effective_group_id: Option<Uuid>,
}

/// `GroupMembersAISpend` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMembersAiSpend {
    pub members: Vec<GroupMemberAiSpend>,
    pub period_start: DateTime<Utc>,
    pub period_end: DateTime<Utc>,
}
