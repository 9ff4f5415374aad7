//! Which files each chat has worked on: where its watchers look for changes.

use std::collections::{BTreeSet, HashMap, VecDeque};

use parking_lot::Mutex;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Chats that are remembered; the ones that came first are forgotten first.
const MAX_CHATS: usize = 1024;
/// Paths remembered of a chat. They only lead to repositories, which are few.
const MAX_PATHS: usize = 4096;
/// News that may wait for a watcher; one that misses some looks again at all.
const NEWS: usize = 64;

#[derive(Debug, Default)]
struct State {
    paths: HashMap<Uuid, BTreeSet<String>>,
    order: VecDeque<Uuid>,
}

/// The paths of all chats.
#[derive(Debug)]
pub struct ChatPaths {
    state: Mutex<State>,
    news: broadcast::Sender<Uuid>,
}

impl Default for ChatPaths {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            news: broadcast::Sender::new(NEWS),
        }
    }
}

impl ChatPaths {
    /// A chat (and those above it) has worked on these paths.
    pub fn add(&self, chats: &[Uuid], paths: &[String]) {
        {
            let mut state = self.state.lock();
            let State {
                paths: known,
                order,
            } = &mut *state;
            for chat in chats {
                let of_chat = known.entry(*chat).or_insert_with(|| {
                    order.push_back(*chat);
                    BTreeSet::new()
                });
                let room = MAX_PATHS.saturating_sub(of_chat.len());
                of_chat.extend(paths.iter().take(room).cloned());
            }
            while order.len() > MAX_CHATS {
                if let Some(oldest) = order.pop_front() {
                    known.remove(&oldest);
                }
            }
        }
        self.notify(chats);
    }

    /// Something may have changed where these chats work.
    pub fn notify(&self, chats: &[Uuid]) {
        for chat in chats {
            // Nobody may be watching.
            let _ = self.news.send(*chat);
        }
    }

    /// The paths of a chat.
    pub fn of(&self, chat: Uuid) -> Vec<String> {
        let state = self.state.lock();
        state
            .paths
            .get(&chat)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// News from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Uuid> {
        self.news.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_chats_are_forgotten() {
        let paths = ChatPaths::default();
        for n in 0..=MAX_CHATS as u128 {
            paths.add(
                &[Uuid::from_u128(n)],
                &["/a".into(), "/b".into(), "/a".into()],
            );
        }
        assert!(paths.of(Uuid::from_u128(0)).is_empty());
        assert_eq!(paths.of(Uuid::from_u128(1)), ["/a", "/b"]);
    }
}
