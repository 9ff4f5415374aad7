//! Budgets are enforced before a call.

use llm::ErrorKind;
use store::groups::GroupRef;

use crate::world::World;

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
