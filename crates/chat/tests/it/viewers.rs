//! Viewers: whenever they come, they see all of it once and in order.

use api_types::{ChatStatus, ChatStreamEvent, ChatStreamEventType};
use chat::live::Viewer;
use chat::machine::Op;

use crate::world::{World, world};

/// What a client makes of the events, by the rules of the protocol.
#[derive(Default)]
struct Client {
    messages: std::collections::BTreeMap<i64, String>,
    preview: String,
    last: (i64, i64, i64),
    status: String,
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

    async fn until(&mut self, viewer: &mut Viewer, mut done: impl FnMut(&Self) -> bool) {
        while !done(self) {
            let frame = viewer.next();
            let frame = tokio::time::timeout(std::time::Duration::from_secs(20), frame).await;
            self.take(&frame.expect("a frame").unwrap());
        }
    }
}

async fn view(world: &World, chat: uuid::Uuid, after: Option<i64>) -> Viewer {
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
