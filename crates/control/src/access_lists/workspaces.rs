//! With whom a workspace is shared.

use api_types::{MinimalUser, UpdateWorkspaceAcl, WorkspaceAcl};
use authz::{AccessList, Action, Object, ResourceType, Sharing, Subject, System};
use store::workspaces::WorkspaceRow;
use store::{AuditAction, AuditEntry, Conn, Held, OrganizationRef, Tx};
use uuid::Uuid;

use super::{Changed, diff, named_in, shared_group, shared_user};
use crate::users::Page;
use crate::{Control, Error, Result};

impl Control {
    /// With whom a workspace is shared; for those who may read it.
    pub async fn workspace_acl_read(&self, who: &Subject, id: Uuid) -> Result<WorkspaceAcl> {
        let conn = self.store().conn().await?;
        let row = live_workspace(&conn, who, id).await?;
        let (users, found) = named_in(&conn, &row.user_acl, &row.group_acl).await?;
        let users = users.iter();
        let users = users.map(|(user, actions)| shared_user(user, actions));
        // Whoever may read the list need not be allowed to read who is in the groups.
        let found = found.into_iter();
        let group = found.map(|(row, actions)| shared_group(row, &actions, Vec::new()));
        Ok(WorkspaceAcl {
            users: users.collect(),
            group: group.collect(),
        })
    }

    /// Changes with whom a workspace is shared.
    pub async fn workspace_acl_set(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateWorkspaceAcl,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::Workspace, id).await?;
        let row = live_workspace(&tx, who, id).await?;
        let organization = row.api.organization_id;
        self.sharing_allowed(&tx, organization).await?;
        let fields = ("user_roles", "group_roles");
        let changed = Changed::of(&request.user_roles, &request.group_roles, fields)?;
        let own = who
            .user_id()
            .is_some_and(|me| changed.users.contains_key(&me));
        let all = Object::new(ResourceType::Workspace).org(organization);
        if own && who.may(Action::Share, &all).is_err() {
            // Who has access by this list alone could not take it back.
            return Err(Error::invalid(
                "You cannot change your own workspace sharing role.",
            ));
        }
        let old = (&row.user_acl, &row.group_acl);
        let (users, found) = changed.lists(&tx, organization, old, fields).await?;
        self.workspace_acl_write(tx, who, &row, users, found).await
    }

    /// Ends all sharing of a workspace.
    pub async fn workspace_acl_delete(&self, who: &Subject, id: Uuid) -> Result<()> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::Workspace, id).await?;
        let row = live_workspace(&tx, who, id).await?;
        self.sharing_allowed(&tx, row.api.organization_id).await?;
        let none = AccessList::default();
        self.workspace_acl_write(tx, who, &row, none.clone(), none)
            .await
    }

    async fn workspace_acl_write(
        &self,
        tx: Tx,
        who: &Subject,
        row: &WorkspaceRow,
        users: AccessList,
        found: AccessList,
    ) -> Result<()> {
        tx.workspace_acl_set(who, row, &users, &found).await?;
        let diff = diff((&row.user_acl, &row.group_acl), (&users, &found));
        let entry = AuditEntry::new(AuditAction::Write, "workspace", row.api.id, &row.api.name);
        tx.audit(entry.org(row.api.organization_id).diff(diff).status(204))
            .await?;
        Ok(tx.commit().await?)
    }

    /// Members of an organization for whom workspaces may be made, by those who may make them
    /// for everyone.
    pub async fn workspace_available_owners(
        &self,
        who: &Subject,
        which: &OrganizationRef,
        search: &str,
        page: Page,
    ) -> Result<Vec<MinimalUser>> {
        let system = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, which).await?.id;
        let all = Object::new(ResourceType::Workspace).org(organization);
        who.may(Action::Create, &all)?;
        let search = search.to_lowercase().replace('\0', "");
        let users = conn
            .acl_candidates(&system, organization, &search, page.limit, page.offset)
            .await?;
        let shown = users.into_iter().map(|user| MinimalUser {
            id: user.id,
            username: user.username,
            name: user.name,
            avatar_url: user.avatar_url,
        });
        Ok(shown.collect())
    }

    async fn sharing_allowed(&self, conn: &Conn, organization: Uuid) -> Result<()> {
        if self.settings().policy.no_workspace_sharing {
            return Err(Error::forbidden(
                "Workspace sharing is disabled for this deployment.",
            ));
        }
        let system = Subject::system(System::Core);
        let which = OrganizationRef::Id(organization);
        let row = conn.organization_read(&system, &which).await?;
        if Sharing::from_name(&row.shareable_workspace_owners) == Sharing::None {
            return Err(Error::forbidden(
                "Workspace sharing is disabled for this organization.",
            ));
        }
        Ok(())
    }
}

async fn live_workspace(conn: &Conn, who: &Subject, id: Uuid) -> Result<WorkspaceRow> {
    let row = conn.workspace_read(who, id).await?;
    if row.deleted {
        return Err(Error::new(
            crate::Kind::Gone,
            "The workspace was deleted: there is nothing to share.",
        ));
    }
    Ok(row)
}
