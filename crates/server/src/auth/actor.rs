//! The user behind a request, for handlers.

use std::net::IpAddr;
use std::sync::Arc;

use authz::{Origin, Subject};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use control::sessions::{Session, SessionError};

use super::token::{self, Source};
use crate::middleware::RequestInfo;
use crate::{ApiError, AppState};

/// `User-Agent` is kept up to this length.
const MAX_USER_AGENT: usize = 256;

/// The authenticated user of a request. A handler that takes it is closed to
/// everyone else: 401.
#[derive(Clone)]
pub struct Actor {
    /// Who acts, for every call of the rules.
    pub who: Subject,
    /// The key and its user.
    pub session: Arc<Session>,
}

/// The user of a request that is open to everyone.
#[derive(Clone)]
pub struct MaybeActor(pub Option<Actor>);

/// What the middleware found out about a request's credential.
#[derive(Clone)]
pub(crate) enum Identity {
    /// A good key.
    User {
        session: Arc<Session>,
        source: Source,
    },
    /// No key, a bad one, or a token of another kind.
    None(Arc<SessionError>),
}

/// Opens the session of a request, if it carries an API key.
pub(crate) async fn identify(
    state: &AppState,
    uri: &Uri,
    headers: &HeaderMap,
    ip: Option<IpAddr>,
) -> Identity {
    let Some((token, source)) = token::find(uri, headers, state.http.cookies) else {
        return Identity::None(Arc::new(SessionError::Missing));
    };
    match state.control.session_open(&token, ip, true).await {
        Ok(session) => Identity::User { session, source },
        Err(error) => Identity::None(Arc::new(error)),
    }
}

impl FromRequestParts<AppState> for Actor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match parts.extensions.get::<Identity>() {
            Some(Identity::User { session, .. }) => {
                let who = session.who.clone().with_origin(Arc::new(origin(parts)));
                Ok(Actor {
                    who,
                    session: session.clone(),
                })
            }
            Some(Identity::None(error)) => Err(unauthorized(state, error)),
            None => Err(unauthorized(state, &SessionError::Missing)),
        }
    }
}

impl FromRequestParts<AppState> for MaybeActor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        if let Some(Identity::None(error)) = parts.extensions.get()
            && let SessionError::Failed(error) = &**error
        {
            return Err(error.clone().into());
        }
        Ok(MaybeActor(
            Actor::from_request_parts(parts, state).await.ok(),
        ))
    }
}

/// Where a request came from, for handlers without an [`Actor`].
pub struct RequestOrigin(pub Origin);

impl<S: Send + Sync> FromRequestParts<S> for RequestOrigin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(RequestOrigin(origin(parts)))
    }
}

/// Where a request came from, for the audit log.
pub(crate) fn origin(parts: &Parts) -> Origin {
    let info = parts.extensions.get::<RequestInfo>();
    let agent = parts.headers.get(axum::http::header::USER_AGENT);
    let agent = agent
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    Origin {
        request_id: info.map(|info| info.id).unwrap_or_default(),
        ip: info.and_then(|info| info.ip),
        user_agent: agent.chars().take(MAX_USER_AGENT).collect(),
    }
}

fn unauthorized(state: &AppState, error: &SessionError) -> ApiError {
    if let SessionError::Failed(error) = error {
        return error.clone().into();
    }
    signed_out(state, &error.to_string())
}

/// 401 with the cause.
pub(crate) fn signed_out(state: &AppState, detail: &str) -> ApiError {
    let message =
        "You are signed out or your session has expired. Please sign in again to continue.";
    ApiError::new(StatusCode::UNAUTHORIZED, message)
        .with_detail(detail)
        .with_challenge(challenge(state, "invalid_token", detail))
}

/// `WWW-Authenticate`, which tells clients of OAuth2 where to begin.
pub(crate) fn challenge(state: &AppState, error: &str, description: &str) -> HeaderValue {
    let description: String = description
        .chars()
        .filter(|c| (' '..='~').contains(c) && !matches!(c, '"' | '\\'))
        .collect();
    let url = state
        .control
        .settings()
        .access_url
        .as_str()
        .trim_end_matches('/');
    let text = format!(
        "Bearer realm=\"coder\", error=\"{error}\", error_description=\"{description}\", \
         resource_metadata=\"{url}/.well-known/oauth-protected-resource\""
    );
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer realm=\"coder\""))
}
