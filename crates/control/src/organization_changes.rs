//! Organizations: making, changing, deleting, and how their workspaces may be shared.

use api_types::{
    CreateOrganizationRequest, Organization, ShareableWorkspaceOwners, UpdateOrganizationRequest,
    UpdateWorkspaceSharingSettingsRequest, WorkspaceSharingSettings,
};
use authz::{Action, Sharing, Subject, System};
use store::organization_changes::ORGANIZATION_NAME_TAKEN;
use store::{
    AuditAction, AuditDiff, AuditEntry, Conn, Held, OrganizationRef, OrganizationRow, StoreError,
    Tx,
};
use uuid::Uuid;

use crate::organizations::organization;
use crate::users::check_organization_roles;
use crate::workspaces::names::{MAX_DESCRIPTION, MAX_ICON, check_display_name, check_text};
use crate::{Control, Error, Result, names};

const TRACKED: &[&str] = &[
    "id",
    "name",
    "display_name",
    "description",
    "icon",
    "default_org_member_roles",
    "shareable_workspace_owners",
];

impl Control {
    /// Makes an organization whose first member is whoever makes it.
    pub async fn organization_create(
        &self,
        who: &Subject,
        request: CreateOrganizationRequest,
    ) -> Result<Organization> {
        who.may(
            Action::Create,
            &authz::Object::new(authz::ResourceType::Organization),
        )?;
        let mut request = request;
        check_name(&request.name)?;
        check_texts(&request.display_name, &request.description, &request.icon)?;
        if request.display_name.is_empty() {
            request.display_name.clone_from(&request.name);
        }
        let system = Subject::system(System::Core);
        let id = Uuid::new_v4();
        let tx = self.store().begin(who).await?;
        tx.organization_create(who, id, &request)
            .await
            .map_err(taken)?;
        if let Some(user) = who.user_id() {
            tx.member_create(&system, id, user).await?;
        }
        let row = by_id(&tx, id).await?;
        self.organization_changed(tx, who, AuditAction::Create, None, row)
            .await
    }

    /// Changes an organization; what is absent stays.
    pub async fn organization_update(
        &self,
        who: &Subject,
        which: &OrganizationRef,
        request: UpdateOrganizationRequest,
    ) -> Result<Organization> {
        let tx = self.store().begin(who).await?;
        let old = held(&tx, who, which).await?;
        who.may(Action::Update, &old.object())?;
        let mut new = old.clone();
        if !request.name.is_empty() && request.name != old.name {
            check_name(&request.name)?;
            new.name = request.name;
        }
        if !request.display_name.is_empty() {
            new.display_name = request.display_name;
        }
        if let Some(description) = request.description {
            new.description = description;
        }
        if let Some(icon) = request.icon {
            new.icon = icon;
        }
        check_texts(&new.display_name, &new.description, &new.icon)?;
        if let Some(roles) = request.default_org_member_roles {
            let roles = default_roles(roles)?;
            // All members have them: whoever sets them must be able to give each.
            check_organization_roles(who, old.id, &old.default_org_member_roles, &roles, &[])?;
            new.default_org_member_roles = roles;
        }
        tx.organization_update(who, &new).await.map_err(taken)?;
        let row = by_id(&tx, old.id).await?;
        self.organization_changed(tx, who, AuditAction::Write, Some(old), row)
            .await
    }

    /// Deletes an organization that holds nothing any more.
    pub async fn organization_delete(&self, who: &Subject, which: &OrganizationRef) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let old = tx.organization_read(who, which).await?;
        who.may(Action::Delete, &old.object())?;
        if old.is_default {
            return Err(Error::invalid("Default organization cannot be deleted."));
        }
        let held = tx.organization_contents(who, &old).await?;
        let held = [
            (held.workspaces, "workspaces"),
            (held.templates, "templates"),
            (held.groups, "groups"),
            (held.members, "other members"),
        ];
        let left: Vec<String> = held
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if !left.is_empty() {
            return Err(Error::invalid(
                "The organization still holds something. Delete or move it first.",
            )
            .with_detail(left.join(", ")));
        }
        tx.organization_delete(who, &old).await?;
        let diff = AuditDiff::between(&old, &(), TRACKED, &[]);
        let entry = AuditEntry::new(AuditAction::Delete, "organization", old.id, &old.name);
        tx.audit(entry.org(old.id).diff(diff)).await?;
        tx.sessions_forget(None).await?;
        tx.commit().await?;
        self.sessions_forget(None);
        Ok(())
    }

    /// Whose workspaces may be shared in an organization.
    pub async fn organization_sharing_read(
        &self,
        who: &Subject,
        which: &OrganizationRef,
    ) -> Result<WorkspaceSharingSettings> {
        let row = self
            .store()
            .conn()
            .await?
            .organization_read(who, which)
            .await?;
        Ok(self.sharing(&row))
    }

    /// Sets whose workspaces may be shared; what is shared beyond that ends.
    pub async fn organization_sharing_set(
        &self,
        who: &Subject,
        which: &OrganizationRef,
        request: UpdateWorkspaceSharingSettingsRequest,
    ) -> Result<WorkspaceSharingSettings> {
        use ShareableWorkspaceOwners::{Everyone, None as Nobody, ServiceAccounts, Unset};
        let wanted = match (request.shareable_workspace_owners, request.sharing_disabled) {
            (Everyone, _) | (Unset, Some(false)) => Sharing::Everyone,
            (ServiceAccounts, _) => Sharing::ServiceAccounts,
            (Nobody, _) | (Unset, Some(true)) => Sharing::None,
            (_, _) => {
                return Err(Error::field(
                    "shareable_workspace_owners",
                    "must be none, everyone or service_accounts",
                ));
            }
        };
        let tx = self.store().begin(who).await?;
        let old = held(&tx, who, which).await?;
        let mut new = old.clone();
        new.shareable_workspace_owners = wanted.name().to_owned();
        tx.organization_update(who, &new).await?;
        if wanted != Sharing::Everyone {
            tx.organization_unshare(who, &new).await?;
        }
        let row = by_id(&tx, old.id).await?;
        let settings = self.sharing(&row);
        self.organization_changed(tx, who, AuditAction::Write, Some(old), row)
            .await?;
        Ok(settings)
    }

    fn sharing(&self, row: &OrganizationRow) -> WorkspaceSharingSettings {
        let globally = self.settings().policy.no_workspace_sharing;
        WorkspaceSharingSettings {
            sharing_globally_disabled: globally,
            sharing_disabled: globally || row.shareable_workspace_owners == Sharing::None.name(),
            shareable_workspace_owners: row.shareable_workspace_owners.as_str().into(),
        }
    }

    async fn organization_changed(
        &self,
        tx: Tx,
        who: &Subject,
        action: AuditAction,
        old: Option<OrganizationRow>,
        new: OrganizationRow,
    ) -> Result<Organization> {
        let diff = AuditDiff::between(&old, &new, TRACKED, &[]);
        let entry = AuditEntry::new(action, "organization", new.id, &new.name);
        tx.audit(entry.org(new.id).diff(diff)).await?;
        // Rights of all its members may follow from it.
        let whose = if old.is_some() { None } else { who.user_id() };
        tx.sessions_forget(whose).await?;
        tx.commit().await?;
        self.sessions_forget(whose);
        Ok(organization(new))
    }
}

/// An organization that nobody else changes until the transaction ends.
async fn held(tx: &Tx, who: &Subject, which: &OrganizationRef) -> Result<OrganizationRow> {
    let id = tx.organization_read(who, which).await?.id;
    tx.hold(Held::Organization, id).await?;
    Ok(tx.organization_read(who, &OrganizationRef::Id(id)).await?)
}

async fn by_id(conn: &Conn, id: Uuid) -> Result<OrganizationRow> {
    let system = Subject::system(System::Core);
    Ok(conn
        .organization_read(&system, &OrganizationRef::Id(id))
        .await?)
}

fn check_name(name: &str) -> Result<()> {
    if name == "default" {
        return Err(Error::field("name", "\"default\" is a reserved name"));
    }
    names::name(name).map_err(|why| Error::field("name", why))
}

fn check_texts(display_name: &str, description: &str, icon: &str) -> Result<()> {
    check_display_name("display_name", "organization_display_name", display_name)?;
    check_text("description", description, MAX_DESCRIPTION)?;
    check_text("icon", icon, MAX_ICON)
}

/// Only roles of ours can be everyone's.
fn default_roles(mut roles: Vec<String>) -> Result<Vec<String>> {
    roles.sort();
    roles.dedup();
    let known = authz::org_roles();
    match roles
        .iter()
        .find(|role| !known.iter().any(|info| info.name == *role))
    {
        Some(role) => Err(Error::field(
            "default_org_member_roles",
            format!("{role:?} is not a built-in role of organizations"),
        )),
        None => Ok(roles),
    }
}

fn taken(error: StoreError) -> Error {
    if error.is_conflict(ORGANIZATION_NAME_TAKEN) {
        Error::conflict("Organization already exists with that name.")
            .with_field("name", "This value is already in use and should be unique.")
    } else {
        error.into()
    }
}
