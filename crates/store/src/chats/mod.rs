//! Chats with AI agents: rows and queries. What may happen to a chat when is decided by the
//! state machine above; here each change is one statement within its transaction.
//!
//! Rights are those of the chat: a child has the sharing of its root.

mod agents;
mod builds;
mod context;
mod debug;
mod diffs;
mod files;
mod inline_servers;
mod json;
mod list;
mod messages;
mod partials;
mod prompts;
mod queue;
mod read;
mod retention;
mod search;
mod settings;
mod work;
mod write;

pub use agents::ChatAgentRow;
pub use context::ChatContextRows;
pub use debug::{ChatDebugRunRow, ChatDebugStepRow, EndedDebugStep, NewDebugStep};
pub use diffs::{ChatDiffRow, DiffFacts, StaleDiff};
pub use files::{ChatFileRow, NewChatFile};
pub use inline_servers::InlineServerRow;
pub use list::{ChatFilter, ChatPage};
pub use messages::{ChatMessageRow, MessageRange, NewChatMessage, Visibility};
pub use queue::{ChatQueueRow, NewQueued, QueuedChange};
pub use read::{ChatCostRow, ChatRow};
pub use retention::IdleChatRow;
pub use search::ChatSearch;
pub use work::{ToolRun, WorkCandidate};
pub use write::{ChatState, NewChat};

use uuid::Uuid;

/// Channel on which every change of a chat is announced; see [`ChatChange`].
pub const CHATS_CHANNEL: &str = "chats";

/// What a notification says: which chat changed, up to which snapshot, and in which respects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatChange {
    /// The chat.
    pub chat: Uuid,
    /// Its owner.
    pub owner: Uuid,
    /// Its snapshot after the change.
    pub snapshot: i64,
    /// The process that changed it.
    pub origin: Uuid,
    /// A worker has something to do, and none owns the chat.
    pub work: bool,
    /// What readers of lists learn: kinds of watch events.
    pub kinds: Vec<String>,
}

impl ChatChange {
    /// As a payload.
    pub fn to_payload(&self) -> String {
        format!(
            "{} {} {} {} {} {}",
            self.chat,
            self.owner,
            self.snapshot,
            self.origin,
            u8::from(self.work),
            self.kinds.join(",")
        )
    }

    /// Reads a payload; none for one of another version.
    pub fn parse(payload: &str) -> Option<Self> {
        let mut words = payload.split(' ');
        Some(ChatChange {
            chat: words.next()?.parse().ok()?,
            owner: words.next()?.parse().ok()?,
            snapshot: words.next()?.parse().ok()?,
            origin: words.next()?.parse().ok()?,
            work: words.next()? == "1",
            kinds: words
                .next()?
                .split(',')
                .filter(|kind| !kind.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// A chat that something beside its state machine changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatTouch {
    /// The chat.
    pub chat: Uuid,
    /// Its owner.
    pub owner: Uuid,
    /// Its snapshot, which stays.
    pub snapshot: i64,
}

impl ChatTouch {
    /// Reads id, owner and snapshot.
    pub(crate) fn read(row: &tokio_postgres::Row) -> crate::Result<Self> {
        Ok(ChatTouch {
            chat: row.try_get(0)?,
            owner: row.try_get(1)?,
            snapshot: row.try_get(2)?,
        })
    }

    /// What is announced of it: a kind of watch event. Each is news, also where it equals the one
    /// before.
    pub fn change(self, kind: &str) -> ChatChange {
        ChatChange {
            chat: self.chat,
            owner: self.owner,
            snapshot: self.snapshot,
            origin: Uuid::new_v4(),
            work: false,
            kinds: vec![kind.to_owned()],
        }
    }
}

impl crate::Tx {
    /// Announces a change when the transaction commits.
    pub async fn chat_announce(&self, change: &ChatChange) -> crate::Result<()> {
        self.notify(CHATS_CHANNEL, &change.to_payload()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_survives_its_payload() {
        let change = ChatChange {
            chat: Uuid::new_v4(),
            owner: Uuid::new_v4(),
            snapshot: 7,
            origin: Uuid::new_v4(),
            work: true,
            kinds: vec!["created".into(), "title_change".into()],
        };
        assert_eq!(ChatChange::parse(&change.to_payload()), Some(change));
        assert_eq!(ChatChange::parse(""), None);
        assert_eq!(ChatChange::parse("x y z"), None);
    }
}
