//! Users: rows, and reading them.

use authz::{Action, Columns, Object, ResourceType, Subject, filter};
use uuid::Uuid;

use crate::conn::{Conn, SqlParam, filter_params};
use crate::row::record;
use crate::{Result, StoreError, Time};

record! {
    /// A user as it may be shown; password hashes are read only at sign-in.
    pub struct UserRow {
        /// The id.
        pub id: Uuid,
        /// Unique name, without regard to case.
        pub username: String,
        /// Unique address; empty for service accounts.
        pub email: String,
        /// Real name.
        pub name: String,
        /// Picture.
        pub avatar_url: String,
        /// `active`, `dormant` or `suspended`.
        pub status: String,
        /// How the user signs in: `password`, `github`, `oidc`, `none`.
        pub login_type: String,
        /// Site roles.
        pub roles: Vec<String>,
        /// Made by the server itself, never shown.
        pub is_system: bool,
        /// Acts by tokens only.
        pub is_service_account: bool,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
        /// When it last sent a request, to the hour.
        pub last_seen_at: Time,
        /// Its organizations.
        pub organization_ids: Vec<Uuid>,
    }
}

impl UserRow {
    /// The object of decisions: a user owns itself.
    pub fn object(&self) -> Object {
        user_object(self.id)
    }
}

/// The user with this id, as an object of decisions.
pub fn user_object(id: Uuid) -> Object {
    Object::new(ResourceType::User).id(id).owner(id)
}

/// The columns of [`UserRow`], from `users u`.
pub(crate) const USER_COLUMNS: &str = "u.id, u.username, u.email, u.name, u.avatar_url, u.status, \
    u.login_type, u.roles, u.is_system, u.is_service_account, u.created_at, u.updated_at, \
    u.last_seen_at, ARRAY(SELECT m.organization_id FROM organization_members m \
    JOIN organizations o ON o.id = m.organization_id AND NOT o.deleted \
    WHERE m.user_id = u.id ORDER BY m.created_at, m.organization_id) AS organization_ids";

/// How a path names a user: never by address, as that would tell who exists.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(from = "String")]
pub enum UserRef {
    /// Whoever asks.
    Me,
    /// By id.
    Id(Uuid),
    /// By name.
    Name(String),
}

impl From<String> for UserRef {
    fn from(text: String) -> Self {
        UserRef::parse(&text)
    }
}

impl UserRef {
    /// As in paths.
    pub fn parse(text: &str) -> Self {
        if text == "me" {
            return UserRef::Me;
        }
        match text.parse() {
            Ok(id) => UserRef::Id(id),
            Err(_) => UserRef::Name(text.to_owned()),
        }
    }
}

/// What to list of users. All texts are lower case already.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Part of the username, address or name.
    pub search: Option<String>,
    /// Part of the username.
    pub username: Option<String>,
    /// Part of the address.
    pub email: Option<String>,
    /// Part of the name.
    pub name: Option<String>,
    /// Any of these; all if empty.
    pub status: Vec<String>,
    /// Any of these site roles; all if empty. `member` means every user.
    pub roles: Vec<String>,
    /// Any of these; all if empty.
    pub login_types: Vec<String>,
    /// Only service accounts, or none.
    pub service_account: Option<bool>,
    /// Last seen before.
    pub last_seen_before: Option<Time>,
    /// Last seen after.
    pub last_seen_after: Option<Time>,
    /// Made before.
    pub created_before: Option<Time>,
    /// Made after.
    pub created_after: Option<Time>,
    /// Only those behind this user in the order of names.
    pub after: Option<Uuid>,
    /// So many at most; 0 means all.
    pub limit: u32,
    /// Leaving out so many.
    pub offset: u32,
}

/// A text for `LIKE` that matches it anywhere.
fn containing(text: Option<&String>) -> Option<String> {
    text.map(|t| {
        format!(
            "%{}%",
            t.replace('\\', r"\\")
                .replace('%', r"\%")
                .replace('_', r"\_")
        )
    })
}

impl Conn {
    /// The user, if the subject may read it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it may not, or there is none.
    pub async fn user_read(&self, who: &Subject, which: &UserRef) -> Result<UserRow> {
        let select = format!("SELECT {USER_COLUMNS} FROM users u WHERE NOT u.deleted AND");
        let row: Option<UserRow> = match which {
            UserRef::Me => {
                self.fetch_opt(&format!("{select} u.id = $1"), &[&who.user_id()])
                    .await?
            }
            UserRef::Id(id) => {
                self.fetch_opt(&format!("{select} u.id = $1"), &[id])
                    .await?
            }
            UserRef::Name(name) => {
                let sql = format!("{select} u.username_lower = lower($1)");
                self.fetch_opt(&sql, &[name]).await?
            }
        };
        row.filter(|u| who.may(Action::Read, &u.object()).is_ok())
            .ok_or(StoreError::NotFound)
    }

    /// The users that may be read and match, by username, and how many match
    /// in all.
    ///
    /// # Errors
    /// As for any query.
    pub async fn user_list(&self, who: &Subject, by: &UserFilter) -> Result<(Vec<UserRow>, i64)> {
        let columns = Columns {
            id: "u.id",
            owner: Some("u.id"),
            ..Columns::default()
        };
        let (allowed, params) = filter(who, Action::Read, ResourceType::User).render(&columns, 13);
        let matching = format!(
            "FROM users u WHERE NOT u.deleted AND NOT u.is_system \
             AND ($1::text IS NULL OR u.username_lower LIKE $1 OR u.email_lower LIKE $1 \
                  OR lower(u.name) LIKE $1) \
             AND ($2::text IS NULL OR u.username_lower LIKE $2) \
             AND ($3::text IS NULL OR u.email_lower LIKE $3) \
             AND ($4::text IS NULL OR lower(u.name) LIKE $4) \
             AND (cardinality($5::text[]) = 0 OR u.status = ANY($5)) \
             AND (cardinality($6::text[]) = 0 OR u.roles && $6 OR 'member' = ANY($6)) \
             AND (cardinality($7::text[]) = 0 OR u.login_type = ANY($7)) \
             AND ($8::boolean IS NULL OR u.is_service_account = $8) \
             AND ($9::timestamptz IS NULL OR u.last_seen_at <= $9) \
             AND ($10::timestamptz IS NULL OR u.last_seen_at >= $10) \
             AND ($11::timestamptz IS NULL OR u.created_at <= $11) \
             AND ($12::timestamptz IS NULL OR u.created_at >= $12) \
             AND {allowed}"
        );
        let search = containing(by.search.as_ref());
        let username = containing(by.username.as_ref());
        let email = containing(by.email.as_ref());
        let name = containing(by.name.as_ref());
        let mut all: Vec<SqlParam<'_>> = vec![
            &search,
            &username,
            &email,
            &name,
            &by.status,
            &by.roles,
            &by.login_types,
            &by.service_account,
            &by.last_seen_before,
            &by.last_seen_after,
            &by.created_before,
            &by.created_after,
        ];
        all.extend(filter_params(&params));
        let count = self
            .query_one(&format!("SELECT count(*) {matching}"), &all)
            .await?;
        let next = all.len() + 1;
        let sql = format!(
            "SELECT {USER_COLUMNS} {matching} \
             AND (${next}::uuid IS NULL OR u.username_lower > \
                  (SELECT username_lower FROM users WHERE id = ${next})) \
             ORDER BY u.username_lower LIMIT ${} OFFSET ${}",
            next + 1,
            next + 2
        );
        let limit = (by.limit > 0).then_some(i64::from(by.limit));
        let offset = i64::from(by.offset);
        all.extend([&by.after as SqlParam<'_>, &limit, &offset]);
        Ok((self.fetch(&sql, &all).await?, count.try_get(0)?))
    }

    /// Makes a dormant user active; whether it was dormant.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn user_wake(&self, who: &Subject, user: Uuid) -> Result<bool> {
        who.may(Action::Update, &user_object(user))?;
        let sql = "UPDATE users SET status = 'active', updated_at = now() \
                   WHERE id = $1 AND status = 'dormant' AND NOT deleted";
        Ok(self.execute(sql, &[&user]).await? > 0)
    }

    /// How many users there are; the server is fresh while there is none.
    ///
    /// # Errors
    /// As for any query.
    pub async fn user_count(&self) -> Result<i64> {
        let sql = "SELECT count(*) FROM users WHERE NOT deleted AND NOT is_system";
        Ok(self.query_one(sql, &[]).await?.try_get(0)?)
    }
}
