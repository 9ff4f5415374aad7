//! Who may use a model.

use api_types::{
    AclAvailable, ChatModelAcl, ChatModelGroup, ChatModelRole, ChatModelUser, UpdateChatModelAcl,
};
use authz::{AccessList, Action, Subject, System};
use store::ai::ModelRow;
use store::{AuditAction, AuditEntry, Conn, OrganizationRef};
use uuid::Uuid;

use super::models::find;
use crate::access_lists::{Changed, Role, diff, named_in};
use crate::users::{Page, reduced};
use crate::{Control, Error, Result, groups};

impl Role for ChatModelRole {
    const NAMES: &'static str = "read";

    fn actions(&self) -> Option<Vec<String>> {
        (*self == ChatModelRole::Read).then(|| vec![Action::Read.name().to_owned()])
    }

    fn is_none(&self) -> bool {
        *self == ChatModelRole::Unset
    }

    fn of(actions: &[String]) -> Self {
        if actions.is_empty() {
            ChatModelRole::Unset
        } else {
            ChatModelRole::Read
        }
    }
}

/// A model that the subject may share; for others it is not there.
async fn shared(
    conn: &Conn,
    who: &Subject,
    organization: &OrganizationRef,
    id: Uuid,
) -> Result<ModelRow> {
    let row = find(conn, who, organization, id).await?;
    if who.may(Action::Share, &row.object()).is_err() {
        return Err(Error::not_found());
    }
    Ok(row)
}

impl Control {
    /// Who may use a model.
    pub async fn chat_model_acl_read(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<ChatModelAcl> {
        let conn = self.store().conn().await?;
        let row = shared(&conn, who, organization, id).await?;
        readers_of(&conn, &row.user_acl, &row.group_acl).await
    }

    /// People and groups that a model may be given to.
    pub async fn chat_model_acl_available(
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

    /// Changes who may use a model.
    pub async fn chat_model_acl_set(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
        request: UpdateChatModelAcl,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = shared(&tx, who, organization, id).await?;
        let fields = ("user_roles", "group_roles");
        let changed = Changed::of(&request.user_roles, &request.group_roles, fields)?;
        let old = (&row.user_acl, &row.group_acl);
        let (users, found) = changed.lists(&tx, row.organization_id, old, fields).await?;
        tx.chat_model_acl_set(who, &row, &users, &found).await?;
        let diff = diff(old, (&users, &found));
        let entry = AuditEntry::new(AuditAction::Write, "chat_model_config", row.id, &row.model);
        tx.audit(entry.org(row.organization_id).diff(diff).status(204))
            .await?;
        Ok(tx.commit().await?)
    }
}

/// The users and groups of access lists that give reading.
pub(crate) async fn readers_of(
    conn: &Conn,
    users: &AccessList,
    groups: &AccessList,
) -> Result<ChatModelAcl> {
    let (users, found) = named_in(conn, users, groups).await?;
    Ok(ChatModelAcl {
        users: users
            .into_iter()
            .map(|(user, actions)| ChatModelUser {
                id: user.id,
                username: user.username,
                name: user.name,
                avatar_url: user.avatar_url,
                role: ChatModelRole::of(&actions),
            })
            .collect(),
        groups: found
            .into_iter()
            .map(|(row, actions)| ChatModelGroup {
                group: groups::shown(row, Vec::new()),
                role: ChatModelRole::of(&actions),
            })
            .collect(),
    })
}

/// Members and groups of an organization, to be offered for an access list.
pub(crate) async fn available_for(
    conn: &Conn,
    organization: Uuid,
    search: &str,
    page: Page,
) -> Result<AclAvailable> {
    let system = Subject::system(System::Core);
    let search = search.to_lowercase().replace('\0', "");
    let users = conn
        .acl_candidates(&system, organization, &search, page.limit, page.offset)
        .await?;
    let found = conn.group_list(&system, Some(organization), None).await?;
    Ok(AclAvailable {
        users: users.iter().map(reduced).collect(),
        groups: found
            .into_iter()
            .filter(|row| {
                row.name.to_lowercase().contains(&search)
                    || row.display_name.to_lowercase().contains(&search)
            })
            .map(|row| groups::shown(row, Vec::new()))
            .collect(),
    })
}
