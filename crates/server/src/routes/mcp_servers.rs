//! `/organizations/{organization}/mcp-servers`, and how users connect their accounts to them.

use api_types::{McpServerConfig, McpServerConfigRequest, McpServerDisconnected};
use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, Html, IntoResponse as _, Redirect, Response};
use axum::routing::{delete, get};
use control::mcp::{CallbackAnswer, callback_path};
use store::OrganizationRef;
use store::mcp_servers::McpServerRow;
use uuid::Uuid;

use super::reading_lists;
use crate::auth::cookie_value;
use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// How long a user may be away at the authorization server, in seconds.
const AWAY: u32 = 600;

/// The routes.
pub fn router() -> Router<AppState> {
    const SERVERS: &str = "/organizations/{organization}/mcp-servers";
    Router::new()
        .route(SERVERS, get(list).post(create))
        .route(
            &format!("{SERVERS}/{{server}}"),
            get(read).patch(update).delete(remove),
        )
        .merge(reading_lists::router::<McpServerRow>(&format!(
            "{SERVERS}/{{server}}"
        )))
        .route(
            &format!("{SERVERS}/{{server}}/oauth2/connect"),
            get(connect),
        )
        .route(
            "/mcp/servers/{server}/oauth2/disconnect",
            delete(disconnect),
        )
}

/// The same below `/api/experimental`, where authorization servers send people back to.
pub fn experimental() -> Router<AppState> {
    router().route("/mcp/servers/{server}/oauth2/callback", get(callback))
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Path(which): Path<OrganizationRef>,
) -> Answer<Vec<McpServerConfig>> {
    Ok(Json(
        state.control.mcp_server_list(&actor.who, &which).await?,
    ))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(which): Path<OrganizationRef>,
    Json(request): Json<McpServerConfigRequest>,
) -> Result<(StatusCode, Json<McpServerConfig>), ApiError> {
    let made = state.control.mcp_server_create(&actor.who, &which, request);
    Ok((StatusCode::CREATED, Json(made.await?)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, server)): Path<(OrganizationRef, Uuid)>,
) -> Answer<McpServerConfig> {
    let found = state.control.mcp_server_read(&actor.who, &which, server);
    Ok(Json(found.await?))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, server)): Path<(OrganizationRef, Uuid)>,
    Json(request): Json<McpServerConfigRequest>,
) -> Answer<McpServerConfig> {
    let changed = state
        .control
        .mcp_server_update(&actor.who, &which, server, request);
    Ok(Json(changed.await?))
}

async fn remove(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, server)): Path<(OrganizationRef, Uuid)>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .mcp_server_delete(&actor.who, &which, server)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Names of the cookies that a browser keeps while its user is away.
fn cookies(server: Uuid) -> [String; 2] {
    [
        format!("mcp_oauth2_state_{server}"),
        format!("mcp_oauth2_verifier_{server}"),
    ]
}

async fn connect(
    State(state): State<AppState>,
    actor: Actor,
    Path((which, server)): Path<(OrganizationRef, Uuid)>,
) -> Result<Response, ApiError> {
    let start = state
        .control
        .mcp_server_connect(&actor.who, &which, server)
        .await?;
    let (names, path) = (cookies(server), callback_path(server));
    let kept = names.iter().zip([&start.state, &start.verifier]);
    let kept = kept.filter_map(|(name, value)| {
        let cookie = state.http.cookies.set_brief(name, value, &path, AWAY);
        Some((SET_COOKIE, cookie?))
    });
    let kept: Vec<_> = kept.collect();
    Ok((AppendHeaders(kept), Redirect::temporary(&start.url)).into_response())
}

async fn callback(
    State(state): State<AppState>,
    actor: Actor,
    Path(server): Path<Uuid>,
    headers: HeaderMap,
    params: QueryParams,
) -> Result<Response, ApiError> {
    let names = cookies(server);
    let kept = |name: &str| cookie_value(&headers, name).unwrap_or_default();
    let answer = CallbackAnswer {
        code: params.text("code"),
        state: params.text("state"),
        error: params.text("error"),
        error_description: params.text("error_description"),
        kept_state: kept(&names[0]),
        kept_verifier: kept(&names[1]),
    };
    let taken = state
        .control
        .mcp_server_callback(&actor.who, server, answer);
    taken.await?;
    let path = callback_path(server);
    let ended = names.iter().filter_map(|name| {
        let cookie = state.http.cookies.set_brief(name, "", &path, 0);
        Some((SET_COOKIE, cookie?))
    });
    let ended: Vec<_> = ended.collect();
    let policy = "default-src 'none'; script-src 'unsafe-inline'";
    let page = Html(done_page(
        server,
        state.control.settings().access_url.as_str(),
    ));
    Ok((
        AppendHeaders(ended),
        [(CONTENT_SECURITY_POLICY, policy)],
        page,
    )
        .into_response())
}

/// Tells the window that opened this one, and closes it.
fn done_page(server: Uuid, access_url: &str) -> String {
    // As a string of the script, in which nothing can end the element.
    let origin = serde_json::Value::from(access_url).to_string();
    let origin = origin.replace('<', "\\u003c");
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>Connected</title></head><body>\
         <p>Your account is connected. You may close this window.</p><script>\
         if (window.opener) {{ \
         window.opener.postMessage({{type: \"mcp-oauth2-complete\", serverID: \"{server}\"}}, {origin}); \
         window.close(); }}</script></body></html>\n"
    )
}

async fn disconnect(
    State(state): State<AppState>,
    actor: Actor,
    Path(server): Path<Uuid>,
) -> Answer<McpServerDisconnected> {
    let done = state.control.mcp_server_disconnect(&actor.who, server);
    Ok(Json(done.await?))
}
