//! Users' own keys of model providers.

use api_types::{AiProviderSummary, CreateUserAiProviderKey, UserAiProviderKeyConfig};
use authz::{Subject, System};
use serde_json::json;
use store::ai::ProviderRow;
use store::{AuditAction, AuditDiff, AuditEntry, StoreError, UserRef};
use uuid::Uuid;

use super::providers::{MAX_KEY_BYTES, key_fault};
use crate::{Control, Error, Kind, Result};

impl Control {
    /// Providers for which a user may have a key of its own, and whether it has one.
    pub async fn ai_user_key_list(
        &self,
        who: &Subject,
        which: &UserRef,
    ) -> Result<Vec<UserAiProviderKeyConfig>> {
        let system = Subject::system(System::Gateway);
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        let own = conn.ai_user_keys(who, user.id).await?;
        let central = conn.ai_provider_keys(&system, None).await?;
        let rows = conn.ai_provider_list(&system).await?;
        Ok(rows
            .into_iter()
            .filter(|row| row.enabled)
            .map(|row| {
                let has_user = own.iter().any(|key| key.ai_provider_id == row.id);
                let has_central = central.iter().any(|key| key.provider_id == row.id);
                self.config_of(row, has_user, has_central)
            })
            .collect())
    }

    /// Sets a user's key.
    pub async fn ai_user_key_set(
        &self,
        who: &Subject,
        which: &UserRef,
        provider: Uuid,
        request: CreateUserAiProviderKey,
    ) -> Result<UserAiProviderKeyConfig> {
        if !self.settings().allow_byok {
            return Err(Error::forbidden("BYOK is disabled."));
        }
        let system = Subject::system(System::Gateway);
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, which).await?;
        let row = tx
            .ai_provider_read(&system, &provider.to_string())
            .await
            .map_err(|_| Error::new(Kind::NotFound, "AI provider not found."))?;
        if !row.enabled {
            return Err(Error::new(
                Kind::PreconditionFailed,
                "AI provider is disabled.",
            ));
        }
        let key = request.api_key.expose();
        if key.is_empty() {
            return Err(Error::invalid("API key is required."));
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(Error::invalid("API key too large.")
                .with_detail(format!("at most {MAX_KEY_BYTES} bytes")));
        }
        if let Some(fault) = key_fault("api_key", key) {
            return Err(Error::invalid(format!("API key {}.", fault.detail)));
        }
        let sealed = self.settings().seal.seal(key)?;
        tx.ai_user_key_set(who, user.id, row.id, &sealed).await?;
        let diff = AuditDiff::between(&(), &json!({"api_key": "-"}), &[], &["api_key"]);
        let entry = AuditEntry::new(AuditAction::Write, "ai_provider_key", row.id, &row.name);
        tx.audit(entry.diff(diff)).await?;
        let central = tx.ai_provider_keys(&system, Some(row.id)).await?;
        tx.commit().await?;
        Ok(self.config_of(row, true, !central.is_empty()))
    }

    /// Takes a user's key away; one that is not there is no error.
    pub async fn ai_user_key_delete(
        &self,
        who: &Subject,
        which: &UserRef,
        provider: Uuid,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, which).await?;
        match tx.ai_user_key_delete(who, user.id, provider).await {
            Err(StoreError::NotFound) => return Ok(()),
            other => other?,
        }
        let diff = AuditDiff::between(&json!({"api_key": "-"}), &(), &[], &["api_key"]);
        let entry = AuditEntry::new(
            AuditAction::Delete,
            "ai_provider_key",
            provider,
            &user.username,
        );
        tx.audit(entry.diff(diff).status(204)).await?;
        Ok(tx.commit().await?)
    }

    fn config_of(
        &self,
        row: ProviderRow,
        has_user: bool,
        has_central: bool,
    ) -> UserAiProviderKeyConfig {
        UserAiProviderKeyConfig {
            provider: AiProviderSummary {
                id: row.id,
                r#type: row.kind,
                name: row.name,
                display_name: row.display_name,
                icon: row.icon,
                enabled: row.enabled,
                deleted: row.deleted,
            },
            has_user_api_key: has_user,
            has_provider_api_key: has_central,
            byok_enabled: self.settings().allow_byok,
        }
    }
}
