//! Providers that fail, as chats see it: each failure is tried again or told, nothing is said
//! twice, and the chat goes on afterwards. How each wire format fails is tested in `llm`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use api_types::{
    Chat, ChatInputPart, ChatMessage, ChatMessagePartType, CreateChatMessageRequest,
    CreateChatRequest,
};
use http::Method;
use serde_json::{Value, json};
use testkit::model::{Asked, Piece, Reply, Say};
use uuid::Uuid;

use crate::chats::{Chats, post, with_http};

/// Long enough for an answer on a slow machine, short enough to wait for.
const SILENCE: Duration = Duration::from_secs(3);

/// What the model of a case answers to its calls, one after the other; the last stays.
type Script = Vec<Reply>;

/// Chats whose provider plays each model's own script. What is asked without tools, such as
/// titles, is answered aside.
async fn scripted(scripts: impl IntoIterator<Item = (&'static str, Script)>) -> Chats {
    let chats = with_http(llm::Http::new("test").unwrap().silence(SILENCE)).await;
    let scripts: HashMap<&str, Script> = scripts.into_iter().collect();
    let played: Mutex<HashMap<String, usize>> = Mutex::default();
    chats.provider.otherwise(move |asked: &Asked| {
        let tools = asked.body["tools"].as_array();
        if tools.is_none_or(Vec::is_empty) {
            return Reply::text("in short");
        }
        let model = asked.body["model"].as_str().unwrap_or_default().to_owned();
        let script = &scripts[model.as_str()];
        let mut played = played.lock().unwrap();
        let at = played.entry(model).or_default();
        let reply = script[(*at).min(script.len() - 1)].clone();
        *at += 1;
        reply
    });
    chats
}

impl Chats {
    /// A model of this name, at a provider of its own: keys that are refused rest.
    async fn model(&self, name: &str) -> Uuid {
        let provider = json!({ "type": "openai-compat", "name": name, "enabled": true,
            "base_url": self.provider.v1(), "api_keys": ["sk-test-0123456789"] });
        let provider = post(&self.admin, "/api/v2/ai/providers", &provider).await;
        let path = format!("/api/v2/organizations/{}/chats/models", self.organization);
        let model = json!({ "ai_provider_id": provider["id"], "model": name,
            "context_limit": 100_000 });
        let model = post(&self.admin, &path, &model).await;
        model["id"].as_str().unwrap().parse().unwrap()
    }

    async fn begin(&self, model: Uuid) -> Chat {
        let request = CreateChatRequest {
            organization_id: self.organization,
            content: vec![ChatInputPart::text("hi")],
            model_config_id: Some(model),
            ..CreateChatRequest::default()
        };
        self.world.client().chat_create(&request).await.unwrap()
    }

    async fn rest(&self, chat: Uuid) -> (Chat, Vec<ChatMessage>) {
        let api = self.world.client();
        for _ in 0..1200 {
            let row = api.chat(chat).await.unwrap();
            if ["waiting", "error"].contains(&row.status.as_str()) {
                return (row, api.chat_history(chat).await.unwrap());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the chat does not come to rest: {:?}", api.chat(chat).await);
    }

    async fn send(&self, chat: Uuid, text: &str) -> (Chat, Vec<ChatMessage>) {
        let message = CreateChatMessageRequest {
            content: vec![ChatInputPart::text(text)],
            ..CreateChatMessageRequest::default()
        };
        self.world.client().chat_send(chat, &message).await.unwrap();
        self.rest(chat).await
    }
}

/// Roles and texts.
fn said(messages: &[ChatMessage]) -> Vec<String> {
    let of = |m: &ChatMessage| {
        let texts = m.content.iter().filter_map(|part| part.text.as_deref());
        format!("{}: {}", m.role, texts.collect::<String>())
    };
    messages.iter().map(of).collect()
}

fn named(status: u16) -> &'static str {
    Box::leak(format!("status-{status}").into_boxed_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_tried_again_and_said_once() {
    let whole = || Reply::text("the whole answer");
    let half = || Say::text("half of it");
    let call = || Say::call("c", "execute", r#"{"command":"touch x"}"#);
    let mut scripts: Vec<(&'static str, Script)> = [408, 429, 500, 502, 503, 504, 529]
        .map(|status| (named(status), vec![Reply::status(status), whole()]))
        .into();
    let hinted = Reply::status(429).header("retry-after-ms", "20");
    scripts.extend([
        ("hinted", vec![hinted, whole()]),
        (
            "cut-in-a-word",
            vec![Reply::say([half()]).cut_after(2), whole()],
        ),
        (
            "cut-in-a-call",
            vec![Reply::say([half(), call()]).cut_after(4), whole()],
        ),
        ("silent", vec![Reply::say([half()]).hang_after(2), whole()]),
        ("mute", vec![Reply::raw([Piece::Hang]), whole()]),
    ]);
    let names: Vec<&'static str> = scripts.iter().map(|(name, _)| *name).collect();
    let chats = scripted(scripts).await;
    let mut begun = Vec::new();
    for name in names {
        begun.push((name, chats.begin(chats.model(name).await).await));
    }
    for (name, chat) in begun {
        let (row, messages) = chats.rest(chat.id).await;
        assert_eq!(row.last_error, None, "{name}");
        assert_eq!(
            said(&messages),
            ["user: hi", "assistant: the whole answer"],
            "{name}"
        );
        let all = chats.provider.asked();
        let asked = all
            .iter()
            .filter(|a| a.body["model"] == name && a.body["tools"].is_array());
        assert_eq!(asked.count(), 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_make_no_sense_are_answered() {
    let end = || Reply::text("I see");
    let chats = scripted([
        (
            "bad-json",
            vec![
                Reply::say([Say::call("c", "execute", r#"{"command": "#)]),
                end(),
            ],
        ),
        (
            "unknown",
            vec![Reply::say([Say::call("c", "launch_rocket", "{}")]), end()],
        ),
        (
            "same-ids",
            vec![
                Reply::say([
                    Say::call("same", "launch", "{}"),
                    Say::call("same", "launch", "{\"n\":2}"),
                ]),
                end(),
            ],
        ),
        (
            "array",
            vec![Reply::say([Say::call("c", "execute", "[1]")]), end()],
        ),
        // A number where a text belongs, and half a surrogate.
        (
            "odd",
            vec![
                Reply::say([Say::call("c", "execute", r#"{"command":7,"x":"\ud800"}"#)]),
                end(),
            ],
        ),
    ])
    .await;
    for (name, calls) in [
        ("bad-json", 1),
        ("unknown", 1),
        ("same-ids", 2),
        ("array", 1),
        ("odd", 1),
    ] {
        let chat = chats.begin(chats.model(name).await).await;
        let (row, messages) = chats.rest(chat.id).await;
        assert_eq!(row.last_error, None, "{name}");
        let parts: Vec<_> = messages.iter().flat_map(|m| &m.content).collect();
        let ids = |kind: &ChatMessagePartType| -> Vec<&str> {
            let of = parts.iter().filter(|part| part.kind == *kind);
            of.map(|part| part.tool_call_id.as_str()).collect()
        };
        let called = ids(&ChatMessagePartType::ToolCall);
        assert_eq!(called.len(), calls, "{name}");
        assert_eq!(called, ids(&ChatMessagePartType::ToolResult), "{name}");
        let unique: std::collections::HashSet<_> = called.iter().collect();
        assert_eq!(unique.len(), calls, "{name}");
        let failed = parts.iter().filter(|part| part.is_error);
        assert_eq!(failed.count(), calls, "{name}: {parts:?}");
        assert_eq!(said(&messages).last().unwrap(), "assistant: I see");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_is_cut_and_does_not_spoil_the_chat() {
    let delta = json!({"choices": [{"delta": {"content": "x".repeat(64 << 10)}}]});
    let frame = format!("data: {delta}\n\n").into_bytes();
    let flood = Reply::raw([Piece::Repeat(frame, 800)]);
    let refusal = json!({"error": {"code": "context_length_exceeded",
        "message": "This model's maximum context length is 10 tokens."}});
    let too_long = Reply::error(400, refusal);
    let chats = scripted([
        ("flood", vec![flood, Reply::text("dry again")]),
        ("too-long", vec![too_long.clone(), Reply::text("short now")]),
        ("always-too-long", vec![too_long]),
    ])
    .await;
    let chat = chats.begin(chats.model("flood").await).await;
    let (row, messages) = chats.rest(chat.id).await;
    assert_eq!(row.status.as_str(), "error");
    let size: usize = said(&messages).iter().map(String::len).sum();
    assert!(size < 200 << 10, "{size} bytes are kept of 50 MB");
    let (row, messages) = chats.send(chat.id, "again").await;
    assert_eq!(row.last_error, None);
    assert_eq!(said(&messages).last().unwrap(), "assistant: dry again");
    // What the model was given the second time is no flood either.
    let asked = chats.provider.asked();
    let last = asked
        .iter()
        .rfind(|a| a.body["model"] == "flood" && a.body["tools"].is_array());
    assert!(last.unwrap().body.to_string().len() < 400 << 10);

    // What does not fit is summarized, once.
    let chat = chats.begin(chats.model("too-long").await).await;
    let (row, messages) = chats.rest(chat.id).await;
    assert_eq!(row.last_error, None);
    assert_eq!(said(&messages).last().unwrap(), "assistant: short now");
    let chat = chats.begin(chats.model("always-too-long").await).await;
    let (row, _) = chats.rest(chat.id).await;
    assert_eq!(row.last_error.unwrap().kind.as_str(), "config");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_messages_wait_and_one_more_is_refused() {
    let hang = Reply::say([Say::text("half")]).hang_after(2);
    let chats = scripted([("slow", vec![hang])]).await;
    let chat = chats.begin(chats.model("slow").await).await;
    let api = chats.world.client();
    let message = CreateChatMessageRequest {
        content: vec![ChatInputPart::text("more")],
        ..CreateChatMessageRequest::default()
    };
    for _ in 0..20 {
        assert!(api.chat_send(chat.id, &message).await.unwrap().queued);
    }
    let refused = api.chat_send(chat.id, &message).await.unwrap_err();
    assert_eq!(refused.status().map(|s| s.as_u16()), Some(429), "{refused}");
    let path = format!("/api/v2/chats/{}/messages", chat.id);
    let page: Value = api.call(Method::GET, &path).decode().await.unwrap();
    assert_eq!(page["queued_messages"].as_array().unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_good_is_told_and_the_chat_goes_on() {
    const REFUSED: [(u16, &str); 5] = [
        (400, "config"),
        (401, "auth"),
        (403, "auth"),
        (404, "config"),
        (413, "config"),
    ];
    let scripts = REFUSED.map(|(status, _)| {
        (
            named(status),
            vec![Reply::status(status), Reply::text("back again")],
        )
    });
    let far = Reply::status(429).header("retry-after", "7200");
    let chats = scripted(scripts.into_iter().chain([("far", vec![far])])).await;
    for (status, kind) in REFUSED {
        let chat = chats.begin(chats.model(named(status)).await).await;
        let (row, messages) = chats.rest(chat.id).await;
        let error = row.last_error.expect("an error");
        assert_eq!(
            (row.status.as_str(), error.kind.as_str()),
            ("error", kind),
            "{status}"
        );
        assert!(!error.retryable && !error.message.is_empty());
        assert_eq!(said(&messages), ["user: hi"]);
        assert_eq!(error.status_code, i32::from(status));
        let (row, messages) = chats.send(chat.id, "again").await;
        assert_eq!(row.last_error, None);
        assert_eq!(
            said(&messages)[1..],
            ["user: again", "assistant: back again"]
        );
    }
    // Nobody waits for two hours.
    let chat = chats.begin(chats.model("far").await).await;
    let (row, _) = chats.rest(chat.id).await;
    assert_eq!(row.last_error.unwrap().kind.as_str(), "rate_limit");
}
