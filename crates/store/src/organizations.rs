//! Organizations and who belongs to them.

use authz::{Action, Columns, Object, ResourceType, Subject, filter};
use uuid::Uuid;

use crate::conn::{Conn, SqlParam, filter_params};
use crate::row::record;
use crate::{Result, StoreError, Time};

record! {
    /// A row of `organizations`.
    pub struct OrganizationRow {
        /// The id.
        pub id: Uuid,
        /// Unique name, without regard to case.
        pub name: String,
        /// Name for people.
        pub display_name: String,
        /// What it is for.
        pub description: String,
        /// URL or path of an icon.
        pub icon: String,
        /// Whether it is the one that new users join.
        pub is_default: bool,
        /// Roles that each member has beside its own.
        pub default_org_member_roles: Vec<String>,
        /// Whose workspaces may be shared: `none`, `everyone`, `service_accounts`.
        pub shareable_workspace_owners: String,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
    }
}

impl OrganizationRow {
    /// The object of decisions.
    pub fn object(&self) -> Object {
        Object::new(ResourceType::Organization)
            .id(self.id)
            .org(self.id)
    }
}

record! {
    /// A member of an organization, with what is shown of the user.
    pub struct MemberRow {
        /// The user.
        pub user_id: Uuid,
        /// The organization.
        pub organization_id: Uuid,
        /// Stored roles.
        pub roles: Vec<String>,
        /// Since when.
        pub created_at: Time,
        /// When the roles last changed.
        pub updated_at: Time,
        /// Username.
        pub username: String,
        /// Real name.
        pub name: String,
        /// Address.
        pub email: String,
        /// Avatar.
        pub avatar_url: String,
        /// Stored site roles.
        pub global_roles: Vec<String>,
        /// `active`, `dormant` or `suspended`.
        pub status: String,
        /// How the user signs in.
        pub login_type: String,
        /// Whether it is a service account.
        pub is_service_account: bool,
        /// When the user was last seen.
        pub last_seen_at: Time,
        /// When the user was made.
        pub user_created_at: Time,
        /// When the user was last changed.
        pub user_updated_at: Time,
    }
}

impl MemberRow {
    /// The object of decisions.
    pub fn object(&self) -> Object {
        Object::new(ResourceType::OrganizationMember)
            .id(self.user_id)
            .org(self.organization_id)
            .owner(self.user_id)
    }
}

const MEMBERS: &str = "SELECT m.user_id, m.organization_id, m.roles, m.created_at, m.updated_at, \
    u.username, u.name, u.email, u.avatar_url, u.roles AS global_roles, u.status, u.login_type, \
    u.is_service_account, u.last_seen_at, u.created_at AS user_created_at, \
    u.updated_at AS user_updated_at \
    FROM organization_members m JOIN users u ON u.id = m.user_id \
    WHERE NOT u.deleted AND NOT u.is_system AND m.organization_id = $1";

/// How a path or a body names an organization.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(from = "String")]
pub enum OrganizationRef {
    /// The default one.
    Default,
    /// By id.
    Id(Uuid),
    /// By name.
    Name(String),
}

impl From<String> for OrganizationRef {
    fn from(text: String) -> Self {
        OrganizationRef::parse(&text)
    }
}

impl OrganizationRef {
    /// As in paths: `default` and the nil id mean the default one.
    pub fn parse(text: &str) -> Self {
        match text.parse::<Uuid>() {
            Ok(id) if id.is_nil() => OrganizationRef::Default,
            Ok(id) => OrganizationRef::Id(id),
            Err(_) if text == "default" => OrganizationRef::Default,
            Err(_) => OrganizationRef::Name(text.to_owned()),
        }
    }
}

impl Conn {
    /// The organization, if the subject may read it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it may not, or there is none.
    pub async fn organization_read(
        &self,
        who: &Subject,
        which: &OrganizationRef,
    ) -> Result<OrganizationRow> {
        let row: Option<OrganizationRow> = match which {
            OrganizationRef::Default => {
                let sql = "SELECT * FROM organizations WHERE is_default AND NOT deleted";
                self.fetch_opt(sql, &[]).await?
            }
            OrganizationRef::Id(id) => {
                let sql = "SELECT * FROM organizations WHERE id = $1 AND NOT deleted";
                self.fetch_opt(sql, &[id]).await?
            }
            OrganizationRef::Name(name) => {
                let sql =
                    "SELECT * FROM organizations WHERE lower(name) = lower($1) AND NOT deleted";
                self.fetch_opt(sql, &[name]).await?
            }
        };
        row.filter(|o| who.may(Action::Read, &o.object()).is_ok())
            .ok_or(StoreError::NotFound)
    }

    /// The organizations that the subject may read, by name; only those of
    /// `member` if given.
    ///
    /// # Errors
    /// As for any query.
    pub async fn organization_list(
        &self,
        who: &Subject,
        member: Option<Uuid>,
    ) -> Result<Vec<OrganizationRow>> {
        let columns = Columns {
            id: "o.id",
            organization: Some("o.id"),
            ..Columns::default()
        };
        let (allowed, params) =
            filter(who, Action::Read, ResourceType::Organization).render(&columns, 2);
        let sql = format!(
            "SELECT o.* FROM organizations o WHERE NOT o.deleted \
             AND ($1::uuid IS NULL OR EXISTS (SELECT 1 FROM organization_members m \
                  WHERE m.organization_id = o.id AND m.user_id = $1)) \
             AND {allowed} ORDER BY o.name"
        );
        let mut all: Vec<SqlParam<'_>> = vec![&member];
        all.extend(filter_params(&params));
        self.fetch(&sql, &all).await
    }

    /// Members of an organization that the subject may read, by username.
    ///
    /// # Errors
    /// As for any query.
    pub async fn organization_member_list(
        &self,
        who: &Subject,
        organization: Uuid,
    ) -> Result<Vec<MemberRow>> {
        let columns = Columns {
            id: "m.user_id",
            owner: Some("m.user_id"),
            organization: Some("m.organization_id"),
            ..Columns::default()
        };
        let (allowed, params) =
            filter(who, Action::Read, ResourceType::OrganizationMember).render(&columns, 2);
        let sql = format!("{MEMBERS} AND {allowed} ORDER BY u.username_lower");
        let mut all: Vec<SqlParam<'_>> = vec![&organization];
        all.extend(filter_params(&params));
        self.fetch(&sql, &all).await
    }

    /// One member, if the subject may read it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it may not, or there is none.
    pub async fn organization_member_read(
        &self,
        who: &Subject,
        organization: Uuid,
        user: Uuid,
    ) -> Result<MemberRow> {
        let sql = format!("{MEMBERS} AND m.user_id = $2");
        let row: Option<MemberRow> = self.fetch_opt(&sql, &[&organization, &user]).await?;
        row.filter(|m| who.may(Action::Read, &m.object()).is_ok())
            .ok_or(StoreError::NotFound)
    }
}
