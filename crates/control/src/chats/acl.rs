//! With whom a chat is shared.

use std::collections::BTreeMap;

use api_types::{ChatAcl, ChatGroup, ChatRole, ChatUser, UpdateChatAcl};
use authz::{AccessList, Action, Subject, System};
use store::chats::ChatRow;
use store::{AuditAction, AuditDiff, AuditEntry, Conn};
use uuid::Uuid;

use crate::users::reduced;
use crate::{Control, Error, Result, groups};

/// Most entries of one change.
const MAX_CHANGES: usize = 1000;

fn core() -> Subject {
    Subject::system(System::Core)
}

impl Control {
    /// With whom a chat is shared; a child has the sharing of its root.
    pub async fn chat_acl_read(&self, who: &Subject, id: Uuid) -> Result<ChatAcl> {
        let conn = self.store().conn().await?;
        let row = sharable(self, &conn, who, id).await?;
        let users: Vec<Uuid> = row.user_acl.0.keys().copied().collect();
        let groups: Vec<Uuid> = row.group_acl.0.keys().copied().collect();
        let users = conn.acl_users(&core(), &users).await?;
        let mut shown = Vec::new();
        for group in conn.acl_groups(&core(), &groups).await? {
            let members = conn.group_member_list(who, &group).await?;
            let group = groups::shown(group, members);
            shown.push(ChatGroup {
                id: group.id,
                name: group.name,
                display_name: group.display_name,
                organization_id: group.organization_id,
                members: group.members,
                total_member_count: group.total_member_count,
                avatar_url: group.avatar_url,
                quota_allowance: group.quota_allowance,
                source: group.source,
                organization_name: group.organization_name,
                organization_display_name: group.organization_display_name,
                role: ChatRole::Read,
            });
        }
        Ok(ChatAcl {
            users: users
                .iter()
                .map(|user| {
                    let user = reduced(user);
                    ChatUser {
                        id: user.id,
                        username: user.username,
                        name: user.name,
                        avatar_url: user.avatar_url,
                        role: ChatRole::Read,
                    }
                })
                .collect(),
            groups: shown,
        })
    }

    /// Changes with whom a chat is shared.
    pub async fn chat_acl_update(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateChatAcl,
    ) -> Result<()> {
        let conn = self.store().conn().await?;
        let row = sharable(self, &conn, who, id).await?;
        if row.parent_chat_id.is_some() {
            return Err(Error::invalid("Cannot share a child chat.")
                .with_detail("It is shared together with its root chat."));
        }
        let users = parse("user_roles", &request.user_roles)?;
        let groups = parse("group_roles", &request.group_roles)?;
        let given = |changes: &[(Uuid, bool)]| -> Vec<Uuid> {
            changes
                .iter()
                .filter(|(_, on)| *on)
                .map(|(id, _)| *id)
                .collect()
        };
        if users.iter().any(|(id, _)| *id == row.owner_id) {
            return Err(Error::field(
                "user_roles",
                "You cannot change your own role.",
            ));
        }
        let found = conn.acl_users(&core(), &given(&users)).await?;
        for id in given(&users) {
            let member = found
                .iter()
                .any(|user| user.id == id && user.organization_ids.contains(&row.organization_id));
            if !member {
                return Err(Error::field(
                    "user_roles",
                    format!("User {id} is not a member of the chat's organization."),
                ));
            }
        }
        let found = conn.acl_groups(&core(), &given(&groups)).await?;
        for id in given(&groups) {
            let here = found
                .iter()
                .any(|group| group.id == id && group.organization_id == row.organization_id);
            if !here {
                return Err(Error::field(
                    "group_roles",
                    format!("Group {id} is not of the chat's organization."),
                ));
            }
        }
        drop(conn);
        let tx = self.store().begin(who).await?;
        let row = tx.chat_lock(who, Action::Share, id).await?;
        let (user_acl, group_acl) = (
            changed(&row.user_acl, &users),
            changed(&row.group_acl, &groups),
        );
        tx.chat_acl_set(who, &row, &user_acl, &group_acl).await?;
        let before = serde_json::json!({ "user_acl": row.user_acl, "group_acl": row.group_acl });
        let after = serde_json::json!({ "user_acl": user_acl, "group_acl": group_acl });
        let tracked = ["user_acl", "group_acl"];
        let entry = AuditEntry::new(AuditAction::Write, "chat", id, &row.title)
            .org(row.organization_id)
            .diff(AuditDiff::between(&before, &after, &tracked, &[]));
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

/// Roles by id: given or taken.
fn parse(field: &str, roles: &BTreeMap<String, ChatRole>) -> Result<Vec<(Uuid, bool)>> {
    if roles.len() > MAX_CHANGES {
        return Err(Error::field(
            field,
            format!("At most {MAX_CHANGES} entries can be changed at once."),
        ));
    }
    roles
        .iter()
        .map(|(id, role)| {
            let id = id
                .parse()
                .map_err(|_| Error::field(field, format!("{id:?} is not a UUID.")))?;
            match role {
                ChatRole::Read => Ok((id, true)),
                ChatRole::Unset => Ok((id, false)),
                ChatRole::Other(other) => Err(Error::field(
                    field,
                    format!("role {other:?} is not a valid chat role; give \"read\" or \"\"."),
                )),
            }
        })
        .collect()
}

fn changed(old: &AccessList, changes: &[(Uuid, bool)]) -> AccessList {
    let mut list = old.clone();
    for (id, on) in changes {
        if *on {
            list.0.insert(*id, vec![Action::Read.name().to_owned()]);
        } else {
            list.0.remove(id);
        }
    }
    list
}
