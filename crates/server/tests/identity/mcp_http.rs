//! `/api/experimental/mcp/http`: what AI clients hear, as whom their tools act, and what those without
//! manners get.

use serde_json::{Value, json};
use testkit::TestUser;

use crate::app::{Answer, App};

const PATH: &str = "!/api/experimental/mcp/http";
const JSON: (&str, &str) = ("Content-Type", "application/json");
const BOTH: (&str, &str) = ("Accept", "application/json, text/event-stream");

async fn app() -> App {
    App::with(server::RateLimits::new(None, true), |settings| {
        settings.mcp_over_http = true;
    })
    .await
}

async fn say(app: &App, query: &str, token: &str, message: &Value) -> Answer {
    let headers = [JSON, BOTH, ("Authorization", &format!("Bearer {token}"))];
    let path = format!("{PATH}{query}");
    app.send("POST", &path, &headers, message.to_string()).await
}

fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": "one", "method": method, "params": params })
}

async fn ask(app: &App, query: &str, token: &str, method: &str, params: &Value) -> Value {
    let answer = say(app, query, token, &request(method, params))
        .await
        .is(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = answer.json();
    assert_eq!(answer["id"], "one");
    answer
}

/// What a tool answers, and whether that is an error.
async fn call(app: &App, token: &str, tool: &str, arguments: Value) -> (Value, bool) {
    let params = json!({ "name": tool, "arguments": arguments });
    let answer = ask(app, "", token, "tools/call", &params).await;
    let result = &answer["result"];
    let text = result["content"][0]["text"].as_str().unwrap();
    let value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    (value, result["isError"] == true)
}

fn token(user: &TestUser) -> &str {
    user.token.expose()
}

async fn names(app: &App, query: &str, token: &str) -> Vec<String> {
    let listed = ask(app, query, token, "tools/list", &json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap().iter();
    tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn clients_are_greeted_and_told_what_there_is() {
    let app = app().await;
    let ann = app.user("ann", &[]).await;
    let hello = json!({ "protocolVersion": "2025-03-26", "capabilities": {} });
    let greeted = ask(&app, "", token(&ann), "initialize", &hello).await;
    assert_eq!(greeted["result"]["protocolVersion"], "2025-03-26");
    assert!(greeted["result"]["instructions"].is_string());
    let said = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let heard = say(&app, "", token(&ann), &said).await.is(202);
    assert_eq!(heard.text, "");

    let all = names(&app, "", token(&ann)).await;
    assert_eq!(all, names(&app, "?toolset=standard", token(&ann)).await);
    assert!(all.contains(&"coder_workspace_bash".to_owned()), "{all:?}");
    for absent in ["search", "fetch", "coder_report_task"] {
        assert!(!all.iter().any(|name| name == absent), "{absent}");
    }
    let few = names(&app, "?toolset=chatgpt", token(&ann)).await;
    assert_eq!(few, ["fetch", "search"]);
    let wrong = request("tools/list", &json!({}));
    let wrong = say(&app, "?toolset=none", token(&ann), &wrong)
        .await
        .is(400);
    assert_eq!(wrong.message(), "Invalid toolset: none");

    let prompts = ask(&app, "", token(&ann), "prompts/list", &json!({})).await;
    assert_eq!(prompts["result"]["prompts"].as_array().unwrap().len(), 2);
    let wanted = json!({ "name": "coder_agents_delegate", "arguments": { "task": "mend it" } });
    let text = ask(&app, "", token(&ann), "prompts/get", &wanted).await;
    let text = text["result"]["messages"][0]["content"]["text"]
        .as_str()
        .unwrap();
    assert!(text.contains("mend it"), "{text}");
    for bad in [
        json!({ "name": "coder_agents_delegate" }),
        json!({ "name": "none" }),
    ] {
        let refused = ask(&app, "", token(&ann), "prompts/get", &bad).await;
        assert_eq!(refused["error"]["code"], -32602);
    }
    // Where their tools are missing, there are no prompts.
    let few = ask(
        &app,
        "?toolset=chatgpt",
        token(&ann),
        "prompts/list",
        &json!({}),
    )
    .await;
    assert_eq!(few["result"]["prompts"], json!([]));
}

#[tokio::test]
async fn tools_act_as_whoever_asks() {
    let app = app().await;
    let (ann, bob) = (app.user("ann", &[]).await, app.user("bob", &[]).await);
    let workspace = testkit::workspace(&app.db, ann.id, "dev").await;
    for user in [&ann, &bob] {
        let (me, failed) = call(&app, token(user), "coder_get_authenticated_user", json!({})).await;
        assert_eq!((&me["username"], failed), (&json!(user.username), false));
    }
    let (mine, _) = call(&app, token(&ann), "coder_list_workspaces", json!({})).await;
    assert_eq!(mine[0]["name"], "dev");
    let (none, _) = call(
        &app,
        token(&bob),
        "coder_list_workspaces",
        json!({ "owner": "ann" }),
    )
    .await;
    assert_eq!(none, json!([]));
    for name in [
        workspace.id.to_string(),
        "ann/dev".to_owned(),
        "main.dev.ann".to_owned(),
    ] {
        let named = json!({ "workspace_id": name });
        let (found, failed) = call(&app, token(&ann), "coder_get_workspace", named.clone()).await;
        assert!(!failed && found["name"] == "dev", "{found}");
        let (hidden, failed) = call(&app, token(&bob), "coder_get_workspace", named).await;
        assert!(
            failed && hidden.as_str().unwrap().contains("there is no workspace"),
            "{hidden}"
        );
    }
    // Nor may he delete it.
    let delete = json!({ "workspace_id": workspace.id, "transition": "delete" });
    let (refused, failed) = call(&app, token(&bob), "coder_create_workspace_build", delete).await;
    assert!(failed, "{refused}");

    // A key opens no more here than elsewhere.
    let scope = json!({ "scopes": ["user:read", "user:read_personal"] });
    let made = app
        .call("POST", "/users/me/keys/tokens", token(&ann), scope)
        .await
        .is(201)
        .json();
    let narrow = made["key"].as_str().unwrap();
    let (me, failed) = call(&app, narrow, "coder_get_authenticated_user", json!({})).await;
    assert!(!failed, "{me}");
    let named = json!({ "workspace_id": workspace.id });
    let (hidden, failed) = call(&app, narrow, "coder_get_workspace", named).await;
    assert!(failed, "{hidden}");
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let app = app().await;
    let ann = app.user("ann", &[]).await;
    let bearer = format!("Bearer {}", token(&ann));
    let who = ("Authorization", bearer.as_str());
    let ping = request("ping", &json!({})).to_string();
    let send =
        async |headers: &[(&str, &str)], body: String| app.send("POST", PATH, headers, body).await;
    let nobody = send(&[JSON, BOTH], ping.clone()).await.is(401);
    let challenge = nobody.header("www-authenticate");
    assert!(challenge.contains("resource_metadata="), "{challenge}");
    send(&[JSON, who], ping.clone()).await.is(406);
    send(&[JSON, who, ("Accept", "application/json")], ping.clone())
        .await
        .is(406);
    send(&[BOTH, who], ping.clone()).await.is(415);
    send(&[BOTH, who, ("Content-Type", "text/plain")], ping.clone())
        .await
        .is(415);
    let strange = ("MCP-Protocol-Version", "1999-01-01");
    let refused = send(&[JSON, BOTH, who, strange], ping.clone())
        .await
        .is(400);
    assert!(refused.message().contains("2025-06-18"), "{}", refused.text);
    for (body, code) in [
        ("{", -32700),
        ("", -32700),
        ("\u{0}", -32700),
        ("[]", -32600),
        ("7", -32600),
        ("{\"id\":1,\"method\":\"ping\"}", -32600),
    ] {
        let refused = send(&[JSON, BOTH, who], body.to_owned())
            .await
            .is(400)
            .json();
        assert_eq!(
            (&refused["error"]["code"], &refused["id"]),
            (&json!(code), &Value::Null)
        );
    }
    let batch = format!("[{ping}]");
    send(&[JSON, BOTH, who], batch).await.is(400);
    let large = " ".repeat(mcp::serve::MAX_MESSAGE + 1);
    send(&[JSON, BOTH, who], large).await.is(413);
    // There are no sessions: whatever one is called, it changes nothing.
    let session = ("Mcp-Session-Id", "of-another-server");
    let pong = send(&[JSON, BOTH, who, session], ping.clone())
        .await
        .is(200);
    assert_eq!(pong.header("mcp-session-id"), "");

    for (method, params) in [
        ("no/such/method", json!({})),
        ("tools/call", json!({ "name": "none" })),
        ("tools/call", json!(7)),
        ("tools/call", json!({ "name": "coder_report_task" })),
    ] {
        let refused = ask(&app, "", token(&ann), method, &params).await;
        assert!(
            refused["error"]["code"].as_i64() < Some(-32600),
            "{refused}"
        );
    }
    for arguments in [
        json!({}),
        json!(7),
        json!({ "workspace_id": 7 }),
        json!({ "workspace_id": "../../etc" }),
        json!({ "workspace_id": "%2e%2e" }),
    ] {
        let (refused, failed) = call(&app, token(&ann), "coder_get_workspace", arguments).await;
        assert!(failed, "{refused}");
    }
}

#[tokio::test]
async fn browsers_elsewhere_may_ask_by_token_alone() {
    let app = app().await;
    let ann = app.user("ann", &[]).await;
    for method in ["GET", "DELETE"] {
        app.send(method, PATH, &[], "").await.is(401);
        let answer = app
            .call(method, PATH, token(&ann), Value::Null)
            .await
            .is(405);
        assert!(answer.header("allow").contains("POST"));
    }
    let asks = [
        ("Origin", "https://elsewhere.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let answer = app.send("OPTIONS", PATH, &asks, "").await.is(204);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "authorization"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    // A cookie that the browser adds is not enough.
    let cookie = format!("coder_session_token={}", token(&ann));
    let message = request("ping", &json!({})).to_string();
    let headers = [JSON, BOTH, asks[0], ("Cookie", cookie.as_str())];
    let forged = app.send("POST", PATH, &headers, message).await.is(400);
    assert!(forged.text.contains("CSRF"), "{}", forged.text);
    assert_eq!(forged.header("access-control-allow-origin"), "*");
}
