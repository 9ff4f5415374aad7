//! Resources as a build found them, to be written.

use serde_json::Value;
use uuid::Uuid;

/// A resource to add.
#[derive(Debug, Clone)]
pub struct NewResource {
    /// Type of the Terraform resource.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Not to be shown.
    pub hide: bool,
    /// Its icon.
    pub icon: String,
    /// Size of the machine, where it is one.
    pub instance_type: String,
    /// What it costs a day.
    pub daily_cost: i32,
    /// Path of the module that it stands in.
    pub module_path: String,
    /// `[{"key", "value", "sensitive"}]`.
    pub metadata: Value,
    /// Agents that run in it.
    pub agents: Vec<NewAgent>,
}

/// An agent to add.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// Its id, new with every build.
    pub id: Uuid,
    /// The agent that it runs under, for one in a dev container.
    pub parent_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// What it signs in with.
    pub auth_token: Uuid,
    /// The cloud instance whose identity it signs in with instead.
    pub auth_instance_id: Option<String>,
    /// `amd64` and the like.
    pub architecture: String,
    /// `linux` and the like.
    pub operating_system: String,
    /// Environment of what it runs.
    pub environment: Value,
    /// Where sessions start.
    pub directory: String,
    /// After how many seconds without it something is wrong; 0 never.
    pub connection_timeout_seconds: i32,
    /// Where to look for help then.
    pub troubleshooting_url: String,
    /// File shown at login.
    pub motd_file: String,
    /// Built-in apps to show.
    pub display_apps: Vec<&'static str>,
    /// Place among agents.
    pub display_order: i32,
    /// `all` or `no_user_data`.
    pub api_key_scope: &'static str,
    /// Its apps.
    pub apps: Vec<NewApp>,
    /// Its scripts.
    pub scripts: Vec<NewScript>,
    /// Log sources beside those of scripts.
    pub log_sources: Vec<NewLogSource>,
    /// Values that it reports.
    pub metadata: Vec<NewMetadata>,
    /// Dev containers that it starts.
    pub devcontainers: Vec<NewDevcontainer>,
    /// Thresholds; an empty path is memory.
    pub monitors: Vec<NewMonitor>,
}

/// An app to add.
#[derive(Debug, Clone)]
pub struct NewApp {
    /// Its id, kept over builds.
    pub id: Uuid,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub display_name: String,
    /// Its icon.
    pub icon: String,
    /// Run in a terminal.
    pub command: String,
    /// Where it listens.
    pub url: String,
    /// Served under its own host name.
    pub subdomain: bool,
    /// Who may open it.
    pub sharing_level: &'static str,
    /// A mere link.
    pub external: bool,
    /// Not shown.
    pub hidden: bool,
    /// `slim-window` or `tab`.
    pub open_in: &'static str,
    /// Place among apps.
    pub display_order: i32,
    /// Group that it is shown in.
    pub display_group: String,
    /// Help text.
    pub tooltip: String,
    /// What to ask whether it is healthy; empty: nothing.
    pub healthcheck_url: String,
    /// Seconds between such questions.
    pub healthcheck_interval: i32,
    /// Failures in a row that make it unhealthy.
    pub healthcheck_threshold: i32,
}

/// A script to add, with its log source.
#[derive(Debug, Clone)]
pub struct NewScript {
    /// Its name for people.
    pub display_name: String,
    /// Icon of its log source.
    pub icon: String,
    /// What it runs.
    pub script: String,
    /// Where its output goes in the workspace.
    pub log_path: String,
    /// When it runs by itself.
    pub cron: String,
    /// Logins wait for it.
    pub start_blocks_login: bool,
    /// Runs when the workspace starts.
    pub run_on_start: bool,
    /// Runs when the workspace stops.
    pub run_on_stop: bool,
    /// Killed after so many seconds; 0 never.
    pub timeout_seconds: i32,
}

/// A source of log lines to add.
#[derive(Debug, Clone)]
pub struct NewLogSource {
    /// Its id.
    pub id: Uuid,
    /// Its name for people.
    pub display_name: String,
    /// Its icon.
    pub icon: String,
}

/// A reported value to add.
#[derive(Debug, Clone)]
pub struct NewMetadata {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub display_name: String,
    /// What prints it.
    pub script: String,
    /// Seconds between runs.
    pub interval_seconds: i64,
    /// Killed after so many seconds.
    pub timeout_seconds: i64,
    /// Place among values.
    pub display_order: i32,
}

/// A dev container to add.
#[derive(Debug, Clone)]
pub struct NewDevcontainer {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub workspace_folder: String,
    /// Its definition, if not the usual file.
    pub config_path: String,
    /// The agent made for it in advance.
    pub subagent_id: Option<Uuid>,
}

/// A threshold to add.
#[derive(Debug, Clone)]
pub struct NewMonitor {
    /// Path of a volume; empty for memory.
    pub path: String,
    /// Whether it is watched.
    pub enabled: bool,
    /// Percent.
    pub threshold: i32,
}
