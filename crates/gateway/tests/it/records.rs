//! What is written of a call.

use futures::StreamExt;
use llm::Event;
use store::ai::Prices;
use testkit::model::{Reply, Say};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{World, question};

async fn price(world: &World) {
    let tx = world.db.store.begin(&world.owner.who).await.unwrap();
    let prices = Prices {
        input: Some(2_000_000),
        output: Some(8_000_000),
        cache_read: Some(500_000),
        cache_write: None,
    };
    tx.ai_price_set(&world.owner.who, "custom", &[("openai", "gpt-4.1", prices)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn tokens_cost_tools_and_who() {
    let world = World::new(&["key-one-0123456789abc"]).await;
    price(&world).await;
    world.model_server.then(Reply::say([
        Say::call("c1", "execute", r#"{"command":"ls"}"#),
        Say::Usage(100, 20, 40),
    ]));
    let mut call = world.call();
    let parent = Uuid::new_v4();
    call.parent = Some(parent);
    let chat = call.chat;
    let (events, error) = world.ask_as(call).await;
    assert_eq!(error, None);
    assert!(matches!(events.last(), Some(Event::Finish { .. })));
    let row = world
        .db
        .store
        .query_one(
            "SELECT i.initiator_id, i.provider, i.provider_name, i.model, i.client, \
             i.session_id, i.credential_hint, i.ended_at IS NOT NULL, i.error_type, \
             t.input_tokens, t.output_tokens, t.cache_read_input_tokens, t.cost_micros, \
             t.effective_group_id, u.tool, u.input \
             FROM aibridge_interceptions i \
             JOIN aibridge_token_usages t ON t.interception_id = i.id \
             JOIN aibridge_tool_usages u ON u.interception_id = i.id",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, Uuid>(0), world.member.id);
    let texts: Vec<String> = (1..=6).map(|n| row.get(n)).collect();
    assert_eq!(
        texts,
        [
            "openai",
            "main",
            "gpt-4.1",
            "Coder Agents",
            &parent.to_string(),
            "key-...9abc"
        ]
    );
    assert!(row.get::<_, bool>(7));
    assert_eq!(row.get::<_, Option<String>>(8), None);
    let numbers: Vec<i64> = (9..=12).map(|n| row.get(n)).collect();
    // 60 × 2 + 20 × 8 + 40 × 0.5
    assert_eq!(numbers, [60, 20, 40, 300]);
    assert_eq!(row.get::<_, Uuid>(13), world.organization);
    assert_eq!(row.get::<_, String>(14), "execute");
    assert_eq!(row.get::<_, String>(15), r#"{"command":"ls"}"#);
    let spent: i64 = world
        .one("SELECT spend_micros FROM ai_user_daily_spend")
        .await;
    assert_eq!(spent, 300);
    // The provider can tell chats apart.
    let asked = world.model_server.last();
    assert_eq!(asked.header("x-coder-chat-id"), Some(&*parent.to_string()));
    assert_eq!(asked.header("x-coder-subchat-id"), Some(&*chat.to_string()));
    let owner = world.member.id.to_string();
    assert_eq!(asked.header("x-coder-owner-id"), Some(&*owner));
    let usage = llm::Usage {
        input_tokens: 1_000_000,
        ..llm::Usage::default()
    };
    assert_eq!(
        world.gateway.price("openai", "gpt-4.1", &usage),
        Some(2_000_000)
    );
}

#[tokio::test]
async fn without_a_price_the_cost_is_unknown_and_nothing_is_charged() {
    let world = World::new(&["key-one-0123"]).await;
    world.ask().await;
    let cost: Option<i64> = world
        .one("SELECT cost_micros FROM aibridge_token_usages")
        .await;
    assert_eq!(cost, None);
    let days: i64 = world.one("SELECT count(*) FROM ai_user_daily_spend").await;
    assert_eq!(days, 0);
}

#[tokio::test]
async fn failures_are_recorded_with_their_kind() {
    let world = World::new(&["key-one-0123"]).await;
    world.model_server.then(Reply::status(529));
    world.ask().await;
    let kind: String = world
        .one("SELECT error_type FROM aibridge_interceptions")
        .await;
    assert_eq!(kind, "overloaded");
}

#[tokio::test]
async fn a_caller_who_goes_away_is_recorded() {
    let world = World::new(&["key-one-0123"]).await;
    world
        .model_server
        .then(Reply::say([Say::text("one")]).hang_after(4));
    let mut stream = world
        .gateway
        .stream(world.call(), question(), CancellationToken::new());
    assert!(matches!(
        stream.next().await,
        Some(Ok(Event::TextDelta { .. }))
    ));
    drop(stream);
    let ended = "SELECT error_type FROM aibridge_interceptions WHERE ended_at IS NOT NULL";
    loop {
        if let Some(row) = world.db.store.query_opt(ended, &[]).await.unwrap() {
            assert_eq!(row.get::<_, String>(0), "interrupted");
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn whole_answers_are_recorded_too() {
    let world = World::new(&["key-one-0123"]).await;
    world.model_server.then(Reply::text("A title"));
    let answer = world
        .gateway
        .complete(world.call(), question(), CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(answer.text(), "A title");
    assert_eq!(world.model_server.last().body.get("stream"), None);
    let tokens: i64 = world
        .one("SELECT output_tokens FROM aibridge_token_usages")
        .await;
    assert_eq!(tokens, 20);
}

#[tokio::test]
async fn keys_are_sealed_at_rest_and_never_logged_in_records() {
    let world = World::new(&["key-one-0123456789abc"]).await;
    world.model_server.then(Reply::error(
        400,
        serde_json::json!({"error": {"message": "you sent key-one-0123456789abc"}}),
    ));
    let (_, error) = world.ask().await;
    let shown = format!("{:?}", error.unwrap());
    assert!(!shown.contains("key-one-0123456789abc"), "{shown}");
    for table in ["ai_provider_keys", "aibridge_interceptions"] {
        let rows: Option<String> = world
            .one(&format!("SELECT string_agg(t::text, ' ') FROM {table} t"))
            .await;
        assert!(!rows.unwrap().contains("key-one-0123456789abc"), "{table}");
    }
}
