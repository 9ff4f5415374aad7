//! What chats are told before their conversation: to read, and the organization's part to set.

use api_types::{ChatInstructions, OrganizationChatPrompt};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use store::OrganizationRef;
use uuid::Uuid;

use super::Answer;
use crate::extract::{Json, Path};
use crate::{Actor, AppState};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/chats/{chat}/instructions", get(read))
        .route(
            "/organizations/{organization}/chats/system-prompt",
            get(organization).put(organization_set),
        )
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
) -> Answer<ChatInstructions> {
    Ok(Json(
        state.control.chat_instructions(&actor.who, chat).await?,
    ))
}

async fn organization(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
) -> Answer<OrganizationChatPrompt> {
    let which = OrganizationRef::parse(&organization);
    let read = state
        .control
        .chat_organization_prompt_read(&actor.who, &which);
    Ok(Json(read.await?))
}

async fn organization_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(organization): Path<String>,
    Json(request): Json<OrganizationChatPrompt>,
) -> Answer<OrganizationChatPrompt> {
    let which = OrganizationRef::parse(&organization);
    let set = state
        .control
        .chat_organization_prompt_set(&actor.who, &which, &request);
    Ok(Json(set.await?))
}
