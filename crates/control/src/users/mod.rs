//! Users: reading and listing; `first` makes the first one, `create` and
//! `change` the others.

mod change;
mod create;
mod first;
mod passcodes;
mod preferences;
mod quiet_hours;
mod recovery;
mod roles;

pub(crate) use change::held;
pub(crate) use roles::check_organization as check_organization_roles;

use api_types::{GetUsersResponse, ReducedUser, User, UserStatus};
use authz::Subject;
use store::{UserFilter, UserRef, UserRow};

use crate::organizations::site_roles;
use crate::search::Query;
use crate::{Control, Result};

/// Fields of a user that the audit log tells of.
pub(crate) const TRACKED: &[&str] = &[
    "id",
    "username",
    "email",
    "name",
    "status",
    "roles",
    "login_type",
    "is_system",
    "is_service_account",
];

/// A user as the API shows it.
pub fn shown(row: &UserRow) -> User {
    User {
        id: row.id,
        username: row.username.clone(),
        name: row.name.clone(),
        avatar_url: row.avatar_url.clone(),
        email: row.email.clone(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_seen_at: Some(row.last_seen_at),
        status: UserStatus::from(row.status.as_str()),
        login_type: row.login_type.as_str().into(),
        is_service_account: row.is_service_account,
        theme_preference: String::new(),
        organization_ids: row.organization_ids.clone(),
        roles: site_roles(&row.roles),
        has_ai_seat: false,
    }
}

/// A user as lists and groups show it.
pub(crate) fn reduced(row: &UserRow) -> ReducedUser {
    ReducedUser {
        id: row.id,
        username: row.username.clone(),
        name: row.name.clone(),
        avatar_url: row.avatar_url.clone(),
        email: row.email.clone(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_seen_at: Some(row.last_seen_at),
        status: UserStatus::from(row.status.as_str()),
        login_type: row.login_type.as_str().into(),
        is_service_account: row.is_service_account,
        theme_preference: String::new(),
    }
}

/// The part of a list that is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page {
    /// So many at most; 0 means all.
    pub limit: u32,
    /// Leaving out so many.
    pub offset: u32,
    /// Only those behind this one.
    pub after: Option<uuid::Uuid>,
}

impl Control {
    /// One user.
    pub async fn user_read(&self, who: &Subject, which: &UserRef) -> Result<User> {
        Ok(shown(
            &self.store().conn().await?.user_read(who, which).await?,
        ))
    }

    /// Users that match a query and may be read.
    pub async fn user_list(&self, who: &Subject, q: &str, page: Page) -> Result<GetUsersResponse> {
        let mut query = Query::parse(q, "search");
        let time = |query: &mut Query, key: &str| {
            query.parsed(key, "must be a time such as 2006-01-02T15:04:05Z", |text| {
                let time = chrono::DateTime::parse_from_rfc3339(&text.to_uppercase()).ok()?;
                Some(time.to_utc())
            })
        };
        let by = UserFilter {
            search: query.one("search"),
            username: query.one("username"),
            email: query.one("email"),
            name: query.one("name"),
            status: query.list("status"),
            roles: query.list("role"),
            login_types: query.list("login_type"),
            service_account: query.flag("service_account"),
            last_seen_before: time(&mut query, "last_seen_before"),
            last_seen_after: time(&mut query, "last_seen_after"),
            created_before: time(&mut query, "created_before"),
            created_after: time(&mut query, "created_after"),
            after: page.after,
            limit: page.limit,
            offset: page.offset,
        };
        query.finish().map_err(crate::Error::query)?;
        let (rows, count) = self.store().conn().await?.user_list(who, &by).await?;
        Ok(GetUsersResponse {
            users: rows.iter().map(shown).collect(),
            count,
        })
    }
}
