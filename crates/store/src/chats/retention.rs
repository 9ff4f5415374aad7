//! Chats that were put away for long, files that no chat uses, and chats that were left alone.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{Result, Time};

record! {
    /// A root chat in which nothing was said for long.
    pub struct IdleChatRow {
        /// The id.
        pub id: Uuid,
        /// Whose it is.
        pub owner_id: Uuid,
        /// What it is about.
        pub title: String,
        /// When something was said in it, or below it, for the last time.
        pub last_activity_at: Time,
    }
}

fn system() -> Object {
    Object::new(ResourceType::System)
}

impl Conn {
    /// Deletes root chats that were put away before a time, with all below them; so many roots at
    /// most. How many roots went.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn chats_purge(&self, who: &Subject, before: Time, most: i64) -> Result<u64> {
        who.may(Action::Delete, &system())?;
        let sql = "DELETE FROM chats WHERE id IN (SELECT id FROM chats \
                   WHERE archived AND parent_chat_id IS NULL AND updated_at < $1 \
                   ORDER BY updated_at LIMIT $2)";
        self.execute(sql, &[&before, &most]).await
    }

    /// Deletes files that came before a time and that no chat uses; so many at most. How many went.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn chat_files_purge(&self, who: &Subject, before: Time, most: i64) -> Result<u64> {
        who.may(Action::Delete, &system())?;
        let sql = "DELETE FROM chat_files WHERE id IN (SELECT f.id FROM chat_files f \
                   WHERE f.created_at < $1 AND NOT EXISTS \
                     (SELECT 1 FROM chat_file_links l WHERE l.file_id = f.id) \
                   ORDER BY f.created_at LIMIT $2)";
        self.execute(sql, &[&before, &most]).await
    }

    /// Root chats that are neither pinned nor at work, and in whose family nothing was said since
    /// `before`; those that were made first, and after `after`.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn chats_idle(
        &self,
        who: &Subject,
        before: Time,
        after: Option<Uuid>,
        most: i64,
    ) -> Result<Vec<IdleChatRow>> {
        who.may(Action::Delete, &system())?;
        let sql = "SELECT c.id, c.owner_id, c.title, \
                     coalesce(said.at, c.created_at) AS last_activity_at FROM chats c \
                   LEFT JOIN LATERAL (SELECT max(m.created_at) AS at FROM chat_messages m \
                     JOIN chats f ON f.id = m.chat_id \
                     WHERE (f.id = c.id OR f.root_chat_id = c.id) AND NOT m.deleted) said ON true \
                   WHERE c.parent_chat_id IS NULL AND NOT c.archived AND c.pin_order = 0 \
                     AND c.created_at < $1 AND coalesce(said.at, c.created_at) < $1 \
                     AND NOT EXISTS (SELECT 1 FROM chats f \
                       WHERE (f.id = c.id OR f.root_chat_id = c.id) \
                       AND f.status IN ('running', 'interrupting', 'requires_action')) \
                     AND ($2::uuid IS NULL OR (c.created_at, c.id) > \
                       (SELECT a.created_at, a.id FROM chats a WHERE a.id = $2)) \
                   ORDER BY c.created_at, c.id LIMIT $3";
        self.fetch(sql, &[&before, &after, &most]).await
    }
}
