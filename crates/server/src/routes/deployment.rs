//! What clients ask about the deployment as a whole.

use api_types::{
    AppHostResponse, AppearanceConfig, AvailableExperiments, BannerConfig, BuildInfoResponse,
    DausResponse, Entitlement, Entitlements, Feature, Region, Response as Message,
    SshConfigResponse, UpdateCheckResponse, VERSION,
};
use authz::{Action, Object, ResourceType};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};

use super::sign_in::message;
use crate::extract::{Json, MAX_JSON_BODY, QueryParams, read_body};
use crate::{Actor, ApiError, AppState, options};

/// Version of the provisioner API that the server speaks.
const PROVISIONER_API: &str = "1.19";
/// Version of the agent API as clients of the REST API know it: fixed for ever.
const AGENT_API: &str = "1.0";

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/buildinfo", get(build_info))
        .route("/updatecheck", get(update_check))
        .route("/entitlements", get(entitlements))
        .route("/experiments", get(experiments))
        .route("/experiments/available", get(experiments_available))
        .route("/appearance", get(appearance))
        .route("/regions", get(regions))
        .route("/workspaceproxies", get(regions))
        .route("/applications/host", get(app_host))
        .route("/deployment/config", get(config))
        .route("/deployment/ssh", get(ssh))
        .route("/deployment/stats", get(stats))
        .route("/insights/daus", get(daily_users))
        .route("/csp/reports", post(csp_report))
}

/// The root of the API; its path ends in a slash, which nesting would drop.
pub(crate) async fn hello() -> Json<Message> {
    message("👋")
}

fn url(state: &AppState) -> String {
    state
        .control
        .settings()
        .access_url
        .as_str()
        .trim_end_matches('/')
        .to_owned()
}

async fn build_info(State(state): State<AppState>) -> Json<BuildInfoResponse> {
    Json(BuildInfoResponse {
        // Where the source of this build is: the deployment itself cannot know.
        external_url: url(&state),
        version: VERSION.to_owned(),
        dashboard_url: url(&state),
        telemetry: false,
        workspace_proxy: false,
        agent_api_version: AGENT_API.to_owned(),
        provisioner_api_version: PROVISIONER_API.to_owned(),
        upgrade_message: state.http.cli_upgrade_message.clone(),
        deployment_id: state.http.deployment_id.to_string(),
        webpush_public_key: state.control.webpush_public_key(),
    })
}

/// Newer releases are not looked for: this one is what there is.
async fn update_check() -> Json<UpdateCheckResponse> {
    Json(UpdateCheckResponse {
        current: true,
        version: VERSION.to_owned(),
        url: String::new(),
    })
}

/// Narrows what people may do, so it is on only where an administrator wants that.
const BROWSER_ONLY: &str = "browser_only";

/// Every feature that clients know; here all are there for everyone.
const FEATURES: &[&str] = &[
    "user_limit",
    "audit_log",
    "connection_log",
    BROWSER_ONLY,
    "scim",
    "template_rbac",
    "user_role_management",
    "high_availability",
    "multiple_external_auth",
    "external_provisioner_daemons",
    "appearance",
    "advanced_template_scheduling",
    "workspace_proxy",
    "external_token_encryption",
    "workspace_batch_actions",
    "task_batch_actions",
    "access_control",
    "control_shared_ports",
    "custom_roles",
    "multiple_organizations",
    "workspace_prebuilds",
    "managed_agent_limit",
    "workspace_external_agent",
    "aibridge",
    "boundary",
    "service_accounts",
    "ai_governance_user_limit",
];

async fn entitlements(State(state): State<AppState>) -> Json<Entitlements> {
    let browser_only = state.tailnet.options().browser_only;
    let feature = |name: &str| Feature {
        entitlement: Entitlement::Entitled,
        enabled: name != BROWSER_ONLY || browser_only,
        ..Feature::default()
    };
    Json(Entitlements {
        features: FEATURES
            .iter()
            .map(|name| ((*name).to_owned(), feature(name)))
            .collect(),
        has_license: true,
        refreshed_at: chrono::Utc::now(),
        ..Entitlements::default()
    })
}

async fn experiments(State(state): State<AppState>, _: Actor) -> Json<Vec<String>> {
    Json(state.http.experiments.clone())
}

async fn experiments_available(_: Actor) -> Json<AvailableExperiments> {
    Json(AvailableExperiments::default())
}

async fn appearance(State(state): State<AppState>) -> Json<AppearanceConfig> {
    Json(AppearanceConfig {
        docs_url: state.http.docs_url.clone(),
        service_banner: BannerConfig::default(),
        support_links: state.http.support_links.clone(),
        ..AppearanceConfig::default()
    })
}

async fn regions(State(state): State<AppState>, _: Actor) -> Json<serde_json::Value> {
    let primary = Region {
        id: state.http.deployment_id,
        name: "primary".to_owned(),
        display_name: "Default".to_owned(),
        icon_url: "/emojis/1f3e1.png".to_owned(),
        healthy: true,
        path_app_url: url(&state),
        wildcard_hostname: state.control.settings().wildcard_access_url.clone(),
    };
    Json(serde_json::json!({"regions": [primary]}))
}

async fn app_host(State(state): State<AppState>, _: Actor) -> Json<AppHostResponse> {
    Json(AppHostResponse {
        host: state.control.settings().wildcard_access_url.clone(),
    })
}

async fn config(
    State(state): State<AppState>,
    actor: Actor,
) -> Result<Json<serde_json::Value>, ApiError> {
    let object = Object::new(ResourceType::DeploymentConfig);
    actor
        .who
        .may(Action::Read, &object)
        .map_err(control::Error::from)?;
    Ok(Json(options::deployment_config(&state.http.options)))
}

async fn ssh(State(state): State<AppState>, _: Actor) -> Json<SshConfigResponse> {
    Json(SshConfigResponse {
        hostname_prefix: "coder.".to_owned(),
        hostname_suffix: state.control.settings().workspace_hostname_suffix.clone(),
        ssh_config_options: state.http.ssh_config_options.clone(),
    })
}

async fn stats(
    State(state): State<AppState>,
    actor: Actor,
) -> Result<Json<api_types::DeploymentStats>, ApiError> {
    Ok(Json(state.control.deployment_stats_read(&actor.who).await?))
}

async fn daily_users(
    State(state): State<AppState>,
    actor: Actor,
    mut params: QueryParams,
) -> Result<Json<DausResponse>, ApiError> {
    let offset = params
        .parse("tz_offset", "hours from -12 to 14")
        .unwrap_or(0);
    params.finish()?;
    let days = state.control.deployment_daily_users(&actor.who, offset);
    Ok(Json(days.await?))
}

/// Browsers tell which of our pages tried to do what they must not.
async fn csp_report(body: Body) -> Result<Json<Message>, ApiError> {
    const SHOWN: usize = 1000;
    let report = read_body(body, MAX_JSON_BODY).await?;
    let text = String::from_utf8_lossy(&report[..report.len().min(SHOWN)]).into_owned();
    tracing::debug!(report = text, "a page violated its content security policy");
    Ok(message("ok"))
}
