//! Who may use a server.

use api_types::{AclAvailable, McpServerConfigAcl, UpdateMcpServerConfigAcl};
use authz::{Action, Subject};
use store::mcp_servers::McpServerRow;
use store::{AuditAction, Conn, OrganizationRef};
use uuid::Uuid;

use super::servers::{entry, find};
use crate::access_lists::{Changed, diff};
use crate::ai::{available_for, readers_of};
use crate::users::Page;
use crate::{Control, Error, Result};

/// A server that the subject may share; for others it is not there.
async fn shared(
    conn: &Conn,
    who: &Subject,
    organization: &OrganizationRef,
    id: Uuid,
) -> Result<McpServerRow> {
    let row = find(conn, who, organization, id).await?;
    if who.may(Action::Share, &row.object()).is_err() {
        return Err(Error::not_found());
    }
    Ok(row)
}

impl Control {
    /// Who may use a server.
    pub async fn mcp_server_acl_read(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<McpServerConfigAcl> {
        let conn = self.store().conn().await?;
        let row = shared(&conn, who, organization, id).await?;
        readers_of(&conn, &row.user_acl, &row.group_acl).await
    }

    /// People and groups that a server may be given to.
    pub async fn mcp_server_acl_available(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
        search: &str,
        page: Page,
    ) -> Result<AclAvailable> {
        let conn = self.store().conn().await?;
        let row = shared(&conn, who, organization, id).await?;
        available_for(&conn, row.organization_id, search, page).await
    }

    /// Changes who may use a server.
    pub async fn mcp_server_acl_set(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
        request: UpdateMcpServerConfigAcl,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = shared(&tx, who, organization, id).await?;
        let fields = ("user_roles", "group_roles");
        let changed = Changed::of(&request.user_roles, &request.group_roles, fields)?;
        let old = (&row.user_acl, &row.group_acl);
        let (users, groups) = changed.lists(&tx, row.organization_id, old, fields).await?;
        tx.mcp_server_acl_set(who, &row, &users, &groups).await?;
        let diff = diff(old, (&users, &groups));
        tx.audit(entry(AuditAction::Write, &row, diff).status(204))
            .await?;
        Ok(tx.commit().await?)
    }
}
