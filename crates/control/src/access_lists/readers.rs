//! Who may use a model or an MCP server: lists that know one role, by organization.

use std::future::Future;

use api_types::{AclAvailable, ReaderAcl, UpdateReaderAcl};
use authz::{AccessList, Action, Object, Subject};
use store::ai::ModelRow;
use store::mcp_servers::McpServerRow;
use store::{AuditAction, AuditDiff, AuditEntry, Conn, Held, OrganizationRef, Tx};
use uuid::Uuid;

use super::{Changed, available_for, diff, named_in, shared_group, shared_user};
use crate::users::Page;
use crate::{Control, Error, Result, ai, mcp};

/// What an organization gives to readers.
pub trait Readable: Sized + Send + Sync + 'static {
    /// One of this organization that the subject may read.
    fn find(
        conn: &Conn,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> impl Future<Output = Result<Self>> + Send;
    /// Keeps others from changing it until the transaction ends.
    fn hold(tx: &Tx, id: Uuid) -> impl Future<Output = store::Result<()>> + Send;
    /// As decisions see it.
    fn object(&self) -> Object;
    /// Whose it is.
    fn organization_id(&self) -> Uuid;
    /// Users and groups that may read it.
    fn acl(&self) -> (&AccessList, &AccessList);
    /// Sets these lists.
    fn acl_set(
        &self,
        tx: &Tx,
        who: &Subject,
        users: &AccessList,
        groups: &AccessList,
    ) -> impl Future<Output = store::Result<()>> + Send;
    /// What the audit log says of a change.
    fn changed(&self, diff: AuditDiff) -> AuditEntry;
}

/// What the rows of things answer alike; they differ in where they are found and written.
macro_rules! readable {
    ($row:ty, $held:ident, $find:path, $set:ident, $entry:path) => {
        impl Readable for $row {
            async fn find(
                conn: &Conn,
                who: &Subject,
                organization: &OrganizationRef,
                id: Uuid,
            ) -> Result<Self> {
                $find(conn, who, organization, id).await
            }

            async fn hold(tx: &Tx, id: Uuid) -> store::Result<()> {
                tx.hold(Held::$held, id).await
            }

            fn object(&self) -> Object {
                <$row>::object(self)
            }

            fn organization_id(&self) -> Uuid {
                self.organization_id
            }

            fn acl(&self) -> (&AccessList, &AccessList) {
                (&self.user_acl, &self.group_acl)
            }

            async fn acl_set(
                &self,
                tx: &Tx,
                who: &Subject,
                users: &AccessList,
                groups: &AccessList,
            ) -> store::Result<()> {
                tx.$set(who, self, users, groups).await
            }

            fn changed(&self, diff: AuditDiff) -> AuditEntry {
                $entry(AuditAction::Write, self, diff)
            }
        }
    };
}

readable!(
    ModelRow,
    ChatModel,
    ai::find_model,
    chat_model_acl_set,
    ai::model_entry
);
readable!(
    McpServerRow,
    McpServer,
    mcp::find_server,
    mcp_server_acl_set,
    mcp::server_entry
);

/// A thing that the subject may share; for others it is not there.
async fn shared<T: Readable>(
    conn: &Conn,
    who: &Subject,
    organization: &OrganizationRef,
    id: Uuid,
) -> Result<T> {
    let row = T::find(conn, who, organization, id).await?;
    if who.may(Action::Share, &row.object()).is_err() {
        return Err(Error::not_found());
    }
    Ok(row)
}

impl Control {
    /// Who may use a thing.
    pub async fn reader_acl_read<T: Readable>(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<ReaderAcl> {
        let conn = self.store().conn().await?;
        let row: T = shared(&conn, who, organization, id).await?;
        let (users, groups) = row.acl();
        let (users, groups) = named_in(&conn, users, groups).await?;
        let users = users.iter();
        let users = users.map(|(user, actions)| shared_user(user, actions));
        let groups = groups.into_iter();
        let groups = groups.map(|(row, actions)| shared_group(row, &actions, Vec::new()));
        Ok(ReaderAcl {
            users: users.collect(),
            groups: groups.collect(),
        })
    }

    /// People and groups that a thing may be given to.
    pub async fn reader_acl_available<T: Readable>(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
        search: &str,
        page: Page,
    ) -> Result<AclAvailable> {
        let conn = self.store().conn().await?;
        let row: T = shared(&conn, who, organization, id).await?;
        available_for(&conn, row.organization_id(), search, page).await
    }

    /// Changes who may use a thing.
    pub async fn reader_acl_set<T: Readable>(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
        request: UpdateReaderAcl,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        T::hold(&tx, id).await?;
        let row: T = shared(&tx, who, organization, id).await?;
        let fields = ("user_roles", "group_roles");
        let changed = Changed::of(&request.user_roles, &request.group_roles, fields)?;
        let (users, groups) = changed
            .lists(&tx, row.organization_id(), row.acl(), fields)
            .await?;
        row.acl_set(&tx, who, &users, &groups).await?;
        let diff = diff(row.acl(), (&users, &groups));
        tx.audit(row.changed(diff).status(204)).await?;
        Ok(tx.commit().await?)
    }
}
