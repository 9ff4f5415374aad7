//! The HTTP API, asked as over the tunnel.

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::*;
use crate::testing;

struct Answer {
    status: StatusCode,
    media_type: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

fn api() -> Api {
    api_of(testing::proto())
}

fn api_of(proto: rpc::proto::agent::Manifest) -> Api {
    let workspace = testing::workspace_with(proto);
    let context = Arc::new(Context::new(workspace.clone(), Default::default()));
    Api::new(workspace, context)
}

async fn request(
    api: &Api,
    method: Method,
    path: &str,
    chat: Option<Uuid>,
    body: impl Into<axum::body::Body>,
) -> Answer {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let served = api.clone();
    tokio::spawn(async move { served.serve(theirs).await });
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("Host", "agent");
    if let Some(chat) = chat {
        request = request.header("Coder-Chat-Id", chat.to_string());
    }
    let request = request.body(body.into()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status();
    let media_type = answer
        .headers()
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let body = answer
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .to_vec();
    Answer {
        status,
        media_type,
        body,
    }
}

async fn get(api: &Api, path: &str) -> Answer {
    request(api, Method::GET, path, None, "").await
}

async fn post(api: &Api, path: &str, body: Value) -> Answer {
    request(api, Method::POST, path, None, body.to_string()).await
}

#[tokio::test]
async fn it_greets_and_lists_ports() {
    let api = api();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(
        get(&api, "/").await.json(),
        json!({"message": "Hello from the agent!"})
    );
    let ports = get(&api, "/api/v0/listening-ports").await.json();
    let ports = ports["ports"].as_array().unwrap();
    assert!(
        ports
            .iter()
            .any(|p| p["port"] == port && p["network"] == "tcp")
    );
    assert!(get(&api, "/api/v0/netcheck").await.json()["interfaces"].is_object());
    assert_eq!(get(&api, "/nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        get(&api, "/api/v0/write-file").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn files_are_written_read_and_edited() {
    let api = api();
    let directory = tempfile::tempdir().unwrap();
    let path = format!("{}/new dir/a.md", directory.path().display());
    let quoted = url::form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>();
    let write = format!("/api/v0/write-file?path={quoted}");
    let answer = request(&api, Method::POST, &write, None, "one\ntwo\n").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.message());
    let read = get(
        &api,
        &format!("/api/v0/read-file?path={quoted}&offset=4&limit=3"),
    )
    .await;
    assert_eq!(
        (read.body.as_slice(), read.media_type.as_str()),
        (&b"two"[..], "text/markdown; charset=utf-8")
    );
    let lines = get(&api, &format!("/api/v0/read-file-lines?path={quoted}"))
        .await
        .json();
    assert_eq!(lines["content"], "1\tone\n2\ttwo\n3\t");
    let edits = json!({"include_diff": true, "files": [
        {"path": path, "edits": [{"search": "two", "replace": "three"}]}]});
    let edited = post(&api, "/api/v0/edit-files", edits).await.json();
    assert!(
        edited["files"][0]["diff"]
            .as_str()
            .unwrap()
            .contains("+three")
    );
    let listed = json!({"path": [], "relativity": "root"});
    let listed = post(
        &api,
        &format!("/api/v0/list-directory?path={}", directory.path().display()),
        listed,
    )
    .await;
    assert_eq!(listed.json()["contents"][0]["name"], "new dir");
    let resolved = get(&api, &format!("/api/v0/resolve-path?path={quoted}"))
        .await
        .json();
    assert!(
        resolved["resolved_path"]
            .as_str()
            .unwrap()
            .ends_with("new dir/a.md")
    );
    let bundle = post(&api, "/api/v0/bundle-files", json!({"paths": [path]})).await;
    assert_eq!(bundle.media_type, "application/x-tar");
    let mut archive = tar::Archive::new(bundle.body.as_slice());
    assert_eq!(archive.entries().unwrap().count(), 2);
}

#[tokio::test]
async fn files_that_cannot_be_had_say_why() {
    let api = api();
    for (path, status) in [
        ("/api/v0/read-file?path=/nowhere", StatusCode::NOT_FOUND),
        ("/api/v0/read-file?path=relative", StatusCode::BAD_REQUEST),
        ("/api/v0/read-file?path=/tmp", StatusCode::BAD_REQUEST),
        ("/api/v0/read-file?path=/dev/zero", StatusCode::BAD_REQUEST),
        (
            "/api/v0/read-file?path=/etc/hosts&limit=-1",
            StatusCode::BAD_REQUEST,
        ),
        (
            "/api/v0/read-file?path=/etc/hosts&limit=99999999999999999999",
            StatusCode::BAD_REQUEST,
        ),
        ("/api/v0/read-file", StatusCode::BAD_REQUEST),
        (
            "/api/v0/read-file?path=/etc/hosts&x=1",
            StatusCode::BAD_REQUEST,
        ),
        ("/api/v0/resolve-path?path=x", StatusCode::BAD_REQUEST),
        ("/api/v0/read-file-lines?path=/nowhere", StatusCode::OK),
    ] {
        let answer = get(&api, path).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let wrong = get(&api, "/api/v0/read-file?path=/etc/hosts&limit=x&y=1")
        .await
        .json();
    assert_eq!(wrong["validations"].as_array().unwrap().len(), 2);
    for (path, body) in [
        ("/api/v0/edit-files", "{"),
        ("/api/v0/edit-files", "{}"),
        ("/api/v0/list-directory", r#"{"relativity":"moon"}"#),
        ("/api/v0/processes/start", "[]"),
        ("/api/v0/processes/start", "{}"),
    ] {
        let answer = request(&api, Method::POST, path, None, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {body}");
    }
    let large = "x".repeat(5 * 1024 * 1024);
    let answer = request(&api, Method::POST, "/api/v0/edit-files", None, large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn processes_run_and_are_signalled() {
    let api = api();
    let chat = Some(Uuid::from_u128(9));
    let start =
        json!({"command": "echo $CODER_CHAT_ID; read x < /dev/zero; sleep 600"}).to_string();
    let started = request(&api, Method::POST, "/api/v0/processes/start", chat, start)
        .await
        .json();
    assert_eq!(started["started"], true);
    let id = started["id"].as_str().unwrap().to_owned();
    let done = post(
        &api,
        "/api/v0/processes/start",
        json!({"command": "exit 4"}),
    )
    .await
    .json();
    let path = format!(
        "/api/v0/processes/{}/output?wait=true",
        done["id"].as_str().unwrap()
    );
    let output = get(&api, &path).await.json();
    assert_eq!(
        (&output["running"], &output["exit_code"]),
        (&json!(false), &json!(4))
    );

    let signal = format!("/api/v0/processes/{id}/signal");
    let stranger = Some(Uuid::from_u128(8));
    let body = json!({"signal": "kill"}).to_string();
    let refused = request(&api, Method::POST, &signal, stranger, body.clone()).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let wrong = post(&api, &signal, json!({"signal": "HUP"})).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let killed = request(&api, Method::POST, &signal, chat, body.clone()).await;
    assert_eq!(killed.status, StatusCode::OK);
    let path = format!("/api/v0/processes/{id}/output?wait=true");
    assert_eq!(get(&api, &path).await.json()["running"], false);
    let again = request(&api, Method::POST, &signal, chat, body).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let list = request(&api, Method::GET, "/api/v0/processes/list", chat, "")
        .await
        .json();
    assert_eq!(list["processes"].as_array().unwrap().len(), 1);
    assert_eq!(
        get(&api, "/api/v0/processes/x/output").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_is_not_here_is_refused() {
    // Where no program makes a screen.
    let mut proto = testing::proto();
    let path = ("PATH".to_owned(), "/nowhere".to_owned());
    proto.environment_variables.extend([path]);
    let api = api_of(proto);
    let screenshot = json!({ "action": "screenshot" });
    let desktop = post(&api, "/api/v0/desktop/action", screenshot).await;
    assert_eq!(desktop.status, StatusCode::NOT_IMPLEMENTED);
    assert_eq!(desktop.message(), "Failed to start desktop session.");
    for (id, status) in [
        (json!("x"), StatusCode::BAD_REQUEST),
        (json!(""), StatusCode::BAD_REQUEST),
        (json!(Uuid::new_v4()), StatusCode::NOT_FOUND),
    ] {
        let stop = json!({ "recording_id": id });
        let stopped = post(&api, "/api/v0/desktop/recording/stop", stop).await;
        assert_eq!(stopped.status, status, "{id}");
    }
    let unknown = request(
        &api,
        Method::DELETE,
        "/api/v0/containers/devcontainers/x",
        None,
        "",
    )
    .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let mut proto = testing::proto();
    proto.parent_id = Some(vec![7; 16]);
    let inside = api_of(proto);
    assert_eq!(
        get(&inside, "/api/v0/containers").await.status,
        StatusCode::FORBIDDEN
    );
    let socket = get(&api, "/api/v0/git/watch").await;
    assert!(socket.status.is_client_error());
}

#[tokio::test]
async fn secrets_do_not_show_in_the_manifest() {
    let mut proto = testing::proto();
    proto
        .environment_variables
        .insert("NAME".into(), "hidden".into());
    let api = api_of(proto);
    let manifest = get(&api, "/debug/manifest").await;
    assert_eq!(
        manifest.json()["environment_variables"]["NAME"],
        "***REDACTED***"
    );
    assert!(!String::from_utf8(manifest.body).unwrap().contains("hidden"));
    assert_eq!(get(&api, "/debug/prometheus").await.status, StatusCode::OK);
    assert_eq!(
        get(&api, "/debug/logs?after=x").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn garbage_is_hung_up_on() {
    let (mut ours, theirs) = tokio::io::duplex(1024);
    let api = api();
    tokio::spawn(async move { api.serve(theirs).await });
    ours.write_all(b"\xff\xfe\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    ours.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400"));
}
