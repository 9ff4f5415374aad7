//! From options to the settings of each part.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use control::{Control, Settings};
use http::HeaderValue;
use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tunnel_proto::derp_map::DerpMap;
use url::Url;
use uuid::Uuid;

use super::RunError;
use crate::apps::WildcardHost;
use crate::options::Options;
use crate::{CookiePolicy, HttpSettings, TailnetSettings, TrustedProxies};

fn bad(flag: &'static str) -> impl Fn(String) -> RunError {
    move |problem| RunError::Option { flag, problem }
}

/// Settings of the rules.
pub(super) fn control(options: &Options) -> Result<Settings, RunError> {
    let access_url = Url::parse(options.text("access-url"))
        .map_err(|error| bad("access-url")(error.to_string()))?;
    let wildcard = options.text("wildcard-access-url");
    if !wildcard.is_empty() {
        WildcardHost::parse(wildcard).map_err(bad("wildcard-access-url"))?;
    }
    let experiments = options.list("experiments");
    let experiment = |name: &str| experiments.iter().any(|one| one == name || one == "*");
    let daemons = usize::try_from(options.int("provisioner-daemons"))
        .map_err(|_| bad("provisioner-daemons")("must not be negative".to_owned()))?;
    Ok(Settings {
        chat_advisor: experiment("chat-advisor"),
        chat_virtual_desktop: experiment("chat-virtual-desktop"),
        mcp_over_http: experiment("mcp-server-http"),
        replica_url: options.text("derp-server-relay-url").to_owned(),
        wildcard_access_url: options.text("wildcard-access-url").to_owned(),
        allow_path_app_sharing: options.on("dangerous-allow-path-app-sharing"),
        allow_path_app_site_owner_access: options.on("dangerous-allow-path-app-site-owner-access"),
        session_duration: options.duration("session-duration"),
        disable_session_expiry_refresh: options.on("disable-session-expiry-refresh"),
        default_token_lifetime: options.duration("default-token-lifetime"),
        max_token_lifetime: options.duration("max-token-lifetime"),
        max_admin_token_lifetime: options.duration("max-admin-token-lifetime"),
        disable_password_auth: options.on("disable-password-auth"),
        policy: authz::Policy {
            no_owner_workspace_access: options.on("disable-owner-workspace-access"),
            no_workspace_sharing: options.on("disable-workspace-sharing"),
            no_chat_sharing: options.on("disable-chat-sharing"),
        },
        ssh_keygen_algorithm: options.text("ssh-keygen-algorithm").to_owned(),
        allow_workspace_renames: options.on("allow-workspace-renames"),
        default_quiet_hours_schedule: options.text("default-quiet-hours-schedule").to_owned(),
        allow_custom_quiet_hours: options.on("allow-custom-quiet-hours"),
        provisioner_disable_module_cache: options.on("provisioner-disable-module-cache"),
        autobuild_poll_interval: options.duration("autobuild-poll-interval"),
        job_hang_detector_interval: options.duration("job-hang-detector-interval"),
        enable_terraform_debug_mode: options.on("enable-terraform-debug-mode"),
        agent_stats_refresh_interval: options.duration("agent-stats-refresh-interval"),
        // By its name only: it changes what is counted.
        usage_by_clients: experiments.iter().any(|name| name == "workspace-usage"),
        agent_fallback_troubleshooting_url: options
            .text("agent-fallback-troubleshooting-url")
            .to_owned(),
        provisioner_force_cancel_interval: options.duration("provisioner-force-cancel-interval"),
        provisioner_daemons: daemons,
        workspace_hostname_suffix: options.text("workspace-hostname-suffix").to_owned(),
        workspace_agent_logs_retention: options.duration("workspace-agent-logs-retention"),
        api_keys_retention: options.duration("api-keys-retention"),
        audit_logs_retention: options.duration("audit-logs-retention"),
        ai_gateway_retention: options.duration("ai-gateway-retention"),
        disable_chat_caller_supplied_tools: options.on("disable-chat-caller-supplied-tools"),
        chat_debug_logging: options.on("chat-debug-logging-enabled"),
        ..Settings::new(access_url)
    })
}

/// Begins to look up pull requests of chats, if the options say where.
pub(super) fn pull_requests(
    options: &Options,
    tls: &ClientConfig,
    control: &Control,
    tasks: &TaskTracker,
    loops: &CancellationToken,
) -> Result<(), RunError> {
    const FLAG: &str = "chat-github-api-url";
    let text = options.text(FLAG);
    if text.is_empty() {
        return Ok(());
    }
    let api = text
        .parse()
        .map_err(|_| bad(FLAG)("it is no URL".to_owned()))?;
    crate::chats::watch_pull_requests(control, api, tls.clone(), tasks, loops)
        .map_err(|error| bad(FLAG)(error.to_string()))
}

/// How MCP servers are reached.
pub(super) fn mcp_web(options: &Options) -> Result<mcp::guard::Web, RunError> {
    const FLAG: &str = "mcp-allowed-private-cidrs";
    let allowed = options.list(FLAG);
    let allowed: Result<Vec<api_types::Network>, _> = allowed.iter().map(|n| n.parse()).collect();
    let allowed = allowed.map_err(|error| bad(FLAG)(error.to_string()))?;
    let tls = client::system_tls().map_err(|error| bad(FLAG)(error.to_string()))?;
    mcp::guard::Web::new(mcp::Guard::new(allowed), tls)
        .map_err(|error| bad(FLAG)(error.to_string()))
}

/// Settings of the HTTP side.
pub(super) fn http(options: &Options, deployment_id: Uuid) -> Result<HttpSettings, RunError> {
    let support_links = match options.text("support-links") {
        "" => Vec::new(),
        text => {
            serde_json::from_str(text).map_err(|error| bad("support-links")(error.to_string()))?
        }
    };
    Ok(HttpSettings {
        deployment_id,
        cookies: CookiePolicy {
            secure: options.on("secure-auth-cookie"),
            same_site_none: options.text("samesite-auth-cookie") == "none",
            host_prefix: options.on("host-prefix-cookie"),
        },
        hsts: hsts(options)?,
        csp: options.list("additional-csp-policy"),
        docs_url: options.text("docs-url").to_owned(),
        cli_upgrade_message: options.text("cli-upgrade-message").to_owned(),
        terms_of_service_url: options.text("terms-of-service-url").to_owned(),
        experiments: options.list("experiments"),
        ssh_config_options: pairs("ssh-config-options", &options.list("ssh-config-options"))?,
        support_links,
        proxies: TrustedProxies::new(
            &options.list("proxy-trusted-headers"),
            &options.list("proxy-trusted-origins"),
        )
        .map_err(bad("proxy-trusted-origins"))?,
        disable_path_apps: options.on("disable-path-apps"),
        options: options.clone().into(),
    })
}

fn hsts(options: &Options) -> Result<Option<HeaderValue>, RunError> {
    let seconds = options.int("strict-transport-security");
    if seconds <= 0 {
        return Ok(None);
    }
    let mut text = format!("max-age={seconds}");
    for directive in options.list("strict-transport-security-options") {
        text.push_str("; ");
        text.push_str(&directive);
    }
    HeaderValue::from_str(&text)
        .map(Some)
        .map_err(|error| bad("strict-transport-security-options")(error.to_string()))
}

/// `KEY=VALUE` or `KEY VALUE` each.
fn pairs(flag: &'static str, list: &[String]) -> Result<BTreeMap<String, String>, RunError> {
    list.iter()
        .map(|entry| {
            entry
                .split_once(['=', ' '])
                .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
                .ok_or_else(|| bad(flag)(format!("{entry:?} is not KEY=VALUE")))
        })
        .collect()
}

/// `IP:port` each; a port alone listens on every address.
fn addresses(options: &Options, flag: &'static str) -> Result<Vec<SocketAddr>, RunError> {
    let parse = |entry: String| {
        let text = match entry.strip_prefix(':') {
            Some(port) => format!("[::]:{port}"),
            None => entry.clone(),
        };
        text.parse::<SocketAddr>()
            .ok()
            .filter(|address| address.port() != 0)
            .ok_or_else(|| bad(flag)(format!("{entry:?} is not IP:port")))
    };
    options.list(flag).into_iter().map(parse).collect()
}

/// Settings of relays and paths. Relays and their map are reached by `tls`.
pub(super) async fn tailnet(
    options: &Options,
    tls: &Arc<ClientConfig>,
) -> Result<TailnetSettings, RunError> {
    let region = options.int("derp-server-region-id");
    let mut settings = TailnetSettings {
        relay: options.on("derp-server-enable"),
        region_id: u16::try_from(region)
            .ok()
            .filter(|id| *id > 0)
            .ok_or_else(|| {
                bad("derp-server-region-id")(format!("{region} is not between 1 and 65535"))
            })?,
        region_code: options.text("derp-server-region-code").to_owned(),
        region_name: options.text("derp-server-region-name").to_owned(),
        stun_addresses: options
            .list("derp-server-stun-addresses")
            .into_iter()
            .filter(|address| address != "disable")
            .collect(),
        stun_listen: addresses(options, "derp-server-stun-listen")?,
        own: DerpMap::default(),
        force_websockets: options.on("derp-force-websockets"),
        block_direct: options.on("block-direct-connections"),
        browser_only: options.on("browser-only"),
        tls: Some(tls.clone()),
    };
    let (path, url) = (
        options.text("derp-config-path"),
        options.text("derp-config-url"),
    );
    settings.own = crate::tailnet::derp_config(path, url, &settings)
        .await
        .map_err(|wrong| bad(wrong.flag)(wrong.problem))?;
    Ok(settings)
}

/// The deployment's id: made once, with the database.
pub(super) async fn deployment_id(control: &Control) -> Result<Uuid, RunError> {
    let who = authz::Subject::system(authz::System::Core);
    let stored = async {
        let conn = control.store().conn().await?;
        conn.site_config_ensure(&who, "deployment_id", &Uuid::new_v4().to_string())
            .await
    };
    let text = stored.await.map_err(RunError::Database)?;
    Ok(text.parse().unwrap_or_default())
}
