//! The script that starts an agent on a machine of one's own.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::extract::Path;
use crate::{ApiError, AppState};

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/init-script/{os}/{arch}", get(read))
}

async fn read(
    State(state): State<AppState>,
    Path((os, arch)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let url = &state.control.settings().access_url;
    let script = control::init_scripts::init_script(&os, &arch, url, "token").ok_or_else(|| {
        ApiError::bad_request(format!("Unknown os/arch: {os}/{arch}")).with_detail(
            "Known are linux/amd64, linux/arm64, linux/armv7, darwin/amd64, darwin/arm64, \
             windows/amd64 and windows/arm64.",
        )
    })?;
    let mut response = script.into_response();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    Ok(response)
}
