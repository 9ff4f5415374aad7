//! Models that an organization offers to its members.

use api_types::{
    ChatModel, ChatModelProvider, ChatModelRequest, ChatUnsupportedProvider, OrganizationChatModels,
};
use authz::{Action, Object, ResourceType, Subject, System};
use llm::{CallOptions, ProviderType};
use serde_json::{Value, json};
use store::ai::{ModelFields, ModelRow, ProviderRow};
use store::{AuditAction, AuditDiff, AuditEntry, Conn, Held, OrganizationRef, StoreError};
use uuid::Uuid;

use super::model_config::checked;
use crate::{Control, Error, Kind, Result};

const TRACKED: &[&str] = &[
    "ai_provider_id",
    "model",
    "display_name",
    "enabled",
    "is_default",
    "context_limit",
    "compression_threshold",
    "options",
];
/// After this percentage of its context a conversation is summarized…
const THRESHOLD: i32 = 70;
/// …and of a context as large as this sooner: models get worse long before it is full.
const LARGE_CONTEXT: i64 = 500_000;
const LARGE_THRESHOLD: i32 = 30;
/// Longest name of a model.
const MAX_NAME: usize = 256;

impl Control {
    /// The models that the subject may use, with their providers.
    pub async fn chat_model_list(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
    ) -> Result<OrganizationChatModels> {
        let system = Subject::system(System::Gateway);
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?.id;
        let mut rows = conn.chat_model_list(who, organization).await?;
        // What is switched off concerns only those who can switch it on.
        let all = Object::new(ResourceType::ChatModelConfig).org(organization);
        if who.may(Action::Update, &all).is_err() {
            rows.retain(|row| row.enabled && row.provider_usable);
        }
        let own = match who.user_id() {
            Some(user) => conn.ai_user_keys(who, user).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let keys = conn.ai_provider_keys(&system, None).await?;
        let (mut providers, mut unsupported) = (Vec::new(), Vec::new());
        for row in conn.ai_provider_list(&system).await? {
            if !row.enabled {
                continue;
            }
            let kind = ProviderType::parse(&row.kind);
            if !kind.is_some_and(ProviderType::serves_chats) {
                unsupported.push(ChatUnsupportedProvider {
                    display_name: named(&row, kind),
                    provider: row.kind,
                });
                continue;
            }
            let central = keys.iter().any(|key| key.provider_id == row.id);
            let mine = own.iter().any(|key| key.ai_provider_id == row.id);
            let keyless = row.settings.is_some()
                || matches!(
                    kind,
                    Some(ProviderType::OpenAiCompat | ProviderType::Bedrock)
                );
            let byok = self.settings().allow_byok;
            let available = central || keyless || (mine && byok);
            let unavailable_reason = match (available, byok) {
                (true, _) => "",
                (false, true) => "user_api_key_required",
                (false, false) => "missing_api_key",
            };
            providers.push(ChatModelProvider {
                id: row.id,
                display_name: named(&row, kind),
                provider: row.kind,
                name: row.name,
                icon: row.icon,
                available,
                unavailable_reason: unavailable_reason.to_owned(),
            });
        }
        Ok(OrganizationChatModels {
            models: rows.into_iter().map(shown).collect(),
            providers,
            unsupported_providers: unsupported,
        })
    }

    /// One model.
    pub async fn chat_model_read(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<ChatModel> {
        let conn = self.store().conn().await?;
        Ok(shown(find(&conn, who, organization, id).await?))
    }

    /// Adds a model.
    pub async fn chat_model_create(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        request: ChatModelRequest,
    ) -> Result<ChatModel> {
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let provider = request
            .ai_provider_id
            .ok_or_else(|| Error::invalid("AI provider ID is required."))?;
        usable_provider(&tx, provider).await?;
        let model = name(&request.model)?;
        if model.is_empty() {
            return Err(Error::invalid("Model is required."));
        }
        let context_limit = context_limit(request.context_limit.unwrap_or(0))?;
        let options = checked(request.model_config.as_ref())?;
        let usual = if context_limit >= LARGE_CONTEXT {
            LARGE_THRESHOLD
        } else {
            THRESHOLD
        };
        let fields = ModelFields {
            ai_provider_id: provider,
            model,
            display_name: name(&request.display_name)?,
            enabled: request.enabled.unwrap_or(true),
            is_default: request.is_default.unwrap_or(false),
            context_limit,
            compression_threshold: threshold(request.compression_threshold.unwrap_or(usual))?,
            options: &options,
        };
        let row = tx.chat_model_create(who, organization.id, &fields).await?;
        let diff = AuditDiff::between(&(), &facts(&row), TRACKED, &[]);
        tx.audit(entry(AuditAction::Create, &row, diff)).await?;
        tx.commit().await?;
        Ok(shown(row))
    }

    /// Changes a model: empty text and absent fields keep what is.
    pub async fn chat_model_update(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
        request: ChatModelRequest,
    ) -> Result<ChatModel> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::ChatModel, id).await?;
        let old = find(&tx, who, organization, id).await?;
        who.may(Action::Update, &old.object())?;
        if let Some(provider) = request.ai_provider_id {
            usable_provider(&tx, provider).await?;
        }
        let options = match &request.model_config {
            Some(given) => checked(Some(given))?,
            None => old.options.clone(),
        };
        let or = |new: &'_ str, old: &str| -> Result<String> {
            Ok(if new.trim().is_empty() {
                old.to_owned()
            } else {
                name(new)?.to_owned()
            })
        };
        let (model, display_name) = (
            or(&request.model, &old.model)?,
            or(&request.display_name, &old.display_name)?,
        );
        if request.is_default == Some(false) && old.is_default {
            return Err(Error::invalid(
                "An organization needs a default model. Make another model the default instead.",
            ));
        }
        let fields = ModelFields {
            ai_provider_id: request.ai_provider_id.unwrap_or(old.ai_provider_id),
            model: &model,
            display_name: &display_name,
            enabled: request.enabled.unwrap_or(old.enabled),
            is_default: request.is_default.unwrap_or(old.is_default),
            context_limit: context_limit(request.context_limit.unwrap_or(old.context_limit))?,
            compression_threshold: threshold(
                request
                    .compression_threshold
                    .unwrap_or(old.compression_threshold),
            )?,
            options: &options,
        };
        let row = tx.chat_model_update(who, &old, &fields).await?;
        let diff = AuditDiff::between(&facts(&old), &facts(&row), TRACKED, &[]);
        tx.audit(entry(AuditAction::Write, &row, diff)).await?;
        tx.commit().await?;
        Ok(shown(row))
    }

    /// Deletes a model.
    pub async fn chat_model_delete(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = find(&tx, who, organization, id).await?;
        tx.chat_model_delete(who, &row).await?;
        let diff = AuditDiff::between(&facts(&row), &(), TRACKED, &[]);
        tx.audit(entry(AuditAction::Delete, &row, diff).status(204))
            .await?;
        Ok(tx.commit().await?)
    }
}

/// A model of this organization that the subject may read.
pub(crate) async fn find(
    conn: &Conn,
    who: &Subject,
    organization: &OrganizationRef,
    id: Uuid,
) -> Result<ModelRow> {
    let organization = conn.organization_read(who, organization).await?.id;
    let row = conn.chat_model_read(who, id).await?;
    if row.organization_id != organization {
        return Err(Error::not_found());
    }
    Ok(row)
}

async fn usable_provider(conn: &Conn, id: Uuid) -> Result<ProviderRow> {
    let system = Subject::system(System::Gateway);
    let row = match conn.ai_provider_read(&system, &id.to_string()).await {
        Err(StoreError::NotFound) => {
            return Err(Error::new(
                Kind::PreconditionFailed,
                "AI provider is not configured.",
            ));
        }
        other => other?,
    };
    if !row.enabled {
        return Err(Error::new(
            Kind::PreconditionFailed,
            "AI provider is disabled.",
        ));
    }
    if !ProviderType::parse(&row.kind).is_some_and(ProviderType::serves_chats) {
        return Err(Error::invalid(
            "Providers of this type cannot serve chats. Choose another provider.",
        ));
    }
    Ok(row)
}

fn name(text: &str) -> Result<&str> {
    let text = text.trim();
    if text.chars().count() > MAX_NAME || text.contains('\0') {
        return Err(Error::invalid(format!(
            "The name of a model has at most {MAX_NAME} characters."
        )));
    }
    Ok(text)
}

fn context_limit(limit: i64) -> Result<i64> {
    if limit > 0 {
        return Ok(limit);
    }
    Err(Error::invalid("Context limit is required.")
        .with_detail("context_limit must be greater than zero."))
}

fn threshold(percent: i32) -> Result<i32> {
    if (0..=100).contains(&percent) {
        return Ok(percent);
    }
    Err(Error::invalid("Invalid compression threshold.")
        .with_detail("compression_threshold must be between 0 and 100."))
}

fn named(row: &ProviderRow, kind: Option<ProviderType>) -> String {
    if row.display_name.is_empty() {
        kind.map_or_else(|| row.name.clone(), |kind| kind.display_name().to_owned())
    } else {
        row.display_name.clone()
    }
}

fn facts(row: &ModelRow) -> Value {
    json!({
        "ai_provider_id": row.ai_provider_id,
        "model": row.model,
        "display_name": row.display_name,
        "enabled": row.enabled,
        "is_default": row.is_default,
        "context_limit": row.context_limit,
        "compression_threshold": row.compression_threshold,
        "options": row.options,
    })
}

fn shown(row: ModelRow) -> ChatModel {
    let options: CallOptions = serde_json::from_value(row.options.clone()).unwrap_or_default();
    let efforts = options.reasoning_efforts();
    let empty = row
        .options
        .as_object()
        .is_none_or(serde_json::Map::is_empty);
    ChatModel {
        id: row.id,
        organization_id: row.organization_id,
        ai_provider_id: row.ai_provider_id,
        model: row.model,
        display_name: row.display_name,
        enabled: row.enabled,
        is_default: row.is_default,
        context_limit: row.context_limit,
        compression_threshold: row.compression_threshold,
        model_config: (!empty).then_some(row.options),
        reasoning_efforts: efforts.iter().map(|e| e.as_str().to_owned()).collect(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// What the audit log says of a change of a model.
pub(crate) fn entry(action: AuditAction, row: &ModelRow, diff: AuditDiff) -> AuditEntry {
    AuditEntry::new(action, "chat_model_config", row.id, &row.model)
        .org(row.organization_id)
        .diff(diff)
}
