//! What becomes of chats by time.

use std::sync::Arc;

use api_types::{WebpushMessage, WebpushSubscription};
use chrono::{DateTime, Utc};
use control::{ChatSetting, Control, Push, PushError, Settings};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use store::UserRef;
use testkit::{TestDb, TestUser};
use uuid::Uuid;

struct World {
    db: TestDb,
    control: Control,
    root: TestUser,
    ann: TestUser,
}

async fn world() -> World {
    let db = testkit::db().await;
    let root = testkit::user(&db, "root", &["owner"]).await;
    let ann = testkit::user(&db, "ann", &[]).await;
    let settings = Settings::new("http://127.0.0.1:1".parse().unwrap());
    let control = Control::new(db.store.clone(), settings);
    World {
        db,
        control,
        root,
        ann,
    }
}

impl World {
    async fn set(&self, setting: ChatSetting, value: &str) {
        let who = &self.root.who;
        let set = self.control.chat_setting_set(who, setting, value);
        set.await.unwrap();
    }

    async fn run(&self, sql: &str, chat: Uuid) {
        self.db.store.execute(sql, &[&chat]).await.unwrap();
    }

    /// A chat of ann's in which something was said for the last time then.
    async fn chat(&self, said: &str) -> Uuid {
        let id = testkit::chat(&self.db.store, self.ann.id).await.id;
        self.run(
            "UPDATE chats SET created_at = '2026-01-01T00:00:00Z' WHERE id = $1",
            id,
        )
        .await;
        let sql = format!(
            "INSERT INTO chat_messages (chat_id, created_at, role, content, visibility, revision) \
             VALUES ($1, '{said}', 'user', '[]', 'both', 1)"
        );
        self.run(&sql, id).await;
        id
    }

    async fn archived(&self, chat: Uuid) -> bool {
        let conn = self.db.store.conn().await.unwrap();
        conn.chat_read(&self.ann.who, chat).await.unwrap().archived
    }

    async fn count(&self, sql: &str) -> i64 {
        let row = self.db.store.query_one(sql, &[]).await.unwrap();
        row.get(0)
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn chats_left_alone_are_put_away_by_whole_days() {
    let world = world().await;
    let late = world.chat("2026-03-01T23:59:59Z").await;
    let next_day = world.chat("2026-03-02T00:00:00Z").await;
    let pinned = world.chat("2026-02-01T00:00:00Z").await;
    let busy = world.chat("2026-02-01T00:00:00Z").await;
    let alive_below = world.chat("2026-02-01T00:00:00Z").await;
    let child = world.chat("2026-03-09T00:00:00Z").await;
    world
        .run("UPDATE chats SET pin_order = 1 WHERE id = $1", pinned)
        .await;
    world
        .run(
            "UPDATE chats SET status = 'requires_action', \
             requires_action_deadline_at = now() + interval '1 day' WHERE id = $1",
            busy,
        )
        .await;
    let sql = format!(
        "UPDATE chats SET parent_chat_id = '{alive_below}', root_chat_id = '{alive_below}' WHERE id = $1"
    );
    world.run(&sql, child).await;
    let now = at("2026-03-11T13:00:00Z");
    // Never, unless an administrator says so.
    assert!(
        world
            .control
            .chats_auto_archive(now)
            .await
            .unwrap()
            .is_empty()
    );
    world.set(ChatSetting::AutoArchiveDays, "9").await;
    let done = world.control.chats_auto_archive(now).await.unwrap();
    assert_eq!(done.len(), 1, "one message for each owner: {done:?}");
    assert_eq!((done[0].owner, done[0].days), (world.ann.id, 9));
    assert_eq!(done[0].titles, ["a chat"]);
    for (chat, gone) in [
        (late, true),
        (next_day, false),
        (pinned, false),
        (busy, false),
        (alive_below, false),
        (child, false),
    ] {
        assert_eq!(world.archived(chat).await, gone);
    }
    // The log says who did it.
    let entries = "SELECT count(*) FROM audit_logs WHERE resource_type::text = 'chat'";
    assert_eq!(world.count(entries).await, 1);
    // With those below, a day later.
    let later = at("2026-03-19T00:00:00Z");
    world.control.chats_auto_archive(later).await.unwrap();
    assert!(world.archived(next_day).await && world.archived(alive_below).await);
    assert!(world.archived(child).await, "with its root");
    assert!(!world.archived(pinned).await && !world.archived(busy).await);
}

#[tokio::test]
async fn chats_put_away_for_long_are_deleted_with_what_is_theirs() {
    let world = world().await;
    let old = world.chat("2026-01-02T00:00:00Z").await;
    let fresh = world.chat("2026-01-02T00:00:00Z").await;
    let open = world.chat("2026-01-02T00:00:00Z").await;
    let child = world.chat("2026-01-02T00:00:00Z").await;
    let sql =
        format!("UPDATE chats SET parent_chat_id = '{old}', root_chat_id = '{old}' WHERE id = $1");
    world.run(&sql, child).await;
    for (chat, archived, changed) in [
        (old, true, "2026-02-08T11:59:59Z"),
        (child, true, "2026-02-08T11:59:59Z"),
        (fresh, true, "2026-02-08T12:00:01Z"),
        (open, false, "2026-01-02T00:00:00Z"),
    ] {
        let sql = format!(
            "UPDATE chats SET archived = {archived}, updated_at = '{changed}' WHERE id = $1"
        );
        world.run(&sql, chat).await;
    }
    // A file of the fresh one, used; the others belong to no chat.
    let sql = "INSERT INTO chat_file_links SELECT $1, id FROM chat_files LIMIT 1";
    world.run(sql, fresh).await;
    let sql =
        "UPDATE chat_files SET created_at = '2026-01-02T00:00:00Z' WHERE $1::uuid IS NOT NULL";
    world.run(sql, fresh).await;
    let now = at("2026-03-10T12:00:00Z");
    world.set(ChatSetting::RetentionDays, "0").await;
    world.control.retention_enforce(now).await.unwrap();
    assert_eq!(
        world.count("SELECT count(*) FROM chats").await,
        4,
        "for ever"
    );
    world.set(ChatSetting::RetentionDays, "30").await;
    world.control.retention_enforce(now).await.unwrap();
    let left = world.count("SELECT count(*) FROM chats").await;
    assert_eq!(left, 2, "a root goes with all below it");
    let messages = "SELECT count(*) FROM chat_messages";
    assert_eq!(world.count(messages).await, 2);
    let files = "SELECT count(*) FROM chat_files";
    assert_eq!(world.count(files).await, 1, "what a chat uses stays");
    assert!(!world.archived(open).await && world.archived(fresh).await);
}

#[tokio::test]
async fn debug_logs_end_and_go() {
    let world = world().await;
    let chat = world.chat("2026-01-02T00:00:00Z").await;
    for (status, written) in [
        ("completed", "2026-02-01T00:00:00Z"),
        ("in_progress", "2026-03-10T11:44:59Z"),
        ("in_progress", "2026-03-10T11:45:01Z"),
    ] {
        let sql = format!(
            "WITH run AS (INSERT INTO chat_debug_runs (id, chat_id, kind, status, updated_at) \
               VALUES (gen_random_uuid(), $1, 'chat_turn', '{status}', '{written}') RETURNING id) \
             INSERT INTO chat_debug_steps (id, run_id, chat_id, step_number, operation, status, \
               normalized_request) SELECT gen_random_uuid(), id, $1, 1, 'stream', '{status}', '{{}}' \
             FROM run"
        );
        world.run(&sql, chat).await;
    }
    let now = at("2026-03-10T12:00:00Z");
    world.control.retention_enforce(now).await.unwrap();
    for table in ["chat_debug_runs", "chat_debug_steps"] {
        let sql = format!(
            "SELECT count(*) FILTER (WHERE status = 'interrupted' AND finished_at IS NOT NULL) * 10 \
             + count(*) FROM {table}"
        );
        assert_eq!(
            world.count(&sql).await,
            12,
            "one of two under way ended: {table}"
        );
    }
}

/// Keeps messages in place of sending them; a browser whose address holds `gone` is.
#[derive(Default)]
struct Kept(Mutex<Vec<(String, WebpushMessage)>>);

impl Push for Kept {
    fn public_key(&self) -> &'static str {
        "public"
    }

    fn send<'a>(
        &'a self,
        to: &'a WebpushSubscription,
        message: &'a WebpushMessage,
    ) -> BoxFuture<'a, Result<(), PushError>> {
        Box::pin(async move {
            self.0.lock().push((to.endpoint.clone(), message.clone()));
            if to.endpoint.contains("gone") && message.title != "It's working!" {
                return Err(PushError {
                    message: "gone".to_owned(),
                    gone: true,
                });
            }
            Ok(())
        })
    }
}

fn browser(name: &str) -> WebpushSubscription {
    WebpushSubscription {
        endpoint: format!("https://push.example.com/{name}"),
        auth_key: "AAAA".to_owned(),
        p256dh_key: "AAAA".to_owned(),
    }
}

#[tokio::test]
async fn owners_are_told_by_push_and_browsers_that_are_gone_are_forgotten() {
    let world = world().await;
    let kept = Arc::new(Kept::default());
    let ann = &world.ann.who;
    let me = UserRef::Me;
    let first = browser("a");
    let refused = world.control.webpush_subscribe(ann, &me, &first);
    assert!(refused.await.is_err(), "there is no way to send yet");
    world.control.push_set(kept.clone());
    assert_eq!(world.control.webpush_public_key(), "public");
    for name in ["a", "gone"] {
        let browser = browser(name);
        let added = world.control.webpush_subscribe(ann, &me, &browser);
        added.await.unwrap();
    }
    // Nobody but oneself and administrators.
    let bob = testkit::user(&world.db, "bob", &[]).await;
    let hers = UserRef::Id(world.ann.id);
    let theirs = world.control.webpush_subscribe(&bob.who, &hers, &first);
    assert!(theirs.await.is_err());
    kept.0.lock().clear();
    let cancel = tokio_util::sync::CancellationToken::new();
    let told = tokio::spawn({
        let (control, cancel) = (world.control.clone(), cancel.clone());
        async move { control.webpush_run(cancel).await }
    });
    let chat = world.chat("2026-03-01T00:00:00Z").await;
    let failed = world.chat("2026-03-01T00:00:00Z").await;
    let paused = world.chat("2026-03-01T00:00:00Z").await;
    world
        .run(
            "UPDATE chats SET status = 'paused', last_turn_summary = 'Wrote the tests' \
             WHERE id = $1",
            paused,
        )
        .await;
    world
        .run(
            "UPDATE chats SET last_turn_summary = 'Fixed the build' WHERE id = $1",
            chat,
        )
        .await;
    world
        .run(
            "UPDATE chats SET status = 'error', last_error = \
             '{\"message\": \"No key is left.\", \"kind\": \"auth\", \"retryable\": false}' \
             WHERE id = $1",
            failed,
        )
        .await;
    let hub = world.control.chat_machine().hub().clone();
    let listens = tokio::spawn({
        let (hub, cancel) = (hub.clone(), cancel.clone());
        async move { hub.run(cancel).await }
    });
    // Announced until it is heard: the listeners may still be on their way.
    for id in [chat, failed, paused] {
        let word = format!("/agents/{id}");
        let is_told = || {
            kept.0
                .lock()
                .iter()
                .any(|(_, m)| m.data.as_ref().is_some_and(|data| data.url == word))
        };
        while !is_told() {
            let tx = world.db.store.begin(ann).await.unwrap();
            tx.chat_announce(&store::chats::ChatChange {
                chat: id,
                owner: world.ann.id,
                snapshot: 1,
                origin: hub.origin(),
                work: false,
                kinds: vec!["summary_change".to_owned()],
            })
            .await
            .unwrap();
            tx.commit().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    cancel.cancel();
    told.await.unwrap();
    let _ = listens.await;
    let said = kept.0.lock().clone();
    let bodies: std::collections::BTreeSet<&str> = said
        .iter()
        .map(|(_, message)| message.body.as_str())
        .collect();
    assert_eq!(
        bodies.into_iter().collect::<Vec<_>>(),
        ["Fixed the build", "No key is left.", "Wrote the tests"]
    );
    let left = world
        .db
        .store
        .conn()
        .await
        .unwrap()
        .webpush_list(ann, world.ann.id)
        .await
        .unwrap();
    let left: Vec<&str> = left.iter().map(|row| row.endpoint.as_str()).collect();
    assert_eq!(left, ["https://push.example.com/a"]);
    let gone = api_types::DeleteWebpushSubscription {
        endpoint: "https://push.example.com/gone".to_owned(),
    };
    assert!(
        world
            .control
            .webpush_unsubscribe(ann, &me, &gone)
            .await
            .is_err()
    );
}
