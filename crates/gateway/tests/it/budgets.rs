//! Budgets are enforced before a call.

use std::time::Duration;

use futures::StreamExt;
use gateway::{Gateway, Options};
use llm::{ErrorKind, Http, Request};
use store::ai::Prices;
use store::groups::GroupRef;
use testkit::model::{Reply, Say};
use tokio_util::sync::CancellationToken;

use crate::world::{World, question};

async fn spend(world: &World, group: uuid::Uuid, micros: i64) {
    world
        .db
        .store
        .execute(
            "INSERT INTO ai_user_daily_spend VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date, $3)",
            &[&world.member.id, &group, &micros],
        )
        .await
        .unwrap();
}

async fn group_budget(world: &World, group: uuid::Uuid, limit: i64) {
    let who = &world.owner.who;
    let tx = world.db.store.begin(who).await.unwrap();
    let group = tx.group_read(who, GroupRef::Id(group)).await.unwrap();
    tx.group_ai_budget_set(who, &group, limit).await.unwrap();
    tx.commit().await.unwrap();
}

async fn new_group(world: &World, name: &str) -> uuid::Uuid {
    let id = uuid::Uuid::new_v4();
    for (sql, second) in [
        (
            "INSERT INTO groups (id, organization_id, name) VALUES ($1, $2, $3)",
            name.to_owned(),
        ),
        (
            "INSERT INTO group_members (group_id, organization_id, user_id) \
             VALUES ($1, $2, $3::text::uuid)",
            world.member.id.to_string(),
        ),
    ] {
        world
            .db
            .store
            .execute(sql, &[&id, &world.organization, &second])
            .await
            .unwrap();
    }
    id
}

async fn refused(world: &World) -> bool {
    let asked = world.model_server.asked().len();
    match world.ask().await.1 {
        None => false,
        Some(error) => {
            assert_eq!((error.kind, error.status), (ErrorKind::UsageLimit, 403));
            assert!(!error.retryable && error.message.contains("budget"));
            assert_eq!(world.model_server.asked().len(), asked, "nobody was asked");
            true
        }
    }
}

#[tokio::test]
async fn the_highest_group_counts_and_an_override_wins() {
    let world = World::new(&["key-one-0123"]).await;
    let everyone = world.organization;
    assert!(!refused(&world).await, "no budget, no limit");
    group_budget(&world, everyone, 100).await;
    spend(&world, everyone, 99).await;
    assert!(!refused(&world).await, "below the limit");
    world
        .db
        .store
        .execute("UPDATE ai_user_daily_spend SET spend_micros = 100", &[])
        .await
        .unwrap();
    assert!(refused(&world).await, "at the limit");
    // A group with more: spending is counted for it from now on.
    let rich = new_group(&world, "rich").await;
    group_budget(&world, rich, 1000).await;
    assert!(!refused(&world).await);
    spend(&world, rich, 1000).await;
    assert!(refused(&world).await);
    // The user's own budget wins over both, also downwards.
    let who = &world.owner.who;
    let tx = world.db.store.begin(who).await.unwrap();
    let group = tx.group_read(who, GroupRef::Id(rich)).await.unwrap();
    tx.user_ai_budget_set(who, world.member.id, &group, 5000)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(!refused(&world).await);
    // Who leaves the group loses the override that was counted for it.
    world
        .db
        .store
        .execute("DELETE FROM group_members WHERE group_id = $1", &[&rich])
        .await
        .unwrap();
    assert!(refused(&world).await, "back to everyone's limit");
}

#[tokio::test]
async fn last_months_spending_is_over() {
    let world = World::new(&["key-one-0123"]).await;
    group_budget(&world, world.organization, 100).await;
    spend(&world, world.organization, 100).await;
    world
        .db
        .store
        .execute(
            "UPDATE ai_user_daily_spend SET day = \
             (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 day')::date",
            &[],
        )
        .await
        .unwrap();
    assert!(!refused(&world).await);
}

/// Prices by which [`asking`] costs [`BOUND`] at most.
async fn price(world: &World) {
    let tx = world.db.store.begin(&world.owner.who).await.unwrap();
    let prices = Prices {
        input: Some(1_000_000),
        output: Some(8_000_000),
        cache_read: None,
        cache_write: Some(2_000_000),
    };
    tx.ai_price_set(&world.owner.who, "custom", &[("openai", "gpt-4.1", prices)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// 1,000 tokens written, 33 read at the price of cache writes.
const BOUND: i64 = 8066;

fn asking() -> Request {
    Request {
        max_output_tokens: Some(1000),
        ..question()
    }
}

async fn nothing_reserved(world: &World) {
    loop {
        let sql = "SELECT count(*) FROM ai_budget_reservations";
        if world.one::<i64>(sql).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn calls_at_the_same_time_share_what_is_left() {
    let world = World::new(&["key-one-0123"]).await;
    price(&world).await;
    group_budget(&world, world.organization, 3 * BOUND).await;
    // Answers that never end: what they may cost stays reserved.
    world
        .model_server
        .otherwise(|_| Reply::text("one two three").hang_after(4));
    // Another replica, over the same database.
    let http = Http::new("coder-agents/test").unwrap();
    let options = Options::default();
    let other = Gateway::new(world.db.store.clone(), world.seal.clone(), http, options);
    let begun = (0..12).map(|n| {
        let gateway = if n % 2 == 0 { &world.gateway } else { &other };
        let mut stream = gateway.stream(world.call(), asking(), CancellationToken::new());
        async move {
            let first = stream.next().await.unwrap();
            first.map(|_| stream)
        }
    });
    let begun = futures::future::join_all(begun).await;
    let (served, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
    assert_eq!(served.len(), 3);
    assert_eq!(world.model_server.asked().len(), 3);
    for refused in refused {
        let error = refused.err().unwrap();
        assert_eq!((error.kind, error.status), (ErrorKind::RateLimit, 429));
        assert!(error.retryable && error.retry_after.is_some(), "{error:?}");
        assert!(error.message.contains("budget"), "{error}");
    }
    // Given up, they cost nothing: all of it is there again.
    drop(served);
    nothing_reserved(&world).await;
    world.model_server.otherwise(|_| Reply::text("done"));
    let mut stream = world
        .gateway
        .stream(world.call(), asking(), CancellationToken::new());
    while let Some(event) = stream.next().await {
        event.unwrap();
    }
    nothing_reserved(&world).await;
}

#[tokio::test]
async fn many_calls_overshoot_by_no_more_than_one() {
    let world = World::new(&["key-one-0123"]).await;
    price(&world).await;
    let limit = 20_000;
    group_budget(&world, world.organization, limit).await;
    // Each costs all that it may: 33 tokens read and 1,000 written.
    world
        .model_server
        .otherwise(|_| Reply::say([Say::text("x"), Say::Usage(33, 1000, 0)]));
    let one = async || {
        for _ in 0..4 {
            let mut stream = world
                .gateway
                .stream(world.call(), asking(), CancellationToken::new());
            while let Some(event) = stream.next().await {
                if event.is_err() {
                    break;
                }
            }
        }
    };
    futures::future::join_all((0..6).map(|_| one())).await;
    let spent: i64 = world
        .one("SELECT sum(spend_micros)::bigint FROM ai_user_daily_spend")
        .await;
    assert!(spent >= limit - BOUND, "the budget is used: {spent}");
    assert!(spent < limit + BOUND, "and no more than that: {spent}");
    let rendered = world.gateway.metrics().render();
    assert!(
        rendered.contains("coder_ai_gateway_budget_refusals_total"),
        "{rendered}"
    );
}

#[tokio::test]
async fn what_a_dead_server_reserved_is_free_again() {
    let world = World::new(&["key-one-0123"]).await;
    price(&world).await;
    group_budget(&world, world.organization, BOUND).await;
    let reserve = "INSERT INTO ai_budget_reservations VALUES (gen_random_uuid(), $1, $2, 1000000, \
                   now() + $3::text::interval)";
    let everyone = world.organization;
    for (left, free) in [("1 minute", false), ("-1 minute", true)] {
        let store = &world.db.store;
        store
            .execute("DELETE FROM ai_budget_reservations", &[])
            .await
            .unwrap();
        store
            .execute(reserve, &[&world.member.id, &everyone, &left])
            .await
            .unwrap();
        let mut stream = world
            .gateway
            .stream(world.call(), asking(), CancellationToken::new());
        assert_eq!(stream.next().await.unwrap().is_ok(), free, "{left}");
    }
}
