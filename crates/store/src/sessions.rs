//! What a request needs to know of the key it carries: all in one query.

use authz::{AllowList, Grants, Membership, Policy, Scope, Sharing, Subject, UserSubject};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::FromRow as _;
use crate::users::{USER_COLUMNS, UserRow};
use crate::{Result, Store, Time};

/// An API key with its user and the user's place everywhere. Not printable:
/// it holds the hash of the secret.
pub struct SessionRow {
    /// Public part of the key.
    pub key_id: String,
    /// SHA-256 of the secret part.
    pub hashed_secret: Vec<u8>,
    /// How the key came to be: `password`, `token`, …
    pub login_type: String,
    /// Name of a token.
    pub token_name: String,
    /// Full life in seconds.
    pub lifetime_seconds: i64,
    /// End of its life.
    pub expires_at: Time,
    /// Last use, to the hour.
    pub last_used: Time,
    /// The user.
    pub user: UserRow,
    scopes: Vec<String>,
    allow_list: Vec<String>,
    memberships: Vec<Membership>,
    groups: Vec<Uuid>,
}

impl SessionRow {
    /// The subject that acts with this key.
    pub fn subject(&self, policy: &Policy) -> Subject {
        let scope = if self.scopes == ["coder:all"] && self.allow_list == ["*:*"] {
            Scope::all()
        } else {
            Scope::from_stored(&self.scopes, &self.allow_list)
        };
        Subject::user(
            user_subject(&self.user, &self.memberships, &self.groups),
            scope,
            policy,
        )
    }

    /// Whether the key reaches everything that its user does.
    pub fn is_unrestricted(&self) -> bool {
        let allow = AllowList::parse(&self.allow_list);
        self.scopes == ["coder:all"] && allow.is_ok_and(|list| list.is_everything())
    }

    fn from_row(row: &Row) -> Result<Self> {
        Ok(SessionRow {
            key_id: row.try_get("key_id")?,
            hashed_secret: row.try_get("hashed_secret")?,
            login_type: row.try_get("key_login_type")?,
            token_name: row.try_get("token_name")?,
            lifetime_seconds: row.try_get("lifetime_seconds")?,
            expires_at: row.try_get("expires_at")?,
            last_used: row.try_get("last_used")?,
            user: UserRow::from_row(row)?,
            scopes: row.try_get("scopes")?,
            allow_list: row.try_get("allow_list")?,
            memberships: memberships(row)?,
            groups: row.try_get("group_ids")?,
        })
    }
}

fn user_subject(user: &UserRow, memberships: &[Membership], groups: &[Uuid]) -> UserSubject {
    UserSubject {
        id: user.id,
        username: user.username.clone(),
        roles: user.roles.clone(),
        service_account: user.is_service_account,
        organizations: memberships.to_vec(),
        groups: groups.to_vec(),
    }
}

/// Columns that tell a user's place: parallel arrays, one entry per organization.
const PLACE: &str = "coalesce(place.ids, '{}') AS member_ids, \
    coalesce(place.roles, '{}') AS member_roles, coalesce(place.sharing, '{}') AS member_sharing, \
    coalesce(place.custom, '{}') AS member_custom, \
    ARRAY(SELECT g.group_id FROM group_members g WHERE g.user_id = u.id) AS group_ids";

const PLACE_JOIN: &str = "LEFT JOIN LATERAL ( \
    SELECT array_agg(m.organization_id) AS ids, \
           array_agg(array_to_string(m.roles || o.default_org_member_roles, ',')) AS roles, \
           array_agg(o.shareable_workspace_owners) AS sharing, \
           array_agg(coalesce((SELECT string_agg(array_to_string(c.permissions, ','), ',') \
               FROM custom_roles c WHERE c.organization_id = o.id AND c.name = ANY (m.roles)), '')) \
               AS custom \
    FROM organization_members m \
    JOIN organizations o ON o.id = m.organization_id AND NOT o.deleted \
    WHERE m.user_id = u.id) place ON true";

fn memberships(row: &Row) -> Result<Vec<Membership>> {
    let ids: Vec<Uuid> = row.try_get("member_ids")?;
    let roles: Vec<&str> = row.try_get("member_roles")?;
    let sharing: Vec<&str> = row.try_get("member_sharing")?;
    let custom: Vec<&str> = row.try_get("member_custom")?;
    let split = |roles: &str| {
        roles
            .split(',')
            .filter(|r| !r.is_empty())
            .map(str::to_owned)
            .collect()
    };
    Ok(ids
        .into_iter()
        .zip(roles)
        .zip(sharing)
        .zip(custom)
        .map(|(((organization, roles), sharing), custom)| Membership {
            organization,
            roles: split(roles),
            custom: Grants::from_names(custom.split(',')),
            sharing: Sharing::from_name(sharing),
        })
        .collect())
}

/// A key whose use is to be noted.
#[derive(Debug, Clone)]
pub struct KeyUse {
    /// The key.
    pub key_id: String,
    /// Its user.
    pub user_id: Uuid,
    /// When.
    pub at: Time,
    /// From where.
    pub ip: String,
    /// Its new end, if it slides.
    pub expires_at: Option<Time>,
}

impl Store {
    /// The key of this id with its user; whether it is good is for the caller
    /// to judge. Needs no subject: it is what makes one.
    ///
    /// # Errors
    /// As for any query.
    pub async fn session_read(&self, key_id: &str) -> Result<Option<SessionRow>> {
        let sql = format!(
            "SELECT k.id AS key_id, k.hashed_secret, k.login_type AS key_login_type, k.token_name, \
             k.lifetime_seconds, k.expires_at, k.last_used, k.scopes, k.allow_list, \
             {USER_COLUMNS}, {PLACE} \
             FROM api_keys k JOIN users u ON u.id = k.user_id AND NOT u.deleted {PLACE_JOIN} \
             WHERE k.id = $1"
        );
        self.query_opt(&sql, &[&key_id])
            .await?
            .as_ref()
            .map(SessionRow::from_row)
            .transpose()
    }

    /// The subject that a user is, within a scope: for what runs in a user's
    /// name without one of its keys.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] if there is no such user.
    pub async fn subject_read(&self, user: Uuid, scope: Scope, policy: &Policy) -> Result<Subject> {
        let sql = format!(
            "SELECT {USER_COLUMNS}, {PLACE} FROM users u {PLACE_JOIN} \
             WHERE u.id = $1 AND NOT u.deleted"
        );
        let row = self.query_one(&sql, &[&user]).await?;
        let user = UserRow::from_row(&row)?;
        let groups: Vec<Uuid> = row.try_get("group_ids")?;
        Ok(Subject::user(
            user_subject(&user, &memberships(&row)?, &groups),
            scope,
            policy,
        ))
    }

    /// Notes the use of keys, many at once.
    ///
    /// # Errors
    /// As for any query.
    pub async fn key_uses_note(&self, uses: &[KeyUse]) -> Result<()> {
        let ids: Vec<&str> = uses.iter().map(|u| u.key_id.as_str()).collect();
        let users: Vec<Uuid> = uses.iter().map(|u| u.user_id).collect();
        let times: Vec<Time> = uses.iter().map(|u| u.at).collect();
        let ips: Vec<&str> = uses.iter().map(|u| u.ip.as_str()).collect();
        let ends: Vec<Option<Time>> = uses.iter().map(|u| u.expires_at).collect();
        let sql = "WITH used AS (SELECT * FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], \
                       $4::text[], $5::timestamptz[]) AS t (key_id, user_id, at, ip, ends)), \
                   keys AS (UPDATE api_keys k SET last_used = used.at, ip_address = used.ip, \
                       expires_at = coalesce(used.ends, k.expires_at) \
                       FROM used WHERE k.id = used.key_id) \
                   UPDATE users u SET last_seen_at = seen.at \
                   FROM (SELECT user_id, max(at) AS at FROM used GROUP BY user_id) seen \
                   WHERE u.id = seen.user_id AND u.last_seen_at < seen.at";
        self.execute(sql, &[&ids, &users, &times, &ips, &ends])
            .await?;
        Ok(())
    }
}

impl Conn {
    /// Announces to all replicas that what they remember of a user's sessions
    /// is void; of everyone's, if none is named. Delivered at commit.
    ///
    /// # Errors
    /// As for any query.
    pub async fn sessions_forget(&self, user: Option<Uuid>) -> Result<()> {
        let payload = user.map_or_else(|| "*".to_owned(), |id| id.to_string());
        self.notify(SESSIONS_CHANNEL, &payload).await
    }
}

/// Where voided sessions are announced: a user's id, or `*`.
pub const SESSIONS_CHANNEL: &str = "sessions_forget";
