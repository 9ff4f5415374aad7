//! The order of the rules.

use api_types::ChatMessageUsage;
use serde_json::json;
use store::chats::Visibility;

use super::*;

fn row(id: i64, role: ChatMessageRole, content: Vec<ChatMessagePart>) -> ChatMessageRow {
    ChatMessageRow {
        id,
        chat_id: uuid::Uuid::nil(),
        model_config_id: None,
        created_at: chrono::Utc::now(),
        role,
        content,
        visibility: Visibility::Both,
        usage: ChatMessageUsage::default(),
        compressed: false,
        created_by: None,
        total_cost_micros: None,
        runtime_ms: None,
        deleted: false,
        queued_message_id: None,
        revision: 1,
    }
}

fn user(id: i64) -> ChatMessageRow {
    row(id, ChatMessageRole::User, vec![ChatMessagePart::text("hi")])
}

fn calls(id: i64, names: &[&str]) -> ChatMessageRow {
    let parts = names
        .iter()
        .map(|n| ChatMessagePart::tool_call(n, n, json!({})));
    row(id, ChatMessageRole::Assistant, parts.collect())
}

fn results(id: i64, names: &[&str], is_error: bool) -> ChatMessageRow {
    let parts = names
        .iter()
        .map(|n| ChatMessagePart::tool_result(n, n, json!({}), is_error));
    row(id, ChatMessageRole::Tool, parts.collect())
}

fn next(messages: &[ChatMessageRow]) -> Decision {
    let dynamic = [DynamicTool {
        name: "client".into(),
        ..DynamicTool::default()
    }];
    let facts = Facts {
        threshold: 70,
        context_limit: 1000,
        ..Facts::default()
    };
    decide(messages, &dynamic, |name| name == "propose_plan", facts)
}

#[test]
fn calls_come_first_local_ones_before_the_clients() {
    let mut messages = vec![user(1), calls(2, &["execute", "client"])];
    let Decision::RunTools { message, calls } = next(&messages) else {
        panic!("no tools");
    };
    assert_eq!((message, calls.len()), (2, 1));
    messages.push(results(3, &["execute"], false));
    assert_eq!(next(&messages), Decision::RequireAction);
    messages.push(results(4, &["client"], false));
    assert_eq!(next(&messages), Decision::Ask);
}

#[test]
fn a_turn_ends_with_an_answer_or_a_plan() {
    assert_eq!(next(&[user(1)]), Decision::Ask);
    let answer = row(
        2,
        ChatMessageRole::Assistant,
        vec![ChatMessagePart::text("x")],
    );
    assert_eq!(next(&[user(1), answer]), Decision::Finish);
    let plan = |is_error| {
        [
            user(1),
            calls(2, &["propose_plan"]),
            results(3, &["propose_plan"], is_error),
        ]
    };
    assert_eq!(next(&plan(false)), Decision::Finish);
    assert_eq!(next(&plan(true)), Decision::Ask);
    assert_eq!(next(&[]), Decision::Finish);
}

#[test]
fn circles_end() {
    let mut messages = vec![user(1)];
    for i in 0..MAX_STEPS as i64 {
        messages.push(calls(2 * i + 2, &["a"]));
        messages.push(results(2 * i + 3, &["a"], false));
    }
    assert_eq!(next(&messages), Decision::Finish);
    messages.push(user(10_000));
    assert_eq!(next(&messages), Decision::Ask);
}

#[test]
fn a_full_context_is_summarized_once() {
    let mut used = calls(2, &["a"]);
    used.usage.input_tokens = Some(500);
    used.usage.cache_read_tokens = Some(200);
    let mut messages = vec![user(1), used, results(3, &["a"], false)];
    assert_eq!(next(&messages), Decision::Compact);
    messages[1].usage.cache_read_tokens = Some(199);
    assert_eq!(next(&messages), Decision::Ask);
    messages[1].usage.cache_read_tokens = Some(400);
    let mut summary = row(4, ChatMessageRole::User, vec![ChatMessagePart::text("s")]);
    summary.compressed = true;
    summary.visibility = Visibility::Model;
    messages.push(summary);
    assert_ne!(next(&messages), Decision::Compact);
}

#[test]
fn a_summary_alone_is_gone_on_from() {
    let mut summary = row(4, ChatMessageRole::User, vec![ChatMessagePart::text("s")]);
    summary.compressed = true;
    summary.visibility = Visibility::Model;
    assert_eq!(next(&[summary]), Decision::Ask);
}
