//! Who belongs to an organization, with which roles.

use api_types::OrganizationMember;
use authz::{Subject, System};
use store::memberships::ALREADY_MEMBER;
use store::{AuditAction, AuditDiff, AuditEntry, MemberRow, OrganizationRef, UserRef};

use crate::organizations::organization_roles;
use crate::users::{check_organization_roles, held as held_user};
use crate::{Control, Error, Result};

const TRACKED: &[&str] = &["username", "user_id", "created_at", "updated_at", "roles"];

impl Control {
    /// Makes a user a member.
    pub async fn member_create(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        user: &UserRef,
    ) -> Result<OrganizationMember> {
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let user = tx.user_read(who, user).await?;
        tx.member_create(who, organization.id, user.id)
            .await
            .map_err(|error| {
                if error.is_conflict(ALREADY_MEMBER) {
                    Error::invalid("Organization member already exists in this organization.")
                } else {
                    error.into()
                }
            })?;
        self.member_changed(tx, AuditAction::Create, None, organization.id, user.id)
            .await
    }

    /// Ends a membership.
    pub async fn member_delete(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        user: &UserRef,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let user = tx.user_read(who, user).await?;
        let old = tx
            .organization_member_read(who, organization.id, user.id)
            .await?;
        if who.user_id() == Some(user.id) {
            return Err(Error::invalid(
                "You cannot remove yourself from an organization.",
            ));
        }
        tx.member_delete(who, organization.id, user.id).await?;
        let diff = AuditDiff::between(&old, &(), TRACKED, &[]);
        let entry = AuditEntry::new(
            AuditAction::Delete,
            "organization_member",
            user.id,
            &user.username,
        );
        tx.audit(entry.org(organization.id).diff(diff).status(204))
            .await?;
        tx.sessions_forget(Some(user.id)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(user.id));
        Ok(())
    }

    /// Sets the roles of a member.
    pub async fn member_roles_set(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        user: &UserRef,
        roles: &[String],
    ) -> Result<OrganizationMember> {
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let user = held_user(&tx, who, user).await?;
        let old = tx
            .organization_member_read(who, organization.id, user.id)
            .await?;
        if who.user_id() == Some(user.id) {
            return Err(Error::invalid(
                "You cannot change your own organization roles.",
            ));
        }
        let mut roles = roles.to_vec();
        roles.sort();
        roles.dedup();
        let custom = tx.custom_role_list(who, organization.id).await?;
        check_organization_roles(who, organization.id, &old.roles, &roles, &custom)?;
        tx.member_roles_set(who, organization.id, user.id, &roles)
            .await?;
        self.member_changed(tx, AuditAction::Write, Some(old), organization.id, user.id)
            .await
    }

    async fn member_changed(
        &self,
        tx: store::Tx,
        action: AuditAction,
        old: Option<MemberRow>,
        organization: uuid::Uuid,
        user: uuid::Uuid,
    ) -> Result<OrganizationMember> {
        let system = Subject::system(System::Core);
        let new = tx
            .organization_member_read(&system, organization, user)
            .await?;
        let custom = tx.custom_role_list(&system, organization).await?;
        let diff = AuditDiff::between(&old, &new, TRACKED, &[]);
        let entry = AuditEntry::new(action, "organization_member", user, &new.username);
        tx.audit(entry.org(organization).diff(diff).status(200))
            .await?;
        tx.sessions_forget(Some(user)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(user));
        Ok(OrganizationMember {
            user_id: user,
            organization_id: organization,
            created_at: new.created_at,
            updated_at: new.updated_at,
            roles: organization_roles(organization, &new.roles, &custom),
        })
    }
}
