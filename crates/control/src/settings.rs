//! What the rules take from the deployment's options.

use std::time::Duration;

use url::Url;

const HOUR: Duration = Duration::from_hours(1);

/// Options that change rules; each is named after its flag.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where users and agents reach the server, without a trailing slash in its path.
    pub access_url: Url,
    /// Where other replicas reach this one; empty if they do not.
    pub replica_url: String,
    /// Wildcard host of apps (`*.apps.example.com`); empty if there is none.
    pub wildcard_access_url: String,
    /// Apps under a path keep their sharing level, though they share the dashboard's origin.
    pub allow_path_app_sharing: bool,
    /// Owners of the site may open the path apps of others.
    pub allow_path_app_site_owner_access: bool,
    /// Life of a browser session.
    pub session_duration: Duration,
    /// Sessions do not get longer by use.
    pub disable_session_expiry_refresh: bool,
    /// Life of a token that names none, and of the keys that the CLI gets.
    pub default_token_lifetime: Duration,
    /// Longest life of a token.
    pub max_token_lifetime: Duration,
    /// Longest life of a token of an owner.
    pub max_admin_token_lifetime: Duration,
    /// Nobody signs in with a password.
    pub disable_password_auth: bool,
    /// Switches of the access model.
    pub policy: authz::Policy,
    /// `ed25519`, `ecdsa` or `rsa4096`.
    pub ssh_keygen_algorithm: String,
    /// Workspaces may be renamed.
    pub allow_workspace_renames: bool,
    /// Quiet hours of users who set none: a daily schedule in cron form.
    pub default_quiet_hours_schedule: String,
    /// Users may set quiet hours of their own.
    pub allow_custom_quiet_hours: bool,
    /// Modules are fetched anew for each build, whatever templates say.
    pub provisioner_disable_module_cache: bool,
    /// Time between two looks for workspaces that start or stop by themselves.
    pub autobuild_poll_interval: Duration,
    /// Time between two looks for jobs whose daemon died.
    pub job_hang_detector_interval: Duration,
    /// Administrators may ask for debug logs of builds.
    pub enable_terraform_debug_mode: bool,
    /// How often agents report what they do.
    pub agent_stats_refresh_interval: Duration,
    /// Sessions are counted as clients tell of them (`POST /workspaces/{id}/usage`), not as agents
    /// do: the experiment `workspace-usage`.
    pub usage_by_clients: bool,
    /// Where people find help with agents whose template names nothing.
    pub agent_fallback_troubleshooting_url: String,
    /// Time between a polite cancellation of a build and its end by force.
    pub provisioner_force_cancel_interval: Duration,
    /// In-process provisioner daemons.
    pub provisioner_daemons: usize,
    /// Suffix of workspace host names.
    pub workspace_hostname_suffix: String,
    /// How long agent logs of finished builds are kept; zero keeps them.
    pub workspace_agent_logs_retention: Duration,
    /// How long expired keys are kept; zero keeps them.
    pub api_keys_retention: Duration,
    /// How long audit entries are kept; zero keeps them.
    pub audit_logs_retention: Duration,
    /// How long records of model calls are kept; zero keeps them.
    pub ai_gateway_retention: Duration,
    /// Debug logs are kept of all chats, whatever their owners say.
    pub chat_debug_logging: bool,
    /// The keys that seal secrets in the database.
    pub seal: store::seal::Seal,
    /// Users may use keys of their own for model providers.
    pub allow_byok: bool,
    /// The experiment `chat-advisor` is on.
    pub chat_advisor: bool,
    /// The experiment `chat-virtual-desktop` is on.
    pub chat_virtual_desktop: bool,
    /// The experiment `mcp-server-http` is on.
    pub mcp_over_http: bool,
    /// Chats have no tools that their client runs.
    pub disable_chat_caller_supplied_tools: bool,
}

impl Settings {
    /// The defaults of the table of options, for this address.
    pub fn new(access_url: Url) -> Self {
        Settings {
            access_url,
            replica_url: String::new(),
            wildcard_access_url: String::new(),
            allow_path_app_sharing: false,
            allow_path_app_site_owner_access: false,
            session_duration: 24 * HOUR,
            disable_session_expiry_refresh: false,
            default_token_lifetime: 168 * HOUR,
            max_token_lifetime: 876_600 * HOUR,
            max_admin_token_lifetime: 168 * HOUR,
            disable_password_auth: false,
            policy: authz::Policy::default(),
            ssh_keygen_algorithm: "ed25519".to_owned(),
            allow_workspace_renames: false,
            default_quiet_hours_schedule: "CRON_TZ=UTC 0 0 * * *".to_owned(),
            allow_custom_quiet_hours: true,
            provisioner_disable_module_cache: false,
            autobuild_poll_interval: Duration::from_mins(1),
            job_hang_detector_interval: Duration::from_secs(10),
            enable_terraform_debug_mode: false,
            agent_stats_refresh_interval: Duration::from_secs(30),
            usage_by_clients: false,
            agent_fallback_troubleshooting_url: String::new(),
            provisioner_force_cancel_interval: Duration::from_mins(10),
            provisioner_daemons: 3,
            workspace_hostname_suffix: "coder".to_owned(),
            workspace_agent_logs_retention: 168 * HOUR,
            api_keys_retention: 168 * HOUR,
            audit_logs_retention: Duration::ZERO,
            ai_gateway_retention: 60 * 24 * HOUR,
            chat_debug_logging: false,
            seal: store::seal::Seal::default(),
            allow_byok: true,
            chat_advisor: false,
            chat_virtual_desktop: false,
            mcp_over_http: false,
            disable_chat_caller_supplied_tools: false,
        }
    }
}
