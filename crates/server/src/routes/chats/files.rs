//! `/chats/files`: attachments up and down.

use api_types::{ChatFileDownloadUrlResponse, UploadChatFileResponse};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use control::{ChatFileData, MAX_CHAT_FILE};
use uuid::Uuid;

use super::Answer;
use crate::extract::{Json, Path, read_body};
use crate::{Actor, ApiError, AppState, QueryParams};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/chats/files", post(create))
        .route("/chats/files/{file}", get(read))
        .route("/chats/files/{file}/download-url", post(link))
        .route("/chats/files/{file}/download", get(download))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    mut params: QueryParams,
    request: Request,
) -> Result<(StatusCode, Json<UploadChatFileResponse>), ApiError> {
    if params.text("organization").is_empty() {
        return Err(ApiError::bad_request(
            "Missing organization query parameter.",
        ));
    }
    let organization: Option<Uuid> = params.parse("organization", "a UUID");
    params.finish()?;
    let organization =
        organization.ok_or_else(|| ApiError::bad_request("Invalid organization ID."))?;
    let kind = text(request.headers(), header::CONTENT_TYPE);
    let name = file_name(&text(request.headers(), header::CONTENT_DISPOSITION));
    let body = read_body(request.into_body(), MAX_CHAT_FILE).await?;
    let made = state
        .control
        .chat_file_create(&actor.who, organization, &kind, &name, &body)
        .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

pub(super) fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    let value = headers
        .get(name)
        .map(|v| String::from_utf8_lossy(v.as_bytes()));
    value.unwrap_or_default().into_owned()
}

/// The name in a `Content-Disposition`: `filename*` (RFC 5987, UTF-8) before `filename`.
pub(super) fn file_name(disposition: &str) -> String {
    let mut plain = String::new();
    for part in split_parameters(disposition).into_iter().skip(1) {
        let Some((key, value)) = part.split_once('=') else {
            continue;
        };
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let encoded = value.split_once("''").map_or(value, |(_, text)| text);
                let pair = format!("x={}", encoded.replace('+', "%2B"));
                if let Some((_, name)) = url::form_urlencoded::parse(pair.as_bytes()).next() {
                    return name.into_owned();
                }
            }
            "filename" => plain = unquote(value),
            _ => {}
        }
    }
    plain
}

/// Cuts at semicolons outside quotes.
fn split_parameters(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        match (c, quoted) {
            (';', false) => parts.push(String::new()),
            _ => parts.last_mut().into_iter().for_each(|part| part.push(c)),
        }
    }
    parts
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(file): Path<Uuid>,
) -> Result<Response, ApiError> {
    let file = state.control.chat_file_read(&actor.who, file).await?;
    // PDFs can hold scripts that run in the page that shows them.
    let inline = file.mimetype != "application/pdf";
    Ok(served(file, inline, "private, max-age=31536000, immutable"))
}

async fn link(
    State(state): State<AppState>,
    actor: Actor,
    Path(file): Path<Uuid>,
) -> Answer<ChatFileDownloadUrlResponse> {
    Ok(Json(state.control.chat_file_link(&actor.who, file).await?))
}

/// Without a key: the token is the right to it.
async fn download(
    State(state): State<AppState>,
    Path(file): Path<Uuid>,
    params: QueryParams,
) -> Result<Response, ApiError> {
    let file = state
        .control
        .chat_file_by_link(file, params.text("token"))
        .await?;
    Ok(served(file, false, "private, no-store"))
}

fn served(file: ChatFileData, inline: bool, cache: &'static str) -> Response {
    let mut response = file.data.into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::try_from(file.mimetype);
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind.unwrap_or(octets));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let how = if inline { "inline" } else { "attachment" };
    let name: String = url::form_urlencoded::byte_serialize(file.name.as_bytes())
        .collect::<String>()
        .replace('+', "%20");
    let disposition = HeaderValue::try_from(format!("{how}; filename*=UTF-8''{name}"));
    if let Ok(disposition) = disposition {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_in_every_form() {
        for (given, name) in [
            ("attachment; filename=a.png", "a.png"),
            ("attachment; filename=\"a; \\\"b\\\".png\"", "a; \"b\".png"),
            (
                "attachment; filename=x; filename*=UTF-8''n%C3%A4h%2Be+.md",
                "näh+e+.md",
            ),
            ("attachment", ""),
            ("", ""),
        ] {
            assert_eq!(file_name(given), name, "{given}");
        }
    }
}
