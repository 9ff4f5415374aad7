//! Tools of servers in the workspace, and of clients that do not answer.

use api_types::{ChatStatus, DynamicTool};
use serde_json::json;

use crate::world::{house, without_worker};

#[tokio::test]
async fn tools_of_the_workspaces_servers_go_through_the_agent() {
    let mut house = house().await;
    let made = testkit::workspace(&house.world.db, house.world.owner.id, "dev").await;
    let chat = house
        .world
        .create_with("hi", |new| new.workspace_id = Some(made.id))
        .await;
    house.asked(chat).await.say("hello");
    house.world.until(chat, ChatStatus::Waiting).await;
    let tools = json!([
        { "name": "say", "description": "Says it.", "input_schema": { "type": "object" } },
        { "name": "fail", "description": "", "input_schema": null },
    ]);
    let sql = "INSERT INTO chat_context_resources (chat_id, kind, source, source_path, \
               content_hash, size_bytes, status, error, name, description, content, tools) \
               VALUES ($1, 'mcp_server', 'w', '', '', 0, 'ok', '', 'w', '', '', $2)";
    let db = &house.world.db;
    db.execute(sql, &[&chat, &tools]).await.unwrap();
    house.world.send(chat, "now call it", false).await;
    let asked = house.asked(chat).await;
    let names = asked.tool_names();
    assert!(names.contains(&"w__say".to_owned()), "{names:?}");
    asked.tools(&[
        ("c1", "w__say", json!({ "x": 1 })),
        ("c2", "w__fail", json!({})),
    ]);
    house.asked(chat).await.say("done");
    house.world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(
        house.result(chat, "c1").await,
        json!({ "tool": "w__say", "arguments": { "x": 1 } })
    );
    let failed = house.result(chat, "c2").await;
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .contains("MCP tool call failed"),
        "{failed}"
    );
    // A plan is made without them.
    let row = house.world.row(chat).await;
    let who = &house.world.owner.who;
    let tx = house.world.db.store.begin(who).await.unwrap();
    tx.chat_plan_mode_set(who, &row, "plan").await.unwrap();
    tx.commit().await.unwrap();
    house.world.send(chat, "and plan", false).await;
    let asked = house.asked(chat).await;
    assert!(
        asked
            .tool_names()
            .iter()
            .all(|name| !name.starts_with("w__"))
    );
    asked.say("planned");
}

#[tokio::test]
async fn a_client_that_does_not_answer_in_time_is_not_waited_for() {
    let mut world = without_worker(1000).await;
    let worker = world.start_worker().await;
    let tool = DynamicTool {
        name: "ask_browser".into(),
        ..DynamicTool::default()
    };
    let chat = world
        .create_with("hi", |new| new.dynamic_tools = vec![tool])
        .await;
    let asked = world.asked().await;
    asked.tools(&[("c1", "ask_browser", json!({}))]);
    let row = world.until(chat, ChatStatus::RequiresAction).await;
    let left = row.requires_action_deadline_at.unwrap() - chrono::Utc::now();
    assert!(left <= chat::machine::ACTION_DEADLINE);
    // The time passes while nobody works; whoever comes then sees it.
    worker.cancel();
    let sql = "UPDATE chats SET requires_action_deadline_at = now() WHERE id = $1";
    world.db.execute(sql, &[&chat]).await.unwrap();
    world.start_worker().await;
    let asked = world.asked().await;
    assert!(asked.last_text().is_empty(), "a result and no words");
    asked.say("then not");
    world.until(chat, ChatStatus::Waiting).await;
    let said = world.said(chat).await;
    assert!(said.contains(&"tool c1 failed".to_owned()), "{said:?}");
}
