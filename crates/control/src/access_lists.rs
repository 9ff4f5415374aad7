//! Who else may use a template or a workspace.

use std::collections::{BTreeMap, BTreeSet};

use api_types::{
    AclAvailable, MinimalUser, TemplateAcl, TemplateGroup, TemplateRole, TemplateUser,
    UpdateTemplateAcl, UpdateWorkspaceAcl, WorkspaceAcl, WorkspaceGroup, WorkspaceRole,
    WorkspaceUser,
};
use authz::{AccessList, Action, Object, ResourceType, Sharing, Subject, System};
use store::groups::GroupRow;
use store::templates::TemplateRow;
use store::workspaces::WorkspaceRow;
use store::{AuditAction, AuditDiff, AuditEntry, Conn, OrganizationRef, Tx, UserRow};
use uuid::Uuid;

use crate::users::{Page, reduced, shown as shown_user};
use crate::{Control, Error, Result, groups};

/// Most entries of one change.
const MAX_CHANGES: usize = 1000;

const TRACKED: &[&str] = &["user_acl", "group_acl"];

/// A role on a template or a workspace.
pub(crate) trait Role: PartialEq {
    /// The roles that there are, for errors.
    const NAMES: &'static str;
    /// The actions it gives; `None` if there is no such role.
    fn actions(&self) -> Option<Vec<String>>;
    /// Whether it takes all away.
    fn is_none(&self) -> bool;
    /// The role that these actions are.
    fn of(actions: &[String]) -> Self;
}

fn named(actions: &[Action]) -> Vec<String> {
    actions.iter().map(|a| a.name().to_owned()).collect()
}

impl Role for TemplateRole {
    const NAMES: &'static str = "admin, use";

    fn actions(&self) -> Option<Vec<String>> {
        match self {
            TemplateRole::Admin => Some(vec!["*".to_owned()]),
            TemplateRole::Use => Some(named(&[Action::Read, Action::Use])),
            _ => None,
        }
    }

    fn is_none(&self) -> bool {
        *self == TemplateRole::Unset
    }

    fn of(actions: &[String]) -> Self {
        let has = |action: &str| actions.iter().any(|a| a == action);
        if has("*") {
            TemplateRole::Admin
        } else if has("use") {
            TemplateRole::Use
        } else {
            TemplateRole::Unset
        }
    }
}

impl Role for WorkspaceRole {
    const NAMES: &'static str = "admin, use";

    fn actions(&self) -> Option<Vec<String>> {
        match self {
            WorkspaceRole::Admin => {
                let all = ResourceType::Workspace.actions().iter();
                Some(named(
                    &all.filter(|a| *a != Action::Delete).collect::<Vec<_>>(),
                ))
            }
            WorkspaceRole::Use => Some(named(&[
                Action::Read,
                Action::Ssh,
                Action::ApplicationConnect,
                Action::Start,
                Action::Stop,
            ])),
            _ => None,
        }
    }

    fn is_none(&self) -> bool {
        *self == WorkspaceRole::Unset
    }

    fn of(actions: &[String]) -> Self {
        let has = |action: &str| actions.iter().any(|a| a == action || a == "*");
        if has("share") {
            WorkspaceRole::Admin
        } else if has("ssh") {
            WorkspaceRole::Use
        } else {
            WorkspaceRole::Unset
        }
    }
}

impl Control {
    /// Who may use a template; for those who may change it.
    pub async fn template_acl_read(&self, who: &Subject, id: Uuid) -> Result<TemplateAcl> {
        let conn = self.store().conn().await?;
        let row = managed_template(&conn, who, id).await?;
        let (users, found) = named_in(&conn, &row.user_acl, &row.group_acl).await?;
        let users = users.into_iter().map(|(user, actions)| {
            let user = shown_user(&user);
            TemplateUser {
                id: user.id,
                username: user.username,
                name: user.name,
                avatar_url: user.avatar_url,
                email: user.email,
                created_at: user.created_at,
                updated_at: user.updated_at,
                last_seen_at: user.last_seen_at,
                status: user.status,
                login_type: user.login_type,
                is_service_account: user.is_service_account,
                theme_preference: user.theme_preference,
                organization_ids: user.organization_ids,
                roles: user.roles,
                has_ai_seat: user.has_ai_seat,
                role: TemplateRole::of(&actions),
            }
        });
        let users = users.collect();
        let mut group = Vec::with_capacity(found.len());
        for (row, actions) in found {
            let members = conn.group_member_list(who, &row).await?;
            let g = groups::shown(row, members);
            group.push(TemplateGroup {
                id: g.id,
                name: g.name,
                display_name: g.display_name,
                organization_id: g.organization_id,
                members: g.members,
                total_member_count: g.total_member_count,
                avatar_url: g.avatar_url,
                quota_allowance: g.quota_allowance,
                source: g.source,
                organization_name: g.organization_name,
                organization_display_name: g.organization_display_name,
                role: TemplateRole::of(&actions),
            });
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
        let system = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let row = managed_template(&conn, who, id).await?;
        let organization = row.api.organization_id;
        let search = search.to_lowercase().replace('\0', "");
        let users = conn
            .acl_candidates(&system, organization, &search, page.limit, page.offset)
            .await?;
        let found = conn.group_list(&system, Some(organization), None).await?;
        Ok(AclAvailable {
            users: users.iter().map(reduced).collect(),
            groups: found
                .into_iter()
                .map(|row| groups::shown(row, Vec::new()))
                .collect(),
        })
    }

    /// Changes who may use a template.
    pub async fn template_acl_set(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateTemplateAcl,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
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

    /// With whom a workspace is shared; for those who may read it.
    pub async fn workspace_acl_read(&self, who: &Subject, id: Uuid) -> Result<WorkspaceAcl> {
        let conn = self.store().conn().await?;
        let row = live_workspace(&conn, who, id).await?;
        let (users, found) = named_in(&conn, &row.user_acl, &row.group_acl).await?;
        let users = users.into_iter().map(|(user, actions)| WorkspaceUser {
            id: user.id,
            username: user.username,
            name: user.name,
            avatar_url: user.avatar_url,
            role: WorkspaceRole::of(&actions),
        });
        // Whoever may read the list need not be allowed to read who is in the groups.
        let group = found.into_iter().map(|(row, actions)| {
            let g = groups::shown(row, Vec::new());
            WorkspaceGroup {
                id: g.id,
                name: g.name,
                display_name: g.display_name,
                organization_id: g.organization_id,
                members: g.members,
                total_member_count: g.total_member_count,
                avatar_url: g.avatar_url,
                quota_allowance: g.quota_allowance,
                source: g.source,
                organization_name: g.organization_name,
                organization_display_name: g.organization_display_name,
                role: WorkspaceRole::of(&actions),
            }
        });
        Ok(WorkspaceAcl {
            users: users.collect(),
            group: group.collect(),
        })
    }

    /// Changes with whom a workspace is shared.
    pub async fn workspace_acl_set(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateWorkspaceAcl,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = live_workspace(&tx, who, id).await?;
        let organization = row.api.organization_id;
        self.sharing_allowed(&tx, organization).await?;
        let fields = ("user_roles", "group_roles");
        let changed = Changed::of(&request.user_roles, &request.group_roles, fields)?;
        let own = who
            .user_id()
            .is_some_and(|me| changed.users.contains_key(&me));
        let all = Object::new(ResourceType::Workspace).org(organization);
        if own && who.may(Action::Share, &all).is_err() {
            // Who has access by this list alone could not take it back.
            return Err(Error::invalid(
                "You cannot change your own workspace sharing role.",
            ));
        }
        let old = (&row.user_acl, &row.group_acl);
        let (users, found) = changed.lists(&tx, organization, old, fields).await?;
        self.workspace_acl_write(tx, who, &row, users, found).await
    }

    /// Ends all sharing of a workspace.
    pub async fn workspace_acl_delete(&self, who: &Subject, id: Uuid) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = live_workspace(&tx, who, id).await?;
        self.sharing_allowed(&tx, row.api.organization_id).await?;
        let none = AccessList::default();
        self.workspace_acl_write(tx, who, &row, none.clone(), none)
            .await
    }

    async fn workspace_acl_write(
        &self,
        tx: Tx,
        who: &Subject,
        row: &WorkspaceRow,
        users: AccessList,
        found: AccessList,
    ) -> Result<()> {
        tx.workspace_acl_set(who, row, &users, &found).await?;
        let diff = diff((&row.user_acl, &row.group_acl), (&users, &found));
        let entry = AuditEntry::new(AuditAction::Write, "workspace", row.api.id, &row.api.name);
        tx.audit(entry.org(row.api.organization_id).diff(diff).status(204))
            .await?;
        Ok(tx.commit().await?)
    }

    /// Members of an organization for whom workspaces may be made, by those who may make them
    /// for everyone.
    pub async fn workspace_available_owners(
        &self,
        who: &Subject,
        which: &OrganizationRef,
        search: &str,
        page: Page,
    ) -> Result<Vec<MinimalUser>> {
        let system = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, which).await?.id;
        let all = Object::new(ResourceType::Workspace).org(organization);
        who.may(Action::Create, &all)?;
        let search = search.to_lowercase().replace('\0', "");
        let users = conn
            .acl_candidates(&system, organization, &search, page.limit, page.offset)
            .await?;
        let shown = users.into_iter().map(|user| MinimalUser {
            id: user.id,
            username: user.username,
            name: user.name,
            avatar_url: user.avatar_url,
        });
        Ok(shown.collect())
    }

    async fn sharing_allowed(&self, conn: &Conn, organization: Uuid) -> Result<()> {
        if self.settings().policy.no_workspace_sharing {
            return Err(Error::forbidden(
                "Workspace sharing is disabled for this deployment.",
            ));
        }
        let system = Subject::system(System::Core);
        let which = OrganizationRef::Id(organization);
        let row = conn.organization_read(&system, &which).await?;
        if Sharing::from_name(&row.shareable_workspace_owners) == Sharing::None {
            return Err(Error::forbidden(
                "Workspace sharing is disabled for this organization.",
            ));
        }
        Ok(())
    }
}

async fn managed_template(conn: &Conn, who: &Subject, id: Uuid) -> Result<TemplateRow> {
    let row = conn.template_read(who, id).await?;
    if row.api.deleted || who.may(Action::Update, &row.object()).is_err() {
        return Err(Error::not_found());
    }
    Ok(row)
}

async fn live_workspace(conn: &Conn, who: &Subject, id: Uuid) -> Result<WorkspaceRow> {
    let row = conn.workspace_read(who, id).await?;
    if row.deleted {
        return Err(Error::new(
            crate::Kind::Gone,
            "The workspace was deleted: there is nothing to share.",
        ));
    }
    Ok(row)
}

pub(crate) type Named<T> = Vec<(T, Vec<String>)>;

/// The users and groups of access lists, each with its actions. Names and pictures are told to
/// whoever may read the list.
pub(crate) async fn named_in(
    conn: &Conn,
    users: &AccessList,
    found: &AccessList,
) -> Result<(Named<UserRow>, Named<GroupRow>)> {
    let system = Subject::system(System::Core);
    let ids = |list: &AccessList| -> Vec<Uuid> { list.0.keys().copied().collect() };
    let user_rows = conn.acl_users(&system, &ids(users)).await?;
    let group_rows = conn.acl_groups(&system, &ids(found)).await?;
    let actions = |list: &AccessList, id: Uuid| list.0.get(&id).cloned().unwrap_or_default();
    Ok((
        user_rows
            .into_iter()
            .map(|row| {
                let actions = actions(users, row.id);
                (row, actions)
            })
            .collect(),
        group_rows
            .into_iter()
            .map(|row| {
                let actions = actions(found, row.id);
                (row, actions)
            })
            .collect(),
    ))
}

/// A change of access lists: per id the actions, none to take all away.
pub(crate) struct Changed {
    pub(crate) users: BTreeMap<Uuid, Option<Vec<String>>>,
    pub(crate) groups: BTreeMap<Uuid, Option<Vec<String>>>,
}

impl Changed {
    pub(crate) fn of<R: Role>(
        users: &BTreeMap<String, R>,
        found: &BTreeMap<String, R>,
        fields: (&str, &str),
    ) -> Result<Self> {
        if users.len() + found.len() > MAX_CHANGES {
            return Err(Error::invalid(format!(
                "One change may name at most {MAX_CHANGES} users and groups."
            )));
        }
        Ok(Changed {
            users: entries(users, fields.0)?,
            groups: entries(found, fields.1)?,
        })
    }

    /// The lists of users and groups after the change.
    ///
    /// # Errors
    /// Somebody who is given something is not of the organization.
    pub(crate) async fn lists(
        &self,
        conn: &Conn,
        organization: Uuid,
        (users, found): (&AccessList, &AccessList),
        fields: (&str, &str),
    ) -> Result<(AccessList, AccessList)> {
        self.check(conn, organization, fields).await?;
        Ok((applied(users, &self.users), applied(found, &self.groups)))
    }

    /// Refuses to give anything to those who are not of the organization.
    async fn check(&self, conn: &Conn, organization: Uuid, fields: (&str, &str)) -> Result<()> {
        let system = Subject::system(System::Core);
        let given = |map: &BTreeMap<Uuid, Option<Vec<String>>>| -> Vec<Uuid> {
            let given = map.iter().filter(|(_, actions)| actions.is_some());
            given.map(|(id, _)| *id).collect()
        };
        let wanted = given(&self.users);
        let rows = conn.acl_users(&system, &wanted).await?;
        let members: BTreeSet<Uuid> = rows
            .iter()
            .filter(|row| row.organization_ids.contains(&organization))
            .map(|row| row.id)
            .collect();
        missing(&wanted, &members, fields.0, "user")?;
        let wanted = given(&self.groups);
        let rows = conn.acl_groups(&system, &wanted).await?;
        let known: BTreeSet<Uuid> = rows
            .iter()
            .filter(|row| row.organization_id == organization)
            .map(|row| row.id)
            .collect();
        missing(&wanted, &known, fields.1, "group")
    }
}

fn applied(list: &AccessList, changes: &BTreeMap<Uuid, Option<Vec<String>>>) -> AccessList {
    let mut list = list.clone();
    for (id, actions) in changes {
        match actions {
            Some(actions) => list.0.insert(*id, actions.clone()),
            None => list.0.remove(id),
        };
    }
    list
}

fn missing(wanted: &[Uuid], known: &BTreeSet<Uuid>, field: &str, what: &str) -> Result<()> {
    match wanted.iter().find(|id| !known.contains(id)) {
        Some(id) => Err(Error::invalid("Invalid request to update the access list.")
            .with_field(field, format!("{id} is no {what} of the organization"))),
        None => Ok(()),
    }
}

fn entries<R: Role>(
    given: &BTreeMap<String, R>,
    field: &str,
) -> Result<BTreeMap<Uuid, Option<Vec<String>>>> {
    let wrong = |why: String| {
        Error::invalid("Invalid request to update the access list.").with_field(field, why)
    };
    let mut entries = BTreeMap::new();
    for (id, role) in given {
        let shown: String = id.chars().take(64).collect();
        let id: Uuid = id
            .parse()
            .map_err(|_| wrong(format!("{shown:?} is no id")))?;
        let actions = role.actions();
        if actions.is_none() && !role.is_none() {
            return Err(wrong(format!(
                "the role of {id} must be {} or \"\"",
                R::NAMES
            )));
        }
        entries.insert(id, actions);
    }
    Ok(entries)
}

pub(crate) fn diff(old: (&AccessList, &AccessList), new: (&AccessList, &AccessList)) -> AuditDiff {
    let facts = |(users, found): (&AccessList, &AccessList)| serde_json::json!({"user_acl": users, "group_acl": found});
    AuditDiff::between(&facts(old), &facts(new), TRACKED, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_back_from_their_actions() {
        for role in [WorkspaceRole::Admin, WorkspaceRole::Use] {
            assert_eq!(WorkspaceRole::of(&role.actions().unwrap()), role);
        }
        for role in [TemplateRole::Admin, TemplateRole::Use] {
            assert_eq!(TemplateRole::of(&role.actions().unwrap()), role);
        }
        assert!(
            !WorkspaceRole::Admin
                .actions()
                .unwrap()
                .contains(&"delete".to_owned())
        );
    }
}
