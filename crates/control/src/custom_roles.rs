//! Roles that organizations make themselves: what they may grant.

use api_types::{CustomRoleRequest, Permission, Role};
use authz::{Action, Object, ResourceType, Subject};
use store::custom_roles::{CustomRoleRow, ROLE_NAME_TAKEN};
use store::{AuditAction, AuditDiff, AuditEntry, OrganizationRef, OrganizationRow, Tx};

use crate::workspaces::names::check_display_name;
use crate::{Control, Error, Result, names};

/// Most permissions of one role: more than there are kinds and actions together.
const MAX_PERMISSIONS: usize = 1000;

const TRACKED: &[&str] = &["name", "display_name", "permissions"];

impl Control {
    /// Makes a role of an organization.
    pub async fn custom_role_create(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        request: CustomRoleRequest,
    ) -> Result<Role> {
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let permissions = checked(who, &organization, &request)?;
        names::name(&request.name).map_err(|why| Error::field("name", why))?;
        let row = tx
            .custom_role_create(
                who,
                organization.id,
                &request.name,
                &request.display_name,
                &permissions,
            )
            .await
            .map_err(|error| {
                if ROLE_NAME_TAKEN.iter().any(|name| error.is_conflict(name)) {
                    Error::conflict("A role with this name exists already.")
                        .with_field("name", "This value is already in use and should be unique.")
                } else {
                    error.into()
                }
            })?;
        self.custom_role_changed(tx, AuditAction::Create, None, Some(row.clone()))
            .await?;
        Ok(shown(row))
    }

    /// Changes a role of an organization; its name stays.
    pub async fn custom_role_update(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        request: CustomRoleRequest,
    ) -> Result<Role> {
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let permissions = checked(who, &organization, &request)?;
        let old = find(&tx, who, &organization, &request.name).await?;
        let row = tx
            .custom_role_update(
                who,
                organization.id,
                &request.name,
                &request.display_name,
                &permissions,
            )
            .await?;
        self.custom_role_changed(tx, AuditAction::Write, Some(old), Some(row.clone()))
            .await?;
        Ok(shown(row))
    }

    /// Deletes a role of an organization, also from its holders.
    pub async fn custom_role_delete(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        name: &str,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        if authz::is_built_in(name) {
            return Err(Error::invalid(format!(
                "Built-in role {name:?} cannot be deleted."
            )));
        }
        let old = find(&tx, who, &organization, name).await?;
        tx.custom_role_delete(who, organization.id, name).await?;
        self.custom_role_changed(tx, AuditAction::Delete, Some(old), None)
            .await
    }

    async fn custom_role_changed(
        &self,
        tx: Tx,
        action: AuditAction,
        old: Option<CustomRoleRow>,
        new: Option<CustomRoleRow>,
    ) -> Result<()> {
        let Some(row) = new.as_ref().or(old.as_ref()) else {
            return Ok(());
        };
        let diff = AuditDiff::between(&old, &new, TRACKED, &[]);
        let entry = AuditEntry::new(action, "custom_role", row.organization_id, &row.name);
        tx.audit(entry.org(row.organization_id).diff(diff)).await?;
        tx.sessions_forget(None).await?;
        tx.commit().await?;
        self.sessions_forget(None);
        Ok(())
    }
}

async fn find(
    tx: &Tx,
    who: &Subject,
    organization: &OrganizationRow,
    name: &str,
) -> Result<CustomRoleRow> {
    let all = tx.custom_role_list(who, organization.id).await?;
    all.into_iter()
        .find(|role| role.name == name)
        .ok_or_else(Error::not_found)
}

/// The permissions of a request as stored. Nobody gives what they do not have themselves.
fn checked(
    who: &Subject,
    organization: &OrganizationRow,
    request: &CustomRoleRequest,
) -> Result<Vec<String>> {
    let object = Object::new(ResourceType::AssignOrgRole).org(organization.id);
    who.may(Action::Create, &object)
        .or_else(|_| who.may(Action::Update, &object))?;
    if authz::is_built_in(&request.name) {
        return Err(Error::invalid(format!(
            "The name {:?} is that of a built-in role; choose another.",
            request.name
        )));
    }
    check_display_name("display_name", "role_display_name", &request.display_name)?;
    for (given, field) in [
        (&request.site_permissions, "site_permissions"),
        (&request.user_permissions, "user_permissions"),
        (
            &request.organization_member_permissions,
            "organization_member_permissions",
        ),
    ] {
        if !given.is_empty() {
            let why = "roles of organizations grant organization_permissions only";
            return Err(Error::field(field, why));
        }
    }
    if request.organization_permissions.len() > MAX_PERMISSIONS {
        return Err(Error::field("organization_permissions", "are too many"));
    }
    let mut stored = Vec::new();
    for permission in &request.organization_permissions {
        let name = granted(who, organization, permission)
            .map_err(|why| Error::field("organization_permissions", why))?;
        stored.push(name);
    }
    stored.sort();
    stored.dedup();
    Ok(stored)
}

fn granted(
    who: &Subject,
    organization: &OrganizationRow,
    permission: &Permission,
) -> Result<String, String> {
    let Permission {
        negate,
        resource_type,
        action,
    } = permission;
    if *negate {
        return Err("negative permissions are for built-in roles only".to_owned());
    }
    let kind: ResourceType = resource_type.parse().map_err(|_| {
        let shown: String = resource_type.chars().take(64).collect();
        format!("{shown:?} is no type of resource; \"*\" cannot be used")
    })?;
    let known = action.parse().ok().filter(|a| kind.actions().has(*a));
    let known: Action = known.ok_or_else(|| {
        let shown: String = action.chars().take(64).collect();
        format!("{shown:?} is no action on {resource_type:?}; \"*\" cannot be used")
    })?;
    who.may(known, &Object::new(kind).org(organization.id))
        .map_err(|_| format!("you do not have {resource_type}:{action} yourself"))?;
    Ok(format!("{resource_type}:{action}"))
}

/// What a role grants, as the API shows it.
pub(crate) fn permissions(row: &CustomRoleRow) -> Vec<Permission> {
    let named = row.permissions.iter().filter_map(|name| {
        let (resource_type, action) = name.split_once(':')?;
        Some(Permission {
            negate: false,
            resource_type: resource_type.to_owned(),
            action: action.to_owned(),
        })
    });
    named.collect()
}

fn shown(row: CustomRoleRow) -> Role {
    Role {
        organization_permissions: permissions(&row),
        name: row.name,
        organization_id: row.organization_id.to_string(),
        display_name: row.display_name,
        ..Role::default()
    }
}
