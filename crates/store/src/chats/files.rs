//! Files of chats: up, down, and which chat uses which.

use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{Result, StoreError, Time, Tx};

/// A file without its bytes.
#[derive(Debug, Clone)]
pub struct ChatFileRow {
    /// The id.
    pub id: Uuid,
    /// Whose it is.
    pub owner_id: Uuid,
    /// Where.
    pub organization_id: Uuid,
    /// When it came.
    pub created_at: Time,
    /// What it is called.
    pub name: String,
    /// Its type.
    pub mimetype: String,
    /// Hex SHA-256.
    pub sha256: String,
    /// Bytes.
    pub size_bytes: i64,
}

/// A file to store.
#[derive(Debug)]
pub struct NewChatFile<'a> {
    /// Whose it will be.
    pub owner_id: Uuid,
    /// Where.
    pub organization_id: Uuid,
    /// What it is called.
    pub name: &'a str,
    /// Its type.
    pub mimetype: &'a str,
    /// Hex SHA-256.
    pub sha256: &'a str,
    /// The bytes.
    pub data: &'a [u8],
}

const COLUMNS: &str = "f.id, f.owner_id, f.organization_id, f.created_at, f.name, f.mimetype, \
    f.sha256, f.size_bytes";

fn read(cols: &mut Cols<'_>) -> Result<ChatFileRow> {
    Ok(ChatFileRow {
        id: cols.next()?,
        owner_id: cols.next()?,
        organization_id: cols.next()?,
        created_at: cols.next()?,
        name: cols.next()?,
        mimetype: cols.next()?,
        sha256: cols.next()?,
        size_bytes: cols.next()?,
    })
}

impl Conn {
    /// A file: of one's own, or of a chat that one may read.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn chat_file_read(&self, who: &Subject, id: Uuid) -> Result<ChatFileRow> {
        let sql = format!("SELECT {COLUMNS} FROM chat_files f WHERE f.id = $1");
        let row = self.query_one(&sql, &[&id]).await?;
        let file = read(&mut Cols::new(&row))?;
        let own = Object::new(ResourceType::Chat)
            .org(file.organization_id)
            .owner(file.owner_id);
        if authorize(who, Action::Read, &own).is_ok() {
            return Ok(file);
        }
        let sql = "SELECT chat_id FROM chat_file_links WHERE file_id = $1";
        for row in self.query(sql, &[&id]).await? {
            if self.chat_read(who, row.try_get(0)?).await.is_ok() {
                return Ok(file);
            }
        }
        Err(StoreError::NotFound)
    }

    /// The bytes of files that the caller may read, by id.
    pub async fn chat_files_data(&self, ids: &[Uuid]) -> Result<Vec<(ChatFileRow, Vec<u8>)>> {
        let sql = format!("SELECT {COLUMNS}, f.data FROM chat_files f WHERE f.id = ANY ($1)");
        let rows = self.query(&sql, &[&ids]).await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                Ok((read(&mut cols)?, cols.next()?))
            })
            .collect()
    }

    /// Files that a chat uses, oldest first. The caller has read the chat.
    pub async fn chat_files_of(&self, chat: Uuid) -> Result<Vec<ChatFileRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM chat_files f JOIN chat_file_links l ON l.file_id = f.id \
             WHERE l.chat_id = $1 ORDER BY l.created_at, f.id"
        );
        let rows = self.query(&sql, &[&chat]).await?;
        rows.iter().map(|row| read(&mut Cols::new(row))).collect()
    }
}

impl Tx {
    /// Stores a file.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_file_insert(&self, who: &Subject, new: &NewChatFile<'_>) -> Result<Uuid> {
        let object = Object::new(ResourceType::Chat)
            .org(new.organization_id)
            .owner(new.owner_id);
        authorize(who, Action::Create, &object)?;
        let id = Uuid::new_v4();
        let size = i64::try_from(new.data.len()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO chat_files (id, owner_id, organization_id, name, mimetype, sha256, \
                       size_bytes, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        self.execute(
            sql,
            &[
                &id,
                &new.owner_id,
                &new.organization_id,
                &new.name,
                &new.mimetype,
                &new.sha256,
                &size,
                &new.data,
            ],
        )
        .await?;
        Ok(id)
    }

    /// Makes a chat use files; its oldest ones give way when it would have more than `most`.
    pub async fn chat_files_link(&self, chat: Uuid, files: &[Uuid], most: i64) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO chat_file_links (chat_id, file_id) \
                   SELECT $1, file FROM unnest($2::uuid[]) AS file ON CONFLICT DO NOTHING";
        self.execute(sql, &[&chat, &files]).await?;
        let sql = "DELETE FROM chat_file_links WHERE chat_id = $1 AND file_id IN ( \
                   SELECT file_id FROM chat_file_links WHERE chat_id = $1 \
                   ORDER BY file_id = ANY ($2) DESC, created_at DESC, file_id OFFSET $3)";
        self.execute(sql, &[&chat, &files, &most]).await?;
        Ok(())
    }

    /// Forgets files that no chat uses, of those given.
    pub async fn chat_files_forget(&self, files: &[Uuid]) -> Result<u64> {
        let sql = "DELETE FROM chat_files f WHERE f.id = ANY ($1) AND NOT EXISTS \
                   (SELECT 1 FROM chat_file_links l WHERE l.file_id = f.id)";
        self.execute(sql, &[&files]).await
    }
}
