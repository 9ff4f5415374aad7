//! What a user sets for all its workspaces, and what it chose before.

use api_types::{
    UpdateUserQuietHoursScheduleRequest, UserParameter, UserQuietHoursScheduleResponse,
};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use store::UserRef;
use uuid::Uuid;

use crate::extract::{Json, Path, QueryParams};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route(
            "/users/{user}/quiet-hours",
            get(quiet_hours_read).put(quiet_hours_set),
        )
        .route("/users/{user}/autofill-parameters", get(autofill))
}

type Answer<T> = Result<Json<T>, ApiError>;

async fn quiet_hours_read(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Answer<UserQuietHoursScheduleResponse> {
    let hours = state.control.user_quiet_hours_read(&actor.who, &user);
    Ok(Json(hours.await?))
}

async fn quiet_hours_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(request): Json<UpdateUserQuietHoursScheduleRequest>,
) -> Answer<UserQuietHoursScheduleResponse> {
    let hours = state
        .control
        .user_quiet_hours_set(&actor.who, &user, &request.schedule);
    Ok(Json(hours.await?))
}

async fn autofill(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    mut params: QueryParams,
) -> Answer<Vec<UserParameter>> {
    let template: Option<Uuid> = params.parse("template_id", "the id of a template");
    params.finish()?;
    let template = template.ok_or_else(|| {
        ApiError::bad_request("Query parameters have invalid values.")
            .with_field("template_id", "must be given")
    })?;
    let values = state.control.user_autofill(&actor.who, &user, template);
    Ok(Json(values.await?))
}
