//! API keys and tokens.

use std::time::Duration;

use api_types::{
    ApiAllowListTarget, ApiKey, ApiKeyWithOwner, CreateTokenRequest, GenerateApiKeyResponse,
    Secret, TokenConfig,
};
use authz::{Action, AllowList, Scope, Subject, is_public_scope, role_names};
use store::api_keys::{ApiKeyRow, NewApiKey, TOKEN_NAME_TAKEN, key_object};
use store::{AuditAction, AuditDiff, AuditEntry, Tx, UserRef, UserRow};
use uuid::Uuid;

use crate::sessions::{KEY_ID_LEN, KEY_SECRET_LEN, hash_secret};
use crate::{Control, Error, Result, names};

/// Longest name of a token.
const MAX_NAME: usize = 64;
/// Scopes that one token may name.
const MAX_SCOPES: usize = 128;
const TRACKED: &[&str] = &["user_id", "last_used", "expires_at", "created_at"];

/// A key to be made.
pub(crate) struct KeySpec {
    pub(crate) user: Uuid,
    pub(crate) login_type: &'static str,
    pub(crate) token_name: String,
    pub(crate) lifetime: Duration,
    pub(crate) scope: Scope,
}

impl Control {
    /// Makes a key for the command line: slides, reaches everything.
    pub async fn key_create(
        &self,
        who: &Subject,
        which: &UserRef,
    ) -> Result<GenerateApiKeyResponse> {
        let user = self.key_owner(who, which).await?;
        let spec = KeySpec {
            user: user.id,
            login_type: "password",
            token_name: String::new(),
            lifetime: self.settings().default_token_lifetime,
            scope: Scope::all(),
        };
        self.key_make(who, &user, spec).await
    }

    /// Makes a token: of fixed life, with the scopes that were asked for.
    pub async fn token_create(
        &self,
        who: &Subject,
        which: &UserRef,
        request: CreateTokenRequest,
    ) -> Result<GenerateApiKeyResponse> {
        let user = self.key_owner(who, which).await?;
        let lifetime = self.token_lifetime(&user, request.lifetime)?;
        let token_name = if request.token_name.is_empty() {
            format!("token-{}", names::random_text(10).to_lowercase())
        } else if request.token_name.len() > MAX_NAME || request.token_name.contains('\0') {
            return Err(Error::field(
                "token_name",
                "must have at most 64 characters",
            ));
        } else {
            request.token_name.clone()
        };
        let spec = KeySpec {
            user: user.id,
            login_type: "token",
            token_name,
            lifetime,
            scope: requested_scope(&request)?,
        };
        self.key_make(who, &user, spec).await
    }

    async fn key_owner(&self, who: &Subject, which: &UserRef) -> Result<UserRow> {
        let user = self.store().conn().await?.user_read(who, which).await?;
        who.may(Action::Create, &key_object(user.id))?;
        Ok(user)
    }

    async fn key_make(
        &self,
        who: &Subject,
        user: &UserRow,
        spec: KeySpec,
    ) -> Result<GenerateApiKeyResponse> {
        // A key may not beget one that reaches further than itself.
        if !who.scope().covers(&spec.scope) {
            return Err(
                Error::forbidden("The new key would reach further than the one you use.")
                    .with_detail("Ask for narrower scopes, or sign in and try again."),
            );
        }
        let tx = self.store().begin(who).await?;
        let name = spec.token_name.clone();
        let token = self.key_insert(&tx, who, spec).await?;
        let (id, _) = token.expose().split_once('-').unwrap_or_default();
        let row = tx
            .api_key_read(&Subject::system(authz::System::Core), id)
            .await?;
        let diff = AuditDiff::between(&(), &row, TRACKED, &[]);
        let target = if name.is_empty() {
            &user.username
        } else {
            &name
        };
        let entry = AuditEntry::new(AuditAction::Create, "api_key", user.id, target);
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        Ok(GenerateApiKeyResponse {
            key: token.into_inner(),
        })
    }

    /// Makes a key within a transaction; the token is known only now.
    pub(crate) async fn key_insert(
        &self,
        tx: &Tx,
        who: &Subject,
        spec: KeySpec,
    ) -> Result<Secret<String>> {
        let (id, secret) = (
            names::random_text(KEY_ID_LEN),
            names::random_text(KEY_SECRET_LEN),
        );
        let seconds = i64::try_from(spec.lifetime.as_secs()).unwrap_or(i64::MAX);
        let expires_at = chrono::Duration::from_std(spec.lifetime)
            .ok()
            .and_then(|life| chrono::Utc::now().checked_add_signed(life))
            .ok_or_else(|| Error::field("lifetime", "is too long"))?;
        let ip = who
            .origin()
            .and_then(|origin| origin.ip)
            .map(|ip| ip.to_string());
        let new = NewApiKey {
            id: &id,
            hashed_secret: &hash_secret(&secret),
            user_id: spec.user,
            login_type: spec.login_type,
            token_name: &spec.token_name,
            scopes: &spec.scope.names,
            allow_list: &spec.scope.allow.to_stored(),
            lifetime_seconds: seconds,
            expires_at,
            ip_address: ip.as_deref().unwrap_or("0.0.0.0"),
        };
        tx.api_key_create(who, &new).await.map_err(|error| {
            if error.is_conflict(TOKEN_NAME_TAKEN) {
                let message = format!("A token with name {:?} already exists.", spec.token_name);
                Error::conflict(message)
                    .with_field("name", "This value is already in use and should be unique.")
            } else {
                error.into()
            }
        })?;
        Ok(format!("{id}-{secret}").into())
    }

    fn token_lifetime(&self, user: &UserRow, nanoseconds: i64) -> Result<Duration> {
        let settings = self.settings();
        let wanted = match u64::try_from(nanoseconds) {
            Ok(0) => return Ok(settings.default_token_lifetime),
            Ok(wanted) => Duration::from_nanos(wanted),
            Err(_) => return Err(Error::field("lifetime", "must be positive")),
        };
        let max = self.max_lifetime(user);
        if wanted > max {
            return Err(
                Error::invalid("Failed to validate create API key request.").with_detail(format!(
                    "lifetime must be less than {} hours",
                    max.as_secs() / 3600
                )),
            );
        }
        // Less than a second would be over before it is used.
        Ok(wanted.max(Duration::from_secs(1)))
    }

    fn max_lifetime(&self, user: &UserRow) -> Duration {
        let settings = self.settings();
        if user.roles.iter().any(|role| role == role_names::OWNER) {
            settings
                .max_admin_token_lifetime
                .min(settings.max_token_lifetime)
        } else {
            settings.max_token_lifetime
        }
    }

    /// Bounds on tokens of a user.
    pub async fn token_config_read(&self, who: &Subject, which: &UserRef) -> Result<TokenConfig> {
        let user = self.store().conn().await?.user_read(who, which).await?;
        let max = self.max_lifetime(&user).as_nanos();
        Ok(TokenConfig {
            max_token_lifetime: i64::try_from(max).unwrap_or(i64::MAX),
        })
    }

    /// Tokens of a user; of everyone if told so.
    pub async fn token_list(
        &self,
        who: &Subject,
        which: &UserRef,
        all: bool,
        expired: bool,
    ) -> Result<Vec<ApiKeyWithOwner>> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        let rows = conn
            .token_list(who, (!all).then_some(user.id), expired)
            .await?;
        Ok(rows.into_iter().map(with_owner).collect())
    }

    /// A token by its name.
    pub async fn token_read(&self, who: &Subject, which: &UserRef, name: &str) -> Result<ApiKey> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        Ok(shown(conn.token_read(who, user.id, name).await?))
    }

    /// A key by its id.
    pub async fn key_read(&self, who: &Subject, which: &UserRef, id: &str) -> Result<ApiKey> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        Ok(shown(own(conn.api_key_read(who, id).await?, user.id)?))
    }

    /// Deletes a key.
    pub async fn key_delete(&self, who: &Subject, which: &UserRef, id: &str) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, which).await?;
        let old = own(tx.api_key_delete(who, id).await?, user.id)?;
        let diff = AuditDiff::between(&old, &(), TRACKED, &[]);
        self.key_changed(tx, AuditAction::Delete, &old, diff).await
    }

    /// Ends a key now.
    pub async fn key_expire(&self, who: &Subject, which: &UserRef, id: &str) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, which).await?;
        let old = own(tx.api_key_expire(who, id).await?, user.id)?;
        let new = tx.api_key_read(who, id).await?;
        let diff = AuditDiff::between(&old, &new, TRACKED, &[]);
        self.key_changed(tx, AuditAction::Write, &old, diff).await
    }

    async fn key_changed(
        &self,
        tx: Tx,
        action: AuditAction,
        key: &ApiKeyRow,
        diff: AuditDiff,
    ) -> Result<()> {
        let target = if key.token_name.is_empty() {
            &key.username
        } else {
            &key.token_name
        };
        tx.audit(
            AuditEntry::new(action, "api_key", key.user_id, target)
                .diff(diff)
                .status(204),
        )
        .await?;
        tx.sessions_forget(Some(key.user_id)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(key.user_id));
        Ok(())
    }
}

/// A key of another user is none of this one.
fn own(key: ApiKeyRow, user: Uuid) -> Result<ApiKeyRow> {
    if key.user_id == user {
        Ok(key)
    } else {
        Err(Error::not_found())
    }
}

fn requested_scope(request: &CreateTokenRequest) -> Result<Scope> {
    let mut wanted: Vec<&str> = request.scopes.iter().map(String::as_str).collect();
    if wanted.is_empty() {
        wanted.push(if request.scope.is_empty() {
            "coder:all"
        } else {
            &request.scope
        });
    }
    if wanted.len() > MAX_SCOPES {
        return Err(Error::field("scopes", "names too many scopes"));
    }
    let names = wanted
        .into_iter()
        .map(is_public_scope)
        .collect::<Result<Vec<_>, _>>();
    let names = names.map_err(|error| Error::field("scopes", error.to_string()))?;
    let entries: Vec<String> = request
        .allow_list
        .iter()
        .map(|entry| format!("{}:{}", entry.r#type, entry.id))
        .collect();
    let allow =
        AllowList::parse(&entries).map_err(|e| Error::field("allow_list", e.to_string()))?;
    Ok(Scope::from_stored(&names, &allow.to_stored()))
}

/// The one scope of old clients.
fn legacy(scopes: &[String]) -> String {
    let has = |name: &str| scopes.iter().any(|scope| scope == name);
    if has("coder:all") {
        "all".to_owned()
    } else if has("coder:application_connect") {
        "application_connect".to_owned()
    } else {
        String::new()
    }
}

fn targets(entries: &[String]) -> Vec<ApiAllowListTarget> {
    let split = |entry: &String| {
        let (kind, id) = entry.split_once(':')?;
        Some(ApiAllowListTarget {
            r#type: kind.to_owned(),
            id: id.to_owned(),
        })
    };
    entries.iter().filter_map(split).collect()
}

fn shown(row: ApiKeyRow) -> ApiKey {
    ApiKey {
        scope: legacy(&row.scopes),
        allow_list: targets(&row.allow_list),
        id: row.id,
        user_id: row.user_id,
        last_used: row.last_used,
        expires_at: row.expires_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        login_type: row.login_type.as_str().into(),
        scopes: row.scopes,
        token_name: row.token_name,
        lifetime_seconds: row.lifetime_seconds,
    }
}

fn with_owner(row: ApiKeyRow) -> ApiKeyWithOwner {
    let username = row.username.clone();
    let key = shown(row);
    ApiKeyWithOwner {
        id: key.id,
        user_id: key.user_id,
        last_used: key.last_used,
        expires_at: key.expires_at,
        created_at: key.created_at,
        updated_at: key.updated_at,
        login_type: key.login_type,
        scope: key.scope,
        scopes: key.scopes,
        token_name: key.token_name,
        lifetime_seconds: key.lifetime_seconds,
        allow_list: key.allow_list,
        username,
    }
}
