//! Lists of chats: root chats, filtered and cut in the database.

use authz::{Action, ResourceType, Subject, filter};
use uuid::Uuid;

use super::read::{COLUMNS, ChatRow, JOINS, RIGHTS, UNREAD, read_with_unread};
use super::search::{ChatSearch, conditions};
use crate::Result;
use crate::conn::{Conn, SqlParam, filter_params};

/// Most root chats of one answer.
pub const MAX_CHATS: i64 = 1000;

/// Which root chats to list.
#[derive(Debug, Clone, Default)]
pub struct ChatFilter {
    /// What is looked for.
    pub search: ChatSearch,
    /// Only those behind this one.
    pub after: Option<Uuid>,
    /// So many at most; 0 means [`MAX_CHATS`].
    pub limit: i64,
    /// Leaving out so many.
    pub offset: i64,
}

/// A part of the list.
#[derive(Debug, Default)]
pub struct ChatPage {
    /// Root chats.
    pub roots: Vec<ChatRow>,
    /// What is below them.
    pub children: Vec<ChatRow>,
}

impl Conn {
    /// Root chats that `who` may read: its pinned ones first, then those used last.
    pub async fn chat_list(&self, who: &Subject, by: &ChatFilter) -> Result<ChatPage> {
        let rights = filter(who, Action::Read, ResourceType::Chat);
        if rights.is_empty() {
            return Ok(ChatPage::default());
        }
        let me = who.user_id().unwrap_or_default();
        let limit = match by.limit {
            0 => MAX_CHATS,
            limit => limit.min(MAX_CHATS),
        };
        let mut params: Vec<SqlParam<'_>> = vec![&me, &limit, &by.offset, &by.after];
        let (allowed, rights_params) = rights.render(&RIGHTS, params.len() + 1);
        params.extend(filter_params(&rights_params));
        let (wanted, wanted_params) = conditions(&by.search, &me, params.len() + 1);
        params.extend(wanted_params);
        let sql = format!(
            "WITH found AS MATERIALIZED (SELECT c.id, row_number() OVER (ORDER BY \
                 c.owner_id <> $1 OR c.pin_order = 0, \
                 CASE WHEN c.owner_id = $1 THEN c.pin_order ELSE 0 END, \
                 c.updated_at DESC, c.id DESC) AS place \
               FROM chats c {JOINS} WHERE c.parent_chat_id IS NULL AND {allowed}{wanted}), \
             page AS (SELECT * FROM found WHERE $4::uuid IS NULL \
                 OR place > (SELECT f.place FROM found f WHERE f.id = $4) \
               ORDER BY place LIMIT $2 OFFSET $3) \
             SELECT {COLUMNS}, {UNREAD} FROM page JOIN chats c ON c.id = page.id {JOINS} \
             ORDER BY page.place"
        );
        let rows = self.query(&sql, &params).await?;
        let roots: Vec<ChatRow> = rows.iter().map(read_with_unread).collect::<Result<_>>()?;
        let ids: Vec<Uuid> = roots.iter().map(|chat| chat.id).collect();
        let children = if ids.is_empty() {
            Vec::new()
        } else {
            self.chat_children(&ids, by.search.archived).await?
        };
        Ok(ChatPage { roots, children })
    }
}
