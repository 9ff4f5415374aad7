//! Site roles of users, and roles as lists to choose from.

use api_types::{AssignableRoles, User, UserRoles};
use authz::{Action, Object, ResourceType, RoleInfo, Subject, may_assign, role_names};
use store::custom_roles::CustomRoleRow;
use store::{OrganizationRef, UserRef};
use uuid::Uuid;

use super::change::{another_owner, held_among_owners};
use crate::{Control, Error, Result};

/// Checks that `who` may bring site roles from `old` to `new`.
pub(super) fn check_site(who: &Subject, old: &[String], new: &[String]) -> Result<()> {
    check(who, old, new, None, authz::site_roles(), &[])
}

/// The same for the roles of a member of an organization, which has these of its own.
pub(crate) fn check_organization(
    who: &Subject,
    id: Uuid,
    old: &[String],
    new: &[String],
    custom: &[CustomRoleRow],
) -> Result<()> {
    check(who, old, new, Some(id), authz::org_roles(), custom)
}

fn check(
    who: &Subject,
    old: &[String],
    new: &[String],
    organization: Option<Uuid>,
    known: &[RoleInfo],
    custom: &[CustomRoleRow],
) -> Result<()> {
    for role in new {
        if !known.iter().any(|info| info.name == role)
            && !custom.iter().any(|own| own.name == *role)
        {
            return Err(Error::invalid(format!(
                "Role {role:?} does not exist or cannot be given."
            )));
        }
    }
    let given = new
        .iter()
        .filter(|role| !old.contains(role))
        .map(|role| (Action::Assign, role));
    let taken = old
        .iter()
        .filter(|role| !new.contains(role))
        .map(|role| (Action::Unassign, role));
    for (action, role) in given.chain(taken) {
        if !may_assign(who, action, role, organization) {
            return Err(Error::forbidden("Forbidden.")
                .with_detail(format!("You may not {action} the role {role:?}.")));
        }
    }
    Ok(())
}

impl Control {
    /// Sets the site roles of a user.
    pub async fn user_roles_set(
        &self,
        who: &Subject,
        which: &UserRef,
        roles: &[String],
    ) -> Result<User> {
        let tx = self.store().begin(who).await?;
        let old = held_among_owners(&tx, who, which).await?;
        if who.user_id() == Some(old.id) {
            return Err(Error::invalid("You cannot change your own roles."));
        }
        let mut roles: Vec<String> = roles
            .iter()
            .filter(|role| *role != "member")
            .cloned()
            .collect();
        roles.sort();
        roles.dedup();
        check_site(who, &old.roles, &roles)?;
        if !roles.iter().any(|role| role == role_names::OWNER) {
            another_owner(&tx, who, &old).await?;
        }
        tx.user_roles_set(who, old.id, &roles).await?;
        self.user_changed(tx, old).await
    }

    /// All roles of a user.
    pub async fn user_roles_read(&self, who: &Subject, which: &UserRef) -> Result<UserRoles> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        let organizations = conn.member_roles_of(who, user.id).await?;
        Ok(UserRoles {
            roles: user.roles,
            organization_roles: organizations.into_iter().collect(),
        })
    }

    /// Site roles, each with whether `who` may give it.
    pub fn site_role_list(&self, who: &Subject) -> Result<Vec<AssignableRoles>> {
        who.may(Action::Read, &Object::new(ResourceType::AssignRole))?;
        Ok(assignable(who, None, authz::site_roles()))
    }

    /// Roles of an organization, each with whether `who` may give it.
    pub async fn organization_role_list(
        &self,
        who: &Subject,
        which: &OrganizationRef,
    ) -> Result<Vec<AssignableRoles>> {
        let conn = self.store().conn().await?;
        let id = conn.organization_read(who, which).await?.id;
        who.may(
            Action::Read,
            &Object::new(ResourceType::AssignOrgRole).org(id),
        )
        .map_err(|_| Error::not_found())?;
        let mut roles = assignable(who, Some(id), authz::org_roles());
        let custom = conn.custom_role_list(who, id).await?;
        roles.extend(custom.into_iter().map(|role| AssignableRoles {
            assignable: may_assign(who, Action::Assign, &role.name, Some(id)),
            organization_id: id.to_string(),
            organization_permissions: crate::custom_roles::permissions(&role),
            name: role.name,
            display_name: role.display_name,
            ..AssignableRoles::default()
        }));
        Ok(roles)
    }
}

fn assignable(
    who: &Subject,
    organization: Option<Uuid>,
    roles: &[RoleInfo],
) -> Vec<AssignableRoles> {
    roles
        .iter()
        .map(|role| AssignableRoles {
            name: role.name.to_owned(),
            display_name: role.display_name.to_owned(),
            organization_id: organization.map(|id| id.to_string()).unwrap_or_default(),
            assignable: may_assign(who, Action::Assign, role.name, organization),
            built_in: true,
            ..AssignableRoles::default()
        })
        .collect()
}
