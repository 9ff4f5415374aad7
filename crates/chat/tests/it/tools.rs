//! Calls of tools: together, wrong, panicking, interrupted.

use api_types::ChatStatus;
use chat::machine::Op;
use chat::tools::ToolAnswer;
use serde_json::json;

use crate::world::world;

#[tokio::test]
async fn calls_run_together_and_answer_in_order() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    world.asked().await.tools(&[
        ("a", "execute", json!({ "command": "1" })),
        ("b", "read_file", json!({ "path": "x" })),
        ("c", "panics", json!({})),
        ("d", "no_such_tool", json!({})),
    ]);
    let (first, second) = (world.called().await, world.called().await);
    assert_eq!(
        first.who.user_id(),
        Some(world.owner.id),
        "tools act as the owner"
    );
    assert_eq!(first.args["command"], "1");
    second
        .reply
        .send(ToolAnswer::ok(json!({ "n": 2 })))
        .unwrap();
    first.reply.send(ToolAnswer::error("it broke")).unwrap();
    let asked = world.asked().await;
    asked.say("done");
    world.until(chat, ChatStatus::Waiting).await;
    let said = world.said(chat).await;
    assert_eq!(
        said[5..9],
        ["tool a failed", "tool b", "tool c failed", "tool d failed"]
    );
    let runs = "SELECT count(*) FROM chat_tool_runs";
    let left: i64 = world.db.query_one(runs, &[]).await.unwrap().get(0);
    assert_eq!(left, 0, "what is settled is forgotten");
}

#[tokio::test]
async fn an_interrupt_gives_up_calls_and_keeps_what_is_done() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    world
        .asked()
        .await
        .tools(&[("a", "execute", json!({})), ("b", "execute", json!({}))]);
    let first = world.called().await;
    let mut second = world.called().await;
    let mut viewer = world
        .machine
        .hub()
        .view(&world.owner.who, chat, None)
        .await
        .unwrap();
    first
        .reply
        .send(ToolAnswer::ok(json!({ "done": true })))
        .unwrap();
    // The first result is seen before the second is there.
    loop {
        let frame = viewer.next().await.unwrap();
        if String::from_utf8_lossy(&frame).contains("tool-result") {
            break;
        }
    }
    world.apply(chat, Op::Interrupt).await.unwrap();
    world.until(chat, ChatStatus::Waiting).await;
    second.reply.closed().await;
    let said = world.said(chat).await;
    assert_eq!(said[3..], ["tool a", "tool b failed"]);
    world.send(chat, "go on", false).await;
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), "go on");
    asked.say("ok");
    world.until(chat, ChatStatus::Waiting).await;
}

#[tokio::test]
async fn a_plan_ends_the_turn() {
    let mut world = world().await;
    let chat = world.create("plan it").await;
    world
        .asked()
        .await
        .tools(&[("p", "propose_plan", json!({}))]);
    world
        .called()
        .await
        .reply
        .send(ToolAnswer::ok(json!({ "ok": true })))
        .unwrap();
    world.until(chat, ChatStatus::Waiting).await;
    assert!(world.asked.try_recv().is_err());
}
