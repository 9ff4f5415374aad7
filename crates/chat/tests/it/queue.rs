//! Messages that wait: order, limit, removal, promotion; and what the client has to answer.

use api_types::{ChatMessagePart, ChatStatus, DynamicTool};
use chat::machine::{MAX_QUEUED, MachineError, Op};
use serde_json::{Value, json};

use crate::world::world;

#[tokio::test]
async fn waiting_messages_go_one_after_the_other() {
    let mut world = world().await;
    let chat = world.create("0").await;
    let asked = world.asked().await;
    for i in 1..=MAX_QUEUED {
        world.send(chat, &i.to_string(), false).await;
    }
    let full = world.apply(chat, Op::Send(world.message("x"), false)).await;
    assert!(matches!(full, Err(MachineError::QueueFull)));
    let queue = world
        .db
        .conn()
        .await
        .unwrap()
        .chat_queue(chat)
        .await
        .unwrap();
    // The third is to be next; all but one more are taken out.
    for row in queue.iter().skip(3) {
        world.apply(chat, Op::DeleteQueued(row.id)).await.unwrap();
    }
    let gone = world.apply(chat, Op::DeleteQueued(queue[5].id)).await;
    assert!(matches!(gone, Err(MachineError::NoQueuedMessage)));
    asked.text("half");
    let promoted = world.apply(chat, Op::Promote(queue[2].id)).await.unwrap();
    assert_eq!(promoted.chat.status, ChatStatus::Interrupting);
    for expected in ["3", "1", "2"] {
        let asked = world.asked().await;
        assert_eq!(asked.last_text(), expected);
        asked.say(&format!("re {expected}"));
    }
    world.until(chat, ChatStatus::Waiting).await;
    let said = world.said(chat).await;
    let users: Vec<&String> = said.iter().filter(|s| s.starts_with("user")).collect();
    assert_eq!(users, ["user: 0", "user: 3", "user: 1", "user: 2"]);
    let third = world.messages(chat).await;
    assert!(
        third
            .iter()
            .any(|m| m.queued_message_id == Some(queue[2].id))
    );
}

#[tokio::test]
async fn a_failed_chat_goes_on_with_its_queue() {
    let mut world = world().await;
    let chat = world.create("0").await;
    let asked = world.asked().await;
    world.send(chat, "1", false).await;
    asked.fail(llm::Error::new(llm::ErrorKind::Auth, "no"));
    let row = world.until(chat, ChatStatus::Error).await;
    assert_eq!(row.queued, 1);
    let outcome = world
        .apply(chat, Op::Send(world.message("2"), false))
        .await
        .unwrap();
    assert!(
        outcome.queued.is_some(),
        "the new one waits, the head is started"
    );
    for expected in ["1", "2"] {
        let asked = world.asked().await;
        assert_eq!(asked.last_text(), expected);
        asked.say("ok");
    }
    world.until(chat, ChatStatus::Waiting).await;
}

#[tokio::test]
async fn the_client_answers_its_own_tools() {
    let mut world = world().await;
    let tool = DynamicTool {
        name: "ask_browser".into(),
        description: "asks".into(),
        input_schema: json!({ "type": "object" }),
    };
    let chat = world
        .create_with("hi", |new| new.dynamic_tools = vec![tool])
        .await;
    let asked = world.asked().await;
    assert!(asked.request.tools.iter().any(|t| t.name == "ask_browser"));
    asked.tools(&[
        ("c1", "ask_browser", json!({ "q": 1 })),
        ("c2", "execute", json!({ "command": "true" })),
        ("c3", "ask_browser", json!({})),
    ]);
    let called = world.called().await;
    called
        .reply
        .send(chat::tools::ToolAnswer::ok(json!({ "success": true })))
        .unwrap();
    let row = world.until(chat, ChatStatus::RequiresAction).await;
    assert!(row.requires_action_deadline_at.is_some());
    let result = |id: &str| ChatMessagePart::tool_result(id, "", Value::from("answer"), false);
    for bad in [
        vec![],
        vec![result("c1")],
        vec![result("c1"), result("c1"), result("c3")],
        vec![result("c1"), result("c2"), result("c3")],
    ] {
        let error = world
            .apply(chat, Op::CompleteRequiresAction(bad))
            .await
            .unwrap_err();
        assert!(matches!(error, MachineError::ToolResults(_)));
    }
    let good = vec![result("c3"), result("c1")];
    world
        .apply(chat, Op::CompleteRequiresAction(good.clone()))
        .await
        .unwrap();
    let asked = world.asked().await;
    let results = &asked.request.messages.last().unwrap().parts;
    assert_eq!(
        results.len(),
        3,
        "the answers of one message stand together"
    );
    asked.say("done");
    world.until(chat, ChatStatus::Waiting).await;
    let late = world.apply(chat, Op::CompleteRequiresAction(good)).await;
    assert!(matches!(late, Err(MachineError::NotAllowed(_))));
}

#[tokio::test]
async fn a_client_that_stays_away_is_given_up() {
    let mut world = world().await;
    let tool = DynamicTool {
        name: "ask_browser".into(),
        ..DynamicTool::default()
    };
    let chat = world
        .create_with("hi", |new| new.dynamic_tools = vec![tool])
        .await;
    world
        .asked()
        .await
        .tools(&[("c1", "ask_browser", json!({}))]);
    world.until(chat, ChatStatus::RequiresAction).await;
    // Interrupting answers for the client, and the model goes on.
    world.apply(chat, Op::Interrupt).await.unwrap();
    let asked = world.asked().await;
    asked.tools(&[("c2", "ask_browser", json!({}))]);
    world.until(chat, ChatStatus::RequiresAction).await;
    // A user that says something else does so too.
    world.send(chat, "never mind", true).await;
    let asked = world.asked().await;
    asked.say("ok");
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "never mind");
    asked.say("ok");
    world.until(chat, ChatStatus::Waiting).await;
    let said = world.said(chat).await;
    assert_eq!(said.iter().filter(|s| s.ends_with("failed")).count(), 2);
}
