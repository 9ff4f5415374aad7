//! Skills that users write for their AI agents.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{Result, StoreError, Time, Tx};

/// The user has a skill of this name.
pub const SKILL_NAME_TAKEN: &str = "user_skills_name_key";

record! {
    /// A skill.
    pub struct UserSkillRow {
        /// The id.
        pub id: Uuid,
        /// Whose it is.
        pub user_id: Uuid,
        /// Its name, from its head.
        pub name: String,
        /// When to use it, from its head.
        pub description: String,
        /// The whole file.
        pub content: String,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
    }
}

fn object(user: Uuid) -> Object {
    Object::new(ResourceType::UserSkill).owner(user)
}

impl Conn {
    /// The skills of a user, by name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read them.
    pub async fn user_skill_list(&self, who: &Subject, user: Uuid) -> Result<Vec<UserSkillRow>> {
        who.may(Action::Read, &object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT * FROM user_skills WHERE user_id = $1 ORDER BY name";
        self.fetch(sql, &[&user]).await
    }

    /// A skill of a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn user_skill_read(
        &self,
        who: &Subject,
        user: Uuid,
        name: &str,
    ) -> Result<UserSkillRow> {
        let all = self.user_skill_list(who, user).await?;
        let found = all.into_iter().find(|skill| skill.name == name);
        found.ok_or(StoreError::NotFound)
    }
}

impl Tx {
    /// Makes a skill.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`SKILL_NAME_TAKEN`].
    pub async fn user_skill_create(
        &self,
        who: &Subject,
        user: Uuid,
        name: &str,
        description: &str,
        content: &str,
    ) -> Result<UserSkillRow> {
        who.may(Action::Create, &object(user))?;
        let id = Uuid::new_v4();
        let sql = "INSERT INTO user_skills (id, user_id, name, description, content) \
                   VALUES ($1, $2, $3, $4, $5)";
        self.execute(sql, &[&id, &user, &name, &description, &content])
            .await?;
        self.user_skill_read(who, user, name).await
    }

    /// Replaces what a skill says; its name stays.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_skill_update(
        &self,
        who: &Subject,
        skill: &UserSkillRow,
        description: &str,
        content: &str,
    ) -> Result<UserSkillRow> {
        who.may(Action::Update, &object(skill.user_id))?;
        let sql = "UPDATE user_skills SET description = $2, content = $3, updated_at = now() \
                   WHERE id = $1";
        self.execute(sql, &[&skill.id, &description, &content])
            .await?;
        self.user_skill_read(who, skill.user_id, &skill.name).await
    }

    /// Deletes a skill.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_skill_delete(&self, who: &Subject, skill: &UserSkillRow) -> Result<()> {
        who.may(Action::Delete, &object(skill.user_id))?;
        let sql = "DELETE FROM user_skills WHERE id = $1";
        self.execute(sql, &[&skill.id]).await?;
        Ok(())
    }
}
