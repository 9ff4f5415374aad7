//! Messages that wait: order, limit, removal, promotion; and what the client has to answer.

use api_types::{ChatMessagePart, ChatStatus, DynamicTool};
use chat::machine::{MAX_QUEUED, MachineError, Op};
use serde_json::{Value, json};
use store::chats::{ChatQueueRow, QueuedChange};
use uuid::Uuid;

use crate::world::{Asked, World, world};

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
    let queue = queue(&world, chat).await;
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

/// What waits.
async fn queue(world: &World, chat: Uuid) -> Vec<ChatQueueRow> {
    let conn = world.db.conn().await.unwrap();
    conn.chat_queue(chat).await.unwrap()
}

/// The change of a message that waits.
fn editing(id: i64, editing: bool) -> Op {
    let change = QueuedChange {
        editing: Some(editing),
        ..QueuedChange::default()
    };
    Op::EditQueued(id, change)
}

#[tokio::test]
async fn a_chat_waits_for_the_message_that_is_being_changed() {
    let mut world = world().await;
    let chat = world.create("0").await;
    let asked = world.asked().await;
    for text in ["1", "2", "3"] {
        world.send(chat, text, false).await;
    }
    let waiting: Vec<i64> = queue(&world, chat).await.iter().map(|row| row.id).collect();
    let none = world.apply(chat, editing(i64::MAX, true)).await;
    assert!(matches!(none, Err(MachineError::NoQueuedMessage)));
    // What is not next holds nothing up.
    world.apply(chat, editing(waiting[1], true)).await.unwrap();
    asked.say("re 0");
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "1");
    asked.say("re 1");
    world.until(chat, ChatStatus::Paused).await;
    let waits = queue(&world, chat).await;
    assert!(waits[0].editing_since.is_some() && waits.len() == 2);
    // Another one does not begin to be changed now, but may be changed.
    let refused = world.apply(chat, editing(waiting[2], true)).await;
    assert!(matches!(refused, Err(MachineError::NotNext)));
    for op in [Op::Interrupt, Op::FinishTurn, Op::RequestCompaction] {
        let refused = world.apply(chat, op).await;
        assert!(
            matches!(refused, Err(MachineError::NotAllowed(_))),
            "{refused:?}"
        );
    }
    let change = QueuedChange {
        content: Some(vec![ChatMessagePart::text("two, better")]),
        editing: Some(false),
        ..QueuedChange::default()
    };
    let resumed = world
        .apply(chat, Op::EditQueued(waiting[1], change))
        .await
        .unwrap();
    assert_eq!(resumed.chat.status, ChatStatus::Running);
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "two, better");

    // Paused again: what is said waits; what is said at once goes first.
    world.apply(chat, editing(waiting[2], true)).await.unwrap();
    asked.say("re 2");
    world.until(chat, ChatStatus::Paused).await;
    world.send(chat, "4", false).await;
    assert_eq!(world.row(chat).await.status, ChatStatus::Paused);
    world.send(chat, "now", true).await;
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "now");
    asked.say("re now");
    world.until(chat, ChatStatus::Paused).await;
    // Without the message that was waited for, it goes on.
    world
        .apply(chat, Op::DeleteQueued(waiting[2]))
        .await
        .unwrap();
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "4");
    world.send(chat, "5", false).await;
    let last = queue(&world, chat).await[0].id;
    world.apply(chat, editing(last, true)).await.unwrap();
    asked.say("re 4");
    world.until(chat, ChatStatus::Paused).await;
    let empty = world.apply(chat, Op::DeleteQueued(last)).await.unwrap();
    assert_eq!(empty.chat.status, ChatStatus::Waiting);
    // Promoting ends the change.
    world.send(chat, "6", false).await;
    let asked = world.asked().await;
    world.send(chat, "7", false).await;
    let last = queue(&world, chat).await[0].id;
    world.apply(chat, editing(last, true)).await.unwrap();
    asked.say("re 6");
    world.until(chat, ChatStatus::Paused).await;
    world.apply(chat, Op::Promote(last)).await.unwrap();
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "7");
    asked.say("re 7");
    world.until(chat, ChatStatus::Waiting).await;
}

/// A chat whose model is asked while somebody changes the message that waits: `1`.
async fn edited_meanwhile(world: &mut World) -> (Uuid, Asked, i64) {
    let chat = world.create("0").await;
    let asked = world.asked().await;
    world.send(chat, "1", false).await;
    let waiting = queue(world, chat).await[0].id;
    world.apply(chat, editing(waiting, true)).await.unwrap();
    (chat, asked, waiting)
}

#[tokio::test]
async fn a_chat_that_waits_for_a_change_can_be_put_away() {
    let mut world = world().await;
    let (chat, asked, waiting) = edited_meanwhile(&mut world).await;
    asked.say("re 0");
    world.until(chat, ChatStatus::Paused).await;
    let who = world.owner.who.clone();
    let away = world.machine.archive(&who, chat, true).await.unwrap();
    assert!(away.archived && away.queued == 1);
    let refused = world.apply(chat, editing(waiting, false)).await;
    assert!(matches!(refused, Err(MachineError::NotAllowed(_))));
    let back = world.machine.archive(&who, chat, false).await.unwrap();
    assert_eq!(back.status, ChatStatus::Paused);
    world.apply(chat, editing(waiting, false)).await.unwrap();
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "1");
    asked.say("re 1");
    world.until(chat, ChatStatus::Waiting).await;
}

#[tokio::test]
async fn what_is_said_at_once_does_not_wait_for_a_change() {
    let mut world = world().await;
    let (chat, asked, waiting) = edited_meanwhile(&mut world).await;
    asked.text("half");
    // While something runs.
    world.send(chat, "now", true).await;
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "now");
    // After a failure: what does not hurry waits, too.
    asked.fail(llm::Error::new(llm::ErrorKind::Auth, "no"));
    world.until(chat, ChatStatus::Error).await;
    let said = Op::Send(world.message("at once"), true);
    let outcome = world.apply(chat, said).await.unwrap();
    assert!(outcome.queued.is_none(), "it was begun");
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "at once");
    asked.fail(llm::Error::new(llm::ErrorKind::Auth, "no"));
    world.until(chat, ChatStatus::Error).await;
    world.send(chat, "2", false).await;
    world.until(chat, ChatStatus::Paused).await;
    assert_eq!(queue(&world, chat).await[0].id, waiting);
}
