//! Errors of the API as their callers read them.

use api_types::{Response, ValidationError};
use axum::response::{IntoResponse, Json};
use http::StatusCode;

use crate::files::{FileError, Kind};

/// An answer that is an error.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    body: Response,
}

/// An answer that only says something.
pub fn message(text: impl Into<String>) -> Json<Response> {
    Json(Response {
        message: text.into(),
        ..Default::default()
    })
}

impl Failure {
    /// An error with a message.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let body = Response {
            message: message.into(),
            ..Default::default()
        };
        Self { status, body }
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, detail: impl std::fmt::Display) -> Self {
        self.body.detail = detail.to_string();
        self
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// Something in this workspace keeps the request from being served.
    pub fn system(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// These query parameters make no sense.
    pub fn query(validations: Vec<ValidationError>) -> Self {
        let mut failure = Self::bad_request("Query parameters have invalid values.");
        failure.body.validations = validations;
        failure
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let status = match error.kind {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Missing => StatusCode::NOT_FOUND,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::System => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.text)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        (self.status, Json(self.body)).into_response()
    }
}
