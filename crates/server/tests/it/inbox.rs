//! What people are told: kept, read, live, and only for those it is for.

use api_types::{
    AI_BUDGET_REACHED, AI_BUDGET_WARNING, GetInboxNotificationResponse,
    ListInboxNotificationsResponse, NotificationTemplate,
};
use authz::{Subject, System};
use client::Client;
use http::Method;
use serde_json::{Value, json};
use store::notifications::NewNotice;
use uuid::Uuid;

use crate::world::{World, world};

const INBOX: &str = "/api/v2/notifications/inbox";
const PREFERENCES: &str = "/api/v2/users/me/notifications/preferences";

async fn tell(world: &World, user: Uuid, template: Uuid, target: Uuid, title: &str) -> bool {
    let who = Subject::system(System::Gateway);
    let tx = world.db.store.begin(&who).await.unwrap();
    let notice = NewNotice {
        template,
        targets: &[target],
        title,
        content: "so it is",
        icon: "DEFAULT_ICON_OTHER",
    };
    let told = tx.inbox_add(&who, user, &notice).await.unwrap();
    tx.commit().await.unwrap();
    told
}

async fn inbox(api: &Client, query: &str) -> ListInboxNotificationsResponse {
    let path = format!("{INBOX}?{query}");
    api.call(Method::GET, &path).decode().await.unwrap()
}

fn titles(list: &ListInboxNotificationsResponse) -> Vec<&str> {
    let titles = list.notifications.iter().map(|n| n.title.as_str());
    titles.collect()
}

async fn status(api: &Client, method: Method, path: &str, body: &Value) -> u16 {
    match api.call(method, path).json(body).done().await {
        Ok(()) => 200,
        Err(error) => error.status().unwrap().as_u16(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_kept_filtered_and_marked() {
    let world = world().await;
    let (api, me) = (world.client(), world.owner.id);
    let (warning, reached) = (AI_BUDGET_WARNING.id, AI_BUDGET_REACHED.id);
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    tell(&world, me, warning, one, "first").await;
    tell(&world, me, reached, two, "second").await;
    let all = inbox(&api, "").await;
    assert_eq!(
        (titles(&all), all.unread_count),
        (vec!["second", "first"], 2)
    );
    let by_kind = inbox(&api, &format!("templates={warning},{one}")).await;
    assert_eq!(titles(&by_kind), ["first"]);
    assert_eq!(
        titles(&inbox(&api, &format!("targets={two}")).await),
        ["second"]
    );
    let both = inbox(&api, &format!("targets={one},{two}")).await;
    assert_eq!(titles(&both), [""; 0]);
    let newest = all.notifications[0].id;
    let before = inbox(&api, &format!("starting_before={newest}")).await;
    assert_eq!(titles(&before), ["first"]);
    for bad in ["read_status=maybe", "targets=x", "starting_before=x"] {
        let path = format!("{INBOX}?{bad}");
        assert_eq!(
            status(&api, Method::GET, &path, &Value::Null).await,
            400,
            "{bad}"
        );
    }
    // Read, unread, all read.
    let mark = format!("{INBOX}/{newest}/read-status");
    let read = api
        .call(Method::PUT, &mark)
        .json(&json!({ "is_read": true }));
    let read: GetInboxNotificationResponse = read.decode().await.unwrap();
    assert!(read.notification.read_at.is_some() && read.unread_count == 1);
    assert_eq!(titles(&inbox(&api, "read_status=unread").await), ["first"]);
    assert_eq!(titles(&inbox(&api, "read_status=read").await), ["second"]);
    let unread = api
        .call(Method::PUT, &mark)
        .json(&json!({ "is_read": false }));
    let unread: GetInboxNotificationResponse = unread.decode().await.unwrap();
    assert_eq!(unread.unread_count, 2);
    let everything = format!("{INBOX}/mark-all-as-read");
    api.call(Method::PUT, &everything).done().await.unwrap();
    assert_eq!(inbox(&api, "").await.unread_count, 0);
    // It is nobody else's, whatever their rights.
    let boss = testkit::user(&world.db, "boss", &["owner"]).await;
    let boss = world.client_as(boss.token.clone());
    assert_eq!(titles(&inbox(&boss, "").await), [""; 0]);
    let body = json!({ "is_read": true });
    assert_eq!(status(&boss, Method::PUT, &mark, &body).await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_live_to_whom_they_are_for() {
    let world = world().await;
    let bob = testkit::user(&world.db, "bob", &[]).await;
    let (api, me) = (world.client(), world.owner.id);
    let watch = format!("{INBOX}/watch");
    let (warning, reached) = (AI_BUDGET_WARNING.id, AI_BUDGET_REACHED.id);
    let mut all = api
        .websocket_json::<GetInboxNotificationResponse>(&format!("{watch}?format=plaintext"))
        .await
        .unwrap();
    let mut some = api
        .websocket_json::<GetInboxNotificationResponse>(&format!("{watch}?templates={reached}"))
        .await
        .unwrap();
    tell(&world, bob.id, reached, bob.id, "for bob").await;
    tell(&world, me, warning, me, "first").await;
    tell(&world, me, reached, me, "second").await;
    for (title, unread) in [("first", 1..=2), ("second", 2..=2)] {
        let told = all.next().await.unwrap().unwrap();
        assert_eq!(told.notification.title, title);
        assert!(unread.contains(&told.unread_count), "{told:?}");
    }
    assert_eq!(
        some.next().await.unwrap().unwrap().notification.title,
        "second"
    );
    let wrong = format!("{watch}?format=html");
    let refused = api.websocket_json::<Value>(&wrong).await.err().unwrap();
    assert_eq!(refused.status().unwrap(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_can_be_seen_and_switched_off() {
    let world = world().await;
    let (api, me) = (world.client(), world.owner.id);
    let boss = testkit::user(&world.db, "boss", &["owner"]).await;
    let boss = world.client_as(boss.token.clone());
    let kinds = "/api/v2/notifications/templates/system";
    let kinds: Vec<NotificationTemplate> = boss.call(Method::GET, kinds).decode().await.unwrap();
    assert_eq!(kinds.len(), 4);
    let warning = AI_BUDGET_WARNING.id;
    let off = json!({ "template_disabled_map": { warning.to_string(): true } });
    let set = api.call(Method::PUT, PREFERENCES).json(&off);
    let set: Value = set.decode().await.unwrap();
    assert_eq!(
        (&set[0]["id"], &set[0]["disabled"]),
        (&json!(warning), &json!(true))
    );
    assert!(!tell(&world, me, warning, me, "unwanted").await);
    assert!(tell(&world, me, AI_BUDGET_REACHED.id, me, "wanted").await);
    let on = json!({ "template_disabled_map": { warning.to_string(): false } });
    assert_eq!(status(&api, Method::PUT, PREFERENCES, &on).await, 200);
    assert!(tell(&world, me, warning, me, "wanted again").await);
    // What there is not cannot be switched; nothing of that request stays.
    let odd = json!({ "template_disabled_map": {
        warning.to_string(): true, "ffffffff-0000-0000-0000-000000000001": true } });
    assert_eq!(status(&api, Method::PUT, PREFERENCES, &odd).await, 400);
    let kept: Value = api.call(Method::GET, PREFERENCES).decode().await.unwrap();
    assert_eq!(kept[0]["disabled"], false);
}
