//! Who else may use a thing: what a change of an access list means, and how the list is shown. The
//! files below know the things.

mod readers;
mod templates;
mod workspaces;

use std::collections::{BTreeMap, BTreeSet};

use api_types::{AclAvailable, ReaderRole, SharedGroup, SharedUser, TemplateRole, WorkspaceRole};
use authz::{AccessList, Action, ResourceType, Subject, System};
use store::groups::{GroupMemberRow, GroupRow};
use store::{AuditDiff, Conn, UserRow};
use uuid::Uuid;

use crate::users::{Page, reduced};
use crate::{Error, Result, groups};

pub use readers::Readable;

/// Most entries of one change.
const MAX_CHANGES: usize = 1000;

const TRACKED: &[&str] = &["user_acl", "group_acl"];

/// A role that an access list gives.
pub(crate) trait Role: Default + PartialEq {
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

impl Role for ReaderRole {
    const NAMES: &'static str = "read";

    fn actions(&self) -> Option<Vec<String>> {
        (*self == ReaderRole::Read).then(|| named(&[Action::Read]))
    }

    fn is_none(&self) -> bool {
        *self == ReaderRole::Unset
    }

    fn of(actions: &[String]) -> Self {
        if actions.is_empty() {
            ReaderRole::Unset
        } else {
            ReaderRole::Read
        }
    }
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

/// A user of a list.
pub(crate) fn shared_user<R: Role>(user: &UserRow, actions: &[String]) -> SharedUser<R> {
    let user = reduced(user);
    SharedUser {
        id: user.id,
        username: user.username,
        name: user.name,
        avatar_url: user.avatar_url,
        role: R::of(actions),
    }
}

/// A group of a list, with those of its members that may be told.
pub(crate) fn shared_group<R: Role>(
    row: GroupRow,
    actions: &[String],
    members: Vec<GroupMemberRow>,
) -> SharedGroup<R> {
    SharedGroup {
        group: groups::shown(row, members),
        role: R::of(actions),
    }
}

/// Members and groups of an organization, to be offered for an access list.
async fn available_for(
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
    let mut found = conn.group_list(&system, Some(organization), None).await?;
    found.retain(|row| {
        row.name.to_lowercase().contains(&search)
            || row.display_name.to_lowercase().contains(&search)
    });
    let found = found.into_iter().map(|row| groups::shown(row, Vec::new()));
    Ok(AclAvailable {
        users: users.iter().map(reduced).collect(),
        groups: found.collect(),
    })
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
