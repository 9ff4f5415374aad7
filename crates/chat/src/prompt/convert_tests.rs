//! What models must and must not see.

use api_types::ChatMessageUsage;
use serde_json::json;
use store::chats::Visibility;

use super::*;

pub(in crate::prompt) fn row(
    id: i64,
    role: ChatMessageRole,
    content: Vec<ChatMessagePart>,
) -> ChatMessageRow {
    ChatMessageRow {
        id,
        chat_id: Uuid::nil(),
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

fn user(text: &str) -> ChatMessageRow {
    row(1, ChatMessageRole::User, vec![ChatMessagePart::text(text)])
}

#[test]
fn every_call_is_answered_in_one_message() {
    let mut rows = vec![
        user("go"),
        row(
            2,
            ChatMessageRole::Assistant,
            ["a", "b"]
                .map(|id| ChatMessagePart::tool_call(id, "t", json!({})))
                .to_vec(),
        ),
        row(
            3,
            ChatMessageRole::Tool,
            vec![ChatMessagePart::tool_result(
                "b",
                "t",
                json!({"x": 1}),
                false,
            )],
        ),
        user("more"),
    ];
    let messages = convert(&rows, &Files::new());
    let roles: Vec<Role> = messages.iter().map(|m| m.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::User]);
    assert_eq!(messages[2].parts.len(), 2);
    // Also when nothing followed at all.
    rows.truncate(2);
    let messages = convert(&rows, &Files::new());
    assert_eq!(messages[2].parts.len(), 2);
}

#[test]
fn a_summary_stands_for_what_came_before_but_not_for_instructions() {
    let mut system = row(
        1,
        ChatMessageRole::System,
        vec![ChatMessagePart::text("rules")],
    );
    system.visibility = Visibility::Model;
    let mut summary = row(
        5,
        ChatMessageRole::User,
        vec![ChatMessagePart::text("summary")],
    );
    summary.compressed = true;
    summary.visibility = Visibility::Model;
    let mut note = row(
        6,
        ChatMessageRole::Tool,
        vec![ChatMessagePart::tool_result(
            "s",
            "chat_summarized",
            json!({}),
            false,
        )],
    );
    note.compressed = true;
    let rows = [system, user("old"), summary, note, user("new")];
    let messages = convert(&rows, &Files::new());
    assert_eq!(first(&rows).len(), 1);
    let texts: Vec<&str> = messages.iter().flat_map(Message::texts).collect();
    assert_eq!(texts, ["summary", "new"]);
}

#[test]
fn files_are_text_or_media_or_missed() {
    let id = Uuid::new_v4();
    let rows = [row(
        1,
        ChatMessageRole::User,
        vec![ChatMessagePart::file(id, "image/png", "a.png")],
    )];
    let missing = convert(&rows, &Files::new());
    assert!(
        missing[0]
            .texts()
            .next()
            .unwrap()
            .contains("no longer available")
    );
    let mut file = LoadedFile {
        name: "a".into(),
        media_type: "image/png".into(),
        data: Bytes::from_static(b"x"),
    };
    let media = convert(&rows, &Files::from([(id, file.clone())]));
    assert!(matches!(media[0].parts[0], Part::Media(_)));
    file.media_type = "text/csv".into();
    let text = convert(&rows, &Files::from([(id, file)]));
    assert!(text[0].texts().next().unwrap().contains("attached file"));
}

#[test]
fn empty_texts_and_what_is_for_people_only_are_not_sent() {
    let mut hidden = user("only people");
    hidden.visibility = Visibility::User;
    let rows = [hidden, user("  "), user("x")];
    let messages = convert(&rows, &Files::new());
    assert_eq!(messages.len(), 1);
}
