//! `/chats/{chat}/messages` and what belongs to them.

use api_types::{
    ChatMessagesResponse, ChatPromptsResponse, CreateChatMessageRequest, CreateChatMessageResponse,
    EditChatMessageRequest, EditChatMessageResponse, SubmitToolResultsRequest,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use uuid::Uuid;

use super::Answer;
use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState, QueryParams};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/chats/{chat}/messages", get(list).post(create))
        .route("/chats/{chat}/messages/{message}", patch(update))
        .route("/chats/{chat}/prompts", get(prompts))
        .route("/chats/{chat}/tool-results", post(tool_results))
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    mut params: QueryParams,
) -> Answer<ChatMessagesResponse> {
    let before = params.parse("before_id", "a number");
    let after = params.parse("after_id", "a number");
    let limit = params.parse("limit", "a number from 1 to 200");
    params.finish()?;
    let page = state
        .control
        .chat_messages(&actor.who, chat, before, after, limit)
        .await?;
    Ok(Json(page))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    Json(request): Json<CreateChatMessageRequest>,
) -> Answer<CreateChatMessageResponse> {
    let sent = state
        .control
        .chat_message_create(&actor.who, chat, request)
        .await?;
    Ok(Json(sent))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path((chat, message)): Path<(Uuid, i64)>,
    Json(request): Json<EditChatMessageRequest>,
) -> Answer<EditChatMessageResponse> {
    let edited = state
        .control
        .chat_message_update(&actor.who, chat, message, request)
        .await?;
    Ok(Json(edited))
}

async fn prompts(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    mut params: QueryParams,
) -> Answer<ChatPromptsResponse> {
    let limit = params.parse("limit", "a number from 0 to 2000");
    params.finish()?;
    let prompts = state
        .control
        .chat_prompts(&actor.who, chat, limit.unwrap_or(0))
        .await?;
    Ok(Json(prompts))
}

async fn tool_results(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    Json(request): Json<SubmitToolResultsRequest>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .chat_tool_results(&actor.who, chat, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
