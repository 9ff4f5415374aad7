//! Skills that users write for their AI agents.

use api_types::{SkillFile, UserSkill, UserSkillMetadata, UserSkillRequest};
use authz::Subject;
use chat::skills::{self, MAX_SKILLS};
use serde_json::json;
use store::user_skills::{SKILL_NAME_TAKEN, UserSkillRow};
use store::{AuditAction, AuditDiff, AuditEntry, StoreError, UserRef};

use crate::{Control, Error, Result};

const TRACKED: &[&str] = &["name", "description", "content"];

impl Control {
    /// The skills of a user, without their texts.
    pub async fn user_skill_list(
        &self,
        who: &Subject,
        user: &UserRef,
    ) -> Result<Vec<UserSkillMetadata>> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, user).await?;
        let rows = conn.user_skill_list(who, user.id).await?;
        Ok(rows.iter().map(metadata).collect())
    }

    /// A skill of a user.
    pub async fn user_skill_read(
        &self,
        who: &Subject,
        user: &UserRef,
        name: &str,
    ) -> Result<UserSkill> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, user).await?;
        Ok(shown(conn.user_skill_read(who, user.id, name).await?))
    }

    /// Makes a skill.
    pub async fn user_skill_create(
        &self,
        who: &Subject,
        user: &UserRef,
        request: &UserSkillRequest,
    ) -> Result<UserSkill> {
        let skill = parsed(request)?;
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, user).await?;
        // Two at once would both find room for one.
        tx.lock(&format!("skills of {}", user.id)).await?;
        if tx.user_skill_list(who, user.id).await?.len() >= MAX_SKILLS {
            return Err(
                Error::conflict("Personal skill limit reached.").with_detail(format!(
                    "A user has {MAX_SKILLS} skills at most. Delete one first."
                )),
            );
        }
        let made = tx
            .user_skill_create(
                who,
                user.id,
                &skill.name,
                &skill.description,
                &request.content,
            )
            .await
            .map_err(|error| match error {
                error if error.is_conflict(SKILL_NAME_TAKEN) => {
                    Error::conflict("A skill with that name already exists.")
                }
                StoreError::Forbidden(_) => Error::not_found(),
                error => error.into(),
            })?;
        let diff = AuditDiff::between(&(), &facts(&made), TRACKED, &[]);
        let entry = AuditEntry::new(AuditAction::Create, "user_skill", made.id, &made.name);
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        Ok(shown(made))
    }

    /// Replaces what a skill says.
    pub async fn user_skill_update(
        &self,
        who: &Subject,
        user: &UserRef,
        name: &str,
        request: &UserSkillRequest,
    ) -> Result<UserSkill> {
        let skill = parsed(request)?;
        if skill.name != name {
            return Err(
                Error::invalid("Skill name in path does not match frontmatter name.").with_detail(
                    format!("The path has {name:?}, the head has {:?}.", skill.name),
                ),
            );
        }
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, user).await?;
        let old = tx.user_skill_read(who, user.id, name).await?;
        let new = tx
            .user_skill_update(who, &old, &skill.description, &request.content)
            .await?;
        let diff = AuditDiff::between(&facts(&old), &facts(&new), TRACKED, &[]);
        let entry = AuditEntry::new(AuditAction::Write, "user_skill", new.id, &new.name);
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        Ok(shown(new))
    }

    /// Deletes a skill.
    pub async fn user_skill_delete(&self, who: &Subject, user: &UserRef, name: &str) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, user).await?;
        let old = tx.user_skill_read(who, user.id, name).await?;
        tx.user_skill_delete(who, &old).await?;
        let diff = AuditDiff::between(&facts(&old), &(), TRACKED, &[]);
        let entry = AuditEntry::new(AuditAction::Delete, "user_skill", old.id, &old.name);
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn parsed(request: &UserSkillRequest) -> Result<SkillFile<'_>> {
    skills::parse(&request.content)
        .map_err(|detail| Error::invalid("Invalid skill content.").with_detail(detail))
}

fn facts(row: &UserSkillRow) -> serde_json::Value {
    json!({ "name": row.name, "description": row.description, "content": row.content })
}

fn metadata(row: &UserSkillRow) -> UserSkillMetadata {
    UserSkillMetadata {
        id: row.id,
        name: row.name.clone(),
        description: row.description.clone(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn shown(row: UserSkillRow) -> UserSkill {
    UserSkill {
        metadata: metadata(&row),
        content: row.content,
    }
}
