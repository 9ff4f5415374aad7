//! Tools of the control plane's own MCP server in a workspace, by our client of such servers. The agent's
//! API is the test's, the tunnel is real.

use axum::http::{HeaderMap, HeaderValue};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use mcp::guard::{Guard, Web};
use mcp::{Called, Remote, Target, Transport, channel, open};
use serde_json::{Map, Value, json};

use crate::agent_conn::{agent_end, serve};
use crate::world::{World, with_settings};

async fn connected(world: &World, token: &str) -> Remote {
    let here = vec!["127.0.0.0/8".parse().unwrap()];
    let web = Web::new(Guard::new(here), client::system_tls().unwrap()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("coder-session-token", HeaderValue::from_str(token).unwrap());
    let url = world.url.join("/api/experimental/mcp/http").unwrap();
    let target = Target {
        transport: Transport::StreamableHttp,
        url,
        headers,
    };
    let remote = web.remote(target).await.unwrap();
    let tools = open(&remote, "test").await.unwrap();
    assert!(tools.iter().any(|tool| tool.name == "coder_workspace_ls"));
    remote
}

async fn call(remote: &Remote, tool: &str, arguments: Value) -> (String, bool) {
    let arguments: Map<String, Value> = arguments.as_object().unwrap().clone();
    let Called {
        mut content,
        is_error,
    } = channel::call(remote, tool, &arguments).await.unwrap();
    (content.remove(0).text, is_error)
}

async fn ls() -> Json<Value> {
    Json(json!({ "contents": [
        { "name": "a", "absolute_path_string": "/home/a", "is_dir": true } ] }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_reach_into_workspaces_that_one_may_enter() {
    let world = with_settings(|settings| settings.mcp_over_http = true).await;
    let agent = agent_end(&world).await;
    let api = Router::new()
        .route("/api/v0/list-directory", post(ls))
        .route("/api/v0/read-file", get(|| async { "what it holds" }));
    serve(&agent, 4, move |stream| {
        let service = TowerToHyperService::new(api.clone());
        async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    });
    let sql = "UPDATE workspace_agents SET lifecycle_state = 'ready'";
    world.db.execute(sql, &[]).await.unwrap();

    let ann = connected(&world, world.owner.token.expose()).await;
    let there = json!({ "workspace": "dev", "path": "/home" });
    let (listed, failed) = call(&ann, "coder_workspace_ls", there.clone()).await;
    assert!(!failed, "{listed}");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        listed["contents"],
        json!([{ "path": "/home/a", "is_dir": true }])
    );
    let (read, failed) = call(&ann, "coder_workspace_read_file", there).await;
    assert!(!failed && read.contains("d2hhdCBpdCBob2xkcw=="), "{read}");

    // Who may see a workspace may not enter it yet.
    let boss = testkit::user(&world.db, "boss", &["template-admin"]).await;
    let boss = connected(&world, boss.token.expose()).await;
    let there = json!({ "workspace": "ann/dev", "path": "/home" });
    let (refused, failed) = call(&boss, "coder_workspace_ls", there.clone()).await;
    assert!(failed && refused.contains("not enter"), "{refused}");
    let bob = testkit::user(&world.db, "bob", &[]).await;
    let bob = connected(&world, bob.token.expose()).await;
    let (refused, failed) = call(&bob, "coder_workspace_ls", there).await;
    assert!(
        failed && refused.contains("there is no workspace"),
        "{refused}"
    );
}
