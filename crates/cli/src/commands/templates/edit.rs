//! `coder templates edit`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use api_types::{TemplateAutostartRequirement, TemplateAutostopRequirement, UpdateTemplateMeta};
use chrono::Utc;
use clap::Args as ClapArgs;

use super::super::lookup;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;
use crate::ui::time;

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Change the settings of a template. What is not named stays.
#[derive(Debug, Default, ClapArgs)]
pub struct Args {
    /// The template.
    template: String,

    /// New name.
    #[arg(long, value_name = "name")]
    name: Option<String>,

    /// Name shown to people.
    #[arg(long, value_name = "text")]
    display_name: Option<String>,

    /// What the template is for.
    #[arg(long, value_name = "text")]
    description: Option<String>,

    /// Address or path of the icon.
    #[arg(long, value_name = "url")]
    icon: Option<String>,

    /// Why nobody should use the template any more; an empty text revives it.
    #[arg(long, value_name = "text")]
    deprecated: Option<String>,

    /// Time after which workspaces stop by themselves; 0 is never.
    #[arg(long, value_name = "duration", value_parser = time::duration_flag)]
    default_ttl: Option<Duration>,

    /// How much later a workspace stops that is being used.
    #[arg(long, value_name = "duration", value_parser = time::duration_flag)]
    activity_bump: Option<Duration>,

    /// How long before the stop to remind the owner; 0 is never.
    #[arg(long, value_name = "duration", value_parser = time::duration_flag)]
    autostop_reminder: Option<Duration>,

    /// Days on which workspaces may start by themselves, or all.
    #[arg(long, value_name = "days", value_delimiter = ',')]
    autostart_requirement_weekdays: Vec<String>,

    /// Days on which workspaces must restart, or none.
    #[arg(long, value_name = "days", value_delimiter = ',')]
    autostop_requirement_weekdays: Vec<String>,

    /// Weeks between the restarts that workspaces must make.
    #[arg(long, value_name = "weeks")]
    autostop_requirement_weeks: Option<i64>,

    /// Time after which a failed start is cleaned up; 0 is never.
    #[arg(long, value_name = "duration", value_parser = time::duration_flag)]
    failure_ttl: Option<Duration>,

    /// Time without use after which a workspace becomes dormant; 0 is never.
    #[arg(long, value_name = "duration", value_parser = time::duration_flag)]
    dormancy_threshold: Option<Duration>,

    /// Time after which a dormant workspace is deleted; 0 is never.
    #[arg(long, value_name = "duration", value_parser = time::duration_flag)]
    dormancy_auto_deletion: Option<Duration>,

    /// People may choose when their workspaces start.
    #[arg(long, value_name = "bool")]
    allow_user_autostart: Option<bool>,

    /// People may choose when their workspaces stop.
    #[arg(long, value_name = "bool")]
    allow_user_autostop: Option<bool>,

    /// People may cancel builds that run.
    #[arg(long, value_name = "bool")]
    allow_user_cancel_workspace_jobs: Option<bool>,

    /// Workspaces must use the active version.
    #[arg(long, value_name = "bool")]
    require_active_version: Option<bool>,

    /// Let AI agents create workspaces with this template.
    #[arg(long, value_name = "bool")]
    agents_allowed: Option<bool>,

    /// Let nobody use the template who is not given access.
    #[arg(long, value_name = "bool")]
    private: Option<bool>,

    #[command(flatten)]
    organization: OrganizationFlag,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Stores what the flags name.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let template = lookup::template(
        session,
        &args.template,
        args.organization.organization.as_deref(),
    )
    .await?;
    let changes = changes(&args, &template)?;
    if changes == UpdateTemplateMeta::default() {
        return say!("Nothing to change: name the settings by flags, see --help.");
    }
    confirm_default_yes("Confirm save changes?", args.yes)?;
    match client
        .template_update(template.id, &changes)
        .await
        .context("update the template")?
    {
        Some(_) => say!("Updated template metadata at {}!", time::stamp(Utc::now())),
        None => say!("The template has these settings already."),
    }
}

fn changes(args: &Args, template: &api_types::Template) -> Result<UpdateTemplateMeta> {
    let ms = |d: Option<Duration>| {
        d.map(|d| i64::try_from(d.as_millis()))
            .transpose()
            .context("a duration is too long")
    };
    let mut autostop = None;
    if !args.autostop_requirement_weekdays.is_empty() || args.autostop_requirement_weeks.is_some() {
        let old = &template.autostop_requirement;
        autostop = Some(TemplateAutostopRequirement {
            days_of_week: match args.autostop_requirement_weekdays.as_slice() {
                [] => old.days_of_week.clone(),
                [only] if only == "none" => Vec::new(),
                days => checked(days)?,
            },
            weeks: args.autostop_requirement_weeks.unwrap_or(old.weeks),
        });
    }
    let autostart = match args.autostart_requirement_weekdays.as_slice() {
        [] => None,
        [only] if only == "all" => Some(DAYS.map(str::to_owned).to_vec()),
        days => Some(checked(days)?),
    };
    Ok(UpdateTemplateMeta {
        name: args.name.clone(),
        display_name: args.display_name.clone(),
        description: args.description.clone(),
        icon: args.icon.clone(),
        deprecation_message: args.deprecated.clone(),
        default_ttl_ms: ms(args.default_ttl)?,
        activity_bump_ms: ms(args.activity_bump)?,
        time_til_autostop_notify_ms: ms(args.autostop_reminder)?,
        autostop_requirement: autostop,
        autostart_requirement: autostart
            .map(|days_of_week| TemplateAutostartRequirement { days_of_week }),
        failure_ttl_ms: ms(args.failure_ttl)?,
        time_til_dormant_ms: ms(args.dormancy_threshold)?,
        time_til_dormant_autodelete_ms: ms(args.dormancy_auto_deletion)?,
        allow_user_autostart: args.allow_user_autostart,
        allow_user_autostop: args.allow_user_autostop,
        allow_user_cancel_workspace_jobs: args.allow_user_cancel_workspace_jobs,
        require_active_version: args.require_active_version,
        agents_allowed: args.agents_allowed,
        disable_everyone_group_access: args.private,
        ..UpdateTemplateMeta::default()
    })
}

fn checked(days: &[String]) -> Result<Vec<String>> {
    for day in days {
        if !DAYS.contains(&day.as_str()) {
            bail!("unknown day {day:?}: use {}", DAYS.join(", "));
        }
    }
    Ok(days.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_changes() {
        let args = Args {
            default_ttl: Some(Duration::from_hours(1)),
            autostop_requirement_weeks: Some(2),
            autostart_requirement_weekdays: vec!["all".into()],
            ..Args::default()
        };
        let mut template = api_types::Template::default();
        template.autostop_requirement.days_of_week = vec!["sunday".into()];
        let changes = changes(&args, &template).unwrap();
        assert_eq!(changes.default_ttl_ms, Some(3_600_000));
        assert_eq!(
            changes.autostop_requirement.unwrap().days_of_week,
            ["sunday"]
        );
        assert_eq!(changes.autostart_requirement.unwrap().days_of_week.len(), 7);
        assert_eq!(changes.name, None);
    }

    #[test]
    fn days_are_checked() {
        let args = Args {
            autostop_requirement_weekdays: vec!["someday".into()],
            ..Args::default()
        };
        assert!(changes(&args, &api_types::Template::default()).is_err());
    }
}
