//! Model providers and their central keys.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use super::AI_CHANNEL;
use crate::conn::Conn;
use crate::row::record;
use crate::{Result, StoreError, Time, Tx};

/// Unique index of names: another provider has it.
pub const PROVIDER_NAME_TAKEN: &str = "ai_providers_name_key";

record! {
    /// A row of `ai_providers`.
    pub struct ProviderRow {
        /// The id.
        pub id: Uuid,
        /// Its type, by the name of the API.
        pub kind: String,
        /// Unique name.
        pub name: String,
        /// Name for people; may be empty.
        pub display_name: String,
        /// Path of an icon.
        pub icon: String,
        /// Whether it may be used.
        pub enabled: bool,
        /// Whether it is no more.
        pub deleted: bool,
        /// Its address.
        pub base_url: String,
        /// Sealed settings.
        pub settings: Option<String>,
        /// Digest of the key that sealed them.
        pub settings_key_id: Option<String>,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
    }
}

record! {
    /// A sealed central key.
    pub struct ProviderKeyRow {
        /// The id.
        pub id: Uuid,
        /// Whose.
        pub provider_id: Uuid,
        /// Sealed.
        pub api_key: String,
        /// Digest of the key that sealed it.
        pub api_key_key_id: Option<String>,
        /// When it was added.
        pub created_at: Time,
    }
}

/// A provider as it shall be.
#[derive(Debug)]
pub struct ProviderFields<'a> {
    /// Name for people.
    pub display_name: &'a str,
    /// Path of an icon.
    pub icon: &'a str,
    /// Whether it may be used.
    pub enabled: bool,
    /// Its address.
    pub base_url: &'a str,
    /// Sealed settings, with the digest of their key.
    pub settings: Option<(String, Option<String>)>,
}

fn object() -> Object {
    Object::new(ResourceType::AiProvider)
}

impl Conn {
    /// All providers that are not deleted, by name.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn ai_provider_list(&self, who: &Subject) -> Result<Vec<ProviderRow>> {
        who.may(Action::Read, &object())?;
        let sql = "SELECT *, type AS kind FROM ai_providers WHERE NOT deleted ORDER BY name";
        self.fetch(sql, &[]).await
    }

    /// One provider, by id or name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read it, or there is none.
    pub async fn ai_provider_read(&self, who: &Subject, id_or_name: &str) -> Result<ProviderRow> {
        who.may(Action::Read, &object())
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT *, type AS kind FROM ai_providers WHERE NOT deleted \
                   AND (id::text = lower($1) OR name = $1)";
        self.fetch_one(sql, &[&id_or_name]).await
    }

    /// The central keys of a provider, or of all, in the order in which they are tried.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn ai_provider_keys(
        &self,
        who: &Subject,
        provider: Option<Uuid>,
    ) -> Result<Vec<ProviderKeyRow>> {
        who.may(Action::Read, &object())?;
        let sql = "SELECT * FROM ai_provider_keys \
                   WHERE $1::uuid IS NULL OR provider_id = $1 ORDER BY place";
        self.fetch(sql, &[&provider]).await
    }
}

impl Tx {
    /// Adds a provider.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`PROVIDER_NAME_TAKEN`].
    pub async fn ai_provider_create(
        &self,
        who: &Subject,
        kind: &str,
        name: &str,
        fields: &ProviderFields<'_>,
    ) -> Result<ProviderRow> {
        who.may(Action::Create, &object())?;
        let (settings, key) = split(fields);
        let sql = "INSERT INTO ai_providers (id, type, name, display_name, icon, enabled, \
                   base_url, settings, settings_key_id) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *, type AS kind";
        let row = self
            .fetch_one(
                sql,
                &[
                    &Uuid::new_v4(),
                    &kind,
                    &name,
                    &fields.display_name,
                    &fields.icon,
                    &fields.enabled,
                    &fields.base_url,
                    &settings,
                    &key,
                ],
            )
            .await?;
        self.notify(AI_CHANNEL, "providers").await?;
        Ok(row)
    }

    /// Changes a provider.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`], [`StoreError::NotFound`].
    pub async fn ai_provider_update(
        &self,
        who: &Subject,
        id: Uuid,
        fields: &ProviderFields<'_>,
    ) -> Result<ProviderRow> {
        who.may(Action::Update, &object())?;
        let (settings, key) = split(fields);
        let sql = "UPDATE ai_providers SET display_name = $2, icon = $3, enabled = $4, \
                   base_url = $5, settings = $6, settings_key_id = $7, updated_at = now() \
                   WHERE id = $1 AND NOT deleted RETURNING *, type AS kind";
        let row = self
            .fetch_one(
                sql,
                &[
                    &id,
                    &fields.display_name,
                    &fields.icon,
                    &fields.enabled,
                    &fields.base_url,
                    &settings,
                    &key,
                ],
            )
            .await?;
        self.notify(AI_CHANNEL, "providers").await?;
        Ok(row)
    }

    /// Deletes a provider; its keys go, its models and records stay.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`], [`StoreError::NotFound`].
    pub async fn ai_provider_delete(&self, who: &Subject, id: Uuid) -> Result<()> {
        who.may(Action::Delete, &object())?;
        let sql = "UPDATE ai_providers SET deleted = true, enabled = false, settings = NULL, \
                   settings_key_id = NULL, updated_at = now() WHERE id = $1 AND NOT deleted";
        if self.execute(sql, &[&id]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        for sql in [
            "DELETE FROM ai_provider_keys WHERE provider_id = $1",
            "DELETE FROM user_ai_provider_keys WHERE ai_provider_id = $1",
        ] {
            self.execute(sql, &[&id]).await?;
        }
        self.notify(AI_CHANNEL, "providers").await
    }

    /// Adds a central key, already sealed.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn ai_provider_key_create(
        &self,
        who: &Subject,
        provider: Uuid,
        sealed: &(String, Option<String>),
    ) -> Result<ProviderKeyRow> {
        who.may(Action::Update, &object())
            .or_else(|_| who.may(Action::Create, &object()))?;
        let sql = "INSERT INTO ai_provider_keys (id, provider_id, api_key, api_key_key_id) \
                   VALUES ($1, $2, $3, $4) RETURNING *";
        self.fetch_one(sql, &[&Uuid::new_v4(), &provider, &sealed.0, &sealed.1])
            .await
    }

    /// Takes a central key away.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn ai_provider_key_delete(&self, who: &Subject, id: Uuid) -> Result<()> {
        who.may(Action::Update, &object())?;
        self.execute("DELETE FROM ai_provider_keys WHERE id = $1", &[&id])
            .await?;
        Ok(())
    }
}

fn split<'a>(fields: &'a ProviderFields<'_>) -> (Option<&'a str>, Option<&'a str>) {
    match &fields.settings {
        Some((text, key)) => (Some(text), key.as_deref()),
        None => (None, None),
    }
}
