//! What handlers take from a request, with errors in our envelope.

mod json;
mod path;
mod query;

pub(crate) use json::{JSON, json_bytes};
pub use json::{Json, MAX_JSON_BODY, read_body};
pub use path::Path;
pub use query::{Pagination, Query, QueryParams};
