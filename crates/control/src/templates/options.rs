//! What may be set of a template: checked, and laid over the stored one.

use api_types::{
    CreateTemplateRequest, TemplateAutostopRequirement, UpdateTemplateMeta, ValidationError,
};
use store::templates::TemplateRow;

use crate::schedule::{ALL_DAYS, days_to_bits};
use crate::workspaces::names::{
    MAX_DESCRIPTION, MAX_ICON, check_display_name, check_name, check_text,
};
use crate::{Error, Result};

/// Shortest duration that may be set, where any but zero may be: a slip in the unit must not
/// delete workspaces.
const MIN_MS: i64 = 60_000;

/// A stop is asked for at least every so many weeks.
const MAX_WEEKS: i64 = 16;

/// One hour: what use moves the deadline by unless the template says otherwise.
const DEFAULT_BUMP_MS: i64 = 3_600_000;

/// Rights of those who may use a template.
pub(super) fn use_actions() -> Vec<String> {
    vec!["read".to_owned(), "use".to_owned()]
}

/// Lays what a creation asks for over a new template.
pub(super) fn apply_create(row: &mut TemplateRow, r: &CreateTemplateRequest) -> Result<()> {
    let update = UpdateTemplateMeta {
        name: Some(r.name.clone()),
        display_name: Some(r.display_name.clone()),
        description: Some(r.description.clone()),
        icon: Some(r.icon.clone()),
        default_ttl_ms: Some(r.default_ttl_ms.unwrap_or(0)),
        activity_bump_ms: Some(r.activity_bump_ms.unwrap_or(DEFAULT_BUMP_MS)),
        time_til_autostop_notify_ms: r.time_til_autostop_notify_ms,
        autostop_requirement: Some(r.autostop_requirement.clone().unwrap_or_default()),
        autostart_requirement: r.autostart_requirement.clone(),
        allow_user_autostart: Some(r.allow_user_autostart.unwrap_or(true)),
        allow_user_autostop: Some(r.allow_user_autostop.unwrap_or(true)),
        allow_user_cancel_workspace_jobs: Some(r.allow_user_cancel_workspace_jobs.unwrap_or(false)),
        failure_ttl_ms: r.failure_ttl_ms,
        time_til_dormant_ms: r.dormant_ttl_ms,
        time_til_dormant_autodelete_ms: r.delete_ttl_ms,
        require_active_version: Some(r.require_active_version),
        max_port_share_level: Some(
            r.max_port_share_level
                .clone()
                .unwrap_or_else(|| "owner".into()),
        ),
        cors_behavior: Some(r.cors_behavior.clone().unwrap_or_else(|| "simple".into())),
        use_classic_parameter_flow: Some(r.template_use_classic_parameter_flow.unwrap_or(false)),
        agents_allowed: Some(r.agents_allowed.unwrap_or(true)),
        ..UpdateTemplateMeta::default()
    };
    apply(row, &update, "Invalid create template request.")
}

/// Lays what an edit names over a stored template.
pub(super) fn apply_update(row: &mut TemplateRow, r: &UpdateTemplateMeta) -> Result<()> {
    apply(row, r, "Invalid request to update template metadata!")
}

fn apply(row: &mut TemplateRow, r: &UpdateTemplateMeta, message: &str) -> Result<()> {
    if let Some(name) = &r.name {
        check_name("name", "template_name", name)?;
    }
    if let Some(name) = &r.display_name {
        check_display_name("display_name", "template_display_name", name)?;
    }
    if let Some(text) = &r.description {
        check_text("description", text, MAX_DESCRIPTION * 4)?;
    }
    if let Some(icon) = &r.icon {
        check_text("icon", icon, MAX_ICON)?;
    }
    check_text(
        "deprecation_message",
        r.deprecation_message.as_deref().unwrap_or_default(),
        4096,
    )?;
    let mut wrong = Wrong::default();
    wrong.at_least_zero("default_ttl_ms", r.default_ttl_ms);
    wrong.at_least_zero("activity_bump_ms", r.activity_bump_ms);
    wrong.zero_or_a_minute("time_til_autostop_notify_ms", r.time_til_autostop_notify_ms);
    wrong.zero_or_a_minute("failure_ttl_ms", r.failure_ttl_ms);
    wrong.zero_or_a_minute("time_til_dormant_ms", r.time_til_dormant_ms);
    wrong.zero_or_a_minute(
        "time_til_dormant_autodelete_ms",
        r.time_til_dormant_autodelete_ms,
    );

    let t = &mut row.api;
    set(&mut t.name, &r.name);
    set(&mut t.display_name, &r.display_name);
    set(&mut t.description, &r.description);
    set(&mut t.icon, &r.icon);
    set(&mut t.default_ttl_ms, &r.default_ttl_ms);
    set(&mut t.activity_bump_ms, &r.activity_bump_ms);
    set(
        &mut t.time_til_autostop_notify_ms,
        &r.time_til_autostop_notify_ms,
    );
    set(&mut t.failure_ttl_ms, &r.failure_ttl_ms);
    set(&mut t.time_til_dormant_ms, &r.time_til_dormant_ms);
    set(
        &mut t.time_til_dormant_autodelete_ms,
        &r.time_til_dormant_autodelete_ms,
    );
    set(&mut t.allow_user_autostart, &r.allow_user_autostart);
    set(&mut t.allow_user_autostop, &r.allow_user_autostop);
    set(
        &mut t.allow_user_cancel_workspace_jobs,
        &r.allow_user_cancel_workspace_jobs,
    );
    set(&mut t.require_active_version, &r.require_active_version);
    set(&mut t.deprecation_message, &r.deprecation_message);
    t.deprecated = !t.deprecation_message.is_empty();
    set(
        &mut t.use_classic_parameter_flow,
        &r.use_classic_parameter_flow,
    );
    set(&mut t.disable_module_cache, &r.disable_module_cache);
    set(&mut t.agents_allowed, &r.agents_allowed);
    if let Some(level) = &r.max_port_share_level {
        if ["owner", "authenticated", "organization", "public"].contains(&level.as_str()) {
            t.max_port_share_level = level.clone();
        } else {
            wrong.note(
                "max_port_share_level",
                "Must be owner, organization, authenticated or public.",
            );
        }
    }
    if let Some(cors) = &r.cors_behavior {
        if ["simple", "passthru"].contains(&cors.as_str()) {
            t.cors_behavior = cors.clone();
        } else {
            wrong.note(
                "cors_behavior",
                format!(
                    "Invalid CORS behavior {:?}. Must be simple or passthru.",
                    cors.as_str()
                ),
            );
        }
    }
    if let Some(required) = &r.autostop_requirement {
        apply_autostop(row, required, &mut wrong);
    }
    if let Some(required) = &r.autostart_requirement {
        match days_to_bits(&required.days_of_week) {
            Ok(days) => row.autostart_block_days = ALL_DAYS & !days,
            Err(day) => wrong.note("autostart_requirement.days_of_week", no_day(&day)),
        }
    }
    wrong.finish(message)
}

fn apply_autostop(row: &mut TemplateRow, r: &TemplateAutostopRequirement, wrong: &mut Wrong) {
    match days_to_bits(&r.days_of_week) {
        Ok(days) => row.autostop_days = days,
        Err(day) => wrong.note("autostop_requirement.days_of_week", no_day(&day)),
    }
    if r.weeks < 0 {
        wrong.note("autostop_requirement.weeks", "Must be a positive integer.");
    } else if r.weeks > MAX_WEEKS {
        wrong.note(
            "autostop_requirement.weeks",
            format!("Must be less than {MAX_WEEKS}."),
        );
    } else {
        row.api.autostop_requirement.weeks = r.weeks.max(1);
    }
}

fn no_day(day: &str) -> String {
    format!("{day:?} is no day of the week: write monday to sunday.")
}

fn set<T: Clone>(target: &mut T, value: &Option<T>) {
    if let Some(value) = value {
        target.clone_from(value);
    }
}

/// Wrong fields collected.
#[derive(Default)]
struct Wrong(Vec<ValidationError>);

impl Wrong {
    fn note(&mut self, field: &str, detail: impl Into<String>) {
        self.0.push(ValidationError {
            field: field.to_owned(),
            detail: detail.into(),
        });
    }

    fn at_least_zero(&mut self, field: &str, value: Option<i64>) {
        if value.is_some_and(|v| v < 0) {
            self.note(field, "Must be a positive integer.");
        }
    }

    fn zero_or_a_minute(&mut self, field: &str, value: Option<i64>) {
        if value.is_some_and(|v| v != 0 && v < MIN_MS) {
            self.note(field, "Must be 0 (disabled) or at least one minute.");
        }
    }

    fn finish(self, message: &str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut error = Error::invalid(message);
        error.validations = self.0;
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::{Template, TemplateAutostartRequirement};

    fn row() -> TemplateRow {
        TemplateRow {
            api: Template::default(),
            autostop_days: 0,
            autostart_block_days: 0,
            user_acl: authz::AccessList::default(),
            group_acl: authz::AccessList::default(),
        }
    }

    #[test]
    fn creation_has_its_defaults() {
        let mut r = row();
        let request = CreateTemplateRequest {
            name: "docker".into(),
            ..Default::default()
        };
        apply_create(&mut r, &request).unwrap();
        assert_eq!(r.api.activity_bump_ms, DEFAULT_BUMP_MS);
        assert!(r.api.allow_user_autostart && r.api.allow_user_autostop && r.api.agents_allowed);
        assert!(!r.api.allow_user_cancel_workspace_jobs);
        assert_eq!(
            (r.autostart_block_days, r.api.autostop_requirement.weeks),
            (0, 1)
        );
    }

    #[test]
    fn an_edit_leaves_the_rest_alone() {
        let mut r = row();
        r.api.name = "docker".into();
        r.api.default_ttl_ms = 5;
        let edit = UpdateTemplateMeta {
            description: Some("d".into()),
            ..Default::default()
        };
        apply_update(&mut r, &edit).unwrap();
        assert_eq!((r.api.name.as_str(), r.api.default_ttl_ms), ("docker", 5));
        assert_eq!(r.api.description, "d");
    }

    #[test]
    fn days_are_stored_as_the_forbidden_ones() {
        let mut r = row();
        let days = TemplateAutostartRequirement {
            days_of_week: vec!["monday".into()],
        };
        let edit = UpdateTemplateMeta {
            autostart_requirement: Some(days),
            ..Default::default()
        };
        apply_update(&mut r, &edit).unwrap();
        assert_eq!(r.autostart_block_days, 0b111_1110);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let edit = UpdateTemplateMeta {
            failure_ttl_ms: Some(5),
            default_ttl_ms: Some(-1),
            max_port_share_level: Some("everybody".into()),
            autostop_requirement: Some(TemplateAutostopRequirement {
                days_of_week: vec!["funday".into()],
                weeks: 17,
            }),
            ..Default::default()
        };
        let error = apply_update(&mut row(), &edit).unwrap_err();
        assert_eq!((error.status(), error.validations.len()), (400, 5));
    }
}
