//! The published API: whether an answer is what the OpenAPI document (Swagger 2.0) that
//! `CODER_TEST_SWAGGER` names says of its route.
//!
//! Test clients hand every answer to [`problems`]. Where the variable is not set, nothing is checked.
//! Where the document and the API that we serve differ, [`deviations`] says so and why; nothing else
//! is let through. What tests have seen is told to [`seen`].

mod deviations;
mod document;
mod schema;
mod seen;

pub use seen::{report, served};

use std::sync::OnceLock;

use document::Document;
use serde_json::{Value, json};

/// Names the published document.
const DOCUMENT: &str = "CODER_TEST_SWAGGER";
/// Where the API is; pages, apps and the relay have no published shape.
const API: &[&str] = &["/api/v2", "/api/experimental", "/oauth2", "/scim"];

/// What a test client got.
pub struct Answer<'a> {
    /// Of the request.
    pub method: &'a str,
    /// As it was requested; a query may follow.
    pub path: &'a str,
    /// Status code.
    pub status: u16,
    /// `Content-Type`, if there was one.
    pub content_type: Option<&'a str>,
    /// The whole body; empty for streams.
    pub body: &'a [u8],
}

/// The document, read once; `None` where there is none at hand.
///
/// # Panics
/// If the variable names what is no document: nothing would be checked, silently.
pub fn document() -> Option<&'static Document> {
    static READ: OnceLock<Option<Document>> = OnceLock::new();
    READ.get_or_init(|| {
        let path = std::env::var_os(DOCUMENT)?;
        let text = std::fs::read_to_string(&path).expect("the document of CODER_TEST_SWAGGER");
        let document = serde_json::from_str(&text).expect("a JSON document in CODER_TEST_SWAGGER");
        Some(Document::new(document))
    })
    .as_ref()
}

/// What is wrong with an answer: a line each, with route, status and the field's path.
pub fn problems(answer: &Answer<'_>) -> Vec<String> {
    let Some(document) = document() else {
        return Vec::new();
    };
    let path = answer.path.split('?').next().unwrap_or_default();
    if !is_api(path) || !matches!(answer.method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
        return Vec::new();
    }
    let route = document.route(answer.method, path);
    let name = route.as_ref().map_or(path, |route| route.template);
    let operation = route.as_ref().map_or(&Value::Null, |route| route.operation);
    if (100..400).contains(&answer.status) {
        seen::answered(answer.method, name, answer.status);
    }
    let mut found = Vec::new();
    of_answer(document, operation, answer, &mut found);
    found.retain(|finding| !deviations::excused(answer.method, name, path, finding));
    for finding in &mut found {
        *finding = format!("{} {name}: {}: {finding}", answer.method, answer.status);
    }
    found
}

fn is_api(path: &str) -> bool {
    API.iter().any(|root| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.starts_with('/'))
    })
}

fn of_answer(document: &Document, operation: &Value, answer: &Answer<'_>, found: &mut Vec<String>) {
    let status = answer.status;
    let documented = &operation["responses"][status.to_string()];
    if status >= 400 {
        if status >= 500 && documented.is_null() {
            found.push(format!("status {status} is a failure of the server"));
        }
        let envelope = json!({ "$ref": "#/definitions/codersdk.Response" });
        let schema = match &documented["schema"] {
            Value::Null => &envelope,
            schema => schema,
        };
        return of_error(document, schema, answer, found);
    }
    if operation.is_null() {
        found.push("is not in the document".to_owned());
        return;
    }
    if documented.is_null() {
        found.push(format!("status {status} is not in the document"));
        return;
    }
    if status == 204 && !answer.body.is_empty() {
        found.push("a body, where none may be".to_owned());
    }
    let Some(kind) = answer.content_type else {
        if !documented["schema"].is_null() && status < 300 && status != 101 {
            found.push("no body".to_owned());
        }
        return;
    };
    let kind = kind.split(';').next().unwrap_or_default();
    if let Some(kinds) = operation["produces"].as_array()
        && !kinds.iter().any(|listed| listed == kind)
        && !(documented["schema"].is_null() && answer.body.is_empty())
    {
        found.push(format!("content type {kind} is not in the document"));
        return;
    }
    if kind != "application/json" || documented["schema"].is_null() {
        return;
    }
    match serde_json::from_slice(answer.body) {
        Ok(body) => schema::check(document, &documented["schema"], &body, "$", found),
        Err(error) => found.push(format!("the body is no JSON: {error}")),
    }
}

/// Errors have one shape; the document rarely says so.
fn of_error(document: &Document, schema: &Value, answer: &Answer<'_>, found: &mut Vec<String>) {
    let Ok(body) = serde_json::from_slice::<Value>(answer.body) else {
        let text = String::from_utf8_lossy(answer.body);
        found.push(format!("the error is no JSON: {text:.80}"));
        return;
    };
    schema::check(document, schema, &body, "$", found);
    if body["message"].as_str().unwrap_or_default().is_empty() {
        found.push("$.message: errors say what is wrong".to_owned());
    }
}

#[cfg(test)]
mod tests;
