//! Debug logs of chats: who gets them, what is in them; and that no secret is, there or anywhere.

use std::io::Write;
use std::sync::Arc;

use api_types::{ChatInputPart, CreateChatMessageRequest};
use client::Client;
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::model::{Reply, Say};
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

use crate::chats::{Chats, chats, until_idle};
use crate::world::eventually;

async fn get(api: &Client, path: &str) -> Result<Value, client::Error> {
    api.call(Method::GET, path).decode().await
}

async fn put(api: &Client, path: &str, body: &Value) -> Result<(), client::Error> {
    api.call(Method::PUT, path).json(body).done().await
}

fn runs(chat: Uuid) -> String {
    format!("/api/experimental/chats/{chat}/debug/runs")
}

/// Switches debug logs on for the workspace's owner.
async fn switched_on(chats: &Chats) {
    let mine = "/api/v2/chats/config/user-debug-logging";
    let on = json!({ "debug_logging_enabled": true });
    let own = chats.world.client();
    assert!(put(&own, mine, &on).await.is_err(), "not allowed yet");
    let all = "/api/v2/chats/config/debug-logging";
    put(&chats.admin, all, &json!({ "allow_users": true }))
        .await
        .unwrap();
    put(&own, mine, &on).await.unwrap();
    let read = get(&own, mine).await.unwrap();
    assert_eq!(
        read,
        json!({ "debug_logging_enabled": true, "user_toggle_allowed": true,
                "forced_by_deployment": false })
    );
}

/// The runs of the turns of a chat, once there are so many and all ended; oldest first.
async fn turns(api: &Client, chat: Uuid, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    eventually("the turns' runs", async || {
        let all = get(api, &runs(chat)).await.unwrap();
        let all = all.as_array().unwrap().clone();
        found = all
            .into_iter()
            .filter(|run| run["kind"] == "chat_turn" && run["status"] != "in_progress")
            .rev()
            .collect();
        found.len() >= count
    })
    .await;
    let mut whole = Vec::new();
    for run in found {
        let path = format!("{}/{}", runs(chat), run["id"].as_str().unwrap());
        whole.push(get(api, &path).await.unwrap());
    }
    whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_recorded_for_those_who_may_change_the_chat() {
    let chats = chats().await;
    let own = chats.world.client();
    chats.provider.otherwise(|asked| {
        let body = asked.body.to_string();
        if body.contains("\"execute\"") && !body.contains("\"tool\"") {
            let args = r#"{"command":"true","password":"hunter2-in-arguments"}"#;
            Reply::say([
                Say::text("I try"),
                Say::call("c1", "execute", args),
                Say::Usage(90, 9, 0),
            ])
        } else {
            Reply::say([Say::text("no workspace then"), Say::Usage(100, 10, 5)])
        }
    });
    // Nothing is kept unless it is wanted.
    let before = chats.create("first", None).await;
    until_idle(&mut own.chat_events(before.id, None).await.unwrap()).await;
    switched_on(&chats).await;
    let unkept = get(&own, &runs(before.id)).await.unwrap();
    assert_eq!(unkept, json!([]));
    // A switch counts within seconds: until then nothing is kept, or the rest of a turn, which is no
    // failure here.
    let mut recorded = None;
    eventually("a recorded chat", async || {
        let chat = chats.create("run it", None).await;
        until_idle(&mut own.chat_events(chat.id, None).await.unwrap()).await;
        if get(&own, &runs(chat.id)).await.unwrap() == json!([]) {
            return false;
        }
        let whole = turns(&own, chat.id, 1).await[0]["summary"]["step_count"] == 2;
        recorded = whole.then_some(chat.id);
        whole
    })
    .await;
    let chat = recorded.unwrap();
    let turns = turns(&own, chat, 1).await;
    let run = &turns[0];
    assert_eq!(
        (&run["status"], &run["provider"]),
        (&json!("completed"), &json!("openai-compat"))
    );
    assert!(
        run["trigger_message_id"].is_i64() && run["finished_at"].is_string(),
        "{run}"
    );
    let figures = &run["summary"];
    assert_eq!(figures["first_message"], "run it");
    assert_eq!(
        (&figures["step_count"], &figures["total_output_tokens"]),
        (&json!(2), &json!(19))
    );
    assert_eq!(figures["endpoint_label"], "POST /v1/chat/completions");
    let steps = run["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    let (first, last) = (&steps[0], &steps[1]);
    assert_eq!(
        (&first["step_number"], &last["step_number"]),
        (&json!(1), &json!(2))
    );
    let said = first["normalized_response"]["content"].as_array().unwrap();
    assert_eq!(
        (&said[0]["text"], &said[1]["tool_name"]),
        (&json!("I try"), &json!("execute"))
    );
    assert!(
        !said[1]["arguments"].as_str().unwrap().contains("hunter2"),
        "{first}"
    );
    assert_eq!(
        last["usage"]["input_tokens"].as_i64().unwrap() + 5,
        100,
        "{last}"
    );
    assert!(last["assistant_message_id"].as_i64() > first["assistant_message_id"].as_i64());
    let attempt = &first["attempts"][0];
    assert_eq!(
        (&attempt["response_status"], &attempt["number"]),
        (&json!(200), &json!(1))
    );
    assert_eq!(attempt["request_headers"]["authorization"], "[REDACTED]");
    // Whom the chat is shared with reads the chat, not what stands behind it.
    let bob = testkit::user(&chats.world.db, "bob", &[]).await;
    let shared = json!({ "user_roles": { bob.id.to_string(): "read" } });
    let acl = format!("/api/v2/chats/{chat}/acl");
    own.call(Method::PATCH, &acl)
        .json(&shared)
        .done()
        .await
        .unwrap();
    let bobs = chats.world.client_as(bob.token.clone());
    get(&bobs, &format!("/api/v2/chats/{chat}")).await.unwrap();
    let whole = format!("{}/{}", runs(chat), run["id"].as_str().unwrap());
    for path in [runs(chat), whole.clone()] {
        let error = get(&bobs, &path).await.unwrap_err();
        assert!(error.to_string().contains("not found"), "{error}");
        get(&chats.admin, &path).await.unwrap();
    }
    // Nor by way of another chat.
    let other = format!("{}/{}", runs(before.id), run["id"].as_str().unwrap());
    assert!(get(&own, &other).await.is_err());
}

/// All that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

const CENTRAL: &str = "sk-central-planted-4711";
const PERSONAL: &str = "pk-personal-planted-4712";
const HEADER: &str = "mcp-header-planted-4713";
const LATER: &str = "sk-second-planted-4714";

// On one thread, so that all that happens is logged here.
#[tokio::test]
async fn planted_secrets_are_found_nowhere() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let chats = chats().await;
    let own = chats.world.client();
    let session = chats.world.owner.token.expose().clone();
    // Two central keys, one of the user, and a header for an MCP server.
    let provider: Value = get(&chats.admin, "/api/v2/ai/providers/scripted")
        .await
        .unwrap();
    let id = provider["id"].as_str().unwrap();
    let keys = json!({ "api_keys": [{ "api_key": CENTRAL }, { "api_key": LATER }] });
    let _: Value = chats
        .admin
        .call(Method::PATCH, &format!("/api/v2/ai/providers/{id}"))
        .json(&keys)
        .decode()
        .await
        .unwrap();
    let mcp = json!({
        "display_name": "planted", "slug": "planted", "transport": "streamable_http",
        "url": "http://127.0.0.1:9/mcp", "auth_type": "custom_headers",
        "custom_headers": { "x-planted": HEADER }, "availability": "force_on", "enabled": true,
    });
    let mut shown = Vec::new();
    let made: Value = chats
        .admin
        .call(Method::POST, "/api/v2/organizations/default/mcp-servers")
        .json(&mcp)
        .decode()
        .await
        .unwrap();
    shown.push(made);
    switched_on(&chats).await;
    // A provider that repeats what it was sent: in an error, and in an answer's head.
    let echo = |asked: &testkit::model::Asked| {
        let key = asked.header("authorization").unwrap_or_default().to_owned();
        let message = format!("Incorrect API key provided: {key}, sent {}", asked.body);
        let error = json!({ "error": { "message": message, "code": "invalid_api_key" } });
        Reply::error(401, error).header("x-request-key", &key)
    };
    let failing = chats.create("central", None).await;
    chats.provider.otherwise(echo);
    let mut events = own.chat_events(failing.id, None).await.unwrap();
    let mut streamed = String::new();
    watched(&mut events, &mut streamed).await;
    // The user's own key, refused as well, then taken.
    let mine = format!("/api/v2/users/me/ai-provider-keys/{id}");
    let _: Value = own
        .call(Method::PUT, &mine)
        .json(&json!({ "api_key": PERSONAL }))
        .decode()
        .await
        .unwrap();
    let send = |text: &str| CreateChatMessageRequest {
        content: vec![ChatInputPart::text(text)],
        ..CreateChatMessageRequest::default()
    };
    own.chat_send(failing.id, &send("personal")).await.unwrap();
    watched(&mut events, &mut streamed).await;
    chats.provider.otherwise(|_| Reply::text("served"));
    own.chat_send(failing.id, &send("again")).await.unwrap();
    watched(&mut events, &mut streamed).await;
    assert!(streamed.contains("served"), "{streamed}");
    let used: Vec<String> = chats
        .provider
        .asked()
        .iter()
        .filter_map(|asked| asked.header("authorization").map(str::to_owned))
        .collect();
    for key in [CENTRAL, LATER, PERSONAL] {
        assert!(
            used.iter().any(|sent| sent.contains(key)),
            "{key} was never sent: {used:?}"
        );
    }
    let chat = failing.id;
    let mut paths = vec![
        runs(chat),
        format!("/api/v2/chats/{chat}"),
        format!("/api/v2/chats/{chat}/messages"),
        "/api/v2/chats".to_owned(),
        "/api/v2/ai/providers".to_owned(),
        "/api/v2/users/me/ai-provider-keys".to_owned(),
        "/api/v2/organizations/default/mcp-servers".to_owned(),
        "/api/v2/audit?limit=100".to_owned(),
    ];
    for run in get(&chats.admin, &runs(chat))
        .await
        .unwrap()
        .as_array()
        .unwrap()
    {
        paths.push(format!("{}/{}", runs(chat), run["id"].as_str().unwrap()));
    }
    for path in &paths {
        shown.push(get(&chats.admin, path).await.unwrap());
    }
    let mut places = vec![("streams", streamed)];
    // All that a workspace is given: its environment comes from this and from constants.
    let (_session, channel) = chats.world.agent_session("version=2.0&role=agent").await;
    let manifest = rpc::AgentClient::new(channel)
        .get_manifest(&rpc::proto::agent::GetManifestRequest {})
        .await
        .unwrap();
    places.push(("the workspace", format!("{manifest:?}")));
    let mut answers = String::new();
    for value in &shown {
        answers.push_str(&value.to_string());
        decoded(value, &mut answers);
    }
    assert!(
        answers.contains("[REDACTED]"),
        "there is a debug log: {answers}"
    );
    places.push(("answers", answers));
    places.push(("logs", String::from_utf8_lossy(&log.0.lock()).into_owned()));
    // What is kept of calls, in clear.
    let kept = "SELECT string_agg(t::text, ' ') FROM (SELECT row_to_json(i) AS t FROM \
                aibridge_interceptions i UNION ALL SELECT row_to_json(s) FROM chat_debug_steps s \
                UNION ALL SELECT row_to_json(c) FROM chats c UNION ALL SELECT row_to_json(m) FROM \
                chat_messages m UNION ALL SELECT row_to_json(a) FROM audit_logs a) rows";
    let row = chats.world.db.store.query_one(kept, &[]).await.unwrap();
    places.push(("the database", row.get::<_, String>(0)));
    for (place, text) in &places {
        for secret in [CENTRAL, LATER, PERSONAL, HEADER, session.as_str()] {
            let at = text.find(secret);
            let around = at.map(|at| {
                let from = text.floor_char_boundary(at.saturating_sub(200));
                let to = text.ceil_char_boundary((at + 100).min(text.len()));
                &text[from..to]
            });
            assert_eq!(around, None, "{secret} in {place}");
        }
    }
}

/// What base64 holds, within any text of a value: bodies of exchanges are shown so.
fn decoded(value: &Value, out: &mut String) {
    use base64::Engine as _;
    match value {
        Value::String(text) => {
            if let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text) {
                out.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
        Value::Array(all) => all.iter().for_each(|value| decoded(value, out)),
        Value::Object(map) => map.values().for_each(|value| decoded(value, out)),
        _ => {}
    }
}

/// Follows a stream until the chat rests; all that came.
async fn watched(events: &mut client::ChatEvents, all: &mut String) {
    let follow = async {
        let mut ran = false;
        while let Some(event) = events.next().await {
            let event = event.unwrap();
            all.push_str(&serde_json::to_string(&event).unwrap());
            if let Some(status) = &event.status {
                let status = status.status.to_string();
                ran |= status == "running";
                if ran && (status == "waiting" || status == "error") {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), follow)
        .await
        .expect("an end of the turn");
}
