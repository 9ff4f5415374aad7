//! Which key serves.

use gateway::Options;
use llm::ErrorKind;
use testkit::model::Reply;

use crate::world::World;

#[tokio::test]
async fn a_refused_key_gives_way_to_the_next_and_rests() {
    let world = World::new(&["key-one-0123", "key-two-0123"]).await;
    world.model_server.then(Reply::status(401));
    let (events, error) = world.ask().await;
    assert_eq!(error, None);
    assert!(!events.is_empty());
    assert_eq!(world.shown_keys(), ["key-one-0123", "key-two-0123"]);
    // The refused key rests; the other serves at once.
    world.ask().await;
    assert_eq!(world.shown_keys()[2], "key-two-0123");
    assert!(
        world
            .gateway
            .metrics()
            .render()
            .contains("failover_attempts_total{provider=\"main\"} 1")
    );
}

#[tokio::test]
async fn a_limited_key_comes_back_by_time() {
    let world = World::new(&["key-one-0123", "key-two-0123"]).await;
    world
        .model_server
        .then(Reply::status(429).header("retry-after-ms", "1"));
    world.ask().await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    world.ask().await;
    assert_eq!(
        world.shown_keys(),
        ["key-one-0123", "key-two-0123", "key-one-0123"]
    );
}

#[tokio::test]
async fn when_all_keys_are_down_it_is_said_without_asking() {
    let world = World::new(&["key-one-0123", "key-two-0123"]).await;
    world.model_server.then(Reply::status(401));
    world.model_server.then(Reply::status(401));
    let (_, error) = world.ask().await;
    let error = error.unwrap();
    assert_eq!((error.kind, error.status), (ErrorKind::Auth, 502));
    assert!(!error.retryable && error.retry_after.is_none());
    assert_eq!(error.detail, "all configured keys failed authentication");
    world.ask().await;
    assert_eq!(world.model_server.asked().len(), 2);
}

#[tokio::test]
async fn what_is_not_the_keys_fault_is_not_held_against_it() {
    let world = World::new(&["key-one-0123", "key-two-0123"]).await;
    for status in [400, 403, 500] {
        world.model_server.then(Reply::status(status));
        let (_, error) = world.ask().await;
        assert_eq!(error.unwrap().status, status);
    }
    world.ask().await;
    assert_eq!(world.shown_keys(), ["key-one-0123"; 4]);
}

#[tokio::test]
async fn a_single_key_is_asked_again_and_again() {
    let world = World::new(&["key-one-0123"]).await;
    world.model_server.then(Reply::status(401));
    assert!(world.ask().await.1.is_some());
    assert!(world.ask().await.1.is_none(), "the key works again");
}

#[tokio::test]
async fn the_users_own_key_comes_first_where_it_is_allowed() {
    for allow_byok in [true, false] {
        let options = Options {
            allow_byok,
            ..Options::default()
        };
        let world = World::with(&["key-central-01"], "openai", options).await;
        let who = &world.member.who;
        let tx = world.db.store.begin(who).await.unwrap();
        let sealed = world.seal.seal("key-own-012345").unwrap();
        tx.ai_user_key_set(who, world.member.id, world.provider.id, &sealed)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        world.model_server.then(Reply::status(401));
        let (_, error) = world.ask().await;
        let error = error.unwrap();
        assert_eq!((error.kind, error.status), (ErrorKind::Auth, 401));
        let (key, kind) = if allow_byok {
            ("key-own-012345", "byok")
        } else {
            ("key-central-01", "centralized")
        };
        assert_eq!(world.shown_keys(), [key]);
        let stored: String = world
            .one("SELECT credential_kind FROM aibridge_interceptions")
            .await;
        assert_eq!(stored, kind);
    }
}

#[tokio::test]
async fn without_a_key_it_is_said_which_is_missing() {
    let world = World::new(&[]).await;
    let (_, error) = world.ask().await;
    assert_eq!(error.unwrap().kind, ErrorKind::MissingKey);
    assert!(world.model_server.asked().is_empty());
    // Self-hosted servers need none.
    let world = World::with(&[], "openai-compat", Options::default()).await;
    assert!(world.ask().await.1.is_none());
    assert_eq!(world.model_server.last().header("authorization"), None);
}

#[tokio::test]
async fn what_was_switched_off_is_not_called() {
    let world = World::new(&["key-one-0123"]).await;
    let store = &world.db.store;
    store
        .execute("UPDATE ai_providers SET enabled = false", &[])
        .await
        .unwrap();
    let (_, error) = world.ask().await;
    assert_eq!(error.unwrap().kind, ErrorKind::ProviderDisabled);
    let looked_up = world
        .gateway
        .model(&world.member.who, world.organization, world.model.id)
        .await;
    assert_eq!(looked_up.unwrap_err().kind, ErrorKind::ProviderDisabled);
    assert!(world.model_server.asked().is_empty());
}

#[tokio::test]
async fn models_are_for_those_who_may_read_them() {
    let world = World::new(&["key-one-0123"]).await;
    let (who, organization) = (&world.member.who, world.organization);
    let default = world.gateway.default_model(who, organization).await;
    assert_eq!(default.unwrap().unwrap().id, world.model.id);
    world
        .db
        .store
        .execute("UPDATE chat_model_configs SET group_acl = '{}'", &[])
        .await
        .unwrap();
    let default = world.gateway.default_model(who, organization).await;
    assert!(default.unwrap().is_none());
    let read = world.gateway.model(who, organization, world.model.id).await;
    assert_eq!(read.unwrap_err().kind, ErrorKind::Config);
    let owner = world
        .gateway
        .model(&world.owner.who, organization, world.model.id)
        .await;
    assert!(owner.is_ok());
}

#[tokio::test]
async fn a_restart_holds_nothing_against_a_key() {
    let mut world = World::new(&["key-one-0123", "key-two-0123"]).await;
    world.model_server.then(Reply::status(401));
    assert_eq!(world.ask().await.1, None);
    assert_eq!(world.shown_keys(), ["key-one-0123", "key-two-0123"]);
    let http = llm::Http::new("coder-agents/test").unwrap();
    let (store, seal) = (world.db.store.clone(), world.seal.clone());
    world.gateway = gateway::Gateway::new(store, seal, http, gateway::Options::default());
    assert_eq!(world.ask().await.1, None);
    assert_eq!(world.shown_keys()[2], "key-one-0123");
}
