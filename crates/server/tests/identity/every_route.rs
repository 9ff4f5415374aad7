//! Every route with what no well-behaved client sends: a refusal, never a failure or a hang.
//! (`crate::published` calls every 500 a failure, and every refusal without its shape.)

use std::time::Duration;

use testkit::TestUser;
use uuid::Uuid;

use crate::access::routes::routes;
use crate::app::{Answer, App};

/// Far beyond what any refusal takes, on any machine.
const HANG: Duration = Duration::from_mins(1);
/// Ends the session that all the others need.
const ENDS_THE_SESSION: &str = "/users/logout";

struct Caller {
    app: App,
    owner: TestUser,
}

impl Caller {
    async fn new() -> Self {
        let app = App::new().await;
        let owner = app.user("owner", &["owner"]).await;
        Self { app, owner }
    }

    async fn send(&self, method: &str, path: &str, body: impl Into<axum::body::Body>) -> Answer {
        let token = [("Coder-Session-Token", self.owner.token.expose().as_str())];
        let sent = self.app.send(method, path, &token, body);
        let Ok(answer) = tokio::time::timeout(HANG, sent).await else {
            panic!("{method} {path:.200} hangs");
        };
        assert_ne!(answer.status, 500, "{method} {path:.200}: {}", answer.text);
        answer
    }
}

/// The routes as method and path.
fn all() -> Vec<(String, String)> {
    let routes = routes().into_iter();
    let parts = routes.map(|route| {
        let (method, path) = route.split_once(' ').unwrap();
        (method.to_owned(), path.to_owned())
    });
    parts.filter(|(_, path)| path != ENDS_THE_SESSION).collect()
}

/// A path whose names in braces stand for what `value` makes of them.
fn filled(path: &str, value: impl Fn(&str) -> String) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix('{') {
        Some(name) => value(name.trim_end_matches('}')),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// As a request that could be meant has it.
fn plausible(name: &str) -> String {
    match name {
        "user" => "me".to_owned(),
        "organization" => "default".to_owned(),
        _ => Uuid::new_v4().to_string(),
    }
}

#[tokio::test]
async fn odd_names_in_paths() {
    let caller = Caller::new().await;
    let long = "x".repeat(10_000);
    let odd = [
        "not-a-uuid",
        "%00",
        "%F0%9F%98%80",
        "-99999999999999999999",
        &long,
    ];
    for (method, path) in all().iter().filter(|(_, path)| path.contains('{')) {
        for value in odd {
            caller
                .send(method, &filled(path, |_| value.to_owned()), "")
                .await;
        }
    }
}

#[tokio::test]
async fn odd_queries() {
    let caller = Caller::new().await;
    let names = [
        "limit",
        "offset",
        "after_id",
        "after",
        "before",
        "q",
        "format",
        "start_time",
    ];
    for value in ["99999999999999999999", "-1", "%00", "%FF", "%F0%9F%98%80"] {
        let query: Vec<_> = names.iter().map(|name| format!("{name}={value}")).collect();
        for (method, path) in all().iter().filter(|(method, _)| method == "GET") {
            let path = format!("{}?{}", filled(path, plausible), query.join("&"));
            caller.send(method, &path, "").await;
        }
    }
}

#[tokio::test]
async fn odd_bodies() {
    let caller = Caller::new().await;
    let deep = format!("{{\"x\":{}", "[".repeat(10_000));
    let odd = [
        "{",
        "[]",
        "7",
        "\"\\u0000\"",
        "{\"name\":{\"a\":[null]}}",
        &deep,
    ];
    let with_body = ["POST", "PUT", "PATCH"];
    for (method, path) in all() {
        if !with_body.contains(&method.as_str()) {
            continue;
        }
        let path = filled(&path, plausible);
        for body in odd {
            caller.send(&method, &path, body.to_owned()).await;
        }
        caller.send(&method, &path, vec![0xff_u8; 64]).await;
    }
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let caller = Caller::new().await;
    // Above the limit of every route, uploads included.
    let body = axum::body::Bytes::from(vec![b' '; 101 << 20]);
    for (method, path) in all() {
        if matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
            caller
                .send(&method, &filled(&path, plausible), body.clone())
                .await;
        }
    }
}

#[tokio::test]
async fn wrong_methods() {
    let caller = Caller::new().await;
    let all = all();
    for (_, path) in &all {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if !all.iter().any(|(m, p)| m == method && p == path) {
                // Another path with a name in it may fit as well.
                let answer = caller.send(method, &filled(path, plausible), "").await;
                let status = answer.status.as_u16();
                assert!(status >= 400, "{method} {path}: {status}");
            }
        }
    }
}
