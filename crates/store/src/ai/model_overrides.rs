//! Which model serves which purpose, for an organization and for its members.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::users::user_object;
use crate::{Result, StoreError, Tx};

record! {
    /// A model for a purpose.
    pub struct OverrideFields {
        /// The purpose.
        pub context: String,
        /// The model.
        pub model_config_id: Uuid,
        /// How much it shall think; the model's default if absent.
        pub reasoning_effort: Option<String>,
    }
}

record! {
    /// What a member chose for a purpose.
    pub struct UserOverrideFields {
        /// The purpose.
        pub context: String,
        /// `deployment_default`, `chat_default` or `model`.
        pub mode: String,
        /// The model, in mode `model`.
        pub model_config_id: Option<Uuid>,
        /// How much it shall think; the model's default if absent.
        pub reasoning_effort: Option<String>,
    }
}

fn object(organization: Uuid) -> Object {
    Object::new(ResourceType::ChatModelConfig).org(organization)
}

impl Conn {
    /// The models of an organization by purpose. Every member may know them: they decide what its
    /// chats use.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read the organization.
    pub async fn chat_model_overrides(
        &self,
        who: &Subject,
        organization: Uuid,
    ) -> Result<Vec<OverrideFields>> {
        let whole = Object::new(ResourceType::Organization)
            .id(organization)
            .org(organization);
        who.may(Action::Read, &whole)
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT context, model_config_id, reasoning_effort FROM chat_model_overrides \
                   WHERE organization_id = $1 ORDER BY context";
        self.fetch(sql, &[&organization]).await
    }

    /// What a member chose.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read what is personal of that user.
    pub async fn user_chat_model_overrides(
        &self,
        who: &Subject,
        organization: Uuid,
        user: Uuid,
    ) -> Result<Vec<UserOverrideFields>> {
        who.may(Action::ReadPersonal, &user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT context, mode, model_config_id, reasoning_effort \
                   FROM user_chat_model_overrides WHERE organization_id = $1 AND user_id = $2 \
                   ORDER BY context";
        self.fetch(sql, &[&organization, &user]).await
    }
}

impl Tx {
    /// Sets the model of a purpose, or takes it away.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_model_override_set(
        &self,
        who: &Subject,
        organization: Uuid,
        context: &str,
        model: Option<(Uuid, Option<&str>)>,
    ) -> Result<()> {
        who.may(Action::Update, &object(organization))?;
        let Some((model, effort)) = model else {
            let sql = "DELETE FROM chat_model_overrides \
                       WHERE organization_id = $1 AND context = $2";
            self.execute(sql, &[&organization, &context]).await?;
            return Ok(());
        };
        let sql = "INSERT INTO chat_model_overrides (organization_id, context, model_config_id, \
                   reasoning_effort) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (organization_id, context) DO UPDATE SET \
                   model_config_id = excluded.model_config_id, \
                   reasoning_effort = excluded.reasoning_effort";
        self.execute(sql, &[&organization, &context, &model, &effort])
            .await?;
        Ok(())
    }

    /// Sets what a member chose for a purpose.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict if the user is no member.
    pub async fn user_chat_model_override_set(
        &self,
        who: &Subject,
        organization: Uuid,
        user: Uuid,
        chosen: &UserOverrideFields,
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "INSERT INTO user_chat_model_overrides (organization_id, user_id, context, \
                   mode, model_config_id, reasoning_effort) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (organization_id, user_id, context) DO UPDATE SET \
                   mode = excluded.mode, model_config_id = excluded.model_config_id, \
                   reasoning_effort = excluded.reasoning_effort";
        self.execute(
            sql,
            &[
                &organization,
                &user,
                &chosen.context,
                &chosen.mode,
                &chosen.model_config_id,
                &chosen.reasoning_effort,
            ],
        )
        .await?;
        Ok(())
    }
}
