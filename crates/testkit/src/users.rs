//! Users of a test, made in the database without asking the rules.

use api_types::Secret;
use authz::{Policy, Scope, Subject};
use store::Store;
use uuid::Uuid;

/// A user with a key.
#[derive(Debug, Clone)]
pub struct TestUser {
    /// The user.
    pub id: Uuid,
    /// Its name.
    pub username: String,
    /// A session token of the user.
    pub token: Secret<String>,
    /// The user as a subject.
    pub who: Subject,
}

/// The default organization.
///
/// # Panics
/// If the database is not migrated.
pub async fn default_organization(store: &Store) -> Uuid {
    let row = store
        .query_one("SELECT id FROM organizations WHERE is_default", &[])
        .await;
    row.expect("a migrated database").get(0)
}

/// Makes an active user of the default organization. Roles are site roles and
/// (`organization-…`) roles there.
///
/// # Panics
/// If the name is taken.
pub async fn user(store: &Store, username: &str, roles: &[&str]) -> TestUser {
    let id = Uuid::new_v4();
    let organization = default_organization(store).await;
    let (org_roles, site_roles): (Vec<&str>, Vec<&str>) = roles
        .iter()
        .partition(|role| role.starts_with("organization-"));
    let email = format!("{username}@example.com");
    let sql = "INSERT INTO users (id, username, email, status, roles) \
               VALUES ($1, $2, $3, 'active', $4)";
    store
        .execute(sql, &[&id, &username, &email, &site_roles])
        .await
        .expect("a new user");
    let sql = "INSERT INTO organization_members (organization_id, user_id, roles) \
               VALUES ($1, $2, $3)";
    store
        .execute(sql, &[&organization, &id, &org_roles])
        .await
        .expect("a new member");
    let token = token(store, id, &["coder:all"]).await;
    let who = store
        .subject_read(id, Scope::all(), &Policy::default())
        .await
        .expect("the user");
    TestUser {
        id,
        username: username.to_owned(),
        token,
        who,
    }
}

/// A key of a user with these scopes.
async fn token(store: &Store, user: Uuid, scopes: &[&str]) -> Secret<String> {
    let random = Uuid::new_v4().simple().to_string();
    let (id, secret) = (&random[..10], &random[10..]);
    let sql = "INSERT INTO api_keys (id, hashed_secret, user_id, login_type, scopes, allow_list, expires_at) \
               VALUES ($1, sha256(convert_to($2, 'UTF8')), $3, 'password', $4, '{*:*}', now() + interval '1 day')";
    store
        .execute(sql, &[&id, &secret, &user, &scopes])
        .await
        .expect("a new key");
    format!("{id}-{secret}").into()
}
