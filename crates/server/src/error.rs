//! Errors as responses: the envelope that every client of the API reads.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use control::Kind;

use crate::extract::json_bytes;

/// An error on its way to a client: `{"message", "detail"?, "validations"?}`.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Answer>);

/// What the error says; boxed, as every handler's result has room for it.
#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    body: api_types::Response,
    /// `WWW-Authenticate`, for 401 and for 403 of a scope.
    challenge: Option<HeaderValue>,
    /// `Retry-After` in seconds.
    retry_after: Option<u64>,
}

impl ApiError {
    /// An error of this status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        ApiError(Box::new(Answer {
            status,
            body: api_types::Response {
                message: message.into(),
                ..Default::default()
            },
            challenge: None,
            retry_after: None,
        }))
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404 of a route that does not exist.
    pub fn no_route() -> Self {
        ApiError::new(StatusCode::NOT_FOUND, "Route not found.")
    }

    /// With the cause.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.body.detail = detail.into();
        self
    }

    /// With one more wrong field.
    #[must_use]
    pub fn with_field(mut self, field: &str, detail: impl Into<String>) -> Self {
        self.0.body.validations.push(api_types::ValidationError {
            field: field.to_owned(),
            detail: detail.into(),
        });
        self
    }

    /// With `WWW-Authenticate`.
    #[must_use]
    pub fn with_challenge(mut self, challenge: HeaderValue) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    /// With `Retry-After`.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.0.body.message
    }
}

impl From<control::Error> for ApiError {
    fn from(error: control::Error) -> Self {
        let status =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = ApiError::new(status, error.message).with_detail(error.detail);
        response.0.body.validations = error.validations;
        if error.kind == Kind::Unavailable {
            response.0.retry_after = Some(1);
        }
        response
    }
}

impl From<store::StoreError> for ApiError {
    fn from(error: store::StoreError) -> Self {
        control::Error::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(json_bytes(&self.0.body)));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, crate::extract::JSON);
        if let Some(challenge) = self.0.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
