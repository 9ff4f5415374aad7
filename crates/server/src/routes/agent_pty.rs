//! The socket of the web terminal.

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use uuid::Uuid;

use crate::agent_conn::{PtyRequest, PtySize};
use crate::apps::terminal;
use crate::extract::Path;
use crate::socket::Socket;
use crate::ws::{code, refuse, relay_bytes};
use crate::{ApiError, AppState, MaybeActor, QueryParams};

/// Lines and columns unless the request says otherwise.
const DEFAULT_SIZE: u16 = 80;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/workspaceagents/{agent}/pty", get(pty))
}

async fn pty(
    State(state): State<AppState>,
    MaybeActor(actor): MaybeActor,
    Path(agent): Path<Uuid>,
    parts: Parts,
    params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let token = params.text(terminal::TOKEN_PARAM).to_owned();
    let counted = terminal::admit(&state, actor, agent, &token, &parts).await?;
    let request = request(params)?;
    let socket = socket?;
    let conn = state.tailnet.acquire(agent);
    Ok(socket.bytes(move |socket| async move {
        let _counted = counted;
        match conn.pty(&request).await {
            Ok(stream) => relay_bytes(socket, stream).await,
            Err(error) => {
                let reason = format!("dial workspace agent: {error}");
                refuse(socket, code::INTERNAL, &reason).await;
            }
        }
    }))
}

/// Which terminal a request asks for.
fn request(mut params: QueryParams) -> Result<PtyRequest, ApiError> {
    let number = "a number from 0 to 65535";
    let id: Option<Uuid> = params.parse("reconnect", "a UUID");
    if !params.has("reconnect") || params.text("reconnect").is_empty() {
        params.wrong("reconnect", "Query param \"reconnect\" is required.");
    }
    let size = PtySize {
        height: params.parse("height", number).unwrap_or(DEFAULT_SIZE),
        width: params.parse("width", number).unwrap_or(DEFAULT_SIZE),
    };
    let text = |name: &str| params.text(name).to_owned();
    let request = PtyRequest {
        id: id.unwrap_or_default(),
        size,
        command: text("command"),
        container: text("container"),
        container_user: text("container_user"),
        backend_type: text("backend_type"),
    };
    params.finish()?;
    Ok(request)
}
