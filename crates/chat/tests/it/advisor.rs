//! The advisor: asked alone, by a call of its own, so often as the settings allow.

use std::sync::Arc;

use api_types::{ChatMessagePartType, ChatStatus};
use chat::models::Purpose;
use chat::tools::advisor::{Advisor, CONFIG};
use llm::{Error, ErrorKind, Event};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::viewers::view;
use crate::world::{World, without_worker};

async fn advised() -> World {
    let mut world = without_worker(100_000).await;
    world.add_tool(Arc::new(Advisor));
    world.start_worker().await;
    world
}

/// The committed result of a call.
async fn result(world: &World, chat: Uuid, call: &str) -> Value {
    let messages = world.messages(chat).await;
    let mut parts = messages.iter().flat_map(|m| &m.content);
    let part = parts
        .find(|p| p.kind == ChatMessagePartType::ToolResult && p.tool_call_id == call)
        .unwrap_or_else(|| panic!("no result of {call}"));
    part.result.clone().unwrap()
}

#[tokio::test]
async fn advice_is_asked_for_streamed_and_counted() {
    let mut world = advised().await;
    let owner = testkit::user(&world.db, "root", &["owner"]).await;
    let config = json!({ "max_uses_per_run": 1 }).to_string();
    let conn = world.db.conn().await.unwrap();
    conn.site_config_set(&owner.who, CONFIG, &config)
        .await
        .unwrap();
    drop(conn);
    let chat = world.create("which way?").await;
    let mut viewer = view(&world, chat, None).await;
    let question = json!({ "question": "left or right?" });
    let asked = world.asked().await;
    let told = asked.told();
    assert!(
        told.contains("second opinion"),
        "the model is told when to ask"
    );
    asked.tools(&[("a", "advisor", question.clone())]);
    // The first try fails for the moment, in the middle.
    let advisor = world.asked().await;
    assert_eq!(advisor.call.purpose, Purpose::Advisor);
    assert!(advisor.request.tools.is_empty());
    let text = advisor.last_text();
    assert!(
        text.contains("which way?") && text.ends_with("left or right?"),
        "{text}"
    );
    advisor.text("ri");
    advisor.fail(Error::new(ErrorKind::Overloaded, "busy"));
    let advisor = world.asked().await;
    advisor.event(Event::ReasoningDelta { text: "hm".into() });
    advisor.text("go ");
    let mut seen = String::new();
    let mut until = async |part: &str| {
        while !seen.contains(part) {
            let frame = tokio::time::timeout(std::time::Duration::from_secs(20), viewer.next());
            seen.push_str(&String::from_utf8_lossy(&frame.await.unwrap().unwrap()));
        }
    };
    until("\"result_reset\":true").await;
    // What is said in the last moments is told by the result alone.
    until("\"reasoning_delta\":\"hm\"").await;
    advisor.say("left");
    until("\"advice\"").await;
    let again = world.asked().await;
    let advice = result(&world, chat, "a").await;
    let expected = json!({ "type": "advice", "advice": "go left", "remaining_uses": 0,
        "advisor_model": "openai/scripted" });
    assert_eq!(advice, expected);
    // Once a turn, and no more.
    again.tools(&[("b", "advisor", question.clone())]);
    let done = world.asked().await;
    assert_eq!(done.call.purpose, Purpose::Turn);
    assert_eq!(result(&world, chat, "b").await["type"], "limit_reached");
    done.say("left it is");
    world.until(chat, ChatStatus::Waiting).await;
    // The next turn may ask again.
    world.send(chat, "and now?", false).await;
    world.asked().await.tools(&[("c", "advisor", question)]);
    world
        .asked()
        .await
        .fail(Error::new(ErrorKind::Auth, "the key was refused"));
    let asked = world.asked().await;
    let failed = json!({ "type": "error", "error": "the key was refused", "remaining_uses": 1 });
    assert_eq!(result(&world, chat, "c").await, failed);
    asked.say("then alone");
    world.until(chat, ChatStatus::Waiting).await;
}

#[tokio::test]
async fn who_is_asked_beside_other_calls_is_not_asked_and_nothing_runs() {
    let mut world = advised().await;
    let chat = world.create("hi").await;
    world.asked().await.tools(&[
        ("a", "advisor", json!({ "question": "?" })),
        ("b", "execute", json!({ "command": "rm x" })),
    ]);
    let asked = world.asked().await;
    for call in ["a", "b"] {
        let refused = result(&world, chat, call).await;
        assert!(
            refused["error"].as_str().unwrap().contains("alone"),
            "{refused}"
        );
    }
    assert!(world.called.try_recv().is_err());
    asked.tools(&[("c", "advisor", json!({ "question": "  " }))]);
    let asked = world.asked().await;
    assert!(result(&world, chat, "c").await["error"].is_string());
    asked.say("ok");
    world.until(chat, ChatStatus::Waiting).await;
}
