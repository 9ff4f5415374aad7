//! `coder provisioner list`.

use std::time::Duration;

use anyhow::Result;
use api_types::{ProvisionerDaemon, ProvisionerDaemonJob};
use clap::{Args as ClapArgs, ValueEnum};
use client::ProvisionerQuery;

use crate::organization_flag::OrganizationFlag;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table, join};
use crate::ui::time;

/// List provisioner daemons.
#[derive(ClapArgs)]
pub struct Args {
    /// At most so many.
    #[arg(
        short,
        long,
        env = "CODER_PROVISIONER_LIST_LIMIT",
        value_name = "number",
        default_value_t = 50
    )]
    limit: u32,

    /// Those that are gone too.
    #[arg(short = 'f', long, env = "CODER_PROVISIONER_SHOW_OFFLINE")]
    show_offline: bool,

    /// Statuses, separated by commas.
    #[arg(
        short,
        long,
        env = "CODER_PROVISIONER_LIST_STATUS",
        value_name = "status",
        value_delimiter = ','
    )]
    status: Vec<Status>,

    /// Those that were seen within this time.
    #[arg(short, long, env = "CODER_PROVISIONER_LIST_MAX_AGE", value_name = "duration", value_parser = time::duration_flag)]
    max_age: Option<Duration>,

    #[command(flatten)]
    organization: OrganizationFlag,

    #[command(flatten)]
    listing: Listing<Daemons>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Offline,
    Idle,
    Busy,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Offline => "offline",
            Self::Idle => "idle",
            Self::Busy => "busy",
        })
    }
}

/// A daemon and the name of its organization.
struct Daemons;
impl Table for Daemons {
    type Row = (ProvisionerDaemon, String);
    const COLUMNS: &'static [Column<Self::Row>] = &[
        Column::new("id", |d| d.0.id.to_string()),
        Column::new("organization id", |d| d.0.organization_id.to_string()),
        Column::new("created at", |d| time::rfc3339(d.0.created_at)),
        Column::new("last seen at", |d| {
            d.0.last_seen_at.map(time::rfc3339).unwrap_or_default()
        }),
        Column::new("name", |d| d.0.name.clone()),
        Column::new("version", |d| d.0.version.clone()),
        Column::new("api version", |d| d.0.api_version.clone()),
        Column::new("tags", |d| super::tags(&d.0.tags)),
        Column::new("key name", |d| d.0.key_name.clone().unwrap_or_default()),
        Column::new("status", |d| {
            d.0.status
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default()
        }),
        Column::new("current job id", |d| id(d.0.current_job.as_ref())),
        Column::new("current job status", |d| status(d.0.current_job.as_ref())),
        Column::new("current job template name", |d| {
            template(d.0.current_job.as_ref(), |j| &j.template_name)
        }),
        Column::new("current job template icon", |d| {
            template(d.0.current_job.as_ref(), |j| &j.template_icon)
        }),
        Column::new("current job template display name", |d| {
            template(d.0.current_job.as_ref(), |j| &j.template_display_name)
        }),
        Column::new("previous job id", |d| id(d.0.previous_job.as_ref())),
        Column::new("previous job status", |d| status(d.0.previous_job.as_ref())),
        Column::new("previous job template name", |d| {
            template(d.0.previous_job.as_ref(), |j| &j.template_name)
        }),
        Column::new("previous job template icon", |d| {
            template(d.0.previous_job.as_ref(), |j| &j.template_icon)
        }),
        Column::new("previous job template display name", |d| {
            template(d.0.previous_job.as_ref(), |j| &j.template_display_name)
        }),
        Column::new("organization", |d| d.1.clone()),
    ];
    const DEFAULT: &'static [&'static str] = &[
        "created at",
        "last seen at",
        "key name",
        "name",
        "version",
        "status",
        "tags",
    ];
}

fn id(job: Option<&ProvisionerDaemonJob>) -> String {
    job.map(|j| j.id.to_string()).unwrap_or_default()
}

fn status(job: Option<&ProvisionerDaemonJob>) -> String {
    job.map(|j| j.status.to_string()).unwrap_or_default()
}

fn template(
    job: Option<&ProvisionerDaemonJob>,
    what: fn(&ProvisionerDaemonJob) -> &String,
) -> String {
    job.map(|j| what(j).clone()).unwrap_or_default()
}

/// Lists.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let organization = args.organization.find(session).await?;
    let query = ProvisionerQuery {
        limit: args.limit,
        offline: args.show_offline,
        status: join(&args.status).replace(' ', ""),
        max_age_ms: args
            .max_age
            .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    };
    let daemons = session
        .client()?
        .provisioner_daemons(&organization.id.to_string(), &query)
        .await?;
    if daemons.is_empty() && args.listing.format() != Format::Json {
        session.note("No provisioner daemons found. --show-offline shows those that are gone.");
        return Ok(());
    }
    let rows: Vec<(ProvisionerDaemon, String)> = daemons
        .iter()
        .map(|d| (d.clone(), organization.name.clone()))
        .collect();
    args.listing.print(&rows, &daemons)
}
