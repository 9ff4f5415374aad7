//! Parameters in paths.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::ApiError;

/// Path parameters: one value, or a tuple in order. What does not parse is a
/// 400; ids are UUIDs in any usual spelling.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(rejection(error.into_kind()))
            }
            Err(error) => {
                Err(ApiError::bad_request("Invalid path.").with_detail(error.to_string()))
            }
        }
    }
}

fn rejection(kind: ErrorKind) -> ApiError {
    match kind {
        ErrorKind::DeserializeError {
            key,
            value,
            message,
        } if message.contains("UUID") => ApiError::bad_request(format!("Invalid UUID {value:?}."))
            .with_detail(message.clone())
            .with_field(&key, message),
        ErrorKind::ParseErrorAtKey {
            key,
            value,
            expected_type,
        } => ApiError::bad_request(format!(
            "Path parameter {key:?} must be of type {expected_type}, not {value:?}."
        )),
        ErrorKind::ParseError {
            value,
            expected_type,
        }
        | ErrorKind::ParseErrorAtIndex {
            value,
            expected_type,
            ..
        } => ApiError::bad_request(format!(
            "Path parameter must be of type {expected_type}, not {value:?}."
        )),
        other => ApiError::bad_request("Invalid path.").with_detail(other.to_string()),
    }
}
