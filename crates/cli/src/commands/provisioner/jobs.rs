//! `coder provisioner jobs`.

use anyhow::{Context, Result, bail};
use api_types::ProvisionerJob;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use client::ProvisionerJobQuery;
use uuid::Uuid;

use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table, join};
use crate::ui::time;

/// Show and cancel provisioner jobs.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// List jobs, the newest first.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Cancel a job.
    Cancel(CancelArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    /// Jobs that this user caused, by name or id; me for yours.
    #[arg(
        short,
        long,
        env = "CODER_PROVISIONER_JOB_LIST_INITIATOR",
        value_name = "user"
    )]
    initiator: Option<String>,

    /// At most so many.
    #[arg(
        short,
        long,
        env = "CODER_PROVISIONER_JOB_LIST_LIMIT",
        value_name = "number",
        default_value_t = 50
    )]
    limit: u32,

    /// Statuses, separated by commas.
    #[arg(
        short,
        long,
        env = "CODER_PROVISIONER_JOB_LIST_STATUS",
        value_name = "status",
        value_delimiter = ','
    )]
    status: Vec<Status>,

    #[command(flatten)]
    organization: OrganizationFlag,

    #[command(flatten)]
    listing: Listing<Jobs>,
}

#[derive(ClapArgs)]
struct CancelArgs {
    /// Id of the job.
    job: Uuid,

    #[command(flatten)]
    organization: OrganizationFlag,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Pending,
    Running,
    Succeeded,
    Canceling,
    Canceled,
    Failed,
    Unknown,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        })
    }
}

/// A job and the name of its organization.
struct Jobs;
impl Table for Jobs {
    type Row = (ProvisionerJob, String);
    const COLUMNS: &'static [Column<Self::Row>] = &[
        Column::new("id", |j| j.0.id.to_string()),
        Column::new("created at", |j| time::rfc3339(j.0.created_at)),
        Column::new("started at", |j| {
            j.0.started_at.map(time::rfc3339).unwrap_or_default()
        }),
        Column::new("completed at", |j| {
            j.0.completed_at.map(time::rfc3339).unwrap_or_default()
        }),
        Column::new("canceled at", |j| {
            j.0.canceled_at.map(time::rfc3339).unwrap_or_default()
        }),
        Column::new("error", |j| j.0.error.clone()),
        Column::new("error code", |j| j.0.error_code.to_string()),
        Column::new("status", |j| j.0.status.to_string()),
        Column::new("worker id", |j| id(j.0.worker_id)),
        Column::new("worker name", |j| j.0.worker_name.clone()),
        Column::new("file id", |j| j.0.file_id.to_string()),
        Column::new("tags", |j| super::tags(&j.0.tags)),
        Column::new("queue position", |j| j.0.queue_position.to_string()),
        Column::new("queue size", |j| j.0.queue_size.to_string()),
        Column::new("organization id", |j| j.0.organization_id.to_string()),
        Column::new("initiator id", |j| j.0.initiator_id.to_string()),
        Column::new("template version id", |j| id(j.0.input.template_version_id)),
        Column::new("workspace build id", |j| id(j.0.input.workspace_build_id)),
        Column::new("type", |j| j.0.r#type.to_string()),
        Column::new("available workers", |j| join(&j.0.available_workers)),
        Column::new("template version name", |j| {
            j.0.metadata.template_version_name.clone()
        }),
        Column::new("template id", |j| j.0.metadata.template_id.to_string()),
        Column::new("template name", |j| j.0.metadata.template_name.clone()),
        Column::new("template display name", |j| {
            j.0.metadata.template_display_name.clone()
        }),
        Column::new("template icon", |j| j.0.metadata.template_icon.clone()),
        Column::new("workspace id", |j| id(j.0.metadata.workspace_id)),
        Column::new("workspace name", |j| j.0.metadata.workspace_name.clone()),
        Column::new("workspace build transition", |j| {
            j.0.metadata.workspace_build_transition.to_string()
        }),
        Column::new("logs overflowed", |j| j.0.logs_overflowed.to_string()),
        Column::new("organization", |j| j.1.clone()),
        Column::new("queue", |j| match j.0.queue_position {
            0 => String::new(),
            position => format!("{position}/{}", j.0.queue_size),
        }),
    ];
    const DEFAULT: &'static [&'static str] = &[
        "created at",
        "id",
        "type",
        "template display name",
        "status",
        "queue",
        "tags",
    ];
    const SORTED: bool = false;
}

fn id(id: Option<Uuid>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::List(args) => list(args, session).await,
        Sub::Cancel(args) => cancel(args, session).await,
    }
}

async fn list(args: ListArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let organization = args.organization.find(session).await?;
    let initiator = match args.initiator.filter(|i| !i.is_empty()) {
        // The API wants an id.
        Some(name) if name.parse::<Uuid>().is_err() => {
            let user = client.user(&name).await;
            let user = user.with_context(|| format!("find user {name:?}"))?;
            user.id.to_string()
        }
        other => other.unwrap_or_default(),
    };
    let query = ProvisionerJobQuery {
        limit: args.limit,
        status: join(&args.status).replace(' ', ""),
        initiator,
    };
    let jobs = client
        .provisioner_jobs(&organization.id.to_string(), &query)
        .await?;
    if jobs.is_empty() && args.listing.format() != Format::Json {
        session.note("No provisioner jobs found.");
        return Ok(());
    }
    let rows: Vec<(ProvisionerJob, String)> = jobs
        .iter()
        .map(|j| (j.clone(), organization.name.clone()))
        .collect();
    args.listing.print(&rows, &jobs)
}

async fn cancel(args: CancelArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let organization = args.organization.find(session).await?;
    let job = client
        .provisioner_job(&organization.id.to_string(), args.job)
        .await
        .with_context(|| format!("find job {}", args.job))?;
    match (job.input.workspace_build_id, job.input.template_version_id) {
        (Some(build), _) => client.build_cancel(build).await?,
        (None, Some(version)) => client.template_version_cancel(version).await?,
        (None, None) => bail!("job {} is of a kind that cannot be canceled", args.job),
    }
    say!("Job {} is being canceled.", args.job)
}
