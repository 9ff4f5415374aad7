//! `/users/{user}/skills` (experimental): what users teach their AI agents.

use api_types::{UserSkill, UserSkillMetadata, UserSkillRequest};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use store::UserRef;

use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/users/{user}/skills", get(list).post(create))
        .route(
            "/users/{user}/skills/{name}",
            get(read).patch(update).delete(delete),
        )
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<Vec<UserSkillMetadata>>, ApiError> {
    Ok(Json(
        state.control.user_skill_list(&actor.who, &user).await?,
    ))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<UserSkillRequest>,
) -> Result<(StatusCode, Json<UserSkill>), ApiError> {
    let made = state
        .control
        .user_skill_create(&actor.who, &user, &request)
        .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, name)): Path<(UserRef, String)>,
) -> Result<Json<UserSkill>, ApiError> {
    let skill = state
        .control
        .user_skill_read(&actor.who, &user, &name)
        .await?;
    Ok(Json(skill))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, name)): Path<(UserRef, String)>,
    Json(request): Json<UserSkillRequest>,
) -> Result<Json<UserSkill>, ApiError> {
    let skill = state
        .control
        .user_skill_update(&actor.who, &user, &name, &request)
        .await?;
    Ok(Json(skill))
}

async fn delete(
    State(state): State<AppState>,
    actor: Actor,
    Path((user, name)): Path<(UserRef, String)>,
) -> Result<StatusCode, ApiError> {
    state
        .control
        .user_skill_delete(&actor.who, &user, &name)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
