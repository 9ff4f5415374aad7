//! Models that an organization offers to its members.

use authz::{AccessList, Action, Columns, Object, ResourceType, Subject, filter};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::AI_CHANNEL;
use crate::cols::Cols;
use crate::conn::{Conn, SqlParam, filter_params};
use crate::row::FromRow;
use crate::{Result, StoreError, Time, Tx};

/// Unique index: another model became the default at the same time.
pub const MODEL_DEFAULT: &str = "chat_model_configs_one_default";

/// A model of an organization.
#[derive(Debug, Clone)]
pub struct ModelRow {
    /// The id.
    pub id: Uuid,
    /// Whose.
    pub organization_id: Uuid,
    /// Served by this provider.
    pub ai_provider_id: Uuid,
    /// Its name for the provider.
    pub model: String,
    /// Its name for people; may be empty.
    pub display_name: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it is used when nobody chose one.
    pub is_default: bool,
    /// Tokens that it can read.
    pub context_limit: i64,
    /// Percentage of that after which a conversation is summarized.
    pub compression_threshold: i32,
    /// Its configuration.
    pub options: Value,
    /// Who may use it.
    pub user_acl: AccessList,
    /// Which groups may use it.
    pub group_acl: AccessList,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// Type of its provider.
    pub provider_type: String,
    /// Whether its provider is there and switched on.
    pub provider_usable: bool,
}

impl FromRow for ModelRow {
    fn from_row(row: &Row) -> Result<Self> {
        let mut cols = Cols::new(row);
        Ok(Self {
            id: cols.next()?,
            organization_id: cols.next()?,
            ai_provider_id: cols.next()?,
            model: cols.next()?,
            display_name: cols.next()?,
            enabled: cols.next()?,
            is_default: cols.next()?,
            context_limit: cols.next()?,
            compression_threshold: cols.next()?,
            options: cols.next()?,
            user_acl: cols.next::<Json<AccessList>>()?.0,
            group_acl: cols.next::<Json<AccessList>>()?.0,
            created_at: cols.next()?,
            updated_at: cols.next()?,
            provider_type: cols.next()?,
            provider_usable: cols.next()?,
        })
    }
}

impl ModelRow {
    /// The object of decisions.
    pub fn object(&self) -> Object {
        Object::new(ResourceType::ChatModelConfig)
            .id(self.id)
            .org(self.organization_id)
            .acl(self.user_acl.clone(), self.group_acl.clone())
    }
}

const MODELS: &str = "SELECT m.id, m.organization_id, m.ai_provider_id, m.model, m.display_name, \
    m.enabled, m.is_default, m.context_limit, m.compression_threshold, m.options, m.user_acl, \
    m.group_acl, m.created_at, m.updated_at, p.type, p.enabled AND NOT p.deleted \
    FROM chat_model_configs m JOIN ai_providers p ON p.id = m.ai_provider_id";

/// A model as it shall be.
#[derive(Debug)]
pub struct ModelFields<'a> {
    /// Served by this provider.
    pub ai_provider_id: Uuid,
    /// Its name for the provider.
    pub model: &'a str,
    /// Its name for people.
    pub display_name: &'a str,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it is used when nobody chose one.
    pub is_default: bool,
    /// Tokens that it can read.
    pub context_limit: i64,
    /// Percentage of that after which a conversation is summarized.
    pub compression_threshold: i32,
    /// Its configuration.
    pub options: &'a Value,
}

impl Conn {
    /// The models of an organization that the subject may read, the default first, then by name.
    ///
    /// # Errors
    /// As for any query.
    pub async fn chat_model_list(
        &self,
        who: &Subject,
        organization: Uuid,
    ) -> Result<Vec<ModelRow>> {
        let columns = Columns {
            id: "m.id",
            organization: Some("m.organization_id"),
            user_acl: Some("m.user_acl"),
            group_acl: Some("m.group_acl"),
            ..Columns::default()
        };
        let (allowed, params) =
            filter(who, Action::Read, ResourceType::ChatModelConfig).render(&columns, 2);
        let sql = format!(
            "{MODELS} WHERE m.organization_id = $1 AND NOT m.deleted AND {allowed} \
             ORDER BY m.is_default DESC, lower(m.display_name), m.model, m.id"
        );
        let mut all: Vec<SqlParam<'_>> = vec![&organization];
        all.extend(filter_params(&params));
        self.fetch(&sql, &all).await
    }

    /// One model, if the subject may read it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it may not, or there is none.
    pub async fn chat_model_read(&self, who: &Subject, id: Uuid) -> Result<ModelRow> {
        let sql = format!("{MODELS} WHERE m.id = $1 AND NOT m.deleted");
        let row: ModelRow = self.fetch_one(&sql, &[&id]).await?;
        who.may(Action::Read, &row.object())
            .map_err(|_| StoreError::NotFound)?;
        Ok(row)
    }
}

impl Tx {
    /// Adds a model that all members may use; the first of an organization becomes its default.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_model_create(
        &self,
        who: &Subject,
        organization: Uuid,
        fields: &ModelFields<'_>,
    ) -> Result<ModelRow> {
        who.may(
            Action::Create,
            &Object::new(ResourceType::ChatModelConfig).org(organization),
        )?;
        // One at a time, so that exactly one is the first.
        self.lock(&format!("chat models of {organization}")).await?;
        if fields.is_default {
            self.no_default(organization).await?;
        }
        let id = Uuid::new_v4();
        let everyone = AccessList(
            [(organization, vec![Action::Read.name().to_owned()])]
                .into_iter()
                .collect(),
        );
        let sql = "INSERT INTO chat_model_configs (id, organization_id, ai_provider_id, model, \
                   display_name, enabled, is_default, context_limit, compression_threshold, \
                   options, group_acl, created_by, updated_by) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7 OR NOT EXISTS (SELECT 1 FROM \
                     chat_model_configs m WHERE m.organization_id = $2 AND NOT m.deleted \
                     AND m.is_default), $8, $9, $10, $11, $12, $12)";
        self.execute(
            sql,
            &[
                &id,
                &organization,
                &fields.ai_provider_id,
                &fields.model,
                &fields.display_name,
                &fields.enabled,
                &fields.is_default,
                &fields.context_limit,
                &fields.compression_threshold,
                fields.options,
                &Json(&everyone),
                &who.user_id(),
            ],
        )
        .await?;
        self.notify(AI_CHANNEL, "models").await?;
        self.chat_model_read(who, id).await
    }

    /// Changes a model.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`], [`StoreError::NotFound`].
    pub async fn chat_model_update(
        &self,
        who: &Subject,
        row: &ModelRow,
        fields: &ModelFields<'_>,
    ) -> Result<ModelRow> {
        who.may(Action::Update, &row.object())?;
        self.lock(&format!("chat models of {}", row.organization_id))
            .await?;
        if fields.is_default {
            self.no_default(row.organization_id).await?;
        }
        let sql = "UPDATE chat_model_configs SET ai_provider_id = $2, model = $3, \
                   display_name = $4, enabled = $5, is_default = $6, context_limit = $7, \
                   compression_threshold = $8, options = $9, updated_by = $10, \
                   updated_at = now() WHERE id = $1 AND NOT deleted";
        let changed = self
            .execute(
                sql,
                &[
                    &row.id,
                    &fields.ai_provider_id,
                    &fields.model,
                    &fields.display_name,
                    &fields.enabled,
                    &fields.is_default,
                    &fields.context_limit,
                    &fields.compression_threshold,
                    fields.options,
                    &who.user_id(),
                ],
            )
            .await?;
        if changed == 0 {
            return Err(StoreError::NotFound);
        }
        self.notify(AI_CHANNEL, "models").await?;
        self.chat_model_read(who, row.id).await
    }

    /// Deletes a model; chats that used it keep their history. The oldest that is left and enabled
    /// becomes the default in its place.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_model_delete(&self, who: &Subject, row: &ModelRow) -> Result<()> {
        who.may(Action::Delete, &row.object())?;
        self.lock(&format!("chat models of {}", row.organization_id))
            .await?;
        let sql = "UPDATE chat_model_configs SET deleted = true, is_default = false, \
                   updated_by = $2, updated_at = now() WHERE id = $1";
        self.execute(sql, &[&row.id, &who.user_id()]).await?;
        for sql in [
            "DELETE FROM chat_model_overrides WHERE model_config_id = $1",
            "DELETE FROM user_chat_model_overrides WHERE model_config_id = $1",
        ] {
            self.execute(sql, &[&row.id]).await?;
        }
        if row.is_default {
            let sql = "UPDATE chat_model_configs SET is_default = true WHERE id = ( \
                       SELECT id FROM chat_model_configs WHERE organization_id = $1 \
                       AND NOT deleted AND enabled ORDER BY created_at, id LIMIT 1)";
            self.execute(sql, &[&row.organization_id]).await?;
        }
        self.notify(AI_CHANNEL, "models").await
    }

    /// Sets who may use a model.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_model_acl_set(
        &self,
        who: &Subject,
        row: &ModelRow,
        users: &AccessList,
        groups: &AccessList,
    ) -> Result<()> {
        who.may(Action::Share, &row.object())?;
        let sql = "UPDATE chat_model_configs SET user_acl = $2, group_acl = $3, \
                   updated_at = now() WHERE id = $1";
        self.execute(sql, &[&row.id, &Json(users), &Json(groups)])
            .await?;
        self.notify(AI_CHANNEL, "models").await
    }

    async fn no_default(&self, organization: Uuid) -> Result<()> {
        let sql = "UPDATE chat_model_configs SET is_default = false \
                   WHERE organization_id = $1 AND is_default";
        self.execute(sql, &[&organization]).await?;
        Ok(())
    }
}
