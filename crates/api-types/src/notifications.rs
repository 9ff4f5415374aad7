//! What people are told, and which kinds of it there are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A kind of message. Its texts hold `{{.Labels.name}}` where a label of that name stands.
#[derive(Debug, PartialEq, Eq)]
pub struct NotificationKind {
    /// The id that clients know.
    pub id: Uuid,
    /// How people choose it.
    pub name: &'static str,
    /// Beside which others.
    pub group: &'static str,
    /// The first line.
    pub title: &'static str,
    /// The rest; no markup.
    pub body: &'static str,
}

const COST: &str = "AI Cost Control Events";
const COST_OF_OTHERS: &str = "AI Cost Control Admin Events";

/// Told a person whose AI budget is nearly used up.
pub const AI_BUDGET_WARNING: NotificationKind = NotificationKind {
    id: Uuid::from_u128(0xb5db9597_de2a_4dea_87e9_25cee6906b86),
    name: "AI Budget Warning",
    group: COST,
    title: "{{.Labels.threshold}}% of your AI budget is used",
    body: "Of your AI budget of {{.Labels.limit}} for this month {{.Labels.threshold}}% or more is \
           used. It starts again on {{.Labels.period_end}} (UTC); an administrator can raise it.",
};

/// Told a person whose AI budget is used up.
pub const AI_BUDGET_REACHED: NotificationKind = NotificationKind {
    id: Uuid::from_u128(0xcdcf2ecd_f003_4169_9800_abb2661ea522),
    name: "AI Budget Limit Reached",
    group: COST,
    title: "Your AI budget is used up",
    body: "Your AI budget of {{.Labels.limit}} for this month is used up: models answer again on \
           {{.Labels.period_end}} (UTC), or when an administrator raises it.",
};

/// Told administrators of a person whose AI budget is nearly used up.
pub const AI_BUDGET_WARNING_ADMIN: NotificationKind = NotificationKind {
    id: Uuid::from_u128(0x2a7b0ac1_00e1_4625_9cd5_1e5933972c77),
    name: "User Approaching AI Budget Limit",
    group: COST_OF_OTHERS,
    title: "{{.Labels.username}} has used {{.Labels.threshold}}% of an AI budget",
    body: "Of the AI budget of {{.Labels.limit}} that {{.Labels.username}} has for this month \
           ({{.Labels.limit_source}}, counted for the group {{.Labels.effective_group_name}}), \
           {{.Labels.threshold}}% or more is used. It starts again on {{.Labels.period_end}} (UTC).",
};

/// Told administrators of a person whose AI budget is used up.
pub const AI_BUDGET_REACHED_ADMIN: NotificationKind = NotificationKind {
    id: Uuid::from_u128(0x0bafe0ea_a78b_4217_ad05_1ef12e92e025),
    name: "User Reached AI Budget Limit",
    group: COST_OF_OTHERS,
    title: "{{.Labels.username}} has used up an AI budget",
    body: "The AI budget of {{.Labels.limit}} that {{.Labels.username}} has for this month \
           ({{.Labels.limit_source}}, counted for the group {{.Labels.effective_group_name}}) is used \
           up: models refuse what {{.Labels.username}} asks until {{.Labels.period_end}} (UTC), unless \
           you raise it.",
};

impl NotificationKind {
    /// All kinds.
    pub const ALL: [&'static Self; 4] = [
        &AI_BUDGET_WARNING,
        &AI_BUDGET_REACHED,
        &AI_BUDGET_WARNING_ADMIN,
        &AI_BUDGET_REACHED_ADMIN,
    ];

    /// Title and body with these labels.
    pub fn text(&self, labels: &[(&str, &str)]) -> (String, String) {
        (filled(self.title, labels), filled(self.body, labels))
    }
}

/// Labels are put in once: what they hold is no template.
fn filled(text: &str, labels: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{.Labels.") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        let found = labels.iter().find(|(label, _)| *label == name);
        out.push_str(found.map_or("", |(_, value)| value));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `NotificationTemplate` of the API: a kind, as clients see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotificationTemplate {
    pub id: Uuid,
    pub name: String,
    pub title_template: String,
    pub body_template: String,
    /// JSON, as text.
    pub actions: String,
    pub group: String,
    /// How it is sent; empty: as all are.
    pub method: String,
    /// `system`.
    pub kind: String,
    pub enabled_by_default: bool,
}

impl From<&NotificationKind> for NotificationTemplate {
    fn from(kind: &NotificationKind) -> Self {
        Self {
            id: kind.id,
            name: kind.name.to_owned(),
            title_template: kind.title.to_owned(),
            body_template: kind.body.to_owned(),
            actions: "[]".to_owned(),
            group: kind.group.to_owned(),
            method: String::new(),
            kind: "system".to_owned(),
            enabled_by_default: true,
        }
    }
}

/// `InboxNotification` of the API: what someone was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InboxNotification {
    pub id: Uuid,
    pub user_id: Uuid,
    /// Its kind.
    pub template_id: Uuid,
    /// What it speaks of.
    pub targets: Vec<Uuid>,
    pub title: String,
    pub content: String,
    /// Name of a picture.
    pub icon: String,
    pub actions: Vec<InboxNotificationAction>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// `InboxNotificationAction` of the API: what can be done about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InboxNotificationAction {
    pub label: String,
    pub url: String,
}

/// `ListInboxNotificationsResponse` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListInboxNotificationsResponse {
    pub notifications: Vec<InboxNotification>,
    /// Of all, not only of those here.
    pub unread_count: i64,
}

/// `GetInboxNotificationResponse` of the API: one, live or after a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GetInboxNotificationResponse {
    pub notification: InboxNotification,
    pub unread_count: i64,
}

/// `UpdateInboxNotificationReadStatusRequest` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateInboxNotificationReadStatusRequest {
    pub is_read: bool,
}

/// `NotificationPreference` of the API: whether someone is told of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotificationPreference {
    /// The kind.
    pub id: Uuid,
    pub disabled: bool,
    pub updated_at: DateTime<Utc>,
}

/// `UpdateUserNotificationPreferences` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateUserNotificationPreferences {
    /// By kind; others stay as they are.
    pub template_disabled_map: BTreeMap<Uuid, bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_put_in_once() {
        let labels = [
            ("username", "{{.Labels.limit}}"),
            ("limit", "$5.00"),
            ("threshold", "85"),
        ];
        let (title, body) = AI_BUDGET_WARNING_ADMIN.text(&labels);
        assert_eq!(title, "{{.Labels.limit}} has used 85% of an AI budget");
        assert!(
            body.starts_with("Of the AI budget of $5.00 that {{.Labels.limit}} has"),
            "{body}"
        );
    }

    #[test]
    fn kinds_are_told_apart() {
        for (at, kind) in NotificationKind::ALL.iter().enumerate() {
            assert!(
                NotificationKind::ALL[..at]
                    .iter()
                    .all(|k| k.id != kind.id && k.name != kind.name)
            );
        }
    }
}
