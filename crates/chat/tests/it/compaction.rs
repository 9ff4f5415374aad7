//! Summaries: by threshold, on demand, and never in a loop.

use api_types::ChatStatus;
use chat::machine::{MachineError, Op};
use llm::{Event, Usage};
use serde_json::json;

use crate::world::without_worker;

#[tokio::test]
async fn a_full_context_is_summarized_before_the_next_call() {
    let mut world = without_worker(1000).await;
    world.start_worker().await;
    world.summary("we did x");
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    asked.event(Event::ToolCallEnd(llm::ToolCall {
        id: "a".into(),
        name: "no_such_tool".into(),
        args: json!({}).to_string(),
        provider_executed: false,
        metadata: llm::Metadata::default(),
    }));
    let used = Usage {
        input_tokens: 900,
        ..Usage::default()
    };
    asked.event(Event::Usage(used));
    asked.event(Event::Finish {
        reason: llm::FinishReason::ToolCalls,
        provider_response_id: String::new(),
    });
    let asked = world.asked().await;
    let texts: Vec<&str> = asked
        .request
        .messages
        .iter()
        .flat_map(llm::Message::texts)
        .collect();
    assert!(texts.last().unwrap().contains("we did x"), "{texts:?}");
    assert!(
        !texts.contains(&"hi"),
        "what the summary stands for is gone"
    );
    assert!(texts.contains(&"be good"), "instructions stay");
    // Nothing that a tool answered is lost: it was there to be summarized, and people keep it.
    let summarized = world.summarized();
    assert_eq!(summarized.len(), 1);
    assert!(
        summarized[0].contains("There is no tool"),
        "{}",
        summarized[0]
    );
    let said = world.said(chat).await;
    assert!(said.contains(&"tool a failed".to_owned()), "{said:?}");
    // Still too full: it is told, not tried again and again.
    asked.event(Event::ToolCallEnd(llm::ToolCall {
        id: "b".into(),
        name: "no_such_tool".into(),
        args: String::new(),
        provider_executed: false,
        metadata: llm::Metadata::default(),
    }));
    asked.event(Event::Usage(used));
    asked.event(Event::Finish {
        reason: llm::FinishReason::ToolCalls,
        provider_response_id: String::new(),
    });
    let row = world.until(chat, ChatStatus::Error).await;
    assert_eq!(row.last_error.unwrap().kind.as_str(), "config");
    let said = world.said(chat).await;
    assert!(said.contains(&"assistant calls chat_summarized".to_owned()));
    assert_eq!(
        world.summarized().len(),
        1,
        "no second summary was asked for"
    );
}

#[tokio::test]
async fn a_conversation_that_grew_too_long_is_rescued_as_often_as_it_grows() {
    let mut world = without_worker(0).await;
    world.start_worker().await;
    world.summary("we did x");
    let chat = world.create("hi").await;
    let too_long = || {
        llm::Error::new(llm::ErrorKind::Config, "no")
            .detail("input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000")
    };
    for rescued in 1..=2 {
        for call in ["a", "b"] {
            let id = format!("{call}{rescued}");
            let asked = world.asked().await;
            asked.tools(&[(&id, "no_such_tool", json!({}))]);
        }
        world.asked().await.fail(too_long());
    }
    // A summary that does not fit itself is told of.
    world.asked().await.fail(too_long());
    world.until(chat, ChatStatus::Error).await;
    assert_eq!(world.summarized().len(), 2);
}

#[tokio::test]
async fn a_summary_on_demand_asks_the_model_nothing_more() {
    let mut world = without_worker(1000).await;
    world.start_worker().await;
    world.summary("short");
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    let busy = world.apply(chat, Op::RequestCompaction).await;
    assert!(matches!(busy, Err(MachineError::NotAllowed(_))));
    asked.say("hello");
    world.until(chat, ChatStatus::Waiting).await;
    world.apply(chat, Op::RequestCompaction).await.unwrap();
    let row = world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(row.compaction_requested_at, None);
    let again = world.apply(chat, Op::RequestCompaction).await;
    assert!(matches!(again, Err(MachineError::NothingToCompact)));
    assert!(world.asked.try_recv().is_err());
    world.send(chat, "more", false).await;
    let asked = world.asked().await;
    let texts: Vec<String> = asked
        .request
        .messages
        .iter()
        .flat_map(|m| m.texts().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    asked.say("x");
    world.until(chat, ChatStatus::Waiting).await;
}

#[tokio::test]
async fn what_is_cleared_stays_with_people() {
    let mut world = without_worker(1000).await;
    world.start_worker().await;
    let chat = world.create("secret plan").await;
    world.asked().await.say("ok");
    world.until(chat, ChatStatus::Waiting).await;
    world.apply(chat, Op::Clear).await.unwrap();
    assert!(
        world
            .said(chat)
            .await
            .contains(&"user: secret plan".to_owned())
    );
    world.send(chat, "next", false).await;
    let asked = world.asked().await;
    assert!(
        asked
            .request
            .messages
            .iter()
            .all(|m| m.texts().all(|t| t != "secret plan"))
    );
    asked.say("x");
    world.until(chat, ChatStatus::Waiting).await;
}
