//! Users: making, changing, deleting.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::users::user_object;
use crate::{Result, StoreError, Time};

/// Names of the unique indexes, for telling conflicts apart.
pub const USERNAME_TAKEN: &str = "users_username_key";
/// See [`USERNAME_TAKEN`].
pub const EMAIL_TAKEN: &str = "users_email_key";

/// A user to be made.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// The id.
    pub id: Uuid,
    /// Unique name.
    pub username: &'a str,
    /// Unique address; empty for a service account.
    pub email: &'a str,
    /// Real name.
    pub name: &'a str,
    /// `active` or `dormant`.
    pub status: &'a str,
    /// `password`, `github`, `oidc`, `none`.
    pub login_type: &'a str,
    /// Site roles.
    pub roles: &'a [String],
    /// As [`Conn::sign_in_read`] gives it; empty for none.
    pub hashed_password: &'a str,
    /// Acts by tokens only.
    pub service_account: bool,
}

/// What sign-in needs to know; not printable.
pub struct SignIn {
    /// The user.
    pub user: Uuid,
    /// Empty if there is no password.
    pub hashed_password: String,
    /// `password`, `github`, `oidc`, `none`.
    pub login_type: String,
    /// `active`, `dormant`, `suspended`.
    pub status: String,
    /// Of a one-time passcode; empty for none.
    pub hashed_one_time_passcode: String,
    /// Until when that passcode is good.
    pub one_time_passcode_expires_at: Option<Time>,
}

impl Conn {
    /// Makes a user.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`USERNAME_TAKEN`] or [`EMAIL_TAKEN`].
    pub async fn user_create(&self, who: &Subject, new: &NewUser<'_>) -> Result<()> {
        who.may(Action::Create, &Object::new(ResourceType::User))?;
        let sql = "INSERT INTO users (id, username, email, name, status, login_type, roles, \
                   hashed_password, is_service_account) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        self.execute(
            sql,
            &[
                &new.id,
                &new.username,
                &new.email,
                &new.name,
                &new.status,
                &new.login_type,
                &new.roles,
                &new.hashed_password,
                &new.service_account,
            ],
        )
        .await?;
        Ok(())
    }

    /// What sign-in by this address needs to know. Only the system may ask.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn sign_in_read(&self, who: &Subject, email: &str) -> Result<Option<SignIn>> {
        self.sign_in_by(who, "email_lower = lower($1) AND email <> ''", &email)
            .await
    }

    /// The same for a known user.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn sign_in_of(&self, who: &Subject, user: Uuid) -> Result<Option<SignIn>> {
        self.sign_in_by(who, "id = $1", &user).await
    }

    async fn sign_in_by(
        &self,
        who: &Subject,
        condition: &'static str,
        value: crate::conn::SqlParam<'_>,
    ) -> Result<Option<SignIn>> {
        who.may(Action::Read, &Object::new(ResourceType::System))?;
        let sql = format!(
            "SELECT id, hashed_password, login_type, status, hashed_one_time_passcode, \
             one_time_passcode_expires_at FROM users WHERE NOT deleted AND NOT is_system AND {condition}"
        );
        let Some(row) = self.query_opt(&sql, &[value]).await? else {
            return Ok(None);
        };
        Ok(Some(SignIn {
            user: row.try_get(0)?,
            hashed_password: row.try_get(1)?,
            login_type: row.try_get(2)?,
            status: row.try_get(3)?,
            hashed_one_time_passcode: row.try_get(4)?,
            one_time_passcode_expires_at: row.try_get(5)?,
        }))
    }

    /// Sets the password and ends a one-time passcode.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_password_set(&self, who: &Subject, user: Uuid, hash: &str) -> Result<()> {
        let object = user_object(user);
        who.may(Action::UpdatePersonal, &object)
            .or_else(|_| who.may(Action::Update, &object))?;
        let sql = "UPDATE users SET hashed_password = $2, hashed_one_time_passcode = '', \
                   one_time_passcode_expires_at = NULL, updated_at = now() WHERE id = $1 AND NOT deleted";
        self.touch(sql, &[&user, &hash]).await
    }

    /// Sets username, name and picture.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`USERNAME_TAKEN`].
    pub async fn user_profile_set(
        &self,
        who: &Subject,
        user: Uuid,
        username: &str,
        name: &str,
        avatar_url: Option<&str>,
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "UPDATE users SET username = $2, name = $3, avatar_url = coalesce($4, avatar_url), \
                   updated_at = now() WHERE id = $1 AND NOT deleted";
        self.touch(sql, &[&user, &username, &name, &avatar_url])
            .await
    }

    /// Sets the status.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_status_set(&self, who: &Subject, user: Uuid, status: &str) -> Result<()> {
        who.may(Action::Update, &user_object(user))?;
        let sql = "UPDATE users SET status = $2, updated_at = now() WHERE id = $1 AND NOT deleted";
        self.touch(sql, &[&user, &status]).await
    }

    /// Sets the site roles. Which ones may be given is for the rules to say.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_roles_set(&self, who: &Subject, user: Uuid, roles: &[String]) -> Result<()> {
        who.may(Action::Assign, &Object::new(ResourceType::AssignRole))?;
        let sql = "UPDATE users SET roles = $2, updated_at = now() WHERE id = $1 AND NOT deleted";
        self.touch(sql, &[&user, &roles]).await
    }

    /// Deletes a user with its keys, links, memberships; names stay in what
    /// it did.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_delete(&self, who: &Subject, user: Uuid) -> Result<()> {
        who.may(Action::Delete, &user_object(user))?;
        for table in [
            "api_keys",
            "user_links",
            "mcp_server_user_tokens",
            "organization_members",
            "user_configs",
            "git_ssh_keys",
        ] {
            let sql = format!("DELETE FROM {table} WHERE user_id = $1");
            self.execute(&sql, &[&user]).await?;
        }
        let sql =
            "UPDATE users SET deleted = true, updated_at = now() WHERE id = $1 AND NOT deleted";
        self.touch(sql, &[&user]).await
    }

    /// Whether anybody but this user is an owner who can sign in.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_owner_beside(&self, who: &Subject, user: Uuid) -> Result<bool> {
        who.may(Action::Read, &user_object(user))?;
        let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE 'owner' = ANY(roles) AND id <> $1 \
                   AND status <> 'suspended' AND NOT deleted AND NOT is_system)";
        Ok(self.query_one(sql, &[&user]).await?.try_get(0)?)
    }

    /// How many workspaces the user owns.
    ///
    /// # Errors
    /// As for any query.
    pub async fn user_workspace_count(&self, who: &Subject, user: Uuid) -> Result<i64> {
        who.may(Action::Delete, &user_object(user))?;
        let sql = "SELECT count(*) FROM workspaces WHERE owner_id = $1 AND NOT deleted";
        Ok(self.query_one(sql, &[&user]).await?.try_get(0)?)
    }

    /// A setting of a user, by key.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_config_read(
        &self,
        who: &Subject,
        user: Uuid,
    ) -> Result<Vec<(String, String)>> {
        who.may(Action::ReadPersonal, &user_object(user))?;
        let sql = "SELECT key, value FROM user_configs WHERE user_id = $1";
        let rows = self.query(sql, &[&user]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// Sets a setting of a user.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_config_set(
        &self,
        who: &Subject,
        user: Uuid,
        key: &str,
        value: &str,
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "INSERT INTO user_configs (user_id, key, value) VALUES ($1, $2, $3) \
                   ON CONFLICT (user_id, key) DO UPDATE SET value = excluded.value";
        self.execute(sql, &[&user, &key, &value]).await?;
        Ok(())
    }

    /// The user's own quiet hours; empty if it has none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Forbidden`].
    pub async fn user_quiet_hours(&self, who: &Subject, user: Uuid) -> Result<String> {
        who.may(Action::ReadPersonal, &user_object(user))?;
        let sql = "SELECT quiet_hours_schedule FROM users WHERE id = $1 AND NOT deleted";
        Ok(self.query_one(sql, &[&user]).await?.try_get(0)?)
    }

    /// Sets the user's quiet hours.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Forbidden`].
    pub async fn user_quiet_hours_set(
        &self,
        who: &Subject,
        user: Uuid,
        schedule: &str,
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "UPDATE users SET quiet_hours_schedule = $2, updated_at = now() \
                   WHERE id = $1 AND NOT deleted";
        self.touch(sql, &[&user, &schedule]).await
    }

    /// The values that a user chose last for the parameters of a template, in the builds of the
    /// newest workspaces; those that may change at each build are left out.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_autofill(
        &self,
        who: &Subject,
        user: Uuid,
        template: Uuid,
    ) -> Result<Vec<api_types::UserParameter>> {
        who.may(Action::ReadPersonal, &user_object(user))?;
        let sql = "SELECT DISTINCT ON (p.name) p.name, p.value \
                   FROM workspace_build_parameters p \
                   JOIN workspace_builds b ON b.id = p.workspace_build_id \
                   JOIN workspaces w ON w.id = b.workspace_id \
                   JOIN template_version_parameters tp \
                        ON tp.template_version_id = b.template_version_id AND tp.name = p.name \
                   WHERE w.owner_id = $1 AND w.template_id = $2 AND b.transition = 'start' \
                   AND b.initiator_id = $1 AND NOT tp.ephemeral \
                   ORDER BY p.name, b.created_at DESC";
        let rows = self.query(sql, &[&user, &template]).await?;
        rows.iter()
            .map(|row| {
                Ok(api_types::UserParameter {
                    name: row.try_get(0)?,
                    value: row.try_get(1)?,
                })
            })
            .collect()
    }

    /// Forgets a setting of a user, if it was made.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_config_delete(&self, who: &Subject, user: Uuid, key: &str) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "DELETE FROM user_configs WHERE user_id = $1 AND key = $2";
        self.execute(sql, &[&user, &key]).await?;
        Ok(())
    }

    /// A statement that must touch a row.
    async fn touch(&self, sql: &str, params: &[crate::conn::SqlParam<'_>]) -> Result<()> {
        if self.execute(sql, params).await? == 0 {
            Err(StoreError::NotFound)
        } else {
            Ok(())
        }
    }
}
