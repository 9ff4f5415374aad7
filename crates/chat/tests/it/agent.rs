//! As much of a workspace's agent as tools need that only look at files: its API over TCP, on a
//! directory.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

type Asked = Query<HashMap<String, String>>;

/// An agent whose home is a directory of its own.
pub struct TestAgent {
    home: tempfile::TempDir,
    pub address: SocketAddr,
}

impl TestAgent {
    pub async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new()
            .route("/api/v0/list-directory", post(list))
            .route("/api/v0/resolve-path", get(resolve))
            .route("/api/v0/read-file", get(read))
            .route("/api/v0/write-file", post(write))
            .route("/api/v0/context-config", get(context))
            .route("/api/v0/mcp/call-tool", post(call))
            .route("/api/v0/desktop/action", post(desktop))
            .route("/api/v0/desktop/recording/start", post(film))
            .route("/api/v0/desktop/recording/stop", post(filmed))
            .with_state(home.path().to_owned());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        TestAgent { home, address }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file below the home.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn path(asked: &Asked) -> PathBuf {
    PathBuf::from(asked.get("path").cloned().unwrap_or_default())
}

async fn list(State(home): State<PathBuf>, asked: Asked) -> Json<Value> {
    let dir = match path(&asked) {
        path if path.as_os_str().is_empty() => home,
        path => path,
    };
    let contents: Vec<Value> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            json!({ "name": entry.file_name().to_str(), "absolute_path_string": entry.path(),
                    "is_dir": entry.path().is_dir() })
        })
        .collect();
    Json(json!({ "absolute_path": [], "absolute_path_string": dir, "contents": contents }))
}

async fn resolve(asked: Asked) -> Json<Value> {
    let path = path(&asked);
    let mut rest = Vec::new();
    let mut at = path.as_path();
    let real = loop {
        match at.canonicalize() {
            Ok(real) => break real,
            Err(_) => {
                rest.push(at.file_name().unwrap().to_owned());
                at = at.parent().unwrap();
            }
        }
    };
    let all = rest.iter().rev().fold(real, |path, name| path.join(name));
    Json(json!({ "resolved_path": all }))
}

async fn read(asked: Asked) -> Result<Vec<u8>, (StatusCode, Json<Value>)> {
    let limit: usize = asked["limit"].parse().unwrap();
    let data = std::fs::read(path(&asked));
    let data = data.map_err(|error| {
        let message = json!({ "message": error.to_string() });
        (StatusCode::NOT_FOUND, Json(message))
    })?;
    Ok(data.into_iter().take(limit).collect())
}

async fn write(asked: Asked, body: Bytes) -> Json<Value> {
    let path = path(&asked);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, body).unwrap();
    Json(json!({ "message": "Wrote it." }))
}

/// A server of which one tool repeats what it is given.
async fn call(Json(asked): Json<Value>) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    if asked["tool_name"] != "w__say" {
        let message = json!({ "message": "MCP tool call failed.", "detail": "no such tool" });
        return Err((StatusCode::BAD_GATEWAY, Json(message)));
    }
    let said = json!({ "tool": asked["tool_name"], "arguments": asked["arguments"] });
    let text = json!({ "type": "text", "text": said.to_string() });
    Ok(Json(json!({ "content": [text], "is_error": false })))
}

/// Every directory of `skills` is one.
async fn context(State(home): State<PathBuf>) -> Json<Value> {
    let Ok(dirs) = std::fs::read_dir(home.join("skills")) else {
        return Json(json!({ "parts": [] }));
    };
    let parts: Vec<Value> = dirs
        .map(|dir| {
            let dir = dir.unwrap();
            json!({ "type": "skill", "skill_name": dir.file_name().to_str(),
                    "skill_dir": dir.path(), "context_file_skill_meta_file": "SKILL.md" })
        })
        .collect();
    Json(json!({ "parts": parts }))
}

/// The smallest picture that is one.
pub const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";

/// A screen that takes everything but the key F1, and notes what was done in the home.
async fn desktop(
    State(home): State<PathBuf>,
    Json(action): Json<Value>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let mut done = std::fs::read_to_string(home.join("done")).unwrap_or_default();
    done += &format!("{action}\n");
    std::fs::write(home.join("done"), done).unwrap();
    if action["text"] == "F1" {
        let message = json!({ "message": "Key press failed." });
        return Err((StatusCode::INTERNAL_SERVER_ERROR, Json(message)));
    }
    Ok(Json(match action["action"].as_str().unwrap() {
        "screenshot" => json!({ "output": "screenshot", "screenshot_data": PNG,
            "screenshot_width": action["scaled_width"], "screenshot_height": action["scaled_height"] }),
        "cursor_position" => json!({ "output": "x=1,y=2" }),
        name => json!({ "output": format!("{name} action performed") }),
    }))
}

async fn film(State(home): State<PathBuf>, Json(asked): Json<Value>) -> Json<Value> {
    std::fs::write(home.join("film"), asked["recording_id"].as_str().unwrap()).unwrap();
    Json(json!({ "message": "Recording started." }))
}

async fn filmed(
    State(home): State<PathBuf>,
    Json(asked): Json<Value>,
) -> Result<([(&'static str, &'static str); 1], String), StatusCode> {
    let begun = std::fs::read_to_string(home.join("film")).unwrap_or_default();
    if asked["recording_id"] != begun.as_str() {
        return Err(StatusCode::NOT_FOUND);
    }
    let body = "--b\r\nContent-Type: video/mp4\r\n\r\nfilm\r\n--b\r\nContent-Type: \
                image/jpeg\r\n\r\npicture\r\n--b--\r\n";
    Ok((
        [("content-type", "multipart/mixed; boundary=b")],
        body.to_owned(),
    ))
}
