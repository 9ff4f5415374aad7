//! Watching the values that an agent collects.

use std::time::Duration;

use authz::Subject;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use control::Control;
use control::agents::metadata_channel;
use futures::{Stream, StreamExt as _};
use uuid::Uuid;

use crate::events::{Event, sse};
use crate::extract::Path;
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState};

/// Changes are told at most this often.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// And the values at least this often, as their age changes.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/workspaceagents/{agent}/watch-metadata", get(watch))
        .route("/workspaceagents/{agent}/watch-metadata-ws", get(watch_ws))
}

async fn watch(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
) -> Result<Response, ApiError> {
    Ok(sse(events(state.control, actor.who, agent).await?))
}

async fn watch_ws(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let events = events(state.control, actor.who, agent).await?;
    Ok(socket?.send(events.map(|event| Ok(event.as_json()))))
}

struct Watch {
    control: Control,
    who: Subject,
    agent: Uuid,
    changes: store::Listener,
    first: bool,
    over: bool,
}

async fn events(
    control: Control,
    who: Subject,
    agent: Uuid,
) -> Result<impl Stream<Item = Event> + Send, ApiError> {
    // Refused as any request is, before the stream begins.
    control.workspace_agent_metadata(&who, agent).await?;
    let changes = control.store().listen(&metadata_channel(agent)).await?;
    let watch = Watch {
        control,
        who,
        agent,
        changes,
        first: true,
        over: false,
    };
    Ok(futures::stream::unfold(watch, |mut watch| async move {
        if watch.over {
            return None;
        }
        let event = watch.next().await;
        Some((event, watch))
    }))
}

impl Watch {
    async fn next(&mut self) -> Event {
        if !std::mem::take(&mut self.first) {
            tokio::time::sleep(AT_MOST_EVERY).await;
            // Silence is news as well: the values have grown older.
            let rest = AT_LEAST_EVERY.saturating_sub(AT_MOST_EVERY);
            let _ = tokio::time::timeout(rest, self.changes.recv()).await;
        }
        let values = self
            .control
            .workspace_agent_metadata(&self.who, self.agent)
            .await;
        values
            .and_then(|values| Event::of(&values))
            .unwrap_or_else(|error| {
                // Worth another look when the database is back.
                self.over = error.kind != control::Kind::Unavailable;
                Event::failed(&error)
            })
    }
}
