//! `/notifications`: what people were told, live and before, and what they want to be told. It is
//! kept in their inboxes and pushed to their browsers; mail and webhooks are no ways to send yet.

use api_types::{
    GetInboxNotificationResponse, ListInboxNotificationsResponse, NotificationPreference,
    NotificationTemplate, UpdateInboxNotificationReadStatusRequest,
    UpdateUserNotificationPreferences,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, put};
use futures::stream::unfold;
use serde::Serialize;
use store::UserRef;
use store::notifications::InboxFilter;
use uuid::Uuid;

use crate::extract::{Json, Path};
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState, QueryParams};

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/notifications/templates/system", get(kinds))
        .route("/notifications/templates/custom", get(custom_kinds))
        .route("/notifications/dispatch-methods", get(methods))
        .route("/notifications/inbox", get(inbox))
        .route("/notifications/inbox/watch", get(watch))
        .route("/notifications/inbox/mark-all-as-read", put(read_all))
        .route("/notifications/inbox/{id}/read-status", put(read))
        .route(
            "/users/{user}/notifications/preferences",
            get(preferences).put(preferences_set),
        )
}

async fn kinds(
    State(state): State<AppState>,
    actor: Actor,
) -> Result<Json<Vec<NotificationTemplate>>, ApiError> {
    Ok(Json(state.control.notification_kinds(&actor.who)?))
}

async fn custom_kinds(
    State(state): State<AppState>,
    actor: Actor,
) -> Result<Json<[(); 0]>, ApiError> {
    // Who may read kinds is told that nobody made any.
    state.control.notification_kinds(&actor.who)?;
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

async fn inbox(
    State(state): State<AppState>,
    actor: Actor,
    mut params: QueryParams,
) -> Result<Json<ListInboxNotificationsResponse>, ApiError> {
    let mut by = filter(&mut params);
    by.before = params.parse("starting_before", "a UUID");
    params.finish()?;
    Ok(Json(state.control.inbox_list(&actor.who, &by).await?))
}

async fn watch(
    State(state): State<AppState>,
    actor: Actor,
    mut params: QueryParams,
    socket: Socket,
) -> Result<Response, ApiError> {
    let by = filter(&mut params);
    // What we say has no markup: both forms are the same.
    if !["", "plaintext", "markdown"].contains(&params.text("format")) {
        params.wrong("format", "must be plaintext or markdown");
    }
    params.finish()?;
    // Before the upgrade, so that a refusal is an answer like any other, and nothing is missed.
    let watch = state.control.inbox_watch(&actor.who).await?;
    let frames = unfold((watch, by), |(mut watch, by)| async move {
        loop {
            let told = match watch.next().await {
                Ok(told) => told,
                Err(error) => return Some((Err(ApiError::from(error)), (watch, by))),
            };
            if wanted(&by, &told)
                && let Ok(text) = serde_json::to_string(&told)
            {
                return Some((Ok(text), (watch, by)));
            }
        }
    });
    Ok(socket.send(frames))
}

fn wanted(by: &InboxFilter, told: &GetInboxNotificationResponse) -> bool {
    let of = &told.notification;
    by.targets.iter().all(|target| of.targets.contains(target))
        && (by.templates.is_empty() || by.templates.contains(&of.template_id))
        && by.read.is_none_or(|read| of.read_at.is_some() == read)
}

fn filter(params: &mut QueryParams) -> InboxFilter {
    let read = match params.text("read_status") {
        "" | "all" => None,
        "read" => Some(true),
        "unread" => Some(false),
        _ => {
            params.wrong("read_status", "must be one of all, read, unread");
            None
        }
    };
    InboxFilter {
        targets: ids(params, "targets"),
        templates: ids(params, "templates"),
        read,
        before: None,
    }
}

/// Ids, separated by commas.
fn ids(params: &mut QueryParams, name: &str) -> Vec<Uuid> {
    let read: Result<Vec<Uuid>, _> = params
        .text(name)
        .split(',')
        .filter(|text| !text.is_empty())
        .map(str::parse)
        .collect();
    read.unwrap_or_else(|_| {
        params.wrong(name, "must be UUIDs, separated by commas");
        Vec::new()
    })
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<Uuid>,
    Json(request): Json<UpdateInboxNotificationReadStatusRequest>,
) -> Result<Json<GetInboxNotificationResponse>, ApiError> {
    let marked = state
        .control
        .inbox_mark(&actor.who, id, request.is_read)
        .await?;
    Ok(Json(marked))
}

async fn read_all(State(state): State<AppState>, actor: Actor) -> Result<StatusCode, ApiError> {
    state.control.inbox_mark_all(&actor.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn preferences(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
) -> Result<Json<Vec<NotificationPreference>>, ApiError> {
    let known = state
        .control
        .notification_preference_list(&actor.who, &user)
        .await?;
    Ok(Json(known))
}

async fn preferences_set(
    State(state): State<AppState>,
    actor: Actor,
    Path(user): Path<UserRef>,
    Json(wanted): Json<UpdateUserNotificationPreferences>,
) -> Result<Json<Vec<NotificationPreference>>, ApiError> {
    let known = state
        .control
        .notification_preference_set(&actor.who, &user, &wanted)
        .await?;
    Ok(Json(known))
}
