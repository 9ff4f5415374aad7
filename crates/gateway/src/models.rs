//! Which model a chat uses, and whether its owner may.

use authz::Subject;
use llm::{CallOptions, Error, ErrorKind, ReasoningEffort};
use store::StoreError;
use store::ai::ModelRow;
use uuid::Uuid;

use crate::{Gateway, database};

/// Said where a chat has no model to use.
pub const NO_MODEL: &str = "No chat model is available in this organization.";

/// A model that may be called.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// Id of its configuration.
    pub id: Uuid,
    /// Its organization.
    pub organization_id: Uuid,
    /// Its provider.
    pub provider_id: Uuid,
    /// Type of the provider.
    pub provider: String,
    /// Its name for the provider.
    pub model: String,
    /// Its name for people.
    pub display_name: String,
    /// Tokens that it can read.
    pub context_limit: i64,
    /// Percentage of that after which a conversation is summarized; 100 means never.
    pub compression_threshold: i32,
    /// What is sent with every call.
    pub options: CallOptions,
}

/// What a model is wanted for, by the name of the override that may say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is its wire name")]
pub enum Purpose {
    Root,
    General,
    Explore,
    TitleGeneration,
    Compaction,
    Advisor,
}

impl Purpose {
    /// Name of the override.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::General => "general",
            Self::Explore => "explore",
            Self::TitleGeneration => "title_generation",
            Self::Compaction => "compaction",
            Self::Advisor => "advisor",
        }
    }
}

impl Gateway {
    /// A model by its id, if it is enabled, of this organization, and readable by `owner`.
    ///
    /// # Errors
    /// `config` when it is not, `provider_disabled` when its provider is not to be used.
    pub async fn model(
        &self,
        owner: &Subject,
        organization: Uuid,
        id: Uuid,
    ) -> Result<ModelInfo, Error> {
        let conn = self.inner.store.conn().await.map_err(database)?;
        let row = match conn.chat_model_read(owner, id).await {
            Ok(row) if row.organization_id == organization => row,
            Ok(_) | Err(StoreError::NotFound) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "The model is not available to you in this organization. Choose another one.",
                ));
            }
            Err(error) => return Err(database(error)),
        };
        if !row.enabled {
            return Err(Error::new(
                ErrorKind::Config,
                "The model was disabled by an administrator. Choose another one.",
            ));
        }
        if !row.provider_usable {
            return Err(Error::new(
                ErrorKind::ProviderDisabled,
                "The model's provider was disabled by an administrator. Choose another model.",
            )
            .provider(&row.provider_type));
        }
        let price = conn
            .ai_price_read(&self.inner.who, &row.provider_type, &row.model)
            .await
            .map_err(database)?;
        self.inner.prices.remember(
            &row.provider_type,
            &row.model,
            price.map(|price| price.prices()),
        );
        Ok(info(row))
    }

    /// The model that an organization's chats use when nobody chose one: its default, if `owner` may
    /// use it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn default_model(
        &self,
        owner: &Subject,
        organization: Uuid,
    ) -> Result<Option<ModelInfo>, Error> {
        let conn = self.inner.store.conn().await.map_err(database)?;
        let rows = conn
            .chat_model_list(owner, organization)
            .await
            .map_err(database)?;
        Ok(rows
            .into_iter()
            .find(|row| row.is_default && row.enabled && row.provider_usable)
            .map(info))
    }

    /// The model for `purpose`: what the owner chose for itself (where `personal` choices are
    /// allowed), else what the organization chose; `None` leaves it to the chat. What cannot be used
    /// is passed over.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn override_model(
        &self,
        owner: &Subject,
        organization: Uuid,
        purpose: Purpose,
        personal: bool,
    ) -> Result<Option<(ModelInfo, Option<ReasoningEffort>)>, Error> {
        let context = purpose.as_str();
        let (own, general) = {
            let conn = self.inner.store.conn().await.map_err(database)?;
            let own = match owner.user_id() {
                Some(user) if personal => conn
                    .user_chat_model_overrides(owner, organization, user)
                    .await
                    .map_err(database)?
                    .into_iter()
                    .find(|own| own.context == context),
                _ => None,
            };
            let general = conn
                .chat_model_overrides(&self.inner.who, organization)
                .await
                .map_err(database)?
                .into_iter()
                .find(|general| general.context == context);
            (own, general)
        };
        let chosen = match own {
            Some(own) if own.mode == "chat_default" => return Ok(None),
            Some(own) if own.mode == "model" => {
                own.model_config_id.map(|id| (id, own.reasoning_effort))
            }
            _ => general.map(|general| (general.model_config_id, general.reasoning_effort)),
        };
        let Some((id, effort)) = chosen else {
            return Ok(None);
        };
        let effort = effort.as_deref().and_then(ReasoningEffort::parse);
        match self.model(owner, organization, id).await {
            Ok(model) => Ok(Some((model, effort))),
            Err(error) if error.retryable => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// What `usage` of a model that was looked up or called here costs, in millionths of a US dollar;
    /// none without a price.
    pub fn price(&self, provider: &str, model: &str, usage: &llm::Usage) -> Option<i64> {
        let prices = self.inner.prices.recall(provider, model)?;
        Some(crate::cost_micros(&prices, usage))
    }
}

fn info(row: ModelRow) -> ModelInfo {
    let display_name = if row.display_name.is_empty() {
        row.model.clone()
    } else {
        row.display_name
    };
    ModelInfo {
        id: row.id,
        organization_id: row.organization_id,
        provider_id: row.ai_provider_id,
        provider: row.provider_type,
        model: row.model,
        display_name,
        context_limit: row.context_limit,
        compression_threshold: row.compression_threshold,
        // It was checked when it was stored.
        options: serde_json::from_value(row.options).unwrap_or_default(),
    }
}
