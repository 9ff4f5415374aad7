//! The order in which a model is told things.

use api_types::{ChatMessagePart, ChatMessageRole};
use store::chats::{ChatRow, Visibility};

use super::convert::tests::row;
use super::*;

/// A root chat that runs.
fn chat() -> ChatRow {
    let (id, now) = (uuid::Uuid::nil(), chrono::Utc::now());
    ChatRow {
        id,
        owner_id: id,
        organization_id: id,
        owner_username: String::new(),
        owner_name: String::new(),
        workspace_id: None,
        build_id: None,
        agent_id: None,
        parent_chat_id: None,
        root_chat_id: None,
        title: String::new(),
        status: api_types::ChatStatus::Running,
        worker_id: None,
        runner_id: None,
        created_at: now,
        updated_at: now,
        last_model_config_id: id,
        last_reasoning_effort: None,
        archived: false,
        last_error: None,
        mode: None,
        plan_mode: String::new(),
        client_type: "api".into(),
        mcp_server_ids: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        pin_order: 0,
        last_read_message_id: 0,
        dynamic_tools: Vec::new(),
        last_turn_summary: None,
        summary: None,
        snapshot_version: 1,
        history_version: 1,
        queue_version: 0,
        generation_attempt: 1,
        retry_state_version: 0,
        retry_state: None,
        requires_action_deadline_at: None,
        compaction_requested_at: None,
        context_dirty_since: None,
        context_known: false,
        context_error: String::new(),
        user_acl: authz::AccessList::default(),
        group_acl: authz::AccessList::default(),
        queued: 0,
        has_unread: false,
    }
}

fn around() -> Surroundings {
    Surroundings {
        template: Some("[template]".into()),
        workspace: Some("[workspace]".into()),
        skills: Some("[skills]".into()),
        user_prompt: Some("[user]".into()),
        plan_instructions: Some("[plan of administrators]".into()),
        guidance: vec!["[guidance]"],
    }
}

/// What a chat begins with, and a question.
fn rows() -> [store::chats::ChatMessageRow; 3] {
    let mut system = row(
        1,
        ChatMessageRole::System,
        vec![ChatMessagePart::text("[deployment]")],
    );
    system.visibility = Visibility::Model;
    let mut own = row(
        2,
        ChatMessageRole::System,
        vec![ChatMessagePart::text("[chat]")],
    );
    own.visibility = Visibility::Model;
    let asked = row(
        3,
        ChatMessageRole::User,
        vec![ChatMessagePart::text("[question]")],
    );
    [system, own, asked]
}

fn told(chat: &ChatRow) -> Vec<String> {
    assemble(chat, &rows(), &Files::new(), &around())
        .iter()
        .map(|message| message.texts().collect::<String>())
        .collect()
}

fn at(told: &[String], what: &str) -> usize {
    let found: Vec<usize> = (0..told.len())
        .filter(|n| told[*n].contains(what))
        .collect();
    assert_eq!(found.len(), 1, "{what} in {told:#?}");
    found[0]
}

#[test]
fn each_is_told_with_its_source() {
    let mut first = rows();
    first[0].content[0].name = "deployment".into();
    let all = instructions(&chat(), &first, &around());
    let sources: Vec<&str> = all.iter().map(|one| one.source.as_str()).collect();
    // The second was written before there were names.
    let order = [
        "deployment",
        "chat",
        "template",
        "workspace",
        "skills",
        "user",
        "tools",
    ];
    assert_eq!(sources, order);
    let first = first_instructions("own", false, "of us all", "", true);
    let texts: Vec<(&str, &str)> = first
        .iter()
        .map(|one| (one.source.as_str(), one.text.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            ("deployment", "own"),
            ("organization", "of us all"),
            ("chat", ""),
            ("workspace", WORKSPACE)
        ]
    );
}

#[test]
fn all_in_the_order_that_is_stated() {
    let mut chat = chat();
    chat.plan_mode = "plan".into();
    let plan = told(&chat);
    let order = [
        "[deployment]",
        "[chat]",
        "[template]",
        "[workspace]",
        "[skills]",
        "[user]",
        PLAN,
        "The plan file is",
        "[plan of administrators]",
        "[guidance]",
        "[question]",
    ];
    let places: Vec<usize> = order.iter().map(|what| at(&plan, what)).collect();
    assert!(places.is_sorted(), "{places:?}: {plan:#?}");
    assert_eq!(plan.len(), order.len());

    // A helper that looks around is told nothing of plans and other tools.
    chat.parent_chat_id = Some(uuid::Uuid::nil());
    chat.mode = Some("explore".into());
    let explore = told(&chat);
    let order = [
        CHILD,
        "[template]",
        "[workspace]",
        "[user]",
        EXPLORE,
        "[question]",
    ];
    let places: Vec<usize> = order.iter().map(|what| at(&explore, what)).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(
        !explore
            .iter()
            .any(|text| text.contains("[guidance]") || text.contains(PLAN))
    );

    // A helper that plans has no plan file, and not the administrators' instructions for it.
    chat.mode = None;
    let helper = told(&chat);
    at(&helper, PLAN);
    assert!(
        !helper
            .iter()
            .any(|text| text.contains("The plan file") || text.contains("[plan of"))
    );
}
