//! The relay over HTTP: an upgrade to raw frames, or a WebSocket that carries them. Open to
//! everyone, as clients prove themselves by their keys.

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use relay::Relay;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::ws::derp_socket;
use crate::{ApiError, AppState};

const DERP: &str = "DERP";
/// The WebSocket subprotocol.
const SUBPROTOCOL: &str = "derp";
const DERP_VERSION: HeaderName = HeaderName::from_static("derp-version");
const DERP_PUBLIC_KEY: HeaderName = HeaderName::from_static("derp-public-key");
const FAST_START: HeaderName = HeaderName::from_static("derp-fast-start");
/// Largest WebSocket message of a client: a few packets.
const MAX_MESSAGE: usize = 1 << 20;
/// What is read at once, held for as long as the client is connected.
const READ: usize = 16 << 10;

/// The routes, at the root.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/derp", get(connect))
        .route("/derp/latency-check", get(|| async { StatusCode::OK }))
}

async fn connect(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let relay = state.tailnet.relay().cloned().ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "The relay is disabled on this server.",
        )
        .with_detail("Start the server with --derp-server-enable to enable it.")
    })?;
    let upgrade = header_text(request.headers(), &header::UPGRADE);
    if upgrade.eq_ignore_ascii_case("websocket")
        && header_text(request.headers(), &header::SEC_WEBSOCKET_PROTOCOL)
            .split(',')
            .any(|protocol| protocol.trim() == SUBPROTOCOL)
    {
        return websocket(&state, relay, request).await;
    }
    let asks = header_text(request.headers(), &header::CONNECTION)
        .split(',')
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    if !upgrade.eq_ignore_ascii_case(DERP) || !asks {
        return Err(ApiError::new(
            StatusCode::UPGRADE_REQUIRED,
            "DERP requires connection upgrade",
        ));
    }
    if header_text(request.headers(), &FAST_START) == "1" {
        // Only for clients that learnt our key from a TLS certificate, which we do not serve.
        return Err(ApiError::bad_request("Derp-Fast-Start is not supported."));
    }
    upgrade_raw(relay, request)
}

fn upgrade_raw(relay: Relay, request: Request) -> Result<Response, ApiError> {
    let key = HeaderValue::try_from(relay.public_key().to_hex())
        .map_err(|error| ApiError::from(control::Error::internal(error)))?;
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(io) => serve(relay, TokioIo::new(io)).await,
            Err(error) => tracing::debug!(%error, "relay upgrade failed"),
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static(DERP));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(DERP_VERSION, HeaderValue::from_static("2"));
    headers.insert(DERP_PUBLIC_KEY, key);
    Ok(response)
}

async fn websocket(state: &AppState, relay: Relay, request: Request) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, state)
        .await
        .map_err(|error| {
            ApiError::new(StatusCode::UPGRADE_REQUIRED, "The relay needs a WebSocket.")
                .with_detail(error.body_text())
        })?;
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(|socket| async move { serve(relay, derp_socket(socket)).await }))
}

async fn serve<IO: AsyncRead + AsyncWrite + Send>(relay: Relay, io: IO) {
    if let Err(error) = relay.accept(io).await {
        tracing::debug!(%error, "relay client ended");
    }
}

fn header_text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
