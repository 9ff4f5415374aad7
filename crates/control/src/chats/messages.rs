//! What was said in a chat.

use api_types::{ChatMessagesResponse, ChatPrompt, ChatPromptsResponse};
use authz::Subject;
use chat::{history, live::events};
use store::chats::MessageRange;
use uuid::Uuid;

use crate::{Control, Error, Result};

/// Messages of a page that names no limit.
const PAGE: i64 = 50;
/// Most messages of a page.
const MAX_PAGE: i64 = 200;
/// Prompts of an answer whose limit is not given.
const PROMPTS: i64 = 500;
/// Most prompts of an answer.
const MAX_PROMPTS: i64 = 2000;

impl Control {
    /// A page of messages: the newest first, or, with `after` alone, the oldest first.
    pub async fn chat_messages(
        &self,
        who: &Subject,
        id: Uuid,
        before: Option<i64>,
        after: Option<i64>,
        limit: Option<i64>,
    ) -> Result<ChatMessagesResponse> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Error::invalid("Invalid limit parameter (1-200)."));
        }
        if let (Some(before), Some(after)) = (before, after)
            && after >= before
        {
            return Err(Error::invalid("after_id must be less than before_id."));
        }
        let conn = self.store().conn().await?;
        conn.chat_read(who, id).await?;
        let range = MessageRange {
            before,
            after,
            ascending: before.is_none() && after.is_some(),
            limit: limit + 1,
        };
        let mut rows = conn.chat_messages(id, range).await?;
        let has_more = rows.len() as i64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(0));
        let queued = if before.is_none() && after.is_none() {
            conn.chat_queue(id).await?
        } else {
            Vec::new()
        };
        Ok(ChatMessagesResponse {
            messages: rows.iter().map(events::message).collect(),
            queued_messages: queued.iter().map(|row| events::queued(id, row)).collect(),
            has_more,
        })
    }

    /// What the user said, newest first.
    pub async fn chat_prompts(
        &self,
        who: &Subject,
        id: Uuid,
        limit: i64,
    ) -> Result<ChatPromptsResponse> {
        let limit = match limit {
            0 => PROMPTS,
            n if (1..=MAX_PROMPTS).contains(&n) => n,
            _ => return Err(Error::invalid("Invalid limit parameter (0-2000).")),
        };
        let conn = self.store().conn().await?;
        conn.chat_read(who, id).await?;
        let rows = conn.chat_prompts(id, limit).await?;
        Ok(ChatPromptsResponse {
            prompts: rows
                .into_iter()
                .map(|row| ChatPrompt {
                    id: row.id,
                    text: history::text_of(&row.content),
                })
                .filter(|prompt| !prompt.text.is_empty())
                .collect(),
        })
    }
}
