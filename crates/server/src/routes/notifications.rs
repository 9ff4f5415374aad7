//! `/notifications`: this version sends none, so there are no kinds to choose from, no ways to
//! send them, and nothing in anyone's inbox. Clients are told just that.

use authz::{Action, Object, ResourceType};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::UserRef;
use uuid::Uuid;

use crate::extract::{Json, Path};
use crate::{Actor, ApiError, AppState};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/notifications/templates/system", get(kinds))
        .route("/notifications/templates/custom", get(kinds))
        .route("/notifications/dispatch-methods", get(methods))
        .route("/notifications/inbox", get(inbox))
        .route("/notifications/inbox/mark-all-as-read", put(read_all))
        .route(
            "/users/{user}/notifications/preferences",
            get(preferences).put(preferences_set),
        )
}

async fn kinds(actor: Actor) -> Result<Json<[(); 0]>, ApiError> {
    let object = Object::new(ResourceType::NotificationTemplate);
    let may = actor.who.may(Action::Read, &object);
    may.map_err(control::Error::from)?;
    Ok(Json([]))
}

#[derive(Serialize)]
struct Methods {
    available: [(); 0],
    default: &'static str,
}

async fn methods(_: Actor) -> Json<Methods> {
    Json(Methods {
        available: [],
        default: "",
    })
}

#[derive(Serialize)]
struct Inbox {
    notifications: [(); 0],
    unread_count: u32,
}

async fn inbox(_: Actor) -> Json<Inbox> {
    Json(Inbox {
        notifications: [],
        unread_count: 0,
    })
}

async fn read_all(_: Actor) -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn preferences(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<String>,
) -> Result<Json<[(); 0]>, ApiError> {
    may(&state, &actor, &user, Action::Read).await?;
    Ok(Json([]))
}

/// Which kinds shall not be sent.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Preferences {
    template_disabled_map: BTreeMap<Uuid, bool>,
}

async fn preferences_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<String>,
    Json(wanted): Json<Preferences>,
) -> Result<Json<[(); 0]>, ApiError> {
    may(&state, &actor, &user, Action::Update).await?;
    match wanted.template_disabled_map.keys().next() {
        Some(unknown) => Err(ApiError::bad_request("Validation failed.").with_field(
            "template_disabled_map",
            format!("there is no kind of notification {unknown}: this server sends none"),
        )),
        None => Ok(Json([])),
    }
}

async fn may(state: &AppState, actor: &Actor, user: &str, action: Action) -> Result<(), ApiError> {
    let which = UserRef::parse(user);
    let user = state.control.user_read(&actor.who, &which).await?;
    let object = Object::new(ResourceType::NotificationPreference).owner(user.id);
    let may = actor.who.may(action, &object);
    Ok(may.map_err(control::Error::from)?)
}
