//! The audit log: who changed what, from where, with what outcome.

use std::collections::BTreeMap;

use authz::Subject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Result;
use crate::conn::Conn;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is its wire name")]
pub enum AuditAction {
    Create,
    Write,
    Delete,
    Start,
    Stop,
    Login,
    Logout,
    Register,
    RequestPasswordReset,
}

impl AuditAction {
    /// The name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            AuditAction::Create => "create",
            AuditAction::Write => "write",
            AuditAction::Delete => "delete",
            AuditAction::Start => "start",
            AuditAction::Stop => "stop",
            AuditAction::Login => "login",
            AuditAction::Logout => "logout",
            AuditAction::Register => "register",
            AuditAction::RequestPasswordReset => "request_password_reset",
        }
    }
}

/// Change of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDiff {
    /// Before; null for a thing that was not.
    pub old: Value,
    /// After; null for a thing that is no more.
    pub new: Value,
    /// The values are withheld.
    pub secret: bool,
}

/// Changed fields by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuditDiff(pub BTreeMap<String, FieldDiff>);

impl AuditDiff {
    /// The tracked fields in which two states of a thing differ; `secret` ones
    /// are named without their values. Either state may be absent (`&()`).
    pub fn between(
        old: &impl Serialize,
        new: &impl Serialize,
        tracked: &[&str],
        secret: &[&str],
    ) -> Self {
        let old = serde_json::to_value(old).unwrap_or_default();
        let new = serde_json::to_value(new).unwrap_or_default();
        let mut diff = BTreeMap::new();
        for &field in tracked.iter().chain(secret) {
            let (before, after) = (&old[field], &new[field]);
            if before == after {
                continue;
            }
            let hide = secret.contains(&field);
            let shown = |value: &Value, other: &Value| match (hide, value) {
                (true, _) => Value::from(""),
                (false, Value::Null) => zero_like(other),
                (false, value) => value.clone(),
            };
            diff.insert(
                field.to_owned(),
                FieldDiff {
                    old: shown(before, after),
                    new: shown(after, before),
                    secret: hide,
                },
            );
        }
        AuditDiff(diff)
    }
}

/// The empty value of the same type, which readers expect in place of null.
fn zero_like(value: &Value) -> Value {
    match value {
        Value::Null | Value::Object(_) => Value::Null,
        Value::Bool(_) => Value::from(false),
        Value::Number(_) => Value::from(0),
        Value::String(_) => Value::from(""),
        Value::Array(_) => Value::Array(Vec::new()),
    }
}

/// An entry to be written.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// What was done.
    pub action: AuditAction,
    /// Kind of the thing, as the API names it (`user`, `workspace_build`, …).
    pub resource_type: &'static str,
    /// The thing; for an API key its user.
    pub resource_id: Uuid,
    /// Name of the thing for people.
    pub target: String,
    /// Its organization, if it has one.
    pub organization_id: Option<Uuid>,
    /// HTTP status of the outcome.
    pub status: u16,
    /// What changed.
    pub diff: AuditDiff,
    /// More facts; an object.
    pub additional: Value,
    /// Who, if not the acting subject: the user found at sign-in, the
    /// initiator of a build.
    pub user_id: Option<Uuid>,
    /// The request, if not that of the acting subject: the job of a build.
    pub request_id: Option<Uuid>,
}

impl AuditEntry {
    /// A successful action on a thing, yet without a diff.
    pub fn new(action: AuditAction, resource_type: &'static str, id: Uuid, target: &str) -> Self {
        AuditEntry {
            action,
            resource_type,
            resource_id: id,
            target: target.to_owned(),
            organization_id: None,
            status: match action {
                AuditAction::Create | AuditAction::Register | AuditAction::Login => 201,
                _ => 200,
            },
            diff: AuditDiff::default(),
            additional: Value::Object(serde_json::Map::new()),
            user_id: None,
            request_id: None,
        }
    }

    /// Within an organization.
    #[must_use]
    pub fn org(mut self, organization: Uuid) -> Self {
        self.organization_id = Some(organization);
        self
    }

    /// With what changed.
    #[must_use]
    pub fn diff(mut self, diff: AuditDiff) -> Self {
        self.diff = diff;
        self
    }

    /// With another outcome than success.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Done by this user.
    #[must_use]
    pub fn by(mut self, user: Uuid) -> Self {
        self.user_id = Some(user);
        self
    }

    /// With more facts.
    #[must_use]
    pub fn additional(mut self, fields: Value) -> Self {
        self.additional = fields;
        self
    }
}

impl Conn {
    pub(crate) async fn audit_insert(&self, who: &Subject, entry: AuditEntry) -> Result<()> {
        let origin = who.origin();
        let user = entry.user_id.or(who.user_id());
        let ip = origin.and_then(|o| o.ip).map(|ip| ip.to_string());
        let agent = origin.map(|o| o.user_agent.as_str());
        let request = entry
            .request_id
            .or(origin.map(|o| o.request_id))
            .unwrap_or_default();
        let diff = serde_json::to_value(&entry.diff).unwrap_or_default();
        let mut additional = entry.additional;
        if let (Some(chat), Some(fields)) = (who.chat(), additional.as_object_mut()) {
            // The user did it by the hand of an agent: both are named.
            fields.insert("chat_id".to_owned(), Value::from(chat.to_string()));
        }
        let sql = "INSERT INTO audit_logs (id, user_id, organization_id, ip, user_agent, \
                   resource_type, resource_id, resource_target, action, diff, status_code, \
                   additional_fields, request_id) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        self.execute(
            sql,
            &[
                &Uuid::new_v4(),
                &user,
                &entry.organization_id,
                &ip,
                &agent,
                &entry.resource_type,
                &entry.resource_id,
                &entry.target,
                &entry.action.name(),
                &diff,
                &i32::from(entry.status),
                &additional,
                &request,
            ],
        )
        .await?;
        Ok(())
    }
}
