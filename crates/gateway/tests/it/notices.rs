//! Who is told of budgets that end, when and how often.

use futures::StreamExt;
use llm::Request;
use store::ai::Prices;
use store::notifications::InboxFilter;
use testkit::model::{Reply, Say};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{World, question};

/// A token costs a dollar of a thousand; each call writes 100 of them.
const COST: i64 = 100_000;

async fn world(limit: i64) -> World {
    let world = World::new(&["key-one-0123"]).await;
    let tx = world.db.store.begin(&world.owner.who).await.unwrap();
    let prices = Prices {
        input: Some(0),
        output: Some(1_000_000_000),
        cache_read: Some(0),
        cache_write: Some(0),
    };
    tx.ai_price_set(&world.owner.who, "custom", &[("openai", "gpt-4.1", prices)])
        .await
        .unwrap();
    let sql = "INSERT INTO group_ai_budgets (group_id, spend_limit_micros) VALUES ($1, $2)";
    tx.execute(sql, &[&world.organization, &limit])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world
        .model_server
        .otherwise(|_| Reply::say([Say::text("x"), Say::Usage(10, 100, 0)]));
    world
}

/// A call that may cost no more than it does.
async fn spend(world: &World) {
    let request = Request {
        max_output_tokens: Some(100),
        ..question()
    };
    let mut stream = world
        .gateway
        .stream(world.call(), request, CancellationToken::new());
    while let Some(event) = stream.next().await {
        event.unwrap();
    }
}

/// Titles in someone's inbox, the oldest first.
async fn told(world: &World, who: &testkit::TestUser) -> Vec<String> {
    let conn = world.db.store.conn().await.unwrap();
    let rows = conn
        .inbox_list(&who.who, who.id, &InboxFilter::default())
        .await
        .unwrap();
    rows.into_iter().rev().map(|row| row.title).collect()
}

#[tokio::test]
async fn the_person_and_administrators_are_told_once_of_each_line() {
    let world = world(10 * COST).await;
    let helper = testkit::user(&world.db, "helper", &["user-admin"]).await;
    let bystander = testkit::user(&world.db, "bystander", &["auditor"]).await;
    let mut notices = world.gateway.notices();
    for _ in 0..8 {
        spend(&world).await;
    }
    assert_eq!(told(&world, &world.member).await, [""; 0]);
    spend(&world).await;
    let near = "85% of your AI budget is used";
    assert_eq!(told(&world, &world.member).await, [near]);
    spend(&world).await;
    let member = told(&world, &world.member).await;
    assert_eq!(member, [near, "Your AI budget is used up"]);
    for administrator in [&world.owner, &helper] {
        assert_eq!(
            told(&world, administrator).await,
            [
                "member has used 85% of an AI budget",
                "member has used up an AI budget"
            ]
        );
    }
    assert!(told(&world, &bystander).await.is_empty());
    // Whoever passes them on hears of each, once it stands.
    let mut heard = Vec::new();
    while let Ok(notice) = notices.try_recv() {
        heard.push((notice.user, notice.title));
    }
    assert_eq!(heard.len(), 6);
    assert_eq!(heard[0], (world.member.id, near.to_owned()));
    let body: String = world
        .one(&format!(
            "SELECT content FROM inbox_notifications WHERE user_id = '{}' ORDER BY created_at LIMIT 1",
            world.owner.id
        ))
        .await;
    for part in ["member", "$1.00", "Everyone", "85% or more"] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn one_call_may_cross_both_lines() {
    let world = world(COST / 2).await;
    spend(&world).await;
    assert_eq!(told(&world, &world.member).await.len(), 2);
}

#[tokio::test]
async fn calls_at_the_same_time_tell_once() {
    let world = world(12 * COST).await;
    futures::future::join_all((0..12).map(|_| spend(&world))).await;
    assert_eq!(told(&world, &world.member).await.len(), 2);
}

#[tokio::test]
async fn who_does_not_want_to_be_told_is_not() {
    let world = world(COST).await;
    let warning = api_types::AI_BUDGET_WARNING.id;
    let conn = world.db.store.conn().await.unwrap();
    conn.notification_preference_set(&world.member.who, world.member.id, warning, true)
        .await
        .unwrap();
    drop(conn);
    spend(&world).await;
    let member = told(&world, &world.member).await;
    assert_eq!(member, ["Your AI budget is used up"]);
    assert_eq!(told(&world, &world.owner).await.len(), 2);
}

#[tokio::test]
async fn an_inbox_is_its_owners_and_bounded() {
    let world = world(COST).await;
    spend(&world).await;
    let conn = world.db.store.conn().await.unwrap();
    let (member, stranger) = (
        &world.member,
        testkit::user(&world.db, "stranger", &[]).await,
    );
    let all = InboxFilter::default();
    assert!(
        conn.inbox_list(&stranger.who, member.id, &all)
            .await
            .is_err()
    );
    let id = conn.inbox_list(&member.who, member.id, &all).await.unwrap()[0].id;
    assert!(
        conn.inbox_read(&stranger.who, stranger.id, id)
            .await
            .is_err()
    );
    assert!(
        conn.inbox_mark(&stranger.who, member.id, id, true)
            .await
            .is_err()
    );
    let fill = "INSERT INTO inbox_notifications (id, user_id, template_id, targets, title, content, \
                icon, created_at) SELECT gen_random_uuid(), $1, $2, '{}', 'old', '', '', \
                now() - interval '1 day' FROM generate_series(1, 1200)";
    conn.execute(fill, &[&member.id, &Uuid::nil()])
        .await
        .unwrap();
    drop(conn);
    let sql = "UPDATE group_ai_budgets SET spend_limit_micros = 2 * spend_limit_micros";
    world.db.store.execute(sql, &[]).await.unwrap();
    spend(&world).await;
    let kept = "SELECT count(*) FROM inbox_notifications WHERE title = 'old'";
    let kept: i64 = world.one(kept).await;
    assert_eq!(kept, 1000 - 4);
}

#[tokio::test]
async fn what_a_call_of_someone_who_went_cost_is_recorded() {
    let world = world(COST).await;
    // The person goes while the model answers.
    let conn = world.db.store.conn().await.unwrap();
    for sql in [
        "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         UPDATE users SET deleted = true WHERE id = NEW.initiator_id; RETURN NULL; END $$",
        "CREATE TRIGGER gone AFTER UPDATE OF ended_at ON aibridge_interceptions FOR EACH ROW \
         EXECUTE FUNCTION gone()",
    ] {
        conn.execute(sql, &[]).await.unwrap();
    }
    drop(conn);
    spend(&world).await;
    assert!(told(&world, &world.owner).await.is_empty());
    let spent = "SELECT sum(spend_micros)::bigint FROM ai_user_daily_spend";
    assert_eq!(world.one::<i64>(spent).await, COST);
    let open = "SELECT count(*) FROM aibridge_interceptions WHERE ended_at IS NULL";
    assert_eq!(world.one::<i64>(open).await, 0);
    let reserved = "SELECT count(*) FROM ai_budget_reservations";
    assert_eq!(world.one::<i64>(reserved).await, 0);
}
