//! Viewers: whenever they come, they see all of it once and in order.

use api_types::{ChatStatus, ChatStreamEvent, ChatStreamEventType};
use bytes::Bytes;
use chat::live::{Attempt, Hub, Peers, Viewer};
use chat::machine::Op;
use futures::StreamExt as _;
use futures::stream::{BoxStream, unfold};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::world::{World, world};

/// What a client makes of the events, by the rules of the protocol.
#[derive(Default)]
pub struct Client {
    pub messages: std::collections::BTreeMap<i64, String>,
    preview: String,
    last: (i64, i64, i64),
    pub status: String,
    queue: usize,
    resets: usize,
}

impl Client {
    fn take(&mut self, frame: &[u8]) {
        let events: Vec<ChatStreamEvent> = serde_json::from_slice(frame).unwrap();
        assert!(!events.is_empty() && events.len() <= 256);
        for event in events {
            match event.kind {
                ChatStreamEventType::Message => {
                    let message = event.message.unwrap();
                    let text = message
                        .content
                        .iter()
                        .filter_map(|p| p.text.clone())
                        .collect();
                    if message.role.as_str() == "assistant" {
                        self.preview.clear();
                    }
                    self.messages.insert(message.id, text);
                }
                ChatStreamEventType::MessagePart => {
                    let part = event.message_part.unwrap();
                    let (h, a, s) = self.last;
                    let same = (h, a) == (part.history_version, part.generation_attempt);
                    assert_eq!(part.seq, if same { s + 1 } else { 1 }, "a gap");
                    self.last = (part.history_version, part.generation_attempt, part.seq);
                    self.preview
                        .push_str(part.part.text.as_deref().unwrap_or_default());
                }
                ChatStreamEventType::Status => {
                    self.status = event.status.unwrap().status.to_string();
                }
                ChatStreamEventType::QueueUpdate => self.queue = event.queued_messages.len(),
                ChatStreamEventType::PreviewReset => self.preview.clear(),
                ChatStreamEventType::HistoryReset => {
                    self.messages.clear();
                    self.resets += 1;
                }
                _ => {}
            }
        }
    }

    pub async fn until(&mut self, viewer: &mut Viewer, mut done: impl FnMut(&Self) -> bool) {
        while !done(self) {
            let frame = viewer.next();
            let frame = tokio::time::timeout(std::time::Duration::from_secs(20), frame).await;
            self.take(&frame.expect("a frame").unwrap());
        }
    }
}

pub async fn view(world: &World, chat: uuid::Uuid, after: Option<i64>) -> Viewer {
    world
        .machine
        .hub()
        .view(&world.owner.who, chat, after)
        .await
        .unwrap()
}

#[tokio::test]
async fn early_and_late_viewers_see_every_delta() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    let mut early = view(&world, chat, None).await;
    let mut first = Client::default();
    let mut expected = String::new();
    for i in 0..12_000 {
        let token = format!("t{i:05} ");
        expected.push_str(&token);
        asked.text(&token);
        if i % 500 == 0 {
            tokio::task::yield_now().await;
        }
    }
    first
        .until(&mut early, |c| c.preview.len() == expected.len())
        .await;
    assert_eq!(first.preview, expected);
    let mut late = view(&world, chat, None).await;
    let mut second = Client::default();
    second
        .until(&mut late, |c| c.preview.len() == expected.len())
        .await;
    assert_eq!(second.preview, expected);
    asked.finish();
    for (client, viewer) in [(&mut first, &mut early), (&mut second, &mut late)] {
        client.until(viewer, |c| c.status == "waiting").await;
        assert_eq!(client.messages.values().last().unwrap(), &expected);
        assert_eq!(client.preview, "");
    }
}

#[tokio::test]
async fn a_viewer_follows_turns_queue_and_edits() {
    let mut world = world().await;
    let chat = world.create("one").await;
    let asked = world.asked().await;
    let mut viewer = view(&world, chat, None).await;
    let mut client = Client::default();
    world.send(chat, "two", false).await;
    client.until(&mut viewer, |c| c.queue == 1).await;
    asked.say("1");
    let asked = world.asked().await;
    client
        .until(&mut viewer, |c| c.queue == 0 && c.messages.len() == 3)
        .await;
    asked.say("2");
    client.until(&mut viewer, |c| c.status == "waiting").await;
    assert_eq!(client.messages.len(), 4);
    let first = *client.messages.keys().next().unwrap();
    world
        .apply(
            chat,
            Op::Edit {
                message: first,
                content: vec![api_types::ChatMessagePart::text("uno")],
                model_config_id: None,
                reasoning_effort: None,
                created_by: world.owner.id,
            },
        )
        .await
        .unwrap();
    world.asked().await.say("eins");
    client
        .until(&mut viewer, |c| {
            c.status == "waiting" && c.messages.len() == 2
        })
        .await;
    let texts: Vec<&String> = client.messages.values().collect();
    assert_eq!(texts, ["uno", "eins"]);
    assert!(client.resets >= 1);
    // Who comes back later gets the whole history of an edited chat.
    let mut again = view(&world, chat, Some(i64::MAX - 1)).await;
    let mut other = Client::default();
    other.until(&mut again, |c| c.status == "waiting").await;
    assert_eq!(other.messages.len(), 2);
}

#[tokio::test]
async fn a_viewer_that_has_messages_gets_only_newer_ones() {
    let mut world = world().await;
    let chat = world.create("one").await;
    world.asked().await.say("1");
    world.until(chat, ChatStatus::Waiting).await;
    let newest = world.messages(chat).await.last().unwrap().id;
    let mut viewer = view(&world, chat, Some(newest)).await;
    let mut client = Client::default();
    client.until(&mut viewer, |c| c.status == "waiting").await;
    assert!(client.messages.is_empty());
    world.send(chat, "two", false).await;
    world.asked().await.say("2");
    client
        .until(&mut viewer, |c| {
            c.status == "waiting" && c.messages.len() == 2
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_replica_commits_is_seen_too() {
    let mut world = crate::world::without_worker(1000).await;
    let chat = world.create("one").await;
    let mut viewer = view(&world, chat, None).await;
    let _worker = world.start_replica(chat::worker::Neighbours::Possible);
    world.asked().await.say("1");
    let mut client = Client::default();
    client
        .until(&mut viewer, |c| {
            c.status == "waiting" && c.messages.len() == 2
        })
        .await;
}

/// The way to the replica of a world, which can be cut.
struct Line {
    there: Hub,
    who: authz::Subject,
    cut: std::sync::Arc<tokio::sync::Notify>,
}

impl Peers for Line {
    fn parts(
        &self,
        _: uuid::Uuid,
        chat: uuid::Uuid,
        attempts: watch::Receiver<Attempt>,
    ) -> BoxStream<'static, Bytes> {
        let (there, who, cut) = (self.there.clone(), self.who.clone(), self.cut.clone());
        let frames = async move {
            let mut parts = there.parts(&who, chat).await.unwrap();
            parts.follow(*attempts.borrow());
            unfold(
                (parts, attempts, cut),
                |(mut parts, mut attempts, cut)| async {
                    loop {
                        tokio::select! {
                            frame = parts.next() => return Some((frame, (parts, attempts, cut))),
                            changed = attempts.changed() => changed.ok()?,
                            () = cut.notified() => return None,
                        }
                        let attempt = *attempts.borrow_and_update();
                        parts.follow(attempt);
                    }
                },
            )
        };
        futures::stream::once(frames).flatten().boxed()
    }
}

/// The hub of another replica than that of a world, until it is stopped; what cuts the line between.
fn elsewhere(world: &World) -> (Hub, CancellationToken, std::sync::Arc<tokio::sync::Notify>) {
    let (stop, cut) = (CancellationToken::new(), std::sync::Arc::default());
    let hub = Hub::new(world.db.store.clone());
    hub.peers_set(std::sync::Arc::new(Line {
        there: world.machine.hub().clone(),
        who: world.owner.who.clone(),
        cut: std::sync::Arc::clone(&cut),
    }));
    tokio::spawn({
        let (hub, stop) = (hub.clone(), stop.clone());
        async move { hub.run(stop).await }
    });
    (hub, stop, cut)
}

#[tokio::test]
async fn a_message_queued_at_one_replica_takes_no_preview_back_at_another() {
    let mut world = world().await;
    let (hub, stop, _) = elsewhere(&world);
    let chat = world.create("hi").await;
    let mut viewer = hub.view(&world.owner.who, chat, None).await.unwrap();
    let mut client = Client::default();
    let asked = world.asked().await;
    asked.text("Half an ");
    client.until(&mut viewer, |c| c.preview == "Half an ").await;
    world.send(chat, "more", false).await;
    client.until(&mut viewer, |c| c.queue == 1).await;
    assert_eq!(client.preview, "Half an ");
    asked.text("answer.");
    client
        .until(&mut viewer, |c| c.preview == "Half an answer.")
        .await;
    stop.cancel();
}

#[tokio::test]
async fn a_viewer_at_another_replica_sees_every_delta_live() {
    let mut world = world().await;
    let (hub, stop, cut) = elsewhere(&world);
    let chat = world.create("hi").await;
    let mut viewer = hub.view(&world.owner.who, chat, None).await.unwrap();
    let mut client = Client::default();
    for turn in 0..2 {
        let asked = world.asked().await;
        let mut expected = String::new();
        for i in 0..3000 {
            let token = format!("{turn}.{i} ");
            expected.push_str(&token);
            asked.text(&token);
            if i == 1000 {
                // The line breaks, and is there again.
                client.until(&mut viewer, |c| c.preview.len() > 100).await;
                cut.notify_one();
            }
        }
        client
            .until(&mut viewer, |c| c.preview.len() == expected.len())
            .await;
        assert_eq!(client.preview, expected);
        let mut late = hub.view(&world.owner.who, chat, None).await.unwrap();
        let mut second = Client::default();
        second
            .until(&mut late, |c| c.preview.len() == expected.len())
            .await;
        asked.finish();
        client
            .until(&mut viewer, |c| c.messages.len() == 2 * (turn + 1))
            .await;
        assert_eq!(client.messages.values().last().unwrap(), &expected);
        client.until(&mut viewer, |c| c.status == "waiting").await;
        if turn == 0 {
            world.send(chat, "more", false).await;
        }
    }
    stop.cancel();
}

#[tokio::test]
async fn a_viewer_that_does_not_read_is_not_waited_for_and_misses_nothing() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    let mut slow = view(&world, chat, None).await;
    let mut quick = view(&world, chat, None).await;
    let (mut first, mut expected) = (Client::default(), String::new());
    let mut second = Client::default();
    // More frames than are kept for anyone: each is waited for at the other viewer.
    for i in 0..300 {
        let token = format!("t{i} ");
        expected.push_str(&token);
        asked.text(&token);
        first
            .until(&mut quick, |c| c.preview.len() == expected.len())
            .await;
        if i == 10 {
            second.until(&mut slow, |c| !c.preview.is_empty()).await;
        }
    }
    second
        .until(&mut slow, |c| c.preview.len() == expected.len())
        .await;
    assert_eq!(second.preview, expected);
    asked.finish();
    for (client, viewer) in [(&mut first, &mut quick), (&mut second, &mut slow)] {
        client.until(viewer, |c| c.status == "waiting").await;
        assert_eq!(client.messages.values().last().unwrap(), &expected);
    }
}
