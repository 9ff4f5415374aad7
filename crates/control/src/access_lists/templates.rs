//! Who may use a template.

use api_types::{AclAvailable, TemplateAcl, TemplateRole, TemplateUser, UpdateTemplateAcl};
use authz::{Action, Subject};
use store::templates::TemplateRow;
use store::{AuditAction, AuditEntry, Conn, Held};
use uuid::Uuid;

use super::{Changed, Role as _, available_for, diff, named_in, shared_group};
use crate::users::{Page, shown as shown_user};
use crate::{Control, Error, Result};

impl Control {
    /// Who may use a template; for those who may change it.
    pub async fn template_acl_read(&self, who: &Subject, id: Uuid) -> Result<TemplateAcl> {
        let conn = self.store().conn().await?;
        let row = managed_template(&conn, who, id).await?;
        let (users, found) = named_in(&conn, &row.user_acl, &row.group_acl).await?;
        let users = users.iter().map(|(user, actions)| TemplateUser {
            user: shown_user(user),
            role: TemplateRole::of(actions),
        });
        let users = users.collect();
        let mut group = Vec::with_capacity(found.len());
        for (row, actions) in found {
            let members = conn.group_member_list(who, &row).await?;
            group.push(shared_group(row, &actions, members));
        }
        Ok(TemplateAcl { users, group })
    }

    /// People and groups that a template may be given to.
    pub async fn template_acl_available(
        &self,
        who: &Subject,
        id: Uuid,
        search: &str,
        page: Page,
    ) -> Result<AclAvailable> {
        let conn = self.store().conn().await?;
        let row = managed_template(&conn, who, id).await?;
        available_for(&conn, row.api.organization_id, search, page).await
    }

    /// Changes who may use a template.
    pub async fn template_acl_set(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateTemplateAcl,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::Template, id).await?;
        let row = tx.template_read(who, id).await?;
        if row.api.deleted {
            return Err(Error::not_found());
        }
        who.may(Action::Create, &row.object())?;
        let fields = ("user_perms", "group_perms");
        let changed = Changed::of(&request.user_perms, &request.group_perms, fields)?;
        let old = (&row.user_acl, &row.group_acl);
        let organization = row.api.organization_id;
        let (users, found) = changed.lists(&tx, organization, old, fields).await?;
        tx.template_acl_set(who, &row, &users, &found).await?;
        let diff = diff(old, (&users, &found));
        let entry = AuditEntry::new(AuditAction::Write, "template", id, &row.api.name);
        tx.audit(entry.org(organization).diff(diff)).await?;
        Ok(tx.commit().await?)
    }
}

async fn managed_template(conn: &Conn, who: &Subject, id: Uuid) -> Result<TemplateRow> {
    let row = conn.template_read(who, id).await?;
    if row.api.deleted || who.may(Action::Update, &row.object()).is_err() {
        return Err(Error::not_found());
    }
    Ok(row)
}
