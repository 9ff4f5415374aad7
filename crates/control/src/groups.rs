//! Groups of organizations: who is in them, and what they may spend.

use api_types::{
    CreateGroupRequest, Group, GroupSource, PaginatedGroup, PatchGroupRequest, ReducedUser,
    UserStatus,
};
use authz::{Subject, System};
use serde_json::{Value, json};
use store::groups::{GROUP_NAME_TAKEN, GroupFields, GroupMemberRow, GroupRef, GroupRow, NO_MEMBER};
use store::{AuditAction, AuditDiff, AuditEntry, Conn, Held, OrganizationRef, StoreError, UserRef};
use uuid::Uuid;

use crate::{Control, Error, Result};

/// The group that everyone of an organization belongs to.
const EVERYONE: &str = "Everyone";
/// Longest name of a group; those of identity providers are long.
const MAX_NAME: usize = 255;
/// Longest display name and address of a picture.
const MAX_TEXT: usize = 2048;
/// Most people that one change brings in or out.
const MAX_CHANGED: usize = 10_000;

const TRACKED: &[&str] = &[
    "id",
    "name",
    "display_name",
    "avatar_url",
    "quota_allowance",
    "members",
];

/// How a path names a group.
#[derive(Debug, Clone)]
pub enum GroupPath {
    /// By id.
    Id(Uuid),
    /// By name, within an organization.
    Name(OrganizationRef, String),
}

impl Control {
    /// Groups: of an organization, of a member, or all that may be read. Each with the members
    /// that may be read.
    pub async fn group_list(
        &self,
        who: &Subject,
        organization: Option<&OrganizationRef>,
        member: Option<&UserRef>,
    ) -> Result<Vec<Group>> {
        let conn = self.store().conn().await?;
        let rows = listed(&conn, who, organization, member).await?;
        let mut members = conn.group_member_lists(who, &rows).await?;
        let shown_with_members = |row: GroupRow| {
            let members = members.remove(&row.id).unwrap_or_default();
            shown(row, members)
        };
        Ok(rows.into_iter().map(shown_with_members).collect())
    }

    /// The groups of an organization without their members, whose number alone is told.
    pub async fn group_summaries(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
    ) -> Result<Vec<PaginatedGroup>> {
        let conn = self.store().conn().await?;
        let rows = listed(&conn, who, Some(organization), None).await?;
        Ok(rows.into_iter().map(summary).collect())
    }

    /// One group with the members that may be read.
    pub async fn group_read(&self, who: &Subject, which: &GroupPath) -> Result<Group> {
        let conn = self.store().conn().await?;
        let row = find(&conn, who, which).await?;
        let members = conn.group_member_list(who, &row).await?;
        Ok(shown(row, members))
    }

    /// Makes a group without members.
    pub async fn group_create(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        request: CreateGroupRequest,
    ) -> Result<Group> {
        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?.id;
        let id = Uuid::new_v4();
        let fields = GroupFields {
            name: check_name(&request.name)?,
            display_name: check_text("display_name", &request.display_name)?,
            avatar_url: check_text("avatar_url", &request.avatar_url)?,
            quota_allowance: quota(request.quota_allowance)?,
        };
        tx.group_create(who, id, organization, &fields)
            .await
            .map_err(|error| taken(error, &request.name))?;
        let system = Subject::system(System::Core);
        let row = tx.group_read(&system, GroupRef::Id(id)).await?;
        let diff = AuditDiff::between(&(), &facts(&row, &[]), TRACKED, &[]);
        let entry = AuditEntry::new(AuditAction::Create, "group", id, &row.name);
        tx.audit(entry.org(organization).diff(diff)).await?;
        tx.commit().await?;
        Ok(shown(row, Vec::new()))
    }

    /// Changes a group and who is in it; what is absent stays.
    pub async fn group_update(
        &self,
        who: &Subject,
        which: &GroupPath,
        request: PatchGroupRequest,
    ) -> Result<Group> {
        let system = Subject::system(System::Core);
        let tx = self.store().begin(who).await?;
        let found = find(&tx, who, which).await?;
        tx.hold(Held::Group, found.id).await?;
        let old = tx.group_read(who, GroupRef::Id(found.id)).await?;
        check_change(&old, &request)?;
        let add = ids(&request.add_users)?;
        let remove = ids(&request.remove_users)?;
        let before = tx.group_member_list(&system, &old).await?;
        let new = |given: &Option<String>, old: &str| given.clone().unwrap_or(old.to_owned());
        let name = match request.name.as_str() {
            "" => old.name.clone(),
            name if name == old.name => old.name.clone(),
            name => check_name(name)?.to_owned(),
        };
        let fields = GroupFields {
            name: &name,
            display_name: &new(&request.display_name, &old.display_name),
            avatar_url: &new(&request.avatar_url, &old.avatar_url),
            quota_allowance: match request.quota_allowance {
                Some(given) => quota(given)?,
                None => old.quota_allowance,
            },
        };
        check_text("display_name", fields.display_name)?;
        check_text("avatar_url", fields.avatar_url)?;
        tx.group_update(who, &old, &fields)
            .await
            .map_err(|error| taken(error, &name))?;
        tx.group_members_change(who, &old, &add, &remove)
            .await
            .map_err(|error| {
                if error.is_conflict(NO_MEMBER) {
                    Error::invalid("Only members of the organization can be members of its groups.")
                        .with_field("add_users", "Names somebody who is no member.")
                } else {
                    error.into()
                }
            })?;
        let row = tx.group_read(&system, GroupRef::Id(old.id)).await?;
        let members = tx.group_member_list(&system, &row).await?;
        let diff = AuditDiff::between(&facts(&old, &before), &facts(&row, &members), TRACKED, &[]);
        let entry = AuditEntry::new(AuditAction::Write, "group", row.id, &row.name);
        tx.audit(entry.org(row.organization_id).diff(diff)).await?;
        for user in add.iter().chain(&remove) {
            tx.sessions_forget(Some(*user)).await?;
        }
        tx.commit().await?;
        for user in add.iter().chain(&remove) {
            self.sessions_forget(Some(*user));
        }
        Ok(shown(row, members))
    }

    /// Deletes a group.
    pub async fn group_delete(&self, who: &Subject, which: &GroupPath) -> Result<()> {
        let system = Subject::system(System::Core);
        let tx = self.store().begin(who).await?;
        let row = find(&tx, who, which).await?;
        if row.id == row.organization_id {
            return Err(Error::invalid(format!(
                "The group {EVERYONE:?} cannot be deleted: everyone of the organization is in it."
            )));
        }
        let members = tx.group_member_list(&system, &row).await?;
        tx.group_delete(who, &row).await?;
        let diff = AuditDiff::between(&facts(&row, &members), &(), TRACKED, &[]);
        let entry = AuditEntry::new(AuditAction::Delete, "group", row.id, &row.name);
        tx.audit(entry.org(row.organization_id).diff(diff)).await?;
        for member in &members {
            tx.sessions_forget(Some(member.id)).await?;
        }
        tx.commit().await?;
        for member in &members {
            self.sessions_forget(Some(member.id));
        }
        Ok(())
    }
}

/// The groups that the subject may read: of an organization, of a member, or all.
async fn listed(
    conn: &Conn,
    who: &Subject,
    organization: Option<&OrganizationRef>,
    member: Option<&UserRef>,
) -> Result<Vec<GroupRow>> {
    let organization = match organization {
        Some(which) => Some(conn.organization_read(who, which).await?.id),
        None => None,
    };
    let member = match member {
        Some(which) => Some(conn.user_read(who, which).await?.id),
        None => None,
    };
    Ok(conn.group_list(who, organization, member).await?)
}

pub(crate) async fn find(conn: &Conn, who: &Subject, which: &GroupPath) -> Result<GroupRow> {
    Ok(match which {
        GroupPath::Id(id) => conn.group_read(who, GroupRef::Id(*id)).await?,
        GroupPath::Name(organization, name) => {
            let organization = conn.organization_read(who, organization).await?.id;
            conn.group_read(who, GroupRef::Name(organization, name))
                .await?
        }
    })
}

fn check_change(old: &GroupRow, request: &PatchGroupRequest) -> Result<()> {
    let changed = request.add_users.len() + request.remove_users.len();
    if changed > MAX_CHANGED {
        return Err(Error::invalid(format!(
            "One change may bring at most {MAX_CHANGED} people in or out."
        )));
    }
    if old.id != old.organization_id {
        return Ok(());
    }
    if changed > 0 {
        return Err(Error::forbidden(format!(
            "Cannot add or remove users from the {EVERYONE:?} group!"
        )));
    }
    let renamed = !request.name.is_empty() && request.name != old.name;
    let shown = request.display_name.as_ref().is_some_and(|n| !n.is_empty());
    if renamed || shown {
        return Err(Error::invalid(format!(
            "Cannot rename the {EVERYONE:?} group!"
        )));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<&str> {
    if name.eq_ignore_ascii_case(EVERYONE) {
        return Err(Error::invalid("Invalid group name.")
            .with_field("name", format!("{EVERYONE:?} is a reserved group name")));
    }
    let parts = name.split('-');
    let clean = parts
        .clone()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !clean || name.len() > MAX_NAME {
        return Err(Error::field(
            "name",
            format!("must be up to {MAX_NAME} letters and digits, with single dashes between them"),
        ));
    }
    Ok(name)
}

fn check_text<'a>(field: &str, text: &'a str) -> Result<&'a str> {
    if text.len() > MAX_TEXT || text.contains('\0') {
        return Err(Error::field(field, "is too long or holds NUL characters"));
    }
    Ok(text)
}

fn quota(allowance: i64) -> Result<i32> {
    i32::try_from(allowance)
        .ok()
        .filter(|allowance| *allowance >= 0)
        .ok_or_else(|| Error::field("quota_allowance", "must be between 0 and 2147483647"))
}

fn ids(texts: &[String]) -> Result<Vec<Uuid>> {
    texts
        .iter()
        .map(|text| {
            text.parse().map_err(|_| {
                let shown: String = text.chars().take(64).collect();
                Error::invalid(format!("ID {shown:?} must be a valid user UUID."))
            })
        })
        .collect()
}

fn taken(error: StoreError, name: &str) -> Error {
    if error.is_conflict(GROUP_NAME_TAKEN) {
        Error::conflict(format!("A group named {name:?} already exists."))
            .with_field("name", "Group names must be unique")
    } else {
        error.into()
    }
}

/// What the audit log tells of a group.
fn facts(row: &GroupRow, members: &[GroupMemberRow]) -> Value {
    let members: Vec<Uuid> = members.iter().map(|member| member.id).collect();
    json!({
        "id": row.id, "name": row.name, "display_name": row.display_name,
        "avatar_url": row.avatar_url, "quota_allowance": row.quota_allowance, "members": members,
    })
}

pub(crate) fn shown(row: GroupRow, members: Vec<GroupMemberRow>) -> Group {
    Group {
        id: row.id,
        name: row.name,
        display_name: row.display_name,
        organization_id: row.organization_id,
        members: members.into_iter().map(member).collect(),
        total_member_count: row.member_count,
        avatar_url: row.avatar_url,
        quota_allowance: row.quota_allowance.into(),
        source: GroupSource::from(row.source.as_str()),
        organization_name: row.organization_name,
        organization_display_name: row.organization_display_name,
    }
}

fn summary(row: GroupRow) -> PaginatedGroup {
    PaginatedGroup {
        id: row.id,
        name: row.name,
        display_name: row.display_name,
        organization_id: row.organization_id,
        total_member_count: row.member_count,
        avatar_url: row.avatar_url,
        quota_allowance: row.quota_allowance.into(),
        source: GroupSource::from(row.source.as_str()),
        organization_name: row.organization_name,
        organization_display_name: row.organization_display_name,
    }
}

fn member(row: GroupMemberRow) -> ReducedUser {
    ReducedUser {
        id: row.id,
        username: row.username,
        name: row.name,
        avatar_url: row.avatar_url,
        email: row.email,
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_seen_at: Some(row.last_seen_at),
        status: UserStatus::from(row.status.as_str()),
        login_type: row.login_type.as_str().into(),
        is_service_account: row.is_service_account,
        theme_preference: String::new(),
    }
}
