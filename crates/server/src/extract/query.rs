//! Parameters behind the question mark.

use std::collections::HashMap;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::ApiError;

/// Query parameters as a struct; what does not parse is a 400.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

fn invalid() -> ApiError {
    ApiError::bad_request("Query parameters have invalid values.")
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(error) => Err(invalid().with_detail(error.body_text())),
        }
    }
}

/// Query parameters read one by one; [`QueryParams::finish`] tells of all that
/// were wrong at once.
#[derive(Debug)]
pub struct QueryParams {
    values: HashMap<String, String>,
    error: Option<ApiError>,
}

impl<S: Send + Sync> FromRequestParts<S> for QueryParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(values) =
            Query::<HashMap<String, String>>::from_request_parts(parts, state).await?;
        Ok(QueryParams {
            values,
            error: None,
        })
    }
}

impl QueryParams {
    /// A text, empty if absent.
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Whether it is there, with whatever value.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A value of a type; none if absent, empty or wrong.
    pub fn parse<T: FromStr>(&mut self, name: &str, what: &str) -> Option<T> {
        let text = self.values.get(name).filter(|text| !text.is_empty())?;
        if let Ok(value) = text.parse() {
            return Some(value);
        }
        let detail = format!("Query param {name:?} must be {what}, not {text:?}.");
        self.wrong(name, detail);
        None
    }

    /// A yes or no in any usual spelling; no if absent.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.text(name) {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            other => {
                let detail = format!("Query param {name:?} must be a boolean, not {other:?}.");
                self.wrong(name, detail);
                false
            }
        }
    }

    /// Notes a wrong value.
    pub fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        let error = self.error.take().unwrap_or_else(invalid);
        self.error = Some(error.with_field(name, detail));
    }

    /// The usual parameters of lists.
    pub fn pagination(&mut self) -> Pagination {
        let number = "a number from 0 to 2147483647";
        let bounded = |n: &u32| *n <= i32::MAX.cast_unsigned();
        let limit = self.parse("limit", number).unwrap_or(0);
        let offset = self.parse("offset", number).unwrap_or(0);
        if !bounded(&limit) || !bounded(&offset) {
            self.wrong("limit", format!("limit and offset must each be {number}."));
        }
        Pagination {
            limit,
            offset,
            after_id: self.parse("after_id", "a UUID"),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 400 with every wrong parameter.
    pub fn finish(self) -> Result<(), ApiError> {
        self.error.map_or(Ok(()), Err)
    }
}

/// Which part of a list is wanted. As an extractor it refuses wrong values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pagination {
    /// So many at most; 0 means the endpoint's default, which usually is all.
    pub limit: u32,
    /// Leaving out so many.
    pub offset: u32,
    /// Only those behind this one.
    pub after_id: Option<Uuid>,
}

impl<S: Send + Sync> FromRequestParts<S> for Pagination {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let mut params = QueryParams::from_request_parts(parts, state).await?;
        let pagination = params.pagination();
        params.finish()?;
        Ok(pagination)
    }
}
