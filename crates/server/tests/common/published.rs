//! Every answer of a server under test is held against the published API.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt as _;
use testkit::published::{self, Answer};

/// What was found; the test that owns it fails at its end if that is anything.
#[derive(Default)]
pub struct Published(Findings);

type Findings = Arc<Mutex<Vec<String>>>;

impl Published {
    /// The same routes, each of whose answers is looked at.
    pub fn watch(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.0.clone(), look))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let found = std::mem::take(&mut *self.0.lock().unwrap());
        let text = format!("not as published:\n{}", found.join("\n"));
        match found.is_empty() {
            true => {}
            // It fails already; one more reason.
            false if std::thread::panicking() => eprintln!("{text}"),
            false => panic!("{text}"),
        }
    }
}

async fn look(State(findings): State<Findings>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
    // Streams may never end, and files have no shape.
    let is_json = kind
        .as_ref()
        .is_some_and(|kind| kind.starts_with("application/json"));
    let body = if is_json || response.status() == StatusCode::NO_CONTENT {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        response = Response::from_parts(parts, Body::from(bytes.clone()));
        bytes
    } else {
        Default::default()
    };
    let found = published::problems(&Answer {
        method: method.as_str(),
        path: &path,
        status: response.status().as_u16(),
        content_type: kind.as_deref(),
        body: &body,
    });
    let mut findings = findings.lock().unwrap();
    for finding in found {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    response
}
