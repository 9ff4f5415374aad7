//! Access lists of templates and workspaces, and the people and groups they name.

use authz::{AccessList, Action, Object, ResourceType, Subject};
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::conn::Conn;
use crate::groups::GroupRow;
use crate::templates::TemplateRow;
use crate::users::{USER_COLUMNS, UserRow};
use crate::workspaces::WorkspaceRow;
use crate::{Result, Tx};

/// Most people or groups that are offered for an access list at once.
const MAX_OFFERED: i64 = 1000;

impl Tx {
    /// Sets who may use a template. Giving access is as much as making templates.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn template_acl_set(
        &self,
        who: &Subject,
        template: &TemplateRow,
        users: &AccessList,
        groups: &AccessList,
    ) -> Result<()> {
        who.may(Action::Create, &template.object())?;
        let sql = "UPDATE templates SET user_acl = $2, group_acl = $3, updated_at = now() \
                   WHERE id = $1";
        let id = &template.api.id;
        self.execute(sql, &[id, &Json(users), &Json(groups)])
            .await?;
        Ok(())
    }

    /// Sets with whom a workspace is shared.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn workspace_acl_set(
        &self,
        who: &Subject,
        workspace: &WorkspaceRow,
        users: &AccessList,
        groups: &AccessList,
    ) -> Result<()> {
        who.may(Action::Share, &workspace.object())?;
        let sql = "UPDATE workspaces SET user_acl = $2, group_acl = $3, updated_at = now() \
                   WHERE id = $1 AND NOT deleted";
        let id = &workspace.api.id;
        self.execute(sql, &[id, &Json(users), &Json(groups)])
            .await?;
        self.workspace_changed(workspace.api.id).await
    }
}

impl Conn {
    /// The users of these ids that are not deleted. Only the system may ask: whoever may read
    /// an access list is told whom it names.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn acl_users(&self, who: &Subject, ids: &[Uuid]) -> Result<Vec<UserRow>> {
        who.may(Action::Read, &Object::new(ResourceType::System))?;
        let sql = format!(
            "SELECT {USER_COLUMNS} FROM users u WHERE u.id = ANY ($1) AND NOT u.deleted \
             ORDER BY u.username_lower"
        );
        self.fetch(&sql, &[&ids]).await
    }

    /// The groups of these ids; the same.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn acl_groups(&self, who: &Subject, ids: &[Uuid]) -> Result<Vec<GroupRow>> {
        who.may(Action::Read, &Object::new(ResourceType::System))?;
        let mut rows = self.group_list(who, None, None).await?;
        rows.retain(|group| ids.contains(&group.id));
        Ok(rows)
    }

    /// Members of an organization whose name or address holds a text, in lower case, to be
    /// offered for an access list. Only the system may ask.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn acl_candidates(
        &self,
        who: &Subject,
        organization: Uuid,
        search: &str,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<UserRow>> {
        who.may(Action::Read, &Object::new(ResourceType::System))?;
        let limit = match i64::from(limit) {
            0 => MAX_OFFERED,
            given => given.min(MAX_OFFERED),
        };
        let sql = format!(
            "SELECT {USER_COLUMNS} FROM users u JOIN organization_members om ON om.user_id = u.id \
             WHERE om.organization_id = $1 AND NOT u.deleted AND NOT u.is_system \
             AND ($2 = '' OR strpos(u.username_lower, $2) > 0 OR strpos(u.email_lower, $2) > 0 \
                  OR strpos(lower(u.name), $2) > 0) \
             ORDER BY u.username_lower LIMIT $3 OFFSET $4"
        );
        let offset = i64::from(offset);
        self.fetch(&sql, &[&organization, &search, &limit, &offset])
            .await
    }
}
