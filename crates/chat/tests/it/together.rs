//! Two browsers with one chat: both stop, edit, send, at once.

use std::collections::HashSet;
use std::time::Duration;

use api_types::{ChatMessagePart, ChatMessageRole, ChatStatus};
use chat::machine::{Machine, MachineError, Op};
use futures::future::join_all;
use store::Store;
use store::chats::{ChatState, MessageRange};
use uuid::Uuid;

use crate::viewers::{Client, view};
use crate::world::{World, without_worker, world};

fn edit(world: &World, message: i64, text: &str) -> Op {
    Op::Edit {
        message,
        content: vec![ChatMessagePart::text(text)],
        model_config_id: None,
        reasoning_effort: None,
        created_by: world.owner.id,
    }
}

/// A connection may know the statement that reads and not yet the one that locks.
#[tokio::test]
async fn what_is_read_under_a_lock_is_read_after_the_wait_for_it() {
    let world = without_worker(1000).await;
    let chat = world.create("hi").await;
    let who = &world.owner.who;
    let fresh = Store::connect(&world.db.url, 2).unwrap();
    fresh
        .conn()
        .await
        .unwrap()
        .chat_read(who, chat)
        .await
        .unwrap();
    let holder = world.db.begin(who).await.unwrap();
    let held = holder
        .chat_lock(who, authz::Action::Update, chat)
        .await
        .unwrap();
    let waiting = async {
        let tx = fresh.begin(who).await.unwrap();
        tx.chat_lock(who, authz::Action::Update, chat)
            .await
            .unwrap()
    };
    let changing = async {
        let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock'";
        while world
            .db
            .query_one(blocked, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut state = ChatState::of(&held);
        state.queue_version += 7;
        holder.chat_state_write(chat, &state).await.unwrap();
        holder.commit().await.unwrap();
    };
    let (read, ()) = tokio::join!(waiting, changing);
    assert_eq!(read.queue_version, held.queue_version + 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_or_edits_second_is_told_that_it_happened() {
    let mut world = world().await;
    let chat = world.create("hi").await;
    let asked = world.asked().await;
    asked.text("half");
    let stops = join_all((0..8).map(|_| world.apply(chat, Op::Interrupt))).await;
    let (good, bad): (Vec<_>, Vec<_>) = stops.into_iter().partition(Result::is_ok);
    assert_eq!(good.len(), 1);
    assert!(
        bad.iter()
            .all(|e| matches!(e, Err(MachineError::NotAllowed(_))))
    );
    world.until(chat, ChatStatus::Waiting).await;
    let first = world.messages(chat).await[0].id;
    let texts: Vec<String> = (0..4).map(|n| format!("edit {n}")).collect();
    let edits = texts
        .iter()
        .map(|text| world.apply(chat, edit(&world, first, text)));
    let edits = join_all(edits).await;
    let good = edits.iter().position(Result::is_ok).unwrap();
    for (at, edit) in edits.iter().enumerate() {
        assert!(
            at == good || matches!(edit, Err(MachineError::NoMessage)),
            "{edit:?}"
        );
    }
    let asked = world.asked().await;
    assert_eq!(asked.last_text(), texts[good]);
    asked.say("ok");
    world.until(chat, ChatStatus::Waiting).await;
    assert_eq!(
        world.said(chat).await,
        [format!("user: {}", texts[good]), "assistant: ok".into()]
    );
}

/// One browser's clicks: numbers from a seed, each of which may come too late.
struct Browser {
    machine: Machine,
    who: authz::Subject,
    chat: Uuid,
    seed: u64,
}

impl Browser {
    fn next(&mut self, below: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.seed >> 33) % below
    }

    async fn click(&mut self, world: &World, name: &str, n: usize) {
        let conn = world.db.conn().await.unwrap();
        let queue = conn.chat_queue(self.chat).await.unwrap();
        let range = MessageRange {
            ascending: true,
            limit: 1000,
            ..MessageRange::default()
        };
        let said = conn.chat_messages(self.chat, range).await.unwrap();
        drop(conn);
        let mut said: Vec<i64> = said
            .iter()
            .filter(|m| m.role == ChatMessageRole::User)
            .map(|m| m.id)
            .collect();
        said.reverse();
        let text = format!("{name}{n}");
        let op = match self.next(8) {
            0 => Op::Interrupt,
            1 => edit(
                world,
                said[self.next(said.len() as u64) as usize % 3 % said.len()],
                &text,
            ),
            2 if !queue.is_empty() => Op::Promote(queue[queue.len() - 1].id),
            3 if !queue.is_empty() => Op::DeleteQueued(queue[0].id),
            4 => Op::Send(world.message(&text), true),
            _ => Op::Send(world.message(&text), false),
        };
        let applied = self.machine.apply(&self.who, self.chat, vec![op]).await;
        if let Err(error) = applied {
            let late = matches!(
                error,
                MachineError::NotAllowed(_)
                    | MachineError::NoMessage
                    | MachineError::NoQueuedMessage
                    | MachineError::QueueFull
            );
            assert!(late, "{error}");
        }
        tokio::time::sleep(Duration::from_millis(self.next(6))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_two_browsers_do_each_message_stands_once_and_viewers_agree() {
    for seed in 1..=3 {
        let mut world = world().await;
        let chat = world.create("first").await;
        let mut viewer = view(&world, chat, None).await;
        let mut asked =
            std::mem::replace(&mut world.asked, tokio::sync::mpsc::unbounded_channel().1);
        let model = tokio::spawn(async move {
            while let Some(asked) = asked.recv().await {
                let text = asked.last_text();
                asked.text("re ");
                tokio::time::sleep(Duration::from_millis(4)).await;
                asked.say(&text);
            }
        });
        let browser = |seed| Browser {
            machine: world.machine.clone(),
            who: world.owner.who.clone(),
            chat,
            seed,
        };
        let (mut one, mut two) = (browser(seed), browser(seed + 1000));
        let clicks = async |browser: &mut Browser, name: &str| {
            for n in 0..25 {
                browser.click(&world, name, n).await;
            }
        };
        tokio::join!(clicks(&mut one, "a"), clicks(&mut two, "b"));
        world.send(chat, "last", false).await;
        world.until(chat, ChatStatus::Waiting).await;
        let messages = world.messages(chat).await;
        let of = |role: ChatMessageRole| messages.iter().filter(move |m| m.role == role);
        let texts: Vec<String> = of(ChatMessageRole::User)
            .filter_map(|m| m.content[0].text.clone())
            .collect();
        let unique: HashSet<&String> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len(), "{texts:?}");
        assert_eq!(texts.last().unwrap(), "last");
        // Each answer is of the message before it, whole or stopped; none came twice.
        for pair in messages.windows(2) {
            let [before, after] = pair else {
                unreachable!()
            };
            assert!(
                before.role != ChatMessageRole::Assistant || after.role == ChatMessageRole::User
            );
            if after.role == ChatMessageRole::Assistant {
                let said: String = after
                    .content
                    .iter()
                    .filter_map(|p| p.text.clone())
                    .collect();
                let whole = format!("re {}", before.content[0].text.clone().unwrap());
                assert!(whole.starts_with(&said), "{said} after {whole}");
            }
        }
        let mut client = Client::default();
        let count = messages.len();
        client
            .until(&mut viewer, |c| {
                c.status == "waiting" && c.messages.len() == count
            })
            .await;
        let ids: Vec<i64> = messages.iter().map(|m| m.id).collect();
        let seen: Vec<i64> = client.messages.keys().copied().collect();
        assert_eq!(seen, ids);
        model.abort();
    }
}
