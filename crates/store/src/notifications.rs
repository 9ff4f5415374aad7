//! What people were told, and what they do not want to be told.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::users::user_object;
use crate::{Result, StoreError, Time, Tx};

/// Most messages that are kept of one person; the oldest give way.
const MAX_KEPT: i64 = 1000;
/// Most messages of one answer.
pub const INBOX_PAGE: i64 = 25;
/// Most administrators who are told of one thing.
const MAX_ADMINISTRATORS: i64 = 100;

record! {
    /// A message.
    pub struct InboxRow {
        /// The id.
        pub id: Uuid,
        /// Who was told.
        pub user_id: Uuid,
        /// Its kind.
        pub template_id: Uuid,
        /// What it speaks of.
        pub targets: Vec<Uuid>,
        /// The first line.
        pub title: String,
        /// The rest.
        pub content: String,
        /// Name of a picture.
        pub icon: String,
        /// What can be done about it: `[{label, url}]`.
        pub actions: serde_json::Value,
        /// When it was read.
        pub read_at: Option<Time>,
        /// When it was made.
        pub created_at: Time,
    }
}

record! {
    /// Whether someone is told of a kind.
    pub struct PreferenceRow {
        /// The kind.
        pub template_id: Uuid,
        /// Not to be told.
        pub disabled: bool,
        /// When that was said.
        pub updated_at: Time,
    }
}

/// A message to be made.
#[derive(Debug, Clone)]
pub struct NewNotice<'a> {
    /// Its kind.
    pub template: Uuid,
    /// What it speaks of.
    pub targets: &'a [Uuid],
    /// The first line.
    pub title: &'a str,
    /// The rest.
    pub content: &'a str,
    /// Name of a picture.
    pub icon: &'a str,
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default)]
pub struct InboxFilter {
    /// All that it speaks of must be among these; empty: whatever it speaks of.
    pub targets: Vec<Uuid>,
    /// Of these kinds; empty: of any.
    pub templates: Vec<Uuid>,
    /// Only read ones, or only unread ones.
    pub read: Option<bool>,
    /// Only those before this one.
    pub before: Option<Uuid>,
}

/// On which channel it is said that a person has a new message; payloads are its id.
pub fn inbox_channel(user: Uuid) -> String {
    format!("inbox:{user}")
}

fn inbox(user: Uuid) -> Object {
    Object::new(ResourceType::InboxNotification).owner(user)
}

fn preference(user: Uuid) -> Object {
    Object::new(ResourceType::NotificationPreference).owner(user)
}

impl Conn {
    /// Messages of a person, the newest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read them.
    pub async fn inbox_list(
        &self,
        who: &Subject,
        user: Uuid,
        by: &InboxFilter,
    ) -> Result<Vec<InboxRow>> {
        who.may(Action::Read, &inbox(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT * FROM inbox_notifications WHERE user_id = $1 \
                   AND (cardinality($2::uuid[]) = 0 OR targets @> $2) \
                   AND (cardinality($3::uuid[]) = 0 OR template_id = ANY($3)) \
                   AND ($4::bool IS NULL OR (read_at IS NOT NULL) = $4) \
                   AND ($5::uuid IS NULL OR (created_at, id) < \
                     (SELECT b.created_at, b.id FROM inbox_notifications b \
                      WHERE b.id = $5 AND b.user_id = $1)) \
                   ORDER BY created_at DESC, id DESC LIMIT $6";
        let params: [crate::conn::SqlParam<'_>; 6] = [
            &user,
            &by.targets,
            &by.templates,
            &by.read,
            &by.before,
            &INBOX_PAGE,
        ];
        self.fetch(sql, &params).await
    }

    /// A message of a person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn inbox_read(&self, who: &Subject, user: Uuid, id: Uuid) -> Result<InboxRow> {
        who.may(Action::Read, &inbox(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT * FROM inbox_notifications WHERE id = $1 AND user_id = $2";
        self.fetch_one(sql, &[&id, &user]).await
    }

    /// How many messages of a person are unread.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read them.
    pub async fn inbox_unread(&self, who: &Subject, user: Uuid) -> Result<i64> {
        who.may(Action::Read, &inbox(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT count(*) FROM inbox_notifications WHERE user_id = $1 AND read_at IS NULL";
        Ok(self.query_one(sql, &[&user]).await?.try_get(0)?)
    }

    /// Notes that a message was read, or was not.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; [`StoreError::NotFound`].
    pub async fn inbox_mark(
        &self,
        who: &Subject,
        user: Uuid,
        id: Uuid,
        read: bool,
    ) -> Result<InboxRow> {
        who.may(Action::Update, &inbox(user))?;
        let sql = "UPDATE inbox_notifications SET read_at = \
                   CASE WHEN $3 THEN COALESCE(read_at, now()) END \
                   WHERE id = $1 AND user_id = $2 RETURNING *";
        self.fetch_one(sql, &[&id, &user, &read]).await
    }

    /// Notes that all messages of a person were read.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn inbox_mark_all(&self, who: &Subject, user: Uuid) -> Result<()> {
        who.may(Action::Update, &inbox(user))?;
        let sql = "UPDATE inbox_notifications SET read_at = now() \
                   WHERE user_id = $1 AND read_at IS NULL";
        self.execute(sql, &[&user]).await?;
        Ok(())
    }

    /// Of which kinds a person said whether to be told.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn notification_preference_list(
        &self,
        who: &Subject,
        user: Uuid,
    ) -> Result<Vec<PreferenceRow>> {
        who.may(Action::Read, &preference(user))?;
        let sql = "SELECT template_id, disabled, updated_at FROM notification_preferences \
                   WHERE user_id = $1 ORDER BY template_id";
        self.fetch(sql, &[&user]).await
    }

    /// Notes whether a person is told of a kind.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn notification_preference_set(
        &self,
        who: &Subject,
        user: Uuid,
        template: Uuid,
        disabled: bool,
    ) -> Result<()> {
        who.may(Action::Update, &preference(user))?;
        let sql = "INSERT INTO notification_preferences (user_id, template_id, disabled) \
                   VALUES ($1, $2, $3) ON CONFLICT (user_id, template_id) DO UPDATE SET \
                   disabled = excluded.disabled, updated_at = now()";
        self.execute(sql, &[&user, &template, &disabled]).await?;
        Ok(())
    }

    /// Who is told what concerns people's budgets: owners and administrators of users, but `user`.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn budget_administrators(&self, who: &Subject, user: Uuid) -> Result<Vec<Uuid>> {
        who.may(Action::Read, &user_object(user))?;
        let sql = "SELECT id FROM users WHERE roles && ARRAY['owner', 'user-admin'] \
                   AND NOT deleted AND NOT is_system AND status <> 'suspended' AND id <> $1 \
                   ORDER BY created_at, id LIMIT $2";
        let rows = self.query(sql, &[&user, &MAX_ADMINISTRATORS]).await?;
        let ids = rows.iter().map(|row| Ok(row.try_get(0)?));
        ids.collect()
    }
}

impl Tx {
    /// Tells a person something, unless it does not want to be told of that kind, or is gone. Whether
    /// it was told.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn inbox_add(
        &self,
        who: &Subject,
        user: Uuid,
        notice: &NewNotice<'_>,
    ) -> Result<bool> {
        who.may(Action::Create, &inbox(user))?;
        let id = Uuid::new_v4();
        let sql = "INSERT INTO inbox_notifications (id, user_id, template_id, targets, title, \
                     content, icon) \
                   SELECT $1, u.id, $3, $4, $5, $6, $7 FROM users u \
                   WHERE u.id = $2 AND NOT u.deleted AND NOT EXISTS (SELECT 1 \
                     FROM notification_preferences p \
                     WHERE p.user_id = u.id AND p.template_id = $3 AND p.disabled)";
        let params: [crate::conn::SqlParam<'_>; 7] = [
            &id,
            &user,
            &notice.template,
            &notice.targets,
            &notice.title,
            &notice.content,
            &notice.icon,
        ];
        if self.execute(sql, &params).await? == 0 {
            return Ok(false);
        }
        let sql = "DELETE FROM inbox_notifications WHERE id IN (SELECT id \
                   FROM inbox_notifications WHERE user_id = $1 \
                   ORDER BY created_at DESC, id DESC OFFSET $2)";
        self.execute(sql, &[&user, &MAX_KEPT]).await?;
        self.notify(&inbox_channel(user), &id.to_string()).await?;
        Ok(true)
    }
}
