//! The page that starts a stopped workspace and leads on to the app that was asked for.

use api_types::{
    CreateWorkspaceBuildRequest, Workspace, WorkspaceAgentStatus, WorkspaceTransition,
};
use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use url::Url;
use uuid::Uuid;

use super::page::Page;
use crate::routes::pages::{csrf, form};
use crate::{ApiError, AppState, MaybeActor, QueryParams};

const PATH: &str = "/start-workspace";

/// The route, at the root of the dashboard's host.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route(PATH, get(show).post(start))
}

/// The page's URL; `back` is the URL of the app, or its path on this host.
pub(super) fn url(state: &AppState, workspace: Uuid, back: &str) -> String {
    let access_url = state.control.settings().access_url.as_str();
    format!(
        "{}{}",
        access_url.trim_end_matches('/'),
        path(workspace, back)
    )
}

fn path(workspace: Uuid, back: &str) -> String {
    let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
    format!("{PATH}?workspace={workspace}&back={back}")
}

/// Where to go on to: an app of ours, or the dashboard.
fn checked_back(state: &AppState, back: &str) -> String {
    let own = &state.control.settings().access_url;
    let Ok(url) = own.join(back) else {
        return "/".to_owned();
    };
    let app = || {
        let wildcard = state.apps.host()?;
        wildcard.label(url.host_str()?)
    };
    let same = |url: &Url| url.origin() == own.origin();
    if matches!(url.scheme(), "http" | "https") && (same(&url) || app().is_some()) {
        url.into()
    } else {
        "/".to_owned()
    }
}

async fn show(
    State(state): State<AppState>,
    MaybeActor(actor): MaybeActor,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    mut params: QueryParams,
) -> Result<Response, ApiError> {
    let workspace: Option<Uuid> = params.parse("workspace", "a UUID");
    let back = checked_back(&state, params.text("back"));
    params.finish()?;
    let Some(actor) = actor else {
        let here = uri.path_and_query().map_or("", |path| path.as_str());
        let here: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
        return Ok(Redirect::to(&format!("/login?redirect={here}")).into_response());
    };
    let id = workspace.unwrap_or_default();
    let workspace = state.control.workspace_read(&actor.who, id, false).await?;
    let build = &workspace.latest_build;
    let name = format!("{}/{}", workspace.owner_name, workspace.name);
    let starting = build.transition == WorkspaceTransition::Start;
    let page = match build.job.status.as_str() {
        "pending" | "running" | "canceling" => {
            let (title, text) = if starting {
                (
                    "Starting the workspace",
                    "is being started. This page goes on by itself.",
                )
            } else {
                (
                    "One moment",
                    "is being stopped. It can be started afterwards.",
                )
            };
            Page::new(StatusCode::OK, title, format!("{name} {text}")).waiting()
        }
        "succeeded" if starting && connected(&workspace) => {
            return Ok(Redirect::to(&back).into_response());
        }
        "succeeded" if starting => Page::new(
            StatusCode::OK,
            "Waiting for the agent",
            format!("{name} is started; its agent has not connected yet."),
        )
        .waiting(),
        status => {
            let token = csrf::Token::of(&headers);
            let id = id.to_string();
            let fields = [("workspace", id.as_str()), ("back", back.as_str())];
            let text = if status == "succeeded" {
                format!("{name} is stopped.")
            } else {
                format!("The last build of {name} did not succeed.")
            };
            Page::new(StatusCode::OK, "Start the workspace?", text)
                .hint(&build.job.error)
                .button(PATH, "Start", &token, &fields)
                .cookie(token.cookie(state.http.cookies.secure))
        }
    };
    Ok(page.aside("/", "Dashboard").response(&headers))
}

fn connected(workspace: &Workspace) -> bool {
    let resources = &workspace.latest_build.resources;
    let mut agents = resources.iter().flat_map(|resource| &resource.agents);
    agents.all(|agent| agent.status == WorkspaceAgentStatus::Connected)
}

async fn start(
    State(state): State<AppState>,
    MaybeActor(actor): MaybeActor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = form(body).await?;
    csrf::check(&headers, &form)?;
    let text = |name: &str| form.get(name).map_or("", String::as_str);
    let workspace: Uuid = text("workspace")
        .parse()
        .map_err(|_| ApiError::bad_request("The form names no workspace."))?;
    let back = checked_back(&state, text("back"));
    let next = path(workspace, &back);
    let Some(actor) = actor else {
        let here: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        return Ok(Redirect::to(&format!("/login?redirect={here}")).into_response());
    };
    let request = CreateWorkspaceBuildRequest {
        transition: WorkspaceTransition::Start,
        ..CreateWorkspaceBuildRequest::default()
    };
    let built = state
        .control
        .workspace_build_create(&actor.who, workspace, request)
        .await;
    match built {
        Ok(_) => Ok(Redirect::to(&next).into_response()),
        // Somebody was faster: the page shows how far it is.
        Err(error) if error.kind == control::Kind::Conflict => {
            Ok(Redirect::to(&next).into_response())
        }
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(Page::new(status, "It could not be started", error.message)
                .hint(&error.detail)
                .link(&next, "Try again")
                .response(&headers))
        }
    }
}
