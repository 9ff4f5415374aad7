//! With whom a chat is shared.

use api_types::{ReaderAcl, UpdateReaderAcl};
use authz::{Action, Subject};
use store::chats::ChatRow;
use store::{AuditAction, AuditEntry, Conn};
use uuid::Uuid;

use crate::access_lists::{Changed, diff, named_in, shared_group, shared_user};
use crate::{Control, Error, Result};

/// Where a request names users and groups.
const FIELDS: (&str, &str) = ("user_roles", "group_roles");

impl Control {
    /// With whom a chat is shared; a child has the sharing of its root.
    pub async fn chat_acl_read(&self, who: &Subject, id: Uuid) -> Result<ReaderAcl> {
        let conn = self.store().conn().await?;
        let row = sharable(self, &conn, who, id).await?;
        let (users, found) = named_in(&conn, &row.user_acl, &row.group_acl).await?;
        let users = users.iter();
        let users = users.map(|(user, actions)| shared_user(user, actions));
        let mut groups = Vec::with_capacity(found.len());
        for (group, actions) in found {
            let members = conn.group_member_list(who, &group).await?;
            groups.push(shared_group(group, &actions, members));
        }
        Ok(ReaderAcl {
            users: users.collect(),
            groups,
        })
    }

    /// Changes with whom a chat is shared.
    pub async fn chat_acl_update(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateReaderAcl,
    ) -> Result<()> {
        let conn = self.store().conn().await?;
        let row = sharable(self, &conn, who, id).await?;
        if row.parent_chat_id.is_some() {
            return Err(Error::invalid("Cannot share a child chat.")
                .with_detail("It is shared together with its root chat."));
        }
        let changed = Changed::of(&request.user_roles, &request.group_roles, FIELDS)?;
        if changed.users.contains_key(&row.owner_id) {
            return Err(Error::field(
                "user_roles",
                "You cannot change your own role.",
            ));
        }
        drop(conn);
        let tx = self.store().begin(who).await?;
        let row = tx.chat_lock(who, Action::Share, id).await?;
        let old = (&row.user_acl, &row.group_acl);
        let (users, groups) = changed.lists(&tx, row.organization_id, old, FIELDS).await?;
        tx.chat_acl_set(who, &row, &users, &groups).await?;
        let entry = AuditEntry::new(AuditAction::Write, "chat", id, &row.title)
            .org(row.organization_id)
            .diff(diff(old, (&users, &groups)));
        tx.audit(entry).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn sharable(control: &Control, conn: &Conn, who: &Subject, id: Uuid) -> Result<ChatRow> {
    let row = conn.chat_read(who, id).await?;
    if control.settings().policy.no_chat_sharing {
        return Err(Error::forbidden(
            "Chat sharing is disabled for this deployment.",
        ));
    }
    who.may(Action::Share, &row.object())
        .map_err(|_| Error::not_found())?;
    Ok(row)
}
