//! Chats over real sockets: a scripted model provider behind the gateway, the worker, and a
//! client that follows the stream.

use std::time::Duration;

use api_types::{
    Chat, ChatInputPart, ChatStreamEventType, CreateChatMessageRequest, CreateChatRequest,
};
use authz::Subject;
use chat::worker::Neighbours;
use client::{ChatEvents, Client};
use http::Method;
use serde_json::{Value, json};
use testkit::TestUser;
use testkit::model::{ModelServer, Reply, Say};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::world::{World, world};

/// A server with a worker, a provider and a model; the admin made them.
pub struct Chats {
    pub world: World,
    pub provider: ModelServer,
    pub organization: Uuid,
    pub admin: Client,
    stop: CancellationToken,
    model: Uuid,
}

impl Drop for Chats {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The same, with the usual connections.
pub async fn chats() -> Chats {
    with_http(llm::Http::new("test").unwrap()).await
}

/// Like [`chats`], with other connections to the provider.
pub async fn with_http(http: llm::Http) -> Chats {
    in_world(http, world().await).await
}

/// Like [`chats`], with other settings of the rules.
pub async fn with_settings(change: impl FnOnce(&mut control::Settings)) -> Chats {
    let http = llm::Http::new("test").unwrap();
    in_world(http, crate::world::with_settings(change).await).await
}

async fn in_world(http: llm::Http, world: World) -> Chats {
    let conn = world.db.store.conn().await.unwrap();
    let seal = &world.control.settings().seal;
    conn.seal_register(seal).await.unwrap();
    drop(conn);
    let provider = ModelServer::start().await;
    let stop = CancellationToken::new();
    let gateway = gateway::Gateway::new(
        world.db.store.clone(),
        world.control.settings().seal.clone(),
        http,
        gateway::Options::default(),
    );
    server::start_chats(
        &world.control,
        gateway,
        &world.tailnet,
        Neighbours::Possible,
        &TaskTracker::new(),
        &stop,
    );
    let admin: TestUser = testkit::user(&world.db, "root", &["owner"]).await;
    let api = world.client_as(admin.token.clone());
    let organization = testkit::default_organization(&world.db).await;
    let made: Value = post(
        &api,
        "/api/v2/ai/providers",
        &json!({ "type": "openai-compat", "name": "scripted", "enabled": true,
                 "base_url": provider.v1(), "api_keys": ["sk-test-0123456789"] }),
    )
    .await;
    let made: Value = post(
        &api,
        &format!("/api/v2/organizations/{organization}/chats/models"),
        &json!({ "ai_provider_id": made["id"], "model": "scripted", "context_limit": 100_000 }),
    )
    .await;
    let model = made["id"].as_str().unwrap().parse().unwrap();
    Chats {
        world,
        provider,
        organization,
        admin: api,
        stop,
        model,
    }
}

pub async fn post(api: &Client, path: &str, body: &Value) -> Value {
    api.call(Method::POST, path)
        .json(body)
        .decode()
        .await
        .unwrap()
}

impl Chats {
    /// Begins a chat as the workspace's owner.
    pub async fn create(&self, text: &str, workspace: Option<Uuid>) -> Chat {
        let request = CreateChatRequest {
            organization_id: self.organization,
            content: vec![ChatInputPart::text(text)],
            workspace_id: workspace,
            ..CreateChatRequest::default()
        };
        self.world.client().chat_create(&request).await.unwrap()
    }
}

/// Follows a stream until the chat rests; the texts of parts, and of messages.
pub async fn until_idle(events: &mut ChatEvents) -> (String, Vec<String>) {
    let (mut parts, mut messages, mut ran) = (String::new(), Vec::new(), false);
    let follow = async {
        while let Some(event) = events.next().await {
            let event = event.unwrap();
            match event.kind {
                ChatStreamEventType::MessagePart => {
                    let part = event.message_part.unwrap().part;
                    parts.push_str(&part.text.unwrap_or_default());
                }
                ChatStreamEventType::Message => {
                    let message = event.message.unwrap();
                    let text: String = message
                        .content
                        .iter()
                        .filter_map(|p| p.text.clone())
                        .collect();
                    messages.push(format!("{}: {text}", message.role));
                }
                ChatStreamEventType::Status => {
                    let status = event.status.unwrap().status.to_string();
                    ran |= status == "running";
                    if status == "waiting" || status == "error" {
                        break;
                    }
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), follow)
        .await
        .expect("an end of the turn");
    assert!(ran || !messages.is_empty());
    (parts, messages)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_from_the_first_word_to_the_last() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("hello there"));
    let chat = chats.create("hi", None).await;
    assert_eq!(
        chat.last_model_config_id, chats.model,
        "the organization's default"
    );
    assert_eq!(
        (chat.title.as_str(), chat.root_chat_id),
        ("hi", Some(chat.id))
    );
    let api = chats.world.client();
    let mut events = api.chat_events(chat.id, None).await.unwrap();
    let (_, messages) = until_idle(&mut events).await;
    assert_eq!(messages, ["user: hi", "assistant: hello there"]);
    chats.provider.then(Reply::text("more of it"));
    let send = CreateChatMessageRequest {
        content: vec![ChatInputPart::text("again")],
        ..CreateChatMessageRequest::default()
    };
    let sent = api.chat_send(chat.id, &send).await.unwrap();
    assert!(!sent.queued && sent.message.is_some());
    until_idle(&mut events).await;
    let cost: Value = api
        .call(Method::GET, &format!("/api/v2/chats/{}/cost", chat.id))
        .decode()
        .await
        .unwrap();
    assert_eq!(cost["request_count"], 2);
    // The older prefix serves the same.
    let old: Value = api
        .call(
            Method::GET,
            &format!("/api/experimental/chats/{}/messages", chat.id),
        )
        .decode()
        .await
        .unwrap();
    assert_eq!(old["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_needs_a_workspace_says_what_is_missing() {
    let chats = chats().await;
    // The title is asked for at the same time, without tools.
    chats.provider.otherwise(|asked| {
        let body = asked.body.to_string();
        if body.contains("\"execute\"") && !body.contains("\"tool\"") {
            Reply::say([Say::call("c1", "execute", "{\"command\":\"true\"}")])
        } else {
            Reply::text("no workspace then")
        }
    });
    let chat = chats.create("run it", None).await;
    let api = chats.world.client();
    let mut events = api.chat_events(chat.id, None).await.unwrap();
    until_idle(&mut events).await;
    let history = serde_json::to_string(&api.chat_history(chat.id).await.unwrap()).unwrap();
    assert!(history.contains("needs a workspace"), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_model_the_way_out_is_told() {
    let world = world().await;
    let organization = testkit::default_organization(&world.db).await;
    let request = CreateChatRequest {
        organization_id: organization,
        content: vec![ChatInputPart::text("hi")],
        ..CreateChatRequest::default()
    };
    let error = world.client().chat_create(&request).await.unwrap_err();
    assert!(
        error.to_string().contains("No chat model is available"),
        "{error}"
    );
    let who: &Subject = &world.owner.who;
    let all = control::ChatListQuery::default();
    assert!(world.control.chat_list(who, &all).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_chat_is_told_is_its_owners_to_read() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("ok"));
    let prompt = json!({ "system_prompt": "Speak of us kindly." });
    let path = format!(
        "/api/v2/organizations/{}/chats/system-prompt",
        chats.organization
    );
    let put = chats.admin.call(Method::PUT, &path).json(&prompt);
    let set: Value = put.decode().await.unwrap();
    assert_eq!(set, prompt);
    let too_long = json!({ "system_prompt": "x".repeat((128 << 10) + 1) });
    let refused = chats.admin.call(Method::PUT, &path).json(&too_long);
    let refused = refused.decode::<Value>().await.unwrap_err();
    assert_eq!(refused.status().map(|s| s.as_u16()), Some(400), "{refused}");
    let chat = chats.create("hi", None).await;
    let api = chats.world.client();
    let mut events = api.chat_events(chat.id, None).await.unwrap();
    until_idle(&mut events).await;
    let told = api.chat_instructions(chat.id).await.unwrap().instructions;
    let sources: Vec<&str> = told.iter().map(|one| one.source.as_str()).collect();
    assert_eq!(sources, ["deployment", "organization", "workspace"]);
    assert_eq!(told[1].text, "Speak of us kindly.");
    // It is what the model was told, in this order.
    let asked = chats.provider.asked();
    let turn = asked.iter().find(|a| a.body["tools"].is_array()).unwrap();
    let messages = turn.body["messages"].to_string();
    let mut rest = messages.as_str();
    for one in &told {
        let text = serde_json::to_string(&one.text).unwrap();
        let at = rest.find(text.trim_matches('"')).expect(&one.source);
        rest = &rest[at + 1..];
    }
    let refused = chats.admin.chat_instructions(chat.id).await.unwrap_err();
    assert_eq!(refused.status().map(|s| s.as_u16()), Some(403), "{refused}");
    // A workspace's template speaks too, in the version of the last build.
    let sql = "UPDATE template_versions v SET agent_instructions = 'Use make.' \
               FROM workspace_builds b WHERE b.template_version_id = v.id AND b.workspace_id = $1";
    let (workspace, db) = (chats.world.workspace, &chats.world.db);
    db.execute(sql, &[&workspace]).await.unwrap();
    let chat = chats.create("there", Some(workspace)).await;
    until_idle(&mut api.chat_events(chat.id, None).await.unwrap()).await;
    let told = api.chat_instructions(chat.id).await.unwrap().instructions;
    let sources: Vec<&str> = told.iter().map(|one| one.source.as_str()).collect();
    let order = [
        "deployment",
        "organization",
        "workspace",
        "template",
        "workspace",
    ];
    assert_eq!(sources, order);
    assert!(told[3].text.contains("Use make."), "{}", told[3].text);
    let asked = chats.provider.asked();
    let turn = asked.iter().rfind(|a| a.body["tools"].is_array()).unwrap();
    let words = serde_json::to_string(&told[3].text).unwrap();
    assert!(turn.body.to_string().contains(words.trim_matches('"')));
}
