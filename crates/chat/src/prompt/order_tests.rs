//! The order in which a model is told things.

use api_types::{ChatMessagePart, ChatMessageRole};
use store::chats::{ChatRow, Visibility};

use super::convert::tests::row;
use super::*;

fn around() -> Surroundings {
    Surroundings {
        workspace: Some("[workspace]".into()),
        skills: Some("[skills]".into()),
        user_prompt: Some("[user]".into()),
        plan_instructions: Some("[plan of administrators]".into()),
        guidance: vec!["[guidance]"],
    }
}

fn told(chat: &ChatRow) -> Vec<String> {
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
    assemble(chat, &[system, own, asked], &Files::new(), &around())
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
fn all_in_the_order_that_is_stated() {
    let mut chat = ChatRow::for_tests();
    chat.plan_mode = "plan".into();
    let plan = told(&chat);
    let order = [
        "[deployment]",
        "[chat]",
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
    let order = [CHILD, "[workspace]", "[user]", EXPLORE, "[question]"];
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
