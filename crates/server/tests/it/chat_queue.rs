//! Messages that wait for a busy chat, changed over the API.

use api_types::{ChatInputPart, ChatStatus, CreateChatMessageRequest};
use http::Method;
use serde_json::{Value, json};
use testkit::model::Reply;

use crate::chats::{chats, until_idle};
use crate::world::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_waits_is_changed_before_it_is_said() {
    let chats = chats().await;
    chats
        .provider
        .otherwise(|_| Reply::text("never").hang_after(0));
    let api = chats.world.client();
    let chat = chats.create("begin", None).await;
    let say = CreateChatMessageRequest {
        content: vec![ChatInputPart::text("do it badly")],
        ..CreateChatMessageRequest::default()
    };
    let queued = api
        .chat_send(chat.id, &say)
        .await
        .unwrap()
        .queued_message
        .unwrap();
    let path = format!("/api/v2/chats/{}/queue/{}", chat.id, queued.id);
    let change = async |path: &str, change: &Value| {
        let call = api.call(Method::PATCH, path).json(change);
        call.done()
            .await
            .map_err(|error| error.status().unwrap().as_u16())
    };
    for (wrong, status) in [
        (json!({}), 400),
        (json!({ "content": [] }), 400),
        (json!({ "reasoning_effort": "heroic" }), 400),
        (json!({ "model_config_id": uuid::Uuid::new_v4() }), 400),
    ] {
        assert_eq!(change(&path, &wrong).await, Err(status), "{wrong}");
    }
    let other = format!("/api/v2/chats/{}/queue/{}", chat.id, queued.id + 1);
    assert_eq!(change(&other, &json!({ "editing": true })).await, Err(404));
    change(&path, &json!({ "editing": true })).await.unwrap();
    let messages = format!("/api/v2/chats/{}/messages", chat.id);
    let seen: Value = api.call(Method::GET, &messages).decode().await.unwrap();
    assert!(
        seen["queued_messages"][0]["editing_since"].is_string(),
        "{seen}"
    );

    // The turn ends, and the chat waits for what is being written.
    api.chat_interrupt(chat.id).await.unwrap();
    eventually("the chat is paused", async || {
        api.chat(chat.id).await.unwrap().status == ChatStatus::Paused
    })
    .await;
    chats.provider.otherwise(|_| Reply::text("done"));
    let mut events = api.chat_events(chat.id, None).await.unwrap();
    let well = json!({ "content": [{ "type": "text", "text": "do it well" }], "editing": false });
    change(&path, &well).await.unwrap();
    until_idle(&mut events).await;
    let history = serde_json::to_string(&api.chat_history(chat.id).await.unwrap()).unwrap();
    assert!(
        history.contains("do it well") && !history.contains("badly"),
        "{history}"
    );
    assert_eq!(
        change(&path, &well).await,
        Err(409),
        "nothing waits any more"
    );
}
