//! `/chats`: AI agents. The same routes stand below `/api/v2` and, for older clients, below
//! `/api/experimental`.

mod advisor;
mod config;
mod debug;
mod desktop;
mod files;
mod instructions;
mod messages;
mod parts;
mod sharing;
mod stream;
mod viewer;
mod workspace;

use std::collections::HashMap;

use api_types::{
    Chat, ChatCost, ChatDiffContents, CreateChatRequest, ProposeChatTitleResponse,
    UpdateChatQueuedMessageRequest, UpdateChatRequest,
};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{any, delete, get, post, put};
use control::ChatListQuery;
use uuid::Uuid;

use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState, QueryParams};

/// What stands below `/api/experimental` alone.
pub fn experimental() -> Router<AppState> {
    debug::experimental()
        .merge(advisor::experimental())
        .merge(desktop::experimental())
}

type Answer<T> = Result<Json<T>, ApiError>;

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/chats", get(list).post(create))
        .route("/chats/by-workspace", get(by_workspace))
        // Gone, but no chats either.
        .route("/chats/models", any(gone))
        .route("/chats/providers", any(gone))
        .route("/chats/user-provider-configs", any(gone))
        .route("/chats/{chat}", get(read).patch(update))
        .route("/chats/{chat}/interrupt", post(interrupt))
        .route("/chats/{chat}/compact", post(compact))
        .route("/chats/{chat}/clear", post(clear))
        .route("/chats/{chat}/reconcile-invalid", post(reconcile))
        .route("/chats/{chat}/title/propose", post(title))
        .route("/chats/{chat}/cost", get(cost))
        .route("/chats/{chat}/diff", get(diff))
        .route("/chats/{chat}/context", put(context))
        .route(
            "/chats/{chat}/queue/{queued}",
            delete(queued_delete).patch(queued_update),
        )
        .route("/chats/{chat}/queue/{queued}/promote", post(queued_promote))
        .merge(config::router())
        .merge(files::router())
        .merge(instructions::router())
        .merge(messages::router())
        .merge(parts::router())
        .merge(sharing::router())
        .merge(stream::router())
        .merge(workspace::router())
}

async fn gone() -> ApiError {
    ApiError::no_route()
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Json(request): Json<CreateChatRequest>,
) -> Result<(StatusCode, Json<Chat>), ApiError> {
    let chat = state.control.chat_create(&actor.who, request).await?;
    Ok((StatusCode::CREATED, Json(chat)))
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    RawQuery(raw): RawQuery,
    mut params: QueryParams,
) -> Answer<Vec<Chat>> {
    let page = params.pagination();
    let mut query = ChatListQuery {
        q: params.text("q").to_owned(),
        limit: page.limit.into(),
        offset: page.offset.into(),
        after: page.after_id,
        labels: Vec::new(),
    };
    params.finish()?;
    // The one parameter that may come several times.
    let raw = raw.unwrap_or_default();
    let pairs = url::form_urlencoded::parse(raw.as_bytes());
    query.labels = pairs
        .filter(|(key, _)| key == "label")
        .map(|(_, value)| value.into_owned())
        .collect();
    Ok(Json(state.control.chat_list(&actor.who, &query).await?))
}

async fn by_workspace(
    State(state): State<AppState>,
    actor: Actor,
    params: QueryParams,
) -> Answer<HashMap<Uuid, Uuid>> {
    let mut ids = Vec::new();
    for text in params.text("workspace_ids").split(',') {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        let id = text.parse().map_err(|error| {
            ApiError::bad_request(format!("Invalid workspace ID {text:?}: {error}"))
        })?;
        ids.push(id);
    }
    let found = state.control.chats_by_workspace(&actor.who, &ids).await?;
    Ok(Json(found))
}

async fn read(State(state): State<AppState>, actor: Actor, Path(chat): Path<Uuid>) -> Answer<Chat> {
    Ok(Json(state.control.chat_read(&actor.who, chat).await?))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    Json(request): Json<UpdateChatRequest>,
) -> Result<StatusCode, ApiError> {
    state.control.chat_update(&actor.who, chat, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn interrupt(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<Chat> {
    Ok(Json(state.control.chat_interrupt(&actor.who, chat).await?))
}

async fn compact(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<Chat> {
    Ok(Json(state.control.chat_compact(&actor.who, chat).await?))
}

async fn clear(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<Chat> {
    Ok(Json(state.control.chat_clear(&actor.who, chat).await?))
}

async fn reconcile(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<Chat> {
    Ok(Json(state.control.chat_reconcile(&actor.who, chat).await?))
}

async fn title(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<ProposeChatTitleResponse> {
    let title = state.control.chat_title_propose(&actor.who, chat).await?;
    Ok(Json(title))
}

async fn cost(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<ChatCost> {
    Ok(Json(state.control.chat_cost(&actor.who, chat).await?))
}

async fn diff(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<ChatDiffContents> {
    Ok(Json(state.control.chat_diff(&actor.who, chat).await?))
}

async fn context(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<Chat> {
    let chat = state.control.chat_context_refresh(&actor.who, chat).await?;
    Ok(Json(chat))
}

async fn queued_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((chat, queued)): Path<(Uuid, i64)>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .chat_queued_delete(&actor.who, chat, queued)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn queued_update(
    State(state): State<AppState>,
    actor: Actor,
    Path((chat, queued)): Path<(Uuid, i64)>,
    Json(request): Json<UpdateChatQueuedMessageRequest>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .chat_queued_update(&actor.who, chat, queued, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn queued_promote(
    State(state): State<AppState>,
    actor: Actor,
    Path((chat, queued)): Path<(Uuid, i64)>,
) -> Result<(StatusCode, Json<api_types::Response>), ApiError> {
    state
        .control
        .chat_queued_promote(&actor.who, chat, queued)
        .await?;
    let said = api_types::Response {
        message: "Queued message promotion accepted.".to_owned(),
        ..api_types::Response::default()
    };
    Ok((StatusCode::ACCEPTED, Json(said)))
}
