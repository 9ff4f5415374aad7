//! Reading the audit log.

use api_types::{AuditDiffField, AuditLog, AuditLogResponse, MinimalOrganization, User};
use authz::{Action, Object, ResourceType, Subject};
use store::audit_list::{AuditFilter, AuditRow, COUNT_CAP};

use crate::search::Query;
use crate::users::Page;
use crate::{Control, Error, Result};

/// Entries of a page when none is asked for, and at most.
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

impl Control {
    /// Entries that match a query and may be read, newest first.
    pub async fn audit_list(&self, who: &Subject, q: &str, page: Page) -> Result<AuditLogResponse> {
        // Not a secret that there is a log: hence 403, not an empty list.
        let log = Object::new(ResourceType::AuditLog);
        who.may(Action::Read, &log)
            .or_else(|_| who.may(Action::Read, &log.any_org()))?;
        let mut query = Query::parse(q, "resource_type");
        let day = |query: &mut Query, key: &str, end: bool| {
            query.parsed(key, "must be a day such as 2006-01-02", |text| {
                let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
                let time = if end {
                    day.and_hms_opt(23, 59, 59)?
                } else {
                    day.and_hms_opt(0, 0, 0)?
                };
                Some(time.and_utc())
            })
        };
        let mut by = AuditFilter {
            resource_type: query.one("resource_type"),
            resource_id: query.parsed("resource_id", "must be a UUID", |t| t.parse().ok()),
            resource_target: query.one("resource_target"),
            action: query.one("action"),
            username: query.one("username"),
            email: query.one("email"),
            request_id: query.parsed("request_id", "must be a UUID", |t| t.parse().ok()),
            organization: query.one("organization"),
            from: day(&mut query, "date_from", false),
            to: day(&mut query, "date_to", true),
            build_reason: query.one("build_reason"),
            limit: if page.limit == 0 {
                DEFAULT_LIMIT
            } else {
                page.limit.min(MAX_LIMIT)
            },
            offset: page.offset,
        };
        query.finish().map_err(Error::query)?;
        if by.username.as_deref() == Some("me") {
            by.username = Some(who.name().to_lowercase());
        }
        let (rows, count) = self.store().conn().await?.audit_list(who, &by).await?;
        let audit_logs = rows.into_iter().map(shown).collect();
        Ok(AuditLogResponse {
            audit_logs,
            count,
            count_cap: COUNT_CAP,
        })
    }
}

fn shown(row: AuditRow) -> AuditLog {
    let description = description(&row);
    let user = row.user_id.zip(row.username).map(|(id, username)| User {
        id,
        username,
        ..User::default()
    });
    let organization = row
        .organization_id
        .zip(row.organization_name)
        .map(|(id, name)| MinimalOrganization {
            id,
            name,
            display_name: row.organization_display_name.unwrap_or_default(),
            icon: row.organization_icon.unwrap_or_default(),
        });
    let diff: std::collections::BTreeMap<String, AuditDiffField> =
        serde_json::from_value(row.diff).unwrap_or_default();
    AuditLog {
        id: row.id,
        request_id: row.request_id,
        time: row.time,
        ip: row.ip.unwrap_or_default(),
        user_agent: row.user_agent.unwrap_or_default(),
        resource_type: row.resource_type.as_str().into(),
        resource_id: row.resource_id,
        resource_target: row.resource_target,
        resource_icon: row.resource_icon,
        action: row.action.as_str().into(),
        diff,
        status_code: row.status_code,
        additional_fields: row.additional_fields,
        description,
        resource_link: String::new(),
        is_deleted: false,
        organization_id: row.organization_id.unwrap_or_default(),
        organization,
        user,
    }
}

/// A sentence with the places `{user}` and `{target}`.
fn description(row: &AuditRow) -> String {
    let verb = match row.action.as_str() {
        "create" => "created",
        "write" => "updated",
        "delete" => "deleted",
        "start" => "started",
        "stop" => "stopped",
        "login" => "logged in",
        "logout" => "logged out",
        "register" => "registered",
        "request_password_reset" => "requested a password reset for",
        other => other,
    };
    let who = if row.status_code >= 400 {
        "{user} unsuccessfully"
    } else {
        "{user}"
    };
    match (row.action.as_str(), row.resource_type.as_str()) {
        ("login" | "logout", _) => format!("{who} {verb}"),
        (_, kind) => format!("{who} {verb} {} {{target}}", kind.replace('_', " ")),
    }
}
