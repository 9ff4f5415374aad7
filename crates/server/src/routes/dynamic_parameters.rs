//! `/templateversions/{v}/dynamic-parameters`: a form that lives while it is filled in. The
//! client sends what stands in the fields, the server what the form looks like then.

use std::time::Duration;

use api_types::{DynamicParametersRequest, DynamicParametersResponse};
use authz::Subject;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::response::Response;
use axum::routing::get;
use control::Control;
use uuid::Uuid;

use crate::extract::{Path, QueryParams};
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState};

/// A form is not filled in for longer than this.
const MAX_LIFE: Duration = Duration::from_mins(30);
/// How often a client is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How long a client may take to read an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of the answer that nobody asked for: the form as it is at first.
const FIRST: i64 = -1;

/// Closing codes of RFC 6455.
const GOING_AWAY: u16 = 1001;
const NOT_UNDERSTOOD: u16 = 1007;
const INTERNAL_ERROR: u16 = 1011;

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new().route("/templateversions/{version}/dynamic-parameters", get(open))
}

async fn open(
    State(state): State<AppState>,
    actor: Actor,
    Path(version): Path<Uuid>,
    mut params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let owner: Option<Uuid> = match params.text("user_id") {
        "" | "me" => actor.who.user_id(),
        _ => params.parse("user_id", "the id of a user, or \"me\""),
    };
    params.finish()?;
    let mut form = Form {
        control: state.control,
        who: actor.who,
        version,
        owner,
    };
    let first = DynamicParametersRequest {
        id: FIRST,
        ..DynamicParametersRequest::default()
    };
    // Refused as any request is, before the conversation begins.
    let first = form.answer(first).await?;
    Ok(socket?.bytes(move |socket| form.talk(socket, first)))
}

struct Form {
    control: Control,
    who: Subject,
    version: Uuid,
    /// Whose workspace it would be; kept from message to message.
    owner: Option<Uuid>,
}

impl Form {
    async fn answer(
        &mut self,
        mut request: DynamicParametersRequest,
    ) -> Result<DynamicParametersResponse, control::Error> {
        let named = request.owner_id.filter(|id| !id.is_nil());
        self.owner = named.or(self.owner);
        request.owner_id = self.owner;
        self.control
            .template_version_evaluate(&self.who, self.version, request)
            .await
    }

    async fn talk(mut self, mut socket: WebSocket, first: DynamicParametersResponse) {
        let end = tokio::time::sleep(MAX_LIFE);
        tokio::pin!(end);
        let now = tokio::time::Instant::now();
        let mut ping = tokio::time::interval_at(now + PING_EVERY, PING_EVERY);
        let mut answered = true;
        let mut answer = Some(first);
        let (code, why) = loop {
            if let Some(answer) = answer.take()
                && !send(&mut socket, &answer).await
            {
                return;
            }
            let message = tokio::select! {
                message = socket.recv() => message,
                _ = ping.tick() => {
                    if !answered || socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                        // Gone without a word.
                        return;
                    }
                    answered = false;
                    continue;
                }
                () = &mut end => break (GOING_AWAY, "the form was open for too long".to_owned()),
            };
            let text = match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Pong(_))) => {
                    answered = true;
                    continue;
                }
                Some(Ok(Message::Ping(_))) => continue,
                Some(Ok(Message::Binary(_))) => {
                    break (NOT_UNDERSTOOD, "messages must be JSON text".to_owned());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            };
            let request = match serde_json::from_str(&text) {
                Ok(request) => request,
                Err(error) => break (NOT_UNDERSTOOD, format!("not a form's values: {error}")),
            };
            match self.answer(request).await {
                Ok(next) => answer = Some(next),
                Err(error) => break (INTERNAL_ERROR, error.message),
            }
        };
        let mut reason = why;
        // What a closing frame holds.
        let mut end = reason.len().min(120);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        reason.truncate(end);
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        let close = socket.send(Message::Close(Some(frame)));
        let _ = tokio::time::timeout(WRITE_TIMEOUT, close).await;
    }
}

async fn send(socket: &mut WebSocket, answer: &DynamicParametersResponse) -> bool {
    let Ok(text) = serde_json::to_string(answer) else {
        return false;
    };
    let sent = socket.send(Message::Text(text.into()));
    matches!(tokio::time::timeout(WRITE_TIMEOUT, sent).await, Ok(Ok(())))
}
